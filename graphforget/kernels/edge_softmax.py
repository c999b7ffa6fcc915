"""Attention over the entries of a sparse matrix: a softmax per row, fused with the weighted sum."""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphforget._core.compiled import njit
from graphforget.kernels.csr import CSR
from graphforget.kernels.edge_softmax_torch import attention_torch
from graphforget.kernels.lowlevel import chunk_start, count_parts, exp_below, prefetch_at, prefetch_row
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.tiles import AHEAD, dot_rows, sum_columns, sum_rows

FAR = 32
"""How many entries ahead of the one being read its pair is prefetched: pairs lie anywhere in memory."""


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


@njit(cache=True, nogil=True)
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
    heads = a.shape[1]
    if heads == 1:
        weights = a.reshape(-1)
        for i in range(first, last):
            sum_rows(indices, weights, indptr[i], indptr[i + 1], table, out, i)
        return
    width = table.shape[1] // heads
    for i in range(first, last):
        for head in range(heads):
            low, high = head * width, (head + 1) * width
            sum_columns(indices, a[:, head], indptr[i], indptr[i + 1], table, out, i, low, high)


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


@njit(cache=True, nogil=True)
def _dots(indices: np.ndarray, first: int, last: int, x: np.ndarray, grad: np.ndarray, i: int, out: np.ndarray) -> None:
    """Write out[e] = <grad[i], x[indices[e]]> for first <= e < last, head by head."""
    heads, final = out.shape[1], len(indices) - 1
    width = x.shape[1] // heads
    for e in range(first, last):
        prefetch_row(x, indices[min(e + AHEAD, final)])
        for head in range(heads):
            out[e, head] = dot_rows(grad, i, x, indices[e], head * width, (head + 1) * width)


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _dot(a: np.ndarray, b: np.ndarray, first: int, last: int, head: int) -> float:
    total = a.dtype.type(0)
    for e in range(first, last):
        total += a[e, head] * b[e, head]
    return total


@njit(cache=True, nogil=True, fastmath={"contract"})
def _through_softmax(
    indptr: np.ndarray,
    indices: np.ndarray,
    left: np.ndarray,
    right: np.ndarray,
    slope: float,
    a: np.ndarray,
    dots: np.ndarray,
    pairs: np.ndarray,
    d_left: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Write (a, dL/ds) of the rows first .. last - 1 into `pairs` and their sums of dL/ds into `d_left`.

    dL/ds = a (g - sum a g) slope(s) with s = left[i] + right[j] and g of `dots`.
    """
    heads = a.shape[1]
    weights, slopes, pairs, right = a.reshape(-1), dots.reshape(-1), pairs.reshape(-1), right.reshape(-1)
    for i in range(first, last):
        for head in range(heads):
            pull, total = _dot(a, dots, indptr[i], indptr[i + 1], head), left.dtype.type(0)
            for e in range(indptr[i], indptr[i + 1]):
                at = np.uint64(e * heads + head)
                d = weights[at] * (slopes[at] - pull)
                d = d if left[i, head] + right[np.uint64(indices[e] * heads + head)] > 0 else d * slope
                pairs[np.uint64(2) * at], pairs[np.uint64(2) * at + np.uint64(1)] = weights[at], d
                total += d
            d_left[i, head] = total


@njit(parallel=True, cache=True, nogil=True)
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
    pairs: np.ndarray,
    d_left: np.ndarray,
) -> None:
    """Write dL/ds and its row sums, and (a, dL/ds) into `pairs`: the columns read both from one cache line."""
    parts = count_parts(len(indptr) - 1)
    for part in prange(parts):
        first, last = chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)
        for i in range(first, last):
            _dots(indices, indptr[i], indptr[i + 1], x, grad, i, d_logits)
        _through_softmax(indptr, indices, left, right, slope, a, d_logits, pairs, d_left, first, last)


@njit(cache=True, nogil=True)
def _weights(
    indptr: np.ndarray,
    entries: np.ndarray,
    pairs: np.ndarray,
    weights: np.ndarray,
    d_right: np.ndarray,
    first: int,
    last: int,
) -> None:
    """Write the weights a of the columns first .. last - 1 in their order, and d_right[j] = sum of dL/ds."""
    heads, final = weights.shape[1], len(entries) - 1
    flat = pairs.reshape(-1)
    for head in range(heads):
        for j in range(first, last):
            total = pairs.dtype.type(0)
            for e in range(indptr[j], indptr[j + 1]):
                prefetch_at(pairs, entries[min(e + FAR, final)] * 2 * heads)
                at = np.uint64(2 * (entries[e] * heads + head))
                weights[e, head] = flat[at]
                total += flat[at + np.uint64(1)]
            d_right[j, head] = total


@njit(parallel=True, cache=True, nogil=True)
def _backward_columns(
    indptr: np.ndarray,
    entries: np.ndarray,
    rows: np.ndarray,
    pairs: np.ndarray,
    grad: np.ndarray,
    weights: np.ndarray,
    d_x: np.ndarray,
    d_right: np.ndarray,
) -> None:
    """Write d_x[j] = sum of a * grad[i] and d_right[j] = sum of dL/ds over the rows i that use column j.

    `weights` is room for the weights in the columns' order.
    """
    parts = count_parts(len(indptr) - 1)
    for part in prange(parts):
        first, last = chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)
        _weights(indptr, entries, pairs, weights, d_right, first, last)
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
        room, pairs = np.empty_like(a), np.empty((*a.shape, 2), a.dtype)
        d_x, d_left, d_right = (x.new_empty(part.shape) for part in (x, left, right))
        inputs = (_flat(x), _flat(left), _flat(right), ctx.scale, a, g)
        _backward_rows(csr.indptr, csr.indices, *inputs, room, pairs, d_left.numpy())
        _backward_columns(*ctx.matrix.by_column, pairs, g, room, _flat(d_x), d_right.numpy())
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
