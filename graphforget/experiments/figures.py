"""Pictures from sources of results: what each kind needs, and what it refuses."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget.evaluation.document import Report
from graphforget.evaluation.plots.canvas import WIDTH
from graphforget.evaluation.plots.embedding_map import draw_map, mapped
from graphforget.evaluation.plots.points import draw_points
from graphforget.evaluation.plots.scaling import draw_scaling
from graphforget.evaluation.plots.trajectory import draw_trajectories
from graphforget.experiments.events import silent
from graphforget.experiments.plan_again import plan_again
from graphforget.experiments.prepare import ORIGINAL, gold_stage, method_stage, prepare
from graphforget.experiments.sources import Found
from graphforget.experiments.stages import Bench
from graphforget.experiments.store import Store
from graphforget.tasks.base import Forgotten
from graphforget.unlearning.specs import parse_method

if TYPE_CHECKING:
    from matplotlib.figure import Figure

WIDE = 9.0
"""Inches of a figure with several panels."""
NO_EDGES = np.empty((2, 0), dtype=np.int64)
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
    """Return the embeddings before, after and under gold, from the models that a comparison kept.

    Parameters
    ----------
    row: the method; by default the one closest to gold, else the first. seed: by default the plan's first.

    Raises DataError where no models are kept, UsageError for a row or seed that is not there.
    """
    if source.folder is None or source.plan is None:
        raise DataError(
            f"{source.place}: holds no models, so there are no embeddings to draw. Make the comparison with --out "
            "FOLDER, which keeps them, and name that folder."
        )
    label = _row(source, row)
    chosen = _seed(source, seed)
    plan = plan_again(source.plan, (label,))
    prepared = prepare(plan, plan.setup.source.load(), chosen)
    store = Store(source.folder / f"seed-{chosen}")
    spec = parse_method(label)
    for stage in (ORIGINAL, gold_stage(0), method_stage(spec)):
        if not store.finished(stage, prepared.digests[stage]):
            raise DataError(f"{source.folder}: the model '{stage}' of seed {chosen} is not there. Repeat the command.")
    bench = Bench(plan.setup, prepared, store, silent)
    original = bench.original()
    gold, result = bench.gold(original, 0), bench.method(original, spec)
    graphs = (original, prepared.task.graph), (result.model, result.graph), (gold.model, gold.graph)
    embeddings = [model.embed(graph).double().cpu().numpy() for model, graph in graphs]
    gone, pairs = _marked(prepared.gone)
    titles = ["before (original)", f"after ({label})", "gold (trained without)"]
    found = mapped(titles, embeddings, gone, chosen)
    what = f"forgotten: {prepared.gone.describe()}"
    return draw_map(found, pairs, what, f"{source.report.title}, seed {chosen}" if titled else "", width)


def _row(source: Found, row: str | None) -> str:
    """Return the label of a method whose models are kept."""
    assert source.plan is not None
    labels = list(source.plan["methods"])
    if row is None:
        best = source.report.closest
        return best.row if best is not None and best.row in labels else labels[0]
    if row not in labels:
        raise UsageError(f"--method '{row}': {source.place} holds {', '.join(labels)}. Name one of them.")
    return row


def _seed(source: Found, seed: int | None) -> int:
    assert source.plan is not None
    seeds = [int(one) for one in source.plan["seeds"]]
    if seed is not None and seed not in seeds:
        raise UsageError(f"--seed {seed}: {source.place} holds the seeds {', '.join(map(str, seeds))}. Name one.")
    return seeds[0] if seed is None else seed


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
