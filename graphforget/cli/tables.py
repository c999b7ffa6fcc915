"""The commands on tables that were run: table, verify."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from graphforget._core.errors import GraphforgetError
from graphforget.cli.options import Flag, Whole, text
from graphforget.cli.output import print_json, say
from graphforget.cli.places import DataDir
from graphforget.cli.progress import shown
from graphforget.cli.reproducing import Jobs, Json, Threads

Fields = Annotated[str, Parameter(help="Fields, as dataset,fraction,method; empty for none.")]
Metrics = Annotated[str, Parameter(help="Metrics, as test_auc,forgotten_auc; by default those of short tables.")]
Test = Annotated[
    Literal["wilcoxon", "t", "none"], Parameter(help="Paired test over seeds that best and second best must pass.")
]
OwnGrid = Annotated[Path | None, Parameter(help="The .toml that the file was made from, if it is one of your own.")]
Kept = Annotated[
    Path | None, Parameter(help="Folder that keeps what is computed, new or of an earlier verify; else nothing is.")
]
Within = Annotated[
    float, Parameter(help="A difference that counts as none, as 0.01 on a processor of another kind; 0: byte for byte.")
]


def table(
    place: Annotated[Path, Parameter(help="Folder of runs, or a .csv that 'reproduce' wrote.")],
    /,
    *,
    rows: Fields = "method",
    cols: Fields = "dataset,deletion",
    metric: Metrics = "",
    format: Annotated[Literal["md", "latex", "csv", "html"], Parameter(help="How it is written.")] = "md",
    test: Test = "wilcoxon",
    published: Annotated[bool, Flag, Parameter(help="Print the published values beside ours, too.")] = False,
) -> int:
    """Print a table of many runs."""
    from graphforget.experiments.comparison import compared
    from graphforget.experiments.render import render, render_comparison
    from graphforget.experiments.reproduce import presets_of
    from graphforget.experiments.results import read_lines
    from graphforget.experiments.tables import table_of

    lines = read_lines(place)
    made = table_of(lines, _names(rows), _names(cols), _names(metric), None if test == "none" else test)
    print(render(made, format), end="")
    shown_too = [preset for preset in presets_of(place, lines) if preset.published] if published else []
    for preset in shown_too:
        print("\n" + render_comparison(compared(preset, lines), format, preset.title, preset.ambiguities), end="")
    if published and not shown_too:
        say(f"{place}: nothing is published for these runs, as far as their tables say.")
    return 0


def _names(written: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in written.split(","))))


def verify(
    file: Annotated[Path, Parameter(help="A .csv that 'reproduce' wrote.")],
    /,
    *,
    sample: Annotated[Whole, Parameter(help="How many cells are computed again.")] = 5,
    seed: Annotated[Whole, Parameter(help="Which cells: decides the draw.")] = 0,
    within: Within = 0.0,
    grid: OwnGrid = None,
    data_dir: DataDir = None,
    out: Kept = None,
    jobs: Jobs = 1,
    threads: Threads = None,
    json: Json = False,
) -> int:
    """Compute some cells of a table again and compare them byte for byte; exit 5 when one differs."""
    from graphforget._core.environment import processor
    from graphforget.experiments.verify import Asked, verification

    with ExitStack() as stack:
        with shown(quiet=json, total=1) as listen:
            asked = Asked(file, sample, seed, grid, text(data_dir), out, within)
            again = stack.enter_context(verification(asked, listen))
        with shown(quiet=json, total=again.left) as listen:
            found = again.carry_out(listen, jobs=jobs, threads=threads)
    if json:
        print_json([{**vars(one), "same": one.same} for one in found])
    else:
        for one in found:
            print(one.sentence())
    wrong = [one for one in found if not one.same]
    if wrong:
        raise Differs(
            f"{len(wrong)} of {len(found)} cells came out differently. Last digits, and what training makes of them, "
            f"depend on the kind of processor (here {processor()}); --within 0.01, say, asks for less than every byte."
        )
    return 0


class Differs(GraphforgetError):
    """A number that was computed again is another one."""

    exit_code = 5
