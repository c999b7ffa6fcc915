"""Mean squared errors between rows of tables, without copying the rows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError

Rows = tuple[float, Tensor, Tensor, Tensor]
"""A weight, rows of the learned table, a target, and the rows of the target beside them: (k,), (m, d), (k,)."""


@njit(cache=True, nogil=True, fastmath={"contract", "reassoc"})
def _square(a: np.ndarray, b: np.ndarray) -> float:
    total = a.dtype.type(0)
    for j in range(len(a)):
        total += (a[j] - b[j]) * (a[j] - b[j])
    return total


@njit(cache=True, nogil=True)
def _squares(h: np.ndarray, rows: np.ndarray, target: np.ndarray, target_rows: np.ndarray) -> float:
    total = 0.0
    for k in range(len(rows)):
        total += _square(h[rows[k]], target[target_rows[k]])
    return total


@njit(cache=True, nogil=True)
def _squares_and_gradient(
    h: np.ndarray,
    rows: np.ndarray,
    target: np.ndarray,
    target_rows: np.ndarray,
    scale: float,
    weight: float,
    out: np.ndarray,
) -> float:
    total = 0.0
    for k in range(len(rows)):
        a, b, to = h[rows[k]], target[target_rows[k]], out[rows[k]]
        total += _square(a, b)
        for j in range(len(a)):
            to[j] += scale * (a[j] - b[j]) * weight
    return total


class _RowErrors(torch.autograd.Function):
    """One pass gives value and gradient."""

    @staticmethod
    def forward(ctx, h: Tensor, weights: tuple[float, ...], *flat: Tensor) -> Tensor:
        table, *arrays = (part.detach().contiguous().numpy() for part in (h, *flat))
        ctx.gradient = np.zeros_like(table) if ctx.needs_input_grad[0] else None
        number, total = table.dtype.type, table.dtype.type(0)
        ctx.others = [None] * (1 + len(flat))
        for first, weight in zip(range(0, len(arrays), 3), weights, strict=True):
            parts = arrays[first : first + 3]
            count = max(1, len(parts[0]) * table.shape[1])
            if ctx.gradient is None:
                squares = _squares(table, *parts)
            else:
                squares = _squares_and_gradient(table, *parts, number(2.0 / count), number(weight), ctx.gradient)
            total += number(weight) * number(squares / count)
        return h.new_tensor(total)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor | None, ...]:
        return torch.from_numpy(ctx.gradient) * grad, *ctx.others


def check_tables(tables: Sequence[Tensor], n_rows: int) -> None:
    """Raise DataError for a layer with fewer than `n_rows` rows: `row_errors` would read and write past its end."""
    for number, table in enumerate(tables, start=1):
        if table.dim() != 2 or table.shape[0] < n_rows:
            raise DataError(
                f"Layer {number} of the model has the shape {tuple(table.shape)}; the graph has {n_rows} nodes, so "
                f"({n_rows}, width) is needed. Give a row for every node."
            )


def row_errors(h: Tensor, of: Sequence[Rows]) -> Tensor:
    """Return the sum over (weight, rows, target, target_rows) of weight * mean of (h[rows] - target[target_rows])^2.

    Differentiable in h once. The gradient has the bytes of torch's `index_select` and `mse_loss` on one thread, where
    no two of `of` name the same row of h: a row that stands several times in `rows` sums its parts in that order. On
    the CPU no row is copied, and all gradients are written into one table. Two threads were slower at these sizes.

    The rows are not compared with the tables: the caller sees, once, that the tables have them (`check_tables`).

    Shapes: h (n, d), rows (k,), target (m, d), target_rows (k,), rows of int64 -> ().
    """
    if h.device.type == "cpu":
        weights, flat = tuple(weight for weight, *_ in of), [tensor for _, *tensors in of for tensor in tensors]
        return _RowErrors.apply(h, weights, *flat)
    total = h.new_zeros(())
    for weight, rows, target, beside in of:
        how = "mean" if len(rows) else "sum"  # the mean of none is NaN
        total = total + weight * F.mse_loss(h.index_select(0, rows), target.index_select(0, beside), reduction=how)
    return total
