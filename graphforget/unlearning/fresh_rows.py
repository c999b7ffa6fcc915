"""Rows of embedding tables that nothing retained speaks of are drawn anew."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import torch
from torch import Tensor, nn

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Stream, Streams
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.models.mf import MF
from graphforget.models.recommender import Recommender
from graphforget.models.shifted import Shifted
from graphforget.models.wrapped import Wrapped
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.embedding_rows import TABLES, table_rows

LEARNED = {**TABLES, "item_bias": 1}
"""What else has a row for every item: the biases of PinSage and of VBPR's first form."""

ENOUGH = 32
"""Users, or items, without a training pair from which the mean and spread of their rows are told, at least."""


def loose_nodes(retained: Task, gone: Forgotten) -> np.ndarray:
    """Return the users and items that go or have forgotten pairs, and are in no retained training pair; sorted."""
    return np.setdiff1d(np.concatenate([gone.items.ravel(), gone.nodes]), retained.graph.edges)


def tied_pairs(gone: Forgotten, loose: np.ndarray) -> Forgotten:
    """Return the deletion with those of its forgotten pairs alone whose user and item both keep other pairs."""
    return replace(gone, items=gone.items[:, ~np.isin(gone.items, loose).any(axis=0)])


@torch.no_grad()
def renew_rows(model: Model, nodes: np.ndarray, task: Recommendation, streams: Streams) -> None:
    """Draw, in place, the rows of some users and items anew, as far as can be told as gold would have them.

    Gold has no training pair of theirs, and yet their rows do not stay where training starts: items are drawn as those
    not chosen, users and items as wrong tails of facts. How such rows end shows in those users and items that the
    model itself never had a pair of: the new ones come from a normal distribution with their mean and spread in every
    dimension, users and items each by themselves. Where there are fewer than `ENOUGH`, and after an earlier deletion,
    when nobody can tell who they are, rows are distributed as where training starts; for users and items that start
    from an MF that is trained first, as where its training starts. A backbone that computes users from their items
    (PinSage) has no rows of users, and nothing to draw. What an earlier method added to their embeddings goes.

    task: what the model learned from, less what earlier deletions took.

    Raises UnsupportedError for a model that is no recommender of the zoo, or one that started from a file of vectors
    and whose data has too few users or items without a pair.
    """
    base = under_operators(model)
    if not isinstance(base, Recommender):
        raise UnsupportedError(
            f"A {type(base).__name__} has no embedding rows of its own to draw anew. Use reset=false, or the method "
            "on a single recommender."
        )
    _drop_shifts(model, nodes)
    data, tables, pairless = task.graph, dict(base.named_parameters()), _pairless(task)
    fresh: dict[str, nn.Parameter] = {}
    for side, few in enumerate(np.split(nodes, [np.searchsorted(nodes, data.n_users)])):
        like = table_rows(base, pairless[side], data.n_users, LEARNED) if len(pairless[side]) >= ENOUGH else {}
        rows = table_rows(base, few, data.n_users, LEARNED)
        if rows and not like:
            fresh = fresh or dict(_untrained(base, streams).named_parameters())
        for name, chosen in rows.items():
            table = tables[name]
            drawn = _as_those(table[like[name]], len(chosen), streams(name, side=side)) if like else fresh[name][chosen]
            table[chosen] = drawn.to(table)


def _drop_shifts(model: Model, nodes: np.ndarray) -> None:
    """Set to zero, in place, what was added to the embeddings of some nodes."""
    while isinstance(model, Wrapped):
        if isinstance(model, Shifted):
            model.shift[nodes] = 0
        model = model.base


def _pairless(task: Recommendation) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes of the users and of the items that never had a training pair, as far as that is known."""
    users, items = (np.flatnonzero(d == 0) for d in (task.graph.user_degrees, task.graph.item_degrees))
    return (users, task.graph.n_users + items) if task.whole else (users[:0], items[:0])


def _as_those(rows: Tensor, count: int, stream: Stream) -> Tensor:
    """Return `count` rows from a normal distribution with mean and spread of those given, dimension by dimension."""
    values = rows.detach().cpu().numpy().astype(np.float64)
    noise = stream.numpy().standard_normal((count, *values.shape[1:]))
    return torch.from_numpy(values.mean(axis=0) + values.std(axis=0) * noise)


def _untrained(base: Recommender, streams: Streams) -> Recommender:
    """Return the recommender as it was before any training, that of its vectors included."""
    try:
        fresh = base.fresh(streams)
    except UsageError as error:
        raise UnsupportedError(f"Rows without retained pairs cannot be drawn anew; use reset=false. {error}") from error
    if fresh.pretraining is not None:
        assert fresh.sizes is not None
        sizes = {key: fresh.sizes[key] for key in ("n_users", "n_items")}
        fresh.start_from(MF(**fresh.pretraining.arguments).with_sizes(sizes, streams.child("pretraining")))
    return fresh
