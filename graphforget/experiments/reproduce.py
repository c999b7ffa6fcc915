"""A published table from one command: what it needs, what of it is there, and going on where it stopped."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError, Interrupted, UsageError
from graphforget._core.files import atomic_write, is_held, read_json, write_json
from graphforget.experiments.cluster import check_ray, run_on_cluster
from graphforget.experiments.events import Listen, silent
from graphforget.experiments.farm import run_units
from graphforget.experiments.leftovers import at_work
from graphforget.experiments.published import Preset, preset_from, presets
from graphforget.experiments.results import Line, as_csv, lines_of_units
from graphforget.experiments.run_folder import read_run
from graphforget.experiments.runner import finished
from graphforget.experiments.store import WORK, check_place
from graphforget.experiments.units import Unit, expand
from graphforget.experiments.workers import check_jobs, check_threads
from graphforget.training.train import digest_of

GRIDS, TABLES = "grids", "tables"
SHORT = 8


@dataclass(frozen=True)
class Reproduction:
    """A preset in a store: its units, and the data whose files are missing.

    Attributes
    ----------
    id: the preset's name and a digest of its units. absent: data -> missing files.
    """

    preset: Preset
    root: Path
    data_dir: str | None
    units: tuple[Unit, ...]
    absent: dict[str, list[str]]

    @property
    def id(self) -> str:
        """Name in the store."""
        return f"{self.preset.name}-{digest_of(sorted(unit.id for unit in self.units))[:SHORT]}"

    @property
    def record(self) -> Path:
        """The file in the store that remembers it."""
        return self.root / GRIDS / f"{self.id}.json"

    @property
    def table(self) -> Path:
        """The CSV file of its numbers; a part of a table has a file of its own and leaves that of the whole alone."""
        return self.root / TABLES / f"{self.id if self.preset.part else self.preset.name}.csv"

    def left(self) -> list[Unit]:
        """Return the units that are not finished."""
        return [unit for unit in self.units if not finished(self.root, unit.id)]

    def lines(self) -> list[Line]:
        """Return the numbers of all finished units."""
        return lines_of_units(self.root, self.units, self.preset.name)

    def failures(self) -> dict[str, str]:
        """Return title -> sentence of the units that failed."""
        runs = [(unit, read_run(self.root / unit.id)) for unit in self.units if finished(self.root, unit.id)]
        return {f"{unit.title}, seed {unit.seed}": run.error for unit, run in runs if run.error}


def prepare_reproduction(
    preset: Preset, root: Path, data_dir: str | None = None, listen: Listen = silent
) -> Reproduction:
    """Return a preset in a store, over the data whose files are there; nothing is written and nothing trained.

    Raises DataError, which names the files, when none of its data is there; UsageError for a store that cannot be.
    """
    check_store(root)
    grids, absent = preset.at_hand(data_dir)
    if not grids:
        raise DataError(f"{preset.name}: none of its data is there. {missing_sentence(absent)}")
    return Reproduction(preset, root, data_dir, expand(grids, data_dir, listen), absent)


def missing_sentence(absent: dict[str, list[str]]) -> str:
    """Return which files of which data are missing."""
    named = "; ".join(f"{data} needs {', '.join(files)}" for data, files in absent.items())
    return f"{named}. Put them below the folder that --data-dir or $GRAPHFORGET_DATA names."


def check_store(root: Path) -> None:
    """Raise UsageError unless `root` is absent, empty or a store, at a place to write to."""
    check_place(root)
    if root.exists() and not root.is_dir():
        raise UsageError(f"--out {root}: a file is in the way. Name a folder that is new, empty, or of earlier runs.")
    begun = {WORK}  # all there is of a store that was stopped, or found no room, before it remembered a table
    if root.is_dir() and any(path.name not in begun for path in root.iterdir()) and not (root / GRIDS).is_dir():
        raise UsageError(f"--out {root}: the folder holds other things (no {GRIDS}/). Name a new or empty folder.")


def carry_out(
    plan: Reproduction,
    listen: Listen = silent,
    *,
    jobs: int = 1,
    threads: int | None = None,
    resume: bool = False,
    ray: str | None = None,
) -> Path:
    """Compute what of a reproduction is not in the store yet; return the CSV file of all its numbers.

    Other commands may work on the same store at the same time.

    Parameters
    ----------
    jobs, threads: see `run_units`. ray: address of a Ray cluster that does the work in place of processes, see
        `run_on_cluster`.

    Raises UsageError when it was begun before and is not finished, unless `resume`; Interrupted, with the command to go
    on, when it is stopped.
    """
    check_jobs(jobs)
    check_ray(ray, jobs, threads)
    if ray is None:
        check_threads(threads)
    left = plan.left()
    if plan.record.exists() and left and not resume:
        raise UsageError(
            f"{plan.root} holds {len(plan.units) - len(left)} of {len(plan.units)} parts of {plan.preset.name} from "
            "an earlier or another command. Add --resume to go on, or name another --out."
        )
    try:
        if ray is None:
            _remember(plan)
            run_units(plan.units, plan.root, listen, jobs=jobs, threads=threads)
        else:
            remember = partial(_remember, plan)
            run_on_cluster(plan.units, plan.root, listen, address=ray, threads=threads, begin=remember)
    except KeyboardInterrupt:
        if not plan.record.exists():
            raise
        done, again = len(plan.units) - len(plan.left()), "" if ray is None else f" --ray {ray}"
        raise Interrupted(
            f"Interrupted: {done} of {len(plan.units)} parts are finished, and all is kept in {plan.root}. Go on with "
            f"'graphforget resume {plan.id} --store {plan.root}{again}'."
        ) from None
    with at_work(plan.root):
        atomic_write(plan.table, as_csv(plan.lines()))
    return plan.table


def _remember(plan: Reproduction) -> None:
    with at_work(plan.root):
        write_json(plan.record, record_of(plan))


def record_of(plan: Reproduction) -> dict[str, Any]:
    """Return what the store remembers of a reproduction; the preset as text, which keeps the order of its rows."""
    units = [{"id": u.id, "kind": u.kind, "title": u.title, "seed": u.seed} for u in plan.units]
    return {"preset": plan.preset.model_dump_json(), "data_dir": plan.data_dir, "units": units}


@dataclass(frozen=True)
class State:
    """How far a reproduction in a store is: parts by state, and the titles of those that run now."""

    id: str
    total: int
    finished: int
    failed: int
    running: tuple[str, ...]

    @property
    def waiting(self) -> int:
        """Parts that nobody works on yet."""
        return self.total - self.finished - len(self.running)


def states(root: Path) -> list[State]:
    """Return every reproduction of a store; raises UsageError for a folder that is no store."""
    records = sorted((root / GRIDS).glob("*.json"))
    if not records:
        raise UsageError(f"{root}: no folder of runs. Name one that 'graphforget reproduce' writes to, with --store.")
    return [_state(root, record.stem, read_json(record)["units"]) for record in records]


def _state(root: Path, name: str, units: Sequence[dict[str, Any]]) -> State:
    there = [unit for unit in units if finished(root, unit["id"])]
    failed = sum(bool(read_run(root / unit["id"]).error) for unit in there)
    running = [u for u in units if u not in there and is_held(root / WORK / u["id"])]
    return State(name, len(units), len(there), failed, tuple(f"{u['title']}, seed {u['seed']}" for u in running))


def find_record(root: Path, name: str) -> tuple[Preset, str | None]:
    """Return preset and data folder of the reproduction in a store whose id begins with `name`.

    Raises UsageError when none or several do.
    """
    known = [record.stem for record in sorted((root / GRIDS).glob("*.json"))]
    found = [one for one in known if one == name] or [one for one in known if one.startswith(name)]
    if len(found) != 1:
        what = "no run" if not found else "several runs"
        raise UsageError(
            f"'{name}' is {what} of {root}. There are {', '.join(known) or 'none'}; see 'graphforget status'."
        )
    file = root / GRIDS / f"{found[0]}.json"
    record = read_json(file)
    return preset_from(json.loads(record["preset"]), str(file)), record["data_dir"]


def presets_of(place: Path, lines: Sequence[Line]) -> list[Preset]:
    """Return the presets that lines come from: those that a store remembers, or those that a CSV file names."""
    if place.is_dir():
        records = sorted((place / GRIDS).glob("*.json"))
        return [preset_from(json.loads(read_json(record)["preset"]), str(record)) for record in records]
    names = dict.fromkeys(str(line.fields.get("preset", "")) for line in lines)
    return [presets()[name] for name in names if name in presets()]
