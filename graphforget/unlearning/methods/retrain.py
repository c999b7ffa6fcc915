"""The gold model: trained from scratch on what is retained."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from graphforget.models.base import Model
from graphforget.tasks.base import Task
from graphforget.training.train import run_training
from graphforget.unlearning.method import KINDS, Method, Problem, metric_name


@dataclass(frozen=True)
class Retrain(Method[Task]):
    """Train a fresh model on the retained task with the original's recipe: exact, and the gold of every table.

    Parameters
    ----------
    selection: "auto" keeps the original recipe's checkpoint criterion; "val_released" is the released GNNDelete
        code's, which reads the very deletion that is reported (selection leakage), for paper rows.
    """

    name: ClassVar[str] = "retrain"
    title: ClassVar[str] = "Gold (retrain)"
    source: ClassVar[str] = "exact by definition"
    reads: ClassVar[frozenset[str]] = frozenset({"retained"})
    kinds: ClassVar[tuple[str, ...]] = KINDS
    exact: ClassVar[bool] = True
    clears: ClassVar[bool] = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {"retrain-released": {"selection": "val_released"}}

    selection: str = "auto"

    def __post_init__(self) -> None:
        self.check(selection=metric_name)

    def unlearn(self, problem: Problem[Task]) -> Model:
        """Return the retrained model."""
        recipe = problem.recipe
        if self.selection != "auto":
            recipe = replace(recipe, selection=self.selection)
        model = problem.original.fresh(problem.streams)
        return run_training(
            model,
            problem.retained,
            recipe,
            problem.seed,
            gone=problem.selection_deletion(recipe),
            checkpoint=problem.checkpoint,
            progress=problem.progress,
        )
