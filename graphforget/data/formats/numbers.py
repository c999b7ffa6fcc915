"""Text files of whole numbers from 0: read in one pass, each fault with its line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple, NoReturn

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing
from graphforget.kernels.text_scan import MAX_DIGITS, integer_rows

MAX_TEXT = 4 << 30
MAX_NUMBER = 100_000_000
_SPARSE = 1_000_000
_MARK = b"\xef\xbb\xbf"


def largest_number(count: int) -> int:
    """Return how large a user or item number may be in a file of `count` entries: tables are made that long."""
    return min(MAX_NUMBER, max(_SPARSE, 100 * count))


def read_text(path: Path) -> np.ndarray:
    """Return a text file as bytes, uint8 (n,), without a byte order mark.

    Raises DataError when it is missing, empty, larger than MAX_TEXT or no text.
    """
    size = existing(path).stat().st_size
    if size > MAX_TEXT:
        raise DataError(f"{path}: {size:,} bytes; at most {MAX_TEXT:,} are read from one text file. Divide the file.")
    return as_text(path.read_bytes(), str(path))


def as_text(data: bytes, place: str) -> np.ndarray:
    """Return bytes as uint8 (n,) without a byte order mark.

    Raises DataError where a zero byte shows no text, or a return without a newline leaves open where lines end.
    """
    text = np.frombuffer(data.removeprefix(_MARK), dtype=np.uint8)
    zeros = np.flatnonzero(text == 0)
    if len(zeros):
        raise DataError(
            f"{place} line {line_of(text, int(zeros[0]))}: holds a zero byte, so this is no text file. Name a text "
            "file, or save it as UTF-8."
        )
    returns = np.flatnonzero(text[:-1] == ord("\r"))
    alone = returns[text[returns + 1] != ord("\n")]
    if len(alone):
        raise DataError(
            f"{place} line {line_of(text, int(alone[0]))}: a return stands there without a newline (old Mac files end "
            "their lines so). Save the file with newlines."
        )
    return text


def line_of(text: np.ndarray, position: int) -> int:
    """Return the line, from 1, that a position stands in."""
    return 1 + int(np.count_nonzero(text[:position] == ord("\n")))


class NumberRows(NamedTuple):
    """The numbers of every line: line i + 1 of the file has `values[indptr[i]:indptr[i + 1]]`."""

    place: str
    values: np.ndarray
    indptr: np.ndarray

    @property
    def counts(self) -> np.ndarray:
        """How many numbers each line has."""
        return np.diff(self.indptr)

    def line(self, position: int) -> int:
        """Return the line, from 1, of the number at `position`."""
        return int(np.searchsorted(self.indptr, position, side="right"))


def _word(text: np.ndarray, start: int) -> str:
    """Return the word at a position, cut where it is long."""
    return text[start : start + 200].tobytes().split()[0].decode("utf-8", "replace")[:40]


def _fault(place: str, text: np.ndarray, start: int, layout: str) -> NoReturn:
    word, line = _word(text, start), line_of(text, start)
    digits = word.removeprefix("-")
    if not (digits.isascii() and digits.isdigit()):
        what = "is not a whole number"
    else:
        what = "is negative" if word.startswith("-") else f"has more than {MAX_DIGITS} digits"
    raise DataError(f"{place} line {line}: '{word}' {what}. {layout}; fix the line.")


def number_rows(text: np.ndarray, place: str, layout: str) -> NumberRows:
    """Return the numbers of every line of a text.

    Parameters
    ----------
    text: uint8 (n,), as `read_text` gives it.
    place: the file, for messages.
    layout: what a line must hold, as "Each line is ...".

    Raises DataError at the first word that is no whole number from 0, or a text without numbers.
    """
    values, indptr, fault = integer_rows(text)
    if fault >= 0:
        _fault(place, text, fault, layout)
    if not len(values):
        raise DataError(f"{place}: no numbers in it. {layout}.")
    return NumberRows(place, values, indptr)


def number_table(rows: NumberRows, width: int, layout: str) -> np.ndarray:
    """Return rows as an array (width, rows); blank lines are passed over.

    Raises DataError at the first line with another count of numbers.
    """
    counts = rows.counts
    wrong = np.flatnonzero((counts != 0) & (counts != width))
    if len(wrong):
        raise DataError(
            f"{rows.place} line {wrong[0] + 1}: {counts[wrong[0]]} number(s), but {width} are due. {layout}; fix the "
            "line."
        )
    return np.ascontiguousarray(rows.values.reshape(-1, width).T)


def check_range(rows: NumberRows, positions: np.ndarray, what: str) -> None:
    """Check that the numbers at `positions` can be counted from 0: none above MAX_NUMBER, nor far above the rest.

    Raises DataError at the largest one, as memory is taken for every number below it.
    """
    if not len(positions):
        return
    at = int(positions[np.argmax(rows.values[positions])])
    largest = int(rows.values[at])
    if largest > largest_number(len(rows.values)):
        raise DataError(
            f"{rows.place} line {rows.line(at)}: {what} number {largest:,} is too large for a file of "
            f"{len(rows.values):,} numbers; {what}s are numbered from 0 without large gaps. For ids of another kind "
            "write a table 'user,item' and name its columns."
        )
