"""Tables over runs: references first, means by hand, no silent mixing, every format, and CSV there and back."""

from __future__ import annotations

import math
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.experiments.comparison import compared
from graphforget.experiments.published import preset_from
from graphforget.experiments.render import render, render_comparison
from graphforget.experiments.results import Line, as_csv, read_lines
from graphforget.experiments.tables import table_of

SEEDS = range(1, 9)
GOLD = 0.5


def line(row: str, kind: str, seed: int, auc: float, ed: float, **fields) -> Line:
    """Return one line of a link task."""
    known = {"data": "d", "backbone": "gcn", "task": "link", "deletion": "5 %", "kind": "edges", "fraction": 0.05}
    values = {"test_auc": auc, "forgotten_auc": ed, "seconds": 1.0}
    return Line({**known, **fields}, row, kind, seed, f"{row}-{seed}-{fields}", f"{row}-{seed}", values)


@pytest.fixture
def lines() -> list[Line]:
    """Two methods: `near` has the higher test AUC, `far` the higher forgotten AUC, further from gold's."""
    found = []
    for s in SEEDS:
        found += [line("near", "method", s, 0.9 + s / 1000, 0.52 + s / 1000), line("far", "method", s, 0.8, 0.9)]
        found += [line("Gold", "gold", s, 0.95, GOLD), line("Original", "original", s, 0.96, 0.4)]
        found += [line("Noise floor", "floor", s, 0.95, 0.51)]
    return found


def test_means_spreads_and_the_order_of_rows(lines):
    table = table_of(lines, metrics=("test_auc",), test=None)
    assert table.row_keys == (("Original",), ("Gold",), ("Noise floor",), ("near",), ("far",))
    entry = table.entries[("near",), ("d", "5 %"), "test_auc"]
    assert entry.mean == pytest.approx(0.9045) and entry.seeds == 8
    assert entry.spread == pytest.approx(math.sqrt(sum((s - 4.5) ** 2 for s in SEEDS) / 7) / 1000)


def test_marks_follow_the_direction_of_the_metric(lines):
    table = table_of(lines, metrics=("test_auc", "forgotten_auc"))
    marks = {(row[0], metric): entry.mark for (row, _, metric), entry in table.entries.items()}
    assert marks["near", "test_auc"] == "best", "higher is better"
    assert marks["near", "forgotten_auc"] == "best", "nearer to gold's is better, not higher"
    assert {marks[row, "test_auc"] for row in ("Gold", "Original", "Noise floor", "far")} == {""}


def test_no_row_is_best_where_over_forgetting_would_win(lines):
    """A higher MI ratio is better, says its source; one that runs away from gold's is over-forgetting."""
    ratios = {"Gold": 2.0, "near": 2.1, "far": 90.0}
    found = [replace(x, values={"mi_ratio": ratios[x.row] + x.seed / 100}) for x in lines if x.row in ratios]
    assert not any(entry.mark for entry in table_of(found, metrics=("mi_ratio",)).entries.values())


def test_what_over_forgets_is_marked_whatever_is_tested(lines):
    """Gold's is .5 and the noise floor .01: .9 is beyond it, .509 is not."""
    close = [line("close", "method", s, 0.9, 0.509) for s in SEEDS]
    for test in ("wilcoxon", None):
        table = table_of([*lines, *close], metrics=("test_auc", "forgotten_auc"), test=test)
        marked = {(row[0], metric) for (row, _, metric), entry in table.entries.items() if entry.over_forgotten}
        assert marked == {("far", "forgotten_auc"), ("near", "forgotten_auc")}
        assert "0.9000 ± 0.0000 †" in render(table, "md") and "0.5090 ± 0.0000 †" not in render(table, "md")
        assert any(note.startswith("† over-forgetting: beyond gold's by more than") for note in table.notes)
    assert not any("†" in note for note in table_of(close + [x for x in lines if x.row_kind != "method"]).notes)


def test_methods_that_made_the_same_model_are_named(lines):
    twins = [replace(one, row="twin", run=f"twin-{one.run}") for one in lines if one.row == "near"]
    table = table_of([*lines, *twins], metrics=("test_auc",))
    assert "The same weights, byte for byte: near and twin." in table.notes
    assert not any("byte for byte" in note for note in table_of([*lines, *twins[1:]]).notes), "with every seed alone"
    assert not any("byte for byte" in note for note in table_of(lines).notes)


def test_the_note_says_where_the_seeds_are_too_few_for_a_mark(lines):
    """Six seeds have a p of .031 at least: enough for two methods, not for three, whose smallest p Holm doubles."""

    def note(rows):
        return table_of(rows, ("dataset", "method"), ("deletion",), ("test_auc",)).notes[0]

    six = [one for one in lines if one.seed <= 6]
    third = [replace(one, row="third", run=f"third-{one.run}") for one in six if one.row == "far"]
    other = [replace(one, fields={**one.fields, "data": "e"}, run=f"e-{one.run}") for one in [*six, *third]]
    assert note(six).startswith("Best and second best: marked") and "too few" not in note(six)
    assert "With 6 seeds, the p of wilcoxon is at least 0.0625 by Holm's method for 3 methods" in note([*six, *third])
    assert note([*six, *other]).endswith("in 1 of 2 comparisons the seeds are too few for a mark.")
    assert note([one for one in six if one.row != "far" or one.seed < 6]).startswith("With 5 seeds, the p of wilcoxon")
    assert note([one for one in six if one.seed == 1]).startswith("One seed")


