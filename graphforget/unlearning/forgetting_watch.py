"""What a method that stops by itself looks at: how much is forgotten, and how good the rest still is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

from torch import Tensor

from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation

CUTOFF = 20


@dataclass(eq=False)
class ForgettingWatch:
    """Recall at 20 of the forgotten pairs and of the validation pairs.

    Pairs are taken for forgotten when they rank no higher than pairs that the original never learned: its validation
    pairs. Going further would be over-forgetting.

    Attributes
    ----------
    model: the model that learns.
    original: the model before.
    retained, gone: what is ranked: all items, the retained training items of a user left out.
    graph: what the models answer from.
    gold_recall: recall of the forgotten pairs under gold, where it is known.
    tolerance: share of the original's validation recall that must be kept.
    """

    model: Model
    original: Model
    retained: Recommendation
    gone: Forgotten
    graph: Interactions
    gold_recall: float | None = None
    tolerance: float = 0.98

    def __call__(self) -> dict[str, float]:
        """Return `val_recall`, `forgotten_recall`, and `margin`: the first, less 1 + what is left while any is."""
        z = self.model.embed(self.graph)
        found = self.retained.validate(z)
        found["forgotten_recall"] = self._recall(z)
        left = max(found["forgotten_recall"] - self.target, 0.0)
        return found | {"margin": found["val_recall"] - (1.0 + left if left else 0.0)}

    def enough(self, metrics: dict[str, float]) -> bool:
        """Return whether the forgotten pairs rank low enough, and the others still high enough."""
        kept = metrics["val_recall"] >= self.tolerance * self._unseen
        return kept and metrics["forgotten_recall"] <= self.target

    def forgotten(self) -> bool:
        """Return whether the forgotten pairs rank low enough now."""
        return self._recall(self.model.embed(self.graph)) <= self.target

    @property
    def target(self) -> float:
        """Recall that the forgotten pairs must come down to."""
        return self._unseen if self.gold_recall is None else self.gold_recall

    @cached_property
    def _unseen(self) -> float:
        """Recall of the validation pairs under the original."""
        return self.retained.validate(self.original.embed(self.graph))["val_recall"]

    def _recall(self, z: Tensor) -> float:
        return self.retained.metrics(z, "forgotten", self.gone, ks=(CUTOFF,))[f"recall@{CUTOFF}"]
