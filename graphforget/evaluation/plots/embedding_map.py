"""Where nodes lie before unlearning, after it and under gold, in the two directions that vary most."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphforget._core.errors import DataError
from graphforget._core.streams import Streams
from graphforget.evaluation.plots.canvas import (
    BLACK,
    COLOURS,
    WIDTH,
    add_legend,
    add_title,
    new_figure,
    styled,
    wrapped_title,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MOST = 2000
"""Nodes drawn besides the forgotten ones; more would hide each other."""
MOST_PAIRS = 200
FEW = 60
"""Forgotten nodes up to which they are drawn large."""
MANY = 300
"""Forgotten nodes from which they are drawn small, without an edge and half through, so that others are seen."""
BACKGROUND, ACCENT = "#9a9a9a", COLOURS[1]


@dataclass(frozen=True)
class Mapped:
    """Embeddings on one map.

    Attributes
    ----------
    titles: name of each panel. places: for each, (n, 2) coordinates on the same two axes.
    explained: share of the variance before, along each axis.
    shown: numbers of the other nodes that are drawn. forgotten: numbers of the forgotten ones.
    """

    titles: tuple[str, ...]
    places: tuple[np.ndarray, ...]
    explained: tuple[float, float]
    shown: np.ndarray
    forgotten: np.ndarray


def mapped(titles: Sequence[str], embeddings: Sequence[np.ndarray], forgotten: np.ndarray, seed: int = 0) -> Mapped:
    """Return embeddings on the two principal axes of the first.

    Another training may turn or mirror all embeddings without changing an answer. Every later embedding is therefore
    first laid onto the first one as well as a rotation can (orthogonal Procrustes) over the nodes that are not
    forgotten; distances within it stay as they are. Where fewer of these are left than a rotation has directions, it
    is fitted over all nodes.

    Parameters
    ----------
    embeddings: (n, d) arrays of the same nodes; a narrower one is filled up with zeros.
    forgotten: numbers of the forgotten nodes. seed: of the sample that is drawn of the others.

    Raises DataError for fewer than two nodes.
    """
    if len(embeddings[0]) < 2:
        raise DataError(f"A map needs two nodes or more; there is {len(embeddings[0])}. Choose another picture.")
    width = max(z.shape[1] for z in embeddings)
    filled = [np.pad(z.astype(np.float64), ((0, 0), (0, max(width, 2) - z.shape[1]))) for z in embeddings]
    kept = np.setdiff1d(np.arange(len(filled[0])), forgotten)
    centre = filled[0].mean(axis=0)
    _, values, axes = np.linalg.svd(filled[0] - centre, full_matrices=False)
    axes = _signed(axes[:2])
    shares = values**2 / max(float((values**2).sum()), 1e-300)
    places = [(filled[0] - centre) @ axes.T]
    fitted = kept if len(kept) > width else np.arange(len(filled[0]))
    places += [_laid_onto(filled[0], other, fitted, centre) @ axes.T for other in filled[1:]]
    return Mapped(
        tuple(titles), tuple(places), (float(shares[0]), float(shares[1])), _sampled(kept, seed), np.sort(forgotten)
    )


def _signed(axes: np.ndarray) -> np.ndarray:
    """Return axes whose largest component is positive: the singular vectors alone leave the sign open."""
    largest = axes[np.arange(len(axes)), np.abs(axes).argmax(axis=1)]
    return axes * np.where(largest < 0, -1.0, 1.0)[:, None]


def _laid_onto(first: np.ndarray, other: np.ndarray, fitted: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """Return `other` rotated onto `first` over the rows `fitted`, both seen from the first's centre."""
    from_here, there = first[fitted].mean(axis=0), other[fitted].mean(axis=0)
    u, _, v = np.linalg.svd((other[fitted] - there).T @ (first[fitted] - from_here))
    return (other - there) @ (u @ v) + (from_here - centre)


def _sampled(kept: np.ndarray, seed: int) -> np.ndarray:
    if len(kept) <= MOST:
        return kept
    return np.sort(Streams(seed)("embedding-map").numpy().choice(kept, MOST, replace=False))


def draw_map(found: Mapped, pairs: np.ndarray, what: str, title: str = "", width: float = WIDTH) -> Figure:
    """Return a figure with the panels side by side, or below each other on a narrow page, on the same axes.

    Parameters
    ----------
    pairs: (2, k) pairs to join where a deletion names edges; at most 200 are drawn.
    what: what the marked nodes are, for the legend.
    """
    across = len(found.places) if width >= 6 else 1
    down = -(-len(found.places) // across)
    with styled():
        figure = new_figure(width, down * min(3.0, 1.06 * width / across) + 0.8 + 0.2 * bool(title))
        axes = figure.subplots(down, across, sharex=True, sharey=True, squeeze=False).ravel()
        for ax, name, place in zip(axes, found.titles, found.places, strict=True):
            _draw(ax, place, found, pairs[:, :MOST_PAIRS])
            ax.set_title(wrapped_title(name, width / across), loc="left")
        _label(axes, found, across)
        add_title(figure, title)
        handles, names = _handles(pairs.shape[1] > 0, what, len(found.shown))
        add_legend(figure, handles, names, _note(pairs.shape[1]))
    return figure


def _note(joined: int) -> str:
    return f"Lines: the first {MOST_PAIRS} of {joined:,} pairs." if joined > MOST_PAIRS else ""


def _label(axes: np.ndarray, found: Mapped, across: int) -> None:
    first, second = (f"{100 * share:.0f} %" for share in found.explained)
    for ax in axes[::across]:
        ax.set_ylabel(f"2nd axis ({second} of variance)")
    for ax in axes[-across:]:
        ax.set_xlabel(f"1st axis ({first})")


def _draw(ax: Any, place: np.ndarray, found: Mapped, pairs: np.ndarray) -> None:
    others, gone = place[found.shown], place[found.forgotten]
    size, edge, alpha = (
        (4.5, 0.4, 1.0) if len(gone) <= FEW else (3.0, 0.4, 1.0) if len(gone) <= MANY else (2.0, 0.0, 0.5)
    )
    ax.plot(
        *others.T, linestyle="none", marker=".", markersize=4.5, markeredgewidth=0, color=BACKGROUND, alpha=0.7,
        rasterized=True, label="others",
    )  # fmt: skip
    for u, v in pairs.T:
        ax.plot(*place[[u, v]].T, color=ACCENT, linewidth=0.5, alpha=0.35, zorder=2, rasterized=True)
    ax.plot(
        *gone.T, linestyle="none", marker="D", markersize=size, color=ACCENT, markeredgecolor=BLACK,
        markeredgewidth=edge, alpha=alpha, zorder=3, label="forgotten", rasterized=len(gone) > MOST,
    )  # fmt: skip


def _handles(joined: bool, what: str, others: int) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    marked = Line2D(
        [], [], linestyle="-" if joined else "none", linewidth=0.8, marker="D", markersize=4.5, color=ACCENT
    )
    marked.set_markeredgecolor(BLACK)
    rest = Line2D([], [], linestyle="none", marker=".", markersize=6, color=BACKGROUND)
    return [marked, rest], [what, f"other nodes ({others:,} drawn)"]
