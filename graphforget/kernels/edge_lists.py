"""Edges in canonical order (u < v, lexicographic): find some, and take some out, without a pass that sorts."""

from __future__ import annotations

import numpy as np

from graphforget._core.compiled import njit
from graphforget.kernels.csr import CSR


@njit(cache=True, nogil=True)
def _find(first: np.ndarray, second: np.ndarray, low: np.ndarray, high: np.ndarray, out: np.ndarray) -> None:
    for k in range(len(low)):
        begin, end = 0, len(first)
        while begin < end:
            middle = (begin + end) // 2
            if first[middle] < low[k] or (first[middle] == low[k] and second[middle] < high[k]):
                begin = middle + 1
            else:
                end = middle
        if begin < len(first) and first[begin] == low[k] and second[begin] == high[k]:
            out[k] = begin


def find_edges(edges: np.ndarray, wanted: np.ndarray) -> np.ndarray:
    """Return the positions of the wanted pairs, -1 where absent: binary search in canonical edges.

    Shapes: edges (2, m) canonical, wanted (2, k) with the smaller number first -> int64 (k,).
    """
    out = np.full(wanted.shape[1], -1, np.int64)
    _find(edges[0], edges[1], wanted[0], wanted[1], out)
    return out


def drop_positions(table: np.ndarray, positions: np.ndarray) -> np.ndarray:
    """Return (rows, m) without the columns at ascending positions (k,): k + 1 pieces are copied, nothing is tested."""
    out = np.empty((len(table), table.shape[1] - len(positions)), table.dtype)
    begin = 0
    for k, stop in enumerate([*positions.tolist(), table.shape[1]]):
        out[:, begin - k : stop - k] = table[:, begin:stop]
        begin = stop + 1
    return out


@njit(cache=True, nogil=True)
def _entries(indptr: np.ndarray, indices: np.ndarray, rows: np.ndarray, columns: np.ndarray) -> np.ndarray:
    found = np.empty(len(rows), np.int64)
    for k in range(len(rows)):
        row = indices[indptr[rows[k]] : indptr[rows[k] + 1]]
        found[k] = indptr[rows[k]] + np.searchsorted(row, columns[k])
    return found


@njit(cache=True, nogil=True)
def _moved(indptr: np.ndarray, dead: np.ndarray) -> np.ndarray:
    """Return where rows start once the entries at the ascending places `dead` are gone."""
    out, lost = np.empty_like(indptr), 0
    for i in range(len(indptr)):
        while lost < len(dead) and dead[lost] < indptr[i]:
            lost += 1
        out[i] = indptr[i] - lost
    return out


def csr_without(csr: CSR, edges: np.ndarray) -> CSR:
    """Return an adjacency (values 1) without both directions of the edges (2, k), all of which it holds, none twice.

    It equals the one built from the remaining edges, and takes a copy in place of a sort.
    """
    rows, columns = np.concatenate([edges, edges[::-1]], axis=1)
    dead = np.sort(_entries(csr.indptr, csr.indices, rows, columns))
    indices = drop_positions(csr.indices[None], dead)[0]
    return CSR(_moved(csr.indptr, dead), indices, np.ones(len(indices), np.float32), csr.n_cols)
