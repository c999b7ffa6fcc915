"""Cost against size, from the columns of a table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

import numpy as np

from graphforget._core.errors import DataError
from graphforget.evaluation.plots.canvas import (
    WIDTH,
    add_legend,
    legend_lines,
    looks,
    panels,
    plain_ticks,
    styled,
    wrapped_title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ENOUGH = 3
"""Different sizes from which an exponent is fitted."""


def exponent(sizes: Sequence[float], costs: Sequence[float]) -> float | None:
    """Return b of cost = a size^b by least squares on logarithms, or None for fewer than three sizes."""
    if len(set(sizes)) < ENOUGH:
        return None
    return float(np.polyfit(np.log(sizes), np.log(costs), 1)[0])


def draw_scaling(
    series: Mapping[str, Sequence[tuple[float, float]]], x: str, y: str, title: str = "", width: float = WIDTH
) -> Figure:
    """Return a figure of cost against size on logarithmic axes, one line for each name.

    Points of one size are joined at their mean; the legend says with which power of the size the cost grows.

    Parameters
    ----------
    series: name -> (size, cost) pairs. x, y: words at the axes.

    Raises DataError where there is nothing to draw, and for a size or cost that has no logarithm.
    """
    if not series:
        raise DataError(f"There is no {y} against {x} to draw. Give at least one line.")
    for name, pairs in series.items():
        if not pairs:
            raise DataError(f"'{name}' has no pair of {x} and {y}. Drop it, or give it some.")
        bad = next((pair for pair in pairs if not (min(pair) > 0 and np.isfinite(pair).all())), None)
        if bad is not None:
            raise DataError(f"'{name}': {x} {bad[0]:g} with {y} {bad[1]:g} has no place on logarithmic axes. Drop it.")
    look = looks((name, "method") for name in series)
    names = {name: _name(name, pairs) for name, pairs in series.items()}
    with styled():
        figure, (ax,) = panels(1, width, 3.4, legend_lines(list(names.values()), width) + 2)
        ax.set_xscale("log")
        ax.set_yscale("log")
        handles = []
        for name, pairs in series.items():
            one = look[name]
            ax.plot(
                *zip(*sorted(pairs), strict=True), linestyle="none", alpha=0.6, label=f"points {name}", **one.marks()
            )
            handles += ax.plot(*_means(pairs), linestyle=one.dash, label=f"mean {name}", **one.marks())
        for axis in (ax.xaxis, ax.yaxis):
            plain_ticks(axis)
        ax.set_xlabel(f"{x}, log scale")
        ax.set_ylabel(f"{y}, log scale")
        ax.set_title(wrapped_title(title, width), loc="left")
        fitted = any(names[name] != name for name in names)
        note = "size^b: least squares on logarithms, over all sizes" if fitted else ""
        add_legend(figure, handles, list(names.values()), note)
    return figure


def _name(name: str, pairs: Sequence[tuple[float, float]]) -> str:
    power = exponent(*zip(*pairs, strict=True))
    return name if power is None else f"{name} (size^{power:.2f})"


def _means(pairs: Sequence[tuple[float, float]]) -> tuple[list[float], list[float]]:
    """Return the sizes and the mean cost at each."""
    sizes = sorted({size for size, _ in pairs})
    return sizes, [float(np.mean([cost for size, cost in pairs if size == one])) for one in sizes]
