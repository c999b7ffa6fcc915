"""The part of a matrix that some nodes make up: rows and columns of these nodes alone."""

from __future__ import annotations

import numpy as np
from numba import njit

from graphforget.kernels.csr import CSR


@njit(cache=True, nogil=True)
def _places(nodes: np.ndarray, n: int) -> np.ndarray:
    place = np.full(n, -1, np.int32)
    for k in range(len(nodes)):
        place[nodes[k]] = k
    return place


@njit(cache=True, nogil=True)
def _induced(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, nodes: np.ndarray, place: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    starts = np.zeros(len(nodes) + 1, np.int64)
    for k in range(len(nodes)):
        starts[k + 1] = starts[k]
        for e in range(indptr[nodes[k]], indptr[nodes[k] + 1]):
            starts[k + 1] += place[indices[e]] >= 0
    columns, entries = np.empty(starts[-1], np.int32), np.empty(starts[-1], values.dtype)
    end = 0
    for k in range(len(nodes)):
        for e in range(indptr[nodes[k]], indptr[nodes[k] + 1]):
            if place[indices[e]] >= 0:
                columns[end], entries[end] = place[indices[e]], values[e]
                end += 1
    return starts, columns, entries


def induced_csr(csr: CSR, nodes: np.ndarray) -> CSR:
    """Return `csr[nodes][:, nodes]` of a square matrix, for ascending nodes (k,): its columns ascend again.

    Beside one pass over the n rows' places, the cost grows with the entries in the rows of the nodes.
    """
    return CSR(*_induced(csr.indptr, csr.indices, csr.values, nodes, _places(nodes, csr.n_rows)), len(nodes))


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
