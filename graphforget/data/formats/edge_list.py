"""Edge lists: CSV, TSV or white-space separated text with two id columns."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Iterator, Sequence
from itertools import chain
from pathlib import Path

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import GraphFormat, RawGraph, text_ids
from graphforget.data.formats.table import Row, integer, is_integer, rows, text_note

COLUMN_NAMES = (("source", "target"), ("u", "v"), ("src", "dst"), ("from", "to"), ("node1", "node2"))

NO_HEADER = "has no header that is known"
"""What a note says of an edge list of text ids whose first line may have been a header."""


def named_columns(cells: Sequence[str]) -> tuple[int, int] | None:
    """Return the positions of the two id columns when `cells` are a header that names them, else None."""
    names = [cell.lower() for cell in cells]
    pairs = ((names.index(a), names.index(b)) for a, b in COLUMN_NAMES if a in names and b in names)
    return next(pairs, None)


def _columns(first: Row, second: Row | None) -> tuple[tuple[int, int], bool]:
    """Return the two id columns and whether the first row is a header."""
    named = named_columns(first.cells)
    if named is not None:
        return named, True
    numbers_follow = second is not None and all(is_integer(cell) for cell in second.cells[:2])
    return (0, 1), numbers_follow and not any(is_integer(cell) for cell in first.cells[:2])


class Ids:
    """Numbers node ids in the order they are met; all integers, or all text (decided by the first row)."""

    def __init__(self, path: Path, text: bool) -> None:
        self.path, self.text = path, text
        self.codes: dict[str, int] = {}

    def code(self, row: Row, column: int) -> int:
        """Return the code of a cell; raises DataError for an empty cell, or text where integers began."""
        cell = row.cells[column]
        found = self.codes.get(cell)
        return found if found is not None else self._new(row, column)

    def _new(self, row: Row, column: int) -> int:
        cell = row.cells[column]
        if not cell:
            raise DataError(f"{self.path} line {row.line}: the node id in column {column + 1} is empty. Fix the line.")
        if not self.text:
            integer(self.path, row, column, "node id")
        return self.codes.setdefault(cell, len(self.codes))

    def sorted(self) -> tuple[np.ndarray, np.ndarray]:
        """Return the ids in ascending order, and for each code its rank in that order."""
        keys = list(self.codes)
        ids = text_ids(keys, str(self.path)) if self.text else np.array([int(cell) for cell in keys], dtype=np.int64)
        order = np.argsort(ids, kind="stable")
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return ids[order], rank


def _start(path: Path) -> tuple[Iterator[Row], Row, tuple[int, int], Row | None]:
    """Return the edge rows, the first of them, the id columns and the header if there is one."""
    lines = rows(path)
    first = next(lines, None)
    if first is None:
        raise DataError(f"{path}: no rows. An edge list has two id columns, as 'source,target'.")
    if len(first.cells) < 2:
        raise DataError(
            f"{path} line {first.line}: {len(first.cells)} column(s) found; an edge list has two id columns. Separate "
            "them by a comma (.csv), a tab (.tsv) or white space (.txt)."
        )
    second = next(lines, None)
    columns, header = _columns(first, second)
    if header and second is None:
        raise DataError(f"{path}: only a header and no edges. Add one edge per line.")
    data = [row for row in (first, second) if row is not None][header:]
    return chain(data, lines), data[0], columns, first if header else None


def read_edges(path: Path) -> tuple[np.ndarray, Ids, tuple[str, ...]]:
    """Return the edges as (2, E) codes in file order, the ids behind the codes, and notes."""
    lines, first, columns, header = _start(path)
    ids = Ids(path, text=not all(is_integer(first.cells[column]) for column in columns))
    pairs = array("q")
    code: Callable[[Row, int], int] = ids.code
    for row in lines:
        pairs.append(code(row, columns[0]))
        pairs.append(code(row, columns[1]))
    edges = np.frombuffer(pairs, dtype=np.int64).reshape(-1, 2).T
    notes = [f"{len(first.cells) - 2} further column(s) of {path.name} not read"] if len(first.cells) > 2 else []
    if header is not None and named_columns(header.cells) is None:
        notes.append(f"{path.name}: the first line ({', '.join(header.cells)}) was read as a header")
    if not header and ids.text:
        notes.append(
            f"{path.name} {NO_HEADER}; its first line was read as an edge ({', '.join(first.cells[:2])}); if that is "
            "the header, call the columns source and target"
        )
    return edges, ids, (*notes, *(text_note(list(ids.codes), "node") if ids.text else ()))


class EdgeList(GraphFormat):
    """Reader of one edge per line.

    The two id columns are called source and target (or u and v, src and dst, from and to), else they are the
    first two. Ids are integers or text: integers when both ids of the first edge are. Node numbers follow the
    ascending order of the ids. Repeated edges and self-loops are no errors; `Graph.build` drops and counts
    them.
    """

    name = "edge-list"
    suffixes = (".csv", ".tsv", ".txt", ".edges")

    def read(self, files: Sequence[Path]) -> RawGraph:
        """Return the graph without features; raises DataError with file, line and column of a fault."""
        codes, ids, notes = read_edges(files[0])
        names, rank = ids.sorted()
        return RawGraph(len(names), rank[codes], ids=names, notes=notes)
