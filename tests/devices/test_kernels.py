"""Kernels on another device, beside the CPU, where there is little or nothing to compute."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.edge_softmax import attention
from graphforget.kernels.mean_propagation import mean_propagation
from graphforget.kernels.pairs import PairIndex, pair_scores
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.row_errors import row_errors

N = 4
NONE = np.empty(0, dtype=np.int64)


def errors(x: torch.Tensor, rows: list[int]) -> torch.Tensor:
    """The errors of some rows, several times one, and of no rows beside them."""
    target = torch.linspace(-1, 1, N * 3).view(N, 3).to(x.device)
    some, none = (torch.tensor(part, dtype=torch.int64).to(x.device) for part in (rows, []))
    return row_errors(x, [(0.3, some, target, some), (0.7, none, target, none)])


KERNELS = {
    "row_errors": lambda x, graph: errors(x, [2, 0, 2]),
    "row_errors of none": lambda x, graph: errors(x, []),
    "mean_propagation": lambda x, graph: mean_propagation(graph, x, np.array([3, 1]), 2),
    "mean_propagation of none": lambda x, graph: mean_propagation(graph, x, NONE, 2),
    "pair_scores of none": lambda x, graph: pair_scores(x, PairIndex(NONE, NONE, N)),
    "attention": lambda x, graph: attention(graph, x.unsqueeze(1), x[:, :1], x[:, 1:2]),
}


def value_and_gradient(name: str, graph: Sparse, device: str) -> list[np.ndarray]:
    x = torch.linspace(-2, 1, N * 3).view(N, 3).to(device).requires_grad_()
    out = KERNELS[name](x, graph)
    assert out.device.type == device
    out.square().sum().backward()
    return [part.detach().cpu().numpy() for part in (out, x.grad)]


@pytest.mark.parametrize("edges", [[], [[0, 1], [1, 1], [3, 0]]])
@pytest.mark.parametrize("name", list(KERNELS))
def test_a_kernel_gives_what_the_cpu_gives(far, name, edges):
    u, v = np.array(edges, dtype=np.int64).reshape(-1, 2).T
    graph = Sparse(edges_to_csr(u, v, N, N))
    for ours, wanted in zip(value_and_gradient(name, graph, far), value_and_gradient(name, graph, "cpu"), strict=True):
        np.testing.assert_allclose(ours, wanted, 1e-5, 1e-6)
