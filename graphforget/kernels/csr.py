"""Compressed sparse rows: build, transpose, normalise."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from graphforget._core.compiled import njit


class CSR(NamedTuple):
    """A sparse matrix by rows: row i holds `indices[indptr[i]:indptr[i + 1]]`, ascending.

    Shapes: indptr int64 (n_rows + 1,), indices int32 (nnz,), values float32 (nnz,).
    """

    indptr: np.ndarray
    indices: np.ndarray
    values: np.ndarray
    n_cols: int

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return len(self.indptr) - 1

    @property
    def nnz(self) -> int:
        """Number of stored entries."""
        return len(self.indices)


def frozen(array: np.ndarray) -> np.ndarray:
    """Return a read-only view of an array. A kernel that is given such alone is compiled once, not for both kinds."""
    if array.flags.writeable:
        array = array.view()
        array.flags.writeable = False
    return array


@njit(cache=True, nogil=True)
def _offsets(keys: np.ndarray, n: int) -> np.ndarray:
    indptr = np.zeros(n + 1, np.int64)
    for key in keys:
        indptr[key + 1] += 1
    for i in range(n):
        indptr[i + 1] += indptr[i]
    return indptr


@njit(cache=True, nogil=True)
def group(keys: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Sort positions by their key in [0, n): a stable counting sort, O(len(keys) + n).

    Returns
    -------
    indptr : int64 (n + 1,), the positions with key i are `order[indptr[i]:indptr[i + 1]]`
    order : int64 (len(keys),), positions, ascending within a key
    """
    indptr = _offsets(keys, n)
    cursor = indptr[:-1].copy()
    order = np.empty(len(keys), np.int64)
    for position in range(len(keys)):
        key = keys[position]
        order[cursor[key]] = position
        cursor[key] += 1
    return indptr, order


@njit(cache=True, nogil=True)
def _row_ids(indptr: np.ndarray) -> np.ndarray:
    rows = np.empty(indptr[-1], np.int32)
    for i in range(len(indptr) - 1):
        rows[indptr[i] : indptr[i + 1]] = i
    return rows


def row_ids(csr: CSR) -> np.ndarray:
    """Return the row of every stored entry, int32 (nnz,)."""
    return _row_ids(frozen(csr.indptr))


def edges_to_csr(u: np.ndarray, v: np.ndarray, n_rows: int, n_cols: int, values: np.ndarray | None = None) -> CSR:
    """Return the matrix with an entry at (u[k], v[k]) for every k; equal pairs stay separate entries.

    Parameters
    ----------
    u, v : integer arrays (m,), rows in [0, n_rows) and columns in [0, n_cols)
    values : (m,) entries, 1 when None
    """
    _, by_column = group(np.ascontiguousarray(v), n_cols)
    indptr, by_row = group(u[by_column], n_rows)
    order = by_column[by_row]
    entries = np.ones(len(u), np.float32) if values is None else values[order].astype(np.float32, copy=False)
    return CSR(indptr, v[order].astype(np.int32, copy=False), entries, n_cols)


@njit(cache=True, nogil=True)
def _is_canonical(u: np.ndarray, v: np.ndarray) -> bool:
    """Return whether all edges have u < v and stand in lexicographic order."""
    for k in range(len(u)):
        if u[k] >= v[k] or (k > 0 and (u[k] < u[k - 1] or (u[k] == u[k - 1] and v[k] < v[k - 1]))):
            return False
    return True


