"""What is said in words follows from the numbers."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphforget.evaluation.difference import difference
from graphforget.evaluation.forgetting import OF_HOLES, OF_LABELLED
from graphforget.evaluation.judge import NO_FLOOR, SAME_START
from graphforget.evaluation.limits import limits
from graphforget.evaluation.plain import judgements, summary
from graphforget.evaluation.records import OWN_RECIPE, Record
from graphforget.evaluation.verdict import forgetting_metric, sentences
from graphforget.unlearning.data_alone import NOTHING_TRAINED


def record(row: str, kind: str, seed: int, forgotten: float, auc: float = 0.9, far: float | None = None, **more: float):
    values = {"forgotten_auc": forgotten, "test_auc": auc, "seconds": 10.0, **more}
    if far is not None:
        values |= {f"js_{part}": far for part in ("forgotten", "retained", "test")}
    return Record(row, kind=kind, seed=seed, values=values)


def case(*rows: tuple[str, float, float, float], seeds=(1, 2), floor: bool = True) -> list[Record]:
    """Records around a gold of 0.5 with a noise floor of 0.02; rows: name, forgotten AUC, test AUC, distance."""
    found = []
    for seed in seeds:
        found.append(record("Gold", "gold", seed, 0.5))
        found += [record("Noise floor", "floor", seed, 0.52, 0.91, 0.01)] if floor else []
        found += [record(name, "method", seed, forgotten, auc, far) for name, forgotten, auc, far in rows]
    return found


@pytest.mark.parametrize(
    ("forgotten", "words", "phrase"),
    [
        (0.51, "as gold", "it behaves as gold does (forgotten AUC 0.5100, gold 0.5000; two gold models lie 0.0200"),
        (0.60, "too much", "Such over-forgetting can itself give away that something was deleted."),
        (0.40, "too little", "It still treats the forgotten part more like something it knows"),
    ],
)
def test_forgetting_is_judged_by_the_noise_floor(forgotten, words, phrase):
    (one,) = judgements(case(("a", forgotten, 0.9, 0.005)))
    assert one.forgetting == words
    assert any(phrase in sentence for sentence in one.sentences)


def lists(gold: float, floor: float, found: float, name: str = "forgotten_recall@20") -> list[Record]:
    """Records of one seed of a recommender: what gold, another gold and a method find of the forgotten part."""
    rows = (("Gold", "gold", gold), ("Noise floor", "floor", floor), ("a", "method", found))
    gap = f"{name}_gap"
    return [Record(r, kind=k, seed=1, values={name: v, gap: abs(v - gold), "test_recall@20": 0.2}) for r, k, v in rows]


@pytest.mark.parametrize(("gold", "floor", "found"), [(0.0, 0.0, 0.0), (0.01, 0.03, 0.0)])
def test_where_gold_finds_nothing_too_much_cannot_be_told(gold, floor, found):
    records = lists(gold, floor, found)
    (one,) = judgements(records)
    assert one.forgetting == "not too little"
    assert any("a model that went much further could not be told from gold there" in text for text in one.sentences)
    assert any("Over-forgetting would not show in forgotten recall@20: gold's (" in text for text in sentences(records))
    assert judgements(lists(0.2, 0.21, 0.205))[0].forgetting == "as gold"
    assert not any("would not show" in text for text in sentences(lists(0.2, 0.21, 0.205)))


def test_runs_on_both_sides_of_gold_do_not_cancel():
    """Gaps of .1 to either side are no smaller than the .08 of two gold models because their mean is 0."""
    records = []
    for seed, found in ((1, 0.3), (2, 0.1)):
        records += [replace(record, seed=seed) for record in lists(0.2, 0.28, found)]
        records[-1].values["test_recall@20"] = found
        records[-2].values["test_recall@20"] = 0.28
    (one,) = judgements(records)
    assert one.forgetting == "now more, now less" and one.quality == "as gold on average"
    assert any("run by run 0.1000 from it, and two gold models lie 0.0800 apart" in text for text in one.sentences)


@pytest.mark.parametrize(("found", "words"), [(0.85, "as gold"), (0.9, "too little"), (0.8, "too much")])
def test_forgotten_facts_are_judged_by_their_plausibility(found, words):
    assert judgements(lists(0.85, 0.86, found, "forgotten_triple_auc"))[0].forgetting == words


@pytest.mark.parametrize(("found", "words"), [(0.0, "not too little"), (0.8, "too little")])
def test_a_deleted_class_is_judged_by_its_test_nodes(found, words):
    """Its training nodes may be holes by then, of which a model that knows the class says as little as gold."""
    rows = (("Gold", "gold", 0.0), ("Noise floor", "floor", 0.0), ("a", "method", found))
    records = [Record(r, 1, {"forgotten_accuracy": 0.0, "class_test_accuracy": v}, kind) for r, kind, v in rows]
    assert judgements(records)[0].forgetting == words
    assert forgetting_metric(records) == "class_test_accuracy"


@pytest.mark.parametrize(("found", "words"), [(0.4, "as gold, as holes do"), (0.9, "too little")])
def test_holes_that_answer_as_golds_do_are_no_forgetting(found, words):
    """Deleted nodes have neither features nor edges: what a model knows of them does not reach its answers."""
    values = {"Gold": 0.4, "Noise floor": 0.4, "a": found}
    kinds = {"Gold": "gold", "Noise floor": "floor", "a": "method"}
    records = [Record(r, 1, {"forgotten_accuracy": v}, kinds[r], OF_HOLES) for r, v in values.items()]
    assert judgements(records)[0].forgetting == words
    links = [replace(r, values={"forgotten_auc": 1 - r.values["forgotten_accuracy"]}) for r in records]
    assert judgements(links)[0].forgetting == words, "pairs of which one end is a hole"
    classes = [replace(r, values={"class_test_accuracy": 0.1 + r.values["forgotten_accuracy"]}) for r in records]
    assert judgements(classes)[0].forgetting == words.partition(",")[0], "test nodes of a class are no holes"


@pytest.mark.parametrize(
    ("found", "words"), [(0.81, "as gold, as kept nodes do"), (0.9, "other than gold"), (0.5, "other than gold")]
)
def test_nodes_that_keep_their_labels_are_not_said_to_be_known_or_forgotten(found, words):
    """Their edges or features are forgotten; they are trained on still, so their accuracy says little of these."""
    rows = (("Gold", "gold", 0.8), ("Noise floor", "floor", 0.82), ("a", "method", found))
    records = [Record(r, 1, {"forgotten_accuracy": v}, kind, OF_LABELLED) for r, kind, v in rows]
    (one,) = judgements(records)
    assert one.forgetting == words and "keep their labels" in one.sentences[0]
    assert judgements([records[0], records[2]])[0].forgetting == "not known"


def test_a_deletion_of_held_out_data_needs_no_comparison():
    note = f"{NOTHING_TRAINED} (3 held-out edges), so the weights hold nothing of it and were not changed."
    rows = [Record("Original", 1, {"test_auc": 0.9}, "original"), Record("a", 1, {"test_auc": 0.9}, note=note)]
    assert summary(rows)[0].startswith("Nothing that the model was trained on is among what had to go")
    (one,) = judgements(rows)
    assert one.sentences[-1].startswith("Nothing that the model was trained on is named (3 held-out edges)")


@pytest.mark.parametrize(("auc", "words"), [(0.905, "as gold"), (0.95, "better"), (0.80, "worse")])
def test_quality_is_judged_by_the_noise_floor(auc, words):
    assert judgements(case(("a", 0.5, auc, 0.005)))[0].quality == words


@pytest.mark.parametrize(("far", "words"), [(0.009, "within noise"), (0.011, "further than noise")])
def test_closeness_is_judged_by_the_noise_floor(far, words):
    assert judgements(case(("a", 0.5, 0.9, far)))[0].closeness == words


@pytest.mark.parametrize(
    ("seconds", "words"), [(0.001, "under 0.1 % of gold's"), (0.5, "5.0 % of gold's"), (30.0, "300 % of gold's")]
)
def test_time_is_told_beside_golds(seconds, words):
    records = [record("Gold", "gold", 1, 0.5), Record("a", 1, {"seconds": seconds})]
    assert judgements(records)[0].time == words


def test_the_verdict_names_the_closest_and_whether_it_can_be_told_from_gold():
    near, far = (" ".join(summary(case(("a", 0.5, 0.9, d), ("b", 0.5, 0.9, 0.5)))) for d in (0.005, 0.05))
    assert near.startswith("Of the 2 methods compared, a answers most like the gold model")
    assert "cannot be told from a model that never saw" in near
    assert "it can still be told from a model that never saw" in far


@pytest.mark.parametrize(
    ("attacked", "note", "warned"), [(0.1, "", True), (0.41, "", False), (0.1, "exact: so", False)]
)
def test_the_verdict_warns_of_what_an_attack_sees(attacked, note, warned):
    """Lists like gold's, and forgotten pairs that an attack tells from all others: 0.1 where gold models have 0.4."""
    records = []
    for row, kind, found in (("Gold", "gold", 0.42), ("Noise floor", "floor", 0.4), ("a", "method", attacked)):
        gap = {"pair_mi_auc": found, "pair_mi_auc_gap": abs(found - 0.42), "forgotten_recall@20_gap": 0.01}
        values = {"forgotten_recall@20": 0.2, "test_recall@20_gap": 0.01, **gap}
        records.append(Record(row, 1, values, kind, note if row == "a" else ""))
    but = [sentence for sentence in summary(records) if sentence.startswith("But: Against an attacker")]
    assert len(but) == warned and all("it stands other than gold does (MI AUC 0.1000" in one for one in but)


