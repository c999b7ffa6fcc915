"""Metrics along the way of unlearning, one line for each method and a level for the original and for gold."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget.evaluation.plots.canvas import (
    WIDTH,
    Look,
    add_legend,
    add_title,
    legend_lines,
    looks,
    panels,
    plain_ticks,
    ranges_far,
    styled,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MEASURED = ("val_", "forgotten_", "test_")
"""First letters of what is measured; other entries (losses) mean something else for each method."""


@dataclass(frozen=True)
class History:
    """The evaluations of one model while it was made.

    Attributes
    ----------
    row: name in the table. kind: "method", or "original" or "gold", whose kept epoch gives a level.
    entries: one mapping for each evaluation, with "epoch" and metrics.
    kept: the epoch that was kept, of original and gold.
    """

    row: str
    kind: str
    seed: int
    entries: tuple[Mapping[str, float], ...]
    kept: int | None = None


def metrics_in(histories: Iterable[History]) -> list[str]:
    """Return all that was measured on methods, in the order met."""
    found = [name for one in histories if one.kind == "method" for entry in one.entries for name in entry]
    return [name for name in dict.fromkeys(found) if name != "epoch"]


def chosen_metrics(histories: Sequence[History], asked: Sequence[str] = ()) -> list[str]:
    """Return the metrics to draw: those asked for, or all scores.

    Raises DataError when there is no history at all, UsageError for a metric that none holds.
    """
    held = metrics_in(histories)
    if not held:
        raise DataError(
            "No run here holds a history: its methods learn in no epochs, or were not evaluated along the way. Make "
            "the comparison with --out FOLDER and a method that learns, and name that folder."
        )
    absent = [name for name in asked if name not in held]
    if absent:
        raise UsageError(f"No history holds '{absent[0]}'. Measured were {', '.join(held)}.")
    scores = [name for name in held if name.startswith(MEASURED) and "loss" not in name]
    return list(asked) or scores or held


def mean_line(histories: Sequence[History], metric: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the epochs that all histories with the metric have, and the mean over them at each."""
    lines = [{e["epoch"]: e[metric] for e in one.entries if metric in e} for one in histories]
    lines = [line for line in lines if line]
    shared = sorted(set.intersection(*(set(line) for line in lines))) if lines else []
    return np.array(shared), np.array([np.mean([line[epoch] for line in lines]) for epoch in shared])


def draw_trajectories(
    histories: Sequence[History], metrics: Sequence[str] = (), title: str = "", width: float = WIDTH
) -> Figure:
    """Return a figure with one panel for each metric, epochs along the axis.

    Thick lines are means over the seeds, at the epochs that all of them have; thin ones are the seeds. Original and
    gold are levels: their means at the epochs that were kept.

    Raises what `chosen_metrics` raises.
    """
    chosen = chosen_metrics(histories, metrics)
    look = looks((one.row, one.kind) for one in histories if _has(one, chosen))
    names = list(look)
    columns = max(1, min(len(chosen), int(width / 3)))
    seeds = len({one.seed for one in histories})
    note = f"Thick: mean over {seeds} seeds; thin: the seeds." if seeds > 1 else "One seed."
    with styled():
        figure, axes = panels(
            len(chosen), width, min(3.0, 0.85 * width / columns), legend_lines(names, width) + 2, columns
        )
        for ax, metric in zip(axes, chosen, strict=True):
            _draw(ax, [one for one in histories if _has(one, [metric])], metric, look)
        add_title(figure, title)
        methods = {one.row for one in histories if one.kind == "method"}
        add_legend(figure, [_handle(look[name], name in methods) for name in names], names, note)
    return figure


def _has(history: History, metrics: Sequence[str]) -> bool:
    return any(metric in entry for entry in history.entries for metric in metrics)


def _draw(ax: Any, histories: Sequence[History], metric: str, look: Mapping[str, Look]) -> None:
    epochs = [e["epoch"] for one in histories if one.kind == "method" for e in one.entries if metric in e]
    log = ranges_far(epochs)
    ax.set_xscale("log" if log else "linear")
    for row in dict.fromkeys(one.row for one in histories):
        mine = [one for one in histories if one.row == row]
        draw = _draw_line if mine[0].kind == "method" else _draw_level
        draw(ax, mine, metric, look[row])
    if log:
        plain_ticks(ax.xaxis)
    else:
        ax.xaxis.get_major_locator().set_params(integer=True)
    ax.set_xlabel("epoch of unlearning" + (", log scale" if log else ""))
    ax.set_ylabel(metric.replace("_", " "))


def _draw_line(ax: Any, mine: Sequence[History], metric: str, look: Look) -> None:
    if len(mine) > 1:
        for one in mine:
            x, y = mean_line([one], metric)
            ax.plot(x, y, color=look.colour, linewidth=0.6, alpha=0.4, label=f"seed {one.seed} {one.row}")
    x, y = mean_line(mine, metric)
    every = max(1, len(x) // 8)
    marks = {**look.marks(), "markersize": 5.0, "markevery": every}
    ax.plot(x, y, linestyle=look.dash, label=f"row {mine[0].row}", zorder=3, **marks)


def _draw_level(ax: Any, mine: Sequence[History], metric: str, look: Look) -> None:
    found = [e[metric] for one in mine for e in one.entries if e["epoch"] == one.kept and metric in e]
    if found:
        level = float(np.mean(found))
        ax.axhline(level, color=look.colour, linestyle=_level_dash(look), linewidth=1.0, label=f"row {mine[0].row}")


def _level_dash(look: Look) -> Any:
    return "--" if look.filled else ":"


def _handle(look: Look, is_method: bool) -> Any:
    from matplotlib.lines import Line2D

    if is_method:
        return Line2D([], [], linestyle=look.dash, **{**look.marks(), "markersize": 5.0})
    return Line2D([], [], color=look.colour, linestyle=_level_dash(look), linewidth=1.0)
