"""Training on mini-batches whose nodes see a few random neighbours: what a graph too large for a full batch needs."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, Protocol, runtime_checkable

import numpy as np
from torch import Tensor

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.models.base import Model
from graphforget.tasks.base import Task
from graphforget.tasks.batches import Batch
from graphforget.training.recipe import Recipe
from graphforget.training.workers import ALONE, Workers, nothing


@runtime_checkable
class Sampled(Protocol):
    """A model whose rows can be computed from drawn neighbours."""

    def sampled_rows(self, data: Any, rows: np.ndarray, hops: Sequence[tuple[int, int]]) -> tuple[list[Tensor], Tensor]:
        """Return rows of the layers and of the readout; see `Backbone.sampled_rows`."""


def check_sampling(model: Model, recipe: Recipe) -> None:
    """Raise UnsupportedError or UsageError unless a model can be trained as a recipe with `neighbours` says."""
    layers = getattr(model, "n_layers", None)
    if not isinstance(model, Sampled):
        raise UnsupportedError(
            f"neighbours='{recipe.neighbours}': {model.name} models are not computed from drawn neighbours; gcn, sage, "
            "gat, gin and lightgcn are. Leave 'neighbours' out."
        )
    if len(recipe.fanouts) != layers:
        raise UsageError(
            f"neighbours='{recipe.neighbours}' names {len(recipe.fanouts)} hops, but the {model.name} has {layers} "
            "layers; give one number for each layer, the last layer's first."
        )
    if recipe.batch is None:
        raise UsageError(f"neighbours='{recipe.neighbours}' draws for mini-batches; give their size ('batch'), too.")


def check_divisible(model: Model, workers: Workers) -> None:
    """Raise UnsupportedError where parts of a batch, computed by several workers, do not add up to its loss."""
    reason = None if workers.count == 1 else model.indivisible()
    if reason is not None:
        raise UnsupportedError(f"{model.name}: {reason}, so that {workers.count} processes cannot share a batch.")


def sampled_steps(
    model: Model, task: Task, recipe: Recipe, streams: Streams, epoch: int, workers: Workers = ALONE
) -> list[Callable[[], Tensor]]:
    """Return the losses of the batches of an epoch, each times the share of its batch that this worker computes.

    What is drawn is a function of seed, epoch and step (and, for neighbours, of the node), never of the worker.
    """
    assert recipe.batch is not None and isinstance(model, Sampled)
    batches = task.batches(streams, epoch, recipe.batch * workers.count)

    def loss(step: int, batch: Batch) -> Tensor:
        first, last = workers.part(batch.size)
        if first == last:
            return nothing(model.parameters())
        keys = [streams("neighbours", epoch=epoch, step=step, hop=hop).key for hop in range(len(recipe.fanouts))]
        at_rows = partial(model.sampled_rows, hops=list(zip(recipe.fanouts, keys, strict=True)))
        found = task.batch_loss(model, batch.draw(first, last), epoch, at_rows)
        return found if workers.count == 1 else found * ((last - first) / batch.size)

    return [partial(loss, step, batch) for step, batch in enumerate(batches)]
