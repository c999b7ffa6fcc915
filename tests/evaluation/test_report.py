"""Reports on hand-made records: means, verdicts, and every form they are written in."""

from __future__ import annotations

import json
import re
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.evaluation.document import Report
from graphforget.evaluation.plain import summary
from graphforget.evaluation.records import ON_WHOLE_GRAPH, Record
from graphforget.evaluation.table import escaped
from graphforget.evaluation.verdict import noise_floor

FAR = {"js_test": 0.003, "js_forgotten": 0.003}
TITLE = "Link prediction on toy_graph, gcn, 5 edges forgotten"


@pytest.fixture
def toy(record):
    """A report (seed, shift) with gold at 0.5, a floor of 0.02 and three methods."""

    def build(seed=0, shift=0.0):
        rows = [
            record("Original", "original", seed, test_auc=0.97, forgotten_auc=0.4, note="judged apart."),
            record("Gold", "gold", seed, test_auc=0.96 + shift, forgotten_auc=0.5, seconds=10.0),
            record(
                "Noise floor",
                "floor",
                seed,
                forgotten_auc=0.52,
                forgotten_auc_gap=0.02,
                js_test=0.003,
                js_forgotten=0.003,
            ),
            record("near", "method", seed, forgotten_auc=0.515, js_test=0.01, js_forgotten=0.03, seconds=2.5),
            record("wild", "method", seed, forgotten_auc=0.53 + shift, js_test=0.01, js_forgotten=0.2, seconds=1.0),
            record("weak", "method", seed, forgotten_auc=0.3, js_test=0.04, js_forgotten=0.05, seconds=1.0),
        ]
        return Report("link", TITLE, tuple(rows))

    return build


def cells(table: str) -> list[list[str]]:
    """Return the cells of the Markdown table in a text, heading first, rule left out."""
    lines = [line for line in table.splitlines() if line.startswith("|")]
    rows = [[cell.strip() for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]
    assert len({len(row) for row in rows}) == 1
    assert all(re.fullmatch("-+:?", cell) for cell in rows[1])
    return [rows[0], *rows[2:]]


def test_over_forgetting_is_an_excess_beyond_the_floor(toy):
    assert toy().over_forgotten == {"wild": pytest.approx(0.03)}
    table = {row[0]: row[2] for row in cells(str(toy()))}
    assert table["wild"] == "0.5300 †"
    assert [name for name, cell in table.items() if "†" in cell] == ["wild"]
    assert "† over-forgetting: forgotten AUC above gold's by more than the noise floor (0.0200)." in toy().notes


def test_without_over_forgetting_there_is_no_sign_and_no_footnote(toy):
    calm = replace(toy(), records=tuple(r for r in toy().records if r.row != "wild"))
    assert calm.over_forgotten == {}
    assert "†" not in str(calm)


def test_without_a_floor_any_excess_counts(toy):
    bare = replace(toy(), records=tuple(r for r in toy().records if r.kind != "floor"))
    assert set(bare.over_forgotten) == {"near", "wild"}
    assert "no noise floor is known" in str(bare)


def test_accuracy_below_gold_is_over_forgetting(record):
    rows = [
        record("Gold", "gold", forgotten_accuracy=0.6),
        record("Noise floor", "floor", forgotten_accuracy=0.7, forgotten_accuracy_gap=0.1),
        record("above", forgotten_accuracy=0.9),
        record("inside", forgotten_accuracy=0.55),
        record("below", forgotten_accuracy=0.4),
    ]
    assert Report("node", "t", tuple(rows)).over_forgotten == {"below": pytest.approx(0.2)}


def test_over_forgetting_of_several_seeds_is_judged_on_their_mean(toy):
    assert set(Report.merge([toy(0, 0.0), toy(1, -0.03)]).over_forgotten) == set()
    assert set(Report.merge([toy(0, 0.0), toy(1, 0.01)]).over_forgotten) == {"wild"}


def test_closest_is_the_smallest_mean_divergence(toy):
    best = toy().closest
    assert (best.row, best.divergence, best.floor, best.relative_time) == (
        "near",
        pytest.approx(0.02),
        pytest.approx(0.003),
        0.25,
    )
    assert any(note.startswith("Closest to gold: near") and "0.25 times" in note for note in toy().notes)
    assert replace(toy(), records=toy().records[:3]).closest is None


def test_mean_and_spread_over_seeds(toy):
    merged = Report.merge([toy(0, 0.0), toy(1, 0.01), toy(2, 0.05)])
    gold = next(row for row in merged.rows if row.kind == "gold")
    values = [0.96, 0.97, 1.01]
    assert gold.cells["test_auc"] == (pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1)))
    assert "0.9800 ± 0.0265" in str(merged)
    assert "±" not in str(toy())
    assert merged.seeds == (0, 1, 2)
    assert merged.heading().endswith("seeds 0, 1, 2")


