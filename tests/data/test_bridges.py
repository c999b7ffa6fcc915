"""One 4-node graph through every representation, and back."""

from __future__ import annotations

import sys
import warnings

import networkx as nx
import numpy as np
import pytest
import scipy.sparse as sp
import torch
from torch_geometric.data import Data, HeteroData

from graphforget._core.errors import DataError, UnsupportedError
from graphforget.data.bridges import (
    from_dgl,
    from_networkx,
    from_pyg,
    from_scipy,
    to_dgl,
    to_networkx,
    to_pyg,
    to_scipy,
)
from graphforget.data.graph import Graph


def dense(features) -> np.ndarray:
    """Return features as a dense array."""
    return features.toarray() if sp.issparse(features) else np.asarray(features)


def same(left: Graph, right: Graph) -> bool:
    """Whether two graphs hold the same edges, features, labels, ids and masks."""
    return (
        left.n_nodes == right.n_nodes
        and np.array_equal(left.edges, right.edges)
        and np.array_equal(dense(left.features), dense(right.features))
        and np.array_equal(left.labels, right.labels)
        and np.array_equal(left.user_ids(np.arange(4)), right.user_ids(np.arange(4)))
        and set(left.masks) == set(right.masks)
        and all(np.array_equal(left.masks[key], right.masks[key]) for key in left.masks)
    )


@pytest.fixture
def dgl():
    """DGL, or a skip that says why not."""
    import os

    os.environ.setdefault("DGLBACKEND", "pytorch")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return pytest.importorskip("dgl", exc_type=ImportError, reason="dgl is not installed (graphforget[dgl])")


def test_pyg_round_trip(four):
    assert same(from_pyg(to_pyg(four)), four)


def test_networkx_round_trip(four):
    assert same(from_networkx(to_networkx(four)), four)


def test_scipy_round_trip(four):
    back = from_scipy(to_scipy(four), four.features, four.labels)
    assert np.array_equal(back.edges, four.edges) and np.array_equal(dense(back.features), dense(four.features))


def test_dgl_round_trip(four, dgl):
    assert same(from_dgl(to_dgl(four)), four)


def test_every_representation_has_the_same_adjacency(four):
    expected = np.array([[0, 1, 0, 0], [1, 0, 1, 1], [0, 1, 0, 0], [0, 1, 0, 0]])
    u, v = to_pyg(four).edge_index.numpy()
    dense_pyg = np.zeros((4, 4), dtype=int)
    dense_pyg[u, v] += 1
    np.testing.assert_array_equal(to_scipy(four).toarray(), expected)
    np.testing.assert_array_equal(nx.to_numpy_array(to_networkx(four)), expected)
    np.testing.assert_array_equal(dense_pyg, expected)


def test_dgl_has_the_same_adjacency(four, dgl):
    u, v = to_dgl(four).edges()
    assert list(zip(u.tolist(), v.tolist(), strict=True)) == [(0, 1), (1, 0), (1, 2), (1, 3), (2, 1), (3, 1)]


def test_text_ids_survive(four):
    named = Graph.build(4, four.edges, four.features, four.labels, np.array(["a", "b", "c", "d"]), masks=four.masks)
    assert same(from_pyg(to_pyg(named)), named)
    assert same(from_networkx(to_networkx(named)), named)


def test_text_ids_are_given_back_to_dgl_by_hand(four, dgl):
    named = Graph.build(4, four.edges, four.features, four.labels, np.array(["a", "b", "c", "d"]), masks=four.masks)
    assert same(from_dgl(to_dgl(named), ids=named.ids), named)


def test_a_bare_graph_goes_everywhere():
    bare = Graph.build(3, np.array([[0], [2]]))
    for back in (from_pyg(to_pyg(bare)), from_networkx(to_networkx(bare)), from_scipy(to_scipy(bare))):
        assert back.n_nodes == 3 and back.edges.tolist() == [[0], [2]]
        assert back.features is None and back.labels is None and back.ids is None and not back.masks


def test_the_copy_belongs_to_the_receiver(four):
    data = to_pyg(four)
    data.x.zero_()
    data.y.zero_()
    assert dense(four.features).sum() > 0 and four.labels.tolist() == [0, 1, 1, -1]


