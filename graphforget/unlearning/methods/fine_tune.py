"""Fine-tuning: go on training on what is retained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from graphforget.models.base import Model
from graphforget.training.recipe import Recipe
from graphforget.unlearning.method import Method, Problem, count, positive, task_selection


@dataclass(frozen=True)
class FineTune(Method):
    """Continue training the original on the retained task, with the forgotten part gone from graph and loss.

    Parameters
    ----------
    epochs: epochs of training, 5 to 10 % of the original's are usual.
    lr: learning rate of Adam.
    validate_every: epochs between validations.
    selection: validation metric that picks the epoch; "auto" is the task's own, "last" takes the last.
    """

    name: ClassVar[str] = "fine-tune"
    title: ClassVar[str] = "Fine-tune"
    source: ClassVar[str] = "baseline"
    reads: ClassVar[frozenset[str]] = frozenset({"retained"})
    search: ClassVar[dict] = {"epochs": (50, 100, 200), "lr": (1e-4, 1e-3)}

    epochs: int = 100
    lr: float = 1e-3
    validate_every: int = 25
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(epochs=count, lr=positive, validate_every=count)

    def unlearn(self, problem: Problem) -> Model:
        """Return the fine-tuned model."""
        task, model, streams = problem.retained, problem.original.clone(), problem.streams.child(self.name)
        recipe = Recipe(self.epochs, self.lr, 0.0, self.validate_every, task_selection(task, self.selection))
        problem.fit(
            model,
            lambda epoch: task.objective(model(task.graph), streams("negatives", epoch=epoch)),
            recipe,
            self,
        )
        return model
