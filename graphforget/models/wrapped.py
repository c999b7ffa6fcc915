"""A model around another one: what is not its own comes from the model underneath."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from torch import Tensor

from graphforget._core.streams import Streams
from graphforget.data.kinds import G
from graphforget.models.base import Model, Steps
from graphforget.tasks.base import Items


class Wrapped(Model[G]):
    """A model that adds something learned to a frozen copy of another one.

    Parameters
    ----------
    base: the model underneath.
    """

    base: Model[G]

    def __init__(self, base: Model[G]) -> None:
        super().__init__()
        self.base = base.frozen()

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return what the model underneath makes of the layers."""
        return self.base.readout(layers)

    def ranking_loss(self, data: G, z: Tensor, items: Items) -> Tensor | None:
        """Return the ranking loss of the model underneath, if it has one of its own."""
        return self.base.ranking_loss(data, z, items)

    def own_loss(self) -> str | None:
        """Return the name of that loss."""
        return self.base.own_loss()

    def extra_loss(self, data: G, layers: list[Tensor], z: Tensor, items: Items, epoch: int) -> Tensor:
        """Return what a recommender underneath adds to its ranking loss."""
        return self.base.extra_loss(data, layers, z, items, epoch)

    def side_phases(self, graph: G, streams: Streams) -> dict[str, Steps]:
        """Return what the model underneath trains beside the task's objective; nothing while it is frozen."""
        learns = any(parameter.requires_grad for parameter in self.base.parameters())
        return self.base.side_phases(graph, streams) if learns else {}

    def clear_features(self, rows: Mapping[str, np.ndarray]) -> None:
        """Undo, in place, what the model underneath learned about the features of some items."""
        self.base.clear_features(rows)

    def fresh(self, streams: Streams) -> Model[G]:
        """Return the model underneath with newly initialised parameters: what was added is no part of a fresh start."""
        return self.base.fresh(streams)
