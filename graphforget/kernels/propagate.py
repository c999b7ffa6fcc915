"""Products of a sparse matrix with a dense one, with gradients."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from numba import prange
from torch import Tensor

from graphforget._core.compiled import njit
from graphforget.kernels.csr import CSR, row_ids, transpose_csr, transpose_order
from graphforget.kernels.lowlevel import chunk_start, count_parts
from graphforget.kernels.tiles import sum_rows


@njit(parallel=True, cache=True, nogil=True)
def _spmm(indptr: np.ndarray, indices: np.ndarray, values: np.ndarray, dense: np.ndarray, out: np.ndarray) -> None:
    parts = count_parts(len(indptr) - 1)
    for part in prange(parts):
        for i in range(chunk_start(indptr, part, parts), chunk_start(indptr, part + 1, parts)):
            sum_rows(indices, values, indptr[i], indptr[i + 1], dense, out, i)


def spmm(csr: CSR, dense: np.ndarray) -> np.ndarray:
    """Return `csr @ dense`; every output row is summed by one thread in column order.

    Shapes: dense (n_cols, d) float32 or float64, contiguous; the result (n_rows, d) has its type.
    """
    out = np.empty((csr.n_rows, dense.shape[1]), dense.dtype)
    _spmm(csr.indptr, csr.indices, csr.values, dense, out)
    return out


@dataclass(eq=False)
class Sparse:
    """A constant sparse matrix that `propagate` can multiply with; derived forms are built once.

    Parameters
    ----------
    csr : the matrix
    symmetric : the matrix equals its transpose, so the gradient uses the same one
    """

    csr: CSR
    symmetric: bool = False
    _memo: dict = field(default_factory=dict, repr=False)

    @property
    def shape(self) -> tuple[int, int]:
        """(n_rows, n_cols)."""
        return self.csr.n_rows, self.csr.n_cols

    @property
    def transpose(self) -> Sparse:
        """The transposed matrix; itself when symmetric."""
        if self.symmetric:
            return self
        if "transpose" not in self._memo:
            other = Sparse(transpose_csr(self.csr))
            other._memo["transpose"] = self
            self._memo["transpose"] = other
        return self._memo["transpose"]

    @property
    def by_column(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(indptr, entry ids, their rows) of the columns, see `transpose_order`."""
        if "by_column" not in self._memo:
            indptr, entries = transpose_order(self.csr)
            self._memo["by_column"] = indptr, entries, row_ids(self.csr)[entries]
        return self._memo["by_column"]

    def on(self, device: torch.device, dtype: torch.dtype) -> Tensor:
        """The matrix as a torch sparse CSR tensor on `device`."""
        key = (str(device), dtype)
        if key not in self._memo:
            _, columns, indptr = self.entries_on(device)
            self._memo[key] = torch_csr(indptr, columns, torch.tensor(self.csr.values).to(device, dtype), self.shape)
        return self._memo[key]

    def entries_on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """(rows, columns, indptr) of the entries, row by row, as int64 tensors on `device`."""
        return self._tensors("rows", device, lambda: (row_ids(self.csr), self.csr.indices, self.csr.indptr))

    def by_column_on(self, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
        """`by_column` as int64 tensors on `device`."""
        return self._tensors("columns", device, lambda: self.by_column)

    def _tensors(self, name: str, device: torch.device, arrays: Callable[[], tuple]) -> tuple[Tensor, Tensor, Tensor]:
        key = (name, str(device))
        if key not in self._memo:
            self._memo[key] = tuple(torch.from_numpy(array.astype(np.int64)).to(device) for array in arrays())
        return self._memo[key]


def torch_csr(indptr: Tensor, columns: Tensor, values: Tensor, shape: tuple[int, int]) -> Tensor:
    """Return a torch sparse CSR tensor of parts that are known to fit together."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(indptr, columns, values, size=shape, check_invariants=False)


def _product(matrix: Sparse, h: Tensor) -> Tensor:
    h = h.detach().contiguous()
    if h.device.type != "cpu":
        return _product_torch(matrix, h)
    csr, out = matrix.csr, h.new_empty((matrix.csr.n_rows, h.shape[1]))
    _spmm(csr.indptr, csr.indices, csr.values, h.numpy(), out.numpy())
    return out


def _product_torch(matrix: Sparse, h: Tensor) -> Tensor:
    return matrix.on(h.device, h.dtype) @ h


class _Propagate(torch.autograd.Function):
    @staticmethod
    def forward(ctx, matrix: Sparse, h: Tensor) -> Tensor:
        ctx.matrix = matrix
        return _product(matrix, h)

    @staticmethod
    def backward(ctx, grad: Tensor) -> tuple[None, Tensor]:
        return None, _Propagate.apply(ctx.matrix.transpose, grad)


def propagate(matrix: Sparse, h: Tensor) -> Tensor:
    """Return `matrix @ h`, differentiable in h any number of times; the gradient is `matrix.transpose @ grad`.

    Shapes: h (n_cols, d) -> (n_rows, d). On the CPU the result does not depend on the number of threads;
    elsewhere the product is torch's sparse CSR product.
    """
    return _Propagate.apply(matrix, h)


def linear_sparse(x: Sparse, weight: Tensor) -> Tensor:
    """Return `x @ weight` for sparse features (n, F) and a weight (F, d); the weight gets the gradient."""
    return _Propagate.apply(x, weight)