def test_what_the_original_passes_too_shows_no_forgetting():
    """A deletion of three edges: the original, which knows them, lies nearer to gold than another gold model."""

    def beside(original: float, far: float) -> list[Record]:
        rows = [record("Original", "original", seed, original, 0.9, far) for seed in (1, 2)]
        return [*rows, *case(("a", 0.51, 0.9, 0.005))]

    verdict = summary(beside(0.49, 0.009))
    assert "cannot be told from a model that never saw" in verdict[1]
    assert verdict[2].startswith("But this measure cannot show whether anything was forgotten")
    (one,) = judgements(beside(0.49, 0.009))
    assert (one.forgetting, one.closeness) == ("as gold, like the original", "within noise, like the original")
    assert any("this score cannot show whether that part was forgotten" in sentence for sentence in one.sentences)
    assert any("the original lies 0.0090 from gold" in sentence for sentence in one.sentences)
    (one,) = judgements(beside(0.40, 0.011))
    assert (one.forgetting, one.closeness) == ("as gold", "within noise")
    assert len(summary(beside(0.40, 0.011))) == 2
    told = [replace(r, values={**r.values, "js_test": 0.9}) if r.row == "a" else r for r in beside(0.49, 0.009)]
    assert len(summary(told)) == 2, "a measure that tells the best from gold shows something"


