"""NegGrad+: gradient ascent on what must be forgotten, descent on what stays."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, ClassVar

from torch import Tensor

from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Items, Task
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import Phase
from graphforget.unlearning.method import (
    Method,
    Problem,
    count,
    count_or_none,
    metric_name,
    positive,
    positive_or_none,
    share,
)
from graphforget.unlearning.methods.gradient_ascent import mean_loss, refuse_unlabelled, revisions
from graphforget.unlearning.pair_batches import pair_batches


@dataclass(frozen=True)
class NegGradPlus(Method[Task]):
    """Fine-tune on the retained part while the loss of the forgotten part is driven up.

        L = beta * loss(retained) - (1 - beta) * loss(forgotten)

    The ascent has no floor: keep beta near 1 and epochs few, or clip. Messages pass over the retained graph for the
    retained loss and over the full one for the forgotten loss, of which `gradient-ascent` says what counts. On a
    recommender a step takes a batch of forgotten pairs, whose loss is BPR, and as many retained ones with the
    backbone's own losses (without KGAT's phase of facts); elsewhere an epoch is one step over everything.

    Parameters
    ----------
    beta: weight of the retained part.
    epochs, lr: of Adam; for a recommender an epoch is one pass over the forgotten pairs.
    max_grad_norm: clip the gradient to this norm; None does not clip.
    batch: forgotten pairs of a recommender's step, at most; None takes the original's batch.
    selection: validation metric that picks the epoch; "auto" is the task's own, "last" takes the last.
    """

    name: ClassVar[str] = "neg-grad-plus"
    title: ClassVar[str] = "NegGrad+"
    source: ClassVar[str] = "baseline of Kurmanji et al. 2023, arXiv 2302.09880"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"beta": (0.9, 0.95, 0.99), "epochs": (10, 20), "lr": (1e-4, 1e-3)}

    beta: float = 0.95
    epochs: int = 10
    lr: float = 1e-3
    max_grad_norm: float | None = None
    batch: int | None = None
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(
            beta=share,
            epochs=count,
            lr=positive,
            max_grad_norm=positive_or_none,
            batch=count_or_none,
            selection=metric_name,
        )

    def refusal(self, task: Task, gone: Forgotten) -> str | None:
        """Return why a batch size is for recommenders only, and unlabelled nodes have no loss to ascend."""
        if self.batch is None or task.name == "recommend":
            return refuse_unlabelled(task, gone)
        return f"'batch' is {self.batch}, but a {task.name} task trains on full batches; leave it out."

    def revision_on(self, model: Model, task: Task, gone: Forgotten) -> int:
        """Return the latest revision, see `revisions`."""
        return super().revision_on(model, task, gone) + revisions(model, task, gone)

    def unlearn(self, problem: Problem) -> Model:
        """Return the model that descended and ascended."""
        model, task = problem.original.clone(), problem.retained
        recipe = problem.recipe_for(self, 1, max_grad_norm=self.max_grad_norm)
        make = self._pair_steps if isinstance(task, Recommendation) else self._whole_step
        problem.fit(model, [Phase("both", make(problem, model))], recipe, self)
        return model

    def _whole_step(self, problem: Problem[Task], model: Model) -> Callable[[int], list[Callable[[], Tensor]]]:
        full, retained, streams = problem.full, problem.retained, problem.streams.child(self.name)
        items = full.forgotten_items(problem.gone)

        def loss(epoch: int) -> Tensor:
            keep = retained.objective(model(retained.graph), streams("negatives", epoch=epoch))
            return self.beta * keep - (1 - self.beta) * mean_loss(full, model(full.graph), items)

        return lambda epoch: [lambda: loss(epoch)]

    def _pair_steps(
        self, problem: Problem[Recommendation], model: Model
    ) -> Callable[[int], list[Callable[[], Tensor]]]:
        full, retained = problem.full, problem.retained
        batch = self.batch or problem.recipe.batch or problem.gone.count
        batches = pair_batches(problem, self.name, batch)

        def loss(forgotten: Items, kept: Items, epoch: int) -> Tensor:
            keep = retained.batch_loss(model, kept, epoch)
            return self.beta * keep - (1 - self.beta) * mean_loss(full, model(full.graph), forgotten)

        return lambda epoch: [partial(loss, *pair, epoch) for pair in batches.both(epoch)]
