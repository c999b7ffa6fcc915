"""Partitions of the interactions: drawn, by balanced clustering, or by optimal transport."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from graphforget._core.errors import DataError
from graphforget._core.streams import Stream
from graphforget.data.interaction_parts import keys_of
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import NONE, ShardMap
from graphforget.kernels.balanced import assign_within, group_means, squared_distances
from graphforget.kernels.transport import log_plan
from graphforget.unlearning.shards.vectors import Vectors

SMALLEST_EPS = 1e-12


def drawn_map(data: Interactions, n_shards: int, unit: str, stream: Stream) -> ShardMap:
    """Return a map that draws the shard of every user or interaction by its number: it depends on no content."""
    return ShardMap(n_shards, data.n_items, unit, key=stream.key)


def capacity_of(n_units: int, n_shards: int, slack: float) -> int:
    """Return the largest size of a shard: slack * n_units / n_shards, but enough for all units.

    Raises DataError when there are fewer units than shards.
    """
    if n_units < n_shards:
        raise DataError(f"{n_units:,} units cannot fill {n_shards} shards. Use fewer shards.")
    return max(math.floor(slack * n_units / n_shards), math.ceil(n_units / n_shards))


def clustered_map(
    data: Interactions, vectors: Vectors, n_shards: int, unit: str, slack: float, iterations: int, stream: Stream
) -> ShardMap:
    """Return RecEraser's balanced clustering of interactions (InBP), users (UBP) or items (IBP).

    A unit's cost in a shard is |p_u - c_u|^2 * |q_i - c_i|^2 for an interaction, |p - c|^2 for a user or an item; all
    (unit, shard) pairs are taken in ascending order of cost as they fit; centroids are means, component by component.
    """
    if unit == "interaction":
        return _clustered_interactions(data, vectors, n_shards, slack, iterations, stream)
    points, active = _points(data, vectors, unit)
    capacity = capacity_of(len(active), n_shards, slack)
    labels = cluster_points(points, n_shards, iterations, stream, lambda cost: assign_within(cost, capacity))
    return _table_map(data, n_shards, unit, active, labels)


def transported_map(
    data: Interactions,
    vectors: Vectors,
    n_shards: int,
    slack: float,
    rounds: int,
    stream: Stream,
    eps: float = 0.05,
    iterations: int = 200,
) -> ShardMap:
    """Return UltraRE's partition of the users: clustering by optimal transport with uniform marginals.

    Each round moves the users to the centroids by Sinkhorn's algorithm with entropic weight `eps` times the median
    cost, then rounds the plan: (user, shard) pairs in descending order of transported mass, as they fit the capacity.
    """
    points, active = _points(data, vectors, "user")
    capacity = capacity_of(len(active), n_shards, slack)

    def assign(cost: np.ndarray) -> np.ndarray:
        plan = log_plan(cost, max(eps * float(np.median(cost)), SMALLEST_EPS), iterations)
        return assign_within((plan.max() - plan).astype(np.float32), capacity)

    return _table_map(data, n_shards, "user", active, cluster_points(points, n_shards, rounds, stream, assign))


def cluster_points(
    points: np.ndarray, n_shards: int, iterations: int, stream: Stream, assign: Callable[[np.ndarray], np.ndarray]
) -> np.ndarray:
    """Return the shard of every point, int64 (n,): assign by cost, move the centroids, until nothing changes.

    The centroids start at random points.
    """
    rows = np.arange(len(points))
    centroids = points[_distinct(len(points), n_shards, stream)].astype(np.float64)
    labels = np.full(len(points), NONE)
    for _ in range(iterations):
        before, labels = labels, assign(squared_distances(points, centroids))
        if np.array_equal(before, labels):
            break
        centroids = group_means(points, rows, labels, centroids)
    return labels


def _clustered_interactions(
    data: Interactions, vectors: Vectors, n_shards: int, slack: float, iterations: int, stream: Stream
) -> ShardMap:
    """Cluster the training pairs; a held-out pair joins its cheapest shard, whatever its size."""
    users, items = data.pairs("train")
    capacity = capacity_of(len(users), n_shards, slack)
    starts = _distinct(len(users), n_shards, stream)
    centres = vectors.users[users[starts]].astype(np.float64), vectors.items[items[starts]].astype(np.float64)
    labels = np.full(len(users), NONE)
    for _ in range(iterations):
        of_users, of_items = pair_distances(vectors, centres)
        before, labels = labels, assign_within(of_users[users] * of_items[items], capacity)
        if np.array_equal(before, labels):
            break
        centres = moved_centres(vectors, users, items, labels, centres)
    numbers = [keys_of(data.train)]
    owners = [labels]
    of_users, of_items = pair_distances(vectors, centres)
    for part in (data.valid, data.test):
        if part is not None:
            numbers.append(np.setdiff1d(keys_of(part), np.concatenate(numbers)))
            u, i = np.divmod(numbers[-1], data.n_items)
            owners.append(np.argmin(of_users[u] * of_items[i], axis=1))
    joined = np.concatenate(numbers)
    order = np.argsort(joined)
    return ShardMap(n_shards, data.n_items, "interaction", None, np.concatenate(owners)[order], joined[order])


def pair_distances(vectors: Vectors, centres: tuple[np.ndarray, np.ndarray]) -> tuple[np.ndarray, np.ndarray]:
    """Return |p_u - c_u|^2 of all users and |q_i - c_i|^2 of all items; a pair's cost is the product of its rows."""
    return squared_distances(vectors.users, centres[0]), squared_distances(vectors.items, centres[1])


def moved_centres(
    vectors: Vectors,
    users: np.ndarray,
    items: np.ndarray,
    labels: np.ndarray,
    centres: tuple[np.ndarray, np.ndarray],
) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean user and the mean item vector of the interactions of every shard, component by component.

    (RecEraser's released code takes the mean over all components at once, so that every centroid is one number.)
    """
    return (
        group_means(vectors.users, users, labels, centres[0]),
        group_means(vectors.items, items, labels, centres[1]),
    )


def _points(data: Interactions, vectors: Vectors, unit: str) -> tuple[np.ndarray, np.ndarray]:
    """Return the vectors and numbers of the users or items that have training pairs."""
    degrees, points = (data.user_degrees, vectors.users) if unit == "user" else (data.item_degrees, vectors.items)
    active = np.flatnonzero(degrees)
    return points[active], active


def _table_map(data: Interactions, n_shards: int, unit: str, active: np.ndarray, labels: np.ndarray) -> ShardMap:
    table = np.full(data.n_users if unit == "user" else data.n_items, NONE, dtype=np.int64)
    table[active] = labels
    return ShardMap(n_shards, data.n_items, unit, None, table)


def _distinct(n: int, count: int, stream: Stream) -> np.ndarray:
    """Return `count` distinct random positions below n."""
    return np.argsort(stream.bits(n), kind="stable")[:count]
