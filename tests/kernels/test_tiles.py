"""Inner products and sums of table rows, tile by tile."""

from __future__ import annotations

import numpy as np
import pytest
from numba import njit

from graphforget.kernels.tiles import dot_rows, sum_columns


@njit
def _dot(a, i, b, j, low, high):
    return dot_rows(a, i, b, j, low, high)


@njit
def _sum(indices, weights, table, out, low, high):
    sum_columns(indices, weights, 0, len(indices), table, out, 1, low, high)


@pytest.mark.parametrize("width", [1, 7, 8, 9, 63, 64, 65, 72, 130, 200])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_inner_product_takes_every_column_once(width: int, dtype: type) -> None:
    """Whole numbers add without rounding, so any column left out or counted twice shows."""
    rng = np.random.default_rng(width)
    a, b = (rng.integers(-9, 10, (3, width + 5)).astype(dtype) for _ in range(2))
    found = _dot(a, 2, b, np.int32(1), 3, 3 + width)
    assert found == a[2, 3 : 3 + width] @ b[1, 3 : 3 + width]


def test_an_inner_product_has_the_stated_order() -> None:
    """64 lanes, added in four quarters, then in halves: the bytes do not hang on the vectors of a machine."""
    rng = np.random.default_rng(0)
    a, b = (rng.normal(size=(1, 64)).astype(np.float32) for _ in range(2))
    lanes = a[0] * b[0]
    quarters = lanes.reshape(4, 16)
    total = ((quarters[1] + quarters[0]) + quarters[2]) + quarters[3]
    while len(total) > 1:
        total = total[: len(total) // 2] + total[len(total) // 2 :]
    assert _dot(a, 0, b, 0, 0, 64) == total[0]


def test_weights_may_be_a_column_of_a_table() -> None:
    """The columns of one head are summed with the weights of that head; other columns stay."""
    rng = np.random.default_rng(1)
    table, weights = rng.normal(size=(9, 24)).astype(np.float32), rng.normal(size=(5, 3)).astype(np.float32)
    indices = np.array([8, 0, 3, 3, 1], np.int32)
    out = np.full((2, 24), 7, np.float32)
    _sum(indices, weights[:, 2], table, out, 8, 17)
    np.testing.assert_allclose(out[1, 8:17], weights[:, 2] @ table[indices, 8:17], rtol=1e-5)
    assert (out[1, :8] == 7).all() and (out[1, 17:] == 7).all() and (out[0] == 7).all()
