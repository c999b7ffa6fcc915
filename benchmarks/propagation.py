"""Propagation: the normalised adjacency times a dense matrix, and making that adjacency."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.bench import Answer, Bench, Bound, Part, Peer, Work, require, require_close, times
from benchmarks.inputs import WIDTH, gowalla, matrix, normal
from benchmarks.rows import Row, Target
from graphforget.kernels.csr import CSR, symmetric_csr, symmetric_normalise
from graphforget.kernels.propagate import spmm

LIBRARIES = ("numba", "numpy")


def csr_of(inputs: Answer) -> CSR:
    """Return the matrix of the inputs."""
    return CSR(inputs["indptr"], inputs["indices"], inputs["values"], len(inputs["indptr"]) - 1)


def product(inputs: Answer) -> Callable[[], Answer]:
    """Multiply."""
    csr, x = csr_of(inputs), inputs["x"]
    return lambda: {"product": spmm(csr, x)}


def adjacency(inputs: Answer) -> Callable[[], Answer]:
    """Make D^-1/2 A D^-1/2 from the edges."""
    u, v, n = inputs["u"], inputs["v"], int(inputs["n"])
    return lambda: matrix(symmetric_normalise(symmetric_csr(u, v, n)))


def same_product(ours: Answer, theirs: Answer) -> None:
    """Raise WrongAnswer unless products agree to float32."""
    require_close(ours["product"], theirs["product"], 1e-5, "the product")


def same_matrix(ours: Answer, theirs: Answer) -> None:
    """Raise WrongAnswer unless normalised adjacencies agree to float32."""
    require_close(ours["indptr"], theirs["indptr"], 0.0, "row pointers")
    require_close(ours["indices"], theirs["indices"], 0.0, "columns")
    require_close(ours["values"], theirs["values"], 1e-5, "values")


def peers() -> dict[str, Peer]:
    """Return those that multiply."""
    return {
        "torch.sparse CSR, int32": Peer(
            Part("benchmarks.peers.torch:csr_product", {}, "pyg"), Target("ratio", ">=", 1.2), same_product
        ),
        "torch.sparse COO": Peer(Part("benchmarks.peers.torch:coo_product", {}, "pyg"), None, same_product),
        "SciPy CSR": Peer(Part("benchmarks.peers.scipy:product", {}, "pyg"), None, same_product),
    }


def run(bench: Bench) -> list[Row]:
    """Measure."""
    data = gowalla(bench.data_dir)
    csr = symmetric_normalise(data.csr)
    inputs = {**matrix(csr), "x": normal("propagation", data.n_nodes, WIDTH)}
    work = Work(
        "normalised adjacency x 64 columns",
        "ms",
        Part("benchmarks.propagation:product"),
        times(1e3),
        peers(),
        Target("share", ">=", 0.9),
        Bound("fetch of the same cache lines", Part("benchmarks.limits:gather", {"width": WIDTH})),
    )
    return bench.run("propagation", work, inputs) + building(bench)


def building(bench: Bench) -> list[Row]:
    """Measure how long the adjacency takes, and how much memory."""
    data = gowalla(bench.data_dir)
    inputs = {"u": data.edges[0], "v": data.edges[1], "n": np.array(data.n_nodes), "sizes": _sizes(data)}
    others = {
        "SciPy block matrix, CSR": Peer(Part("benchmarks.peers.scipy:adjacency", {}, "pyg"), None, same_matrix),
        "RecBole get_norm_adj_mat": Peer(
            Part("benchmarks.peers.recbole:adjacency", {}, "recbole"),
            None,
            lambda ours, theirs: require(int(theirs["entries"]) == len(ours["indices"]), "other entries"),
            "a dictionary of keys, made in COO",
            slow=True,
        ),
    }
    work = Work(
        "normalised adjacency",
        "s",
        Part("benchmarks.propagation:adjacency"),
        times(1.0),
        others,
        Target("value", "<=", 0.2),
        memory=Target("value", "<=", 0.5),
    )
    return bench.run("propagation", work, inputs)


def _sizes(data: object) -> np.ndarray:
    return np.array([data.n_users, data.n_items])
