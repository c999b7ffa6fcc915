"""What the numbers say beside gold: which rows over-forget, and which is closest."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphforget.evaluation.metrics import METRICS, PARTS
from graphforget.evaluation.records import Record, Row, rows_of

MARK = "†"
FORGETTING = {"forgotten_auc": 1, "forgotten_accuracy": -1, "forgotten_recall@20": -1}
"""The score that over-forgetting is read from, and on which side of gold's it lies."""

CLOSENESS = {
    ("forgotten_recall@20_gap", "test_recall@20_gap"): "mean distance {} of forgotten and test recall@20 to gold's",
    tuple(f"js_{part}" for part in reversed(PARTS)): "mean JS divergence {} over forgotten, retained and test items",
}
"""What the closest row is found by: the first of these whose leading column a method has.

Divergences of a recommender's preferences depend on the scale of its scores, so that its lists come first.
"""


@dataclass(frozen=True)
class Closest:
    """The method closest to gold.

    Attributes
    ----------
    row: its name. divergence: its mean distance to gold. floor: that of gold with another seed.
    relative_time: its time divided by gold's. measure: the distance in words, `{}` stands for its value.
    """

    row: str
    divergence: float
    floor: float | None
    relative_time: float | None
    measure: str


def noise_floor(records: Sequence[Record], metric: str) -> float | None:
    """Return the mean distance between gold and gold with another seed, or None without such a run."""
    found = [r.values[f"{metric}_gap"] for r in records if r.kind == "floor" and f"{metric}_gap" in r.values]
    return float(np.mean(found)) if found else None


def forgetting_metric(records: Sequence[Record]) -> str | None:
    """Return the metric that over-forgetting is read from, or None where gold has none."""
    gold = [record for record in records if record.kind == "gold"]
    return next((name for name in FORGETTING if any(name in record.values for record in gold)), None)


def over_forgotten(records: Sequence[Record]) -> dict[str, float]:
    """Return method -> how far its forgetting score lies beyond gold's, for those beyond by more than the floor.

    Both are means over the seeds that the method and gold share. Without a known floor any excess counts.
    """
    metric = forgetting_metric(records)
    if metric is None:
        return {}
    gold = {r.seed: r.values[metric] for r in records if r.kind == "gold" and metric in r.values}
    found = {
        row: _excess(records, row, metric, gold) for row in dict.fromkeys(r.row for r in records if r.kind == "method")
    }
    floor = noise_floor(records, metric) or 0.0
    return {row: excess for row, excess in found.items() if excess is not None and excess > floor}


def _excess(records: Sequence[Record], row: str, metric: str, gold: dict[int, float]) -> float | None:
    mine = [r for r in records if r.row == row and r.seed in gold and metric in r.values]
    if not mine:
        return None
    return FORGETTING[metric] * float(np.mean([r.values[metric] - gold[r.seed] for r in mine]))


def closest(records: Sequence[Record]) -> Closest | None:
    """Return the method closest to gold, or None when no method has distances."""
    rows = rows_of(records)
    for columns, measure in CLOSENESS.items():
        methods = {
            row.name: divergence(row, columns) for row in rows if row.kind == "method" and columns[0] in row.cells
        }
        known = {name: value for name, value in methods.items() if value is not None}
        if known:
            name = min(known, key=lambda row: known[row])
            floors = [divergence(row, columns) for row in rows if row.kind == "floor"]
            return Closest(name, known[name], floors[0] if floors else None, _relative_time(rows, name), measure)
    return None


def divergence(row: Row, columns: Sequence[str]) -> float | None:
    """Return the mean of those of the columns that a row has, or None where it has none."""
    found = [mean for column in columns if (mean := row.mean(column)) is not None]
    return float(np.mean(found)) if found else None


def _relative_time(rows: Sequence[Row], name: str) -> float | None:
    mine = next(row.mean("seconds") for row in rows if row.name == name)
    gold = next((row.mean("seconds") for row in rows if row.kind == "gold"), None)
    return None if mine is None or not gold else mine / gold


def sentences(records: Sequence[Record]) -> list[str]:
    """Return what is to be read below a table."""
    metric, marked, best = forgetting_metric(records), over_forgotten(records), closest(records)
    found = []
    if metric is not None and marked:
        found.append(_over_forgetting_sentence(records, metric))
    if best is not None:
        floor = "" if best.floor is None else f"; noise floor {best.floor:.4f}"
        measure = best.measure.format(f"{best.divergence:.4f}")
        time = "" if best.relative_time is None else f" It took {best.relative_time:.3g} times gold's time."
        found.append(f"Closest to gold: {best.row} ({measure}{floor}).{time}")
    return found


def _over_forgetting_sentence(records: Sequence[Record], metric: str) -> str:
    side = "above" if FORGETTING[metric] > 0 else "below"
    floor = noise_floor(records, metric)
    known = "(no noise floor is known)" if floor is None else f"by more than the noise floor ({floor:.4f})"
    return f"{MARK} over-forgetting: {METRICS[metric].label} {side} gold's {known}."
