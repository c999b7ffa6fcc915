"""Published values beside ours."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from graphforget.evaluation.metrics import METRICS
from graphforget.experiments.published import Preset, Published
from graphforget.experiments.results import Line

if TYPE_CHECKING:
    import pandas as pd

HEADING = ["data", "backbone", "deletion", "row", "metric", "published", "source", "ours", "difference", "within"]


@dataclass(frozen=True)
class Compared:
    """One published value beside ours.

    Attributes
    ----------
    row: our name. label: the source's. spread, ours_spread: standard deviations, None where unknown.
    ours: mean over `seeds` seeds, None where nothing was run.
    tolerance: the largest difference that counts as reproduced, None where none was set.
    """

    data: str
    backbone: str
    deletion: str
    row: str
    label: str
    metric: str
    published: float
    spread: float | None
    source: str
    where: str
    ours: float | None
    ours_spread: float | None
    seeds: int
    tolerance: float | None

    @property
    def difference(self) -> float | None:
        """Ours minus the published value."""
        return None if self.ours is None else self.ours - self.published

    @property
    def within(self) -> bool | None:
        """Whether the difference lies within the tolerance; None where it cannot be said."""
        if self.difference is None or self.tolerance is None:
            return None
        return abs(self.difference) <= self.tolerance + 1e-12

    def as_row(self) -> list[str]:
        """Return the cells of a text table."""
        metric = METRICS[self.metric]
        row = self.row if self.label == self.row else f"{self.row} ({self.label})"
        ours = "not run" if self.ours is None else metric.show(self.ours, self.ours_spread) + f" (n={self.seeds})"
        difference = "–" if self.difference is None else f"{self.difference:+.4f}"
        within = {None: "–", True: "yes", False: "no"}[self.within]
        heading = f"{metric.label} {metric.arrow}".rstrip()
        published, source = metric.show(self.published, self.spread), f"{self.source}: {self.where}"
        return [self.data, self.backbone, self.deletion, row, heading, published, source, ours, difference, within]


def compared(preset: Preset, lines: Sequence[Line]) -> list[Compared]:
    """Return every published value of a preset beside the mean of the lines of the same cell, in the preset's order."""
    return [
        _one(preset, block, row, metric, lines)
        for block in preset.published
        for row, values in block.rows.items()
        for metric in values
    ]


def _one(preset: Preset, block: Published, row: str, metric: str, lines: Sequence[Line]) -> Compared:
    place = {"data": block.data, "backbone": block.backbone, "deletion": block.deletion}
    mine = {
        line.seed: line.values[metric]
        for line in lines
        if line.row == row and metric in line.values and all(line.field(k) == v for k, v in place.items())
    }
    values = list(mine.values())
    return Compared(
        **place,
        row=row,
        label=block.names.get(row, row),
        metric=metric,
        published=block.rows[row][metric],
        spread=block.spreads.get(row, {}).get(metric),
        source=block.source,
        where=block.where,
        ours=float(np.mean(values)) if values else None,
        ours_spread=float(np.std(values, ddof=1)) if len(values) > 1 else None,
        seeds=len(values),
        tolerance=preset.tolerance.get(metric),
    )


def comparison_frame(found: Sequence[Compared]) -> pd.DataFrame:
    """Return the comparison with its numbers, one line for each published value."""
    import pandas as pd

    return pd.DataFrame([{**vars(one), "difference": one.difference, "within": one.within} for one in found])
