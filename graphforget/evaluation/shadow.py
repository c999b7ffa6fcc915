"""Shadow models: trained like the original, but on held-out data, so that members are known."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace

import numpy as np

from graphforget._core.errors import UnsupportedError
from graphforget._core.streams import Streams
from graphforget._core.threads import one_torch_thread
from graphforget.evaluation.case import logits, node_items, pair_items
from graphforget.models.base import Model
from graphforget.tasks.base import Items, Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.loop import Progress
from graphforget.training.recipe import default_recipe
from graphforget.training.train import run_training


@dataclass(frozen=True, eq=False)
class ShadowAnswers:
    """Float64 logits of a shadow model for items it was trained on (members) and for others."""

    members: np.ndarray
    others: np.ndarray


def shadow_answers(
    task: Task, model: Model, streams: Streams, epochs: int | None = None, progress: Progress | None = None
) -> ShadowAnswers:
    """Train a shadow of `model` on the held-out part of `task` and return its answers.

    The shadow has the architecture and the recipe of `model`. Deviation: its last epoch counts, because the
    validation part, which would select an epoch, is what it must not know; `epochs` may cap the recipe's.
    """
    if not isinstance(task, LinkPrediction | NodeClassification):
        raise UnsupportedError(f"The membership attack serves link and node tasks; this is a {task.name} task.")
    made = model.provenance
    recipe = made.recipe if made else default_recipe(task.name)
    length = recipe.epochs if epochs is None else min(epochs, recipe.epochs)
    recipe = replace(recipe, epochs=length, validate_every=length, selection="last", patience=None)
    shadow_task = _link_shadow(task) if isinstance(task, LinkPrediction) else _node_shadow(task)
    shadow = model.fresh(streams.child("shadow"))
    seed = int(streams("shadow-seed").key % 2**31)
    shadow = run_training(shadow, shadow_task, recipe, seed, progress=progress)
    with one_torch_thread():
        z = shadow.embed(shadow_task.graph)
    items = _link_items(task) if isinstance(task, LinkPrediction) else _node_items(task)
    return ShadowAnswers(*(logits(shadow_task, z, part) for part in items))


def _link_shadow(task: LinkPrediction) -> LinkPrediction:
    """Return the task whose messages and training edges are the test edges."""
    shadow = copy.copy(task)
    keys = task.split.test[0] * np.int64(task.graph.n_nodes) + task.split.test[1]
    shadow.graph = task.graph.with_edges(task.split.test[:, np.argsort(keys, kind="stable")])
    return shadow


def _node_shadow(task: NodeClassification) -> NodeClassification:
    """Return the task whose training nodes are those tested on; messages pass over the whole graph as before."""
    shadow = copy.copy(task)
    shadow.train_nodes = task.tested
    return shadow


def _link_items(task: LinkPrediction) -> tuple[Items, Items]:
    """Return members (test edges and their negatives) and others (validation edges and theirs)."""
    split, n = task.split, task.graph.n_nodes
    return pair_items(split.test, split.test_negatives, n), pair_items(split.val, split.val_negatives, n)


def _node_items(task: NodeClassification) -> tuple[Items, Items]:
    """Return members (nodes tested on) and others (validation nodes)."""
    return node_items(task.tested, task.labels), node_items(task.val_nodes, task.labels)
