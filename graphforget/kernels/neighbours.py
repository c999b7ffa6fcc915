"""A few random entries of some rows of a matrix: the neighbours that mini-batches of a graph are computed from."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import UsageError
from graphforget._core.streams import draw_below, draw_u64
from graphforget.kernels.csr import CSR

BLOCK = 64
"""Rows of one parallel task."""


@njit(cache=True, nogil=True)
def _insert(places: np.ndarray, length: int, value: int, distinct: bool) -> bool:
    """Put `value` into the first `length` ascending places; False where it stands there and they are `distinct`."""
    at = length
    while at > 0 and places[at - 1] > value:
        at -= 1
    if distinct and at > 0 and places[at - 1] == value:
        return False
    for k in range(length, at, -1):
        places[k] = places[k - 1]
    places[at] = value
    return True


@njit(cache=True, nogil=True)
def _places(key: np.uint64, degree: int, replace: bool, places: np.ndarray) -> None:
    """Fill `places` with ascending draws from 0 .. degree - 1: a subset (Floyd), or independent ones."""
    k = len(places)
    for number in range(k):
        last = degree - 1 if replace else degree - k + number
        if not _insert(places, number, draw_below(key, number, last + 1), not replace):
            places[number] = last


@njit(cache=True, nogil=True)
def _lengths(indptr: np.ndarray, rows: np.ndarray, count: int, replace: bool) -> np.ndarray:
    starts = np.zeros(len(rows) + 1, np.int64)
    for k in range(len(rows)):
        degree = indptr[rows[k] + 1] - indptr[rows[k]]
        taken = degree if count < 0 else (count if replace and degree > 0 else min(degree, count))
        starts[k + 1] = starts[k] + taken
    return starts


@njit(parallel=True, cache=True, nogil=True)
def _fill(
    csr: CSR,
    rows: np.ndarray,
    starts: np.ndarray,
    key: np.uint64,
    replace: bool,
    indices: np.ndarray,
    values: np.ndarray,
) -> None:
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        for k in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
            first, degree = csr.indptr[rows[k]], csr.indptr[rows[k] + 1] - csr.indptr[rows[k]]
            places = np.arange(starts[k + 1] - starts[k])
            if replace or len(places) < degree:
                _places(draw_u64(key, rows[k]), degree, replace, places)
            scale = degree / max(1, len(places))
            for e in range(len(places)):
                indices[starts[k] + e] = csr.indices[first + places[e]]
                values[starts[k] + e] = csr.values[first + places[e]] * scale


def sample_neighbours(csr: CSR, rows: np.ndarray, count: int | None, key: int, *, replace: bool = False) -> CSR:
    """Return `count` uniformly drawn entries of each of some rows, (len(rows), n_cols), columns ascending.

    A row of d entries gives min(count, d) of them, distinct, or with `replace` exactly `count` independent draws (none
    where d is 0). A drawn value is multiplied by d over the number drawn, so that a row's product with anything is
    right on average (Hamilton et al. 2017, section 3.1; the factor is that of an unbiased sum). What is drawn for a row
    depends on the key and the row alone, not on the other rows or on the number of threads. Subsets are drawn by Floyd
    (Bentley and Floyd 1987) in O(count^2); the bias is below d / 2^32.

    Parameters
    ----------
    csr : any matrix
    rows : integers (k,), rows of it
    count : entries of a row, at least 1; None takes all, and nothing is drawn
    key : stream key, see `Streams`

    Raises
    ------
    UsageError for a count below 1.
    """
    if count is not None and count < 1:
        raise UsageError(f"Neighbour sampling: 'count' must be at least 1, or None for all; got {count}.")
    starts = _lengths(csr.indptr, rows, -1 if count is None else count, replace and count is not None)
    indices, values = np.empty(starts[-1], np.int32), np.empty(starts[-1], csr.values.dtype)
    _fill(csr, rows, starts, np.uint64(key), replace and count is not None, indices, values)
    return CSR(starts, indices, values, csr.n_cols)


@njit(cache=True, nogil=True)
def _renumber(rows: np.ndarray, indices: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    there = np.zeros(n, np.bool_)
    for row in rows:
        there[row] = True
    for column in indices:
        there[column] = True
    nodes = np.flatnonzero(there)
    place = np.empty(n, np.int32)
    for k in range(len(nodes)):
        place[nodes[k]] = k
    where, columns = np.empty(len(rows), np.int64), np.empty(len(indices), np.int32)
    for k in range(len(rows)):
        where[k] = place[rows[k]]
    for e in range(len(indices)):
        columns[e] = place[indices[e]]
    return nodes, where, columns


def renumbered(part: CSR, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray, CSR]:
    """Return the nodes that some rows of a square matrix name, and these rows with places among them for numbers.

    Parameters
    ----------
    part : rows `rows` of the matrix, as `sample_neighbours` gives them
    rows : ascending integers (k,)

    Returns
    -------
    nodes : int64 (m,), ascending: the rows and all columns of `part`
    where : int64 (k,), the places of the rows among them
    local : (k, m), `part` with the places of its columns
    """
    nodes, where, columns = _renumber(rows, part.indices, part.n_cols)
    return nodes, where, CSR(part.indptr, columns, part.values, len(nodes))
