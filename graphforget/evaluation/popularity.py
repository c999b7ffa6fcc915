"""The row that every recommender must beat: the same list for everybody, the most chosen items first."""

from __future__ import annotations

from typing import Self

import torch
from torch import Tensor

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.base import Hook, Model

ROW = "Popularity"
DEFINITION = "ranks items by their number of retained training pairs, equal numbers by the lower item; nothing learned."


class Popularity(Model[Interactions]):
    """Scores an item, for every user, by the number of its training pairs in the data that it answers from."""

    name = "popularity"

    def layers(self, graph: Interactions, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the only layer, (n_nodes, 1): 1 for users, the number of pairs for items, 0 for other entities."""
        z = self._counts(graph) if first is None else first
        return [hook(1, z) if hook else z]

    def _counts(self, data: Interactions) -> Tensor:
        z = torch.zeros(data.n_nodes, 1)
        z[: data.n_users] = 1.0
        z[data.n_users : data.n_users + data.n_items, 0] = torch.from_numpy(data.item_degrees.copy()).float()
        return z

    def fresh(self, streams: Streams) -> Self:
        """Return the model itself: nothing in it is random."""
        del streams
        return self

    def flops(self, graph: Interactions) -> int:
        """Return 0: nothing is computed but counts."""
        del graph
        return 0
