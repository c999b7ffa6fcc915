"""D2DGN learns from the forgotten part whatever a deletion takes, and teaches no class that was deleted."""

from __future__ import annotations

import pickle

import numpy as np
import pytest
import torch

from graphforget._core.errors import UnsupportedError
from graphforget.data.deletion import Deletion
from graphforget.models.base import Model
from graphforget.models.gcn import GCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.methods.d2dgn import D2DGN, DEFAULT_ALPHA, DEFAULT_TEMPERATURE
from graphforget.unlearning.run import unlearn


@pytest.fixture(scope="module")
def make_nodes(random_attributed_graph):
    """make_nodes(**options) -> a node task on a graph whose features tell its three classes."""
    graph = random_attributed_graph(n=90, n_edges=260)
    return lambda **options: NodeClassification(graph, seed=0, **options)


def trained(task) -> Model:
    return train(GCN(hidden=8), task, epochs=120, lr=0.05, validate_every=20)


def moved(before: Model, after: Model) -> list[float]:
    """Return how far the weights of each layer moved."""
    pairs = zip(before.convolutions, after.convolutions, strict=True)
    return [float((a.weight - b.weight).detach().norm() / b.weight.detach().norm()) for b, a in pairs]


@pytest.mark.parametrize("knowledge", ["response", "feature"])
@pytest.mark.parametrize("mode", ["nodes", "classes"])
def test_every_layer_learns_from_nodes_that_leave(make_nodes, knowledge, mode):
    """On the retained graph they are holes that all look alike, so that layer 1 would stay as it was."""
    task = make_nodes(class_mode="entity")
    named = {"nodes": {"nodes": task.train_nodes[:10].tolist()}, "classes": {"classes": [1]}}[mode]
    model, method = trained(task), D2DGN(knowledge=knowledge, alpha=0.0, epochs=30)
    result = unlearn(model, task, Deletion(**named), method)
    assert min(moved(model, result.model)) > 0.01
    full = unlearn(model, task, Deletion(**named), D2DGN(knowledge=knowledge, alpha=0.0, epochs=30, graph="full"))
    assert moved(result.model, full.model) == [0.0, 0.0], "with alpha 0 nothing is asked on the retained graph"


def test_a_class_whose_nodes_leave_is_no_longer_recognised(make_nodes):
    task = make_nodes(class_mode="entity")
    model, named = trained(task), Deletion(classes=[1])
    result = unlearn(model, task, named, D2DGN(epochs=100))
    nodes = task.test_nodes[task.labels[task.test_nodes] == 1]

    def known(of: Model) -> float:
        return task.accuracy(of.embed(result.retained.graph), nodes, task.labels[nodes])

    assert known(model) > 0.6 and known(result.model) == 0


@pytest.mark.parametrize("mode", ["label", "entity"])
@pytest.mark.parametrize("kind", ["classes", "features"])
def test_no_later_deletion_teaches_a_class_that_was_deleted(make_nodes, mode, kind):
    task = make_nodes(class_mode=mode)
    left = task.without(task.resolve(Deletion(classes=[1])))
    gone = left.resolve(Deletion(**{kind: [0] if kind == "classes" else left.train_nodes[:5].tolist()}))
    answers = torch.randn(gone.count, 3, generator=torch.Generator().manual_seed(0))
    answers[:, 1] += 5
    shares = left.ignorant(answers, gone).softmax(dim=1)
    hidden = {0, 1} if kind == "classes" else {1}
    assert {c for c in range(3) if shares[:, c].max() < 1e-40} == hidden
    again = pickle.loads(pickle.dumps(left)).without(gone)
    assert set(again.holes["classes"].tolist()) == hidden and not task.holes


def test_a_second_class_goes_without_the_first_coming_back(make_nodes):
    task = make_nodes()
    first = unlearn(trained(task), task, Deletion(classes=[1]), D2DGN(epochs=100))
    for seed in range(3):
        second = unlearn(first.model, first.retained, Deletion(classes=[0]), D2DGN(epochs=100), seed=seed)
        answers = task.predictions(second.model.embed(second.graph))
        assert (answers[second.gone.items] == 2).mean() > 0.9


def test_stored_results_that_took_no_nodes_are_still_those_of_today(make_nodes, random_attributed_graph):
    node, links = make_nodes(), LinkPrediction(random_attributed_graph(n=60, n_edges=150), seed=1)
    one, backbone = Deletion(nodes=[int(node.train_nodes[0])]), GCN()

    def revision(task, deletion, **options) -> int:
        return D2DGN(**options).revision_on(backbone, task, task.resolve(deletion))

    assert revision(node, one) == D2DGN.revision == 4
    assert revision(make_nodes(class_mode="entity"), Deletion(classes=[1])) == 2
    assert revision(node, one, graph="full") == revision(links, Deletion(nodes=[3])) == 1
    later = node.without(node.resolve(Deletion(classes=[1])))
    assert revision(later, Deletion(features=[4])) == 3
    assert revision(later, Deletion(features=[4]), knowledge="feature") == 1
    for kind in ({"features": [4]}, {"classes": [1]}, {"edges": node.graph.edges[:, :2].T.tolist()}):
        assert revision(node, Deletion(**kind)) == 1


@pytest.mark.parametrize("spec", ["d2dgn:epochs=2", "d2dgn-feature:epochs=2", "d2dgn-local:epochs=2,sample=1"])
def test_where_nothing_is_left_to_teach_it_says_what_to_do(make_nodes, random_attributed_graph, spec):
    """Features of all nodes but one leave no edge that the deletion does not touch."""
    task = LinkPrediction(random_attributed_graph(n=60, n_edges=150), seed=1)
    named = {"features": list(range(60) if "feature" in spec else range(59))}
    model = train(GCN(hidden=8, out=4), task, epochs=5, validate_every=5)
    words = r"use scope=full|delete less, or use fine-tune or neg-grad-plus"
    with pytest.raises(UnsupportedError, match=rf"(?i)touches every item that could be retained.*({words})"):
        unlearn(model, task, Deletion(**named), spec)
    unlearn(model, task, Deletion(**named), "neg-grad-plus:epochs=2")
    if spec == "d2dgn:epochs=2":
        nodes = make_nodes(train=0.1)
        ends = nodes.graph.edges[:, np.isin(nodes.graph.edges, nodes.train_nodes).any(axis=0)]
        with pytest.raises(UnsupportedError, match="with scope=full .*; delete less"):
            unlearn(trained(nodes), nodes, Deletion(edges=ends.T.tolist()), spec)


def test_a_default_that_a_run_does_not_name_changes_with_the_revision():
    """A run's id holds alpha and temperature as they were asked for, None: a store would give back the old ones."""
    assert (D2DGN.revision, DEFAULT_ALPHA, DEFAULT_TEMPERATURE) == (
        4,
        {"link": 0.9875, "node": 0.5, "leave": 0.9875, "recommend": 0.5},
        {"link": 0.7, "node": 1.0, "recommend": 1.0},
    )
