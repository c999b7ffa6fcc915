"""SCIF: exchange forgotten preferences for indifference in the embeddings at both their ends."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch

from graphforget._core.streams import Stream
from graphforget.kernels.orders import epoch_order
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.embedding_rows import EmbeddingRows, RankingLoss
from graphforget.unlearning.influence import (
    BLOCKS,
    STEP_RULES,
    FixedTriples,
    chosen_nodes,
    draws_unevenly,
    influence_step,
    spread,
)
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    count_or_none,
    share,
)


@dataclass(frozen=True)
class SCIF(Method[Recommendation]):
    """Selective and collaborative influence function (Li et al. 2023, arXiv 2304.10199), for pairwise losses.

        theta_S <- theta_S - scale (C + damping I)^-1 g
        g = gradient in theta_S of sum_{D_f} [ l(d, y') - l(d, 1) ] + [ sum_{D_r} l(d, 1) + sum_{D_f} l(d, 1) ]
        l(d, y) = y softplus(-d) + (1 - y) softplus(d)

    S are the users and items of forgotten pairs alone. Point-wise SCIF gives a forgotten pair the user's mean label;
    with preferences, where every label is 1, a forgotten one becomes y' = 1/2: indifference. The second bracket, the
    training loss, has no gradient at a minimum of it; with it the step is Newton's for the loss after the exchange, and
    makes good for early stopping, too. Negatives drawn once stand for all, whose minimum is another one: on a small
    data set that part of the step can be the larger one, and for a single pair on its own it can lift the very pair
    that should fall. The receipt counts the forgotten preferences that rose (`forgotten_that_rose`); where they are
    many, take newton=False. C: curvature of that loss in theta_S. Messages pass over the retained graph.

    The public versions are point-wise and differ from each other (all training data and both sides, or a sample and
    users only; one adds the retained gradient to the forgotten one's difference, which counts it twice at a minimum).
    The pairwise one here is ours. As in `ifru`, losses are summed, those beside BPR are left out, and the default
    curvature is Gauss-Newton.

    Parameters
    ----------
    counterfactual: y', the label a forgotten preference gets instead of 1.
    newton: include the training loss in g; without it this is an influence step proper.
    retain_per_forget: retained pairs looked at for each forgotten one, at most all; None takes all. The loss of the
        sample, regulariser included, is weighted to count as that of all.
    block: rows that move: "users+items", "users" or "items".
    curvature: "gauss_newton" or the exact "hessian", see `ifru`.
    damping: added to the diagonal of C.
    iterations: of conjugate gradients, at most.
    negatives: other items for each training pair.
    scale: factor on the step.
    """

    name: ClassVar[str] = "scif"
    title: ClassVar[str] = "SCIF (pairwise)"
    source: ClassVar[str] = "Li et al. 2023, arXiv 2304.10199, pairwise version ours"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    revision: ClassVar[int] = 2
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "scif-users": {"block": "users", "retain_per_forget": 16, "damping": 0.01, "iterations": 100},
    }
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "damping": (0.01, 0.1, 1.0),
        "counterfactual": (0.0, 0.5),
        "scale": (1.0, 2.0, 5.0),
    }

    counterfactual: float = 0.5
    newton: bool = True
    retain_per_forget: int | None = None
    block: str = "users+items"
    curvature: str = "gauss_newton"
    damping: float = 0.1
    iterations: int = 50
    negatives: int = 1
    scale: float = 1.0

    def __post_init__(self) -> None:
        self.check(
            counterfactual=share,
            newton=(True, False),
            retain_per_forget=count_or_none,
            block=BLOCKS,
            **STEP_RULES,
        )

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision: one more where the task's other items are not drawn uniformly."""
        return super().revision_on(model, task, gone) + draws_unevenly(task)

    def refusal(self, task: Recommendation, gone: Forgotten) -> str | None:
        """Return why a label of 1 and no Newton step leave nothing to do."""
        del task, gone
        if self.newton or self.counterfactual < 1:
            return None
        return "a counterfactual of 1 is the label a pair has already; lower it, or set newton=true."

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the original, one step on."""
        full, gone, streams = problem.full, problem.gone, problem.streams.child(self.name)
        nodes = chosen_nodes(spread(full.graph, gone, 0), 0.0, self.block, full.graph.n_users)
        rows = EmbeddingRows(problem.original, nodes, full.graph.n_users)
        triples = FixedTriples.of(full, gone, self.negatives, streams("negatives"))
        seen, weights = self._looked_at(triples, streams("sample"))
        labels = np.where(triples.forgotten[seen], self.counterfactual, 1.0)
        w, y = (torch.from_numpy(values.astype(np.float32)) for values in (weights, labels))
        batch = problem.recipe.batch
        after = RankingLoss(rows, full, problem.retained.graph, triples.items(seen), None, y, batch, counts=w)
        g = after.gradient() if self.newton else after.gradient_along(w * (1 - y))
        step = influence_step(problem, after, self.curvature, g, self.damping, self.iterations)
        model = rows.write(-self.scale * step)
        forgotten, graph = triples.items(np.flatnonzero(triples.forgotten)), problem.retained.graph
        then, now = (full.responses(one.embed(graph), forgotten) for one in (problem.original, model))
        problem.details["forgotten_that_rose"] = int((now > then).sum())
        return model

    def _looked_at(self, triples: FixedTriples, stream: Stream) -> tuple[np.ndarray, np.ndarray]:
        """Return the positions of the forgotten triples and of the sampled others, and their weights."""
        forgotten, others = (np.flatnonzero(mask) for mask in (triples.forgotten, ~triples.forgotten))
        size = len(others) if self.retain_per_forget is None else self.retain_per_forget * len(forgotten)
        sample = others[epoch_order(len(others), stream.key)[:size]]
        weights = np.concatenate([np.ones(len(forgotten)), np.full(len(sample), len(others) / max(len(sample), 1))])
        return np.concatenate([forgotten, sample]), weights
