"""The nodes that k steps can reach."""

from __future__ import annotations

import numpy as np

from graphforget._core.compiled import njit
from graphforget.kernels.csr import CSR


@njit(cache=True, nogil=True)
def _spread(indptr: np.ndarray, indices: np.ndarray, reached: np.ndarray, seeds: np.ndarray, k: int) -> np.ndarray:
    """Mark the nodes within k steps of the distinct seeds, which are marked; return them, nearest first."""
    queue = np.empty(len(reached), np.int64)
    queue[: len(seeds)] = seeds
    begin, end = 0, len(seeds)
    for _ in range(k):
        layer_end = end
        for position in range(begin, layer_end):
            i = queue[position]
            for e in range(indptr[i], indptr[i + 1]):
                j = indices[e]
                if not reached[j]:
                    reached[j] = True
                    queue[end] = j
                    end += 1
        begin = layer_end
    return queue[:end].copy()


def k_hop_nodes(csr: CSR, seeds: np.ndarray, k: int) -> np.ndarray:
    """Return the nodes within k steps of the seeds (included); a step goes from i to the columns of row i.

    Parameters
    ----------
    csr : square matrix; a symmetric one gives the undirected ball
    seeds : bool mask (n,) or integer node ids (m,); not changed
    k : number of steps, >= 0

    Returns
    -------
    bool mask (n,)
    """
    reached = np.zeros(csr.n_rows, np.bool_)
    reached[seeds] = True
    _spread(csr.indptr, csr.indices, reached, np.flatnonzero(reached), k)
    return reached


def ball(csr: CSR, seeds: np.ndarray, k: int) -> np.ndarray:
    """Return the ascending numbers of the nodes within k steps of the nodes `seeds`, as `k_hop_nodes` walks.

    The cost grows with the ball, not with the graph: of the n marks, only those near it are ever touched.
    """
    reached, distinct = np.zeros(csr.n_rows, np.bool_), np.unique(seeds).astype(np.int64)
    reached[distinct] = True
    return np.sort(_spread(csr.indptr, csr.indices, reached, distinct, k))
