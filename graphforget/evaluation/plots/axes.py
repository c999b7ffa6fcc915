"""What a picture has along an axis: a metric of a report, or one of three words for the metric that serves its task."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from graphforget._core.errors import UsageError, unknown
from graphforget.evaluation.metrics import METRICS, Direction
from graphforget.evaluation.records import Record, metrics_of, rows_of
from graphforget.evaluation.verdict import FORGETTING, compared, forgetting_metric, gold_distances, listed, noise_floor

UTILITY = ("test_auc", "test_accuracy", "test_recall@20", "other_test_accuracy")
"""The score that says how good a model still is: the first that a report holds."""
GOLD_DISTANCE = "gold_distance"
WORDS = ("utility", "forgetting", GOLD_DISTANCE)
NEARER = {"higher": "higher is better", "lower": "lower is better", "gold": "the target is gold's", "none": ""}


@dataclass(frozen=True)
class Quantity:
    """What is drawn along an axis.

    Attributes
    ----------
    name: metric, or "gold_distance". label: words at the axis. direction: a metric's aim.
    cells: row -> (mean over seeds, standard deviation over seeds or None), as in the table.
    noise: how far gold lies from gold with another seed, the mean over seeds; None where it is not known.
    is_cost: seconds, memory and the like. note: what a reader must know of it, below the picture.
    """

    name: str
    label: str
    direction: Direction
    cells: Mapping[str, tuple[float, float | None]]
    noise: float | None = None
    is_cost: bool = False
    note: str = ""

    @property
    def title(self) -> str:
        """The label with what is good."""
        words = NEARER[self.direction]
        return f"{self.label} ({words})" if words else self.label


def quantity(records: Sequence[Record], name: str) -> Quantity:
    """Return what `name` is in a report.

    Parameters
    ----------
    name: a metric, or "utility", "forgetting" (the task's own scores) or "gold_distance" (the mean distance to gold
        that the closest row is found by).

    Raises UsageError when the report holds nothing of that name.
    """
    if name == GOLD_DISTANCE:
        return _distance(records)
    held = [metric.name for metric in metrics_of(records)]
    wanted = _own(records, name, held) if name in WORDS else name
    if wanted not in METRICS:
        raise UsageError(unknown("metric", name, [*WORDS, *held]))
    if wanted not in held:
        raise UsageError(f"No row of this report has '{name}'. It has {', '.join([*WORDS, *held])}.")
    metric = METRICS[wanted]
    cells = {row.name: row.cells[wanted] for row in rows_of(records) if wanted in row.cells}
    return Quantity(wanted, metric.label, metric.aim, cells, noise_floor(records, wanted), metric.group == "cost")


def _own(records: Sequence[Record], word: str, held: Sequence[str]) -> str:
    """Return the metric that a word stands for in a report."""
    found = forgetting_metric(records) if word == "forgetting" else next((name for name in UTILITY if name in held), "")
    if word == "forgetting" and not found:  # without gold there is still the method's own score
        found = next((name for name in FORGETTING if name in held), "")
    if not found:
        raise UsageError(f"This report has no metric that says '{word}'. Name one of {', '.join(held)}.")
    return found


def _distance(records: Sequence[Record]) -> Quantity:
    chosen = compared(records)
    if chosen is None:
        raise UsageError(
            "This report holds no distance to gold: no gold model stands beside its rows. Make one with gold (unlearn "
            "--gold, or a comparison), or name another metric."
        )
    measure, parts = chosen
    note = f"Distance to gold: {measure.words.replace(' {value}', '').format(parts=listed(parts))}."
    cells = gold_distances(records)
    floors = [cells[row.name][0] for row in rows_of(records) if row.kind == "floor" and row.name in cells]
    floor = floors[0] if floors else None
    return Quantity(GOLD_DISTANCE, "distance to gold", "lower", cells, floor, note=note)
