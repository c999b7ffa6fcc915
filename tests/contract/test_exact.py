"""Non-interference: data that differ only inside the deleted part give byte-identical unlearned models."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.zoo import backbones, backbones_for
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.run import methods, unlearn

EXACT = [cls.name for cls in methods().classes() if cls.exact and "link" in cls.tasks]
GONE = np.array([3, 11, 12, 40])


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """A graph of which GONE is deleted."""
    return random_attributed_graph(n=60, n_edges=150, dense=True)


def other_nodes(graph: Graph) -> Graph:
    """Return the graph with other features, labels and edges of the nodes GONE."""
    rng = np.random.default_rng(9)
    features, labels = graph.features.copy(), graph.labels.copy()
    features[GONE] = rng.random((len(GONE), graph.n_features)) * 5
    labels[GONE] = (labels[GONE] + 1) % graph.n_classes
    kept = graph.edges[:, ~np.isin(graph.edges, GONE).any(axis=0)]
    others = np.setdiff1d(np.arange(graph.n_nodes), GONE)
    new = np.stack([np.repeat(GONE, 5), rng.choice(others, 5 * len(GONE))])
    return Graph.build(graph.n_nodes, np.concatenate([kept, new], axis=1), features, labels, name=graph.name)


def other_features(graph: Graph) -> Graph:
    """Return the graph with other features of the nodes GONE."""
    features = graph.features.copy()
    features[GONE] = features[GONE][:, ::-1] * 3 + 1
    return graph.with_features(features)


def non_edges(graph: Graph, count: int) -> np.ndarray:
    """Return (2, count) pairs that are no edges, u < v."""
    u, v = np.triu_indices(graph.n_nodes, 1)
    free = ~np.isin(u * graph.n_nodes + v, graph.edges[0] * graph.n_nodes + graph.edges[1])
    chosen = np.random.default_rng(4).choice(np.flatnonzero(free), count, replace=False)
    return np.stack([u[chosen], v[chosen]])


def swapped(graph: Graph, old: np.ndarray, new: np.ndarray) -> Graph:
    """Return the graph with the edges at positions `old` replaced by the pairs `new`."""
    kept = np.delete(graph.edges, old, axis=1)
    edges = np.concatenate([kept, new], axis=1)
    return graph.with_edges(edges[:, np.lexsort((edges[1], edges[0]))])


def forget(backbone, task, deletion, name, weights):
    """Train on `task`, unlearn, and return (original's bytes, unlearned model's bytes, its embeddings' bytes)."""
    model = train(backbones().get(backbone, hidden=8), task, epochs=4, validate_every=2)
    result = unlearn(model, task, deletion, name, seed=5)
    z = result.model.embed(result.retained.graph)
    return weights(model), weights(result.model), z.numpy().tobytes()


def node_cases(graph: Graph):
    """Return (kind, (task, deletion), (task, deletion)) of pairs that differ in the deleted part only."""
    nodes, features = Deletion(nodes=GONE.tolist()), Deletion(features=GONE.tolist())
    old, new = np.array([2, 30, 31]), non_edges(graph, 3)
    one, two = Deletion(edges=graph.edges[:, old].T.tolist()), Deletion(edges=new.T.tolist())
    yield "nodes", (NodeClassification(graph), nodes), (NodeClassification(other_nodes(graph)), nodes)
    yield "features", (NodeClassification(graph), features), (NodeClassification(other_features(graph)), features)
    yield "edges", (NodeClassification(graph), one), (NodeClassification(swapped(graph, old, new)), two)


def link_cases(graph: Graph):
    """The same for link tasks. Two graphs with other edges split differently, so there the split is given."""
    features = Deletion(features=GONE.tolist())
    yield "features", (LinkPrediction(graph), features), (LinkPrediction(other_features(graph)), features)
    task, old, new = LinkPrediction(graph), np.array([2, 30, 31]), non_edges(graph, 3)
    other = copy.copy(task)
    other.graph = swapped(task.graph, old, new)
    deleted = Deletion(edges=task.graph.edges[:, old].T.tolist())
    yield "edges", (task, deleted), (other, Deletion(edges=new.T.tolist()))


@pytest.mark.parametrize("name", EXACT)
@pytest.mark.parametrize("backbone", backbones_for("link"))
@pytest.mark.parametrize("cases", [node_cases, link_cases])
def test_an_exact_method_does_not_depend_on_what_was_deleted(graph, weights, backbone, name, cases):
    for kind, one, two in cases(graph):
        first, second = forget(backbone, *one, name, weights), forget(backbone, *two, name, weights)
        assert first[0] != second[0], f"{kind}: the originals must differ, or the test shows nothing"
        assert first[1:] == second[1:], kind


def test_a_whole_class_can_differ(graph, weights):
    def other(task: NodeClassification) -> Graph:
        features = graph.features.copy()
        members = task.train_nodes[graph.labels[task.train_nodes] == 1]
        features[members] = features[members] * 2 + 1
        return graph.with_features(features)

    task = NodeClassification(graph, class_mode="entity", normalise=False)
    twin = NodeClassification(other(task), class_mode="entity", normalise=False)
    gone = Deletion(classes=[1])
    one, two = (forget("gcn", each, gone, "retrain", weights) for each in (task, twin))
    assert one[0] != two[0] and one[1:] == two[1:]


def test_the_test_has_teeth(graph, weights):
    for _, one, two in node_cases(graph):
        first, second = forget("gcn", *one, "fine-tune", weights), forget("gcn", *two, "fine-tune", weights)
        assert first[1:] != second[1:]


def test_retraining_is_declared_exact():
    assert "retrain" in EXACT
    assert not {"fine-tune", "d2dgn", "gnndelete", "gradient-ascent", "unlink"} & set(EXACT)