def test_rows_stand_in_table_order_whatever_the_records_order(toy):
    turned = replace(toy(), records=toy().records[::-1])
    assert [row.name for row in turned.rows][:3] == ["Original", "Gold", "Noise floor"]


def test_merging_takes_equal_rows_once_and_refuses_different_ones(toy):
    one, two = toy(), toy()
    assert Report.merge([one, two]) == one
    slower = [replace(r, values={**r.values, "seconds": 99.0}) for r in two.records]
    assert len(Report.merge([one, replace(two, records=tuple(slower))]).records) == 6
    with pytest.raises(UsageError, match="Two different results are called 'Gold' with seed 0"):
        Report.merge([one, toy(0, 0.01)])
    with pytest.raises(UsageError, match="different experiments"):
        Report.merge([one, replace(two, title="another")])
    with pytest.raises(UsageError, match="no report to merge"):
        Report.merge([])


def test_markdown_holds_every_row_and_blanks(toy):
    heading, *rows = cells(toy().to_markdown())
    assert heading[:3] == ["model", "test AUC ↑", "forgotten AUC →gold"]
    assert [row[0] for row in rows] == ["Original", "Gold", "Noise floor", "near", "wild", "weak"]
    assert rows[3][1] == "–"
    assert r"\|f.AUC - gold\| ↓" in heading
    full = cells(toy().to_markdown(full=True))
    assert full[0] == ["model", "Original", "Gold", "Noise floor", "near", "wild", "weak"]
    assert {"JS forgotten ↓", "JS test ↓"} <= {row[0] for row in full}


def test_markdown_of_named_metrics_holds_those_alone(toy):
    heading = cells(toy().to_markdown(metrics=["test_auc"]))[0]
    assert [name for name in heading if name] == ["model", "test AUC ↑"]
    with pytest.raises(UsageError, match="test_auk.*Did you mean 'test_auc'"):
        toy().to_markdown(metrics=["test_auk"])


def test_a_note_that_all_rows_share_is_said_once(toy):
    shared = replace(toy(), records=tuple(replace(r, note="one.\ntwo.") for r in toy().records))
    assert shared.notes[-2:] == ["All rows: one.", "All rows: two."]
    assert "Original: judged apart." in toy().notes


def test_rows_that_answer_from_the_graph_before_are_excepted_where_there_are_any(record):
    original = record("Original", "original", test_auc=0.97, note=ON_WHOLE_GRAPH)
    before = record("a", test_auc=0.9, note="weights only: it answers from the graph before the deletion.")
    retained = "every other row on the retained graph"
    assert Report("link", TITLE, (original, record("b", test_auc=0.9))).notes == [f"Original: {ON_WHOLE_GRAPH}"]
    said = Report("link", TITLE, (original, before)).notes[0]
    assert said == f"Original: {ON_WHOLE_GRAPH}".replace(retained, f"{retained}, but those of weights only")


def test_latex_is_balanced_and_plain(toy):
    text = toy().to_latex()
    assert text.count("{") == text.count("}")
    assert text.count("$") % 2 == 0
    assert re.findall(r"\\begin\{(\w+)\}", text) == re.findall(r"\\end\{(\w+)\}", text)[::-1]
    assert r"toy\_graph" in text and not re.search(r"[^\\][_%#]", text)
    body = text[text.index(r"\midrule") : text.index(r"\bottomrule")].strip().splitlines()[1:]
    columns = re.search(r"\\begin\{tabular\}\{(\w+)\}", text).group(1)
    assert {line.count(" & ") for line in body} == {len(columns) - 1}
    assert text.isascii()


def test_every_sign_that_latex_reads_is_escaped():
    assert escaped("a_b & 5% ± {x}") == r"a\_b \& 5\% $\pm$ \{x\}"
    assert escaped("\\") == r"\textbackslash{}"


def test_the_frame_has_a_line_per_row_and_seed(toy):
    frame = Report.merge([toy(0), toy(1, 0.01)]).to_frame()
    assert frame.index.names == ["row", "seed"]
    assert len(frame) == 12
    assert frame.loc[("Gold", 1), "test_auc"] == pytest.approx(0.97)
    assert np.isnan(frame.loc[("Gold", 0), "js_test"])
    assert frame["test_auc"].dtype == np.float64


