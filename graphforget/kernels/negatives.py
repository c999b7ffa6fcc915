"""Pairs of nodes without an edge: count, test and draw them."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.streams import GOLDEN, draw_u64
from graphforget.kernels.csr import CSR
from graphforget.kernels.row_sets import has_column

TRIES = 63
"""Draws of a slot that may be rejected; draw number 63 of the slot then picks by rank, which never fails."""

BLOCK = 1024
"""Slots of one parallel task."""

FILTER_BITS = 8
"""Least number of filter bits per entry of the matrix."""

_S6, _S32, _S64 = np.uint64(6), np.uint64(32), np.uint64(64)
_ONE, _WORD = np.uint64(1), np.uint64(63)
_LOW = np.uint64(0xFFFFFFFF)
_SLOT = TRIES + 1
_LAST = TRIES
"""The draw of a slot that picks by rank. Kernels keep constants as they were compiled, in their cache on disk, too."""


@njit(cache=True, inline="always")
def _has(indptr: np.ndarray, indices: np.ndarray, u: int, v: int) -> bool:
    return has_column(indices[indptr[u] : indptr[u + 1]], v)


@njit(cache=True, inline="always")
def _filter_bit(u: int, v: int, shift: np.uint64) -> np.uint64:
    return (((np.uint64(u) << _S32) | np.uint64(v)) * GOLDEN) >> shift


@njit(cache=True, nogil=True)
def _set_bits(indptr: np.ndarray, indices: np.ndarray, words: np.ndarray, shift: np.uint64) -> None:
    for u in range(len(indptr) - 1):
        for e in range(indptr[u], indptr[u + 1]):
            bit = _filter_bit(u, indices[e], shift)
            words[bit >> _S6] |= _ONE << (bit & _WORD)


def _edge_filter(csr: CSR, count: int) -> tuple[np.ndarray, np.uint64]:
    """Return (words, shift): the hashed bit of every entry is set, so a clear bit means no entry.

    For few draws, building it would cost more than it saves: then all bits of one word are set.
    """
    if 4 * count < csr.nnz:
        return np.full(1, ~np.uint64(0)), _S64 - _S6
    log_bits = max(6, (FILTER_BITS * csr.nnz).bit_length())
    words, shift = np.zeros(1 << (log_bits - 6), np.uint64), np.uint64(64 - log_bits)
    _set_bits(csr.indptr, csr.indices, words, shift)
    return words, shift


@njit(cache=True, inline="always")
def _is_edge(indptr: np.ndarray, indices: np.ndarray, words: np.ndarray, shift: np.uint64, u: int, v: int) -> bool:
    bit = _filter_bit(u, v, shift)
    return (words[bit >> _S6] >> (bit & _WORD)) & _ONE != 0 and _has(indptr, indices, u, v)


@njit(cache=True, nogil=True)
def _free_before(indptr: np.ndarray, indices: np.ndarray) -> np.ndarray:
    """Return where the free pairs of every row start in the list of all free pairs, (n + 1,)."""
    n = len(indptr) - 1
    start = np.zeros(n + 1, np.int64)
    for u in range(n):
        loop = 1 if _has(indptr, indices, u, u) else 0
        start[u + 1] = start[u] + n - 1 - (indptr[u + 1] - indptr[u] - loop)
    return start


@njit(cache=True, nogil=True)
def _free_in_row(indptr: np.ndarray, indices: np.ndarray, u: int, rank: int) -> int:
    """Return the rank-th node v != u that is no column of row u."""
    row = indices[indptr[u] : indptr[u + 1]]
    below = np.searchsorted(row, u)
    has_loop = below < len(row) and row[below] == u
    v = rank
    if not has_loop and rank >= u - below:
        v += 1
    for column in row:
        if column > v:
            break
        v += 1
    return v


@njit(cache=True, nogil=True)
def _by_rank(indptr: np.ndarray, indices: np.ndarray, start: np.ndarray, rank: int) -> tuple[np.intp, int]:
    """Return free pair number `rank` of all ordered free pairs."""
    u = np.searchsorted(start, rank, side="right") - 1
    return u, _free_in_row(indptr, indices, u, rank - start[u])


@njit(cache=True, nogil=True)
def _draw(
    indptr: np.ndarray, indices: np.ndarray, words: np.ndarray, shift: np.uint64, key: np.uint64, slot: int, tries: int
) -> tuple[int | np.int64, int | np.int64]:
    """Draw one pair: uniform pairs until one is free; (-1, -1) when none of so many was."""
    n = np.uint64(len(indptr) - 1)
    for attempt in range(tries):
        bits = draw_u64(key, slot * _SLOT + attempt)
        u = np.int64(((bits >> _S32) * n) >> _S32)
        v = np.int64(((bits & _LOW) * n) >> _S32)
        if u != v and not _is_edge(indptr, indices, words, shift, u, v):
            return u, v
    return -1, -1


@njit(parallel=True, cache=True, nogil=True)
def _sample(
    indptr: np.ndarray,
    indices: np.ndarray,
    words: np.ndarray,
    shift: np.uint64,
    key: np.uint64,
    tries: int,
    out: np.ndarray,
) -> None:
    count = out.shape[1]
    for block in prange((count + BLOCK - 1) // BLOCK):
        for slot in range(block * BLOCK, min(count, (block + 1) * BLOCK)):
            out[0, slot], out[1, slot] = _draw(indptr, indices, words, shift, key, slot, tries)


@njit(parallel=True, cache=True, nogil=True)
def _sample_by_rank(
    indptr: np.ndarray, indices: np.ndarray, start: np.ndarray, key: np.uint64, slots: np.ndarray, out: np.ndarray
) -> None:
    for k in prange(len(slots)):
        bits = draw_u64(key, slots[k] * _SLOT + _LAST)
        pair = _by_rank(indptr, indices, start, np.int64(bits % np.uint64(start[-1])))
        out[0, slots[k]], out[1, slots[k]] = pair


def count_non_edges(csr: CSR) -> int:
    """Return the number of ordered pairs (u, v), u != v, without an entry in `csr` (square, none twice)."""
    return int(_free_before(csr.indptr, csr.indices)[-1])


def sample_non_edges(csr: CSR, count: int, key: int) -> np.ndarray:
    """Draw `count` ordered pairs (u, v), u != v, without an entry in `csr`, uniformly and with replacement.

    Slot s uses the draws 64 s .. 64 s + 63 of the stream: a pair that is not free is thrown away whole
    (rejecting only v would favour nodes of high degree), and after 63 of them, or at once when fewer than
    half of all pairs are free, one is taken by its rank among all free pairs. The bias is below n / 2^32.

    Parameters
    ----------
    csr : square matrix without duplicate entries, n < 2^32; symmetric when no direction may be an edge
    count : number of pairs; there must be at least one free pair (`count_non_edges`) unless it is 0
    key : stream key, see `Streams`

    Returns
    -------
    int64 (2, count)
    """
    out = np.full((2, count), -1, np.int64)
    if _mostly_free(csr):
        _sample(csr.indptr, csr.indices, *_edge_filter(csr, count), np.uint64(key), TRIES, out)
    missing = np.flatnonzero(out[0] < 0)
    if len(missing):
        start = _free_before(csr.indptr, csr.indices)
        _sample_by_rank(csr.indptr, csr.indices, start, np.uint64(key), missing, out)
    return out


def _mostly_free(csr: CSR) -> bool:
    """Return whether at least half of all pairs are free; entries (i, i), of which there are 0 to n, take none."""
    half, least = csr.n_rows**2, 2 * (csr.n_rows * (csr.n_rows - 1) - csr.nnz)
    if not least < half <= least + 2 * csr.n_rows:
        return least >= half
    return 2 * count_non_edges(csr) >= half
