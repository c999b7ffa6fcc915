"""ReCUR: keep ranking what stays, hold the neighbours where they were, and leave where the forgotten edges led."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget.models.base import Model
from graphforget.models.kgat import refreshes
from graphforget.tasks.base import Forgotten, Items, as_index
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import Phase
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    count,
    metric_name,
    positive,
    positive_or_none,
    share,
)
from graphforget.unlearning.pair_batches import pair_batches


@dataclass(frozen=True)
class ReCUR(Method[Recommendation]):
    """ReCUR (recommendation contrastive unlearning), reconstructed from a summary of its code.

        L = bpr * BPR(B_r) + (1 - bpr) * (-log P / (P + N))
        P = mean exp(cos(z'_v, z_v) / temperature)     over the neighbours v of the deletion, on the retained graph
        N = mean exp(cos(z'^f_v, z_v) / temperature)   over the ends v of forgotten pairs, z'^f on their edges alone

    z are the original's embeddings on the full graph, z' the learning model's. The ends of forgotten pairs so leave
    the direction that the forgotten edges gave them, their neighbours stay. The released term, |-log(P / N + P)|, is
    no InfoNCE; this one is. Its estimate of influence, and the re-ranking of groups, are known by name alone and left
    out; so is its choice of the epoch, which reads the forgotten AUC.

    Parameters
    ----------
    bpr: weight of the ranking term, 0.6 in the release.
    temperature: of the cosines, 0.6 in the release.
    batch: retained pairs of a step, at most; together as many as were forgotten make an epoch.
    min_steps: steps of an epoch, at least.
    epochs: passes. lr: of Adam; None takes the original's.
    validate_every, selection: see `Recipe`; "auto" is the task's own metric, "last" takes the last epoch.
    """

    name: ClassVar[str] = "recur"
    title: ClassVar[str] = "ReCUR (reconstructed)"
    source: ClassVar[str] = "ReCUR's released code, reconstructed from a summary"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"bpr": (0.4, 0.6, 0.8), "epochs": (5, 10, 20), "lr": (1e-4, 1e-3)}

    bpr: float = 0.6
    temperature: float = 0.6
    batch: int = 2048
    min_steps: int = 10
    epochs: int = 10
    lr: float | None = None
    validate_every: int = 1
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(
            bpr=share,
            temperature=positive,
            batch=count,
            min_steps=count,
            epochs=count,
            lr=positive_or_none,
            validate_every=count,
            selection=metric_name,
        )

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision: one more for attention, which a validation ends on the full data, too."""
        return super().revision_on(model, task, gone) + refreshes(model)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the fine-tuned model."""
        model = problem.original.clone()
        recipe = problem.recipe_for(self, self.validate_every)
        problem.fit(model, [Phase("both", self.steps(problem, model))], recipe, self)
        return model

    def steps(self, problem: Problem[Recommendation], model: Model) -> Callable[[int], list[Callable[[], Tensor]]]:
        """Return epoch -> the losses of its steps."""
        full, retained, gone = problem.full, problem.retained, problem.gone
        batches = pair_batches(problem, self.name, self.batch, min_steps=self.min_steps)
        named = np.unique(gone.edges)
        beside = np.setdiff1d(np.flatnonzero(full.affected(gone, 1)), named)
        ends, near = as_index(named, model.device), as_index(beside, model.device)
        before, dead = problem.original.embed(full.graph), full.graph.with_edges(gone.edges)

        def loss(kept: Items) -> Tensor:
            z = model(retained.graph)
            rank = F.softplus(-full.responses(z, kept)).mean()
            stay = _closeness(z, before, near, self.temperature)
            lead = _closeness(model(dead), before, ends, self.temperature)
            return self.bpr * rank - (1 - self.bpr) * torch.log(stay / (stay + lead))

        return lambda epoch: [partial(loss, items) for items in batches.kept(epoch)]


def _closeness(z: Tensor, before: Tensor, nodes: Tensor, temperature: float) -> Tensor:
    """Return the mean of exp(cos / temperature) over some nodes; 1, that of right angles, over none."""
    if not len(nodes):
        return z.new_ones(())
    cosine = F.cosine_similarity(z.index_select(0, nodes), before.index_select(0, nodes))
    return torch.exp(cosine / temperature).mean()
