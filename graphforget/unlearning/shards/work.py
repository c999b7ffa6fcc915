"""The training of one shard as a value, which another process or machine can carry out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from graphforget.models.base import Model
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import Progress
from graphforget.training.recipe import Recipe
from graphforget.training.train import run_training


@dataclass(frozen=True, eq=False)
class ShardModel:
    """The trained model of a shard.

    Attributes
    ----------
    resumed: whether a checkpoint was there.
    seconds, peak_memory: what it cost the process that was given it; of this process, the caller counts that.
    """

    model: Model
    resumed: bool
    seconds: float = 0.0
    peak_memory: int | None = None


@dataclass(frozen=True, eq=False)
class ShardWork:
    """A fresh model, and all that decides what its shard makes of it; `checkpoint` is where that is saved meanwhile."""

    model: Model
    task: Recommendation
    recipe: Recipe
    seed: int
    checkpoint: Path | None

    def done(self, progress: Progress | None = None) -> ShardModel:
        """Train the model in place; one of a shard without training pairs answers 0 to everything."""
        if not self.task.graph.n_edges:
            with torch.no_grad():
                for value in self.model.parameters():
                    value.zero_()
            return ShardModel(self.model, False)
        resumed = self.checkpoint is not None and self.checkpoint.exists()
        model = run_training(
            self.model, self.task, self.recipe, self.seed, checkpoint=self.checkpoint, progress=progress
        )
        return ShardModel(model, resumed)


MapShards = Callable[[Sequence[ShardWork], Progress | None], list[ShardModel]]
"""Carries out the work of shards elsewhere, in any order; returns what came of it in theirs, costs included."""
