"""Entropic transport against plain Sinkhorn and against the exact assignment."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.optimize import linear_sum_assignment

from graphforget.kernels.transport import log_plan


@pytest.fixture
def cost():
    """Squared distances of 60 points to 4 centroids."""
    rng = np.random.default_rng(3)
    return ((rng.normal(size=(60, 1, 3)) - rng.normal(size=(1, 4, 3))) ** 2).sum(axis=2).astype(np.float32)


def test_it_is_plain_sinkhorn(cost):
    kernel, v = np.exp(-cost.astype(np.float64) / 0.7), np.ones(4)
    for _ in range(25):
        u = 1 / 60 / (kernel @ v)
        v = 1 / 4 / (kernel.T @ u)
    np.testing.assert_allclose(np.exp(log_plan(cost, 0.7, 25)), u[:, None] * kernel * v, rtol=1e-9)


def test_the_marginals_are_uniform(cost):
    plan = np.exp(log_plan(cost, 0.5, 2000))
    np.testing.assert_allclose(plan.sum(axis=1), 1 / 60, rtol=1e-6)
    np.testing.assert_allclose(plan.sum(axis=0), 1 / 4, rtol=1e-12)


def test_a_small_weight_gives_the_exact_transport():
    rng = np.random.default_rng(5)
    cost = rng.random((12, 3))
    rows, seats = linear_sum_assignment(np.repeat(cost, 4, axis=1))
    best = cost[rows, seats // 4].sum()
    plan = np.exp(log_plan(cost, 1e-3, 5000))
    assert (plan * cost).sum() * 12 == pytest.approx(best, rel=1e-3)
    assert plan.argmax(axis=1).tolist() == (seats // 4).tolist()


def test_nothing_under_or_overflows(cost):
    plan = log_plan(cost * 1e4, 1e-3, 50)
    assert np.isfinite(plan.max(axis=1)).all() and np.isfinite(np.exp(plan)).all()
    np.testing.assert_allclose(np.exp(plan).sum(axis=0), 1 / 4, rtol=1e-9)


def test_the_threads_do_not_matter(same_for_any_threads):
    cost = np.random.default_rng(1).random((3000, 5)).astype(np.float32)
    assert same_for_any_threads(lambda: log_plan(cost, 0.05, 20))
