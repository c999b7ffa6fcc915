import numpy as np
import pytest

from graphforget.data.graph import Graph
from graphforget.kernels.csr import symmetric_csr
from graphforget.kernels.edge_lists import csr_without, drop_positions, find_edges

EDGES = np.array([[0, 0, 1, 1, 4], [1, 5, 2, 5, 5]])


def test_finds_what_is_there_and_says_what_is_not():
    wanted = np.array([[1, 4, 0, 0, 3, 4], [5, 5, 1, 2, 4, 6]])
    assert find_edges(EDGES, wanted).tolist() == [3, 4, 0, -1, -1, -1]
    assert find_edges(EDGES[:, :0], wanted).tolist() == [-1] * 6


@pytest.mark.parametrize("gone", [[], [0], [4], [1, 2], [0, 1, 2, 3, 4]])
def test_dropped_columns(gone):
    assert np.array_equal(drop_positions(EDGES, np.array(gone, dtype=np.int64)), np.delete(EDGES, gone, axis=1))


@pytest.mark.parametrize("seed", range(5))
def test_the_adjacency_equals_one_built_anew(seed):
    rng = np.random.default_rng(seed)
    edges = np.argwhere(np.triu(rng.random((30, 30)) < 0.2, 1)).T
    gone = np.sort(rng.choice(edges.shape[1], seed * 7, replace=False))
    old, new = symmetric_csr(*edges, 30), symmetric_csr(*np.delete(edges, gone, axis=1), 30)
    found = csr_without(old, edges[:, gone])
    for a, b in zip(found, new, strict=True):
        assert np.array_equal(a, b) and getattr(a, "dtype", None) == getattr(b, "dtype", None)


@pytest.mark.parametrize("order", [[3, 1], [1, 3, 1], [4, 0, 2, 0]])
def test_edges_to_delete_in_any_order_or_twice(order):
    graph, wanted = Graph.build(6, EDGES), Graph.build(6, np.delete(EDGES, order, axis=1))
    assert graph.csr.nnz == 10
    found = graph.without_edges(EDGES[:, order])
    assert np.array_equal(found.edges, wanted.edges)
    assert all(np.array_equal(a, b) for a, b in zip(found.csr, wanted.csr, strict=True))
