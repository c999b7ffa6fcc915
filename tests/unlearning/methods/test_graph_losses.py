"""What the losses of graph methods count: labelled ends of edges, nodes without an edge, the rate of a preset."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphforget._core.errors import UnsupportedError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.gcn import GCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.loop import State
from graphforget.training.train import train
from graphforget.unlearning.method import Problem
from graphforget.unlearning.methods.gnndelete import GNNDelete, consistency_pairs
from graphforget.unlearning.methods.gradient_ascent import GradientAscent
from graphforget.unlearning.methods.neg_grad import NegGradPlus
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.specs import methods

RNG = np.random.default_rng(7)


class Spied(Problem):
    """A problem whose `fit` trains nothing and keeps what it was given."""

    def fit(self, model, work, recipe, method, *, validate=None, enough=None) -> State:
        self.spied = model, work, recipe
        return State()


def spied(method, task, deletion, model) -> Spied:
    gone = task.resolve(deletion)
    problem = Spied(model.frozen(), 5, frozenset({"forgotten", "retained"}), task, task.without(gone), gone)
    problem.original.provenance = model.provenance
    method.unlearn(problem)
    return problem


@pytest.fixture(scope="module")
def task() -> NodeClassification:
    """Forty nodes in two classes, of which twelve train; node 39 has no edge."""
    x = RNG.random((40, 6))
    x[:20, 0] += 1
    pairs = np.unique(np.sort(RNG.integers(0, 39, (90, 2)), axis=1), axis=0)
    graph = Graph.build(40, pairs[pairs[:, 0] != pairs[:, 1]].T, features=x, labels=np.arange(40) // 20)
    parts = {"train": [*range(6), *range(20, 25), 39], "val": range(6, 12), "test": range(26, 32)}
    return NodeClassification(graph, seed=1, parts={k: np.array([*v]) for k, v in parts.items()})


@pytest.fixture(scope="module")
def model(task):
    return train(GCN(hidden=8), task, epochs=60, lr=0.02, validate_every=20)


def ends_loss(task, model, nodes) -> float:
    z = model.embed(task.graph)[torch.from_numpy(np.asarray(nodes))]
    return float(F.cross_entropy(z, torch.from_numpy(task.graph.labels[nodes])))


def some_edges(task, labelled: int, others: int) -> tuple[Deletion, list[int]]:
    """Edges of a training node, and edges between others, none of them training nodes."""
    known = np.isin(task.graph.edges, task.train_nodes).sum(axis=0)
    chosen = np.concatenate([np.flatnonzero(known == 1)[:labelled], np.flatnonzero(known == 0)[:others]])
    edges = task.graph.edges[:, chosen]
    return Deletion(edges=edges.T.tolist()), np.intersect1d(edges, task.train_nodes).tolist()


def test_ends_of_edges_without_a_training_label_do_not_dilute_the_ascent(task, model):
    deletion, ends = some_edges(task, labelled=2, others=6)
    wanted = ends_loss(task, model, ends)
    _, work, _ = spied(GradientAscent(), task, deletion, model).spied
    assert float(work(0).detach()) == pytest.approx(-wanted, rel=1e-5)
    _, (phase,), _ = spied(NegGradPlus(beta=0.0), task, deletion, model).spied
    (step,) = phase.steps(0)
    assert float(step().detach()) == pytest.approx(-wanted, rel=1e-5)


@pytest.mark.parametrize("method", [GradientAscent(), NegGradPlus()], ids=lambda method: method.name)
def test_what_touches_no_label_has_nothing_to_ascend(task, model, method):
    deletion, _ = some_edges(task, labelled=0, others=4)
    with pytest.raises(UnsupportedError, match="their labels were never learned"):
        unlearn(model, task, deletion, method)
    mixed, _ = some_edges(task, labelled=2, others=4)
    whole = Deletion(features=task.train_nodes[:3].tolist())
    revisions = [method.revision_on(model, task, task.resolve(asked)) for asked in (mixed, whole)]
    assert revisions == [method.revision + 1, method.revision]


def test_nodes_without_an_edge_are_pulled_away_beside_others(task, model):
    """A node left out of the pairs would count as the rest, which GNNDelete holds where it was."""
    alone = task.resolve(Deletion(nodes=[0, 39]))
    pairs = consistency_pairs(task, alone)
    assert pairs[:, -1].tolist() == [39, 39] and pairs.shape[1] == alone.edges.shape[1] + 1
    features = consistency_pairs(task, task.resolve(Deletion(features=[0, 39])))
    assert features[:, -1].tolist() == [39, 39] and (features[:, :-1] == 0).any(axis=0).all()
    assert consistency_pairs(task, task.resolve(Deletion(features=[39]))).tolist() == [[39], [39]]
    edges = task.resolve(Deletion(edges=task.graph.edges[:, :2].T.tolist()))
    assert np.array_equal(consistency_pairs(task, edges), edges.edges)
    revision = [GNNDelete().revision_on(model, task, gone) - GNNDelete.revision for gone in (alone, edges)]
    assert revision == [1, 0]
    moved = unlearn(model, task, Deletion(features=[0, 39]), GNNDelete(epochs=60, lr=1e-2))
    before = model.embed(task.without(moved.gone).graph)[39]
    assert float((moved.model.embed(moved.graph)[39] - before).norm()) > 0.05 * float(before.norm())


def test_opengu_takes_the_whole_rate_for_nodes_and_a_tenth_for_links(task, model):
    method = methods().get("d2dgn-opengu")
    _, _, recipe = spied(method, task, Deletion(nodes=[0, 21]), model).spied
    assert recipe.lr == 0.02
    links = LinkPrediction(task.graph, seed=1, holdout=0.1)
    linked = train(GCN(hidden=8, out=4), links, epochs=20, lr=0.03, validate_every=10)
    _, _, recipe = spied(method, links, Deletion(edges=links.graph.edges[:, :3].T.tolist()), linked).spied
    assert recipe.lr == pytest.approx(0.003)
