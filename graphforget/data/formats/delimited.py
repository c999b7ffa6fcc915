"""Columns of a delimited text file, for files of millions of rows: cells are found by position, not copied."""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from graphforget._core.errors import DataError
from graphforget._core.words import counted
from graphforget.data.formats.base import text_ids
from graphforget.data.formats.numbers import read_text
from graphforget.data.formats.raw_interactions import first_line
from graphforget.data.formats.table import refuse_quotes
from graphforget.kernels.text_scan import cell_decimals, cell_integers, table_cells

COMMA, TAB, COLONS, BLANKS = b",", b"\t", b"::", b""
QUOTED = b'" \t\r'
"""What may stand around the name of a column."""
_UNIT = b"\x1f"
_SHOWN = 40
_UNITS = (1e8, 1e11, 1e14, 1e17)
_UNIT_NAMES = ("seconds", "milliseconds", "microseconds", "nanoseconds")
Ids = np.ndarray | list[bytes]


@dataclass(frozen=True)
class Sheet:
    """Some columns of a delimited text.

    Attributes
    ----------
    text: uint8, the file.
    spans: int64 (rows, columns, 2), where each cell stands in `text`.
    lines: int64 (rows,), the line of each row, from 1.
    numbers: for each column its number in the file, from 1, for messages.
    """

    path: Path
    text: np.ndarray
    spans: np.ndarray
    lines: np.ndarray
    numbers: tuple[int, ...]

    @property
    def n_rows(self) -> int:
        """Number of rows below the header."""
        return len(self.lines)

    def cell(self, row: int, column: int) -> str:
        """Return one cell, cut where it is long."""
        start, end = self.spans[row, column]
        return self.text[start : min(end, start + 4 * _SHOWN)].tobytes().decode("utf-8", "replace")[:_SHOWN]

    def fault(self, row: int, column: int, what: str, wrong: str, remedy: str) -> DataError:
        """Return the error for one cell, as "... line 3: rating 'x' is no number (column 2). Fix the line."."""
        return DataError(
            f"{self.path} line {self.lines[row]}: {what} '{self.cell(row, column)}' {wrong} (column "
            f"{self.numbers[column]}). {remedy}"
        )

    def words(self, column: int) -> list[bytes]:
        """Return the cells of a column."""
        data = self.text.tobytes()
        starts, ends = self.spans[:, column].T
        return [data[start:end] for start, end in zip(starts.tolist(), ends.tolist(), strict=True)]

    def integers(self, column: int, what: str, remedy: str = "Fix the line.") -> np.ndarray:
        """Return a column as int64; raises DataError at the first cell that is no integer of 64 bits."""
        values, bad = cell_integers(self.text, np.ascontiguousarray(self.spans[:, column]))
        if bad >= 0:
            raise self.fault(bad, column, what, "is not an integer", remedy)
        return values

    def floats(self, column: int, what: str) -> np.ndarray:
        """Return a column as float64; raises DataError at the first cell that is no finite number."""
        values, slow = cell_decimals(self.text, np.ascontiguousarray(self.spans[:, column]))
        if slow < 0:
            return values
        words = self.words(column)
        number = {word: _number(word) for word in set(words)}
        values = np.array([number[word] for word in words], dtype=np.float64)
        wrong = np.flatnonzero(~np.isfinite(values))
        if len(wrong):
            raise self.fault(int(wrong[0]), column, what, "is not a finite number", "Fix the line.")
        return values

    def times(self, column: int) -> np.ndarray:
        """Return a column of times as float64: numbers as they are, or ISO 8601 dates as seconds since 1970.

        The first cell decides which. Since 1973 seconds, milliseconds, micro- and nanoseconds have numbers of different
        size. Dates have a zone all, or none: they are read as UTC then, which changes no order.

        Raises DataError for other text, or where the unit, or what dates say of their zone, changes on the way.
        """
        start, end = self.spans[0, column]
        if _moment(self.text[start:end].tobytes()) is not None:
            return self._dates(column)
        values = self.floats(column, "time")
        row, begun = change_of_unit(values)
        if begun:
            raise self.fault(row, column, "time", begun, "Bring all times to one unit.")
        return values

    def _dates(self, column: int) -> np.ndarray:
        words = self.words(column)
        met = {word: _moment(word) for word in set(words)}
        found = [met[word] for word in words]
        zoned = found[0] is not None and found[0].tzinfo is not None
        for row, moment in enumerate(found):
            if moment is None:
                raise self.fault(row, column, "time", "is no date as 2026-11-22T09:30:00", "Fix the line.")
            if (moment.tzinfo is not None) != zoned:
                said = "names no time zone, as those above it do" if zoned else "names a time zone; those above do not"
                raise self.fault(row, column, "time", said, "Give all of them one, or none.")
        seconds = {word: _seconds(moment) for word, moment in met.items() if moment is not None}
        return np.array([seconds[word] for word in words], dtype=np.float64)

    @property
    def notes(self) -> tuple[str, ...]:
        """What was passed over between the rows."""
        blank = int(self.lines[-1] - self.lines[0]) + 1 - self.n_rows
        return (f"{self.path.name}: {counted(blank, 'blank line')} passed over",) if blank else ()

    def ids(self, column: int, what: str, as_text: bool) -> Ids:
        """Return a column of ids: int64 when the first is an integer (and not `as_text`), else its words.

        Raises DataError for an empty id, or text where integers began.
        """
        sizes = self.spans[:, column, 1] - self.spans[:, column, 0]
        empty = np.flatnonzero(sizes == 0)
        if len(empty):
            raise DataError(
                f"{self.path} line {self.lines[empty[0]]}: the {what} in column {self.numbers[column]} is empty. Fix "
                "the line."
            )
        first = cell_integers(self.text, np.ascontiguousarray(self.spans[:1, column]))[1] < 0
        if as_text or not first:
            return self.words(column)
        return self.integers(column, what, 'Fix the line, or pass ids="text".')


