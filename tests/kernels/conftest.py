"""What the kernel tests share: small random matrices and the comparison of thread counts."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np
import pytest

from graphforget.kernels.csr import CSR, edges_to_csr, symmetric_csr


def _with_threads(count: int, compute: Callable[[], np.ndarray]) -> np.ndarray:
    before = numba.get_num_threads()
    numba.set_num_threads(min(count, numba.config.NUMBA_NUM_THREADS))
    try:
        return np.array(compute())
    finally:
        numba.set_num_threads(before)


def _same_for_any_threads(compute: Callable[[], np.ndarray]) -> np.ndarray:
    one, two = _with_threads(1, compute), _with_threads(2, compute)
    assert one.size > 0
    assert one.tobytes() == two.tobytes()
    return one


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
def same_for_any_threads():
    """Assert that `compute()` has the same bytes with 1 and 2 threads; return them."""
    return _same_for_any_threads


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
