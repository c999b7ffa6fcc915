"""A graph of six nodes whose neighbourhoods are known by heart, and slow dense twins of the sparse code."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch
from torch import Tensor

from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.base import Model
from graphforget.models.gcn import GCN
from graphforget.tasks.link import LinkPrediction, LinkSplit
from graphforget.training.loop import State
from graphforget.training.train import train
from graphforget.unlearning.method import Problem

TRAIN = np.array([[0, 0, 1, 2, 3, 4], [1, 2, 2, 3, 4, 5]])
DELETED = (4, 5)


@pytest.fixture(scope="session")
def six():
    """Link prediction on 0-1-2 (a triangle), 2-3, 3-4, 4-5, with 1-3 for validation and 0-4 for testing."""
    features = np.random.default_rng(0).normal(size=(6, 3)).astype(np.float32)
    held = np.array([[0, 1], [4, 3]])
    graph = Graph.build(6, np.concatenate([TRAIN, held], axis=1), features, name="six")
    task = copy.copy(LinkPrediction(graph, seed=1, holdout=0.2, normalise=False))
    task.graph = task.graph.with_edges(TRAIN)
    negatives = np.array([[0], [5]]), np.array([[1], [5]])
    task.split = LinkSplit(np.array([[1], [3]]), negatives[0], np.array([[0], [4]]), negatives[1])
    return task


@pytest.fixture(scope="session")
def trained(six) -> Model:
    """A GCN 3 - 4 - 2 as if trained on `six`: weights and biases of everyday size, so that no term is near zero."""
    model = train(GCN(hidden=4, out=2), six, epochs=1)
    generator = torch.Generator().manual_seed(8)
    with torch.no_grad():
        for value in model.parameters():
            value.copy_(torch.randn(value.shape, generator=generator) * 0.6)
    return model.frozen()


class Dense:
    """The equations of GCN on dense float64 matrices; `parameters` are leaves that take gradients."""

    def __init__(self, model: Model, edges: np.ndarray, features: np.ndarray) -> None:
        named = dict(model.named_parameters())
        self.parameters = {key: value.detach().double().clone().requires_grad_(True) for key, value in named.items()}
        adjacency = np.eye(len(features))
        adjacency[edges[0], edges[1]] = adjacency[edges[1], edges[0]] = 1
        scale = np.diag(adjacency.sum(1) ** -0.5)
        self.adjacency = torch.from_numpy(scale @ adjacency @ scale)
        self.x = torch.from_numpy(features.astype(np.float64))

    def layers(self, operator=lambda layer, h: h) -> list[Tensor]:
        """Return the embeddings after each layer and its operator."""
        p, found, h = self.parameters, [], self.x
        for layer in (1, 2):
            name = f"convolutions.{layer - 1}"
            h = operator(
                layer, self.adjacency @ (h if layer == 1 else torch.relu(h)) @ p[f"{name}.weight"] + p[f"{name}.bias"]
            )
            found.append(h)
        return found


@pytest.fixture(scope="session")
def dense():
    """Build a `Dense` from (model, edges, features)."""
    return Dense


class Spied(Problem):
    """A problem whose `fit` trains nothing and keeps what it was given."""

    def fit(self, model, objective, recipe, method, *, validate=None) -> State:
        self.spied = model, objective, recipe
        return State()


@pytest.fixture
def spy(six, trained):
    """spy(method) -> (problem, model about to be trained, objective, recipe), deleting the edge 4 - 5."""

    def run(method, deletion=None, prepare=lambda problem: None):
        gone = six.resolve(deletion or Deletion(edges=[DELETED]))
        reads = frozenset({"forgotten", "retained"})
        problem = Spied(trained.frozen(), 3, reads, six, six.without(gone), gone)
        prepare(problem)
        method.unlearn(problem)
        return problem, *problem.spied

    return run


def _assert_gradients(model: Model, loss: Tensor, expected: dict[str, Tensor]) -> None:
    named = {key: value for key, value in model.named_parameters() if value.requires_grad}
    found = torch.autograd.grad(loss, list(named.values()), allow_unused=True)
    assert set(named) == set(expected)
    for key, gradient in zip(named, found, strict=True):
        gradient = torch.zeros_like(named[key]) if gradient is None else gradient
        torch.testing.assert_close(gradient.double(), expected[key], rtol=2e-4, atol=1e-7, msg=key)


@pytest.fixture(scope="session")
def assert_gradients():
    """Assert that the gradients of a loss to a model's trainable parameters are the expected ones, by name."""
    return _assert_gradients