def change_of_unit(times: np.ndarray) -> tuple[int, str]:
    """Return the first of some times that has another unit than those above, and what is wrong with it ("" if none)."""
    unit = np.digitize(times, _UNITS)
    first = np.flatnonzero(unit > 0)
    other = first[unit[first] != unit[first[:1]]]
    if not len(other):
        return -1, ""
    row = int(other[0])
    return row, f"is {_UNIT_NAMES[unit[row] - 1]} by its size, after {_UNIT_NAMES[unit[first[0]] - 1]}"


def _moment(word: bytes) -> datetime | None:
    """Return a date, with or without a time of day, else None; digits alone are a number, never a date."""
    if b"-" not in word[1:] or not math.isnan(_number(word)):
        return None
    try:
        return datetime.fromisoformat(word.decode())
    except ValueError:  # which UnicodeDecodeError is, too
        return None


def _seconds(moment: datetime) -> float:
    """Return the seconds since 1970, of UTC where no zone is named."""
    return (moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)).timestamp()


def _number(word: bytes) -> float:
    try:
        return float(word) if b"_" not in word else float("nan")
    except ValueError:
        return float("nan")


def _unquoted(path: Path, text: np.ndarray, mark: bytes) -> np.ndarray:
    """Return the text with its quoted cells opened and the unit separator between cells; lines stay in place."""
    place, lines = str(path), []
    try:
        for line in text.tobytes().decode("utf-8").split("\n"):
            cells = next(
                csv.reader([line.rstrip("\r")], delimiter=mark.decode(), skipinitialspace=True, strict=True), []
            )
            lines.append(_UNIT.decode().join(cell.replace("\n", " ") for cell in cells))
    except UnicodeDecodeError as error:
        raise DataError(f"{place}: byte {error.start} is not UTF-8 text. Save the file as UTF-8.") from None
    except csv.Error as error:
        raise DataError(
            f"{place} line {len(lines) + 1}: not a table row ({error}); a cell must not run over several lines. Fix "
            "the quotes there."
        ) from None
    return np.frombuffer("\n".join(lines).encode(), dtype=np.uint8)


def _first_line(text: np.ndarray) -> tuple[bytes, int]:
    """Return the first line that is neither blank nor a comment (#), and how many lines stand above it."""
    above = 0
    data = text.tobytes()
    start = 0
    while start < len(data):
        end = data.find(b"\n", start)
        end = len(data) if end < 0 else end
        if data[start:end].strip() and data[start : start + 1] != b"#":
            return data[start:end].strip(b"\r"), above
        above, start = above + 1, end + 1
    return b"", above


