"""Pictures from sources of results: what each kind needs, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.resolve import NO_EDGES
from graphforget.evaluation.document import Report
from graphforget.evaluation.plots.canvas import WIDTH
from graphforget.evaluation.plots.embedding_map import draw_map, mapped
from graphforget.evaluation.plots.points import draw_points
from graphforget.evaluation.plots.scaling import draw_scaling
from graphforget.evaluation.plots.trajectory import draw_trajectories
from graphforget.experiments.kept_models import chosen, kept_models
from graphforget.experiments.sources import Found
from graphforget.tasks.base import Forgotten

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 9.0
"""Inches of a figure with several panels."""
JOINED = ("edges", "interactions")


def points_of(sources: Sequence[Found], x: str, y: str, width: float | None = None) -> Figure:
    """Return one metric against another: one panel for each experiment; reports of one experiment are merged."""
    reports: dict[tuple[str, str], list[Report]] = {}
    for source in sources:
        reports.setdefault((source.report.task, source.report.title), []).append(source.report)
    merged = [Report.merge(group) for group in reports.values()]
    panels = [(report.heading(), report.records) for report in merged]
    return draw_points(panels, x, y, width or (WIDTH if len(panels) == 1 else WIDE))


def trajectories_of(source: Found, metrics: Sequence[str] = (), width: float = WIDTH, titled: bool = True) -> Figure:
    """Return metrics along the way of unlearning; raises DataError for a source without histories."""
    if not source.histories:
        raise DataError(
            f"{source.place}: holds no history of its runs, only their results. Make the comparison with --out FOLDER, "
            "which keeps every evaluation along the way, and name that folder."
        )
    return draw_trajectories(source.histories, metrics, source.report.heading() if titled else "", width)


def map_of(
    source: Found, row: str | None = None, seed: int | None = None, width: float = WIDE, titled: bool = True
) -> Figure:
    """Return the embeddings before, after and under gold, from the models that a comparison or a store of runs keeps.

    row, seed: the method and the run; without them as `kept_models.chosen` says.

    Raises DataError where no models are kept, UsageError for a row or seed that is not there.
    """
    label, chosen_seed = chosen(source, row, seed)
    found = kept_models(source, label, chosen_seed)
    models = (found.original, found.prepared.task.graph), *((r.model, r.graph) for r in (found.result, found.gold))
    embeddings = [model.embed(graph).double().cpu().numpy() for model, graph in models]
    assert found.prepared.gone is not None
    gone, pairs = _marked(found.prepared.gone)
    titles = ["before (original)", f"after ({label})", "gold (trained without)"]
    what = f"forgotten: {found.prepared.gone.describe()}"
    title = f"{source.report.title}, seed {chosen_seed}" if titled else ""
    return draw_map(mapped(titles, embeddings, gone, chosen_seed), pairs, what, title, width)


def _marked(gone: Forgotten) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes to mark, and the pairs to join where pairs were named."""
    if gone.kind in JOINED:
        return np.unique(gone.edges), gone.edges
    named = np.unique(np.concatenate([gone.nodes, gone.features, gone.unlabelled]))
    return (named if len(named) else gone.touched), NO_EDGES


def scaling_of(files: Sequence[Path], x: str, y: str, by: str | None, width: float = WIDTH) -> Figure:
    """Return cost against size from the columns `x` and `y` of CSV files; `by` names the column of the lines.

    Lines with an empty cell in one of the columns are left out. Raises DataError for a file that is no such table.
    """
    series: dict[str, list[tuple[float, float]]] = {}
    for path in files:
        for name, size, cost in _columns(path, x, y, by):
            series.setdefault(name, []).append((size, cost))
    if not series:
        raise DataError(f"No line has both '{x}' and '{y}', so there is nothing to draw.")
    return draw_scaling(series, x, y, width=width)


def _columns(path: Path, x: str, y: str, by: str | None) -> list[tuple[str, float, float]]:
    import pandas as pd

    try:
        table = pd.read_csv(path, comment="#")
    except (OSError, ValueError) as error:
        why = " ".join(str(error).split())
        raise DataError(f"{path}: cannot be read as CSV ({why}). Name a table with a heading.") from error
    wanted = [x, y] if by is None else [x, y, by]
    absent = next((name for name in wanted if name not in table.columns), None)
    if absent is not None:
        raise DataError(f"{path}: has no column '{absent}'. Its columns: {', '.join(map(str, table.columns))}.")
    for name in (x, y):
        table[name] = pd.to_numeric(table[name], errors="coerce")
    whole = table.dropna(subset=wanted)
    names = [path.stem] * len(whole) if by is None else [str(one) for one in whole[by]]
    return list(zip(names, whole[x].astype(float), whole[y].astype(float), strict=True))
