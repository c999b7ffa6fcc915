"""How a model is trained: a frozen value."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields, replace
from types import MappingProxyType
from typing import Any

from graphforget._core.errors import UsageError, unknown
from graphforget._core.numeric import is_integer, is_number, plain


def _check_count(key: str, value: Any, left_out: bool = False) -> None:
    """Raise UsageError unless `value` is an integer of at least 1, or None where it may be left out."""
    if value is None and left_out:
        return
    if not is_integer(value, 1):
        other = " or left out" if left_out else ""
        raise UsageError(f"Recipe: '{key}' must be an integer of at least 1{other}; got {value!r}.")


def _check_number(key: str, value: Any, *, high: float = math.inf, zero: bool = False, left_out: bool = False) -> None:
    """Raise UsageError unless `value` is a finite number above 0 (or 0), at most `high`, or None where it may be."""
    if value is None and left_out:
        return
    if not is_number(value) or not (0 < value <= high or (zero and value == 0)):
        limit = "finite" if high == math.inf else f"at most {high:g}"
        low = "at least 0" if zero else "above 0"
        other = ", or left out" if left_out else ""
        raise UsageError(f"Recipe: '{key}' must be {low} and {limit}{other}; got {value!r}.")


def _check_neighbours(text: Any) -> None:
    """Raise UsageError unless `text` lists whole numbers of at least 1, or is None."""
    parts = text.split(",") if isinstance(text, str) else [text]
    if text is not None and not all(isinstance(part, str) and part.isdecimal() and int(part) > 0 for part in parts):
        raise UsageError(
            "Recipe: 'neighbours' must be the number of neighbours drawn at each hop, at least 1, as 15,10, or absent; "
            f"got {text!r}."
        )


@dataclass(frozen=True)
class Recipe:
    """Hyper-parameters of one training run.

    Parameters
    ----------
    epochs: how often the training data are gone through.
    lr: learning rate of Adam.
    weight_decay: l2 penalty of Adam.
    validate_every: epochs between two validations (and checkpoints).
    selection: validation metric that decides which epoch is kept, or "last" for the last epoch. The task's
        `validate` names what there is; larger is better for all of them.
    patience: validations without improvement after which training stops; None never stops early.
    max_grad_norm: clip the norm of the whole gradient to this; None does not clip.
    batch: interactions in one step of a recommender; edges or training nodes in one step of other tasks, which train
        on full batches (None) unless `neighbours` are drawn. Each of several processes computes so many.
    lr_decay: factor on the learning rate from epoch to epoch.
    neighbours: "15,10" computes a batch from 15 random neighbours of its nodes and 10 of each of these, drawn anew in
        every step; one number for each layer. None computes with all neighbours.
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
    neighbours: str | None = None

    def __post_init__(self) -> None:
        for field in fields(self):
            object.__setattr__(self, field.name, plain(getattr(self, field.name)))
        for key in ("epochs", "validate_every"):
            _check_count(key, getattr(self, key))
        for key in ("patience", "batch"):
            _check_count(key, getattr(self, key), left_out=True)
        _check_number("lr", self.lr)
        _check_number("weight_decay", self.weight_decay, zero=True)
        _check_number("max_grad_norm", self.max_grad_norm, left_out=True)
        _check_number("lr_decay", self.lr_decay, high=1.0)
        _check_neighbours(self.neighbours)
        if not isinstance(self.selection, str) or not self.selection:
            raise UsageError(
                f"Recipe: 'selection' must be the name of a validation metric, or 'last'; got {self.selection!r}."
            )

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON; without `neighbours` where none are drawn, so that older digests hold."""
        return {key: value for key, value in asdict(self).items() if key != "neighbours" or value is not None}

    @property
    def fanouts(self) -> tuple[int, ...]:
        """Neighbours drawn at each hop outward; empty where all are taken."""
        return () if self.neighbours is None else tuple(int(part) for part in self.neighbours.split(","))


LINK = Recipe()
"""Link prediction (GNNDelete, released code): Adam 1e-3, 2,000 epochs; validated every 100 instead of 500 epochs.

The released checkpoint criterion is selection="val_loss_released" with validate_every=500.
"""

NODE = Recipe(epochs=300, lr=1e-2, weight_decay=5e-4, validate_every=10, selection="val_accuracy")
"""Node classification: Adam 1e-2 with weight decay 5e-4 (Kipf and Welling 2017), 300 epochs (ours)."""


RECOMMEND = Recipe(epochs=200, lr=1e-3, validate_every=5, selection="val_recall", patience=10, batch=2048)
"""Recommendation: Adam 1e-3 and batches of 2,048 (LightGCN); epochs and early stopping on validation are ours."""


NOTHING: Mapping[str, Any] = MappingProxyType({})


def changed(recipe: Recipe, changes: Mapping[str, Any], owner: str) -> Recipe:
    """Return the recipe with other fields; raises UsageError for one that does not exist (the nearest is suggested)."""
    known = [field.name for field in fields(Recipe)]
    stray = next((key for key in changes if key not in known), None)
    if stray is not None:
        raise UsageError(f"{owner}: {unknown('field of the recipe', stray, known)}")
    return replace(recipe, **changes)


def default_recipe(task_name: str, published: Mapping[str, Any] = NOTHING) -> Recipe:
    """Return the default recipe of a task, by the task's name.

    published: what the authors of a backbone did otherwise (`Model.published`); options of the task are passed over.
    """
    default, known = {"link": LINK, "node": NODE, "recommend": RECOMMEND}[task_name], {f.name for f in fields(Recipe)}
    return replace(default, **{key: value for key, value in published.items() if key in known})
