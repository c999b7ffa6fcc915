"""The commands that run published tables: reproduce, status, resume."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import Parameter

from graphforget._core.errors import GraphforgetError, Interrupted, UsageError
from graphforget.cli.options import Flag, SomeWhole, Whole, text
from graphforget.cli.options import seeds as read_seeds
from graphforget.cli.output import print_json, print_table, say
from graphforget.cli.places import DataDir
from graphforget.cli.progress import shown
from graphforget.cli.words import in_cli_words

if TYPE_CHECKING:
    from graphforget.experiments.published import Preset
    from graphforget.experiments.reproduce import Reproduction

RUNS = Path("runs")
ALL = "all"
Jobs = Annotated[Whole, Parameter(help="Processes that share the work.")]
Threads = Annotated[SomeWhole, Parameter(help="Threads of each process; results do not depend on it.")]
Ray = Annotated[
    str | None,
    Parameter(help="Ray cluster that does the work: 'auto' (the one of this machine or $RAY_ADDRESS) or its address."),
]
StorePath = Annotated[Path, Parameter(name=("--store", "--out"), help="Folder of runs, reproduce's --out.")]
Resume = Annotated[bool, Flag, Parameter(help="Go on with what the folder holds, also beside another command.")]
Only = Annotated[
    tuple[str, ...],
    Parameter(
        negative="",
        show_default=False,
        help="Only a part of the table, as data=pubmed, backbone=gcn, deletion=NAME or method=unlink; may repeat.",
    ),
]
Seeds = Annotated[str | None, Parameter(help="Other seeds than the table's, as 42,21.")]
Json = Annotated[bool, Flag, Parameter(help="Print JSON on stdout and nothing else.")]


@dataclass(frozen=True)
class How:
    """How tables are run: the options of the same names."""

    data_dir: Path | None
    out: Path
    jobs: int
    threads: int | None
    ray: str | None
    resume: bool
    dry_run: bool
    json: bool


def reproduce(
    name: Annotated[
        str, Parameter(help="A published table (see --json of 'list tables'), 'all', or a .toml of your own.")
    ],
    /,
    *,
    data_dir: DataDir = None,
    only: Only = (),
    seeds: Seeds = None,
    out: Annotated[
        Path, Parameter(name=("--out", "--store"), help="Folder of runs; several commands may share it.")
    ] = RUNS,
    jobs: Jobs = 1,
    threads: Threads = None,
    ray: Ray = None,
    resume: Resume = False,
    dry_run: Annotated[bool, Flag, Parameter(help="Say what would be run, and stop; nothing is written.")] = False,
    json: Json = False,
) -> int:
    """Run a published table and print the published values beside ours."""
    from graphforget.experiments.cluster import check_ray
    from graphforget.experiments.published import find_preset

    check_ray(ray, jobs, threads)
    how = How(data_dir, out, jobs, threads, ray, resume, dry_run, json)
    if name != ALL:
        return _reproduce(_part(find_preset(name), only, seeds), how)
    if only or seeds:
        raise UsageError("--only and --seeds choose a part of one table. Name one, or leave them out.")
    if json:
        raise UsageError("--json prints one table. Name one, or leave --json out.")
    return _reproduce_all(how)


def _reproduce_all(how: How) -> int:
    """Run every table whose data are there; one that cannot be run is told, and the others go on.

    Returns the code of the first error, or 0. Raises Interrupted.
    """
    from graphforget.experiments.published import presets

    codes = []
    for preset in presets().values():
        grids, absent = preset.at_hand(text(how.data_dir))
        if not grids:
            say(f"{preset.name} is left out: {_missing(absent)}")
            continue
        try:
            codes.append(_reproduce(preset, how))
        except Interrupted:
            raise
        except GraphforgetError as error:
            say(f"{preset.name} could not be run: {in_cli_words(str(error))}")
            codes.append(error.exit_code)
    return next(filter(None, codes), 0)


def _part(preset: Preset, only: tuple[str, ...], seeds: str | None) -> Preset:
    """Return the part of a table that --only and --seeds name."""
    wanted: dict[str, list[str]] = {}
    for piece in only:
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals or not value:
            raise UsageError(f"--only: '{piece}' is no name=value. Write it as --only data=pubmed.")
        wanted.setdefault(key, []).append(value)
    return preset.narrowed(wanted, () if seeds is None else read_seeds(seeds)) if wanted or seeds else preset


def _missing(absent: dict[str, list[str]]) -> str:
    from graphforget.experiments.reproduce import missing_sentence

    return missing_sentence(absent)


def _reproduce(preset: Preset, how: How) -> int:
    from graphforget.experiments.reproduce import carry_out, prepare_reproduction

    with shown(quiet=how.json, total=1) as listen:
        plan = prepare_reproduction(preset, how.out, text(how.data_dir), listen)
    if plan.absent and not how.json:
        say(f"left out: {_missing(plan.absent)}")
    if how.dry_run:
        return _dry_run(plan, how.json)
    with shown(quiet=how.json, total=len(plan.left())) as listen:
        file = carry_out(plan, listen, jobs=how.jobs, threads=how.threads, resume=how.resume, ray=how.ray)
    return _print_reproduction(plan, file, how.json)


def _dry_run(plan: Reproduction, json: bool) -> int:
    left = {unit.id for unit in plan.left()}
    known: list[dict[str, Any]] = [{"id": u.id, "part": u.kind, "what": u.title, "seed": u.seed} for u in plan.units]
    units = [{**unit, "finished": unit["id"] not in left} for unit in known]
    if json:
        print_json({"preset": plan.preset.name, "absent": plan.absent, "units": units})
        return 0
    rows = [[u["id"], u["part"], u["what"], str(u["seed"]), "yes" if u["finished"] else "no"] for u in units]
    print_table(f"{plan.preset.name}: {len(left)} of {len(units)} parts to run", list(units[0]), rows)
    return 0


def _print_reproduction(plan: Reproduction, file: Path, json: bool) -> int:
    """Print a table that was run; return 1 where a part of it failed, else 0."""
    from graphforget.experiments.comparison import compared
    from graphforget.experiments.render import render, render_comparison
    from graphforget.experiments.tables import table_of

    preset, lines, failed = plan.preset, plan.lines(), plan.failures()
    code = GraphforgetError.exit_code if failed else 0
    beside = compared(preset, lines)
    table = table_of(lines, ("dataset", "backbone", "deletion", "method"), (), preset.metrics) if lines else None
    if json:
        values = [{**vars(one), "difference": one.difference, "within": one.within} for one in beside]
        ours = [] if table is None else table.to_frame().to_dict("records")
        print_json(
            {"preset": preset.name, "csv": str(file), "failed": failed, "published": values, "ours": _plain(ours)}
        )
        return code
    if table is not None:
        print(render(table, "md", preset.title or preset.name))
    if beside:
        notes = [*preset.ambiguities, *(f"Claimed: {claim}" for claim in preset.claims)]
        source = ": ".join(filter(None, (preset.paper, preset.table)))
        print(render_comparison(beside, "md", source, notes))
    for title, error in failed.items():
        say(f"{title} failed: {error}")
    what = f"This part's numbers ({preset.part})" if preset.part else "All numbers"
    print(f"{what} are in {file}.")
    return code


def _plain(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return records with None in place of NaN, which JSON has no form for."""
    return [{key: None if value != value else value for key, value in record.items()} for record in records]


