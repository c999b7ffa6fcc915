"""What a method that stops by itself looks at: how much is forgotten, and how good the rest still is."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from torch import Tensor

from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.unseen_pairs import unseen_recall

CUTOFF = 20


@dataclass(eq=False)
class ForgettingWatch:
    """Recall at 20 of the forgotten pairs and of the validation pairs.

    Pairs are taken for forgotten when they rank no higher than gold would rank them, as far as that can be told
    without gold (`unseen_recall`). Going further would be over-forgetting.

    Attributes
    ----------
    model: the model that learns.
    original: the model before.
    full, retained: the task before and after; ranked are all items but the retained training items of a user.
    gone: the forgotten pairs that are looked at; where there are none, nothing is left to forget.
    graph: what the models answer from.
    gold_recall: recall of the forgotten pairs under gold, where it is known.
    tolerance: share of the original's validation recall that must be kept.
    fresh: embeddings that rank pairs of which nothing is retained as gold would, see `unseen_recall`.
    """

    model: Model
    original: Model
    full: Recommendation
    retained: Recommendation
    gone: Forgotten
    graph: Interactions
    gold_recall: float | None = None
    tolerance: float = 0.98
    fresh: Tensor | None = None
    _last: float | None = field(default=None, init=False)

    def __call__(self) -> dict[str, float]:
        """Return `val_recall`, `forgotten_recall` and `margin`: the first, or -1 less what is left, while any is.

        While any is left, validation recall does not count: it falls as pairs are pushed down, at first faster than
        their own, and a run that looked at both would take that for no progress. `forgotten_recall` is missing where no
        pair is looked at.
        """
        z = self.model.embed(self.graph)
        found = self.retained.validate(z)
        if self.gone.count:
            found["forgotten_recall"] = self._recall(z)
        self._last = self._left(found)
        return found | {"margin": -1.0 - self._last if self._last else found["val_recall"]}

    def enough(self, metrics: dict[str, float]) -> bool:
        """Return whether the forgotten pairs rank low enough, and the others still high enough."""
        return not self._left(metrics) and metrics["val_recall"] >= self.tolerance * self._kept

    def forgotten(self) -> bool:
        """Return whether the forgotten pairs rank low enough now.

        A measurement serves once: the epoch after it asks this before a weight has moved.
        """
        left, self._last = self._last, None
        if left is None and self.gone.count:
            left = self._left({"forgotten_recall": self._recall(self.model.embed(self.graph))})
        return not left

    @cached_property
    def target(self) -> float:
        """Recall that the forgotten pairs must come down to."""
        if self.gold_recall is not None:
            return self.gold_recall
        z = self.original.embed(self.full.graph)
        return unseen_recall(z, self.full, self.retained, self.gone.items, CUTOFF, self.fresh)

    @cached_property
    def _kept(self) -> float:
        """Recall of the validation pairs under the original."""
        return self.retained.validate(self.original.embed(self.graph))["val_recall"]

    def _left(self, metrics: dict[str, float]) -> float:
        """Return how much of the forgotten pairs' recall is above the target."""
        return max(metrics["forgotten_recall"] - self.target, 0.0) if self.gone.count else 0.0

    def _recall(self, z: Tensor) -> float:
        return self.retained.metrics(z, "forgotten", self.gone, ks=(CUTOFF,))[f"recall@{CUTOFF}"]
