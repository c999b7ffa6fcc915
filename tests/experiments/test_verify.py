"""Which cells of a table are computed again."""

from __future__ import annotations

from graphforget.experiments.results import Line
from graphforget.experiments.verify import drawn


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
