"""What a folder or a file of results holds, read for plots and pages: comparisons, own models, runs of a store.

The one place that knows the layouts: `READERS` has one function for each, chosen by the file that marks it. Another
layout is another entry.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from graphforget._core.environment import ENVIRONMENT
from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import read_json
from graphforget.data.deletion import Deletion
from graphforget.evaluation.document import Report
from graphforget.evaluation.names import TASKS
from graphforget.evaluation.plots.trajectory import History
from graphforget.evaluation.records import joined
from graphforget.experiments.own_history import deletion_file
from graphforget.experiments.prepare import ORIGINAL, gold_stage, method_stage
from graphforget.experiments.reproduce import GRIDS
from graphforget.experiments.run_folder import RESULT, Run, read_history, read_run, run_folders
from graphforget.experiments.single import REPORT
from graphforget.experiments.store import PLAN, RECEIPT
from graphforget.unlearning.specs import parse_method

REPORT_FILE = "report.json"
DELETION = "deletion.json"
NAMED = 4
"""Tables of a folder of runs that are named, at most, where one is to be chosen."""
CELL = ("data", "backbone", "task", "deletion")
"""What the runs of one table in a store have in common."""


@dataclass(frozen=True)
class Found:
    """What a source of results holds.

    Attributes
    ----------
    place: the path that was named. report: its records; there is always one.
    folder: where a comparison's models are kept; None for others.
    runs: method and seed -> the run of a store that keeps the model. named: those of the run that was named, if of one.
    plan: what decided the numbers of a comparison (`Plan.as_dict`). receipt: what was asked and done to an own model.
    environment: what it was computed with; empty where that was not kept.
    histories: evaluations while models were made. deletions: name -> file that lists what was deleted, by id.
    """

    place: Path
    report: Report
    folder: Path | None = None
    runs: Mapping[tuple[str, int], Path] = field(default_factory=dict)
    named: tuple[str, int] | None = None
    plan: Mapping[str, Any] | None = None
    receipt: Mapping[str, Any] | None = None
    environment: Mapping[str, str] = field(default_factory=dict)
    histories: tuple[History, ...] = ()
    deletions: Mapping[str, Path] = field(default_factory=dict)

    def ids(self) -> dict[str, Deletion]:
        """Return name -> what was deleted, in the user's ids; raises DataError where that is not kept."""
        if not self.deletions:
            raise DataError(
                f"{self.place}: holds no deletion, only digests and counts, so no id can be shown. Leave --with-ids "
                "out, or unlearn with --keep-deletion."
            )
        return {name: Deletion.read(path) for name, path in self.deletions.items()}


def read_source(place: str | os.PathLike[str]) -> Found:
    """Return what is in a comparison's folder (--out), an unlearned model's folder, a run, a report, or its JSON.

    Raises DataError for anything else, with what was looked for.
    """
    path = Path(place)
    if path.is_file():
        return _file(path)
    if not path.is_dir() and (path.parent / GRIDS / f"{path.name}.json").is_file():
        raise DataError(
            f"{path}: {path.name} names a whole grid of runs, which has no folder of its own. Name {path.parent} for "
            "every table in it (plot), or one run's folder in it for that run's table."
        )
    if not path.is_dir():
        raise DataError(f"{path}: there is no such file or folder. Check the path.")
    for mark, reader in READERS.items():
        if (path / mark).is_file():
            return reader(path)
    raise DataError(
        f"{path}: no results are in it (none of {', '.join(READERS)}). Name the folder that a comparison or 'unlearn' "
        "made with --out, one run in a folder that 'reproduce' made, or a report.json."
    )


def read_one_source(place: str | os.PathLike[str]) -> Found:
    """Return the one table in a source; raises UsageError, which names runs, for a folder of runs of several."""
    found = read_sources(place)
    if len(found) > 1:
        named = "; ".join(f"{one.place} ({one.report.heading()})" for one in found[:NAMED])
        raise UsageError(
            f"{place}: holds {len(found)} tables, and one is drawn. Name one run of it, as {named}"
            f"{'; ...' if len(found) > NAMED else ''}."
        )
    return found[0]


def read_sources(place: str | os.PathLike[str]) -> list[Found]:
    """Return what is in a source, or every table with a deletion in a folder of runs; errors as `read_source`'s."""
    first: dict[tuple[str, ...], Path] = {}
    for folder in run_folders(Path(place)):
        fields = read_run(folder).fields
        if fields.get("deletion"):
            first.setdefault(tuple(str(fields.get(key)) for key in CELL), folder)
    return [_run(first[cell]) for cell in sorted(first)] or [read_source(place)]


def _report(path: Path, text: str | None = None) -> Report:
    """Return the report in a JSON file, or in a part of it."""
    if not path.is_file():
        raise DataError(f"{path}: is not there; the run has not ended. Repeat its command, which goes on from there.")
    try:
        return Report.from_json(path.read_text(encoding="utf-8") if text is None else text)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text. Name a report in JSON.") from error
    except DataError as error:
        raise DataError(f"{path}: {error}") from error


