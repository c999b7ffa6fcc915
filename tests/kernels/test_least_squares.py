"""Alternating least squares against dense normal equations."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.least_squares import solve_rows


@pytest.fixture
def problem():
    """A 0/1 matrix (12, 9) with an empty row, and fixed vectors."""
    rng = np.random.default_rng(0)
    ones = rng.random((12, 9)) < 0.4
    ones[5] = False
    return ones, rng.normal(size=(9, 4))


@pytest.mark.parametrize("weight", [0.05, 0.2, 1.0])
def test_every_row_minimises_its_weighted_squares(problem, weight):
    ones, fixed = problem
    csr = edges_to_csr(*np.nonzero(ones), 12, 9)
    found = solve_rows(csr.indptr, csr.indices, fixed, weight, 0.1)
    for row, x in zip(ones, found, strict=True):
        importance = np.where(row, 1.0, weight)
        a = fixed.T @ (importance[:, None] * fixed) + 0.1 * np.eye(4)
        np.testing.assert_allclose(x, np.linalg.solve(a, fixed.T @ (importance * row)), rtol=1e-9, atol=1e-12)


def test_a_row_without_entries_is_zero(problem):
    ones, fixed = problem
    csr = edges_to_csr(*np.nonzero(ones), 12, 9)
    assert not solve_rows(csr.indptr, csr.indices, fixed, 0.2, 0.1)[5].any()


def test_the_threads_do_not_matter(same_for_any_threads, random_csr):
    csr, fixed = random_csr(400, 300, 5000), np.random.default_rng(2).normal(size=(300, 6))
    assert same_for_any_threads(lambda: solve_rows(csr.indptr, csr.indices, fixed, 0.2, 0.1))
