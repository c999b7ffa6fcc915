"""Attention over the entries of a sparse matrix: a softmax per row, fused with the weighted sum."""

from __future__ import annotations

import numpy as np
import torch
from numba import njit, prange
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphforget.kernels.csr import CSR
from graphforget.kernels.edge_softmax_torch import attention_torch
from graphforget.kernels.lowlevel import chunk_start, count_parts, exp_below, prefetch_row
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.tiles import AHEAD, sum_rows


@njit(cache=True, nogil=True)
def _logits(
    indptr: np.ndarray,
    indices: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    slope: float,
    a: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Write leakyrelu(left[i] + right[j]) minus its row maximum for the rows first .. last - 1."""
    for i in range(first, last):
        for head in range(left.shape[1]):
            top = left.dtype.type(-np.inf)
            for e in range(indptr[i], indptr[i + 1]):
                s = left[i, head] + right[indices[e], head]
                a[e, head] = s if s > 0 else s * slope
                top = max(top, a[e, head])
            for e in range(indptr[i], indptr[i + 1]):
                a[e, head] -= top


@njit(cache=True, nogil=True, fastmath={"contract"})
def _exp(a: np.ndarray) -> None:
    for k in range(len(a)):
        a[k] = exp_below(a[k])


@njit(cache=True, nogil=True)
def _normalise(indptr: np.ndarray, a: np.ndarray, first: int, last: int) -> None:
    for i in range(first, last):
        for head in range(a.shape[1]):
            z = a.dtype.type(0)
            for e in range(indptr[i], indptr[i + 1]):
                z += a[e, head]
            for e in range(indptr[i], indptr[i + 1]):
                a[e, head] /= z


@njit(cache=True, nogil=True, fastmath={"contract"})
def _weighted_sum(
    indptr: np.ndarray,
    indices: np.ndarray,
    a: np.ndarray,
    table: np.ndarray,
    out: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Write out[i] = sum of a[e] * table[indices[e]] over the entries e of row i, head by head."""
    width = table.shape[1] // a.shape[1]
    flat = a.reshape(-1)
    for i in range(first, last):
        if a.shape[1] == 1:
            sum_rows(indices, flat, indptr[i], indptr[i + 1], table, out, i)
            continue
        out[i, :] = 0
        for e in range(indptr[i], indptr[i + 1]):
            if e + AHEAD < len(indices):
                prefetch_row(table, indices[e + AHEAD])
            for head in range(a.shape[1]):
                weight = a[e, head]
                row = out[i, head * width : (head + 1) * width]
                source = table[indices[e], head * width : (head + 1) * width]
                for j in range(width):
                    row[j] += weight * source[j]


@njit(parallel=True, cache=True, nogil=True)
def _forward(
    indptr: np.ndarray,
    indices: np.ndarray,
    x: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    slope: float,
    a: np.ndarray,
    out: np.ndarray,
) -> None:
    parts = count_parts(len(indptr) - 1)
    flat, heads = a.reshape(-1), a.shape[1]
    for part in prange(parts):
        first, last = chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)
        _logits(indptr, indices, left, right, slope, a, first, last)
        _exp(flat[indptr[first] * heads : indptr[last] * heads])
        _normalise(indptr, a, first, last)
        _weighted_sum(indptr, indices, a, x, out, first, last)


@njit(cache=True, inline="always")
def _dot(a: np.ndarray, b: np.ndarray) -> float:
    total = a.dtype.type(0)
    for j in range(len(a)):
        total += a[j] * b[j]
    return total


@njit(parallel=True, cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _backward_rows(
    indptr: np.ndarray,
    indices: np.ndarray,
    x: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    slope: float,
    a: np.ndarray,
    grad: np.ndarray,
    d_logits: np.ndarray,
    d_left: np.ndarray,
) -> None:
    """Write dL/ds = a (g - sum a g) slope(s), s = left[i] + right[j], g = <grad[i], x[j]>, and row sums."""
    parts = count_parts(len(indptr) - 1)
    heads = a.shape[1]
    width = x.shape[1] // heads
    for part in prange(parts):
        for i in range(chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)):
            begin, end = indptr[i], indptr[i + 1]
            for e in range(begin, end):
                if e + AHEAD < len(indices):
                    prefetch_row(x, indices[e + AHEAD])
                for head in range(heads):
                    low, high = head * width, (head + 1) * width
                    d_logits[e, head] = _dot(grad[i, low:high], x[indices[e], low:high])
            for head in range(heads):
                pull = d_sum = x.dtype.type(0)
                for e in range(begin, end):
                    pull += a[e, head] * d_logits[e, head]
                for e in range(begin, end):
                    d = a[e, head] * (d_logits[e, head] - pull)
                    d_logits[e, head] = d if left[i, head] + right[indices[e], head] > 0 else d * slope
                    d_sum += d_logits[e, head]
                d_left[i, head] = d_sum