def test_rows_of_other_data_are_not_compared(lines):
    other = [
        Line({**one.fields, "data": "e"}, one.row, one.row_kind, one.seed, f"{one.run}e", "w", one.values)
        for one in lines
    ]
    both = table_of([*lines, *other], ("dataset", "method"), ("deletion",), ("test_auc",))
    assert [key for (key, _, _), entry in both.entries.items() if entry.mark] == [("d", "near"), ("e", "near")]
    assert both.row_keys[0] == ("d", "Original") and both.row_keys[5] == ("e", "Original")


def test_a_field_of_the_rows_divides_no_columns_again(lines):
    table = table_of(lines, rows=("deletion", "method"), metrics=("test_auc",), test=None)
    assert table.cols == ("dataset",) and table.col_keys == (("d",),)
    assert table.entries[("5 %", "far"), ("d",), "test_auc"].mean == pytest.approx(0.8)


def test_runs_of_different_settings_are_never_averaged(lines):
    more = [line("near", "method", 1, 0.1, 0.1, fraction=0.1, deletion="5 %")]
    with pytest.raises(UsageError, match="would mix runs that differ in fraction"):
        table_of([*lines, *more])
    assert table_of([*lines, *more], cols=("fraction",))
    with pytest.raises(UsageError, match="needs 'method'"):
        table_of(lines, rows=("dataset",), cols=())


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"rows": ("methd",)}, "Did you mean 'method'"),
        ({"metrics": ("test_acu",)}, "Did you mean 'test_auc'"),
        ({"test": "wilcox"}, "Did you mean 'wilcoxon'"),
    ],
)
def test_what_is_unknown_is_refused(lines, given, words):
    with pytest.raises(UsageError, match=words):
        table_of(lines, **given)


class Cells(HTMLParser):
    """Collects the cells of a table and checks that every tag is closed."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.cells: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        if {"td", "th"} & set(self.open):
            self.cells.append(data)


def test_every_format_shows_the_same_numbers(lines):
    table = table_of(lines, metrics=("test_auc",))
    number = "0.9045 ± 0.0024"
    assert f"**{number}**" in render(table, "md") and "test AUC ↑" in render(table, "md")
    latex = render(table, "latex")
    assert r"\textbf{0.9045 $\pm$ 0.0024}" in latex and r"\toprule" in latex
    parser = Cells()
    parser.feed(render(table, "html", "a < b"))
    assert number in parser.cells and not parser.open and "a &lt; b" in render(table, "html", "a < b")
    frame = table.to_frame()
    assert list(frame["method"]) == ["Original", "Gold", "Noise floor", "near", "far"]
    assert render(table, "csv").splitlines()[4].startswith("near,d,5 %,test_auc,0.9045") and frame["mark"][3] == "best"
    with pytest.raises(UsageError, match="Unknown format"):
        render(table, "mdd")


def test_lines_survive_a_file(lines, tmp_path):
    (tmp_path / "t.csv").write_text(as_csv(lines))
    again = read_lines(tmp_path / "t.csv")
    key = lambda one: (one.row, one.seed)  # noqa: E731
    assert [(o.fields, o.values, o.run, o.row_kind) for o in sorted(again, key=key)] == [
        (o.fields, o.values, o.run, o.row_kind) for o in sorted(lines, key=key)
    ]
    assert as_csv(again) == as_csv(lines) and "seconds" not in as_csv(lines, costs=False)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "no line of results"),
        ("row,row_kind,seed,run\na,method,1,r\n", "line 2: column 'weights' is missing"),
        ("row,row_kind,seed,run,weights,auc\na,method,1,r,w,1\n", "'auc' is no column of results"),
        ("row,row_kind,seed,run,weights,test_auc\na,method,1,r,w,x\n", "line 2: could not convert"),
        ("row,row_kind,seed,run,weights\na,mthod,1,r,w\n", "no kind of row"),
        ("row,row_kind,seed,run,weights\na,method,one,r,w\n", "line 2"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(tmp_path, text, words):
    (tmp_path / "t.csv").write_text(text)
    with pytest.raises(DataError, match=words):
        read_lines(tmp_path / "t.csv")


def test_a_folder_without_runs_is_refused(tmp_path):
    with pytest.raises(UsageError, match="no folder of runs"):
        read_lines(tmp_path)


def test_published_values_stand_beside_the_mean(lines):
    block = {"data": "d", "backbone": "gcn", "deletion": "5 %", "source": "paper", "where": "table 1"}
    rows = {"Gold": {"test_auc": 0.9}, "near": {"test_auc": 0.905, "forgotten_auc": 0.6}, "GIF": {"test_auc": 0.7}}
    table = {"name": "t", "grids": [{"data": ["cora"], "backbones": ["gcn"]}], "tolerance": {"test_auc": 0.01}}
    preset = preset_from({**table, "published": [{**block, "rows": rows, "names": {"Gold": "Retrain"}}]}, "here")
    gold, near, distance, gif = compared(preset, lines)
    assert (gold.label, gold.difference, gold.within) == ("Retrain", pytest.approx(0.05), False)
    assert near.within is True and near.ours == pytest.approx(0.9045) and near.seeds == 8
    assert distance.within is None, "no tolerance was set"
    assert gif.ours is None and gif.within is None
    text = render_comparison([gold, near, distance, gif], "md", "Title", ["a note"])
    assert "| Gold (Retrain) |" in text and "not run" in text and "+0.0500 |     no |" in text and "- a note" in text
    assert "published,spread" in render_comparison([gold], "csv")
