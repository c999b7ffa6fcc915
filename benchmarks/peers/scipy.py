"""SciPy: products and the normalised adjacency."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse

LIBRARIES = ("scipy",)

Answer = dict[str, np.ndarray]


def product(inputs: Answer) -> Callable[[], Answer]:
    """Multiply in CSR."""
    matrix = scipy.sparse.csr_array((inputs["values"], inputs["indices"], inputs["indptr"]))
    return lambda: {"product": matrix @ inputs["x"]}


def adjacency(inputs: Answer) -> Callable[[], Answer]:
    """Make D^-1/2 A D^-1/2 of a bipartite graph from its edges: a block matrix, scaled by diagonals."""
    n_users, n_items = (int(size) for size in inputs["sizes"])
    ones = np.ones(len(inputs["u"]), np.float32)

    def call() -> Answer:
        pairs = (ones, (inputs["u"], inputs["v"] - n_users))
        block = scipy.sparse.csr_array(pairs, shape=(n_users, n_items))
        both = scipy.sparse.block_array([[None, block], [block.T, None]], format="csr")
        degree = np.asarray(both.sum(axis=1)).ravel()
        scale = np.divide(1.0, np.sqrt(degree), out=np.zeros_like(degree), where=degree > 0)
        both = (scipy.sparse.diags_array(scale) @ both @ scipy.sparse.diags_array(scale)).tocsr()
        both.sort_indices()
        return {"indptr": both.indptr, "indices": both.indices, "values": both.data}

    return call