def test_the_verdict_warns_of_over_forgetting_and_of_weights_that_were_left():
    over = summary(case(("a", 0.7, 0.9, 0.005)))
    assert over[-1].startswith("But: It went further than gold")
    records = [
        Record(r.row, r.seed, r.values, r.kind, "weights unchanged: they still hold it." if r.row == "a" else "")
        for r in case(("a", 0.5, 0.9, 0.005))
    ]
    assert "choose a method that changes the weights" in summary(records)[-1]


def test_without_a_second_gold_nothing_is_called_noise():
    records = case(("a", 0.51, 0.9, 0.005), floor=False)
    (one,) = judgements(records)
    assert (one.forgetting, one.quality, one.closeness) == ("not known", "as gold", "not known")
    assert "cannot be judged" in summary(records)[1]
    assert any("noise floor) is not known" in sentence for sentence in limits(records))


def test_without_gold_the_page_says_what_it_cannot_say():
    records = [record("Original", "original", 1, 0.4, 0.91), record("a", "method", 1, 0.6, 0.85)]
    assert "not whether it forgot enough" in summary(records)[0]
    (one,) = judgements(records)
    assert (one.forgetting, one.quality) == ("not known", "not known")
    assert "On test data: test AUC Original 0.9100, a 0.8500." in one.sentences


