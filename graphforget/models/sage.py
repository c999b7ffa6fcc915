"""GraphSAGE with mean aggregation."""

from __future__ import annotations

import torch
from torch import Tensor

from graphforget.data.graph import Graph
from graphforget.kernels.csr import mean_normalise
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.models.base import Backbone, Convolution, fan_in, times_weight


def mean_adjacency(graph: Graph) -> Sparse:
    """Return D^-1 A; rows of nodes without neighbours are empty."""
    return graph.memo("mean_adjacency", lambda: Sparse(mean_normalise(graph.csr), symmetric=False))


class SAGEConvolution(Convolution):
    """h'_i = W_root h_i + W (mean of h_j over neighbours j) + b."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = fan_in(n_in, (n_in, n_out), generator)
        self.bias = fan_in(n_in, (n_out,), generator)
        self.root = fan_in(n_in, (n_in, n_out), generator)

    def forward(self, graph: Graph, h: Tensor | None) -> Tensor:
        """Return the (n_nodes, n_out) output."""
        neighbours = propagate(mean_adjacency(graph), times_weight(graph, h, self.weight))
        return neighbours + times_weight(graph, h, self.root) + self.bias

    def flops(self, graph: Graph, inputs: int, n_out: int) -> int:
        """Return the operations of one pass."""
        return 2 * n_out * (2 * inputs + 2 * graph.n_edges) + n_out * graph.n_nodes


class SAGE(Backbone):
    """GraphSAGE with full neighbourhoods and mean aggregation (Hamilton et al. 2017, algorithm 1), no normalisation."""

    name = "sage"
    local = True

    def convolution(self, n_in: int, n_out: int, generator: torch.Generator) -> Convolution:
        """Return one SAGE convolution."""
        return SAGEConvolution(n_in, n_out, generator)
