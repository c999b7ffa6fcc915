"""Text as bytes: rows of integers, and the cells of a table. No text is decoded here."""

from __future__ import annotations

import numpy as np

from graphforget._core.compiled import njit

_TAB, _NEWLINE, _RETURN, _SPACE, _MINUS, _DOT, _ZERO, _NINE = 9, 10, 13, 32, 45, 46, 48, 57
_EXACT = 15  # decimal digits of which float64 holds every number, and whose powers of ten it holds, too
_LARGEST = np.uint64(9_223_372_036_854_775_807)
MAX_DIGITS = 18
"""Numbers of `integer_rows` have at most so many digits, and so fit 64 bits."""


@njit(cache=True, inline="always")
def _is_blank(byte: int) -> bool:
    return byte == _SPACE or byte == _TAB or byte == _RETURN


@njit(cache=True, nogil=True)
def _count(text: np.ndarray) -> tuple[int, int]:
    """Return how many words and how many lines `text` has."""
    words, lines, inside = 0, 0, False
    for byte in text:
        blank = _is_blank(byte) or byte == _NEWLINE
        words += not blank and not inside
        inside = not blank
        lines += byte == _NEWLINE
    if len(text) and text[-1] != _NEWLINE:
        lines += 1
    return words, lines


@njit(cache=True, nogil=True)
def integer_rows(text: np.ndarray) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the unsigned integers of every line, separated by blanks or tabs.

    Parameters
    ----------
    text : uint8 (n,), lines end in a newline (a return before it is a blank)

    Returns
    -------
    values : int64 (words,)
    indptr : int64 (lines + 1,), line i holds `values[indptr[i]:indptr[i + 1]]`
    fault : position in `text` of the first word that is no integer of at most MAX_DIGITS digits, else -1
    """
    words, lines = _count(text)
    values, indptr = np.empty(words, np.int64), np.zeros(lines + 1, np.int64)
    word, line, at, n = 0, 0, 0, len(text)
    while at < n:
        byte = text[at]
        if byte == _NEWLINE:
            line += 1
            indptr[line] = word
        if byte == _NEWLINE or _is_blank(byte):
            at += 1
            continue
        start, value = at, 0
        while at < n and _ZERO <= text[at] <= _NINE and at - start < MAX_DIGITS:
            value = value * 10 + (text[at] - _ZERO)
            at += 1
        if at == start or (at < n and not (_is_blank(text[at]) or text[at] == _NEWLINE)):
            return values, indptr, start
        values[word] = value
        word += 1
    indptr[lines] = word
    return values, indptr, -1


@njit(cache=True, inline="always")
def _mark_at(text: np.ndarray, at: int, mark: np.ndarray) -> bool:
    if at + len(mark) > len(text):
        return False
    for k in range(len(mark)):
        if text[at + k] != mark[k]:
            return False
    return True


@njit(cache=True, inline="always")
def _line_end(text: np.ndarray, at: int) -> int:
    while at < len(text) and text[at] != _NEWLINE:
        at += 1
    return at


@njit(cache=True, inline="always")
def _cell_end(text: np.ndarray, at: int, end: int, mark: np.ndarray) -> int:
    """Return where the cell that starts at `at` ends; an empty mark stands for blanks."""
    if len(mark) == 0:
        while at < end and not _is_blank(text[at]):
            at += 1
        return at
    while at < end and not (text[at] == mark[0] and _mark_at(text, at, mark)):
        at += 1
    return at


@njit(cache=True, inline="always")
def _trimmed(text: np.ndarray, start: int, end: int) -> tuple[int, int]:
    while start < end and _is_blank(text[start]):
        start += 1
    while end > start and _is_blank(text[end - 1]):
        end -= 1
    return start, end


@njit(cache=True, nogil=True)
def _row_cells(text: np.ndarray, start: int, end: int, mark: np.ndarray, spans: np.ndarray) -> int:
    """Write the first and last position of every cell of a line into `spans` and return how many cells it has."""
    cells, at = 0, start
    while True:
        stop = _cell_end(text, at, end, mark)
        if cells < len(spans):
            spans[cells, 0], spans[cells, 1] = _trimmed(text, at, stop)
        cells += 1
        if stop >= end:
            return cells
        at = stop + max(1, len(mark))
        if len(mark) == 0:
            at, _ = _trimmed(text, at, end)


@njit(cache=True, nogil=True)
def table_cells(
    text: np.ndarray, mark: np.ndarray, n_cells: int, columns: np.ndarray, first: int
) -> tuple[np.ndarray, np.ndarray, int, int]:
    """Return where the cells of some columns stand, for every line that is not blank.

    Parameters
    ----------
    text : uint8 (n,)
    mark : uint8 (k,), the bytes between two cells; none: runs of blanks and tabs
    n_cells : cells that every line must have
    columns : int64 (c,), the columns wanted, in [0, n_cells)
    first : lines above this one (from 0) are passed over

    Returns
    -------
    spans : int64 (rows, c, 2), each cell without the blanks around it is `text[spans[r, j, 0]:spans[r, j, 1]]`
    lines : int64 (rows,), the line of every row, from 1
    fault : line of the first row with another number of cells, from 1, or 0
    found : its number of cells
    """
    _, n_lines = _count(text)
    spans, lines = np.empty((n_lines, len(columns), 2), np.int64), np.empty(n_lines, np.int64)
    cells = np.empty((n_cells, 2), np.int64)
    row, at = 0, 0
    for line in range(n_lines):
        end = _line_end(text, at)
        start, stop = (at, end) if len(mark) else _trimmed(text, at, end)
        low, high = _trimmed(text, at, end)
        at = end + 1
        if low == high or line < first:
            continue
        found = _row_cells(text, start, stop, mark, cells)
        if found != n_cells:
            return spans[:row], lines[:row], line + 1, found
        for j in range(len(columns)):
            spans[row, j] = cells[columns[j]]
        lines[row] = line + 1
        row += 1
    return spans[:row], lines[:row], 0, 0


@njit(cache=True, inline="always")
def _integer_at(text: np.ndarray, start: int, end: int) -> tuple[bool, int | np.int64]:
    """Return whether a cell is an integer of 64 bits without +, leading zeros or -0, and its value."""
    negative = end > start and text[start] == _MINUS
    at = start + negative
    if end == at or end - at > 19 or (text[at] == _ZERO and (end - at > 1 or negative)):
        return False, 0
    value = np.uint64(0)
    for k in range(at, end):
        if not _ZERO <= text[k] <= _NINE:
            return False, 0
        value = value * np.uint64(10) + np.uint64(text[k] - _ZERO)
    if value > _LARGEST:
        return False, 0
    return True, -np.int64(value) if negative else np.int64(value)


@njit(cache=True, nogil=True)
def cell_integers(text: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the cells as int64, and the row of the first that is no integer (-1 when all are).

    An integer has no sign +, no leading zero and at most 63 bits beside its sign.

    Parameters
    ----------
    text : uint8 (n,)
    spans : int64 (rows, 2)
    """
    values = np.empty(len(spans), np.int64)
    for row in range(len(spans)):
        good, values[row] = _integer_at(text, spans[row, 0], spans[row, 1])
        if not good:
            return values, row
    return values, -1


