"""Partitions: capacities, centroids, and clusters that are better than chance."""

from __future__ import annotations

import math

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget._core.streams import Streams
from graphforget.data.load import load
from graphforget.kernels.balanced import squared_distances
from graphforget.unlearning.shards.partition import (
    capacity_of,
    clustered_map,
    drawn_map,
    moved_centres,
    pair_distances,
    transported_map,
)
from graphforget.unlearning.shards.vectors import Vectors, weighted_factors

STREAM = Streams(0)("partition")


@pytest.fixture(scope="module")
def vectors(task):
    """Vectors of the users and items of the small interactions."""
    return weighted_factors(task.graph.train, 6, Streams(0)("vectors"))


def scatter(points, labels):
    """Return the sum of squared distances to the groups' means."""
    return sum(((points[labels == s] - points[labels == s].mean(axis=0)) ** 2).sum() for s in np.unique(labels))


def test_centres_of_interactions_are_means_per_component():
    vectors = Vectors(np.array([[1.0, 2.0], [3.0, 8.0]], np.float32), np.array([[5.0, 0.0], [7.0, 4.0]], np.float32))
    both = np.array([0, 1])
    users, items = moved_centres(vectors, both, both, np.zeros(2, int), (np.zeros((1, 2)), np.zeros((1, 2))))
    assert users.tolist() == [[2.0, 5.0]] and items.tolist() == [[6.0, 2.0]]


def test_vectors_score_pairs_above_other_entries(task, vectors):
    scores = vectors.users @ vectors.items.T
    ones = np.zeros(scores.shape, bool)
    ones[tuple(task.graph.pairs("train"))] = True
    assert scores[ones].mean() > 0.6 > 0.3 > scores[~ones].mean()


@pytest.mark.parametrize(("n", "k", "expected"), [(720_152, 10, 86_418), (10, 10, 1), (11, 10, 2), (100, 3, 40)])
def test_the_capacity_is_the_share_with_slack_but_enough_for_all(n, k, expected):
    assert capacity_of(n, k, 1.2) == expected


def test_fewer_units_than_shards_are_refused():
    with pytest.raises(DataError, match="3 units cannot fill 4 shards"):
        capacity_of(3, 4, 1.2)


@pytest.mark.parametrize("unit", ["interaction", "user", "item"])
@pytest.mark.parametrize("k", [2, 4])
def test_no_cluster_exceeds_the_capacity(task, vectors, unit, k):
    data = task.graph
    found = clustered_map(data, vectors, k, unit, 1.2, 50, STREAM)
    units, first = np.unique(found.units(*data.pairs("train")), return_index=True)
    sizes = np.bincount(found.shards(*data.pairs("train"))[first], minlength=k)
    assert sizes.sum() == len(units) and sizes.min() > 0
    assert sizes.max() <= max(math.floor(1.2 * len(units) / k), math.ceil(len(units) / k))


@pytest.mark.parametrize("unit", ["user", "item"])
def test_clusters_are_tighter_than_random_shards(task, vectors, unit):
    points = vectors.users if unit == "user" else vectors.items
    found = clustered_map(task.graph, vectors, 3, unit, 1.2, 50, STREAM).table
    drawn = [scatter(points, np.random.default_rng(s).permutation(found)) for s in range(20)]
    assert scatter(points, found) < min(drawn)


def test_clustered_interactions_cost_less_than_random_ones(task, vectors):
    users, items = task.graph.pairs("train")

    def cost(shards):
        start = (np.zeros((3, 6)), np.zeros((3, 6)))
        of_users, of_items = pair_distances(vectors, moved_centres(vectors, users, items, shards, start))
        return (of_users[users, shards] * of_items[items, shards]).sum()

    found = clustered_map(task.graph, vectors, 3, "interaction", 1.2, 50, STREAM).shards(users, items)
    drawn = [cost(np.random.default_rng(s).permutation(found)) for s in range(20)]
    assert cost(found) < 0.9 * min(drawn)


def test_transport_gives_tight_shards_within_the_capacity(task, vectors):
    found = transported_map(task.graph, vectors, 3, 1.2, 10, STREAM).table
    active = task.graph.user_degrees > 0
    assert (found >= 0).tolist() == active.tolist()
    assert np.bincount(found[active]).max() <= capacity_of(int(active.sum()), 3, 1.2)
    drawn = [scatter(vectors.users[active], np.random.default_rng(s).permutation(found[active])) for s in range(20)]
    assert scatter(vectors.users[active], found[active]) < min(drawn)


def test_a_held_out_interaction_joins_a_shard_and_is_no_reason_for_another_size(task, vectors):
    data = task.graph
    found = clustered_map(data, vectors, 3, "interaction", 1.2, 50, STREAM)
    assert (found.shards(*data.pairs("valid")) >= 0).all()
    assert len(found.numbers) == sum(data.pairs(part).shape[1] for part in ("train", "valid", "test"))


@pytest.mark.parametrize("unit", ["interaction", "user"])
def test_a_seed_gives_one_partition(task, vectors, unit):
    one, two = (clustered_map(task.graph, vectors, 3, unit, 1.2, 50, STREAM) for _ in range(2))
    other = clustered_map(task.graph, vectors, 3, unit, 1.2, 50, Streams(1)("partition"))
    assert one.digest == two.digest != other.digest
    assert drawn_map(task.graph, 3, unit, STREAM).digest == drawn_map(task.graph, 3, unit, STREAM).digest


@pytest.mark.slow
def test_the_partitions_of_a_published_set(data_dir):
    data = load("ml-1m", data_dir=data_dir)
    vectors = weighted_factors(data.train, 64, Streams(0)("vectors"))
    active = np.flatnonzero(data.user_degrees)
    points = vectors.users[active]
    drawn = scatter(points, np.random.default_rng(0).integers(0, 10, len(active)))
    for found in (
        clustered_map(data, vectors, 10, "user", 1.2, 50, STREAM),
        transported_map(data, vectors, 10, 1.2, 10, STREAM),
    ):
        labels = found.table[active]
        assert np.bincount(labels).max() <= 1.2 * len(active) / 10
        assert scatter(points, labels) < 0.95 * drawn
    by_pair = clustered_map(data, vectors, 10, "interaction", 1.2, 50, STREAM)
    assert np.bincount(by_pair.shards(*data.pairs("train"))).max() <= 1.2 * data.n_pairs / 10
    assert squared_distances(points[:1], points[:1].astype(float)).item() == 0
