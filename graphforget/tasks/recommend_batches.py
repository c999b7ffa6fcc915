"""How an epoch of a recommender walks the training pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.orders import epoch_order, pick_items, shuffled_pairs, user_draws, users_without_replacement
from graphforget.kernels.row_sets import RowSets

SAMPLERS = ("edges", "users", "each-user", "kgat")
NEGATIVES = ("uniform", "trained", "popularity")


@dataclass(frozen=True, eq=False)
class Triples:
    """Users with an item each chose and another one, all (m,)."""

    users: np.ndarray
    items: np.ndarray
    others: np.ndarray

    def __len__(self) -> int:
        return len(self.users)

    def part(self, first: int, last: int) -> Triples:
        """Return the triples from `first` up to `last`."""
        return Triples(self.users[first:last], self.items[first:last], self.others[first:last])


def epoch_triples(
    data: Interactions,
    chosen: RowSets,
    sampler: str,
    negatives: str,
    streams: Streams,
    epoch: int,
    batch: int | None,
) -> Triples:
    """Return all triples of an epoch, in the order they are trained on.

    "edges": every training pair once, in random order. "users": as many users, uniformly with replacement among those
    with training items, and one of their items. "each-user": every user with training items n_pairs // n_users times
    (at least once), one item each time, in random order. "kgat": batches of users without replacement (with, where a
    batch is larger than their number), n_pairs // batch + 1 of them, and one item each.
    """
    order, others = streams("order", epoch=epoch), streams("negatives", epoch=epoch)
    if sampler == "edges":
        users, items = shuffled_pairs(data.edges[0], data.edges[1], order.key)
        items -= np.int32(data.n_users)
    elif sampler == "users":
        users, items = user_draws(data.train, data.n_edges, order.key)
    elif sampler == "each-user":
        known = np.flatnonzero(data.user_degrees)
        each = np.repeat(known, max(1, data.n_edges // len(known)))
        users = each[epoch_order(len(each), order.key)]
        items = pick_items(data.train, users, streams("items", epoch=epoch).key)
    else:
        if batch is None:
            raise UsageError("Recommendation: sampler 'kgat' draws batches of users; give the recipe a 'batch'.")
        users, items = users_without_replacement(data.train, batch, data.n_edges // batch + 1, order.key)
    return Triples(users, items, sample_items(chosen, users, others.key, negative_weights(data, negatives)))


def negative_weights(data: Interactions, negatives: str) -> np.ndarray | None:
    """Return what items that were not chosen are drawn in proportion to, (n_items,), or None where they are equal.

    "uniform": nothing. "trained": 1 for items with training pairs, 0 for others (MMRec). "popularity": their number.
    """
    counts = data.item_degrees
    return {"uniform": None, "trained": (counts > 0).astype(np.int64), "popularity": counts}[negatives]
