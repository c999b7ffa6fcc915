"""Influence steps on the embeddings that a deletion touches: which rows, which triples, and the solve."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from torch import Tensor

from graphforget._core.streams import Stream
from graphforget.data.interactions import Interactions
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.propagate import spmm
from graphforget.tasks.base import Forgotten, Items
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import Triples, negative_weights
from graphforget.unlearning.embedding_rows import EmbeddingRows, RankingLoss
from graphforget.unlearning.linear_solve import Solution, conjugate_gradients
from graphforget.unlearning.method import Problem, Rule, count, not_negative, positive

BLOCKS = ("users+items", "users", "items")
CURVATURES = ("gauss_newton", "hessian")


STEP_RULES: dict[str, Rule] = {
    "curvature": CURVATURES,
    "damping": not_negative,
    "iterations": count,
    "negatives": count,
    "scale": positive,
}
"""What the fields that all influence steps have may be, for `Method.check`."""


def spread(data: Interactions, gone: Forgotten, hops: int) -> np.ndarray:
    """Return how much a deletion of pairs concerns every node, (n_nodes,) float64, 0 out of reach.

    w_v is the share of forgotten pairs at v, itself counted as a neighbour; every hop adds the mean over a node's
    neighbours, w <- w + (D + I)^-1 A w (Zhang et al. 2023, IFRU).
    """
    degree = np.bincount(data.edges.ravel(), minlength=data.n_nodes) + 1.0
    w = np.bincount(gone.edges.ravel(), minlength=data.n_nodes) / degree
    for _ in range(hops):
        w = w + spmm(data.csr, w[:, None])[:, 0] / degree
    return w


def chosen_nodes(w: np.ndarray, clip: float, block: str, n_users: int) -> np.ndarray:
    """Return the nodes of a block whose weight is positive and not below the quantile `clip` of the positive ones."""
    reached = w > 0
    kept = reached & (w >= np.quantile(w[reached], clip))
    if block == "users":
        kept[n_users:] = False
    elif block == "items":
        kept[:n_users] = False
    return np.flatnonzero(kept)


@dataclass(frozen=True, eq=False)
class FixedTriples:
    """Every training pair with items its user never chose, drawn once, as the task draws them (its `negatives`).

    Attributes
    ----------
    task: whose pairs they are. triples: `negatives` in a row for each pair, in the order of the edges.
    forgotten: (m,) mask of the triples of forgotten pairs.
    """

    task: Recommendation
    triples: Triples
    forgotten: np.ndarray

    @classmethod
    def of(cls, task: Recommendation, gone: Forgotten, negatives: int, stream: Stream) -> FixedTriples:
        """Return the triples of a task that is about to lose the pairs of `gone`."""
        data, n = task.graph, np.int64(task.graph.n_nodes)
        dead = np.isin(data.edges[0] * n + data.edges[1], gone.edges[0] * n + gone.edges[1])
        users, nodes = np.repeat(data.edges, negatives, axis=1)
        others = sample_items(task.chosen, users, stream.key, negative_weights(data, task.negatives))
        return cls(task, Triples(users, nodes - data.n_users, others), np.repeat(dead, negatives))

    def items(self, chosen: np.ndarray | None = None) -> Items:
        """Return the triples under a mask or at positions, or all of them, as items."""
        t = self.triples
        return self.task.items(t if chosen is None else Triples(t.users[chosen], t.items[chosen], t.others[chosen]))


def draws_unevenly(task: Recommendation) -> bool:
    """Return whether other items are not drawn uniformly, as all steps once drew them, whatever the task asked for."""
    return task.negatives != "uniform"


def passes_messages(problem: Problem[Recommendation]) -> bool:
    """Return whether the deletion changes what the original answers, before any weight moves."""
    before, after = (problem.original.embed(task.graph) for task in (problem.full, problem.retained))
    return not before.equal(after)


def removal_gradient(
    problem: Problem[Recommendation], rows: EmbeddingRows, triples: FixedTriples, weights: Tensor | None = None
) -> Tensor:
    """Return the gradient in the rows of what leaves the summed training loss with a deletion.

    That is the (weighted) loss of the forgotten triples, and for every other triple its loss on the full graph less
    that on the retained graph.
    """
    full, batch = problem.full, problem.recipe.batch
    forgotten = triples.items(triples.forgotten)
    g = RankingLoss(rows, full, full.graph, forgotten, weights, batch=batch).gradient()
    if not passes_messages(problem):
        return g
    kept = triples.items(~triples.forgotten)
    before, after = (RankingLoss(rows, full, task.graph, kept, batch=batch) for task in (full, problem.retained))
    return g + before.gradient() - after.gradient()


def removal_step(
    problem: Problem[Recommendation],
    rows: EmbeddingRows,
    triples: FixedTriples,
    settings: Any,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the step that takes a deletion's share out of the rows: (C + damping I)^-1 `removal_gradient`.

    C is the curvature of the loss of all triples, forgotten ones included. settings: a method with `curvature`,
    `damping` and `iterations`. weights: of the ranking loss of the forgotten triples in the gradient.
    """
    full = problem.full
    everything = RankingLoss(rows, full, full.graph, triples.items(), batch=problem.recipe.batch)
    g = removal_gradient(problem, rows, triples, weights)
    return influence_step(problem, everything, settings.curvature, g, settings.damping, settings.iterations)


def influence_step(
    problem: Problem[Recommendation], curvature: RankingLoss, kind: str, g: Tensor, damping: float, iterations: int
) -> Tensor:
    """Return (C + damping I)^-1 g by conjugate gradients, C the curvature of a kind; how it went enters the details."""
    product = curvature.gauss_newton() if kind == "gauss_newton" else curvature.hessian()
    solution: Solution = conjugate_gradients(_damped(product, damping), g, iterations)
    problem.details |= solution.record()
    return solution.x


def _damped(product: Callable[[Tensor], Tensor], damping: float) -> Callable[[Tensor], Tensor]:
    return lambda v: product(v).double() + damping * v
