"""How an epoch of a recommender walks the training pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.orders import epoch_order, user_draws, users_without_replacement
from graphforget.kernels.row_sets import RowSets

SAMPLERS = ("edges", "users", "kgat")


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
    with training items, and one of their items. "kgat": batches of users without replacement (with, where a batch is
    larger than their number), n_pairs // batch + 1 of them, and one item each.
    """
    order, others = streams("order", epoch=epoch), streams("negatives", epoch=epoch)
    if sampler == "edges":
        at = epoch_order(data.n_edges, order.key)
        users, items = data.edges[0][at], data.edges[1][at] - data.n_users
    elif sampler == "users":
        users, items = user_draws(data.train, data.n_edges, order.key)
    else:
        if batch is None:
            raise UsageError("Recommendation: sampler 'kgat' draws batches of users; give the recipe a 'batch'.")
        users, items = users_without_replacement(data.train, batch, data.n_edges // batch + 1, order.key)
    weights = data.memo("popularity", lambda: np.bincount(data.train.indices, minlength=data.n_items))
    found = sample_items(chosen, users, others.key, weights if negatives == "popularity" else None)
    return Triples(users, items, found)
