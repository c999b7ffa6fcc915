"""Which numbers of a store become lines, how lines are written, and what stands beside a published value."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from graphforget.experiments import results
from graphforget.experiments.comparison import Compared, compared
from graphforget.experiments.published import preset_from
from graphforget.experiments.results import Line, as_csv, lines_in_store, lines_of_units
from graphforget.experiments.run_folder import FORMAT

NEEDS = {"judged": {}, "alone": {}, "references": {"original": "judged"}, "method": {"original": "judged"}}
KINDS = {"judged": "original", "alone": "original", "references": "references", "method": "method"}
ROWS = {"judged": ["Original"], "alone": ["Original"], "references": ["Original", "Gold"], "method": ["unlink"]}
ROW_KINDS = {"Original": "original", "Gold": "gold", "unlink": "method"}


@pytest.fixture
def store(tmp_path) -> Path:
    """Four runs: an original, what was judged beside it, a method, and an original that stands alone."""
    for number, (name, rows) in enumerate(ROWS.items()):
        records = [
            {"row": row, "seed": 3, "kind": ROW_KINDS[row], "note": "", "values": {"test_auc": number + place / 10}}
            for place, row in enumerate(rows)
        ]
        known = {"format": FORMAT, "id": name, "unit": KINDS[name], "fields": {"data": "d"}, "needs": NEEDS[name]}
        (tmp_path / name).mkdir()
        text = json.dumps({**known, "records": records, "cost": {}, "weights": f"w-{name}"})
        (tmp_path / name / "result.json").write_text(text)
    return tmp_path


EXPECTED = {
    ("alone", "Original", "w-alone", 1.0),
    ("references", "Original", "", 2.0),
    ("references", "Gold", "", 2.1),
}


def told(lines: list[Line]) -> set[tuple]:
    """Return run, row, weights and number of every line."""
    return {(line.run, line.row, line.weights, line.values["test_auc"]) for line in lines}


def test_an_original_that_something_was_judged_beside_is_no_line_of_its_own(store):
    assert told(lines_in_store(store)) == EXPECTED | {("method", "unlink", "w-method", 3.0)}


def test_lines_of_units_have_the_names_of_their_grid(store, monkeypatch):
    monkeypatch.setattr(results, "facts_of", lambda unit: {"fields": {"data": unit.id}})
    units = [
        SimpleNamespace(id=name, kind=kind, needs=tuple(NEEDS[name].values()), label="unlink as the grid calls it")
        for name, kind in KINDS.items()
    ]
    units.append(SimpleNamespace(id="unfinished", kind="method", needs=(), label="unlink"))
    lines = lines_of_units(store, units, "a table")
    assert told(lines) == EXPECTED | {("method", "unlink as the grid calls it", "w-method", 3.0)}
    assert all(line.fields == {"preset": "a table", "data": line.run} for line in lines)


def test_lines_stand_by_kind_of_row_then_row_then_seed_to_the_last_digit():
    third = 1 / 3
    names = (("b", "method", 1), ("a", "method", 2), ("a", "method", 1), ("Gold", "gold", 9))
    text = as_csv([Line({}, row, kind, seed, "r", "w", {"test_auc": third}) for row, kind, seed in names])
    columns = text.splitlines()[0].split(",")
    found = [dict(zip(columns, line.split(","), strict=True)) for line in text.splitlines()[1:]]
    assert [(one["row"], one["seed"]) for one in found] == [("Gold", "9"), ("a", "1"), ("a", "2"), ("b", "1")]
    assert {one["test_auc"] for one in found} == {repr(third)}


@pytest.fixture
def beside() -> Callable[..., list[Compared]]:
    """What stands beside a published 0.7 (spread 0.02, tolerance 0.1) for lines (row, data, seed, value)."""
    block = {"data": "d", "backbone": "gcn", "deletion": "5 %", "source": "paper", "where": "table 1"}
    block |= {"rows": {"a": {"test_auc": 0.7}}, "spreads": {"a": {"test_auc": 0.02}}}
    grid = {"data": ["cora"], "backbones": ["gcn"]}
    preset = preset_from({"name": "t", "grids": [grid], "tolerance": {"test_auc": 0.1}, "published": [block]}, "here")

    def build(*lines: tuple) -> list[Compared]:
        place = {"backbone": "gcn", "deletion": "5 %"}
        return compared(
            preset, [Line({**place, "data": d}, row, "method", s, "r", "w", {"test_auc": v}) for row, d, s, v in lines]
        )

    return build


def test_the_mean_beside_a_published_value_is_over_lines_of_its_cell_alone(beside):
    values = [0.7, 0.75, 0.71]
    lines = [("a", "d", seed, value) for seed, value in enumerate(values)]
    (found,) = beside(*lines, ("a", "e", 7, 0.1), ("b", "d", 8, 0.1))
    assert (found.seeds, found.ours, found.ours_spread) == (
        *(3, pytest.approx(np.mean(values)), pytest.approx(np.std(values, ddof=1))),
    )
    assert (found.published, found.spread, found.difference) == (0.7, 0.02, pytest.approx(0.02))
    assert beside(("a", "d", 0, 0.7))[0].ours_spread is None


@pytest.mark.parametrize(
    ("value", "within"), [(0.8, True), (0.6, True), (0.6 - 1e-9, False), (0.8 + 1e-9, False), (0.2, False)]
)
def test_a_difference_as_large_as_the_tolerance_is_within_it(beside, value, within):
    """0.8 - 0.7 is a rounding error above 0.1."""
    assert beside(("a", "d", 0, value))[0].within is within
