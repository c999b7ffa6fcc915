"""Some rows of the mean of x, A x, ..., A^L x, computed without the rows that nobody asked for."""

from __future__ import annotations

import numpy as np
import torch
from numba import prange
from torch import Tensor
from torch.autograd.function import once_differentiable

from graphforget._core.compiled import njit
from graphforget.kernels.csr import CSR
from graphforget.kernels.lowlevel import chunk_start, count_parts
from graphforget.kernels.propagate import Sparse, propagate, spmm
from graphforget.kernels.tiles import sum_rows

BLOCK = 64
"""Rows of one parallel task."""


@njit(parallel=True, cache=True, nogil=True)
def _some_rows(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, rows: np.ndarray, dense: np.ndarray, out: np.ndarray
) -> None:
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        for k in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
            sum_rows(indices, values, indptr[rows[k]], indptr[rows[k] + 1], dense, out, k)


@njit(parallel=True, cache=True, nogil=True)
def _some_columns(
    indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, place: np.ndarray, dense: np.ndarray, out: np.ndarray
) -> None:
    parts = count_parts(len(indptr) - 1)
    longest = 0
    for i in range(len(indptr) - 1):
        longest = max(longest, indptr[i + 1] - indptr[i])
    for part in prange(parts):
        near, weights = np.empty(longest, np.int32), np.empty(longest, values.dtype)
        for i in range(chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)):
            found = 0
            for e in range(indptr[i], indptr[i + 1]):
                at = place[indices[e]]
                if at >= 0:
                    near[found], weights[found] = at, values[e]
                    found += 1
            sum_rows(near, weights, 0, found, dense, out, i)


def rows_of_product(csr: CSR, rows: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Return `(csr @ dense)[rows]`; shapes as in `spmm`, rows (k,) integers."""
    out = np.empty((len(rows), dense.shape[1]), dense.dtype)
    _some_rows(csr.indptr, csr.indices, csr.values, rows, dense, out)
    return out


def product_of_columns(csr: CSR, columns: np.ndarray, dense: np.ndarray) -> np.ndarray:
    """Return `csr[:, columns] @ dense`; columns (k,) distinct integers, dense (k, d)."""
    place = np.full(csr.n_cols, -1, np.int32)
    place[columns] = np.arange(len(columns), dtype=np.int32)
    out = np.empty((csr.n_rows, dense.shape[1]), dense.dtype)
    _some_columns(csr.indptr, csr.indices, csr.values, place, dense, out)
    return out


class _MeanRows(torch.autograd.Function):
    """The last product is needed in the rows alone, and so is the first one of the gradient in the columns.

    With G the gradient of the rows, the gradient of x is h / (L + 1), h = G + A (G + A (... (G + A G)))
    (the Horner form of G + A G + ... + A^L G).
    """

    @staticmethod
    def forward(ctx, x: Tensor, matrix: Sparse, rows: np.ndarray, layers: int) -> Tensor:
        ctx.matrix, ctx.rows, ctx.layers = matrix, rows, layers
        dense = x.detach().contiguous().numpy()
        total = dense[rows]
        for _ in range(layers - 1):
            dense = spmm(matrix.csr, dense)
            total += dense[rows]
        total += rows_of_product(matrix.csr, rows, dense)
        total /= layers + 1
        return torch.from_numpy(total)

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, None, None, None]:
        csr, given = ctx.matrix.transpose.csr, grad.contiguous().numpy() / (ctx.layers + 1)
        found = product_of_columns(csr, ctx.rows, given)
        found[ctx.rows] += given
        for _ in range(ctx.layers - 1):
            found = spmm(csr, found)
            found[ctx.rows] += given
        return torch.from_numpy(found), None, None, None


def mean_propagation(matrix: Sparse, x: Tensor, rows: np.ndarray, layers: int) -> Tensor:
    """Return rows of (x + A x + ... + A^L x) / (L + 1), differentiable in x once.

    On the CPU the result does not depend on the number of threads; elsewhere whole products are torch's.

    Parameters
    ----------
    matrix: A, (n, n). x: (n, d) float32 or float64. rows: (k,) distinct integers. layers: L, at least 1.
    """
    if x.device.type != "cpu":
        return _mean_rows_torch(matrix, x, rows, layers)
    return _MeanRows.apply(x, matrix, rows, layers)


def _mean_rows_torch(matrix: Sparse, x: Tensor, rows: np.ndarray, layers: int) -> Tensor:
    index = torch.from_numpy(rows.astype(np.int64)).to(x.device)
    total = x.index_select(0, index)
    for _ in range(layers):
        x = propagate(matrix, x)
        total = total + x.index_select(0, index)
    return total / (layers + 1)
