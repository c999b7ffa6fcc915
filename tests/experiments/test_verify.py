"""Which cells of a table are computed again."""

from __future__ import annotations

from graphforget.experiments.results import Line
from graphforget.experiments.verify import Verified, _compared, drawn


def line(number: int, values: dict[str, float], weights: str = "") -> Line:
    return Line({}, f"row {number}", "method", 1, f"run {number}", weights, values)


def test_a_row_without_a_number_is_not_drawn():
    """One gold run leaves the noise floor empty: nothing of it can come out the same."""
    lines = [line(0, {"test_auc": 0.9}), line(1, {}), line(2, {"seconds": 3.0}), line(3, {}, "digest")]
    for seed in range(4):
        assert [one.row for one in drawn(lines, 9, seed)] == ["row 0", "row 3"]
        assert len(drawn(lines, 1, seed)) == 1


def test_files_without_such_rows_give_the_same_cells_as_ever():
    lines = [line(number, {"test_auc": 0.1}) for number in range(20)]
    assert [one.row for one in drawn(lines, 3, 1)] == ["row 2", "row 14", "row 19"]


def compared(before: dict[str, float], now: dict[str, float] | None, within: float, weights: str = "") -> Verified:
    return _compared(line(0, before, "one"), None if now is None else line(0, now, weights or "one"), within)


def test_within_a_difference_numbers_are_the_same_and_weights_are_not_asked():
    before, now = {"test_auc": 0.9, "test_ap": 0.5}, {"test_auc": 0.904, "test_ap": 0.5}
    exact, near, nearer = (compared(before, now, within, "another") for within in (0.0, 0.005, 0.003))
    assert exact.differing.keys() == {"test_auc", "weights"} and exact.compared == 3
    assert near.same and near.compared == 2 and "2 values, within 0.005" in near.sentence()
    assert nearer.differing == {"test_auc": ("0.9", "0.904")}
    assert "byte for byte" in compared(before, before, 0.0).sentence()


def test_the_largest_difference_is_named_and_what_is_missing_before_it():
    before, now = {"test_auc": 0.9, "test_ap": 0.5, "test_f1": 0.2}, {"test_auc": 0.91, "test_ap": 0.7, "test_f1": 0.2}
    assert "2 of 4 values, most of all test_ap 0.5, now 0.7" in compared(before, now, 0.0).sentence()
    assert "most of all test_f1 0.2, now missing" in compared(before, {"test_auc": 0.9, "test_ap": 1.0}, 0.1).sentence()
    assert not compared(before, None, 99.0).same
    assert not compared({"test_auc": float("nan")}, {"test_auc": 0.5}, 99.0).same
    assert compared({"test_auc": float("nan")}, {"test_auc": float("nan")}, 0.0).same
