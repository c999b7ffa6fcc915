"""Rows of embedding tables that nothing retained speaks of are drawn anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.models.mf import MF
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import Forgotten, Task
from graphforget.unlearning.embedding_rows import TABLES, table_rows

LEARNED = {**TABLES, "item_bias": 1}
"""What else has a row for every item: the biases of PinSage and of VBPR's first form."""


def loose_nodes(retained: Task, gone: Forgotten) -> np.ndarray:
    """Return the users and items of forgotten pairs that no retained training pair names, sorted."""
    return np.setdiff1d(gone.items, retained.graph.edges)


def tied_pairs(gone: Forgotten, loose: np.ndarray) -> Forgotten:
    """Return the deletion with those of its forgotten pairs alone whose user and item both keep other pairs."""
    return replace(gone, items=gone.items[:, ~np.isin(gone.items, loose).any(axis=0)])


def renew_rows(model: Model, nodes: np.ndarray, n_users: int, streams: Streams) -> None:
    """Draw, in place, the rows of some users and items anew, distributed as where training starts.

    Where users and items start from an MF that is trained first, that is where its training starts. A backbone that
    computes users from their items (PinSage) has no rows of users, and nothing to draw.

    Raises UnsupportedError for a model that is no recommender of the zoo, or that started from a file of vectors.
    """
    base = under_operators(model)
    if not isinstance(base, Recommender):
        raise UnsupportedError(
            f"A {type(base).__name__} has no embedding rows of its own to draw anew. Use reset=false, or the method "
            "on a single recommender."
        )
    rows = table_rows(base, nodes, n_users, LEARNED)
    if not rows:
        return
    tables, fresh = dict(base.named_parameters()), dict(_untrained(base, streams).named_parameters())
    with torch.no_grad():
        for name, chosen in rows.items():
            tables[name][chosen] = fresh[name][chosen].to(tables[name])


def _untrained(base: Recommender, streams: Streams) -> Recommender:
    """Return the recommender as it was before any training, that of its vectors included."""
    try:
        fresh = base.fresh(streams)
    except UsageError as error:
        raise UnsupportedError(f"Rows without retained pairs cannot be drawn anew; use reset=false. {error}") from error
    if fresh.pretraining is not None:
        sizes = {key: fresh.sizes[key] for key in ("n_users", "n_items")}
        fresh.start_from(MF(**fresh.pretraining.arguments).with_sizes(sizes, streams.child("pretraining")))
    return fresh
