"""One metric against another: forgetting against utility around gold, time against distance to gold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from graphforget._core.errors import UsageError
from graphforget.evaluation.plots.axes import GOLD_DISTANCE, Quantity, quantity
from graphforget.evaluation.plots.canvas import (
    BLACK,
    GREY,
    LIGHT,
    WIDTH,
    Look,
    add_legend,
    legend_lines,
    looks,
    panels,
    plain_ticks,
    ranges_far,
    styled,
    wrapped_label,
    wrapped_title,
)
from graphforget.evaluation.records import Record, rows_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FRONT, NOISE, FLOOR_LINE = "Pareto front", "noise floor around gold", "noise floor (second gold)"


@dataclass(frozen=True)
class Point:
    """A row in a picture: mean over seeds and standard deviation (None for one seed), for both axes."""

    name: str
    kind: str
    x: float
    y: float
    x_spread: float | None
    y_spread: float | None


def points(records: Sequence[Record], x: Quantity, y: Quantity) -> list[Point]:
    """Return the rows that have both quantities, in table order."""
    both = [row for row in rows_of(records) if row.name in x.cells and row.name in y.cells]
    found = [(row, x.cells[row.name], y.cells[row.name]) for row in both]
    return [Point(row.name, row.kind, mx, my, sx, sy) for row, (mx, sx), (my, sy) in found]


def pareto(found: Sequence[Point], x: Quantity, y: Quantity) -> list[Point]:
    """Return the methods that no other method beats on both axes, by x; empty unless both axes have a better side."""
    signs = {"lower": 1.0, "higher": -1.0}
    if x.direction not in signs or y.direction not in signs:
        return []
    a, b = signs[x.direction], signs[y.direction]
    methods = sorted((p for p in found if p.kind == "method"), key=lambda p: (a * p.x, b * p.y))
    front: list[Point] = []
    for point in methods:
        if not front or b * point.y < b * front[-1].y:
            front.append(point)
    return sorted(front, key=lambda p: p.x)


@dataclass(frozen=True)
class Panel:
    """One report drawn: its title, points, axes and front."""

    title: str
    found: list[Point]
    x: Quantity
    y: Quantity
    front: list[Point]

    @property
    def log(self) -> tuple[bool, bool]:
        """Whether each axis is logarithmic."""
        return _logarithmic(self.x, [p.x for p in self.found]), _logarithmic(self.y, [p.y for p in self.found])

    @property
    def gold(self) -> Point | None:
        """Where gold lies; a distance to gold has no place for it."""
        return next((point for point in self.found if point.kind == "gold"), None)

    @property
    def has_ellipse(self) -> bool:
        """Whether the noise floors of both axes are drawn around gold."""
        known = self.gold is not None and self.x.noise is not None and self.y.noise is not None
        return known and not any(self.log) and not self.x.is_cost and not self.y.is_cost

    @property
    def has_floor_line(self) -> bool:
        """Whether the noise floor is a line across."""
        return self.gold is None and self.y.name == GOLD_DISTANCE and self.y.noise is not None


def _panel(title: str, records: Sequence[Record], x: str, y: str) -> Panel:
    along, up = quantity(records, x), quantity(records, y)
    found = points(records, along, up)
    if not found:
        raise UsageError(f"No row has both '{x}' and '{y}', so there is nothing to draw. Choose other metrics.")
    return Panel(title, found, along, up, pareto(found, along, up))


def draw_points(
    reports: Sequence[tuple[str, Sequence[Record]]],
    x: str = "utility",
    y: str = "forgetting",
    width: float = WIDTH,
    height: float | None = None,
) -> Figure:
    """Return a figure with one panel for each (title, records), and one legend below.

    Where both metrics have a better side, the methods that none beats on both are joined (the Pareto front); where one
    has gold's value for a target, lines cross at gold and an ellipse has the noise floors for half-axes. Bars are
    standard deviations over seeds, as in tables; axes of times and distances are logarithmic where they range far.

    Parameters
    ----------
    x, y: what `quantity` reads: metrics, "utility", "forgetting" or "gold_distance".
    width: inches of the figure. height: inches of a panel.

    Raises UsageError for a metric that a report does not hold.
    """
    drawn = [_panel(title, records, x, y) for title, records in reports]
    look = looks((point.name, point.kind) for panel in drawn for point in panel.found)
    with styled():
        handles = _handles(drawn, look)
        columns = max(1, min(len(drawn), int(width / 3)))
        each = width / columns
        titles = max(wrapped_title(panel.title, each).count("\n") + 1 for panel in drawn)
        high = (height or min(3.4, 0.85 * each)) + 0.15 * titles
        figure, axes = panels(len(drawn), width, high, legend_lines(list(handles), width) + 3, columns)
        for ax, panel in zip(axes, drawn, strict=True):
            _draw(ax, panel, look, each, high)
        add_legend(figure, list(handles.values()), list(handles), _note(reports, drawn))
    return figure


def _note(reports: Sequence[tuple[str, Sequence[Record]]], drawn: Sequence[Panel]) -> str:
    """Return what a reader must know beside the names; what holds for some panels alone says for which."""
    counts = sorted({len({record.seed for record in records}) for _, records in reports})
    spread = f"Bars: standard deviation over {' or '.join(map(str, counts))} seeds."
    where: dict[str, list[str]] = {}
    for number, panel in enumerate(drawn, 1):
        for note in filter(None, dict.fromkeys((panel.x.note, panel.y.note))):
            where.setdefault(note, []).append(str(number))
    said = [
        note if len(held) == len(drawn) else f"{note.removesuffix('.')} (panel {', '.join(held)})."
        for note, held in where.items()
    ]
    return " ".join([spread if counts[-1] > 1 else "One seed: no spread is known.", *said])


def _draw(ax: Any, panel: Panel, look: dict[str, Look], width: float, height: float) -> None:
    x, y, log = panel.x, panel.y, panel.log
    ax.set_xscale("log" if log[0] else "linear")
    ax.set_yscale("log" if log[1] else "linear")
    _draw_gold(ax, panel)
    if len(panel.front) > 1:
        step = "steps-post" if x.direction == "lower" else "steps-pre"
        ax.plot(
            [p.x for p in panel.front], [p.y for p in panel.front], color=GREY, linestyle=":", drawstyle=step, zorder=2
        )
    for point in panel.found:
        _draw_point(ax, point, look[point.name], log)
    ax.set_xlabel(_wrapped_label(x, log[0], width))
    ax.set_ylabel(_wrapped_label(y, log[1], height))
    for axis, on_log in ((ax.xaxis, log[0]), (ax.yaxis, log[1])):
        if on_log:
            plain_ticks(axis)
    ax.set_title(wrapped_title(panel.title, width), loc="left")
    ax.margins(0.09)


def _wrapped_label(axis: Quantity, log: bool, width: float) -> str:
    return wrapped_label(axis.title + (", log scale" if log else ""), width)


def _logarithmic(axis: Quantity, values: Sequence[float]) -> bool:
    """Return whether an axis is logarithmic: a cost or a distance, above 0 throughout, that ranges far."""
    ranged = axis.is_cost or axis.direction == "lower"
    return ranged and ranges_far(values)


def _draw_point(ax: Any, point: Point, look: Look, log: tuple[bool, bool]) -> None:
    bars = {"ecolor": look.colour, "elinewidth": 0.8, "alpha": 0.45, "fmt": "none", "zorder": 2}
    spread = point.x_spread, point.y_spread
    if any(spread):
        both = [_bar(value, s, on_log) for value, s, on_log in zip((point.x, point.y), spread, log, strict=True)]
        ax.errorbar([point.x], [point.y], xerr=both[0], yerr=both[1], **bars)
    ax.plot([point.x], [point.y], linestyle="none", label=f"row {point.name}", zorder=4, **look.marks())


def _bar(value: float, spread: float | None, log: bool) -> list[list[float]] | None:
    """Return what a bar takes off and adds; on a logarithmic axis it stays above a tenth of the value."""
    if spread is None:
        return None
    return [[min(spread, 0.9 * value) if log else spread], [spread]]


def _draw_gold(ax: Any, panel: Panel) -> None:
    """Draw where gold lies, and how far another gold would."""
    from matplotlib.patches import Ellipse

    gold, x, y = panel.gold, panel.x, panel.y
    if gold is not None:
        ax.axvline(gold.x, color=LIGHT, linewidth=1.0, zorder=1)
        ax.axhline(gold.y, color=LIGHT, linewidth=1.0, zorder=1)
        if panel.has_ellipse:
            assert x.noise is not None and y.noise is not None
            ax.add_patch(
                Ellipse((gold.x, gold.y), 2 * x.noise, 2 * y.noise, facecolor=LIGHT, edgecolor=GREY, zorder=1.5)
            )
    elif panel.has_floor_line:
        ax.axhline(y.noise, color=BLACK, linestyle="--", linewidth=0.9, zorder=1)
        if "Gold" in x.cells:
            ax.axvline(x.cells["Gold"][0], color=GREY, linestyle="-.", linewidth=0.9, zorder=1)


def _handles(drawn: Sequence[Panel], look: dict[str, Look]) -> dict[str, Any]:
    """Return legend entry -> what is drawn for it."""
    from matplotlib.lines import Line2D
    from matplotlib.patches import Patch

    found: dict[str, Any] = {name: Line2D([], [], linestyle="none", **one.marks()) for name, one in look.items()}
    for panel in drawn:
        if panel.has_ellipse:
            found[NOISE] = Patch(facecolor=LIGHT, edgecolor=GREY)
        if panel.has_floor_line:
            found[FLOOR_LINE] = Line2D([], [], color=BLACK, linestyle="--", linewidth=0.9)
            if "Gold" in panel.x.cells:
                found[f"gold's {panel.x.label}"] = Line2D([], [], color=GREY, linestyle="-.", linewidth=0.9)
        if len(panel.front) > 1:
            found[FRONT] = Line2D([], [], color=GREY, linestyle=":")
    return found
