"""The frozen graph: canonical edges, normalised rows, digests."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.graph import Graph

EDGES = np.array([[3, 0, 1, 1, 2], [0, 3, 2, 2, 2]])


def test_edges_become_canonical_and_what_was_dropped_is_noted():
    graph = Graph.build(4, EDGES)
    assert graph.edges.tolist() == [[0, 1], [3, 2]]
    assert graph.notes == ("1 self-loop dropped", "1 repeated edge merged")


def test_a_graph_cannot_be_changed():
    graph = Graph.build(4, EDGES, features=np.ones((4, 2)))
    for array in (graph.edges, graph.features):
        with pytest.raises(ValueError, match="read-only"):
            array[0, 0] = 5


def test_without_makes_a_new_value_and_leaves_a_hole():
    graph = Graph.build(4, EDGES, features=np.ones((4, 2)), labels=np.array([0, 1, 0, 1]))
    assert graph.csr.nnz == 4
    left = graph.without(nodes=np.array([3]))
    assert (left.n_nodes, left.edges.tolist(), left.csr.nnz) == (4, [[1], [2]], 2)
    assert left.labels.tolist() == [0, 1, 0, -1] and left.n_classes == 2
    assert np.asarray(left.features.todense() if sp.issparse(left.features) else left.features)[3].tolist() == [0, 0]
    assert graph.n_edges == 2 and graph.labels.tolist() == [0, 1, 0, 1]


def test_features_that_go_leave_no_sign_behind():
    rows = np.linspace(-2, 2, 20).reshape(4, 5).astype(np.float32)
    graph = Graph(n_nodes=4, edges=np.array([[0, 1], [1, 2]]), features=rows)
    for left in (graph.without(features=np.array([0])), graph.without(nodes=np.array([0]))):
        assert isinstance(left.features, np.ndarray) and not np.signbit(left.features[0]).any()
        assert np.array_equal(left.features[1:], rows[1:]) and not left.features[0].any()


@pytest.mark.parametrize("sparse", [False, True])
def test_rows_are_scaled_by_their_absolute_sum_and_keep_their_signs(sparse):
    x = np.array([[1, -3], [0, 0], [2, 2], [-1, 0]], dtype=np.float32)
    graph = Graph.build(4, EDGES, features=sp.csr_array(x) if sparse else x).row_normalised()
    found = graph.features.toarray() if sp.issparse(graph.features) else graph.features
    assert found.tolist() == [[0.25, -0.75], [0, 0], [0.5, 0.5], [-1, 0]]


def test_digests_tell_graphs_apart():
    eye = sp.eye_array(4, format="csr")
    graphs = [
        Graph.build(4, EDGES),
        Graph.build(4, EDGES[:, :1]),
        Graph.build(4, EDGES, features=eye),
        Graph.build(4, EDGES, features=sp.csr_array((eye.data, eye.indices, eye.indptr), shape=(4, 9))),
        Graph.build(4, EDGES, labels=np.array([0, 1, 0, 1])),
    ]
    assert len({graph.digest for graph in graphs}) == len(graphs)
    assert Graph.build(4, EDGES).digest == graphs[0].digest


def test_an_unknown_node_is_named():
    with pytest.raises(DataError, match="names node 4, but the graph has nodes 0 to 3"):
        Graph.build(4, np.array([[0], [4]]))


@pytest.mark.parametrize("kind", [np.uint8, np.uint64, np.int16])
def test_labels_may_be_of_any_type_of_integers(kind):
    graph = Graph.build(4, EDGES, labels=np.array([0, 1, 0, 2], dtype=kind))
    assert graph.labels.dtype == np.int64 and graph.class_names == ("0", "1", "2") and len(graph.notes) == 2


def test_classes_without_a_node_are_noted():
    assert Graph.build(4, EDGES, labels=np.array([3, -1, 5, 5])).notes[-1] == "4 of 6 classes have no node"


def test_nodes_in_two_masks_are_noted():
    masks = {"train": [True, True, True, False], "val": [False] * 4, "test": [False, True, True, True]}
    assert Graph.build(4, EDGES, masks=masks).notes[-1] == "2 nodes in the masks train and test, which keep them"


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"labels": np.array([0, 1, 10**9, 1])}, "label 1000000000 is too large for 4 nodes.*at most 10,000"),
        ({"labels": np.array([0, 1, 2, 1]), "class_names": ["a", "b"]}, "label 2 has no name"),
        ({"features": [["a"], ["b"], ["c"], ["d"]]}, "features must be numbers"),
        ({"features": [[1], [1, 2], [1], [1]]}, "features must be numbers, as many for every node"),
        ({"masks": {"train": np.array([True, False])}}, "mask 'train' must say of each of the 4 nodes"),
        ({"masks": {"train": np.array([0, 2, 3, 1])}}, "Positions of nodes become one by mask"),
    ],
)
def test_what_cannot_belong_to_the_nodes_is_refused(parts, words):
    with pytest.raises(DataError, match=words):
        Graph.build(4, EDGES, **parts)


@pytest.mark.parametrize("features", [np.zeros((4, 0)), sp.csr_array((4, 0))])
def test_features_without_a_column_are_refused(features):
    with pytest.raises(DataError, match="features have no columns"):
        Graph.build(4, EDGES, features=features)