class Delimited:
    """An open delimited text file: its first row, and columns out of the rest.

    Parameters
    ----------
    path: the file.
    mark: what stands between two cells (COMMA, TAB, COLONS, or BLANKS for runs of blanks).

    Raises DataError when the file is missing, empty or no text.
    """

    def __init__(self, path: Path, mark: bytes) -> None:
        self.path, self.mark = path, mark
        self.text = read_text(path)
        if mark in (COMMA, TAB) and (self.text == ord('"')).any():
            self.text, self.mark = _unquoted(path, self.text, mark), _UNIT
        line, self._above = _first_line(self.text)
        if not line.strip():
            raise DataError(f"{path}: no rows in it. Name a file with one row per record.")
        above = self.text.tobytes().split(b"\n", self._above)[:-1] if self._above else []
        comments = sum(line.startswith(b"#") for line in above)
        self.notes = (f"{path.name}: {counted(comments, 'comment line')} (#) passed over",) if comments else ()
        cells = line.split(self.mark) if self.mark else line.split()
        if not self.mark:
            refuse_quotes(f"{path} line {self._above + 1}", line.decode("utf-8", "replace"))
        self.first = [cell.strip().decode("utf-8", "replace") for cell in cells]

    def sheet(self, columns: Sequence[int], header: bool) -> Sheet:
        """Return some columns (from 0) of the rows, without the first when it is a header.

        Raises DataError at the first row with another number of cells, or when there is no row.
        """
        first = self._above + header
        wanted = np.array(columns, dtype=np.int64)
        mark = np.frombuffer(self.mark, dtype=np.uint8)
        spans, lines, fault, found = table_cells(self.text, mark, len(self.first), wanted, first)
        if fault:
            raise DataError(
                f"{self.path} line {fault}: {found} column(s), but line {self._above + 1} has {len(self.first)}. Every "
                "row must have the same number of columns; fix that line."
            )
        if not len(lines):
            raise DataError(f"{self.path}: only a header and no rows. Add one record per line.")
        return Sheet(self.path, self.text, spans, lines, tuple(int(column) + 1 for column in columns))


def mark_of(path: Path) -> bytes:
    """Return what stands between cells: comma for .csv, tab for .tsv, else what the first line shows."""
    by_suffix = {".csv": COMMA, ".tsv": TAB}.get(path.suffix.lower())
    if by_suffix is not None:
        return by_suffix
    line = first_line(path)
    return next((mark for mark in (TAB, COLONS, COMMA) if mark in line), BLANKS)


def numbered(columns: Sequence[Ids], where: str) -> tuple[np.ndarray, list[np.ndarray]]:
    """Return the distinct ids of several columns in ascending order, and each column as their numbers.

    Parameters
    ----------
    columns: as `Sheet.ids` gives them; text in one of them makes all text.
    where: the files, for messages.

    Raises DataError for ids that are no UTF-8 text.
    """
    if any(isinstance(column, list) for column in columns):
        words = [column if isinstance(column, list) else _as_words(column) for column in columns]
        return _numbered_words(words, where)
    ids, code = _numbered_integers(np.concatenate(columns))
    return ids, np.split(code, np.cumsum([len(column) for column in columns])[:-1])


def _as_words(column: np.ndarray) -> list[bytes]:
    return [str(number).encode() for number in column.tolist()]


def _numbered_integers(values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct integers and the rank of each value; without sorting where they are close together."""
    low = int(values.min(initial=0))
    width = int(values.max(initial=0)) - low + 1
    if width > 4 * len(values):
        ids, code = np.unique(values, return_inverse=True)
        return ids, code.astype(np.int64)
    there = np.zeros(width, dtype=np.int64)
    there[values - low] = 1
    return np.flatnonzero(there) + low, (np.cumsum(there) - 1)[values - low]


def _numbered_words(columns: Sequence[list[bytes]], where: str) -> tuple[np.ndarray, list[np.ndarray]]:
    met: dict[bytes, int] = {}
    codes = [np.array([met.setdefault(word, len(met)) for word in column], dtype=np.int64) for column in columns]
    order = sorted(range(len(met)), key=list(met).__getitem__)
    rank = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    try:
        ids = text_ids([word.decode("utf-8") for word in sorted(met)], where)
    except UnicodeDecodeError as error:
        raise DataError(f"{where}: the id {error.object!r} is not UTF-8 text. Save the file as UTF-8.") from None
    return ids, [rank[code] for code in codes]
