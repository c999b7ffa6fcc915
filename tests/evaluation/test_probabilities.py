"""Logits to distributions, against scipy."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.special as special

from graphforget.evaluation.probabilities import answers, distributions, log_distributions, right_answers

PAIRS = np.array([-800.0, -1.0, 0.0, 2.0, 800.0])
NODES = np.array([[0.0, 1.0, -1.0], [900.0, 0.0, 0.0], [2.0, 2.0, 1.0]])


def test_pairs_are_bernoulli():
    p = distributions(PAIRS)
    np.testing.assert_allclose(p[:, 1], [0, special.expit(-1), 0.5, special.expit(2), 1], atol=1e-15)
    np.testing.assert_allclose(p.sum(axis=1), 1)


def test_nodes_are_softmax():
    np.testing.assert_allclose(distributions(NODES), special.softmax(NODES, axis=1), atol=1e-15)


def test_logarithms_stay_finite_where_probabilities_vanish():
    assert np.isfinite(log_distributions(PAIRS)).all()
    assert np.isfinite(log_distributions(NODES)).all()
    np.testing.assert_allclose(log_distributions(PAIRS)[0, 1], -800)
    np.testing.assert_allclose(np.exp(log_distributions(NODES)), distributions(NODES), atol=1e-15)


def test_answers_are_the_side_of_a_half_and_the_first_largest_class():
    assert answers(PAIRS).tolist() == [0, 0, 0, 1, 1]
    assert answers(NODES).tolist() == [1, 0, 0]


def test_right_answers_pick_the_target():
    np.testing.assert_allclose(right_answers(np.array([2.0, 2.0]), np.array([1.0, 0.0])), special.expit([2.0, -2.0]))
    assert right_answers(NODES, np.array([2, 0, 1]))[0] == pytest.approx(special.softmax(NODES[0])[2])
