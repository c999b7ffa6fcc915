"""evaluate() of a recommender from end to end, on random interactions."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.evaluation.case import Subject, case_of
from graphforget.evaluation.judge import Bench, judge_all
from graphforget.evaluation.membership import Attacker
from graphforget.evaluation.pair_membership import NO_INTERACTION
from graphforget.evaluation.popularity import DEFINITION
from graphforget.evaluation.report import Report, evaluate
from graphforget.models.mf import MF
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn

GOLD_FREE = {"test_recall@20", "test_ndcg@20", "valid_recall@20", "train_recall@20", "exposure@20", "open_recall@20"}
DISTANCES = {"overlap_test", "rbo_test", "overlap_forgotten", "js_test", "js_forgotten", "agreement_retained"}
KINDS = ("original", "gold", "floor", "method")
GAPS = {"forgotten_recall@20_gap", "forgotten_ndcg@20_gap", "pair_mi_auc_gap"}


@pytest.fixture(scope="module")
def model(shop):
    """Matrix factorisation of random interactions: it learns them by heart."""
    return train(MF(dim=8), shop, epochs=60, lr=0.05)


@pytest.fixture(scope="module")
def results(shop, model):
    """Fine-tuning after the deletion of two users and two items, and two gold runs."""
    gone = Deletion(users=[1, 2], items=[5, 6])
    golds = [unlearn(model, shop, gone, method="retrain", seed=seed) for seed in (0, 1)]
    return unlearn(model, shop, gone, method="fine-tune", epochs=5), golds


@pytest.fixture(scope="module")
def report(results):
    """Their report."""
    return evaluate(results[0], gold=results[1])


def values(report: Report, row: str) -> dict[str, float]:
    """Return the values of a row of a report of one seed."""
    return dict(next(record.values for record in report.records if record.row == row))


def test_the_rows_of_every_table(report):
    assert [row.name for row in report.rows] == ["Original", "Gold", "Noise floor", "Popularity", "fine-tune"]
    assert [row.kind for row in report.rows] == ["original", "gold", "floor", "baseline", "method"]
    assert f"Popularity: {DEFINITION}" in report.notes


def test_the_heading_names_protocol_and_share(report, shop):
    share = 100 * values(report, "Original")["deleted_share"]
    assert report.heading() == (
        f"Recommendation on shop ({shop.protocol()}), mf, 2 users and 2 items forgotten "
        f"({share:.3g} % of the interactions), seed 0"
    )
    gone = np.isin(shop.graph.pairs("train")[0], [1, 2]) | np.isin(shop.graph.pairs("train")[1], [5, 6])
    assert share == pytest.approx(100 * gone.mean())


def test_every_row_has_its_evidence(report):
    for row in ("Original", "Noise floor", "fine-tune"):
        assert values(report, row).keys() >= GOLD_FREE | DISTANCES | GAPS | {"pair_mi_auc", "delta_p"}
    assert values(report, "Gold").keys() >= GOLD_FREE | {"forgotten_recall@20", "pair_mi_auc", "seconds"}
    assert not values(report, "Gold").keys() & (DISTANCES | GAPS)
    assert "update_auc" in values(report, "fine-tune") and "update_auc" not in values(report, "Original")
    assert values(report, "fine-tune")["speedup"] > 0


def test_popularity_has_lists_and_nothing_that_needs_a_trained_model(report):
    found = values(report, "Popularity")
    assert found.keys() >= GOLD_FREE | {"forgotten_recall@20", "forgotten_recall@20_gap", "overlap_test"}
    learned = ("js_", "pair_mi", "delta_p", "update", "parameter", "seconds")
    assert not {name for name in found if name.startswith(learned)}


def test_what_was_learned_by_heart_is_forgotten_by_gold(report):
    original, gold = values(report, "Original"), values(report, "Gold")
    assert original["forgotten_recall@20"] > 0.8 > 0.6 > gold["forgotten_recall@20"]
    assert original["pair_mi_quality"] > 0.8
    assert original["pair_mi_auc"] > gold["pair_mi_auc"] + 0.2
    assert gold["train_recall@20"] > 0.8


def test_rows_are_judged_on_the_retained_task(report, results, shop):
    result = results[0]
    offered = np.ones(60, dtype=bool)
    offered[[5, 6]] = False
    data, z = result.retained.graph, result.model.embed(result.retained.graph)
    users = np.unique(data.pairs("test")[0])
    lists = result.retained.rank(z, users, 20, candidates=offered)[0]
    recall = [
        np.isin(data.pairs("test")[1][data.pairs("test")[0] == u], lists[at]).mean() for at, u in enumerate(users)
    ]
    assert values(report, "fine-tune")["test_recall@20"] == pytest.approx(np.mean(recall))
    before = shop.metrics(result.original.embed(shop.graph), "test", ks=(20,))
    assert values(report, "Original")["whole_recall@20"] == before["recall@20"]


def test_the_short_table_holds_what_decides(report):
    heading = str(report).splitlines()[2]
    assert [cell.strip() for cell in heading.strip("|").replace(r"\|", "!").split("|")] == [
        *("model", "test recall@20 ↑", "test ndcg@20 ↑", "forgotten recall@20 →gold", "!f.recall - gold! ↓"),
        *("exposure@20 →gold", "MI AUC →gold", "overlap@20 test ↑", "seconds ↓", "speed-up ↑"),
    ]
    full = report.to_markdown(full=True)
    assert "share of interactions deleted " in full and "coverage@20 " in full and "RBO forgotten ↑" in full


def test_the_same_models_give_the_same_report(report, results):
    assert evaluate(results[0], gold=results[1]).to_json() == report.to_json()
    assert Report.from_json(report.to_json()) == report


def test_the_attack_can_be_left_out_and_is_no_shadow_model(report, results):
    found = evaluate(results[0], gold=results[1], attack=False)
    assert not any(name.startswith("pair_mi") for record in found.records for name in record.values)
    with pytest.raises(UsageError, match="for recommenders give True or False"):
        evaluate(results[0], gold=results[1], attack=object.__new__(Attacker))


def test_held_out_interactions_are_counted_apart(shop, model):
    named = [tuple(pair) for part in ("train", "test") for pair in shop.graph.pairs(part)[:, :3].T.tolist()]
    result = unlearn(model, shop, Deletion(interactions=named), method="unlink")
    share = f"{100 * 3 / shop.graph.n_edges:.3g} % of the interactions trained on"
    found = evaluate(result, gold=[unlearn(model, shop, result.deletion, method="retrain")])
    assert f"6 interactions forgotten: 3 trained on ({share}) and 3 held out, seed" in found.heading()
    assert found.heading() in found.to_markdown(full=True) and found.heading() in found.to_html()
    again = unlearn(model, shop, Deletion(interactions=named[:3] * 2), method="unlink")
    twice = evaluate(again, gold=[unlearn(model, shop, again.deletion, method="retrain")], attack=False)
    assert ", 3 interactions forgotten (" in twice.heading(), "what is listed twice counts once"


def test_interactions_alone(shop, model):
    pairs = shop.graph.pairs("train")[:, ::12]
    result = unlearn(model, shop, Deletion(interactions=[tuple(pair) for pair in pairs.T.tolist()]), method="unlink")
    found = evaluate(result, gold=[unlearn(model, shop, result.deletion, method="retrain")])
    assert f"{pairs.shape[1]} interactions forgotten (8.33 % of the interactions)" in found.heading()
    assert not any(name.startswith(("exposure", "open_")) for record in found.records for name in record.values)
    assert values(found, "unlink")["forgotten_recall@20"] == pytest.approx(
        values(found, "Original")["forgotten_recall@20"]
    )


def test_a_modality_alone_is_judged_by_its_distance_to_gold(shop):
    """Nothing that was trained on goes, so that lists and preferences are all there is to compare."""
    data, rng = shop.graph, np.random.default_rng(0)
    parts = {part: data.pairs(part) for part in ("train", "valid", "test")}
    pictured = Interactions.build(24, 60, **parts, modalities={"image": rng.normal(size=(60, 3))}, name="pictured")
    task = Recommendation(pictured)
    gone = task.resolve(Deletion(modalities=[("image", "*")]))
    case = case_of(task, task.without(gone), gone)
    models = [
        Subject(name, name, MF(dim=4).initialised_for(pictured, Streams(n)), pictured) for n, name in enumerate(KINDS)
    ]
    records = judge_all(Bench(case, *models[:2], attack=True, attacker=None), models[2:3], models[3:])
    found = records[-1]
    assert {"overlap_test", "js_test", "test_recall@20"} <= set(found.values)
    assert not {name for name in found.values if "forgotten" in name or name.startswith(("pair_mi", "update"))}
    assert "only features of items" in found.note and NO_INTERACTION in found.note
    assert records[0].values["deleted_feature_share"] == 1.0 and "deleted_share" not in records[0].values
    title = "Recommendation on pictured, mf, modality image of every item forgotten"
    assert Report("recommend", title, records).heading() == f"{title} (100 % of the feature rows of items), seed 0"
