"""Reverse BPR: learn that forgotten items were not preferred."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.method import PAIR_KINDS, Method, Problem, count, metric_name, positive_or_none
from graphforget.unlearning.pair_batches import learning_graph, pair_batches, reverse_phase


@dataclass(frozen=True)
class ReverseBPR(Method[Recommendation]):
    """Minimise softplus(s(u, forgotten) - s(u, other)) over the forgotten pairs, and nothing else.

        L = mean softplus(d),   d = s(u, i) - s(u, j),   j none of the items the user keeps

    The gradient, sigma(d), is steep while a forgotten item ranks high and vanishes once it ranks low, so the loss has
    a floor that gradient ascent lacks. The objective is the abstract's of You et al. 2024 (AAAI); batches, epochs and
    negatives are ours. It does not look at what is retained but to draw other items and to pass messages.

    Parameters
    ----------
    epochs: passes over the forgotten pairs.
    lr: learning rate of Adam; None takes the original's.
    batch: forgotten pairs of a step, at most.
    min_steps: steps of an epoch, at least: a small forgotten part is walked several times.
    graph: messages pass over the "retained" or the "full" data while learning.
    validate_every: epochs between validations.
    selection: validation metric that picks the epoch; "auto" is the task's own, "last" takes the last.
    """

    name: ClassVar[str] = "reverse-bpr"
    title: ClassVar[str] = "Reverse BPR"
    source: ClassVar[str] = "objective of You et al. 2024 (AAAI), details ours"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"epochs": (5, 10, 20, 50), "lr": (1e-4, 1e-3)}

    epochs: int = 10
    lr: float | None = None
    batch: int = 2048
    min_steps: int = 10
    graph: str = "retained"
    validate_every: int = 1
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(
            epochs=count,
            lr=positive_or_none,
            batch=count,
            min_steps=count,
            graph=("retained", "full"),
            validate_every=count,
            selection=metric_name,
        )

    def revision_on(self, model: Model, task: Recommendation, gone: Forgotten) -> int:
        """Return the latest revision: one more where it answers from all data, on which it is now validated, too."""
        return super().revision_on(model, task, gone) + (self.graph == "full")

    def answers_from(self, task: Recommendation, retained: Recommendation) -> Interactions:
        """Return the data that the messages passed over while learning."""
        return learning_graph(task, retained, self.graph)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the model that learned the reverse."""
        model, data = problem.original.clone(), self.answers_from(problem.full, problem.retained)
        batches = pair_batches(problem, self.name, self.batch, min_steps=self.min_steps)
        phase = reverse_phase(model, data, batches)
        recipe = problem.recipe_for(self, self.validate_every)
        problem.fit(model, [phase], recipe, self, validate=lambda: problem.retained.validate(model.embed(data)))
        return model
