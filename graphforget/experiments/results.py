"""The numbers of many runs as lines: one for each row of a table and seed, from a store or from a CSV file."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError
from graphforget.evaluation.case import Kind
from graphforget.evaluation.metrics import METRICS
from graphforget.evaluation.records import KINDS, RUN_DEPENDENT
from graphforget.experiments.index import ask
from graphforget.experiments.run_folder import NAMED, RESULT, facts_of, read_run
from graphforget.experiments.units import Unit

FIELDS = ("preset", "data", "backbone", "task", "deletion", "kind", *NAMED)
"""What a line says of its run beside row and seed; tables may have each of them as rows or columns."""
HEAD = (*FIELDS, "row", "row_kind", "seed", "run", "weights")
NUMBERS = {"fraction": float, "count": int}


@dataclass(frozen=True)
class Line:
    """One row of one seed.

    Attributes
    ----------
    fields: of FIELDS those that are known. row, row_kind: as in `Record`.
    run: id of the run that holds it. weights: digest of its model's weights, or the empty text.
    values: metric -> value.
    """

    fields: Mapping[str, Any]
    row: str
    row_kind: Kind
    seed: int
    run: str
    weights: str
    values: dict[str, float]

    def field(self, name: str) -> Any:
        """Return a field by the name that tables know it by, the empty text where it has none."""
        own = {"method": self.row, "row": self.row, "seed": self.seed, "dataset": self.fields.get("data", "")}
        return own.get(name, self.fields.get(name, ""))


def lines_of_units(root: Path, units: Sequence[Unit], preset: str = "") -> list[Line]:
    """Return the lines of those units that are finished, under the names that their grid gives them.

    An original stands for itself only where nothing is judged beside it.
    """
    judged = {need for unit in units if unit.kind == "references" for need in unit.needs}
    there = [unit for unit in units if unit.id not in judged and (root / unit.id / RESULT).is_file()]
    found = []
    for unit in there:
        run, fields = read_run(root / unit.id), {**({"preset": preset} if preset else {}), **facts_of(unit)["fields"]}
        weights = run.weights if run.unit != "references" else ""
        for r in run.records:
            row = unit.label if unit.kind == "method" else r.row  # the same settings may have another name elsewhere
            found.append(Line(fields, row, r.kind, r.seed, run.id, weights, dict(r.values)))
    return found


def lines_in_store(root: Path) -> list[Line]:
    """Return the lines of every finished run of a store; raises UsageError for a folder that is none.

    An original stands for itself only where nothing was judged beside it.
    """
    question = """
        select run, row, numbers.kind, numbers.seed, metric, value, fields, weights, unit
        from numbers join runs on run = id
        where unit != 'original' or id not in (select original from runs where unit = 'references')
    """
    found: dict[tuple[str, str], Line] = {}
    for run, row, kind, seed, metric, value, fields, weights, unit in ask(root, question):
        fresh = Line(json.loads(fields), row, kind, seed, run, weights if unit != "references" else "", {})
        found.setdefault((run, row), fresh).values[metric] = value
    return sorted(found.values(), key=_order)


def read_lines(place: Path) -> list[Line]:
    """Return the lines of a store, or of a CSV file that `as_csv` wrote."""
    if place.is_dir():
        return lines_in_store(place)
    try:
        rows = list(csv.DictReader(io.StringIO(place.read_text(encoding="utf-8"))))
    except OSError as error:
        raise DataError(f"{place}: cannot be read ({error.strerror or error}). Check the path.") from error
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: byte {error.start} is not UTF-8 text.") from error
    if not rows:
        raise DataError(f"{place}: no line of results. Make the file with 'graphforget reproduce'.")
    return [_line(place, number, row) for number, row in enumerate(rows, 2)]


def _line(place: Path, number: int, row: dict[str, Any]) -> Line:
    """Return one line of a CSV file; raises DataError, with its number, for what is none."""
    absent = next((name for name in ("row", "row_kind", "seed", "run", "weights") if row.get(name) is None), None)
    stray = next((name for name in row if name not in HEAD and name not in METRICS), None)
    if absent is not None or stray is not None:
        why = f"column '{absent}' is missing" if absent is not None else f"'{stray}' is no column of results"
        raise DataError(f"{place} line {number}: {why}. Make the file with 'graphforget reproduce'.")
    try:
        fields = {name: NUMBERS.get(name, str)(row[name]) for name in FIELDS if row.get(name)}
        values = {name: float(text) for name, text in row.items() if name in METRICS and text}
        if row["row_kind"] not in KINDS:
            raise ValueError(f"'{row['row_kind']}' is no kind of row")
        return Line(fields, row["row"], row["row_kind"], int(row["seed"]), row["run"], row["weights"], values)
    except ValueError as error:
        raise DataError(f"{place} line {number}: {error}. Make the file with 'graphforget reproduce'.") from error


def as_csv(lines: Sequence[Line], costs: bool = True) -> str:
    """Return lines as CSV, numbers to the last digit, with the metrics that occur as columns.

    costs: also the metrics that differ from run to run (seconds, memory).
    """
    held = {name for line in lines for name in line.values if costs or name not in RUN_DEPENDENT}
    columns = [*HEAD, *(name for name in METRICS if name in held)]
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, columns, lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    for line in sorted(lines, key=_order):
        own = {"row": line.row, "row_kind": line.row_kind, "seed": line.seed, "run": line.run, "weights": line.weights}
        writer.writerow({**line.fields, **own, **{name: repr(value) for name, value in line.values.items()}})
    return buffer.getvalue()


def _order(line: Line) -> tuple[tuple[str, ...], int, str, int]:
    """Return what lines are sorted by: where they belong, then rows as tables have them, then seeds."""
    place = tuple(str(line.fields.get(name, "")) for name in FIELDS)
    return place, KINDS.index(line.row_kind), line.row, line.seed
