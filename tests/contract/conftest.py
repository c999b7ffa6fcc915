"""Every backbone trained once on a small link task and a small node task, and deletions of every kind."""

from __future__ import annotations

from functools import cache
from typing import Any

import pytest

from graphforget.data.deletion import Deletion
from graphforget.models.base import Model
from graphforget.models.zoo import backbones
from graphforget.tasks.base import Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.method import Method
from graphforget.unlearning.run import methods
from graphforget.unlearning.sampling import sample_deletion

FEW = {"epochs": 4, "validate_every": 2}


@pytest.fixture(scope="session")
def problems(random_attributed_graph):
    """problems(backbone, task, kind) -> (trained model, task, deletion), each made once."""

    @cache
    def task_of(task: str, mode: str) -> Task:
        graph = random_attributed_graph(n=150, n_edges=190)
        if task == "link":
            return LinkPrediction(graph, seed=3, holdout=0.1)
        return NodeClassification(graph, seed=3, class_mode=mode)

    @cache
    def model_of(backbone: str, task: str) -> Model:
        return train(backbones().get(backbone, hidden=8), task_of(task, "label"), **FEW)

    def make(backbone: str, task: str, kind: str) -> tuple[Model, Task, Deletion]:
        kind, _, mode = kind.partition("/")
        found = task_of(task, mode or "label")
        return model_of(backbone, task), found, _deletion(found, kind)

    return make


def _deletion(task: Task, kind: str) -> Deletion:
    if kind == "classes":
        return Deletion(classes=[1])
    return sample_deletion(task, **{kind: {"edges": 4, "nodes": 3, "features": 3}[kind]})


def _short(name: str, **changes: Any) -> Method:
    """Return the method called `name` with few epochs."""
    cls, preset = methods().find(name)
    few = {key: value for key, value in FEW.items() if key in cls.options()}
    return methods().get(name, **{**few, **changes})


@pytest.fixture(scope="session")
def short():
    """The method of a name with few epochs: short(name, **changes)."""
    return _short
