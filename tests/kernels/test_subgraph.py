import numpy as np
import pytest

from graphforget.kernels import subgraph
from graphforget.kernels.csr import gcn_normalise
from graphforget.kernels.subgraph import edges_among, induced_csr

NODES = np.array([1, 3, 4, 9, 17])


def test_rows_and_columns_of_the_nodes(random_csr, dense):
    csr = random_csr(20, 20, 120, seed=3)
    found = induced_csr(csr, NODES)
    assert np.array_equal(dense(found), dense(csr)[np.ix_(NODES, NODES)])
    assert all((np.diff(found.indices[a:b]) > 0).all() for a, b in zip(found.indptr, found.indptr[1:], strict=False))


@pytest.mark.parametrize("share", [0, 1 << 40], ids=["searched", "looked up"])
@pytest.mark.parametrize("few", [NODES, np.array([0, 19]), np.array([7])])
def test_places_are_found_by_search_and_in_a_table(random_csr, dense, monkeypatch, share, few):
    monkeypatch.setattr(subgraph, "TABLE_SHARE", share)
    csr = random_csr(20, 20, 120, seed=5)
    assert np.array_equal(dense(induced_csr(csr, few)), dense(csr)[np.ix_(few, few)])


@pytest.mark.parametrize("nodes", [np.arange(0), np.arange(20)], ids=["none", "all"])
def test_none_and_all(random_graph, dense, nodes):
    csr = random_graph(20, 60)
    assert np.array_equal(dense(induced_csr(csr, nodes)), dense(csr)[np.ix_(nodes, nodes)])


def test_edges_among_are_those_with_both_ends_inside_in_order(random_graph, dense):
    csr, inside = random_graph(20, 90), np.zeros(20, dtype=bool)
    inside[NODES] = True
    found = edges_among(csr, inside)
    expected = [(u, v) for u, v in np.argwhere(dense(csr) > 0) if u < v and inside[u] and inside[v]]
    assert found.T.tolist() == [list(map(int, pair)) for pair in expected] and len(expected) > 2


def test_a_part_is_normalised_by_the_degrees_of_the_whole(random_graph, dense):
    csr = random_graph(20, 60)
    part = gcn_normalise(induced_csr(csr, NODES), np.diff(csr.indptr)[NODES])
    assert np.array_equal(dense(part), dense(gcn_normalise(csr))[np.ix_(NODES, NODES)])
