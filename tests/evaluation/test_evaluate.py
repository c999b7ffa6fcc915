"""evaluate() from end to end on tiny graphs."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphforget._core.errors import DivergedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.evaluation.case import Findings
from graphforget.evaluation.forgetting import OF_HOLES, OF_LABELLED
from graphforget.evaluation.judge import floor_of
from graphforget.evaluation.membership import fit_attacker
from graphforget.evaluation.names import row_names
from graphforget.evaluation.report import Report, evaluate
from graphforget.evaluation.verdict import noise_floor
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion

DISTANCES = {f"{name}_{part}" for name in ("agreement", "js") for part in ("forgotten", "retained", "test")}


@pytest.fixture(scope="module")
def gone(link_task):
    """Ten training edges."""
    return sample_deletion(link_task, edges=10, where="any")


@pytest.fixture(scope="module")
def unlinked(link_model, link_task, gone):
    """The result of dropping them from the graph."""
    return unlearn(link_model, link_task, gone, method="unlink")


@pytest.fixture(scope="module")
def golds(link_model, link_task, gone):
    """Three gold runs."""
    return [unlearn(link_model, link_task, gone, method="retrain", seed=seed) for seed in (0, 1, 2)]


@pytest.fixture(scope="module")
def report(unlinked, golds):
    """The report of unlink beside two gold runs."""
    return evaluate(unlinked, gold=golds[:2])


def values(report: Report, row: str) -> dict[str, float]:
    """Return the values of a row of a report of one seed."""
    return dict(next(record.values for record in report.records if record.row == row))


def test_the_rows_of_every_table(report):
    assert [row.name for row in report.rows] == ["Original", "Gold", "Noise floor", "unlink"]
    protocol = "hop undirected, strict negatives, pools around test edges"
    assert report.title == f"Link prediction on graph ({protocol}), gcn, 10 edges forgotten"
    assert report.seeds == (0,)


def test_every_row_has_its_evidence(report):
    for row in ("Original", "Noise floor", "unlink"):
        assert values(report, row).keys() >= DISTANCES | {"test_auc", "forgotten_auc_gap", "delta_p", "mi_attack_auc"}
    assert values(report, "Gold").keys() >= {"test_auc", "forgotten_auc", "mi_ratio", "seconds"}
    assert not values(report, "Gold").keys() & (DISTANCES | {"forgotten_auc_gap", "parameter_distance"})
    assert values(report, "Gold")["delta_p"] == 0
    assert values(report, "Gold")["speedup"] == 1
    assert 0 <= values(report, "Original")["mi_attacker_quality"] <= 1


def test_rows_are_judged_on_the_retained_graph_and_the_original_on_the_whole(report, unlinked, link_task):
    z = unlinked.model.embed(unlinked.retained.graph)
    assert values(report, "unlink")["test_auc"] == unlinked.retained.test_auc(z)
    assert values(report, "unlink")["forgotten_auc"] == unlinked.retained.forgotten_auc(z, unlinked.gone)
    before = unlinked.original.embed(link_task.graph)
    assert values(report, "Original")["test_auc"] == link_task.test_auc(before)


def test_a_floor_of_other_starts_is_said_to_be_one(report):
    floor = next(row for row in report.rows if row.kind == "floor")
    assert floor.notes[-1].startswith("started from other initial weights and negatives than Gold, which has")


def test_the_same_seed_gives_the_same_report(report, unlinked, golds):
    assert evaluate(unlinked, gold=golds[:2]).to_json() == report.to_json()


def test_gold_by_name_is_trained_with_the_tasks_seed_and_the_next(report, unlinked):
    trained = evaluate([unlinked])
    for row in ("Gold", "Noise floor", "unlink"):
        mine, theirs = values(trained, row), values(report, row)
        assert {k: v for k, v in mine.items() if k in DISTANCES} == {k: v for k, v in theirs.items() if k in DISTANCES}
    assert Report.merge([trained, report]).records == trained.records


def test_gold_runs_among_the_results_have_no_row_of_their_own(report, unlinked, golds):
    found = evaluate([golds[1], unlinked, golds[0]])
    assert found.to_json() == report.to_json()
    assert [row.name for row in evaluate(golds[:2], attack=False).rows] == ["Original", "Gold", "Noise floor"]


def test_a_retrained_model_beside_given_gold_runs_has_a_row(unlinked, golds):
    found = evaluate([unlinked, golds[2], golds[0]], gold=golds[:2], attack=False)
    assert [row.name for row in found.rows] == ["Original", "Gold", "Noise floor", "unlink", "retrain"]
    assert values(found, "retrain")["js_test"] == values(evaluate(golds[2], [golds[0]], False), "retrain")["js_test"]


def test_one_gold_run_leaves_the_floor_unknown(unlinked, golds):
    found = evaluate(unlinked, gold=golds[0], attack=False)
    assert values(found, "Noise floor") == {}
    assert "Noise floor: not known, because one gold run was given." in found.notes
    assert not any(name.startswith("mi_") for record in found.records for name in record.values)


def test_the_floor_is_the_mean_over_the_other_gold_runs(unlinked, golds, report):
    found = [
        values(evaluate(unlinked, gold=[golds[0], *rest], attack=False), "Noise floor")
        for rest in (golds[1:2], golds[2:3], golds[1:3])
    ]
    for name in ("js_test", "forgotten_auc_gap"):
        assert found[2][name] == pytest.approx((found[0][name] + found[1][name]) / 2)
    assert found[0]["js_test"] == values(report, "Noise floor")["js_test"]
    assert "test_auc_gap" not in found[0]


@pytest.mark.parametrize("name", ["test_auc", "class_test_accuracy", "mi_attack_auc"])
def test_gold_models_on_both_sides_of_gold_do_not_cancel(name, record):
    """Gold models at 0.4 and 0.6 lie 0.1 from one at 0.5; their mean is its value."""
    gold = {name: 0.5}
    floor = floor_of([Findings({name: value, "seconds": 1.0}) for value in (0.4, 0.6)], gold)
    records = [record("Gold", "gold", **gold), record("Noise floor", "floor", **floor.values)]
    assert noise_floor(records, name) == pytest.approx(0.1)
    assert floor.values[name] == pytest.approx(0.5)


def test_the_floor_holds_what_all_its_runs_have():
    """A shard's preparation, or the memory of one machine, is no number of the other runs."""
    runs = [Findings({"test_auc": 0.5, "preparation": 3.0}), Findings({"test_auc": 0.7})]
    assert floor_of(runs, {}).values == {"test_auc": pytest.approx(0.6)}


