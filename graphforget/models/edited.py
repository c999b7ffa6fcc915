"""A frozen model with a learned operator after each layer, acting on some nodes only."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Self

import numpy as np
import torch
from torch import Tensor, nn

from graphforget.data.kinds import G
from graphforget.kernels.dense import product
from graphforget.models.base import Hook, Model
from graphforget.models.containers import ModuleDict
from graphforget.models.wrapped import Wrapped


class Operator(nn.Module):
    """h_i <- h_i W for the nodes of its set, identity elsewhere (GNNDelete's deletion operator).

    Parameters
    ----------
    nodes: (k,) int64 numbers of the nodes it acts on.
    weight: (width, width) initial W.
    """

    nodes: Tensor
    weight: nn.Parameter

    def __init__(self, nodes: Tensor, weight: Tensor) -> None:
        super().__init__()
        self.register_buffer("nodes", nodes)
        self.weight = nn.Parameter(weight)

    def forward(self, h: Tensor) -> Tensor:
        """Return (n_nodes, width) embeddings with the rows of the node set replaced; all rows without copying them."""
        if len(self.nodes) == len(h) and torch.equal(self.nodes, torch.arange(len(h), device=h.device)):
            return product(h, self.weight)
        return h.index_copy(0, self.nodes, product(h.index_select(0, self.nodes), self.weight))


class Edited(Wrapped[G]):
    """A model whose layers are followed by operators; the model underneath is frozen while they are learned.

    Parameters
    ----------
    base: the model underneath.
    operators: layer number (from 1) -> operator.
    """

    name = "edited"

    def __init__(self, base: Model[G], operators: Mapping[int, Operator]) -> None:
        super().__init__(base)
        self.operators = ModuleDict({str(layer): operator for layer, operator in operators.items()})

    def layers(self, graph: G, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the embeddings after each layer and its operator; `first` is layer 1 under all operators."""

        def both(layer: int, h: Tensor) -> Tensor:
            h = self.operators[str(layer)](h) if str(layer) in self.operators else h
            return hook(layer, h) if hook else h

        return self.base.layers(graph, both, first)

    def within(self, numbers: Callable[[np.ndarray], np.ndarray]) -> Self:
        """Return the model for a part of the graph, with the same weights; `numbers` gives a node's number there."""
        sets = {
            key: torch.from_numpy(numbers(operator.nodes.cpu().numpy())).to(operator.nodes.device)
            for key, operator in self.operators.items()
        }
        found = type(self)(
            self.base, {int(key): Operator(nodes, self.operators[key].weight) for key, nodes in sets.items()}
        )
        for key, operator in found.operators.items():
            operator.weight = self.operators[key].weight
        return found

    def train(self, mode: bool = True) -> Self:
        """Switch the operators; the model underneath stays in evaluation mode."""
        super().train(mode)
        self.base.eval()
        return self

    def node_sets(self) -> dict[int, np.ndarray]:
        """Return the nodes each operator acts on, by layer."""
        return {int(layer): operator.nodes.cpu().numpy() for layer, operator in self.operators.items()}

    def flops(self, graph: G) -> int:
        """Return the operations of the model underneath and of the operators."""
        own = sum(2 * len(operator.nodes) * operator.weight.numel() for operator in self.operators.values())
        return self.base.flops(graph) + own


def under_operators(model: Model) -> Model:
    """Return the model without its operators and shifts, however often it was edited."""
    while isinstance(model, Wrapped):
        model = model.base
    return model


def operators_on(
    sets: Sequence[np.ndarray], layers: Sequence[Tensor], make: Callable[[np.ndarray, int], Operator]
) -> dict[int, Operator]:
    """Return an operator for each layer, on a set of nodes, as wide as the layer and where it is."""
    pairs = enumerate(zip(sets, layers, strict=True), start=1)
    return {layer: make(nodes, h.shape[1]).to(h.device) for layer, (nodes, h) in pairs}


def identity_operator(nodes: np.ndarray, width: int) -> Operator:
    """Return an operator that starts as the identity."""
    return Operator(torch.from_numpy(nodes.astype(np.int64)), torch.eye(width))


def ones_operator(nodes: np.ndarray, width: int) -> Operator:
    """Return an operator that starts with 1/1000 everywhere, as the released GNNDelete code: rank 1."""
    return Operator(torch.from_numpy(nodes.astype(np.int64)), torch.full((width, width), 1e-3))