def _file(path: Path) -> Found:
    """Return what a report, or the output of a command with --json, says."""
    found = read_json(path)
    if isinstance(found, dict) and isinstance(found.get("report"), dict):
        report = _report(path, json.dumps(found["report"]))
        return Found(path, report, plan=found.get("plan"), receipt=found.get("receipt"))
    return Found(path, _report(path))


def _saved_report(folder: Path) -> Found:
    return Found(folder, _report(folder / REPORT_FILE))


def _unlearned(folder: Path) -> Found:
    """Return what `graphforget unlearn` left."""
    receipt = _mapping(folder / RECEIPT)
    if not (folder / REPORT).is_dir():
        raise DataError(
            f"{folder}: holds a model and no results are in it. Name the folder that 'unlearn' or a comparison made."
        )
    kept = [path for path in (folder / deletion_file(n) for n in range(1 + len(receipt.get("earlier", ()))))]
    deletions = {path.stem: path for path in kept if path.is_file()}
    return Found(
        folder,
        _report(folder / REPORT / REPORT_FILE),
        receipt=receipt,
        environment=_environment(folder),
        deletions=deletions,
    )


def _comparison(folder: Path) -> Found:
    """Return what a comparison left."""
    plan = _mapping(folder / PLAN)
    try:
        seeds, labels = [int(seed) for seed in plan["seeds"]], list(plan["methods"])
    except (KeyError, TypeError, ValueError) as error:
        raise DataError(f"{folder / PLAN}: names no seeds or methods ({error}). Repeat the comparison.") from error
    histories = [one for seed in seeds for one in _histories(folder / f"seed-{seed}", seed, labels)]
    files = {f"seed {seed}": folder / f"seed-{seed}" / DELETION for seed in seeds}
    return Found(
        folder,
        _report(folder / REPORT / REPORT_FILE),
        folder=folder,
        plan=plan,
        environment=_environment(folder),
        histories=tuple(histories),
        deletions={name: path for name, path in files.items() if path.is_file()},
    )


def _histories(folder: Path, seed: int, labels: list[str]) -> list[History]:
    """Return the histories of one seed; a method that failed has none."""
    found = []
    for row, kind, stage in (("Original", "original", ORIGINAL), ("Gold", "gold", gold_stage(0))):
        made = _mapping(folder / stage / "model.json").get("provenance")
        if isinstance(made, dict):
            found.append(History(row, kind, seed, tuple(made["history"]), made["best_epoch"]))
    for label in labels:
        receipt = folder / method_stage(parse_method(label)) / RECEIPT
        if receipt.is_file():
            found.append(History(label, "method", seed, tuple(_mapping(receipt).get("history", ()))))
    return found


def _run(folder: Path) -> Found:
    """Return the table that a run of a store belongs to: all finished runs of its data, backbone and deletion."""
    mine = read_run(folder)
    cell = [mine.fields.get(key) for key in CELL]
    runs = {path: read_run(path) for path in run_folders(folder.parent)}
    here = {path: run for path, run in runs.items() if [run.fields.get(key) for key in CELL] == cell}
    data, backbone, task, deletion = map(str, cell)
    title = ", ".join(filter(None, (f"{TASKS.get(task, task)} on {data}", backbone, deletion)))
    originals = [folder.parent / run.needs["original"] for run in here.values() if "original" in run.needs]
    made = dict.fromkeys([*here, *originals])
    models = {_place(run): path for path, run in here.items() if run.unit == "method" and not run.error}
    return Found(
        folder,
        Report(task, title, joined(run.records for run in here.values())),
        runs=models,
        named=next((one for one, path in models.items() if path == folder), None),
        histories=tuple(one for path in made if path in runs for one in _history(path, runs[path])),
    )


def _place(run: Run) -> tuple[str, int]:
    """Return method and seed of a run."""
    return str(run.fields["method"]), int(run.fields["seed"])


def _history(folder: Path, run: Run) -> list[History]:
    """Return the evaluations of an original, of the first gold model of a seed or of a method."""
    rows = {"original": "Original", "gold": "Gold", "method": str(run.fields.get("method"))}
    if run.unit not in rows or (run.unit == "gold" and run.fields.get("method") != gold_stage(0)):
        return []
    provenance = _mapping(folder / "model.json").get("provenance") if run.unit != "method" else None
    best = provenance.get("best_epoch") if isinstance(provenance, dict) else None
    return [History(rows[run.unit], run.unit, int(run.fields["seed"]), tuple(read_history(folder)), best)]


def _mapping(path: Path) -> dict[str, Any]:
    found = read_json(path)
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__} where names and values must be. Repeat the run.")
    return found


def _environment(folder: Path) -> dict[str, str]:
    path = folder / ENVIRONMENT
    return {key: str(value) for key, value in _mapping(path).items()} if path.is_file() else {}


READERS: dict[str, Callable[[Path], Found]] = {
    PLAN: _comparison,
    RESULT: _run,
    RECEIPT: _unlearned,
    REPORT_FILE: _saved_report,
}
"""File that marks a folder -> what reads it."""
