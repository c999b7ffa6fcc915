"""Balanced clustering's kernels against numpy and the plain greedy rule."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.kernels.balanced import assign_within, group_means, squared_distances


def greedy(cost: np.ndarray, capacity: int) -> np.ndarray:
    """The rule as it is told: sort all pairs, take each whose unit is free and whose group has room."""
    n, k = cost.shape
    labels, room = np.full(n, -1), [capacity] * k
    for pair in np.argsort(cost.ravel(), kind="stable"):
        unit, group = divmod(int(pair), k)
        if labels[unit] < 0 and room[group]:
            labels[unit] = group
            room[group] -= 1
    return labels


@pytest.mark.parametrize(("n", "k", "capacity"), [(1, 1, 1), (40, 4, 10), (41, 4, 12), (300, 7, 52), (300, 7, 300)])
@pytest.mark.parametrize("levels", [3, 1_000_000])
def test_the_assignment_is_the_greedy_one_also_with_ties(n, k, capacity, levels):
    cost = np.random.default_rng(n + k).integers(0, levels, (n, k)).astype(np.float32)
    labels = assign_within(cost, capacity)
    assert labels.tolist() == greedy(cost, capacity).tolist()
    assert np.bincount(labels, minlength=k).max() <= capacity


def test_units_that_do_not_fit_are_refused():
    with pytest.raises(DataError, match="7 units do not fit into 2 shards of at most 3"):
        assign_within(np.zeros((7, 2), np.float32), 3)


def test_distances_are_numpys():
    rng = np.random.default_rng(0)
    points, centroids = rng.normal(size=(30, 5)).astype(np.float32), rng.normal(size=(4, 5))
    expected = ((points[:, None] - centroids[None]) ** 2).sum(axis=2)
    np.testing.assert_allclose(squared_distances(points, centroids), expected, rtol=1e-6)


def test_the_mean_of_two_points_is_one_number_per_component():
    points = np.array([[1.0, 10.0], [3.0, 30.0], [7.0, 7.0]], np.float32)
    means = group_means(points, np.array([0, 1]), np.array([1, 1]), np.full((3, 2), -5.0))
    assert means.tolist() == [[-5.0, -5.0], [2.0, 20.0], [-5.0, -5.0]]


def test_a_point_counts_as_often_as_it_is_a_member():
    points = np.array([[0.0], [3.0]], np.float32)
    assert group_means(points, np.array([0, 1, 1]), np.zeros(3, int), np.zeros((1, 1))).tolist() == [[2.0]]


def test_the_threads_do_not_matter(same_for_any_threads):
    rng = np.random.default_rng(1)
    points = rng.normal(size=(5000, 8)).astype(np.float32)
    assert same_for_any_threads(lambda: squared_distances(points, points[:6].astype(np.float64)))
    cost = squared_distances(points, points[:6].astype(np.float64))
    assert same_for_any_threads(lambda: assign_within(cost, 1000))
