"""The nodes that k steps can reach."""

from __future__ import annotations

import numpy as np
from numba import njit

from graphforget.kernels.csr import CSR


@njit(cache=True, nogil=True)
def _spread(indptr: np.ndarray, indices: np.ndarray, reached: np.ndarray, k: int) -> None:
    queue = np.empty(len(reached), np.int64)
    end = 0
    for i in range(len(reached)):
        if reached[i]:
            queue[end] = i
            end += 1
    begin = 0
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
    _spread(csr.indptr, csr.indices, reached, k)
    return reached
