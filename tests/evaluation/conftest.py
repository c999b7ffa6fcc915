"""What the evaluation tests share: models with planted answers, tiny tasks, hand-made records."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.evaluation.case import Case, Subject, case_of
from graphforget.evaluation.records import Record
from graphforget.models.base import Model
from graphforget.models.gcn import GCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train


class Planted(Model):
    """A model whose embeddings are given, whatever the graph."""

    name = "planted"

    def __init__(self, z: torch.Tensor) -> None:
        super().__init__()
        self.z = torch.nn.Parameter(z)

    def layers(self, graph, hook=None, first=None):
        """Return the planted embeddings as the only layer."""
        return [self.z]

    def fresh(self, streams):
        """Return the model itself: there is nothing to draw."""
        return self

    def flops(self, graph):
        """Return one operation per edge."""
        return graph.n_edges


def _subject(case: Case, z, row="method", kind="method", **cost) -> Subject:
    planted = Planted(torch.as_tensor(np.asarray(z), dtype=torch.float32))
    return Subject(row, kind, planted, case.retained.graph, **cost)


def _graph(n_nodes=60, n_edges=200, seed=0) -> Graph:
    """Return a random graph in which the features tell the three classes."""
    rng = np.random.default_rng(seed)
    labels = rng.permutation(np.arange(n_nodes) % 3)
    features = np.eye(3)[labels] + rng.uniform(0, 0.2, (n_nodes, 3))
    return Graph.build(n_nodes, rng.integers(n_nodes, size=(2, n_edges)), features=features, labels=labels)


@pytest.fixture(scope="session")
def link_task() -> LinkPrediction:
    """A link task on a random graph of 60 nodes."""
    return LinkPrediction(_graph(), seed=0, holdout=0.1)


@pytest.fixture(scope="session")
def node_task() -> NodeClassification:
    """A node task with three classes on the same graph."""
    return NodeClassification(_graph(), seed=0, train=0.5, val=0.2)


@pytest.fixture(scope="session")
def link_model(link_task):
    """A small GCN trained for a few epochs."""
    return train(GCN(hidden=8, out=4), link_task, epochs=20)


@pytest.fixture(scope="session")
def node_model(node_task):
    """A small GCN trained until it knows the classes."""
    return train(GCN(hidden=8), node_task, epochs=40)


@pytest.fixture
def link_case(link_task) -> Case:
    """The deletion of eight training edges."""
    chosen = link_task.graph.edges[:, ::20][:, :8]
    gone = link_task.resolve(Deletion(edges=[tuple(pair) for pair in chosen.T.tolist()]))
    return case_of(link_task, link_task.without(gone), gone)


@pytest.fixture
def node_case(node_task) -> Case:
    """The deletion of four training nodes."""
    gone = node_task.resolve(Deletion(nodes=node_task.train_nodes[:4].tolist()))
    return case_of(node_task, node_task.without(gone), gone)


@pytest.fixture
def subject():
    """A subject (case, z, row, kind, seconds=, peak_memory=) with planted embeddings."""
    return _subject


@pytest.fixture
def record():
    """A record (row, kind, seed=0, note="", **values)."""
    return lambda row, kind="method", seed=0, note="", **values: Record(row, seed, values, kind, note)


def _shop(n_users=24, n_items=60, seed=3, test=True) -> Interactions:
    """Return random interactions in which every user has ten training, two validation and three test items."""
    rng = np.random.default_rng(seed)
    items = np.stack([rng.permutation(n_items)[:15] for _ in range(n_users)])
    parts = {
        name: np.stack([np.repeat(np.arange(n_users), width), items[:, first : first + width].ravel()])
        for name, first, width in (("train", 0, 10), ("valid", 10, 2), ("test", 12, 3))
    }
    return Interactions.build(n_users, n_items, **(parts if test else {**parts, "test": None}), name="shop")


@pytest.fixture(scope="session")
def shop() -> Recommendation:
    """A recommendation task on random interactions of 24 users and 60 items."""
    return Recommendation(_shop(), seed=0)


@pytest.fixture
def shop_without_test() -> Recommendation:
    """The same without test pairs."""
    return Recommendation(_shop(test=False), seed=0)


@pytest.fixture
def shop_case():
    """The case of a deletion (task, users=, items=, interactions=) from a task."""

    def build(task: Recommendation, **named) -> Case:
        gone = task.resolve(Deletion(**named))
        return case_of(task, task.without(gone), gone)

    return build


@pytest.fixture
def scored(subject):
    """A subject (case, scores, row, kind) that gives every user and item the planted score."""

    def build(case: Case, scores, row="method", kind="method", **cost) -> Subject:
        scores = np.asarray(scores, dtype=np.float32)
        return subject(case, np.concatenate([np.eye(len(scores)), scores.T]), row, kind, **cost)

    return build
