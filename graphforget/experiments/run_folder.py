"""The folder of a finished unit: what is written into it, and what is read from it.

result.json: what was run, its records (numbers that do not depend on the machine) and, apart, its `cost`.
metrics.csv: every evaluation along the way. config.toml: a grid that runs this unit again. log.txt: what happened.
A model's folder holds `model.safetensors` and `model.json` besides; one of a failure holds the sentence of the error.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch

from graphforget._core.errors import DataError
from graphforget._core.files import atomic_write, read_json, write_json
from graphforget._core.toml import to_toml
from graphforget.evaluation.records import RUN_DEPENDENT, Record
from graphforget.evaluation.report import REVISION as JUDGED
from graphforget.experiments.units import Unit
from graphforget.training.train import REVISION as TRAINED

FORMAT = "graphforget-run/1"
RESULT = "result.json"
METRICS = "metrics.csv"
CONFIG = "config.toml"
NAMED = ("fraction", "count", "where", "sampling", "pool", "modality")
"""Fields of a deletion that a table may have as rows or columns, beside its name and kind."""


@dataclass(frozen=True)
class Run:
    """What the folder of a finished unit says.

    Attributes
    ----------
    fields: what was run, by names that tables know: data, backbone, task, deletion, kind, method, seed, ...
    records: rows of a table, costs included. needs: stage -> id of the units it was made from.
    error: the sentence of a failure, or the empty text.
    """

    id: str
    unit: str
    fields: Mapping[str, Any]
    records: tuple[Record, ...]
    needs: Mapping[str, str]
    weights: str
    error: str = ""


def facts_of(unit: Unit) -> dict[str, Any]:
    """Return what is known of a unit before it runs, for result.json."""
    plan = unit.cell.plan
    asked = {} if plan.request is None else plan.request.as_dict()
    fields: dict[str, Any] = {"data": unit.cell.data, "backbone": unit.cell.backbone, "task": plan.setup.task}
    fields |= {"deletion": unit.cell.deletion, "kind": asked.get("kind", "")}
    fields |= {"method": unit.label, "seed": unit.seed}
    fields |= {name: asked[name] for name in NAMED if asked.get(name) is not None}
    specs = {spec.label: spec.method.config() for spec in plan.specs()}
    return {
        "format": FORMAT,
        "id": unit.id,
        "digest": unit.digest,
        "unit": unit.kind,
        "fields": fields,
        "setup": {key: value for key, value in plan.setup.as_dict().items() if key != "source"},
        "method": specs.get(unit.label) if unit.kind == "method" else None,
        "needs": {stage: name for stage, name in unit.names.items() if name in unit.needs},
        "code": {"training": TRAINED, "evaluation": JUDGED, "torch": torch.__version__},
    }


def write_files(
    folder: Path,
    unit: Unit,
    log: str,
    *,
    records: Iterable[Record] = (),
    history: Sequence[Mapping[str, float]] = (),
    more: Mapping[str, Any] | None = None,
    cost: Mapping[str, Any] | None = None,
) -> None:
    """Write all but the model into the folder of a unit.

    more: further facts for result.json; cost: those that depend on the machine.
    """
    rows, spent = [], dict(cost or {})
    for record in records:
        apart = {name: value for name, value in record.values.items() if name in RUN_DEPENDENT}
        values = {name: value for name, value in record.values.items() if name not in RUN_DEPENDENT}
        rows.append({**asdict(record), "values": values})
        if apart:
            spent.setdefault("rows", {})[record.row] = apart
    write_json(folder / RESULT, {**facts_of(unit), **(more or {}), "records": rows, "cost": spent})
    atomic_write(folder / METRICS, _as_csv(history))
    atomic_write(folder / CONFIG, config_of(unit))
    atomic_write(folder / "log.txt", log)


def _as_csv(history: Sequence[Mapping[str, float]]) -> str:
    """Return one line for each evaluation; without any, the heading alone."""
    columns = list(dict.fromkeys(["epoch", *(name for entry in history for name in entry)]))
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows(history)
    return buffer.getvalue()


def read_history(folder: Path) -> list[dict[str, float]]:
    """Return the evaluations in metrics.csv; raises DataError, with the line, for what is no number."""
    path = folder / METRICS
    rows = csv.reader(io.StringIO(path.read_text(encoding="utf-8"))) if path.is_file() else iter(())
    head, found = next(rows, []), []
    for number, row in enumerate(rows, 2):
        try:
            found.append({name: float(text) for name, text in zip(head, row, strict=True) if text})
        except ValueError as error:
            raise DataError(f"{path} line {number}: {error}. Delete the run's folder and resume.") from error
    return found


def config_of(unit: Unit) -> str:
    """Return a grid file that runs a unit (and what it needs) again."""
    methods = [unit.label] if unit.kind == "method" else []
    grid = unit.cell.grid.narrowed(unit.cell, unit.seed, methods)
    head = f"# {unit.title}, seed {unit.seed}: graphforget reproduce config.toml\n"
    return head + to_toml({"grids": [grid.as_table()]})


def run_folders(root: Path) -> list[Path]:
    """Return the folders of all finished units, sorted; what is half written, or was left so by a kill, is none."""
    return sorted(path.parent for path in root.glob(f"*/{RESULT}") if not path.parent.name.startswith("."))


def read_run(folder: Path) -> Run:
    """Return what a run folder says; raises DataError when it is not whole."""
    found = read_json(folder / RESULT)
    try:
        if found["format"] != FORMAT:
            raise ValueError(f"its format is {found['format']!r}, this version reads {FORMAT!r}")
        spent = found["cost"].get("rows", {})
        records = [Record(**{**r, "values": {**r["values"], **spent.get(r["row"], {})}}) for r in found["records"]]
        known = {key: found[key] for key in ("id", "unit", "fields", "needs")}
        return Run(**known, records=tuple(records), weights=found.get("weights", ""), error=found.get("error", ""))
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise DataError(
            f"{folder / RESULT}: not the result of a run ({error!r}). Delete the folder and resume."
        ) from error


def comparable(folder: Path) -> dict[str, Any]:
    """Return result.json of a run without what depends on the machine: equal for equal runs."""
    return {key: value for key, value in read_json(folder / RESULT).items() if key != "cost"}
