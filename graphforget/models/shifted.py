"""A model whose final embeddings are shifted: what methods that work on embeddings leave behind."""

from __future__ import annotations

from typing import Any, Self

import torch
from torch import Tensor, nn

from graphforget._core.errors import DataError
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.models.base import Hook, Model, Steps


class Shifted(Model):
    """The embeddings of a model underneath plus a constant row for every node.

    Parameters
    ----------
    base: the model underneath, frozen.
    shift: (n_nodes, width) float32, zero where a node keeps its embedding.
    """

    name = "shifted"

    def __init__(self, base: Model, shift: Tensor) -> None:
        super().__init__()
        self.base = base.frozen()
        self.shift = nn.Parameter(shift.detach().clone())

    def layers(self, graph: Graph, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the layers of the model underneath."""
        return self.base.layers(graph, hook, first)

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return the shifted embeddings; raises DataError for data with other numbers of nodes."""
        z = self.base.readout(layers)
        if z.shape != self.shift.shape:
            raise DataError(
                f"The model was made for {self.shift.shape[0]:,} nodes, the data has {z.shape[0]:,}. "
                "Give it the data it was unlearned on."
            )
        return z + self.shift

    def ranking_loss(self, data: Any, z: Tensor, items: Any) -> Tensor | None:
        """Return the ranking loss of the model underneath, if it has one of its own."""
        return self.base.ranking_loss(data, z, items)

    def extra_loss(self, data: Any, layers: list[Tensor], z: Tensor, items: Any, epoch: int) -> Tensor:
        """Return what a recommender underneath adds to its ranking loss."""
        return self.base.extra_loss(data, layers, z, items, epoch)

    def side_phases(self, graph: Graph, streams: Streams) -> dict[str, Steps]:
        """Return what the model underneath trains beside the task's objective."""
        return self.base.side_phases(graph, streams)

    def fresh(self, streams: Streams) -> Self:
        """Return the model underneath with newly initialised parameters: a fresh start has no shift."""
        return self.base.fresh(streams)

    def flops(self, graph: Graph) -> int:
        """Return the operations of the model underneath and of the sum."""
        return self.base.flops(graph) + self.shift.numel()

    def size(self) -> float:
        """Return the norm of the shift."""
        return float(torch.linalg.vector_norm(self.shift.detach().double()))
