"""Sets of columns, one per row of a matrix, that answer quickly whether a column is in them."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError
from graphforget._core.streams import GOLDEN
from graphforget.kernels.csr import CSR, frozen
from graphforget.kernels.lowlevel import chunk_start, count_parts

BITS_EACH = 16
"""Least number of filter bits per member of a row. Half of that is asked in vain four times as often, each a search."""

_S6, _S8, _SHIFT = np.uint64(6), np.uint64(8), np.uint64(255)
_ZERO, _ONE, _WORD = np.uint64(0), np.uint64(1), np.uint64(63)
_S20, _S32, _LOW = np.uint64(20), np.uint64(32), np.uint64(0xFFFFFFFF)
EXACT, DENSE = _ZERO, _ONE
"""What stands in place of a shift for an exact bitmap, and for one with the list of its free columns behind it."""


class RowSets(NamedTuple):
    """The rows of a matrix as sets: an adaptive bitmap per row. Works inside numba; see `has` and `free_column`.

    A row of d members has the smallest power of two of at least max(64, 16 d) bits. Where that is below n_cols it is a
    filter: two hashed bits of one word are set for every member, so a clear one means "not in", and two set ones are
    settled by binary search. Otherwise it is the exact bitmap of n_cols bits; a row with more than half of the columns
    has the others, its free columns, listed behind the bitmap, two in a word, so that one can be drawn by its rank. At
    most four bytes per member (a fourth of one more with such a list), but 8 in all, and 8 per row.

    Shapes: indptr int64 (n_rows + 1,), indices int32 (nnz,) ascending within a row, words uint64 (n_words,), heads
    uint64 (n_rows,): first word times 256, plus `EXACT`, `DENSE` or the shift of the hash.
    """

    indptr: np.ndarray
    indices: np.ndarray
    words: np.ndarray
    heads: np.ndarray
    n_cols: int
    largest: int

    @classmethod
    def of(cls, csr: CSR) -> Self:
        """Return the sets of the stored columns of each row.

        Raises
        ------
        DataError when the columns of a row do not ascend (or one stands twice): duplicates would make draws uneven.
        """
        indptr, indices = frozen(csr.indptr), frozen(csr.indices)
        row = _first_unsorted(indptr, indices)
        if row >= 0:
            raise DataError(f"RowSets: the columns of row {row} must ascend, none twice. Sort and deduplicate them.")
        lengths = np.diff(csr.indptr)
        logs = np.maximum(6, np.ceil(np.log2(np.maximum(1, BITS_EACH * lengths))).astype(np.int64))
        exact, dense = (1 << logs) >= csr.n_cols, 2 * lengths > csr.n_cols
        listed = np.where(dense, (csr.n_cols - lengths + 1) // 2, 0)
        ends = np.cumsum(np.where(exact, -(-csr.n_cols // 64) + listed, 1 << (logs - 6)))
        words = np.zeros(ends[-1] if len(ends) else 0, np.uint64)
        first = np.concatenate(([0], ends[:-1])) if len(ends) else ends
        heads = ((first << 8) | np.where(dense, int(DENSE), np.where(exact, int(EXACT), 64 - logs))).astype(np.uint64)
        _set_bits(indptr, indices, heads, csr.n_cols, words)
        return cls(indptr, indices, words, heads, csr.n_cols, int(lengths.max(initial=0)))


@njit(cache=True, nogil=True)
def _first_unsorted(indptr: np.ndarray, indices: np.ndarray) -> int:
    for row in range(len(indptr) - 1):
        for e in range(indptr[row] + 1, indptr[row + 1]):
            if indices[e] <= indices[e - 1]:
                return row
    return -1


@njit(cache=True, inline="always")
def bits_of(head: np.uint64, column: int) -> tuple[np.uint64, np.uint64]:
    """Return the word that tells of a column in the row with this head, and its bits there. For use inside numba."""
    shift = head & _SHIFT
    if shift <= DENSE:
        return (head >> _S8) + (np.uint64(column) >> _S6), _ONE << (np.uint64(column) & _WORD)
    hashed = np.uint64(column) * GOLDEN
    bit = hashed >> shift
    return (head >> _S8) + (bit >> _S6), (_ONE << (bit & _WORD)) | (_ONE << ((hashed >> _S20) & _WORD))


@njit(cache=True, nogil=True)
def _list_free(members: np.ndarray, n_cols: int, words: np.ndarray) -> None:
    """Write the columns that `members` (ascending) does not hold, two in a word."""
    at = rank = 0
    for column in range(n_cols):
        if at < len(members) and members[at] == column:
            at += 1
        else:
            words[rank >> 1] |= np.uint64(column) << (_S32 * np.uint64(rank & 1))
            rank += 1


@njit(parallel=True, cache=True, nogil=True)
def _set_bits(indptr: np.ndarray, indices: np.ndarray, heads: np.ndarray, n_cols: int, words: np.ndarray) -> None:
    parts = count_parts(len(heads))
    for part in prange(parts):
        for row in range(chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)):
            for e in range(indptr[row], indptr[row + 1]):
                word, bits = bits_of(heads[row], indices[e])
                words[word] |= bits
            if heads[row] & _SHIFT == DENSE:
                listed = np.int64(heads[row] >> _S8) + (n_cols + 63) // 64
                _list_free(indices[indptr[row] : indptr[row + 1]], n_cols, words[listed:])


@njit(cache=True, nogil=True)
def has_column(row: np.ndarray, column: int) -> bool:
    """Return whether an ascending array holds `column`: binary search."""
    low, high = 0, len(row)
    while low < high:
        middle = (low + high) // 2
        if row[middle] < column:
            low = middle + 1
        else:
            high = middle
    return low < len(row) and row[low] == column


@njit(cache=True, inline="always")
def has(sets: RowSets, row: int, column: int) -> bool:
    """Return whether `column`, from 0 to n_cols - 1, is in the set of a row. For use inside numba."""
    head = sets.heads[row]
    word, bits = bits_of(head, column)
    if sets.words[word] & bits != bits:
        return False
    return head & _SHIFT <= DENSE or has_column(sets.indices[sets.indptr[row] : sets.indptr[row + 1]], column)


@njit(cache=True, inline="always")
def is_dense(head: np.uint64) -> np.bool:
    """Return whether the row with this head holds more than half of the columns. For use inside numba."""
    return head & _SHIFT == DENSE


@njit(cache=True, inline="always")
def is_filter(head: np.uint64) -> np.bool:
    """Return whether the row with this head has a filter, no exact bitmap. For use inside numba."""
    return head & _SHIFT > DENSE


@njit(cache=True, inline="always")
def in_bitmap(sets: RowSets, head: np.uint64, column: int) -> np.bool:
    """Return whether `column` is in the row with this head, which has no filter. For use inside numba."""
    return (sets.words[(head >> _S8) + (np.uint64(column) >> _S6)] >> (np.uint64(column) & _WORD)) & _ONE != _ZERO


@njit(cache=True, inline="always")
def listed_free(sets: RowSets, head: np.uint64, rank: int) -> np.int64:
    """Return free column number `rank`, from 0, of the dense row with this head. For use inside numba."""
    word = np.int64(head >> _S8) + (sets.n_cols + 63) // 64 + (rank >> 1)
    return np.int64((sets.words[word] >> (_S32 * np.uint64(rank & 1))) & _LOW)


@njit(cache=True, nogil=True)
def free_column(members: np.ndarray, rank: int) -> int:
    """Return column number `rank`, from 0, of those that `members` (ascending) does not hold. For use inside numba."""
    low, high = 0, len(members)
    while low < high:
        middle = (low + high) // 2
        if members[middle] - middle > rank:
            high = middle
        else:
            low = middle + 1
    return rank + low


@njit(parallel=True, cache=True, nogil=True)
def _members(sets: RowSets, rows: np.ndarray, columns: np.ndarray, out: np.ndarray) -> None:
    for k in prange(len(rows)):
        out[k] = has(sets, rows[k], columns[k])


def member_mask(sets: RowSets, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    """Return for every pair (rows[k], columns[k]) whether the column is in the set of the row. bool (m,)."""
    out = np.empty(len(rows), np.bool_)
    _members(sets, rows, columns, out)
    return out
