"""The commands that show results: `plot` draws them, `report` writes a page about them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from graphforget._core.errors import UsageError
from graphforget.cli.options import Flag, SomeWhole

Source = Annotated[
    Path,
    Parameter(help="Folders made with --out, or reports in JSON; for --kind size, CSV tables."),
]
Kind = Literal["points", "trajectory", "map", "size"]
BELONGS = {"points": ("x", "y"), "trajectory": ("metric",), "map": ("method", "seed"), "size": ("x", "y", "by")}
"""Kind of picture -> the options that it reads."""
X, Y = "utility", "forgetting"


def plot(
    *sources: Source,
    out: Annotated[Path, Parameter(help="Picture to write: .png or .svg.")],
    kind: Annotated[
        Kind,
        Parameter(
            help="points: a metric against another, beside gold. trajectory: metrics along the way. map: embeddings "
            "before, after and under gold. size: cost against size, from columns of CSV tables."
        ),
    ] = "points",
    x: Annotated[
        str | None, Parameter(help="Metric along the axis, or utility, forgetting, gold_distance; for size, a column.")
    ] = None,
    y: Annotated[str | None, Parameter(help="The same upwards.")] = None,
    by: Annotated[str | None, Parameter(help="For size: column that names the lines.")] = None,
    metric: Annotated[
        tuple[str, ...], Parameter(negative="", show_default=False, help="For trajectory: what to draw; may repeat.")
    ] = (),
    method: Annotated[
        str | None, Parameter(help="For map: the method; by default the run's, or the one closest to gold.")
    ] = None,
    seed: Annotated[SomeWhole, Parameter(help="For map: the seed; by default the run's, or the first.")] = None,
) -> int:
    """Draw results as a picture, for instance --x seconds --y gold_distance."""
    given = {"x": x, "y": y, "by": by, "metric": metric or None, "method": method, "seed": seed}
    _check(sources, kind, [name for name, value in given.items() if value is not None])
    from graphforget.evaluation.plots.canvas import picture_kind, save_figure
    from graphforget.experiments.figures import map_of, points_of, scaling_of, trajectories_of
    from graphforget.experiments.sources import read_one_source, read_sources

    picture_kind(out)
    if kind == "size":
        assert x is not None and y is not None
        figure = scaling_of(sources, x, y, by)
    elif kind == "points":
        figure = points_of([found for source in sources for found in read_sources(source)], x or X, y or Y)
    elif kind == "trajectory":
        figure = trajectories_of(read_one_source(sources[0]), metric)
    else:
        figure = map_of(read_one_source(sources[0]), method, seed)
    print(f"The picture is in {save_figure(figure, out)}.")
    return 0


def _check(sources: tuple[Path, ...], kind: Kind, given: list[str]) -> None:
    """Raise UsageError for options that the kind of picture does not read, or that it lacks."""
    if not sources:
        raise UsageError("plot: no source is named. Name a folder made with --out, or a report in JSON.")
    stray = next((name for name in given if name not in BELONGS[kind]), None)
    if stray is not None:
        reads = " and ".join(f"--{name}" for name in BELONGS[kind])
        raise UsageError(f"--{stray} does not belong to --kind {kind}, which reads {reads}. Leave it out.")
    if kind == "size" and not {"x", "y"} <= set(given):
        raise UsageError("--kind size needs --x and --y: the columns of size and cost, as --x n_edges --y seconds.")
    if kind in ("trajectory", "map") and len(sources) > 1:
        raise UsageError(f"--kind {kind} draws one source; {len(sources)} are named. Draw them one by one.")


def report(
    source: Annotated[
        Path, Parameter(help="Folder made with --out, one run that 'reproduce' made, or a report in JSON.")
    ],
    /,
    *,
    out: Annotated[Path, Parameter(help="Page to write: .html.")],
    with_ids: Annotated[
        bool, Flag, Parameter(help="Also list what was deleted, by id; else no id of it is on the page.")
    ] = False,
) -> int:
    """Write one HTML page about results that needs nothing else: verdict, evidence, tables, pictures, command."""
    from graphforget._core.files import atomic_write
    from graphforget.cli.command import command_of
    from graphforget.evaluation.page import page
    from graphforget.experiments.page_facts import facts_of
    from graphforget.experiments.sources import read_source

    if out.suffix.lower() != ".html":
        raise UsageError(f"--out {out}: found the ending '{out.suffix}'; a page ends in .html. Choose that.")
    found = read_source(source)
    atomic_write(out, page(found.report, facts_of(found, *command_of(found), with_ids=with_ids)))
    print(f"The page is in {out}.")
    return 0
