"""Mean squared errors between rows of tables, without copying the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable

Rows = tuple[Tensor, Tensor, Tensor]
"""Rows of the learned table, a target, and the rows of the target beside them: (k,), (m, d), (k,)."""


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _squares(h: np.ndarray, rows: np.ndarray, target: np.ndarray, target_rows: np.ndarray) -> float:
    total = 0.0
    for k in range(len(rows)):
        a, b = h[rows[k]], target[target_rows[k]]
        row = h.dtype.type(0)
        for j in range(len(a)):
            row += (a[j] - b[j]) * (a[j] - b[j])
        total += row
    return total


@njit(cache=True, nogil=True)
def _gradient(
    h: np.ndarray,
    rows: np.ndarray,
    target: np.ndarray,
    target_rows: np.ndarray,
    scale: float,
    grad: float,
    out: np.ndarray,
) -> None:
    for k in range(len(rows)):
        a, b, to = h[rows[k]], target[target_rows[k]], out[rows[k]]
        for j in range(len(a)):
            to[j] += scale * (a[j] - b[j]) * grad


class _RowErrors(torch.autograd.Function):
    @staticmethod
    def forward(ctx, h: Tensor, *flat: Tensor) -> tuple[Tensor, ...]:
        ctx.h, *arrays = (part.detach().contiguous().numpy() for part in (h, *flat))
        ctx.of = [arrays[k : k + 3] for k in range(0, len(arrays), 3)]
        sums = (_squares(ctx.h, *parts) / max(1, len(parts[0]) * h.shape[1]) for parts in ctx.of)
        return tuple(h.new_tensor(value) for value in sums)

    @staticmethod
    @once_differentiable
    def backward(ctx, *grads: Tensor) -> tuple[Tensor | None, ...]:
        out, number = np.zeros_like(ctx.h), ctx.h.dtype.type
        for (rows, target, target_rows), grad in zip(ctx.of, grads, strict=True):
            scale = number(2.0 / max(1, len(rows) * out.shape[1]))
            _gradient(ctx.h, rows, target, target_rows, scale, number(grad.item()), out)
        return torch.from_numpy(out), *[None] * (3 * len(ctx.of))


def row_errors(h: Tensor, of: Sequence[Rows]) -> tuple[Tensor, ...]:
    """Return, for each (rows, target, target_rows), the mean of (h[rows] - target[target_rows])^2.

    Differentiable in h once. The gradient has the bytes of torch's `index_select` and `mse_loss` on one thread, where
    no two of `of` name the same row of h: a row that stands several times in `rows` sums its parts in that order. On
    the CPU no row is copied, and all gradients are written into one table. Two threads were slower at these sizes.

    Shapes: h (n, d), rows (k,), target (m, d), target_rows (k,), rows of int64 -> ().
    """
    if h.device.type != "cpu":
        return tuple(F.mse_loss(h.index_select(0, rows), target.index_select(0, beside)) for rows, target, beside in of)
    return _RowErrors.apply(h, *(tensor for parts in of for tensor in parts)) if of else ()
