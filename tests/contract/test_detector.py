"""The no-op detector: a method that leaves things as they were fails loudly."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import ClassVar

import numpy as np
import pytest
import torch

from graphforget._core.errors import NoForgettingError, UnsupportedError
from graphforget.data.deletion import Deletion
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.gcn import GCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.method import Method
from graphforget.unlearning.run import unlearn


@dataclass(frozen=True)
class Stub(Method):
    """Adds `shift` to the weights, or puts identity operators on `nodes`."""

    name: ClassVar[str] = "stub"
    title: ClassVar[str] = "Stub"
    source: ClassVar[str] = "none"
    reads: ClassVar[frozenset[str]] = frozenset()

    shift: float = 0.0
    nodes: tuple[int, ...] | None = None
    scale: float = 1.0

    def unlearn(self, problem):
        model = problem.original.clone()
        with torch.no_grad():
            for value in model.parameters():
                value += self.shift
        if self.nodes is None:
            return model
        operator = identity_operator(np.array(self.nodes, dtype=np.int64), 8)
        operator.weight.data *= self.scale
        return Edited(model, {1: operator})


@pytest.mark.parametrize(
    "method", [Stub(), Stub(shift=1e-12), Stub(nodes=()), Stub(nodes=(), scale=2.0), Stub(nodes=(1, 2))]
)
def test_unchanged_weights_are_found(problems, method):
    with pytest.raises(NoForgettingError, match="stub"):
        unlearn(*problems("gcn", "link", "edges"), method)


@pytest.mark.parametrize(("method", "stuck"), [(Stub(), True), (Stub(shift=1e-9), False)])
def test_where_longer_training_may_not_help_it_says_so(problems, method, stuck):
    with pytest.raises(NoForgettingError, match="Train longer or with a larger learning rate") as caught:
        unlearn(*problems("gcn", "link", "edges"), method)
    assert ("its loss asks for no change here: take another method" in str(caught.value)) == stuck


@pytest.mark.parametrize("method", [Stub(shift=0.01), Stub(nodes=(1, 2), scale=0.5)])
def test_changed_weights_pass(problems, method):
    assert unlearn(*problems("gcn", "link", "edges"), method).parameter_change > 1e-3


def test_the_change_is_relative(problems):
    model, task, deletion = problems("gcn", "link", "edges")
    count = sum(value.numel() for value in model.parameters())
    norm = sum(float(value.detach().double().square().sum()) for value in model.parameters()) ** 0.5
    change = unlearn(model, task, deletion, Stub(shift=0.01)).parameter_change
    assert change == pytest.approx(0.01 * count**0.5 / norm, rel=1e-4)
    assert unlearn(model, task, deletion, Stub(nodes=(1,), scale=0.5)).parameter_change == pytest.approx(0.5)


def test_dropping_labels_alone_is_not_for_unlink(problems):
    with pytest.raises(UnsupportedError, match="graph alone"):
        unlearn(*problems("gcn", "node", "classes/label"), "unlink")


def test_zeroing_zeros_is_no_forgetting_for_unlink(random_attributed_graph):
    graph = random_attributed_graph()
    blank = graph.without(features=np.array([4, 5]))
    task = NodeClassification(blank)
    model = train(GCN(hidden=8), task, epochs=2)
    with pytest.raises(NoForgettingError, match="graph"):
        unlearn(model, task, Deletion(features=[4, 5]), "unlink")
    assert unlearn(model, task, Deletion(features=[5, 6]), "unlink").parameter_change == 0.0


def test_held_out_edges_alone_leave_nothing_to_learn_from(random_attributed_graph):
    """Only what keeps the weights, or makes them anew without the deletion, may leave them as they were."""
    task = LinkPrediction(random_attributed_graph())
    model = train(GCN(hidden=8), task, epochs=2)
    deletion = Deletion(edges=[tuple(task.split.test[:, 0].tolist())])
    for name in ("unlink", "retrain"):
        assert unlearn(model, task, deletion, name).parameter_change == 0.0
    for name in ("d2dgn", "gnndelete", "gradient-ascent"):
        with pytest.raises(UnsupportedError, match="held-out.*Use unlink, which takes them out of the data"):
            unlearn(model, task, deletion, name)
    for idle in (Stub(), Stub(shift=1e-12), Stub(nodes=())):
        with pytest.raises(NoForgettingError, match="stub"):
            unlearn(model, task, deletion, idle)


def test_the_message_names_the_method_and_what_to_do(problems):
    with pytest.raises(NoForgettingError) as caught:
        unlearn(*problems("gcn", "link", "edges"), replace(Stub(), shift=0.0))
    assert "stub" in str(caught.value) and "learning rate" in str(caught.value)
    assert caught.value.exit_code == 5
