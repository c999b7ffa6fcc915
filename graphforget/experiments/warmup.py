"""Compile before the clock starts."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache

from graphforget._core.errors import GraphforgetError
from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.experiments.setup import TASKS
from graphforget.experiments.specs import GOLD, parse_method
from graphforget.models.zoo import backbones
from graphforget.tasks.base import Task
from graphforget.training.train import train
from graphforget.unlearning.method import Method
from graphforget.unlearning.run import methods, unlearn

SAMPLE = "sample-citations"


@cache
def warm_up(task_name: str, backbone: str, kind: str, labels: tuple[str, ...]) -> None:
    """Train a backbone and run methods, given as text, for an epoch on the sample graph.

    Kernels are compiled, or read from their cache, at their first use in a process. Without this the first model of
    a run, usually gold, would be charged for it, and every speed-up would be wrong. Done once in a process.
    """
    task = TASKS[task_name](load(SAMPLE), 0)
    model = train(backbones().get(backbone, hidden=8), task, epochs=1)
    deletion = _some(task, kind)
    for method in [methods().get(GOLD), *(parse_method(label).method for label in labels)]:
        with contextlib.suppress(GraphforgetError):  # one epoch may well change nothing
            unlearn(model, task, deletion, _shortened(method))


def _some(task: Task, kind: str) -> Deletion:
    if kind == "edges":
        return Deletion(edges=task.graph.edges[:, :9].T.tolist())
    return Deletion(**{kind: [0] if kind == "classes" else list(range(9))})


def _shortened(method: Method) -> Method:
    return replace(method, epochs=1) if "epochs" in method.options() else method
