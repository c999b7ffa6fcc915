"""Attention over the entries of a sparse matrix in torch's own operations, for devices other than the CPU."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphforget.kernels.propagate import Sparse, torch_csr

ENTRIES = 1 << 20
"""Entries whose (heads, d) vectors of both ends are held at once."""


def _per_segment(values: Tensor, offsets: Tensor, how: str) -> Tensor:
    """Return the "sum" or "max" of (nnz, heads) values in each segment; one thread adds a segment, in its order."""
    return torch.segment_reduce(values, how, offsets=offsets, unsafe=True)


def _weighted_sum(offsets: Tensor, sources: Tensor, weights: Tensor, table: Tensor) -> Tensor:
    """Return the sum over the entries e of each segment of weights[e] * table[sources[e]]: a CSR product per head."""
    shape = len(offsets) - 1, len(table)
    heads = range(weights.shape[1])
    parts = [torch_csr(offsets, sources, weights[:, k].contiguous(), shape) @ table[:, k].contiguous() for k in heads]
    return torch.stack(parts, dim=1)


def _dots(grad: Tensor, x: Tensor, rows: Tensor, columns: Tensor) -> Tensor:
    """Return <grad[i], x[j]> of every entry (i, j) and head, (nnz, heads)."""
    out = grad.new_empty((len(rows), x.shape[1]))
    for first in range(0, len(rows), ENTRIES):
        some = slice(first, first + ENTRIES)
        out[some] = (grad.index_select(0, rows[some]) * x.index_select(0, columns[some])).sum(dim=2)
    return out


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, matrix: Sparse, x: Tensor, left: Tensor, right: Tensor, slope: float) -> Tensor:
        rows, columns, offsets = matrix.entries_on(x.device)
        sums = left.index_select(0, rows) + right.index_select(0, columns)
        logits = F.leaky_relu(sums, slope)
        raw = (logits - _per_segment(logits, offsets, "max").index_select(0, rows)).exp()
        weights = raw / _per_segment(raw, offsets, "sum").index_select(0, rows)
        ctx.matrix, ctx.slope = matrix, slope
        ctx.save_for_backward(x, weights, sums > 0)
        return _weighted_sum(offsets, columns, weights, x)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor, Tensor, Tensor, None]:
        x, weights, positive = ctx.saved_tensors
        rows, columns, offsets = ctx.matrix.entries_on(x.device)
        by_column, entries, sources = ctx.matrix.by_column_on(x.device)
        pulls = _dots(grad, x, rows, columns)
        mean = _per_segment(weights * pulls, offsets, "sum").index_select(0, rows)
        slopes = weights * (pulls - mean)
        d_logits = torch.where(positive, slopes, slopes * ctx.slope)
        d_x = _weighted_sum(by_column, sources, weights.index_select(0, entries), grad)
        d_right = _per_segment(d_logits.index_select(0, entries), by_column, "sum")
        return None, d_x, _per_segment(d_logits, offsets, "sum"), d_right, None


def attention_torch(matrix: Sparse, x: Tensor, left: Tensor, right: Tensor, slope: float) -> Tensor:
    """Return what `edge_softmax.attention` returns, on any device: the weighted sums are CSR products.

    Nothing is scattered: all sums run over segments, by row or by column, so no result depends on the order in which
    a device's threads end. Memory is a few numbers for each entry and head.
    """
    return _Attention.apply(matrix, x, left, right, slope)
