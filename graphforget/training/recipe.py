"""How a model is trained: a frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from graphforget._core.errors import UsageError


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of one training run.

    Parameters
    ----------
    epochs: full-batch epochs.
    lr: learning rate of Adam.
    weight_decay: l2 penalty of Adam.
    validate_every: epochs between two validations (and checkpoints).
    selection: validation metric that decides which epoch is kept, or "last" for the last epoch. The task's
        `validate` names what there is; larger is better for all of them.
    patience: validations without improvement after which training stops; None never stops early.
    max_grad_norm: clip the norm of the whole gradient to this; None does not clip.
    batch: interactions in one step of a recommender; other tasks train on full batches and have None.
    lr_decay: factor on the learning rate from epoch to epoch.
    """

    epochs: int = 2000
    lr: float = 1e-3
    weight_decay: float = 0.0
    validate_every: int = 100
    selection: str = "val_auc"
    patience: int | None = None
    max_grad_norm: float | None = None
    batch: int | None = None
    lr_decay: float = 1.0

    def __post_init__(self) -> None:
        for field, low in (("epochs", 1), ("validate_every", 1)):
            value = getattr(self, field)
            if not isinstance(value, int) or value < low:
                raise UsageError(f"Recipe: '{field}' must be an integer of at least {low}; got {value!r}.")
        if not 0 < self.lr < math.inf or not 0 <= self.weight_decay < math.inf:
            raise UsageError(
                "Recipe: 'lr' must be above 0 and 'weight_decay' at least 0, both of them finite; got "
                f"{self.lr}, {self.weight_decay}."
            )
        if self.max_grad_norm is not None and not self.max_grad_norm > 0:
            raise UsageError(f"Recipe: 'max_grad_norm' must be above 0 or left out; got {self.max_grad_norm}.")
        if self.batch is not None and (not isinstance(self.batch, int) or self.batch < 1):
            raise UsageError(f"Recipe: 'batch' must be an integer of at least 1 or left out; got {self.batch!r}.")
        if not 0 < self.lr_decay <= 1:
            raise UsageError(f"Recipe: 'lr_decay' must be above 0 and at most 1; got {self.lr_decay}.")
        if self.patience is not None and self.patience < 1:
            raise UsageError(f"Recipe: 'patience' must be at least 1 or left out; got {self.patience}.")

    def as_dict(self) -> dict:
        """Return the fields, for JSON."""
        return asdict(self)


LINK = Recipe()
"""Link prediction (GNNDelete, released code): Adam 1e-3, 2,000 epochs; validated every 100 instead of 500 epochs.

The released checkpoint criterion is selection="val_loss_released" with validate_every=500.
"""

NODE = Recipe(epochs=300, lr=1e-2, weight_decay=5e-4, validate_every=10, selection="val_accuracy")
"""Node classification: Adam 1e-2 with weight decay 5e-4 (Kipf and Welling 2017), 300 epochs (ours)."""


RECOMMEND = Recipe(epochs=200, lr=1e-3, validate_every=5, selection="val_recall", patience=10, batch=2048)
"""Recommendation: Adam 1e-3 and batches of 2,048 (LightGCN); epochs and early stopping on validation are ours."""


NOTHING: Mapping[str, Any] = MappingProxyType({})


def default_recipe(task_name: str, published: Mapping[str, Any] = NOTHING) -> Recipe:
    """Return the default recipe of a task, by the task's name.

    published: what the authors of a backbone did otherwise (`Model.published`); options of the task are passed over.
    """
    default, known = {"link": LINK, "node": NODE, "recommend": RECOMMEND}[task_name], {f.name for f in fields(Recipe)}
    return replace(default, **{key: value for key, value in published.items() if key in known})
