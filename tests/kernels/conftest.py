"""What the kernel tests share: small random matrices and the comparison of thread counts."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from graphforget.kernels.csr import CSR, edges_to_csr, symmetric_csr


def _random_csr(n_rows: int, n_cols: int, nnz: int, seed: int = 0) -> CSR:
    rng = np.random.default_rng(seed)
    cells = rng.choice(n_rows * n_cols, nnz, replace=False)
    return edges_to_csr(cells // n_cols, cells % n_cols, n_rows, n_cols, rng.normal(size=nnz).astype(np.float32))


def _random_graph(n: int, n_edges: int, seed: int = 0) -> CSR:
    rng = np.random.default_rng(seed)
    u, v = np.triu_indices(n, 1)
    chosen = rng.choice(len(u), n_edges, replace=False)
    return symmetric_csr(u[chosen], v[chosen], n)


def _dense(csr: CSR) -> np.ndarray:
    out = np.zeros((csr.n_rows, csr.n_cols))
    np.add.at(out, (np.repeat(np.arange(csr.n_rows), np.diff(csr.indptr)), csr.indices), csr.values)
    return out


@pytest.fixture
def same_for_any_threads(with_threads) -> Callable[[Callable[[], np.ndarray]], bool]:
    """Whether `compute()` gives something, with the same bytes on 1 and 2 threads."""

    def same(compute: Callable[[], np.ndarray]) -> bool:
        one, two = (np.array(with_threads(count, compute)) for count in (1, 2))
        return one.size > 0 and one.tobytes() == two.tobytes()

    return same


@pytest.fixture
def random_csr():
    """A random matrix (n_rows, n_cols, nnz, seed=0) without duplicate entries."""
    return _random_csr


@pytest.fixture
def random_graph():
    """The adjacency of a random simple undirected graph (n, n_edges, seed=0)."""
    return _random_graph


@pytest.fixture
def dense():
    """The matrix as a dense float64 array (equal entries add up)."""
    return _dense
