"""Clustering under a capacity: distances to centroids, means of groups, greedy assignment."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError

LOW = np.uint64(0xFFFFFFFF)
HIGH = np.uint64(32)


@njit(parallel=True, cache=True, nogil=True)
def _distances(points: np.ndarray, centroids: np.ndarray, out: np.ndarray) -> None:
    for i in prange(len(points)):
        for s in range(len(centroids)):
            total = 0.0
            for j in range(points.shape[1]):
                gap = np.float64(points[i, j]) - centroids[s, j]
                total += gap * gap
            out[i, s] = total


def squared_distances(points: np.ndarray, centroids: np.ndarray) -> np.ndarray:
    """Return |point - centroid|^2, float32 (n, k), summed in float64; points (n, d), centroids (k, d)."""
    out = np.empty((len(points), len(centroids)), np.float32)
    _distances(points, centroids, out)
    return out


@njit(cache=True, nogil=True)
def _group_sums(points: np.ndarray, rows: np.ndarray, groups: np.ndarray, sums: np.ndarray, counts: np.ndarray) -> None:
    for m in range(len(rows)):
        group = groups[m]
        counts[group] += 1
        for j in range(points.shape[1]):
            sums[group, j] += points[rows[m], j]


def group_means(points: np.ndarray, rows: np.ndarray, groups: np.ndarray, before: np.ndarray) -> np.ndarray:
    """Return the mean of `points[rows]` over each group, component by component; an empty group stays as `before`.

    Shapes: points (n, d), rows (m,) point of each member, groups (m,) in [0, k), before (k, d) -> float64 (k, d).
    """
    sums, counts = np.zeros(before.shape, np.float64), np.zeros(len(before), np.int64)
    _group_sums(points, rows, groups, sums, counts)
    return np.where(counts[:, None] > 0, sums / np.maximum(counts, 1)[:, None], before)


@njit(parallel=True, cache=True, nogil=True)
def _cheapest(cost: np.ndarray, units: np.ndarray, room: np.ndarray, best: np.ndarray, least: np.ndarray) -> None:
    for m in prange(len(units)):
        chosen = -1
        for s in range(cost.shape[1]):
            if room[s] > 0 and (chosen < 0 or cost[units[m], s] < cost[units[m], chosen]):
                chosen = s
        best[m], least[m] = chosen, cost[units[m], chosen]


@njit(cache=True, nogil=True)
def _fill(order: np.ndarray, units: np.ndarray, best: np.ndarray, room: np.ndarray, labels: np.ndarray) -> int:
    """Place units in order until a group is full; return how many were placed."""
    for position in range(len(order)):
        group = best[order[position]]
        labels[units[order[position]]] = group
        room[group] -= 1
        if room[group] == 0:
            return position + 1
    return len(order)


def assign_within(cost: np.ndarray, capacity: int) -> np.ndarray:
    """Return the group of every unit, int64 (n,): all (unit, group) pairs in ascending order of cost, as they fit.

    This is the greedy rule of RecEraser's balanced clustering: a pair is skipped when its unit is placed already or
    its group is full; equal costs go by unit, then by group. The n * k pairs are never sorted: a unit's cheapest group
    with room is the only one that can come next, so n keys are sorted, and again whenever a group is full.

    Parameters
    ----------
    cost: float32 (n, k), at least 0.
    capacity: largest size of a group.

    Raises DataError when the units do not fit into the groups.
    """
    n, k = cost.shape
    if n > k * capacity:
        raise DataError(f"{n:,} units do not fit into {k} shards of at most {capacity:,}. Raise the capacity.")
    labels, room = np.full(n, -1, np.int64), np.full(k, capacity, np.int64)
    units = np.arange(n)
    while len(units):
        best, least = np.empty(len(units), np.int64), np.empty(len(units), np.float32)
        _cheapest(cost, units, room, best, least)
        keys = (least.view(np.uint32).astype(np.uint64) << HIGH) | np.arange(len(units), dtype=np.uint64)
        order = (np.sort(keys) & LOW).astype(np.int64)
        placed = _fill(order, units, best, room, labels)
        units = np.sort(units[order[placed:]])
    return labels