@njit(cache=True, nogil=True)
def _both_ways(u: np.ndarray, v: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
    """Return indptr and indices of canonical edges: row x meets its smaller ends first, then the larger, ascending."""
    indptr = np.zeros(n + 1, np.int64)
    for k in range(len(u)):
        indptr[u[k] + 1] += 1
        indptr[v[k] + 1] += 1
    for i in range(n):
        indptr[i + 1] += indptr[i]
    cursor = indptr[:-1].copy()
    indices = np.empty(2 * len(u), np.int32)
    for k in range(len(u)):
        indices[cursor[u[k]]], indices[cursor[v[k]]] = v[k], u[k]
        cursor[u[k]] += 1
        cursor[v[k]] += 1
    return indptr, indices


def symmetric_csr(u: np.ndarray, v: np.ndarray, n: int) -> CSR:
    """Return the adjacency (n, n) of undirected edges u[k] - v[k], u != v: both directions, values 1.

    Edges in canonical order (u < v, lexicographic), as graphs keep them, need no sorting: one pass over them.
    """
    if not _is_canonical(u, v):
        return edges_to_csr(np.concatenate((u, v)), np.concatenate((v, u)), n, n)
    indptr, indices = _both_ways(u, v, n)
    return CSR(indptr, indices, np.ones(len(indices), np.float32), n)


def transpose_order(csr: CSR) -> tuple[np.ndarray, np.ndarray]:
    """Return (indptr, order) of the columns: `order` lists entry ids by column, rows ascending."""
    return group(csr.indices, csr.n_cols)


def transpose_csr(csr: CSR) -> CSR:
    """Return the transposed matrix, rows again sorted."""
    indptr, order = transpose_order(csr)
    return CSR(indptr, row_ids(csr)[order], csr.values[order], csr.n_rows)


@njit(cache=True, nogil=True)
def _with_loops(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    n = len(indptr) - 1
    out_ptr = np.empty(n + 1, np.int64)
    out_indices = np.empty(len(indices) + n, np.int32)
    out_values = np.empty(len(indices) + n, np.float32)
    out_ptr[0] = 0
    end = 0
    for i in range(n):
        placed = False
        for e in range(indptr[i], indptr[i + 1]):
            if not placed and indices[e] >= i:
                placed = True
                if indices[e] > i:
                    out_indices[end], out_values[end] = i, 1.0
                    end += 1
            out_indices[end], out_values[end] = indices[e], values[e]
            end += 1
        if not placed:
            out_indices[end], out_values[end] = i, 1.0
            end += 1
        out_ptr[i + 1] = end
    return out_ptr, out_indices[:end].copy(), out_values[:end].copy()


def with_self_loops(csr: CSR) -> CSR:
    """Return a square matrix with an entry (i, i) = 1 in its sorted place in every row.

    A row that already has a diagonal entry keeps it unchanged (as PyG's `add_remaining_self_loops`).
    """
    indptr, indices, values = _with_loops(csr.indptr, csr.indices, csr.values)
    return CSR(indptr, indices, values, csr.n_cols)


@njit(cache=True, nogil=True)
def _row_sums(indptr: np.ndarray, values: np.ndarray) -> np.ndarray:
    sums = np.zeros(len(indptr) - 1, np.float64)
    for i in range(len(sums)):
        for e in range(indptr[i], indptr[i + 1]):
            sums[i] += values[e]
    return sums


@njit(cache=True, nogil=True)
def _scaled(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, row_scale: np.ndarray, col_scale: np.ndarray
) -> np.ndarray:
    out = np.empty(len(values), np.float32)
    for i in range(len(indptr) - 1):
        for e in range(indptr[i], indptr[i + 1]):
            out[e] = row_scale[i] * values[e] * col_scale[indices[e]]
    return out


def _power(sums: np.ndarray, exponent: float) -> np.ndarray:
    out = np.zeros_like(sums)
    return np.power(sums, exponent, out=out, where=sums > 0)


def symmetric_normalise(csr: CSR, sums: np.ndarray | None = None) -> CSR:
    """Return D^-1/2 A D^-1/2; a row without entries stays empty. Square input, entries >= 0.

    D holds the row sums of A, or `sums`, (n,) float64, where A is a part of a larger matrix with these row sums.
    """
    scale = _power(_row_sums(csr.indptr, csr.values) if sums is None else sums, -0.5)
    return csr._replace(values=_scaled(csr.indptr, csr.indices, csr.values, scale, scale))


def gcn_normalise(csr: CSR, degrees: np.ndarray | None = None) -> CSR:
    """Return D^-1/2 (A + I) D^-1/2, D the row sums of A + I (Kipf & Welling 2017; as PyG's `gcn_norm`).

    A node without edges keeps its self weight 1. Square input, entries >= 0. Of a part of a larger graph (values 1, no
    self-loops), `degrees`, (n,) integers, are those in the whole: D = degrees + 1.
    """
    sums = None if degrees is None else degrees + 1.0
    return symmetric_normalise(with_self_loops(csr), sums)


def mean_normalise(csr: CSR) -> CSR:
    """Return D^-1 A, D the row sums of A; a row without entries stays empty. Entries >= 0."""
    scale = _power(_row_sums(csr.indptr, csr.values), -1.0)
    ones = np.ones(csr.n_cols)
    return csr._replace(values=_scaled(csr.indptr, csr.indices, csr.values, scale, ones))