@njit(cache=True, inline="always")
def _decimal_at(text: np.ndarray, start: int, end: int) -> tuple[bool, float]:
    negative = end > start and text[start] == _MINUS
    at = start + negative
    value, digits, below, dots = 0.0, 0, 1.0, 0
    for k in range(at, end):
        if text[k] == _DOT:
            dots += 1
        elif _ZERO <= text[k] <= _NINE:
            value = value * 10.0 + (text[k] - _ZERO)
            digits += 1
            below = below * 10.0 if dots else below
        else:
            return False, 0.0
    if digits == 0 or digits > _EXACT or dots > 1:
        return False, 0.0
    return True, -value / below if negative else value / below


@njit(cache=True, nogil=True)
def cell_decimals(text: np.ndarray, spans: np.ndarray) -> tuple[np.ndarray, int]:
    """Return the cells as float64, correctly rounded, and the row of the first that is not plain (-1 when all are).

    A plain number has at most 15 digits, perhaps a point among them, perhaps a sign - in front.

    Parameters
    ----------
    text : uint8 (n,)
    spans : int64 (rows, 2)
    """
    values = np.empty(len(spans), np.float64)
    for row in range(len(spans)):
        good, values[row] = _decimal_at(text, spans[row, 0], spans[row, 1])
        if not good:
            return values, row
    return values, -1
