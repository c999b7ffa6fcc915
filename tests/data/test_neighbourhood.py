"""A neighbourhood is some rows of a graph: their matrices are the rows of the whole, or right on average."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget.data.neighbourhood import Neighbourhood
from graphforget.kernels.csr import CSR
from graphforget.models.gat import looped_adjacency
from graphforget.models.gin import plain_adjacency
from graphforget.models.sage import mean_adjacency

MATRICES = {
    "gcn": lambda graph: graph.normalised,
    "sage": mean_adjacency,
    "gin": plain_adjacency,
    "gat": looped_adjacency,
}
ROWS = np.array([2, 3, 17, 30])


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """60 nodes, thin, node 59 alone."""
    whole = random_attributed_graph(n=60, n_edges=150)
    return whole.without(nodes=np.array([59]))


def array(csr: CSR) -> np.ndarray:
    return sp.csr_array((csr.values, csr.indices, csr.indptr), shape=(csr.n_rows, csr.n_cols)).toarray()


@pytest.mark.parametrize("name", MATRICES)
def test_with_all_neighbours_rows_are_those_of_the_whole(graph, name):
    part = Neighbourhood.of(graph, ROWS)
    assert part.n_nodes < graph.n_nodes and np.array_equal(part.nodes[part.rows], ROWS)
    assert np.array_equal(part.features.toarray(), graph.features.toarray()[part.nodes])
    whole, here = array(MATRICES[name](graph).csr), array(MATRICES[name](part).csr)
    assert np.array_equal(here[part.rows], whole[np.ix_(ROWS, part.nodes)])


@pytest.mark.parametrize("name", ["gcn", "sage", "gin"])
def test_drawn_rows_are_right_on_average(graph, name):
    whole = array(MATRICES[name](graph).csr)[ROWS]
    total, draws = np.zeros_like(whole), 3000
    for key in range(draws):
        part = Neighbourhood.of(graph, ROWS, 2, key, features=False)
        total[:, part.nodes] += array(MATRICES[name](part).csr)[part.rows]
    assert np.abs(total / draws - whole).max() < 0.12 * whole.max()
    assert (np.diff(part.csr.indptr) <= 2).all() and graph.degrees[ROWS].max() > 4


@pytest.mark.parametrize("name", MATRICES)
def test_the_gradient_takes_the_transpose(graph, name):
    matrix = MATRICES[name](Neighbourhood.of(graph, ROWS, 2, 1))
    assert np.array_equal(array(matrix.transpose.csr), array(matrix.csr).T)
    assert not np.array_equal(array(matrix.csr), array(matrix.csr).T)
