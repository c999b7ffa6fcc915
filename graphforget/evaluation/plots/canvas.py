"""How every picture looks and is written: colours, markers, type, the same bytes each time."""

from __future__ import annotations

import contextlib
import io
import math
import os
import textwrap
import warnings
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from graphforget._core.errors import UsageError
from graphforget._core.files import atomic_write

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from matplotlib.typing import RcKeyType

BLACK, GREY, LIGHT = "#000000", "#6b6b6b", "#d9d9d9"
COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#7A6A00")
"""Okabe and Ito's colours, which the colour-blind can tell apart; their yellow is darkened to be seen on white."""
MARKERS = "os^DvPX<>"
DASHES: tuple[Any, ...] = ("-", (0, (5, 1.5)), (0, (1, 1)), (0, (5, 1, 1, 1)))
ENDINGS = {".png": "png", ".svg": "svg"}
WIDTH = 6.4
"""Inches of a picture that stands by itself."""
WIDE_RANGE = 20.0
"""Largest over smallest value from which an axis that may be logarithmic is."""
LABEL_WIDTH = 38
"""Letters after which a name in a legend goes on in the next line."""
STYLE: dict[RcKeyType, Any] = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9,
    "axes.titlesize": 9,
    "axes.labelsize": 9,
    "legend.fontsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.color": "#ececec",
    "grid.linewidth": 0.7,
    "axes.axisbelow": True,
    "lines.linewidth": 1.4,
    "legend.frameon": False,
    "text.parse_math": False,
    "svg.fonttype": "path",
    "svg.hashsalt": "graphforget",
    "savefig.dpi": 150,
}


@dataclass(frozen=True)
class Look:
    """How one row is drawn: the same in every panel. `filled` False leaves the inside white."""

    colour: str
    marker: str
    size: float = 7.0
    filled: bool = True
    dash: Any = "-"

    def marks(self) -> dict[str, Any]:
        """Return the arguments of a line that draws the marker."""
        inside = self.colour if self.filled else "white"
        edge = {"markerfacecolor": inside, "markeredgecolor": self.colour, "markeredgewidth": 1.1}
        return {"marker": self.marker, "markersize": self.size, "color": self.colour, **edge}


FIXED = {
    "original": Look(GREY, "s", 7.0, filled=False, dash=DASHES[1]),
    "gold": Look(BLACK, "*", 13.0),
    "floor": Look(BLACK, "*", 11.0, filled=False, dash=DASHES[2]),
    "baseline": Look(GREY, "X"),
}


def looks(rows: Iterable[tuple[str, str]]) -> dict[str, Look]:
    """Return name -> look for rows given as (name, kind); methods differ in colour, marker and dash."""
    found: dict[str, Look] = {}
    methods = 0
    for name, kind in dict.fromkeys(rows):
        if kind in FIXED:
            found[name] = FIXED[kind]
            continue
        dash = DASHES[methods % len(DASHES)]
        found[name] = Look(COLOURS[methods % len(COLOURS)], MARKERS[methods % len(MARKERS)], dash=dash)
        methods += 1
    return found


@contextlib.contextmanager
def styled() -> Iterator[None]:
    """Draw in our style inside the block, whatever the user's own settings are; these are left as they were."""
    import matplotlib

    with matplotlib.rc_context():
        matplotlib.rcdefaults()
        matplotlib.rcParams.update(STYLE)
        yield


