"""The part of a matrix that some nodes make up: rows and columns of these nodes alone."""

from __future__ import annotations

import numpy as np

from graphforget._core.compiled import njit
from graphforget.kernels.csr import CSR


@njit(cache=True, nogil=True)
def _places(nodes: np.ndarray, n: int) -> np.ndarray:
    place = np.full(n, -1, np.int32)
    for k in range(len(nodes)):
        place[nodes[k]] = k
    return place


@njit(cache=True, nogil=True)
def _by_table(indptr: np.ndarray, indices: np.ndarray, nodes: np.ndarray, place: np.ndarray) -> np.ndarray:
    """Return the place among the nodes of every column in their rows, one row after the other; -1 for other columns."""
    found = np.empty((indptr[nodes + 1] - indptr[nodes]).sum(), np.int32)
    end = 0
    for node in nodes:
        for e in range(indptr[node], indptr[node + 1]):
            found[end] = place[indices[e]]
            end += 1
    return found


@njit(cache=True, nogil=True)
def _by_search(indptr: np.ndarray, indices: np.ndarray, nodes: np.ndarray) -> np.ndarray:
    """The same without a table of all nodes: a binary search for every column."""
    found = np.empty((indptr[nodes + 1] - indptr[nodes]).sum(), np.int32)
    end = 0
    for node in nodes:
        for e in range(indptr[node], indptr[node + 1]):
            k = np.searchsorted(nodes, indices[e])
            found[end] = k if k < len(nodes) and nodes[k] == indices[e] else -1
            end += 1
    return found


@njit(cache=True, nogil=True)
def _kept(
    indptr: np.ndarray, values: np.ndarray, nodes: np.ndarray, places: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = np.zeros(len(nodes) + 1, np.int64)
    columns, entries = np.empty(len(places), np.int32), np.empty(len(places), values.dtype)
    end = seen = 0
    for k in range(len(nodes)):
        for e in range(indptr[nodes[k]], indptr[nodes[k] + 1]):
            if places[seen] >= 0:
                columns[end], entries[end] = places[seen], values[e]
                end += 1
            seen += 1
        starts[k + 1] = end
    return starts, columns[:end].copy(), entries[:end].copy()


TABLE_SHARE = 64
"""Places are looked up in a table of all n nodes from n / 64 nodes on; below, filling the table would cost more."""


def induced_csr(csr: CSR, nodes: np.ndarray) -> CSR:
    """Return `csr[nodes][:, nodes]` of a square matrix, for ascending nodes (k,): its columns ascend again.

    The cost grows with the entries in the rows of the nodes; that of the matrix is nothing beside it.
    """
    if TABLE_SHARE * len(nodes) < csr.n_rows:
        places = _by_search(csr.indptr, csr.indices, nodes)
    else:
        places = _by_table(csr.indptr, csr.indices, nodes, _places(nodes, csr.n_rows))
    indptr, indices, values = _kept(csr.indptr, csr.values, nodes, places)
    return CSR(indptr, indices, values, len(nodes))


@njit(cache=True, nogil=True)
def _upper(indptr: np.ndarray, indices: np.ndarray, nodes: np.ndarray, inside: np.ndarray) -> np.ndarray:
    count = 0
    for u in nodes:
        for e in range(indptr[u], indptr[u + 1]):
            count += indices[e] > u and inside[indices[e]]
    edges = np.empty((2, count), np.int64)
    end = 0
    for u in nodes:
        for e in range(indptr[u], indptr[u + 1]):
            if indices[e] > u and inside[indices[e]]:
                edges[0, end], edges[1, end] = u, indices[e]
                end += 1
    return edges


def edges_among(csr: CSR, inside: np.ndarray) -> np.ndarray:
    """Return the (2, k) edges u < v with both ends in the mask `inside` (n,), in lexicographic order.

    `csr` is the symmetric adjacency; only the rows of the nodes inside are read.
    """
    return _upper(csr.indptr, csr.indices, np.flatnonzero(inside), inside)