def test_a_gold_run_given_twice_is_no_noise_floor(unlinked, golds, link_model, link_task, gone):
    again = unlearn(link_model, link_task, gone, method="retrain")
    for runs in ([golds[0], golds[0]], [golds[0], again], [golds[0], golds[1], golds[1]]):
        with pytest.raises(UsageError, match="two of the gold runs have seed .* no noise floor lies between"):
            evaluate(unlinked, gold=runs, attack=False)


def test_a_shared_attacker_gives_the_same_numbers(report, unlinked, golds, link_task, link_model):
    attacker = fit_attacker(link_task, link_model)
    assert evaluate(unlinked, gold=golds[:2], attack=attacker).to_json() == report.to_json()


def test_learned_operators_and_repeated_labels(link_model, link_task, gone, golds):
    twins = [unlearn(link_model, link_task, gone, method="gnndelete", epochs=2, alpha=alpha) for alpha in (0.2, 0.8)]
    found = evaluate(twins, gold=golds[:2], attack=False)
    names = [row.name for row in found.rows if row.kind == "method"]
    assert names == ["gnndelete (alpha=0.2)", "gnndelete (alpha=0.8)"]
    assert "parameter_distance" not in values(found, names[0])
    assert any("learned operators have no counterpart" in note for note in found.notes)


def test_names_of_equal_settings_are_told_apart(unlinked):
    other = replace(unlinked, seed=7)
    assert row_names([unlinked]) == ["unlink"]
    assert row_names([unlinked, other]) == ["unlink [seed=0]", "unlink [seed=7]"]
    assert len(set(row_names([unlinked, unlinked]))) == 2


def test_results_of_different_things_are_refused(unlinked, link_model, link_task, golds):
    other = unlearn(link_model, link_task, sample_deletion(link_task, edges=11), method="unlink")
    with pytest.raises(UsageError, match="do not share the same deletion"):
        evaluate([unlinked, other], gold=golds[:2])
    with pytest.raises(UsageError, match="do not share the same original model"):
        evaluate([unlinked, replace(unlinked, original=golds[1].model)], gold=golds[:2])
    with pytest.raises(UsageError, match="'gold' must be retrain.*got unlink"):
        evaluate(unlinked, gold=unlinked)
    for gold, said in ((None, "None"), ([golds[0], 3], "3")):
        with pytest.raises(UsageError, match=f"results of an exact method; got {said}"):
            evaluate(unlinked, gold=gold)
    with pytest.raises(UsageError, match="no result"):
        evaluate([])


def test_a_model_that_is_not_finite_is_said(unlinked, golds):
    broken = unlinked.model.clone()
    for parameter in broken.parameters():
        parameter.data.fill_(float("nan"))
    with pytest.raises(DivergedError, match="'unlink' has embeddings that are not finite"):
        evaluate(replace(unlinked, model=broken), gold=golds[:2], attack=False)


@pytest.mark.parametrize(("task", "attack"), [("node", True), ("node", False), ("link", False)])
def test_holes_are_said_with_and_without_an_attack(request, task, attack):
    """The deleted edges of a link task have a hole at an end."""
    model, problem = (request.getfixturevalue(f"{task}_{what}") for what in ("model", "task"))
    result = unlearn(model, problem, Deletion(nodes=[1, 2, 3]), method="unlink")
    rows = {row.name: row.notes for row in evaluate(result, attack=attack).rows}
    assert (
        all(OF_HOLES in rows[name] for name in ("Gold", "Noise floor", "unlink")) and OF_HOLES not in rows["Original"]
    )


@pytest.mark.parametrize("kind", ["nodes", "classes", "features", "edges"])
def test_node_tasks(node_task, node_model, kind):
    named = {
        "nodes": node_task.train_nodes[:3].tolist(),
        "classes": ["2"],
        "features": node_task.train_nodes[:3].tolist(),
        "edges": [tuple(pair) for pair in node_task.graph.edges[:, :3].T.tolist()],
    }
    result = unlearn(node_model, node_task, Deletion(**{kind: named[kind]}), method="gradient-ascent")
    report = evaluate(result)
    found = values(report, "gradient-ascent")
    assert found.keys() >= DISTANCES | {"forgotten_accuracy", "forgotten_accuracy_gap", "rest_accuracy"}
    assert ("test_accuracy" in found) == (kind != "classes")
    assert ("mi_ratio" in found) == (kind in ("nodes", "classes"))
    assert ("class_test_accuracy" in found) == (kind == "classes")
    assert values(report, "Gold").get("class_test_accuracy", 0) == 0
    assert any("no membership attack" in note for note in report.notes) == (kind in ("features", "edges"))
    assert not any("negatives" in note for note in report.notes), "a node task draws none"
    assert (f"All rows: {OF_LABELLED}" in report.notes) == (kind in ("features", "edges"))
