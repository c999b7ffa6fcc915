"""A small shop of two groups of users, models of it, and deletions."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import State
from graphforget.training.train import train
from graphforget.unlearning.method import Problem

USERS, ITEMS = 36, 60
BOTH = frozenset({"forgotten", "retained"})


def _shop() -> Interactions:
    rng = np.random.default_rng(0)
    same = (np.arange(USERS) % 2)[:, None] == (np.arange(ITEMS) % 2)
    users, items = np.nonzero(rng.random((USERS, ITEMS)) < np.where(same, 0.3, 0.03))
    held = rng.random(len(users)) < 0.2
    pairs = np.stack([users, items])
    return Interactions.build(USERS, ITEMS, pairs[:, ~held], pairs[:, held], name="toy")


@pytest.fixture(scope="session")
def task() -> Recommendation:
    """36 users, 60 items, validation pairs."""
    return Recommendation(_shop(), seed=3)


@pytest.fixture(scope="session")
def trained(task):
    """trained(backbone, **options) -> a model of the shop, made once."""

    @cache
    def make(backbone: str, **options) -> Model:
        model = make_backbone(backbone, **{"dim": 6, **options})
        return train(model, task, epochs=30, batch=64, lr=0.05, validate_every=10)

    return make


@pytest.fixture(scope="session")
def some(task) -> Deletion:
    """Six training pairs, two of one user."""
    pairs = task.graph.pairs("train")
    return Deletion(interactions=pairs[:, [0, 1, 17, 40, 66, 80]].T.tolist())


@pytest.fixture
def problem(task, some):
    """problem(model, deletion=six pairs, seed=5) -> what a method is given."""

    def make(model: Model, deletion: Deletion = some, seed: int = 5, cls: type[Problem] = Problem) -> Problem:
        gone = task.resolve(deletion)
        made = cls(model.frozen(), seed, BOTH, task, task.without(gone), gone)
        if hasattr(model, "provenance"):
            made.original.provenance = model.provenance
        return made

    return make


class _Spied(Problem):
    """A problem whose `fit` trains nothing and keeps what it was given."""

    def fit(self, model, work, recipe, method, *, validate=None, enough=None) -> State:
        self.spied = model, work, recipe
        return State()


@pytest.fixture
def spy(problem):
    """spy(method, model, deletion=six pairs) -> (problem, model about to be trained, its work, recipe)."""

    def run(method, model, *deletion):
        spied = problem(model, *deletion, cls=_Spied)
        method.unlearn(spied)
        return spied, *spied.spied

    return run


@pytest.fixture(scope="session")
def streams():
    """The streams of a method's name at the problem's seed."""
    return lambda name: Streams(5).child(name)
