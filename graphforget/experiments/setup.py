"""What a model is trained on and how: data, task, backbone and recipe, as plain values."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from graphforget._core.errors import UsageError, nearest, unknown
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.models.base import Backbone
from graphforget.models.zoo import backbones
from graphforget.tasks.base import Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.recipe import Recipe, default_recipe

TASKS: dict[str, type[Task]] = {"link": LinkPrediction, "node": NodeClassification}


@dataclass(frozen=True)
class Source:
    """Where a graph comes from: the arguments of `load`."""

    data: str
    data_dir: str | None = None
    features: str | None = None
    labels: str | None = None

    def load(self) -> Graph:
        """Return the graph."""
        return load(self.data, self.data_dir, self.features, self.labels)


@dataclass(frozen=True)
class Setup:
    """Data, task, backbone and recipe.

    Parameters
    ----------
    source: where the graph comes from.
    backbone: a name of the zoo.
    task: "link" or "node".
    task_options: keyword arguments of the task; what is left out has the task's default.
    architecture: keyword arguments of the backbone.
    recipe: fields of the recipe that differ from the task's default.

    Raises UsageError at once for a name, an option or a value that does not exist.
    """

    source: Source
    backbone: str
    task: str = "link"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.task not in TASKS:
            raise UsageError(unknown("task", self.task, TASKS))
        known = task_defaults(self.task)
        for key in self.task_options:
            if key not in known:
                raise UsageError(
                    f"'{key}' is not an option of the {self.task} task.{nearest(key, known)} It has {', '.join(known)}."
                )
        self.make_backbone()
        self.make_recipe()

    def make_task(self, graph: Graph, seed: int) -> Task:
        """Return the task on `graph`."""
        return TASKS[self.task](graph, seed, **self.task_options)

    def make_backbone(self) -> Backbone:
        """Return the untrained backbone."""
        return backbones().get(self.backbone, **self.architecture)

    def make_recipe(self) -> Recipe:
        """Return the recipe of the original and the gold model."""
        return replace(default_recipe(self.task), **self.recipe)

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON."""
        return asdict(self)


def task_defaults(name: str) -> dict[str, Any]:
    """Return the options of a task and their defaults."""
    parameters = inspect.signature(TASKS[name].__init__).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def resolved_options(setup: Setup, task: Task) -> dict[str, Any]:
    """Return every option of a task as it stands, defaults resolved: what decides its split and its scores."""
    options = {**task_defaults(setup.task), **setup.task_options}
    return {key: getattr(task, key) if value is None else value for key, value in options.items()}


def task_digest(task: Task) -> str:
    """Return a digest of the data of a task and of its whole split, held-out negatives included."""
    if isinstance(task, LinkPrediction):
        parts = [task.split.val, task.split.val_negatives, task.split.test, task.split.test_negatives]
    elif isinstance(task, NodeClassification):
        parts = [task.train_nodes, task.val_nodes, task.test_nodes]
    else:
        raise UsageError(f"A {task.name} task has no split that is known here.")
    sha = hashlib.sha256(task.graph.digest.encode())
    for part in parts:
        sha.update(f"{part.shape}".encode() + np.ascontiguousarray(part, dtype=np.int64).tobytes())
    return sha.hexdigest()
