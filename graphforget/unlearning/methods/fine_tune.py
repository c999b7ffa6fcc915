"""Fine-tuning: go on training on what is retained."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphforget._core.errors import UnsupportedError
from graphforget.models.base import Model
from graphforget.tasks.base import Task
from graphforget.training.sampled import Sampled
from graphforget.training.train import phases
from graphforget.unlearning.method import KINDS, Method, Problem, count, count_or_none, metric_name, positive_or_none

DEFAULT_EPOCHS = {"link": 100, "node": 100, "recommend": 10}


@dataclass(frozen=True)
class FineTune(Method[Task]):
    """Continue training the original on the retained task, with the forgotten part gone from graph and loss.

    A recommender is trained as it was before: in batches of the original's recipe, with the backbone's own losses.
    Adam starts anew, without the weight decay, the decay of the learning rate and the clipping that a recipe may have.

    Parameters
    ----------
    epochs: epochs of training, 5 to 10 % of the original's are usual; None takes 10 for recommenders, else 100.
    lr: learning rate of Adam; None takes the original's, which for KGAT and NGCF is a tenth of the default.
    validate_every: epochs between validations.
    selection: validation metric that picks the epoch; "auto" is the task's own, "last" takes the last.
    """

    name: ClassVar[str] = "fine-tune"
    title: ClassVar[str] = "Fine-tune"
    source: ClassVar[str] = "baseline"
    reads: ClassVar[frozenset[str]] = frozenset({"retained"})
    kinds: ClassVar[tuple[str, ...]] = KINDS
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"epochs": (5, 10, 50, 100, 200), "lr": (1e-4, 1e-3)}

    epochs: int | None = None
    lr: float | None = 1e-3
    validate_every: int = 25
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(epochs=count_or_none, lr=positive_or_none, validate_every=count, selection=metric_name)

    def unlearn(self, problem: Problem[Task]) -> Model:
        """Return the fine-tuned model."""
        task, model, streams = problem.retained, problem.original.clone(), problem.streams.child(self.name)
        epochs = DEFAULT_EPOCHS[task.name] if self.epochs is None else self.epochs
        made = problem.recipe
        if made.neighbours is not None and not isinstance(model, Sampled):
            raise UnsupportedError(
                f"the original was trained on drawn neighbours (neighbours='{made.neighbours}'), and with what an "
                "earlier method added it is not computed from these. Use neg-grad-plus or d2dgn, which compute the "
                "whole graph, or retrain."
            )
        more = {"epochs": epochs, "batch": made.batch, "neighbours": made.neighbours}
        recipe = problem.recipe_for(self, self.validate_every, **more)
        problem.fit(model, phases(model, task, recipe, streams), recipe, self)
        return model
