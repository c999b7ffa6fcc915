"""Graph attention network."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from graphforget.data.graph import Graph
from graphforget.kernels.csr import with_self_loops
from graphforget.kernels.edge_softmax import attention
from graphforget.kernels.propagate import Sparse
from graphforget.models.base import Backbone, Convolution, glorot, times_weight


def looped_adjacency(graph: Graph) -> Sparse:
    """Return the adjacency with a self-loop at every node."""
    return graph.memo("looped_adjacency", lambda: Sparse(with_self_loops(graph.csr), symmetric=graph.symmetric))


class GATConvolution(Convolution):
    """h'_i = sum_j a_ij W h_j + b, a_ij = softmax_j LeakyReLU(l . W h_i + r . W h_j), one head, slope 0.2."""

    def __init__(self, n_in: int, n_out: int, generator: torch.Generator) -> None:
        super().__init__()
        self.weight = glorot(n_in, n_out, generator)
        self.left = glorot(1, n_out, generator)
        self.right = glorot(1, n_out, generator)
        self.bias = nn.Parameter(torch.zeros(n_out))

    def forward(self, graph: Graph, h: Tensor | None) -> Tensor:
        """Return the (n_nodes, n_out) output."""
        x = times_weight(graph, h, self.weight)
        left, right = x @ self.left.T, x @ self.right.T
        return attention(looped_adjacency(graph), x.unsqueeze(1), left, right).squeeze(1) + self.bias

    def flops(self, graph: Graph, inputs: int, n_out: int) -> int:
        """Return the operations of one pass."""
        edges = 2 * graph.n_edges + graph.n_nodes
        return 2 * n_out * (inputs + edges + 2 * graph.n_nodes) + 6 * edges


class GAT(Backbone):
    """Graph attention network (Velickovic et al. 2018, eq. 1 to 4), one head.

    Deviation: no dropout on features and attention, as in the GNNDelete experiments.
    """

    name = "gat"
    local = True

    def convolution(self, n_in: int, n_out: int, generator: torch.Generator) -> Convolution:
        """Return one GAT convolution."""
        return GATConvolution(n_in, n_out, generator)
