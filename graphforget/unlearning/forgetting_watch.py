"""What a method that stops by itself looks at: how much is forgotten, and how good the rest still is."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from torch import Tensor

from graphforget._core.streams import Stream
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation

CUTOFF = 20


@dataclass(eq=False)
class ForgettingWatch:
    """Recall at 20 of the forgotten pairs and of the validation pairs.

    Attributes
    ----------
    model: the model that learns.
    original: the model before.
    retained, gone: what is ranked: all items, the retained training items of a user left out.
    graph: what the models answer from.
    stream: draws the pairs that nobody ever chose.
    gold_recall: recall of the forgotten pairs under gold, where it is known.
    tolerance: share of the original's validation recall that must be kept.
    """

    model: Model
    original: Model
    retained: Recommendation
    gone: Forgotten
    graph: Interactions
    never_chosen: np.ndarray
    gold_recall: float | None = None
    tolerance: float = 0.98

    def __call__(self) -> dict[str, float]:
        """Return `val_recall`, `forgotten_recall` and their difference `margin`."""
        z = self.model.embed(self.graph)
        found = self.retained.validate(z)
        found["forgotten_recall"] = self._recall(z, self.gone)
        return found | {"margin": found["val_recall"] - found["forgotten_recall"]}

    def enough(self, metrics: dict[str, float]) -> bool:
        """Return whether the forgotten pairs rank no higher than chance (or gold), and the others still do."""
        kept = metrics["val_recall"] >= self.tolerance * self._before["val_recall"]
        return kept and metrics["forgotten_recall"] <= self._before["target"]

    @cached_property
    def _before(self) -> dict[str, float]:
        """Validation recall of the original, and the recall of the forgotten pairs to come down to."""
        z = self.original.embed(self.graph)
        chance = self._recall(z, Forgotten(kind="interactions", items=self.never_chosen))
        return {**self.retained.validate(z), "target": max(chance, self.gold_recall or 0.0)}

    def _recall(self, z: Tensor, gone: Forgotten) -> float:
        return self.retained.metrics(z, "forgotten", gone, ks=(CUTOFF,))[f"recall@{CUTOFF}"]


def never_chosen(full: Recommendation, gone: Forgotten, stream: Stream) -> np.ndarray:
    """Return as many pairs as were forgotten, of the same users, with items none of them ever chose, (2, k)."""
    users = gone.items[0]
    others = full.paired(users, gone.items[1], stream).pairs[0].v[len(users) :]
    return np.unique(np.stack([users, others]), axis=1)
