"""Deletion files: JSON with up to four lists, or CSV with one kind of thing."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError, UsageError, nearest
from graphforget._core.files import read_json
from graphforget.data.formats.base import existing
from graphforget.data.formats.edge_list import read_edges
from graphforget.data.formats.table import Row, is_integer, rows

KINDS = ("edges", "nodes", "features", "classes")
HEADERS = {"node": "nodes", "feature_of": "features", "class": "classes"}


def json_parts(path: Path) -> dict[str, Any]:
    """Return the parts of a JSON deletion file; raises DataError when it is no object of known lists."""
    try:
        value = read_json(existing(path))
    except RecursionError:
        raise DataError(f"{path}: lists inside lists without end; a deletion has lists of ids.") from None
    if not isinstance(value, dict):
        raise DataError(
            f'{path}: expected an object, as {{"edges": [[4, 17]]}}; found a {type(value).__name__}. '
            f"Known keys: {', '.join(KINDS)}."
        )
    stray = next((key for key in value if key not in KINDS), None)
    if stray is not None:
        raise DataError(f"{path}: unknown key '{stray}'.{nearest(stray, KINDS)} Known keys: {', '.join(KINDS)}.")
    bad = next((key for key in value if not isinstance(value[key], list)), None)
    if bad is not None:
        raise DataError(f"{path}: '{bad}' must be a list; found a {type(value[bad]).__name__}.")
    return value


def _edge_parts(path: Path) -> dict[str, Any]:
    codes, ids, _notes = read_edges(path)
    names: list[Any] = list(ids.codes) if ids.text else [int(cell) for cell in ids.codes]
    return {"edges": [(names[u], names[v]) for u, v in codes.T.tolist()]}


def _cell(path: Path, row: Row) -> int | str:
    cell = row.cells[0]
    if not cell:
        raise DataError(f"{path} line {row.line}: the id in column 1 is empty. Fix the line.")
    return int(cell) if is_integer(cell) else cell


def table_parts(path: Path) -> dict[str, Any]:
    """Return the one part of a CSV or TSV deletion file; raises DataError with the line of a fault."""
    lines = rows(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: no rows. Name edges in two columns, or one column under {', '.join(HEADERS)}.")
    kind = HEADERS.get(first.cells[0].lower())
    if kind is None and len(first.cells) == 1:
        raise DataError(
            f"{path} line {first.line}: one column without a known header; found "
            f"'{first.cells[0]}'.{nearest(first.cells[0], HEADERS)} The header says what the ids are: "
            f"{', '.join(HEADERS)}."
        )
    return _edge_parts(path) if kind is None else {kind: [_cell(path, row) for row in lines]}


def as_csv(kind: str, values: Sequence[Any]) -> str:
    """Return the CSV text of one part; raises UsageError for ids that a CSV would not give back."""
    cells = [cell for value in values for cell in (value if kind == "edges" else (value,))]
    lost = next((cell for cell in cells if str(cell) != str(cell).strip() or "\n" in str(cell)), None)
    if lost is not None:
        raise UsageError(
            f"The id {lost!r} has spaces around it or runs over lines; write the deletion to .json instead."
        )
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    header = {part: name for name, part in HEADERS.items()}
    writer.writerow(["source", "target"] if kind == "edges" else [header[kind]])
    writer.writerows(values if kind == "edges" else [[value] for value in values])
    return buffer.getvalue()
