"""RRL: reverse BPR, held back where the Fisher information of the retained part is large."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import torch
from torch import Tensor

from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.fisher import diagonal_fisher, training_batches
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    count,
    count_or_none,
    metric_name,
    not_negative,
    positive_or_none,
)
from graphforget.unlearning.pair_batches import learning_graph, pair_batches, reverse_phase


@dataclass(frozen=True)
class RRL(Method[Recommendation]):
    """Recommendation unlearning by reverse learning (You et al. 2024, AAAI); details reconstructed.

        L = mean softplus(d) over B_f + (weight / 2) sum_p F_p (theta_p - theta0_p)^2

    d = s(u, forgotten) - s(u, other) as in `reverse-bpr`; F is the diagonal empirical Fisher information of BPR on the
    retained part, the mean of the squared gradients of its batches. The abstract also uses the ranks of the forgotten
    items, in a form that is not published; they are left out here.

    F of batch means is tiny and falls with the batch size. By default it is scaled to what one forgotten pair has
    against it: the mean of b times the square over batches of b pairs, times n / |D_f| for n retained pairs, about the
    summed Fisher information of all retained pairs over the number of forgotten ones. `weight` then means much the same
    for every data set; it grows with the batch size as far as the gradients of a batch do not cancel.

    Parameters
    ----------
    weight: of the squared distance to the original; 0 is reverse BPR.
    fisher_scale: "sum" is the scale above, "none" takes F as it is.
    fisher_batch: retained pairs whose gradient is squared together.
    fisher_batches: batches that F is the mean of; None takes a whole pass over the retained pairs.
    epochs: passes over the forgotten pairs.
    lr: learning rate of Adam; None takes the original's.
    batch: forgotten pairs of a step, at most.
    min_steps: steps of an epoch, at least: a small forgotten part is walked several times.
    graph: messages pass over the "retained" or the "full" data while learning.
    validate_every, selection: see `Recipe`; "auto" is the task's own metric, "last" takes the last epoch.
    """

    name: ClassVar[str] = "rrl"
    title: ClassVar[str] = "RRL (reconstructed)"
    source: ClassVar[str] = "You et al. 2024 (AAAI), details reconstructed"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    revision: ClassVar[int] = 2
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "weight": (1.0, 10.0, 100.0, 1000.0),
        "epochs": (10, 20, 50),
        "lr": (1e-4, 1e-3),
    }

    weight: float = 10.0
    fisher_scale: str = "sum"
    fisher_batch: int = 2048
    fisher_batches: int | None = None
    epochs: int = 20
    lr: float | None = None
    batch: int = 2048
    min_steps: int = 10
    graph: str = "retained"
    validate_every: int = 1
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(
            weight=not_negative,
            fisher_scale=("sum", "none"),
            fisher_batch=count,
            fisher_batches=count_or_none,
            epochs=count,
            lr=positive_or_none,
            batch=count,
            min_steps=count,
            graph=("retained", "full"),
            validate_every=count,
            selection=metric_name,
        )
        if self.weight == 0:
            self.refuse_idle("with weight=0", "fisher_scale", "fisher_batch", "fisher_batches")

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision: one more where it answers from all data, on which it is now validated, too."""
        return super().revision_on(model, task, gone) + (self.graph == "full")

    def answers_from(self, task: Recommendation, retained: Recommendation) -> Interactions:
        """Return the data that the messages passed over while learning."""
        return learning_graph(task, retained, self.graph)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the model that learned the reverse, near the original where that matters."""
        model, data = problem.original.clone(), self.answers_from(problem.full, problem.retained)
        batches = pair_batches(problem, self.name, self.batch, min_steps=self.min_steps)
        phase = reverse_phase(model, data, batches, self._pull(problem, model, data) if self.weight else None)
        recipe = problem.recipe_for(self, self.validate_every)
        problem.fit(model, [phase], recipe, self, validate=lambda: problem.retained.validate(model.embed(data)))
        return model

    def _pull(self, problem: Problem[Recommendation], model: Model, data: Interactions) -> Callable[[], Tensor]:
        """Return the function that gives (weight / 2) sum_p F_p (theta_p - theta0_p)^2."""
        importance = self._importance(problem, model, data)
        start = {name: value.detach() for name, value in problem.original.named_parameters()}

        def distance() -> Tensor:
            named = dict(model.named_parameters())
            parts = ((f * (named[name] - start[name]).square()).sum() for name, f in importance.items())
            return sum(parts, torch.zeros(()))

        return lambda: self.weight / 2 * distance()

    def _importance(self, problem: Problem[Recommendation], model: Model, data: Interactions) -> dict[str, Tensor]:
        """Return the (scaled) Fisher information of every parameter."""
        task, streams = problem.retained, problem.streams.child(f"{self.name}-fisher")
        batches = training_batches(task, streams, self.fisher_batch, self.fisher_batches)
        if self.fisher_scale == "none":
            return diagonal_fisher(model, task, data, batches)
        scale = task.graph.n_edges / problem.gone.count
        found = diagonal_fisher(model, task, data, batches, by_size=True)
        return {name: scale * f for name, f in found.items()}
