"""L2UnRank: an influence step weighted by ranks, structure and meaning, then a short repair."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, as_index
from graphforget.tasks.recommend import Recommendation
from graphforget.training.recipe import Recipe
from graphforget.training.train import phases
from graphforget.unlearning.embedding_rows import EmbeddingRows
from graphforget.unlearning.influence import (
    STEP_RULES,
    FixedTriples,
    chosen_nodes,
    draws_unevenly,
    removal_step,
    spread,
)
from graphforget.unlearning.method import PAIR_KINDS, Method, Problem, count_or_zero, positive, share

USERS = 512
"""Users whose scores of all items are held at once."""


@dataclass(frozen=True)
class L2UnRank(Method[Recommendation]):
    """L2UnRank ("Learning to fast unrank in collaborative filtering recommendation"), reconstructed from its abstract.

        theta_v <- theta_v + scale * m_v [ (C + damping I)^-1 g ]_v   for v within `hops` hops of the deletion
        g = gradient of sum_{D_f} rho_ui softplus(-d) + what the graph's change does to all other losses
        rho_ui = 1 / log2(1 + rank of i for u), over its mean
        m_v = 1 at the ends of forgotten pairs, else (structural share of v) * (cosine of v to the forgotten ends)

    The abstract names the p-hop scope, structural and semantic influence and the ranking-aware update; the forms above
    are ours. The sign is the paper's aim, away from the forgotten part: the released code steps the other way, which
    reinforces it. Losses beside BPR are left out, as in `ifru`. As in the release, a few epochs on the retained part
    at a tenth of the learning rate follow.

    Parameters
    ----------
    hops: width of the scope. clip: quantile of the structural weights below which nodes are left out.
    rank_weighted: weigh forgotten pairs by rho; else all weigh 1.
    curvature: "gauss_newton" or the exact "hessian", see `ifru`.
    damping: added to the diagonal of C. iterations: of conjugate gradients, at most; the release has 10.
    negatives: other items for each training pair.
    scale: factor on the step.
    repair_epochs: of training on the retained part afterwards, 0 or more.
    repair_rate: factor on the original's learning rate in the repair.
    """

    name: ClassVar[str] = "l2unrank"
    title: ClassVar[str] = "L2UnRank (reconstructed)"
    source: ClassVar[str] = "Learning to Fast Unrank, reconstructed from the abstract"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    revision: ClassVar[int] = 2
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "damping": (0.01, 0.1, 1.0),
        "scale": (1.0, 2.0, 5.0),
        "hops": (1, 2),
        "repair_epochs": (0, 5),
    }

    hops: int = 1
    clip: float = 0.4
    rank_weighted: bool = True
    curvature: str = "gauss_newton"
    damping: float = 0.1
    iterations: int = 10
    negatives: int = 1
    scale: float = 1.0
    repair_epochs: int = 5
    repair_rate: float = 0.1

    def __post_init__(self) -> None:
        self.check(
            hops=count_or_zero,
            clip=share,
            rank_weighted=(True, False),
            repair_epochs=count_or_zero,
            repair_rate=positive,
            **STEP_RULES,
        )
        if self.repair_epochs == 0:
            self.refuse_idle("with repair_epochs=0", "repair_rate")

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision: one more where the task's other items are not drawn uniformly."""
        return super().revision_on(model, task, gone) + draws_unevenly(task)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the original, one weighted step on, and repaired."""
        full, gone, streams = problem.full, problem.gone, problem.streams.child(self.name)
        structural = spread(full.graph, gone, self.hops)
        nodes = chosen_nodes(structural, self.clip, "users+items", full.graph.n_users)
        rows = EmbeddingRows(problem.original, nodes, full.graph.n_users)
        triples = FixedTriples.of(full, gone, self.negatives, streams("negatives"))
        z = problem.original.embed(full.graph)
        rho = np.repeat(rank_weights(problem.retained, z, gone), self.negatives) if self.rank_weighted else None
        weights = None if rho is None else torch.from_numpy(rho.astype(np.float32))
        step = removal_step(problem, rows, triples, self, weights)
        model = rows.write(self.scale * rows.spread_over(influence(z, structural, gone, full.graph.n_users)) * step)
        if self.repair_epochs:
            self._repair(problem, model)
        return model

    def _repair(self, problem: Problem[Recommendation], model: Model) -> None:
        """Train on the retained part for a few epochs, in place."""
        task, made = problem.retained, problem.recipe
        lr = self.repair_rate * made.lr
        recipe = Recipe(self.repair_epochs, lr, 0.0, self.repair_epochs, "last", batch=made.batch)
        problem.fit(model, phases(model, task, recipe, problem.streams.child(f"{self.name}-repair")), recipe, self)


def influence(z: Tensor, structural: np.ndarray, gone: Forgotten, n_users: int) -> Tensor:
    """Return m_v of all nodes, (n_nodes,): structural share times cosine to the mean forgotten end of its side."""
    share_of = torch.from_numpy(structural / structural.max()).float().to(z.device)
    is_user = torch.arange(len(z), device=z.device) < n_users
    ends = [as_index(np.unique(side), z.device) for side in gone.edges]
    means = [z.index_select(0, end).mean(dim=0, keepdim=True) for end in ends]
    cosine = torch.where(is_user, F.cosine_similarity(z, means[0]), F.cosine_similarity(z, means[1]))
    found = share_of * cosine.clamp_min(0.0)
    found[torch.cat(ends)] = 1.0
    return found


def rank_weights(retained: Recommendation, z: Tensor, gone: Forgotten) -> np.ndarray:
    """Return 1 / log2(1 + rank) of every forgotten pair, over the mean; ranked are items its user does not keep."""
    n_users, n_items, kept = retained.graph.n_users, retained.graph.n_items, retained.graph.train
    users, items = gone.edges[0], gone.edges[1] - n_users
    ranks, every = np.empty(len(users)), z[n_users : n_users + n_items]
    for first in range(0, len(users), USERS):
        mine = slice(first, first + USERS)
        scores = (z.index_select(0, as_index(users[mine], z.device)) @ every.T).cpu().numpy()
        own = scores[np.arange(len(scores)), items[mine]]
        above = (scores > own[:, None]).sum(axis=1)
        for row, user in enumerate(users[mine]):
            chosen = kept.indices[kept.indptr[user] : kept.indptr[user + 1]]
            above[row] -= int((scores[row, chosen] > own[row]).sum())
        ranks[mine] = 1 + above
    found = 1 / np.log2(1 + ranks)
    return found / found.mean()