def test_json_goes_there_and_back(toy):
    report = Report.merge([toy(0), toy(1, 0.01)])
    assert Report.from_json(report.to_json()) == report
    assert json.loads(report.to_json())["title"] == TITLE


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"format": "other"}', "null"])
def test_other_text_is_no_report(text):
    with pytest.raises(DataError, match="not a report"):
        Report.from_json(text)


def test_a_saved_report_is_a_folder(toy, tmp_path):
    folder = toy().save(tmp_path / "report")
    assert sorted(path.name for path in folder.iterdir()) == ["report.csv", "report.json", "report.md", "report.tex"]
    assert Report.from_json((folder / "report.json").read_text(encoding="utf-8")) == toy()
    frame = pd.read_csv(folder / "report.csv", index_col=["row", "seed"])
    pd.testing.assert_frame_equal(frame, toy().to_frame())
    with pytest.raises(DataError, match="not empty"):
        toy().save(folder)
    toy(0, 0.01).save(folder, replace=True)
    assert Report.from_json((folder / "report.json").read_text(encoding="utf-8")) == toy(0, 0.01)


def test_a_record_holds_known_metrics_and_kinds_only():
    with pytest.raises(DataError, match="nonsense"):
        Record("x", 0, {"nonsense": 1.0})
    with pytest.raises(DataError, match="other"):
        Record("x", 0, {}, kind="other")


@pytest.fixture
def shop_report(record):
    """A report (seed, share deleted) of a recommender with a method below gold's forgotten recall."""

    def build(seed=0, share=0.05):
        rows = [
            record("Original", "original", seed, deleted_share=share, **{"forgotten_recall@20": 0.5}),
            record("weak", "method", seed, overlap_test=0.8, **{"forgotten_recall@20": 0.02}),
            record("near", "method", seed, overlap_test=0.9, **{"forgotten_recall@20": 0.09}),
            record("Popularity", "baseline", seed, note="counts.", **{"forgotten_recall@20": 0.04}),
            record("Gold", "gold", seed, **{"forgotten_recall@20": 0.1}),
            record("Noise floor", "floor", seed, **{"forgotten_recall@20": 0.12, "forgotten_recall@20_gap": 0.02}),
        ]
        return Report("recommend", TITLE, tuple(rows))

    return build


@pytest.mark.parametrize(
    ("counts", "words"),
    [
        ([(15, 2, 0.00926)], "15 trained on (0.926 % of the interactions trained on) and 2 held out, seed 0"),
        (
            [(15, 2, 0.00926), (16, 1, 0.00988)],
            "15 to 16 trained on (0.926 to 0.988 % of the interactions trained on) and 1 to 2 held out, seeds 0, 1",
        ),
        (
            [(1500, 20, 0.5), None],
            "1,500 to 1,520 trained on (50 % of the interactions trained on) and 0 to 20 held out, seeds 0, 1",
        ),
        ([(3, 4, None)], "3 trained on and 4 held out, seed 0"),
        ([None], TITLE + ", seed 0"),
    ],
)
def test_the_heading_tells_trained_from_held_out(record, counts, words):
    """The share that stands beside the count is of what was trained on, so the count is, too."""
    rows = []
    for seed, one in enumerate(counts):
        trained, held, share = one or (None, None, None)
        known = {"named_trained": trained, "named_held_out": held, "deleted_share": share}
        rows.append(record("Original", "original", seed, **{k: v for k, v in known.items() if v is not None}))
    heading = Report("recommend", TITLE, tuple(rows)).heading()
    assert heading.startswith(TITLE) and heading.endswith(words)


def test_forgotten_recall_below_gold_is_over_forgetting_of_methods(shop_report):
    assert shop_report().over_forgotten == {"weak": pytest.approx(0.08)}
    assert any("forgotten recall@20 below gold's" in note for note in shop_report().notes)


def test_the_closest_recommender_forgets_and_recommends_as_gold_does(record):
    def row(name, forgotten, test, kind="method", js=0.0):
        gaps = {"forgotten_recall@20_gap": forgotten, "test_recall@20_gap": test}
        return record(name, kind, js_test=js, seconds=2.0, **gaps)

    rows = [row("forgets", 0.0, 0.1), row("both", 0.02, 0.01, js=0.5), row("keeps", 0.3, 0.0)]
    floor, gold = row("Noise floor", 0.01, 0.01, "floor"), record("Gold", "gold", seconds=10.0)
    report = Report("recommend", TITLE, (*rows, floor, gold))
    assert (report.closest.row, report.closest.divergence, report.closest.floor) == (
        *("both", pytest.approx(0.015), pytest.approx(0.01)),
    )
    assert report.notes == [
        "Closest to gold: both (mean distance 0.0150 of forgotten and test recall@20 to gold's; noise floor 0.0100). "
        "It took 0.2 times gold's time."
    ]