@njit(parallel=True, cache=True, nogil=True)
def _backward_columns(
    indptr: np.ndarray,
    entries: np.ndarray,
    rows: np.ndarray,
    a: np.ndarray,
    grad: np.ndarray,
    d_logits: np.ndarray,
    d_x: np.ndarray,
    d_right: np.ndarray,
) -> None:
    """Write d_x[j] = sum of a * grad[i] and d_right[j] = sum of dL/ds over the rows i that use column j."""
    parts = count_parts(len(indptr) - 1)
    weights = np.empty_like(a)
    for part in prange(parts):
        first, last = chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)
        for j in range(first, last):
            d_right[j, :] = 0
            for e in range(indptr[j], indptr[j + 1]):
                for head in range(a.shape[1]):
                    weights[e, head] = a[entries[e], head]
                    d_right[j, head] += d_logits[entries[e], head]
        _weighted_sum(indptr, rows, weights, grad, d_x, first, last)


def _flat(x: Tensor) -> np.ndarray:
    return x.detach().contiguous().view(x.shape[0], -1).numpy()


class _Attention(torch.autograd.Function):
    @staticmethod
    def forward(ctx, matrix: Sparse, x: Tensor, left: Tensor, right: Tensor, slope: float) -> Tensor:
        csr, heads = matrix.csr, left.shape[1]
        weights, out = x.new_empty((csr.nnz, heads)), x.new_empty((csr.n_rows, *x.shape[1:]))
        scale = _flat(x).dtype.type(slope)
        parts = (_flat(x), _flat(left), _flat(right), scale, weights.numpy(), _flat(out))
        _forward(csr.indptr, csr.indices, *parts)
        ctx.matrix, ctx.scale = matrix, scale
        ctx.save_for_backward(x, left, right, weights)
        return out

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor, Tensor, Tensor, None]:
        x, left, right, weights = ctx.saved_tensors
        csr, g, a = ctx.matrix.csr, _flat(grad), weights.numpy()
        d_logits = np.empty_like(a)
        d_x, d_left, d_right = (x.new_empty(part.shape) for part in (x, left, right))
        inputs = (_flat(x), _flat(left), _flat(right), ctx.scale, a, g)
        _backward_rows(csr.indptr, csr.indices, *inputs, d_logits, d_left.numpy())
        _backward_columns(*ctx.matrix.by_column, a, g, d_logits, _flat(d_x), d_right.numpy())
        return None, d_x, d_left, d_right, None


def attention(structure: Sparse | CSR, x: Tensor, left: Tensor, right: Tensor, slope: float = 0.2) -> Tensor:
    """Return out[i] = sum over row i of a[i, j] x[j], a = softmax over j of leakyrelu(left[i] + right[j]).

    Velickovic et al. 2018, equations 3-4 with the attention vector already split and applied. The values of
    the matrix are not used; a row without entries gives zeros. Differentiable in x, left and right. Pass a
    `Sparse` when the structure is used again: its columns are then sorted once. On the CPU no pass depends on
    the number of threads; elsewhere it is `attention_torch`.

    Parameters
    ----------
    structure : (n_rows, n_cols), an entry (i, j) where i attends to j
    x : (n_cols, heads, d)
    left, right : (n_rows, heads) and (n_cols, heads), of x's type
    slope : slope of the leaky ReLU below zero

    Returns
    -------
    (n_rows, heads, d)
    """
    matrix = structure if isinstance(structure, Sparse) else Sparse(structure)
    if x.device.type != "cpu":
        return attention_torch(matrix, x, left, right, slope)
    return _Attention.apply(matrix, x, left, right, slope)
