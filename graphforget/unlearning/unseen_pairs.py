"""How high gold would rank pairs: as high as the original ranks pairs like them that it never saw."""

from __future__ import annotations

import numpy as np
from scipy.spatial import cKDTree
from torch import Tensor

from graphforget._core.errors import DataError
from graphforget.data.interactions import Interactions
from graphforget.tasks.recommend import Recommendation

NEAREST = 10
"""Held-out pairs that stand for a forgotten one; 5 to 10 predict held-out pairs best, cross-validated on TikTok's."""


def unseen_recall(
    z: Tensor,
    full: Recommendation,
    retained: Recommendation,
    pairs: np.ndarray,
    k: int,
    fresh: Tensor | None = None,
) -> float:
    """Return the recall at `k` to be expected of pairs under a model that never saw them, without such a model.

    The plain recall of held-out pairs would not do: a recommender finds popular items for all and rare ones for few,
    and forgotten pairs, being training pairs, name popular items more often. So each pair counts as the share of its
    `NEAREST` held-out pairs that the original ranks among the first `k`. Near is by the training interactions of user
    and item, |log2((1 + a) / (1 + b))| summed over both: those that the original learned for the held-out pair, those
    that are retained for the other. (Post-stratification; ours.)

    Parameters
    ----------
    z: embeddings by which the original answers, (n_nodes, width), on the data of `full`.
    full, retained: the task before and after; held-out are the retained pairs of the part that selects epochs.
    pairs: (2, m) users and item nodes.
    fresh: embeddings on the retained data of a model whose rows of users and items without a retained pair were drawn
        anew. Pairs of these are then ranked by them: gold knows as little of such users and items.

    Raises DataError when no held-out pair is retained.
    """
    users, items = retained.graph.pairs(full.select_on)
    if not len(users):
        raise DataError(f"'{retained.graph.name}': no {full.select_on} pair is retained, so nothing can be compared.")
    owners, wanted = pairs[0], pairs[1] - full.graph.n_users
    asked = _degrees(retained.graph, owners, wanted)
    seen = _degrees(full.graph, users, items)
    expected = nearest_means(seen, found_among(full, z, users, items, k), asked)
    loose = (asked == 0).any(axis=1)
    if fresh is not None and loose.any():
        expected[loose] = found_among(retained, fresh, owners[loose], wanted[loose], k)
    return mean_of_users(expected, owners)


def found_among(task: Recommendation, z: Tensor, users: np.ndarray, items: np.ndarray, k: int) -> np.ndarray:
    """Return for each pair whether its item is among the user's first `k`, training items left out, (m,) bool."""
    owners, row = np.unique(users, return_inverse=True)
    ids = task.rank(z, owners, k, hidden=[task.graph.train])[0]
    return (ids[row] == items[:, None]).any(axis=1)


def nearest_means(seen: np.ndarray, values: np.ndarray, asked: np.ndarray, nearest: int = NEAREST) -> np.ndarray:
    """Return for each row of `asked` the mean value of the nearest rows of `seen`, (m,) float64.

    Rows are pairs of counts, (n, 2) and (m, 2) integers. Rows of the same counts stand for each other: each of them
    counts as their mean, whichever is taken.
    """
    cells, cell = np.unique(seen, axis=0, return_inverse=True)
    sizes = np.bincount(cell.ravel())
    sums = np.bincount(cell.ravel(), weights=values)
    wanted, back = np.unique(asked, axis=0, return_inverse=True)
    tree = cKDTree(np.log2(1 + cells))
    order = tree.query(np.log2(1 + wanted), k=np.arange(1, min(nearest, len(cells)) + 1), p=1)[1]
    before = np.cumsum(sizes[order], axis=1) - sizes[order]
    taken = np.clip(nearest - before, 0, sizes[order])
    return ((taken * (sums / sizes)[order]).sum(axis=1) / taken.sum(axis=1))[back.ravel()]


def mean_of_users(values: np.ndarray, users: np.ndarray) -> float:
    """Return the mean over users of the mean over a user's values."""
    return float(np.average(values, weights=1 / np.bincount(users)[users]))


def _degrees(data: Interactions, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the training interactions of the user and of the item of each pair, (m, 2)."""
    return np.stack([data.user_degrees[users], data.item_degrees[items]], axis=1)
