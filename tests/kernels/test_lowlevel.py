import numpy as np
import pytest

from graphforget.kernels.lowlevel import chunk_start, count_parts, exp_below


def test_exp_below_is_exp():
    x = -np.concatenate((np.linspace(0, 100, 500), [1e-300, 1e-9]))
    np.testing.assert_allclose([exp_below(value) for value in x], np.exp(x), rtol=1e-11)


def test_exp_below_at_the_ends():
    assert exp_below(0.0) == 1.0
    assert exp_below(-np.inf) < 1e-300
    assert np.isnan(exp_below(np.nan))


@pytest.mark.parametrize("n_rows", [0, 1, 3, 50, 3000])
def test_chunks_cover_every_row_once_and_are_balanced(n_rows):
    degrees = np.random.default_rng(0).integers(0, 20, n_rows)
    indptr = np.concatenate(([0], np.cumsum(degrees)))
    parts = count_parts(n_rows)
    starts = np.array([chunk_start(indptr, part, parts) for part in range(parts + 1)])
    assert (starts[0], starts[-1]) == (0, n_rows)
    assert (np.diff(starts) >= 0).all()
    costs = np.diff(indptr[starts] + 8 * starts)
    assert (np.abs(costs - costs.mean()) <= 28).all()
