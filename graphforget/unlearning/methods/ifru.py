"""IFRU: take the influence of the forgotten pairs out of the embeddings they touch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.embedding_rows import EmbeddingRows
from graphforget.unlearning.influence import (
    BLOCKS,
    STEP_RULES,
    FixedTriples,
    chosen_nodes,
    draws_unevenly,
    removal_step,
    spread,
)
from graphforget.unlearning.method import PAIR_KINDS, Method, Problem, count_or_zero, share


@dataclass(frozen=True)
class IFRU(Method[Recommendation]):
    """Influence functions for recommendation unlearning (Zhang et al. 2023, arXiv 2307.02147), for pairwise losses.

        theta_S <- theta_S + scale (C + damping I)^-1 g
        g = gradient of sum_{D_f} l + sum_{D_r} ( l on the full graph - l on the retained graph )

    theta_S: embedding rows of the nodes S that the deletion concerns: w_v is the share of forgotten pairs at v, each
    hop adds the neighbours' mean, and the nodes above a quantile of w stay. C: curvature in theta_S of the summed loss
    of all training triples, forgotten ones included. The second sum is what the graph's change does to the loss of all
    others; where no message passes (MF) it is 0.

    Deviations from the released code: BPR with other items drawn once, instead of binary cross-entropy; sums instead
    of means over the training pairs, so that `damping` does not grow with the data; conjugate gradients instead of
    Adam at lr 1e4. BPR is not convex in users and items together and C often indefinite: the default leaves out the
    curvature of the scores (Gauss-Newton). The release picks its stopping point on validation AUC; this takes one step.
    l is BPR with its regulariser, each pair once, for every backbone: losses beside it (MGCN's contrastive one, KGAT's
    of facts) are left out, and S follows interactions, not facts or item graphs.

    Parameters
    ----------
    hops: from the ends of forgotten pairs to S, 0 or more.
    clip: quantile of the positive weights below which nodes are left out of S.
    block: rows that move: "users+items", "users" or "items".
    curvature: "gauss_newton", or the exact "hessian"; there, the solver stops at the first direction of negative
        curvature (the details say so: `indefinite`).
    damping: added to the diagonal of C.
    iterations: of conjugate gradients, at most.
    negatives: other items for each training pair.
    scale: factor on the step.
    """

    name: ClassVar[str] = "ifru"
    title: ClassVar[str] = "IFRU (pairwise)"
    source: ClassVar[str] = "Zhang et al. 2023, arXiv 2307.02147, pairwise version ours"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "damping": (0.01, 0.1, 1.0),
        "hops": (0, 1),
        "scale": (1.0, 2.0, 5.0),
        "iterations": (20, 50, 100),
    }

    hops: int = 1
    clip: float = 0.4
    block: str = "users+items"
    curvature: str = "gauss_newton"
    damping: float = 0.1
    iterations: int = 50
    negatives: int = 1
    scale: float = 1.0

    def __post_init__(self) -> None:
        self.check(hops=count_or_zero, clip=share, block=BLOCKS, **STEP_RULES)

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision: one more where the task's other items are not drawn uniformly."""
        return super().revision_on(model, task, gone) + draws_unevenly(task)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the original, one influence step on."""
        full, gone = problem.full, problem.gone
        nodes = chosen_nodes(spread(full.graph, gone, self.hops), self.clip, self.block, full.graph.n_users)
        rows = EmbeddingRows(problem.original, nodes, full.graph.n_users)
        triples = FixedTriples.of(full, gone, self.negatives, problem.streams.child(self.name)("negatives"))
        return rows.write(self.scale * removal_step(problem, rows, triples, self))

    def refusal(self, task: Recommendation, gone: Forgotten) -> str | None:
        """Return why a deletion on one side does not move the other side's rows."""
        reached = spread(task.graph, gone, self.hops)
        if len(chosen_nodes(reached, self.clip, self.block, task.graph.n_users)):
            return None
        return f"no node of block '{self.block}' is within {self.hops} hops above the quantile {self.clip}; lower clip."
