"""Graph convolutional network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphforget.data.graph import Graph
from graphforget.kernels.propagate import propagate
from graphforget.models.base import Backbone, Convolution, glorot, times_weight


class GCNConvolution(Convolution):
    """h' = A_norm h W + b, A_norm = D^-1/2 (A + I) D^-1/2."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = glorot(n_in, n_out, generator)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, graph: Graph, h: Tensor | None) -> Tensor:
        """Return the (n_nodes, n_out) output; the narrower product comes first."""
        return propagate(graph.normalised, times_weight(graph, h, self.weight)) + self.bias

    def flops(self, graph: Graph, inputs: int, n_out: int) -> int:
        """Return the operations of one pass."""
        return 2 * n_out * (inputs + 2 * graph.n_edges + graph.n_nodes)


class GCN(Backbone):
    """Graph convolutional network (Kipf and Welling 2017, eq. 9), Glorot weights and zero biases."""

    name = "gcn"
    local = True

    def convolution(self, n_in: int, n_out: int, generator: torch.Generator) -> Convolution:
        """Return one GCN convolution."""
        return GCNConvolution(n_in, n_out, generator)