def test_without_forgotten_pairs_the_closest_recommender_has_the_least_divergence(record):
    rows = [record("near", js_test=0.1, **{"test_recall@20_gap": 0.3}), record("far", js_test=0.2)]
    report = Report("recommend", TITLE, tuple(rows))
    assert report.closest.row == "near" and report.closest.divergence == pytest.approx(0.1)
    assert "mean JS divergence 0.1000 over test items)" in report.notes[0]


def test_rows_are_compared_on_the_parts_that_all_of_them_have_and_these_are_named(record):
    whole = {"js_forgotten": 0.0, "js_retained": 0.1, "js_test": 0.3}
    rows = [record("whole", **whole), record("part", js_retained=0.1, js_test=0.2)]
    floor = record("Noise floor", "floor", js_forgotten=0.9, js_retained=0.01, js_test=0.03)
    best = Report("recommend", TITLE, (*rows, floor)).closest
    assert (best.row, best.divergence, best.floor) == ("part", pytest.approx(0.15), pytest.approx(0.02))
    assert best.measure == "mean JS divergence 0.1500 over retained and test items"
    lone = Report("recommend", TITLE, (record("a", **{"forgotten_recall@20_gap": 0.2}),)).closest
    assert lone.measure == "mean distance 0.2000 of forgotten recall@20 to gold's"


def test_a_method_that_lacks_seeds_of_the_others_is_not_ranked(record):
    """`lucky` gave a model with the easy seed alone, where all lie near gold."""
    rows = []
    for seed, hard in enumerate((0.1, 0.9)):
        rows += [record("Gold", "gold", seed, seconds=1.0), record("Noise floor", "floor", seed, js_test=hard / 10)]
        rows += [record("near", seed=seed, js_test=hard, seconds=1.0), record("far", seed=seed, js_test=hard + 0.1)]
    report = Report("link", TITLE, (*rows, record("lucky", seed=0, js_test=0.2)))
    assert (report.closest.row, report.closest.divergence) == ("near", pytest.approx(0.5))
    assert report.closest.floor == pytest.approx(0.05) and report.closest.left_out == ("lucky",)
    assert report.notes == [
        "Closest to gold: near (mean JS divergence 0.5000 over test items; noise floor 0.0500). It took 1 times gold's "
        "time. Not ranked, for runs of other seeds: lucky."
    ]
    assert summary(report.records)[0].startswith("Of the 2 methods compared, near answers most like")
    assert replace(report, records=tuple(rows)).closest.left_out == ()


def test_a_noise_floor_is_the_distance_that_is_written_or_else_that_of_the_two_scores(record):
    rows = [record("Gold", "gold", seed, forgotten_auc=0.5, test_auc=0.9) for seed in (1, 2)]
    rows += [record("Noise floor", "floor", 1, forgotten_auc=0.5, forgotten_auc_gap=0.04, test_auc=0.87)]
    rows += [record("Noise floor", "floor", 2, forgotten_auc=0.52), record("Noise floor", "floor", 3, test_auc=0.1)]
    assert noise_floor(rows, "forgotten_auc") == pytest.approx(0.03)
    assert noise_floor(rows, "test_auc") == pytest.approx(0.03)
    assert noise_floor(rows, "test_ap") is None and noise_floor(rows[:2], "test_auc") is None


def test_popularity_stands_between_the_floor_and_the_methods(shop_report):
    names = ["Original", "Gold", "Noise floor", "Popularity", "weak", "near"]
    assert [row.name for row in shop_report().rows] == names
    assert cells(str(shop_report()))[0] == [
        *("model", "forgotten recall@20 →gold", r"\|f.recall - gold\| ↓", "overlap@20 test ↑"),
    ]


def test_the_heading_gives_the_share_of_interactions_over_all_seeds(shop_report, toy):
    assert shop_report(3).heading() == f"{TITLE} (5 % of the interactions), seed 3"
    both = Report.merge([shop_report(0, 0.0487), shop_report(1, 0.0512)])
    assert both.heading() == f"{TITLE} (4.87 to 5.12 % of the interactions), seeds 0, 1"
    assert r"5.12 \% of the interactions" in both.to_latex()
    assert "interactions" not in toy().heading()
