"""What is computed on a part of the graph has the bytes of the whole."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.kernels.khop import k_hop_nodes
from graphforget.models.zoo import backbones, backbones_for
from graphforget.unlearning.region import Region, part

ROWS = np.array([3, 50, 51, 400])


@pytest.fixture(scope="module")
def graph() -> Graph:
    whole = load("sample-citations")
    few = np.random.default_rng(0).choice(whole.n_edges, whole.n_edges // 3, replace=False)
    return whole.with_edges(whole.edges[:, np.sort(few)])  # thin, so that a neighbourhood is not everything


@pytest.fixture(params=backbones_for("link"))
def model(request, graph):
    made = backbones().get(request.param, hidden=16, out=8)
    return made.initialised(graph.n_features, None, Streams(3)).frozen()


def test_rows_have_the_bytes_of_the_whole_graph(graph, model):
    assert model.local
    region = Region.around(ROWS, graph, model, 2)
    assert region.n_nodes < graph.n_nodes / 2
    found = model.embed(region.graph)[region.at(ROWS)]
    assert found.numpy().tobytes() == model.embed(graph)[ROWS].numpy().tobytes()


def test_a_part_that_is_too_small_gives_other_rows(graph, model):
    near = np.flatnonzero(k_hop_nodes(graph.csr, ROWS, 1))
    found = model.embed(part(graph, near))[np.searchsorted(near, ROWS)]
    assert not np.allclose(found.numpy(), model.embed(graph)[ROWS].numpy(), atol=1e-6)


def test_a_model_that_is_not_local_gets_the_whole_graph(graph, model):
    model.local = False
    region = Region.around(ROWS, graph, model, 2)
    assert region.graph is graph and region.at(ROWS) is ROWS


def test_dense_features_and_labels_follow_their_nodes(graph):
    dense = graph.with_features(graph.features.toarray() + 1.0)
    found = part(dense, ROWS)
    assert np.array_equal(found.features, dense.features[ROWS]) and np.array_equal(found.labels, dense.labels[ROWS])
    assert np.array_equal(found.degrees, graph.degrees[ROWS])
