"""Scores of node pairs, <z_u, z_v>, with a gradient that is summed node by node."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError
from graphforget.kernels.csr import CSR
from graphforget.kernels.lowlevel import prefetch_row
from graphforget.kernels.propagate import spmm
from graphforget.kernels.tiles import AHEAD

BLOCK = 512
"""Pairs of one parallel task of the forward pass."""


@njit(cache=True, nogil=True)
def _incidence(u: np.ndarray, v: np.ndarray, n_nodes: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    m = len(u)
    indptr = np.zeros(n_nodes + 1, np.int64)
    for k in range(m):
        indptr[u[k] + 1] += 1
        indptr[v[k] + 1] += 1
    for i in range(n_nodes):
        indptr[i + 1] += indptr[i]
    cursor = indptr[:-1].copy()
    pair = np.empty(2 * m, np.int32)
    other = np.empty(2 * m, np.int32)
    for k in range(m):
        a, b = u[k], v[k]
        pair[cursor[a]], other[cursor[a]] = k, b
        cursor[a] += 1
        pair[cursor[b]], other[cursor[b]] = k, a
        cursor[b] += 1
    return indptr, pair, other


class PairIndex:
    """The pairs (u[k], v[k]) of a batch, and for every node the pairs it is in.

    Parameters
    ----------
    u, v : integer arrays (m,), nodes in [0, n_nodes); m < 2^31
    n_nodes : number of nodes
    """

    def __init__(self, u: np.ndarray, v: np.ndarray, n_nodes: int) -> None:
        self.u = u
        self.v = v
        self.n_nodes = n_nodes
        self._on: dict[str, tuple[Tensor, Tensor]] = {}

    @classmethod
    def of(cls, pairs: np.ndarray, n_nodes: int) -> PairIndex:
        """Index an array of pairs (2, m)."""
        return cls(np.ascontiguousarray(pairs[0]), np.ascontiguousarray(pairs[1]), n_nodes)

    def __len__(self) -> int:
        return len(self.u)

    @cached_property
    def incidence(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(indptr, pair, other): node i is in the pairs `pair[indptr[i]:indptr[i + 1]]`.

        `other` holds the other node of each; a pair (i, i) stands twice in node i's list.
        """
        return _incidence(self.u, self.v, self.n_nodes)

    def on(self, device: torch.device) -> tuple[Tensor, Tensor]:
        """The pairs as two int64 tensors on `device`; copied to it once."""
        key = str(device)
        if key not in self._on:
            u, v = (torch.from_numpy(part.astype(np.int64)).to(device) for part in (self.u, self.v))
            self._on[key] = u, v
        return self._on[key]


@njit(parallel=True, cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _dots(z: np.ndarray, u: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    m = len(u)
    for block in prange((m + BLOCK - 1) // BLOCK):
        for k in range(block * BLOCK, min(m, (block + 1) * BLOCK)):
            if k + AHEAD < m:
                prefetch_row(z, u[k + AHEAD])
                prefetch_row(z, v[k + AHEAD])
            a, b = z[u[k]], z[v[k]]
            dot = z.dtype.type(0)
            for j in range(len(a)):
                dot += a[j] * b[j]
            out[k] = dot


@njit(parallel=True, cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _cross_dots(a: np.ndarray, b: np.ndarray, u: np.ndarray, v: np.ndarray, out: np.ndarray) -> None:
    m = len(u)
    for block in prange((m + BLOCK - 1) // BLOCK):
        for k in range(block * BLOCK, min(m, (block + 1) * BLOCK)):
            a_u, a_v, b_u, b_v = a[u[k]], a[v[k]], b[u[k]], b[v[k]]
            dot = a.dtype.type(0)
            for j in range(len(a_u)):
                dot += a_u[j] * b_v[j] + a_v[j] * b_u[j]
            out[k] = dot


def _flat(x: Tensor) -> np.ndarray:
    return x.detach().contiguous().numpy()


def _sum_over_pairs(pairs: PairIndex, grad: Tensor, z: Tensor) -> Tensor:
    """Return for every node the sum over its pairs k, in their order, of grad[k] z[other node]: a sparse product."""
    indptr, pair, other = pairs.incidence
    weights = grad.detach().index_select(0, torch.from_numpy(pair))
    return torch.from_numpy(spmm(CSR(indptr, other, weights.numpy(), pairs.n_nodes), _flat(z)))


class _PairScores(torch.autograd.Function):
    @staticmethod
    def forward(ctx, z: Tensor, pairs: PairIndex) -> Tensor:
        ctx.save_for_backward(z)
        ctx.pairs = pairs
        out = torch.empty(len(pairs), dtype=z.dtype)
        _dots(_flat(z), pairs.u, pairs.v, out.numpy())
        return out

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None]:
        (z,) = ctx.saved_tensors
        return _NodeSums.apply(z, grad, ctx.pairs), None


class _NodeSums(torch.autograd.Function):
    """For every node the sum over its pairs k of grad[k] z[other node]: linear in z (symmetric) and in grad."""

    @staticmethod
    def forward(ctx, z: Tensor, grad: Tensor, pairs: PairIndex) -> Tensor:
        ctx.save_for_backward(z, grad)
        ctx.pairs = pairs
        return _sum_over_pairs(pairs, grad, z)

    @staticmethod
    @once_differentiable
    def backward(ctx, upstream: Tensor) -> tuple[Tensor, Tensor, None]:
        z, grad = ctx.saved_tensors
        to_z, to_grad = _sum_over_pairs(ctx.pairs, grad, upstream), torch.empty_like(grad)
        _cross_dots(_flat(upstream), _flat(z), ctx.pairs.u, ctx.pairs.v, to_grad.numpy())
        return to_z, to_grad, None


def pair_scores(z: Tensor, pairs: PairIndex) -> Tensor:
    """Return <z_u, z_v> for every pair, twice differentiable in z.

    The gradient of node i is the sum over its pairs k of grad[k] * z[other node], in the order of the pairs;
    a pair (i, i) contributes 2 grad[k] z_i. On the CPU no pass depends on the number of threads. On CUDA the
    gradient is added atomically, in any order: it is the same twice under `torch.use_deterministic_algorithms(True)`.

    Shapes: z (n_nodes, d) -> (m,); raises DataError for another number of rows, which would be read past their end.
    """
    if z.dim() != 2 or z.shape[0] != pairs.n_nodes:
        raise DataError(
            f"The embeddings have the shape {tuple(z.shape)}, but the pairs are of {pairs.n_nodes} nodes, so "
            f"({pairs.n_nodes}, width) is needed. Give a row for every node."
        )
    if z.device.type != "cpu":
        return _pair_scores_torch(z, pairs)
    return _PairScores.apply(z, pairs)


def _pair_scores_torch(z: Tensor, pairs: PairIndex) -> Tensor:
    u, v = pairs.on(z.device)
    return (z.index_select(0, u) * z.index_select(0, v)).sum(dim=1)
