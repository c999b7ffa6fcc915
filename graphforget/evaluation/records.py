"""A report as data: one record per row and seed, and their means over seeds."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget.evaluation.case import Kind
from graphforget.evaluation.metrics import EVERY, METRICS, Metric

FORMAT = "graphforget-report/1"
KINDS: tuple[Kind, ...] = ("original", "gold", "floor", "baseline", "method")
EXACT = "exact"
"""How the note of a method begins that trains again what the forgotten part had a hand in."""
KNOWN_WEIGHTS = "weights unchanged"
"""How the note of a method begins that leaves what was learned in the model."""
ON_WHOLE_GRAPH = "judged on the whole graph, forgotten part included; every other row on the retained graph."
"""The note of the original."""
WEIGHTS_ONLY = "weights only"
"""How the note of a method begins that answers from the graph before the deletion."""
HOLES = "deleted nodes answer as holes"
"""How the note of a row begins whose forgotten nodes have neither features nor edges to answer from."""
LABELS_KEPT = "the forgotten nodes keep their labels"
"""How the note of a row begins whose forgotten nodes lose edges or features alone."""
OTHER_START = "started from other initial weights"
"""How the note of a noise floor begins whose start was another than gold's."""
OWN_RECIPE = "trained by the default recipe"
"""How the note of gold begins whose original does not say by which recipe it was trained."""
HELD_NOTHING = "trained again without the forgotten part, the weights came out the same: they held nothing of it."
"""Note of a gold model that is the original, to 1e-6 of its norm."""
RUN_DEPENDENT = frozenset(name for name, metric in METRICS.items() if metric.group == "cost")
"""Metrics that differ between two runs of the same thing."""


@dataclass(frozen=True)
class Record:
    """One row of one seed: metric name -> value; in `note`, one sentence a line on what is missing and why."""

    row: str
    seed: int
    values: Mapping[str, float]
    kind: Kind = "method"
    note: str = ""

    def __post_init__(self) -> None:
        strangers = [name for name in self.values if name not in METRICS]
        if strangers or self.kind not in KINDS:
            raise DataError(f"Record '{self.row}': unknown metric or kind {strangers or self.kind!r}; see METRICS.")


@dataclass(frozen=True)
class Row:
    """One row over all seeds: metric name -> (mean, standard deviation over seeds or None for a single seed)."""

    name: str
    kind: Kind
    cells: Mapping[str, tuple[float, float | None]]
    notes: tuple[str, ...]

    def mean(self, metric: str) -> float | None:
        """Return the mean over seeds, or None where there is no value."""
        return self.cells[metric][0] if metric in self.cells else None


def rows_of(records: Sequence[Record]) -> list[Row]:
    """Return the rows in table order: original, gold, floor, baselines, then methods as they came."""
    names = dict.fromkeys(record.row for kind in KINDS for record in records if record.kind == kind)
    return [_row(name, [record for record in records if record.row == name]) for name in names]


def _row(name: str, records: list[Record]) -> Row:
    cells = {}
    for metric in METRICS:
        values = [record.values[metric] for record in records if metric in record.values]
        if values:
            cells[metric] = (float(np.mean(values)), float(np.std(values, ddof=1)) if len(values) > 1 else None)
    notes = dict.fromkeys(line for record in records for line in record.note.splitlines())
    return Row(name, records[0].kind, cells, tuple(notes))


def metrics_of(records: Iterable[Record], headline: bool = False) -> list[Metric]:
    """Return the metrics that some record holds, in table order; `headline`: those of its task's short table."""
    held = {name for record in records for name in record.values}
    tasks = set(EVERY).intersection(*(METRICS[name].tasks for name in held))
    found = [metric for metric in METRICS.values() if metric.name in held]
    return [metric for metric in found if not headline or tasks.intersection(metric.headline)]


def joined(groups: Iterable[Sequence[Record]]) -> tuple[Record, ...]:
    """Return all records, equal rows of equal seeds once.

    Raises UsageError when two groups hold different numbers for the same row and seed (costs may differ).
    """
    kept: dict[tuple[str, int], Record] = {}
    for record in (record for group in groups for record in group):
        other = kept.setdefault((record.row, record.seed), record)
        if _comparable(other) != _comparable(record):
            raise UsageError(
                f"Two different results are called '{record.row}' with seed {record.seed}. "
                "Merge reports of one experiment only, or name the rows apart."
            )
    return tuple(kept.values())


def _comparable(record: Record) -> dict[str, Any]:
    values = {name: value for name, value in record.values.items() if name not in RUN_DEPENDENT}
    return {"kind": record.kind, **values}


def to_text(records: Sequence[Record], header: Mapping[str, Any]) -> str:
    """Return the report as JSON text."""
    body = {"format": FORMAT, **header, "records": [{**asdict(r), "values": dict(r.values)} for r in records]}
    return json.dumps(body, sort_keys=True, indent=2, ensure_ascii=False, allow_nan=False) + "\n"


def _checked(record: Record) -> Record:
    """Return a record read from a file.

    Raises ValueError unless names are text that UTF-8 has a form for, and values are finite numbers.
    """
    if not (isinstance(record.row, str) and isinstance(record.note, str) and type(record.seed) is int):
        raise ValueError("a row or note is no text, or a seed no integer")
    f"{record.row}{record.note}".encode()
    odd = [name for name, value in record.values.items() if type(value) not in (int, float) or not isfinite(value)]
    if odd:
        raise ValueError(f"'{odd[0]}' of '{record.row}' is no finite number")
    return record


def from_text(text: str) -> tuple[str, str, tuple[Record, ...]]:
    """Return task, title and records of a report's JSON text; raises DataError for anything else."""
    try:
        body = json.loads(text)
        if not isinstance(body, dict) or body.get("format") != FORMAT:
            raise ValueError(f"its format is not {FORMAT}")
        return *_header(body), _consistent([_checked(Record(**record)) for record in body["records"]])
    except KeyError as error:
        raise DataError(f"This is not a report of this version (it has no {error}). Evaluate again.") from error
    except (ValueError, TypeError, AttributeError, OverflowError, RecursionError, DataError) as error:
        raise DataError(f"This is not a report of this version ({error}). Evaluate again.") from error


def _header(body: Mapping[str, Any]) -> tuple[str, str]:
    task, title = body["task"], body["title"]
    if task not in EVERY or not isinstance(title, str):
        raise ValueError(f"its task is {task!r} and not one of {', '.join(EVERY)}, or its title no text")
    title.encode()
    return task, title


def _consistent(records: Sequence[Record]) -> tuple[Record, ...]:
    """Return the records; raises ValueError unless there is one for each row and seed, and one kind for each row."""
    if not records:
        raise ValueError("it holds no records")
    kinds: dict[str, str] = {}
    seen: set[tuple[str, int]] = set()
    for record in records:
        if (record.row, record.seed) in seen or kinds.setdefault(record.row, record.kind) != record.kind:
            raise ValueError(f"'{record.row}' stands in it twice for seed {record.seed}, or with two kinds")
        seen.add((record.row, record.seed))
    return tuple(records)
