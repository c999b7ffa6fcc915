"""Tables with one row per node: features (.npy, .npz, CSV with an id column) and labels (.npy, CSV)."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError, UsageError
from graphforget.data.checks import class_numbers
from graphforget.data.formats.arrays import Archive, read_npy
from graphforget.data.formats.base import Features, existing
from graphforget.data.formats.npz import read_csr
from graphforget.data.formats.table import Row, is_integer, is_number, rows

_ID_NAMES = ("id", "node", "node_id", "name")
_TEXT = (".csv", ".tsv", ".txt")
_UNKNOWN = ("", "-1")


@dataclass(frozen=True)
class NodeTable:
    """Values by node: row i belongs to node `ids[i]`, or to node i when `ids` is None.

    source names the table in messages; lines are the line numbers of the rows when they come from text. header is False
    where a text has no header that is known, so that its first row may be one.
    """

    source: str
    values: Features
    ids: list[str] | None = None
    lines: list[int] | None = None
    class_names: tuple[str, ...] | None = None
    header: bool = True

    def place(self, row: int) -> str:
        """Return where row `row` stands, for a message."""
        return f"{self.source} line {self.lines[row]}" if self.lines is not None else f"{self.source} row {row}"


def _is_finite(cell: str) -> bool:
    return is_number(cell) and abs(float(cell)) <= float(np.finfo(np.float32).max)


def _is_bare_header(row: Row) -> bool:
    """Return whether a row is the header that pandas writes above an index and columns without names: ",0,1,2"."""
    return row.cells == ["", *(str(number) for number in range(len(row.cells) - 1))]


def _body(path: Path, is_header: Callable[[Row], bool], wanted: str) -> tuple[int, Row, list[Row]]:
    """Return the id column, the first row and the rows below the header of a text table."""
    lines = list(rows(path))
    if not lines or len(lines[0].cells) < 2:
        found = "no rows" if not lines else "one column"
        raise DataError(f"{path}: {found}; expected {wanted}.")
    header = is_header(lines[0]) or _is_bare_header(lines[0])
    names = [cell.lower() for cell in lines[0].cells] if header else []
    body = lines[header:]
    if not body:
        raise DataError(f"{path}: only a header; expected {wanted}.")
    return next((names.index(name) for name in _ID_NAMES if name in names), 0), lines[0], body


def _ids(path: Path, body: list[Row], column: int) -> list[str]:
    seen: dict[str, int] = {}
    for row in body:
        cell = row.cells[column]
        if not cell:
            raise DataError(f"{path} line {row.line}: the node id in column {column + 1} is empty. Fix the line.")
        if cell in seen:
            raise DataError(f"{path} line {row.line}: node '{cell}' stands on line {seen[cell]} already; keep one.")
        seen[cell] = row.line
    return list(seen)


def _numbers(path: Path, row: Row, skip: int) -> np.ndarray:
    """Return the cells of a row but the id as float32; raises DataError with line and column."""
    cells = row.cells[:skip] + row.cells[skip + 1 :]
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
            values = np.array(cells, dtype=np.float64).astype(np.float32)
    except ValueError:
        values = np.full(1, np.nan, dtype=np.float32)
    if np.isfinite(values).all():
        return values
    for column, cell in enumerate(row.cells):
        if column != skip and not _is_finite(cell):
            raise DataError(
                f"{path} line {row.line}: feature '{cell}' is not a finite number (column {column + 1}). Fix the line."
            )
    raise DataError(f"{path} line {row.line}: a feature is not a finite number. Fix the line.")


def _features_text(path: Path) -> NodeTable:
    def is_header(row: Row) -> bool:
        return not any(is_number(cell) for cell in row.cells[1:]) or row.cells[0].lower() in _ID_NAMES

    column, first, body = _body(path, is_header, "a node id and numbers in each row")
    matrix = np.stack([_numbers(path, row, column) for row in body])
    lines = [row.line for row in body]
    return NodeTable(str(path), matrix, _ids(path, body, column), lines, header=first.line < lines[0])


def _features_npz(path: Path) -> NodeTable:
    archive = Archive(path)
    if "attr_data" in archive:
        return NodeTable(str(path), read_csr(archive, "attr_"))
    if "indptr" in archive:
        kind = archive.array("format").tobytes().decode("ascii", "replace") if "format" in archive else "csr"
        if kind.replace("\0", "") != "csr":
            raise DataError(f"{path}: a sparse matrix in '{kind}' form; save it as CSR (matrix.tocsr()).")
        return NodeTable(str(path), read_csr(archive, ""))
    if len(archive.keys) != 1:
        raise DataError(
            f"{path}: holds {', '.join(archive.keys) or 'nothing'}; features are one array, or a matrix saved with "
            "scipy.sparse.save_npz."
        )
    return NodeTable(str(path), archive.array(archive.keys[0]))


def array_table(source: str, given: Any) -> NodeTable:
    """Return an array that stands in place of a file as a table; raises DataError for what is none."""
    try:
        return NodeTable(source, sp.csr_array(given) if sp.issparse(given) else np.asarray(given))
    except (ValueError, TypeError, RuntimeError) as error:
        raise DataError(f"{source}: this is no array ({error}). Give a NumPy array, or the path of a file.") from None


def checked_features(table: NodeTable) -> NodeTable:
    """Return the table if its values are a finite matrix of numbers; raises DataError otherwise."""
    values = table.values
    if values.ndim != 2 or values.dtype.kind not in "iufb":
        raise DataError(
            f"{table.source}: features must be numbers of shape (nodes, features); found {values.dtype} of shape "
            f"{values.shape}."
        )
    numbers = values.data if sp.issparse(values) else values
    if not np.isfinite(numbers).all():
        where = np.flatnonzero(~np.isfinite(np.asarray(values.sum(axis=1)).ravel()))
        raise DataError(f"{table.source}: row {where[0]} holds NaN or infinite values. Clean that row.")
    return table


def _suffix(path: Path, what: str, known: tuple[str, ...]) -> str:
    suffix = path.suffix.lower()
    if suffix not in known:
        raise UsageError(f"{path}: {what} are read from {', '.join(known)}; found the ending '{suffix}'.")
    existing(path)
    return suffix


def read_features(path: Path) -> NodeTable:
    """Return node features from .npy (nodes, F), .npz (CSR or one array) or a text table with an id column.

    The id column is called id, node, node_id or name, else it is the first. Raises DataError with the place
    of the first fault: text where a number is due, NaN, a repeated id.
    """
    suffix = _suffix(path, "features", (".npy", ".npz", *_TEXT))
    if suffix == ".npy":
        return checked_features(NodeTable(str(path), read_npy(path)))
    return checked_features(_features_npz(path)) if suffix == ".npz" else _features_text(path)


def _classes(cells: list[str]) -> tuple[np.ndarray, tuple[str, ...] | None]:
    """Return class numbers and names: 0, 1, ... stay as they are, anything else is numbered by name."""
    names = sorted(set(cells) - set(_UNKNOWN), key=lambda c: (0, int(c), "") if is_integer(c) else (1, 0, c))
    number = {name: code for code, name in enumerate(names)} | dict.fromkeys(_UNKNOWN, -1)
    plain = names == [str(code) for code in range(len(names))]
    return np.array([number[cell] for cell in cells], dtype=np.int64), None if plain else tuple(names)


def _labels_text(path: Path) -> NodeTable:
    def is_header(row: Row) -> bool:
        return row.cells[0].lower() in _ID_NAMES or row.cells[1].lower() in ("label", "class", "y")

    column, first, body = _body(path, is_header, "a node id and a label in each row")
    if len(first.cells) != 2:
        raise DataError(f"{path} line {first.line}: {len(first.cells)} columns; labels have two, 'id,label'.")
    labels, names = _classes([row.cells[1 - column] for row in body])
    lines = [row.line for row in body]
    return NodeTable(str(path), labels, _ids(path, body, column), lines, names, header=first.line < lines[0])


def read_labels(path: Path) -> NodeTable:
    """Return node labels from .npy (integers, -1 unknown) or a text table `id,label`.

    Labels in text may be names; an empty one, or -1, is unknown. Raises DataError with the place of the first
    fault.
    """
    if _suffix(path, "labels", (".npy", *_TEXT)) != ".npy":
        return _labels_text(path)
    return checked_labels(NodeTable(str(path), read_npy(path)))


def checked_labels(table: NodeTable) -> NodeTable:
    """Return the table with int64 labels if its values can be such; raises DataError otherwise."""
    if table.values.ndim != 1 or table.values.dtype.kind not in "iu":
        raise DataError(
            f"{table.source}: labels must be a list of integers (one per node, -1 where unknown); found "
            f"{table.values.dtype} of shape {table.values.shape}."
        )
    return replace(table, values=class_numbers(table.values, table.source))
