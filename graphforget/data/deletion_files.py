"""Deletion files: JSON with a list for every kind of thing, or CSV with one kind."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError, UsageError, nearest, unknown
from graphforget._core.files import read_json
from graphforget.data.formats.base import existing
from graphforget.data.formats.edge_list import named_columns
from graphforget.data.formats.interaction_table import KNOWN
from graphforget.data.formats.table import Row, is_integer, rows

GRAPH_KINDS = ("edges", "nodes", "features", "classes")
RECOMMENDER_KINDS = ("users", "items", "interactions", "triples", "modalities")
KINDS = GRAPH_KINDS + RECOMMENDER_KINDS
HEADERS = {"node": "nodes", "feature_of": "features", "class": "classes", "user": "users", "item": "items"}
COLUMNS = {
    "interactions": ("user", "item"),
    "triples": ("head", "relation", "tail"),
    "modalities": ("modality", "item"),
}
"""Columns of the kinds that take more than one; further columns beside these are passed over."""

_VALUES = ("rating", "time", "label")
"""What `columns` may name besides, as it does for `load`: a deletion passes it over."""
_TABLES = (*HEADERS, *(",".join(names) for names in COLUMNS.values()))


def json_parts(path: Path) -> dict[str, Any]:
    """Return the parts of a JSON deletion file; raises DataError when it is no object of known lists."""
    value = read_json(existing(path))
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


def _cell(path: Path, row: Row, column: int = 0) -> int | str:
    cell = row.cells[column]
    if not cell:
        raise DataError(f"{path} line {row.line}: the id in column {column + 1} is empty. Fix the line.")
    return int(cell) if is_integer(cell) else cell


def _refuse_comments(path: Path, first: Row) -> None:
    """Raise DataError for comments above a table without a known header: they may be meant as edges."""
    if first.line == 1:
        return
    with path.open(encoding="utf-8-sig") as file:
        above = [(number, line.strip()) for number, line in zip(range(1, first.line), file, strict=False)]
    number, line = next(((n, text) for n, text in above if text.startswith("#")), (0, ""))
    if number:
        raise DataError(
            f"{path} line {number}: '{line[:40]}' would be passed over as a comment, and a deletion passes nothing "
            "over. Take the line out, or, if it names an edge, put the header source,target above it."
        )


def _refuse_doubtful(path: Path, first: Row, second: Row | None) -> None:
    """Raise DataError for a first line of words above one of integers: an edge of mixed ids, or a foreign header."""
    numbers = second is not None and all(is_integer(cell) for cell in second.cells[:2])
    if numbers and not any(is_integer(cell) for cell in first.cells[:2]):
        raise DataError(
            f"{path} line {first.line}: '{','.join(first.cells[:2])}' is an edge or a header, and a deletion passes "
            "nothing over. If it is an edge, put the header source,target above it, else in its place (user,item for "
            "interactions)."
        )


def _edge_parts(path: Path, first: Row, lines: Iterator[Row]) -> dict[str, Any]:
    """Return the edges of a table with a header that names them, or of all its rows; ids may be of both kinds."""
    named = named_columns(first.cells)
    body = list(lines) if named else [first, *lines]
    if not body:
        raise DataError(f"{path}: only a header and no edges. Add one edge per line.")
    if named is None:
        _refuse_comments(path, first)
        _refuse_doubtful(path, first, body[1] if len(body) > 1 else None)
    columns = named or (0, 1)
    return {"edges": [tuple(_cell(path, row, column) for column in columns) for row in body]}


def column_names(columns: Mapping[str, str | int] | None) -> dict[str, str]:
    """Return what tables call their columns, by role; numbers, which name columns of a table of records, are left out.

    Raises UsageError for a role that neither a deletion nor a table of records has.
    """
    roles = tuple(dict.fromkeys([*HEADERS, *(name for names in COLUMNS.values() for name in names)]))
    stray = next((role for role in columns or {} if role not in roles + _VALUES), None)
    if stray is not None:
        raise UsageError(f"columns: {unknown('role', stray, roles + _VALUES)}")
    named = {role: str(name) for role, name in (columns or {}).items()}
    return {role: name for role, name in named.items() if role in roles and not name.isdigit()}


def _position(header: Row, name: str, renamed: Mapping[str, str]) -> int | None:
    """Return where a column stands, under the file's name for it or its own.

    Where the file's names are not given, those do that tables of records are read by without being told.
    """
    cells, usual = [cell.lower() for cell in header.cells], () if renamed else KNOWN.get(name, ())
    called = [word for word in (renamed.get(name, name).lower(), name, *usual) if word in cells]
    return cells.index(called[0]) if called else None


def _wide_parts(path: Path, header: Row, lines: Iterator[Row], renamed: Mapping[str, str]) -> dict[str, Any] | None:
    """Return the interactions, triples or modalities of a table, or None when its header names none of them."""
    for kind, names in COLUMNS.items():
        columns = [column for name in names if (column := _position(header, name, renamed)) is not None]
        if len(columns) == len(names):
            return {kind: [tuple(_cell(path, row, column) for column in columns) for row in lines]}
    return None


def _refuse_half(path: Path, header: Row, kind: str, at: int) -> None:
    """Raise DataError for a list beside columns that say nothing known: it may be a pair misspelt."""
    others = [cell for column, cell in enumerate(header.cells) if column != at]
    if not others:
        return
    words, pair = (("user", "item"), "Interactions") if kind in ("users", "items") else (("source", "target"), "Edges")
    raise DataError(
        f"{path} line {header.line}: a list of {kind} has one column; found '{others[0]}' beside it."
        f"{nearest(others[0], words)} {pair} have the header {','.join(words)}."
    )


def _list_of(header: Row, renamed: Mapping[str, str]) -> tuple[str, int] | None:
    """Return the kind that a header lists and the column of its ids, or None when it names no such kind."""
    found = ((part, _position(header, name, renamed)) for name, part in HEADERS.items())
    return next(((part, at) for part, at in found if at is not None), None)


def table_parts(path: Path, columns: Mapping[str, str | int] | None = None) -> dict[str, Any]:
    """Return the one part of a CSV or TSV deletion file; raises DataError with the line of a fault.

    columns: what the file calls a column, as {"user": "userId", "item": "movieId"}; see `column_names`.
    """
    renamed = column_names(columns)
    lines = rows(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: no rows. Name edges in two columns, or one column under {', '.join(_TABLES)}.")
    wide = _wide_parts(path, first, lines, renamed)
    if wide is not None:
        return wide
    if named_columns(first.cells) is not None:
        return _edge_parts(path, first, lines)
    listed = _list_of(first, renamed)
    if listed is not None:
        kind, at = listed
        _refuse_half(path, first, kind, at)
        return {kind: [_cell(path, row) for row in lines]}
    if len(first.cells) == 1 and any(mark in first.cells[0] for mark in ";|"):
        raise DataError(
            f"{path} line {first.line}: found '{first.cells[0]}' in one column. Separate columns by commas, or by tabs "
            f"in a .tsv file, under the header that says what the ids are: {' or '.join(_TABLES)}."
        )
    if len(first.cells) == 1:
        raise DataError(
            f"{path} line {first.line}: one column without a known header; found "
            f"'{first.cells[0]}'.{nearest(first.cells[0], HEADERS)} The header says what the ids are: "
            f"{' or '.join(_TABLES)}."
        )
    if renamed:
        raise DataError(
            f"{path} line {first.line}: {', '.join(first.cells)} name nothing to delete, with the columns called "
            f"{', '.join(renamed.values())}.{nearest(first.cells[0], renamed.values())} Name the columns as the file "
            f"does, all those of {', '.join(_TABLES)}."
        )
    return _edge_parts(path, first, lines)


def header_of(kind: str) -> Sequence[str]:
    """Return the columns of a table that names things of a kind."""
    single = {part: (name,) for name, part in HEADERS.items()}
    return {"edges": ("source", "target"), **COLUMNS, **single}[kind]


def as_csv(kind: str, values: Sequence[Any]) -> str:
    """Return the CSV text of one part; raises UsageError for ids that a CSV would not give back."""
    header = header_of(kind)
    table = [value if len(header) > 1 else (value,) for value in values]
    cells = [cell for row in table for cell in row]
    lost = next((cell for cell in cells if str(cell) != str(cell).strip() or set("\r\n") & set(str(cell))), None)
    if lost is not None:
        raise UsageError(
            f"The id {lost!r} has spaces around it or runs over lines; write the deletion to .json instead."
        )
    buffer = io.StringIO()
    writer = csv.writer(buffer, quoting=csv.QUOTE_NONNUMERIC, lineterminator="\n")
    writer.writerow(header)
    writer.writerows(table)
    return buffer.getvalue()
