"""Compile before the clock starts."""

from __future__ import annotations

import contextlib
from dataclasses import replace
from functools import cache
from typing import Any

from graphforget._core.errors import GraphforgetError
from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.evaluation.report import GOLD
from graphforget.experiments.request import drawn_kinds
from graphforget.experiments.setup import TASKS
from graphforget.models.zoo import backbone_options, make_backbone
from graphforget.tasks.base import Task
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.method import Method
from graphforget.unlearning.run import methods, unlearn
from graphforget.unlearning.sampling import sample_deletion
from graphforget.unlearning.specs import parse_method

SAMPLES = {"link": "sample-citations", "node": "sample-citations", "recommend": "sample-shop"}
SMALL = {"hidden": 8, "dim": 8}
FEW = 9


@cache
def warm_up(task_name: str, backbone: str, kind: str | None, labels: tuple[str, ...], device: str) -> None:
    """Train a backbone and run methods, given as text, for an epoch on the sample data.

    Kernels are compiled, or read from their cache, at their first use in a process. Without this the first model of
    a run, usually gold, would be charged for it, and every speed-up would be wrong. Done once in a process. Without a
    kind of deletion, nothing is made to forget.
    """
    task = TASKS[task_name](load(SAMPLES[task_name]), 0)
    small = {key: value for key, value in SMALL.items() if key in backbone_options(backbone)}
    model = train(make_backbone(backbone, **small), task, epochs=1, device=device)
    if kind is None:
        return
    deletion = _some(task, kind)
    for method in [methods().get(GOLD), *(parse_method(label).method for label in labels)]:
        with contextlib.suppress(GraphforgetError):  # one epoch may well change nothing
            unlearn(model, task, deletion, _shortened(method), device=device)


def _some(task: Task, kind: str) -> Deletion:
    if isinstance(task, Recommendation):
        wanted: dict[str, Any] = dict.fromkeys(drawn_kinds(kind), FEW)
        if kind == "modalities":
            wanted["modality"] = next(iter(task.graph.modalities))
        return sample_deletion(task, **wanted)
    if kind == "edges":
        return Deletion(edges=task.graph.edges[:, :FEW].T.tolist())
    named: dict[str, Any] = {kind: [0] if kind == "classes" else list(range(FEW))}
    return Deletion(**named)


def _shortened(method: Method) -> Method:
    once: dict[str, Any] = {"epochs": 1}
    return replace(method, **once) if "epochs" in method.options() else method