def test_pyg_sparse_features_columns_and_weights():
    data = Data(
        x=torch.eye(3).to_sparse(),
        y=torch.tensor([[0], [1], [0]]),
        edge_index=torch.tensor([[0, 1], [1, 2]]),
        edge_weight=torch.ones(2),
    )
    graph = from_pyg(data)
    assert dense(graph.features).tolist() == np.eye(3).tolist() and graph.labels.tolist() == [0, 1, 0]
    assert graph.notes == ("'edge_weight' was not read",)


def test_pyg_masks_of_positions_are_refused():
    """Positions 0, 2 and 1 of three nodes would be read as the nodes 1 and 2."""
    data = Data(edge_index=torch.tensor([[0, 1], [1, 2]]), num_nodes=3, train_mask=torch.tensor([0, 2, 1]))
    with pytest.raises(DataError, match=r"mask 'train'.*mask\[positions\] = True"):
        from_pyg(data)


def test_pyg_features_in_bfloat16():
    data = Data(edge_index=torch.tensor([[0], [1]]), x=torch.tensor([[1.5], [2.0]], dtype=torch.bfloat16))
    assert dense(from_pyg(data).features).tolist() == [[1.5], [2.0]]


def test_networkx_integers_of_numpy_and_beyond_64_bits():
    assert from_networkx(nx.Graph(np.array([[5, 7], [7, 9]]).tolist())).ids.tolist() == [5, 7, 9]
    assert from_networkx(nx.from_edgelist(np.array([[5, 7], [7, 9]]))).ids.tolist() == [5, 7, 9]
    large = from_networkx(nx.Graph([(1 << 70, 3)]))
    assert large.index_of([1 << 70, 3]).tolist() == [0, 1]


def test_pyg_heterogeneous_data_is_refused():
    with pytest.raises(UnsupportedError, match="HeteroData.*node and edge type"):
        from_pyg(HeteroData())


def test_pyg_several_splits_are_refused():
    data = Data(edge_index=torch.tensor([[0], [1]]), num_nodes=2, train_mask=torch.ones(2, 10, dtype=torch.bool))
    with pytest.raises(DataError, match="train_mask.*choose one split"):
        from_pyg(data)


def test_networkx_directions_and_parallel_edges_are_merged():
    graph = nx.MultiDiGraph([("a", "b"), ("b", "a"), ("a", "b"), ("b", "c")])
    assert from_networkx(graph).edges.tolist() == [[0, 1], [1, 2]]


@pytest.mark.parametrize("nodes", [[1, "a"], [(0, 1), (1, 1)], [1.5, 2.5]])
def test_networkx_odd_nodes_are_refused(nodes):
    graph = nx.Graph()
    graph.add_nodes_from(nodes)
    with pytest.raises(DataError, match="relabel_nodes"):
        from_networkx(graph)


def test_networkx_partial_attributes_are_refused():
    graph = nx.Graph([(0, 1)])
    graph.nodes[0]["y"] = 1
    with pytest.raises(DataError, match="Node '1' has no attribute 'y'"):
        from_networkx(graph)


def test_networkx_ragged_features_are_refused():
    graph = nx.Graph([(0, 1)])
    graph.nodes[0]["x"], graph.nodes[1]["x"] = [1.0], [1.0, 2.0]
    with pytest.raises(DataError, match="vectors of numbers of one length"):
        from_networkx(graph)


@pytest.mark.parametrize("bad", [np.eye(2), sp.csr_array(np.ones((2, 3)))])
def test_scipy_needs_a_square_sparse_matrix(bad):
    with pytest.raises(DataError, match="square SciPy sparse matrix"):
        from_scipy(bad)


@pytest.mark.parametrize("fault", [ImportError("no module"), FileNotFoundError("libgraphbolt_pytorch.so")])
def test_dgl_that_does_not_start_is_a_sentence(four, monkeypatch, fault):
    class Broken:
        def find_spec(self, name, path=None, target=None):
            if name == "dgl":
                raise fault

    monkeypatch.delitem(sys.modules, "dgl", raising=False)
    monkeypatch.setattr(sys, "meta_path", [Broken(), *sys.meta_path])
    with pytest.raises(UnsupportedError, match=r"dgl 1\.1\.3.*packaging.*graphforget\[dgl\].*2\.1\.0.*graphbolt"):
        to_dgl(four)
