"""Gradient ascent: undo the training loss on the forgotten part."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from graphforget.models.base import Model
from graphforget.models.kgat import refreshes
from graphforget.tasks.base import Forgotten, Items, Task
from graphforget.unlearning.method import Method, Problem, count, metric_name, positive, positive_or_none


@dataclass(frozen=True)
class GradientAscent(Method[Task]):
    """Maximise the training loss of the forgotten items, with messages passing over the whole graph.

    Source: the baseline of GNNDelete's released code (10 epochs, Adam 1e-3, message passing over the full graph). On a
    recommender the loss is BPR, also where it was trained with a softmax over a batch or a hinge: those are losses of a
    batch, in which retained pairs would be pushed with the forgotten ones. Of the ends of deleted edges in a node task
    those with a training label count.

    Parameters
    ----------
    epochs, lr: of Adam.
    max_grad_norm: clip the gradient to this norm; None does not clip.
    selection: validation metric that picks the epoch; "last" (the released behaviour: its best checkpoint is
        overwritten by the last epoch) or "auto" for the task's own.
    """

    name: ClassVar[str] = "gradient-ascent"
    title: ClassVar[str] = "Gradient ascent"
    source: ClassVar[str] = "baseline of Cheng et al. 2023, arXiv 2302.13406"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"epochs": (5, 10, 20), "lr": (1e-4, 1e-3)}

    epochs: int = 10
    lr: float = 1e-3
    max_grad_norm: float | None = None
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(epochs=count, lr=positive, max_grad_norm=positive_or_none, selection=metric_name)

    def refusal(self, task: Task, gone: Forgotten) -> str | None:
        """Return why nodes whose labels the original never saw have no loss to ascend."""
        return refuse_unlabelled(task, gone)

    def revision_on(self, model: Model, task: Task, gone: Forgotten) -> int:
        """Return the latest revision, see `revisions`."""
        return super().revision_on(model, task, gone) + revisions(model, task, gone)

    def unlearn(self, problem: Problem[Task]) -> Model:
        """Return the ascended model."""
        task, gone, model = problem.full, problem.gone, problem.original.clone()
        recipe = problem.recipe_for(self, 1, max_grad_norm=self.max_grad_norm)
        items = task.forgotten_items(gone)
        problem.fit(model, lambda epoch: -mean_loss(task, model(task.graph), items), recipe, self)
        return model


def mean_loss(task: Task, z: Tensor, items: Items) -> Tensor:
    """Return the mean of the task's own loss of the items; nodes without a label have none and do not count."""
    return task.item_losses(task.responses(z, items), items).sum() / int((items.targets >= 0).sum())


def refuse_unlabelled(task: Task, gone: Forgotten) -> str | None:
    """Return why nodes whose labels the original never saw have no loss to ascend."""
    if task.name != "node" or _unlabelled(task, gone) < len(task.forgotten_items(gone)):
        return None
    return (
        f"it ascends the loss of forgotten training nodes, and there is none among the {gone.count:,} that the "
        "deletion touches: their labels were never learned. Use unlink or retrain."
    )


def revisions(model: Model, task: Task, gone: Forgotten) -> int:
    """Return one for attention, which a validation ends on the full data, too, and one for nodes without a label.

    Those counted in the mean once.
    """
    return refreshes(model) + (_unlabelled(task, gone) > 0)


def _unlabelled(task: Task, gone: Forgotten) -> int:
    return int((task.forgotten_items(gone).targets < 0).sum()) if task.name == "node" else 0
