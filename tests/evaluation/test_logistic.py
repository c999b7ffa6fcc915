"""The logistic regression against its own optimality condition and a library."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from graphforget.evaluation.logistic import RIDGE, fit_logistic


@pytest.fixture
def sample():
    """Features on three scales, one of them constant, and noisy labels."""
    rng = np.random.default_rng(0)
    x = np.column_stack([rng.normal(size=400) * 50, rng.uniform(size=400), np.full(400, 7.0)])
    return x, x[:, 0] / 50 + 3 * x[:, 1] + rng.logistic(size=400) > 2.5


def test_the_gradient_is_zero(sample):
    x, labels = sample
    found = fit_logistic(x, labels)
    inputs = (x - found.mean) / found.scale
    share = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    slope = share * (expit(found.log_odds(x)) - labels)
    assert np.abs(slope @ inputs + RIDGE * found.weights).max() < 1e-4
    assert abs(slope.sum()) < 1e-4
    assert found.weights[2] == 0.0


def test_a_library_finds_the_same(sample):
    linear_model = pytest.importorskip("sklearn.linear_model")
    x, labels = sample
    found = fit_logistic(x, labels)
    inputs = (x - found.mean) / found.scale
    weights = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())
    other = linear_model.LogisticRegression(C=1 / RIDGE, tol=1e-10).fit(inputs, labels, sample_weight=weights)
    assert found.weights == pytest.approx(other.coef_[0], abs=1e-3)
    assert found.bias == pytest.approx(other.intercept_[0], abs=1e-3)


def test_units_do_not_matter_and_repeats_agree(sample):
    x, labels = sample
    once, again, scaled = fit_logistic(x, labels), fit_logistic(x, labels), fit_logistic(1e6 * x, labels)
    assert np.array_equal(once.log_odds(x), again.log_odds(x))
    assert scaled.log_odds(1e6 * x) == pytest.approx(once.log_odds(x), abs=1e-6)


def test_labels_that_can_be_told_apart_leave_finite_weights():
    x = np.array([[0.0], [1.0], [2.0], [3.0], [4.0]])
    found = fit_logistic(x, np.array([False, False, False, False, True]))
    assert np.isfinite(found.weights).all()
    assert (found.log_odds(x) > 0).tolist() == [False, False, False, False, True]
