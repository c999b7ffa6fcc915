"""Small interactions with groups of users who like groups of items, and models trained on them."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train

N_USERS, N_ITEMS = 36, 24
FEW = {"epochs": 4, "validate_every": 2, "batch": 64, "lr": 0.02}


def _parts(seed: int = 0) -> list[np.ndarray]:
    """Return the training, validation and test pairs, each (2, m)."""
    rng = np.random.default_rng(seed)
    groups = rng.integers(0, 3, N_USERS)[:, None] == rng.integers(0, 3, N_ITEMS)
    pairs = np.stack(np.nonzero(rng.random((N_USERS, N_ITEMS)) < np.where(groups, 0.6, 0.1)))
    part = rng.permutation(pairs.shape[1]) % 10
    return [pairs[:, part < 6], pairs[:, (part >= 6) & (part < 8)], pairs[:, part >= 8]]


def _task(parts: list[np.ndarray]) -> Recommendation:
    return Recommendation(Interactions.build(N_USERS, N_ITEMS, *parts, name="small"), seed=3)


@pytest.fixture(scope="session")
def parts():
    """The training, validation and test pairs."""
    return _parts()


@pytest.fixture(scope="session")
def task_of():
    """A task on pairs of each part."""
    return _task


@pytest.fixture(scope="session")
def task():
    """The task on the small interactions."""
    return _task(_parts())


@pytest.fixture(scope="session")
def trained(task):
    """trained(backbone, task=the small one) -> model after four epochs."""

    @cache
    def make(backbone: str, on: Recommendation = task) -> Model:
        return train(make_backbone(backbone, dim=8), on, **FEW)

    return make
