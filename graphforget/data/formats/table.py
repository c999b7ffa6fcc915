"""Rows of a text table with their line numbers, so that an error can name the place."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Sequence
from itertools import chain
from pathlib import Path
from typing import NamedTuple

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing

INTEGER = re.compile(r"-?(0|[1-9][0-9]*)")
_LIMIT = 1 << 63


def is_integer(cell: str) -> bool:
    """Return whether `cell` is an integer of at most 64 bits, without sign + or leading zeros."""
    return INTEGER.fullmatch(cell) is not None and cell != "-0" and -_LIMIT <= int(cell) < _LIMIT


class Row(NamedTuple):
    """One line of a table: its number (from 1) and its cells, stripped of spaces."""

    line: int
    cells: list[str]


def _delimiter(path: Path, first: str) -> str | None:
    """Return comma for .csv, tab for .tsv, else what the first line shows (None: white space)."""
    by_suffix = {".csv": ",", ".tsv": "\t"}.get(path.suffix.lower())
    if by_suffix is not None:
        return by_suffix
    return next((mark for mark in ("\t", ",") if mark in first), None)


def _unquoted(text: str, mark: str) -> list[str]:
    """Return the cells of a line with quotes; blanks may stand before a quote, as before any cell."""
    return next(csv.reader([text], delimiter=mark, skipinitialspace=True, strict=True))


def refuse_quotes(place: str, line: str) -> None:
    """Raise DataError for a first line with quoted cells between blanks: a quoted cell may hold blanks, too."""
    if any(len(cell) > 1 and cell[0] == cell[-1] == '"' for cell in line.split()):
        raise DataError(
            f"{place}: cells in quotes between blanks, as R's write.table writes them, are not read. Save the file as "
            "CSV: write.csv(..., row.names = FALSE)."
        )


def _split(path: Path, lines: Iterator[tuple[int, str]]) -> Iterator[Row]:
    first = next(lines, None)
    if first is None:
        return
    mark = _delimiter(path, first[1])
    if mark is None:
        refuse_quotes(f"{path} line {first[0]}", first[1])
    for number, text in chain([first], lines):
        if "\0" in text:
            raise DataError(
                f"{path} line {number}: holds a zero byte, so this is no text table. Name a CSV or TSV file."
            )
        plain = mark is None or '"' not in text
        cells = text.split(mark) if plain else _unquoted(text, mark or ",")
        yield Row(number, [cell.strip() for cell in cells])


def _content(path: Path) -> Iterator[tuple[int, str]]:
    """Yield the numbered lines that are neither blank nor comments (starting with #, above the first row)."""
    started = False
    with path.open(encoding="utf-8-sig", newline=None) as file:
        for number, line in enumerate(file, start=1):
            text = line.rstrip("\n")
            if text.strip() and (started or not text.startswith("#")):
                started = True
                yield number, text


def rows(path: Path) -> Iterator[Row]:
    """Yield the rows of a CSV, TSV or white-space separated file; blank lines, and # comments above the
    first row, are passed over.

    Raises DataError when the file is missing, empty, no UTF-8 text, or a row has another number of cells than
    the first one. A cell may be quoted but not run over several lines.
    """
    last = 0
    try:
        width: Row | None = None
        for row in _split(existing(path), _content(path)):
            last = row.line
            width = width or row
            if len(row.cells) != len(width.cells):
                raise DataError(
                    f"{path} line {row.line}: {len(row.cells)} column(s), but line {width.line} has "
                    f"{len(width.cells)}. Every row must have the same number of columns; fix that line."
                )
            yield row
    except UnicodeDecodeError:
        raise DataError(
            f"{path}: not UTF-8 text after line {last}. Name a CSV or TSV file, or save it as UTF-8."
        ) from None
    except csv.Error as error:
        raise DataError(f"{path} line {last + 1} or after: not a table row ({error}). Fix the quotes there.") from None


def is_number(word: str) -> bool:
    """Return whether a word is a number to Python, infinite ones and NaN included."""
    try:
        float(word)
    except ValueError:
        return False
    return True


def text_note(ids: Sequence[str], what: str) -> tuple[str, ...]:
    """Return a note when ids that were read as text look like numbers, all or some of them."""
    numbers = [word for word in ids if is_number(word)]
    if not numbers:
        return ()
    return (f"{what} ids are text, but {len(numbers):,} of {len(ids):,} look like numbers (as '{numbers[0]}')",)


def integer(path: Path, row: Row, column: int, what: str) -> int:
    """Return a cell as an integer; raises DataError with file, line and column."""
    cell = row.cells[column]
    if not is_integer(cell):
        raise DataError(
            f"{path} line {row.line}: {what} '{cell}' is not an integer (column {column + 1}). Fix the line, or make "
            f"every {what} text."
        )
    return int(cell)