def test_only_seeds_that_both_have_are_compared():
    records = [*case(("a", 0.6, 0.9, 0.005)), record("a", "method", 3, 0.9)]
    assert difference(records, "a", "forgotten_auc").by == pytest.approx(0.1)


def test_a_model_that_stands_where_gold_stands_is_as_gold_to_the_attack_without_a_noise_floor_too():
    gold, same = (record(row, kind, 1, 0.5, mi_attack_auc=0.6) for row, kind in (("Gold", "gold"), ("a", "method")))
    other = record("b", "method", 1, 0.5, mi_attack_auc=0.7)
    told = [" ".join(one.sentences) for one in judgements([gold, same, other])]
    assert "it stands as gold does (MI attack AUC 0.6000" in told[0]
    assert "it stands other than gold does (MI attack AUC 0.7000" in told[1]


def test_limits_name_seeds_and_the_attack():
    once = " ".join(limits(case(("a", 0.5, 0.9, 0.1), seeds=(1,))))
    assert "One run was made (one seed)" in once and "No membership attack was run." in once
    floor = Record("Noise floor", 1, {}, "floor", SAME_START)
    assert "the noise floor is wide" in " ".join(limits([floor])) and "is wide" not in once
    gold = Record("Gold", 1, {}, "gold", f"{OWN_RECIPE} (2 epochs, lr 0.1)")
    assert "gold was trained by the default recipe" in " ".join(limits([gold])) and "default recipe" not in once
    attacked = record("a", "method", 1, 0.5, mi_attack_auc=0.6, mi_attacker_quality=0.77)
    assert "an AUC of 0.77 (0.5 is guessing)" in " ".join(limits([attacked]))


def test_one_gold_run_is_a_limit_though_the_report_has_a_row_for_the_floor():
    """`evaluate` gives the noise floor a row without a number where one gold run was given."""
    empty = Record("Noise floor", 1, {}, "floor", NO_FLOOR)
    said = "One gold model was trained, so how far two gold models lie apart (the noise floor) is not known."
    assert said in limits([*case(("a", 0.51, 0.9, 0.005), seeds=(1,), floor=False), empty])
    assert said not in limits(case(("a", 0.51, 0.9, 0.005)))


def test_rows_of_fewer_runs_than_the_others_are_named():
    records = [*case(("a", 0.5, 0.9, 0.005), seeds=(1, 2, 3)), record("b", "method", 2, 0.5)]
    assert "Fewer runs stand behind b (1 of 3): beside rows of other runs, chance counts more." in limits(records)
    assert not any("Fewer runs" in sentence for sentence in limits(records[:-1]))


def test_a_model_that_was_trained_again_needs_no_comparison():
    """Without gold its row says that the method is exact."""
    exact = [Record("Original", 1, {}, kind="original"), Record("retrain", 1, {"seconds": 3.0}, note="exact: so")]
    (said,) = summary(exact)
    assert "trained again from scratch" in said and "nothing of that part can be in the weights" in said
    assert "No model was trained again" in summary([exact[0], Record("unlink", 1, {"seconds": 3.0})])[0]


def test_gold_alone_is_spoken_of_as_gold():
    """A store may hold a gold model beside which no method gave a model."""
    (said,) = summary(case())
    assert said.startswith("Beside the original stands the gold model alone") and "can be in its weights" in said


@pytest.mark.parametrize("forgotten", [0.3, 0.7])
def test_an_exact_method_is_not_said_to_know_the_forgotten_part(forgotten):
    """Shards trained anew answer otherwise than one model does, and never saw the forgotten part, either."""
    told = case(("sisa", forgotten, 0.8, 0.05))
    exact = [replace(one, note="exact: so" if one.row == "sisa" else "") for one in told]
    assert "it can still be told from a model that never saw" in summary(told)[1] and len(summary(told)) == 3
    assert summary(exact)[1].endswith("is a model that never saw the forgotten part, too.") and len(summary(exact)) == 2
    (one,) = judgements(exact)
    assert one.forgetting == "unlike gold" and "but was trained without that part, too." in one.sentences[0]