def new_figure(width: float, height: float) -> Figure:
    """Return an empty figure of so many inches; it belongs to no window and is no global state."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


def panels(count: int, width: float, height: float, below: int, columns: int = 3) -> tuple[Figure, list[Any]]:
    """Return a figure with `count` axes of equal size, each `height` inches, and room for `below` lines of legend."""
    columns = min(count, columns)
    rows = -(-count // columns)
    figure = new_figure(width, rows * height + 0.19 * below + 0.1)
    grid = figure.subplots(rows, columns, squeeze=False).ravel()
    for unused in grid[count:]:
        unused.remove()
    return figure, list(grid[:count])


def ranges_far(values: Sequence[float]) -> bool:
    """Return whether values are all above 0 and so far apart that a logarithmic axis shows them better."""
    return min(values) > 0 and max(values) / min(values) >= WIDE_RANGE


def plain_ticks(axis: Any) -> None:
    """Write the ticks of a logarithmic axis on which all is drawn as plain numbers: 0.01, 1, 1000.

    Where fewer than two powers of ten lie in view, ticks stand as on a linear axis.
    """
    from matplotlib.ticker import FuncFormatter, LogLocator, MaxNLocator, NullFormatter

    low, high = (math.log10(end) for end in axis.get_view_interval())
    powers = math.floor(high) - math.ceil(low) + 1
    axis.set_major_locator(LogLocator(numticks=5) if powers >= 2 else MaxNLocator(5, steps=[1, 2, 5, 10]))
    axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:,.0f}" if value % 1 == 0 else f"{value:g}"))
    axis.set_minor_formatter(NullFormatter())


def label(name: str, width: int = LABEL_WIDTH) -> str:
    """Return a name as it stands in a legend: wrapped, and never hidden for its first letter being "_"."""
    wrapped = "\n".join(textwrap.wrap(name, width)) or " "
    return f" {wrapped}" if wrapped.startswith("_") else wrapped


def legend_columns(names: Sequence[str], width: float) -> int:
    """Return how many names stand side by side below a figure of `width` inches."""
    longest = max((len(line) for name in names for line in label(name).split("\n")), default=1)
    return max(1, min(len(names), int(width / (0.45 + 0.073 * longest))))


def legend_lines(names: Sequence[str], width: float) -> int:
    """Return how many lines of text the names take below a figure of `width` inches."""
    columns = legend_columns(names, width)
    return -(-len(names) // columns) * max((label(name).count("\n") + 1 for name in names), default=0)


def add_legend(figure: Figure, handles: Sequence[Any], names: Sequence[str], note: str = "") -> None:
    """Put names, and a note above them, below a figure."""
    width = figure.get_size_inches()[0]
    shown = [label(name) for name in names]
    title = "\n".join(textwrap.wrap(note, int(width * 14))) if note else None
    figure.legend(
        handles, shown, loc="outside lower center", ncols=legend_columns(names, width), title=title, title_fontsize=8.5
    )


def add_title(figure: Figure, title: str) -> None:
    """Put a title above all panels of a figure; none for an empty one."""
    if title:
        figure.suptitle(wrapped_title(title, figure.get_size_inches()[0]), x=0.01, ha="left", fontsize=9)


def wrapped_title(title: str, width: float) -> str:
    """Return a title that fits a panel of `width` inches."""
    return "\n".join(textwrap.wrap(title, max(12, int(width * 12.5))))


def wrapped_label(words: str, length: float) -> str:
    """Return the words along an axis of `length` inches, outside of which there is some room."""
    return "\n".join(textwrap.wrap(words, max(12, int(length * 15))))


def figure_bytes(figure: Figure, kind: str) -> bytes:
    """Return a figure as "svg" or "png": equal figures give equal bytes, for no date or program is written."""
    buffer = io.BytesIO()
    metadata = {"Date": None, "Creator": None, "Format": None, "Type": None} if kind == "svg" else {"Software": None}
    with styled(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")  # drawn as a box; tables hold the letter
        figure.savefig(buffer, format=kind, metadata=metadata)
    return _with_palette(buffer) if kind == "png" else buffer.getvalue()


def _with_palette(buffer: io.BytesIO) -> bytes:
    """Return a PNG with 256 colours, which pictures of lines and marks do with: a third of the size."""
    from PIL import Image

    small = io.BytesIO()
    with Image.open(buffer) as image:
        indexed = image.convert("RGB").quantize(256, dither=Image.Dither.NONE)
    indexed.save(small, "PNG", optimize=True, dpi=(STYLE["savefig.dpi"], STYLE["savefig.dpi"]))
    return small.getvalue()


def picture_kind(path: str | os.PathLike[str]) -> str:
    """Return "svg" or "png" by the ending of a path; raises UsageError for others."""
    ending = Path(path).suffix.lower()
    if ending not in ENDINGS:
        raise UsageError(
            f"--out {os.fspath(path)}: found the ending '{ending}'; a picture ends in {' or '.join(ENDINGS)}. "
            "Choose one of these."
        )
    return ENDINGS[ending]


def save_figure(figure: Figure, path: str | os.PathLike[str]) -> Path:
    """Write a figure as SVG or PNG, by the ending of `path`, and return the path."""
    atomic_write(path, figure_bytes(figure, picture_kind(path)))
    return Path(path)
