"""Mean squared error between rows of two tables, without copying the rows."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from numba import njit
from torch import Tensor
from torch.autograd.function import once_differentiable


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
    def forward(ctx, h: Tensor, rows: Tensor, target: Tensor, target_rows: Tensor) -> Tensor:
        ctx.parts = tuple(part.detach().contiguous().numpy() for part in (h, rows, target, target_rows))
        return h.new_tensor(_squares(*ctx.parts) / max(1, len(rows) * h.shape[1]))

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        h, rows = ctx.parts[:2]
        out, number = np.zeros_like(h), h.dtype.type
        _gradient(*ctx.parts, number(2.0 / max(1, len(rows) * h.shape[1])), number(grad.item()), out)
        return torch.from_numpy(out), None, None, None


def row_errors(h: Tensor, rows: Tensor, target: Tensor, target_rows: Tensor) -> Tensor:
    """Return the mean of (h[rows] - target[target_rows])^2, differentiable in h once.

    The gradient has the bytes of torch's `index_select` and `mse_loss` on one thread: a row of h that stands several
    times in `rows` sums its parts in that order. On the CPU no row is copied.

    Shapes: h (n, d), rows (k,), target (m, d), target_rows (k,), both of int64 -> ().
    """
    if h.device.type != "cpu":
        return F.mse_loss(h.index_select(0, rows), target.index_select(0, target_rows))
    return _RowErrors.apply(h, rows, target, target_rows)
