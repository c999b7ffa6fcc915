"""One number of a row beside gold's: how far it lies, and whether another gold model may lie as far."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from graphforget.evaluation.metrics import METRICS
from graphforget.evaluation.records import Record
from graphforget.evaluation.verdict import gold_values, noise_floor


@dataclass(frozen=True)
class Difference:
    """How a row's metric lies beside gold's, over the seeds that both have.

    mean, gold: means over these seeds. by: mean of row minus gold. far: mean distance, seed by seed, whatever the side.
    noise: how far two gold models lie apart, seed by seed, too; or None.
    """

    metric: str
    mean: float
    gold: float
    by: float
    far: float
    noise: float | None

    @property
    def as_gold(self) -> bool:
        """Whether the row lies where gold lies, or no further from it than another gold model."""
        return self.far == 0.0 or (self.noise is not None and self.far <= self.noise)

    @property
    def on_both_sides(self) -> bool:
        """Whether it is further from gold than another gold model in single runs, but not in their mean."""
        return not self.as_gold and self.noise is not None and abs(self.by) <= self.noise

    def figures(self) -> str:
        """Return the numbers: "test AUC 0.9614, gold 0.9641"."""
        show = METRICS[self.metric].show
        return f"{METRICS[self.metric].label} {show(self.mean)}, gold {show(self.gold)}"

    def apart(self) -> str:
        """Return how far two gold models lie apart."""
        if self.noise is None:
            return "how far two gold models lie apart is not known"
        show = METRICS[self.metric].show
        single = f"run by run {show(self.far)} from it, and " if self.on_both_sides else ""
        return f"{single}two gold models lie {show(self.noise)} apart"


def difference(records: Sequence[Record], row: str, metric: str) -> Difference | None:
    """Return a row beside gold, or None where one of them lacks the metric."""
    gold = gold_values(records, metric)
    mine = {r.seed: r.values[metric] for r in records if r.row == row and metric in r.values and r.seed in gold}
    if not mine:
        return None
    mean, beside = float(np.mean(list(mine.values()))), float(np.mean([gold[seed] for seed in mine]))
    far = float(np.mean([abs(value - gold[seed]) for seed, value in mine.items()]))
    return Difference(metric, mean, beside, mean - beside, far, noise_floor(records, metric))
