"""A model whose final embeddings are shifted: what methods that work on embeddings leave behind."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphforget._core.errors import DataError
from graphforget.data.kinds import G
from graphforget.models.base import Hook, Model
from graphforget.models.wrapped import Wrapped


class Shifted(Wrapped[G]):
    """The embeddings of a model underneath plus a constant row for every node.

    Parameters
    ----------
    base: the model underneath, frozen.
    shift: (n_nodes, width) float32, zero where a node keeps its embedding.
    """

    name = "shifted"

    def __init__(self, base: Model[G], shift: Tensor) -> None:
        super().__init__(base)
        self.shift = nn.Parameter(shift.detach().clone())

    def layers(self, graph: G, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
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

    def flops(self, graph: G) -> int:
        """Return the operations of the model underneath and of the sum."""
        return self.base.flops(graph) + self.shift.numel()

    def size(self) -> float:
        """Return the norm of the shift."""
        return float(torch.linalg.vector_norm(self.shift.detach().double()))