def status(*, store: StorePath = RUNS, json: Json = False) -> int:
    """Show how far the tables in a folder of runs are."""
    from graphforget.experiments.reproduce import states

    found = states(store)
    if json:
        print_json([{**vars(state), "waiting": state.waiting} for state in found])
        return 0
    rows = [[s.id, f"{s.finished:,} of {s.total:,}", str(s.failed), str(len(s.running)), str(s.waiting)] for s in found]
    print_table(f"{store}", ["id", "finished", "of them failed", "running", "waiting"], rows, left=1)
    for state in found:
        for title in state.running:
            print(f"running: {title}")
    return 0


def resume(
    name: Annotated[str, Parameter(help="Id of the run, or its beginning, as 'graphforget status' shows it.")],
    /,
    *,
    store: StorePath = RUNS,
    data_dir: DataDir = None,
    jobs: Jobs = 1,
    threads: Threads = None,
    ray: Ray = None,
    json: Json = False,
) -> int:
    """Go on with a table that was interrupted."""
    from graphforget.experiments.cluster import check_ray
    from graphforget.experiments.reproduce import find_record

    check_ray(ray, jobs, threads)
    preset, place = find_record(store, name)
    folder = data_dir if data_dir is not None or place is None else Path(place)
    return _reproduce(preset, How(folder, store, jobs, threads, ray, True, False, json))
