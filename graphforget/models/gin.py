"""Graph isomorphism network with linear updates."""

from __future__ import annotations

import torch
from torch import Tensor

from graphforget.data.graph import Graph
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.models.base import Backbone, Convolution, fan_in, times_weight


def plain_adjacency(graph: Graph) -> Sparse:
    """Return the adjacency with value 1 for both directions of every edge."""
    return graph.memo("plain_adjacency", lambda: Sparse(graph.csr, symmetric=graph.symmetric))


class GINConvolution(Convolution):
    """h'_i = W (h_i + sum of h_j over neighbours j) + b, computed as the sum of products (W is linear)."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = fan_in(n_in, (n_in, n_out), generator)
        self.bias = fan_in(n_in, (n_out,), generator)

    def forward(self, graph: Graph, h: Tensor | None) -> Tensor:
        """Return the (n_nodes, n_out) output."""
        own = times_weight(graph, h, self.weight)
        return own + propagate(plain_adjacency(graph), own) + self.bias

    def flops(self, graph: Graph, inputs: int, n_out: int) -> int:
        """Return the operations of one pass."""
        return 2 * n_out * (inputs + 2 * graph.n_edges) + n_out * graph.n_nodes


class GIN(Backbone):
    """Graph isomorphism network (Xu et al. 2019, eq. 4.1) with eps = 0.

    Deviation: the update is a single linear map, not an MLP, as in the GNNDelete experiments.
    """

    name = "gin"
    local = True

    def convolution(self, n_in: int, n_out: int, generator: torch.Generator) -> Convolution:
        """Return one GIN convolution."""
        return GINConvolution(n_in, n_out, generator)
