"""The report: every model beside the original, gold and the noise floor."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from graphforget._core.errors import UsageError
from graphforget._core.files import atomic_folder, atomic_write
from graphforget.evaluation.metrics import NAMED, SHARES
from graphforget.evaluation.records import Record, Row, from_text, joined, metrics_of, rows_of, to_text
from graphforget.evaluation.table import footnotes, latex, markdown
from graphforget.evaluation.verdict import Closest, closest, over_forgotten

if TYPE_CHECKING:
    import matplotlib.figure
    import pandas as pd


@dataclass(frozen=True)
class Report:
    """What `evaluate` returns: a value that prints as a table.

    Attributes
    ----------
    task: "link", "node" or "recommend". title: one line on data and deletion.
    records: one per row and seed; see `Record`.
    """

    task: str
    title: str
    records: tuple[Record, ...]

    @classmethod
    def merge(cls, reports: Sequence[Report]) -> Report:
        """Return one report over all seeds and methods of the given ones; tables show mean and spread.

        The spread is the standard deviation over seeds (n - 1). Raises UsageError for reports of different tasks or
        data, or with different numbers for the same row and seed.
        """
        if not reports:
            raise UsageError("Report.merge: there is no report to merge; give at least one.")
        headers = {(report.task, report.title) for report in reports}
        if len(headers) > 1:
            titles = "; ".join(sorted(title for _, title in headers))
            raise UsageError(f"Report.merge: these reports are of different experiments: {titles}.")
        return cls(reports[0].task, reports[0].title, joined(report.records for report in reports))

    @classmethod
    def from_json(cls, text: str) -> Report:
        """Return the report that `to_json` wrote; raises DataError for other text."""
        return cls(*from_text(text))

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds, sorted."""
        return tuple(sorted({record.seed for record in self.records}))

    @property
    def rows(self) -> list[Row]:
        """The rows over all seeds, in table order."""
        return rows_of(self.records)

    @property
    def over_forgotten(self) -> dict[str, float]:
        """Method -> excess of its forgetting score over gold's, where it is more than the noise floor."""
        return over_forgotten(self.records)

    @property
    def closest(self) -> Closest | None:
        """The method whose answers are closest to gold's."""
        return closest(self.records)

    @property
    def notes(self) -> list[str]:
        """The sentences below the table."""
        return footnotes(self.records)

    def heading(self) -> str:
        """Return the line above the table."""
        seeds = ", ".join(map(str, self.seeds))
        return f"{self.title}{self._amounts()}, {'seeds' if len(self.seeds) > 1 else 'seed'} {seeds}"

    def _amounts(self) -> str:
        """Return how much of the named was trained on and how much held out, and which share of the data goes."""
        trained, held = (self._of_seeds(name) for name in NAMED)
        if not held:  # all of it was trained on, or it is no matter of edges
            return self._share()
        total = trained[0] + held[0]  # the same for every seed; one without these values held out none of it
        missing = len(self.seeds) - len(held)
        trained, held = trained + missing * [total], held + missing * [0.0]
        return f": {_span(trained, ',.0f')} trained on{self._share('trained on')} and {_span(held, ',.0f')} held out"

    def _share(self, which: str = "") -> str:
        """Return how much a recommender forgets of what the deletion is of, over all seeds."""
        for name, of in SHARES.items():
            found = [100 * value for value in self._of_seeds(name)]
            if found:
                return f" ({_span(found, '.3g')} % of the {of}{which and f' {which}'})"
        return ""

    def _of_seeds(self, name: str) -> list[float]:
        """Return what is known of the case, by the metric that says it, of every seed."""
        return [record.values[name] for record in self.records if name in record.values]

    def __str__(self) -> str:
        return self.to_markdown()

    def to_markdown(self, *, full: bool = False, metrics: Sequence[str] | None = None) -> str:
        """Return the short table, with `full` every metric, or with `metrics` those named, as Markdown."""
        return markdown(self.records, self.heading(), full, metrics)

    def to_latex(self, *, full: bool = False) -> str:
        """Return the same as LaTeX; it needs the package booktabs."""
        return latex(self.records, self.heading(), full)

    def to_frame(self) -> pd.DataFrame:
        """Return one line per row and seed (the index) and one column per metric, NaN where there is no value."""
        import pandas as pd

        columns = [metric.name for metric in metrics_of(self.records)]
        index = pd.MultiIndex.from_tuples([(r.row, r.seed) for r in self.records], names=["row", "seed"])
        values = [[record.values.get(name, float("nan")) for name in columns] for record in self.records]
        return pd.DataFrame(values, index=index, columns=columns, dtype="float64")

    def to_json(self) -> str:
        """Return everything the report holds as JSON text; `Report.from_json` reads it."""
        return to_text(self.records, {"task": self.task, "title": self.title})

    def to_html(self) -> str:
        """Return one HTML page with verdict, limits, tables and pictures; it needs no network and no other file."""
        from graphforget.evaluation.page import page

        return page(self)

    def plot(
        self, x: str = "utility", y: str = "forgetting", out: str | os.PathLike[str] | None = None
    ) -> matplotlib.figure.Figure:
        """Return one metric against another as a matplotlib figure, and write it to `out` (.png or .svg) if named.

        Parameters
        ----------
        x, y: metrics of this report, or "utility", "forgetting" (the task's own scores), "gold_distance"; as
            `plot("seconds", "gold_distance")`, which joins the methods that none beats on both.

        Raises UsageError for a metric that the report does not hold.
        """
        from graphforget.evaluation.plots.canvas import save_figure
        from graphforget.evaluation.plots.points import draw_points

        figure = draw_points([(self.heading(), self.records)], x, y)
        if out is not None:
            save_figure(figure, out)
        return figure

    def save(self, folder: str | os.PathLike[str], replace: bool = False) -> Path:
        """Write report.json, report.md (short and full table), report.tex and report.csv; return the folder.

        The folder appears whole or not at all. Raises DataError when it is not empty, unless `replace`.
        """
        frame = self.to_frame()
        with atomic_folder(folder, replace=replace) as path:
            atomic_write(path / "report.json", self.to_json())
            atomic_write(path / "report.md", f"{self.to_markdown()}\n{self.to_markdown(full=True)}")
            atomic_write(path / "report.tex", self.to_latex())
            atomic_write(path / "report.csv", frame.to_csv())
        return Path(folder)


def _span(values: Sequence[float], form: str) -> str:
    """Return the least and the largest of some numbers, or the one where they are written alike."""
    low, high = (f"{end:{form}}" for end in (min(values), max(values)))
    return low if low == high else f"{low} to {high}"
