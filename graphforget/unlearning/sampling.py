"""Deletions drawn at random: how published experiments choose what to forget."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.tasks.base import Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification


def sample_deletion(
    task: Task,
    *,
    edges: float | int | None = None,
    nodes: float | int | None = None,
    features: float | int | None = None,
    where: Literal["in", "out", "any"] = "any",
    pool: Literal["train", "all"] = "train",
    on_small_pool: Literal["error", "cap"] = "error",
    seed: int | None = None,
) -> Deletion:
    """Return a random deletion of one kind; a float is a share, an integer a count.

    Parameters
    ----------
    edges: training edges, a share of all training edges (not of the pool) or a count.
    nodes: nodes that leave, a share of the pool or a count.
    features: nodes whose features go, likewise.
    where: for edges of a link task, "in" or "out" of the 2-hop neighbourhood of the anchor edges, or "any".
    pool: nodes are drawn from the "train" nodes of a node task (all nodes of a link task), or from "all".
    on_small_pool: a pool smaller than what is wanted is an "error", or is taken whole ("cap").
    seed: of the permutation whose first members are taken (for edges as GNNDelete does); by default the task's.

    Raises UsageError unless exactly one kind is asked for, DataError when the pool is too small.
    """
    wanted = {"edges": edges, "nodes": nodes, "features": features}
    given = {kind: amount for kind, amount in wanted.items() if amount is not None}
    if len(given) != 1:
        raise UsageError(
            f"sample_deletion: give exactly one of edges, nodes, features; got {', '.join(given) or 'none'}."
        )
    kind, amount = next(iter(given.items()))
    candidates = _edge_pool(task, where) if kind == "edges" else _node_pool(task, pool)
    total = task.graph.n_edges if kind == "edges" else len(candidates)
    count = _count(amount, total, kind)
    if count > len(candidates) and on_small_pool == "error":
        raise DataError(
            f"The pool '{where if kind == 'edges' else pool}' holds {len(candidates):,} {kind}, "
            f"but {count:,} are wanted. "
            "Ask for fewer, use another pool, or pass on_small_pool='cap'."
        )
    generator = _generator(task.seed if seed is None else seed, kind)
    order = torch.randperm(len(candidates), generator=generator).numpy()
    chosen = np.sort(candidates[order[:count]])
    return _deletion(task, kind, chosen)


def _generator(seed: int, kind: str) -> torch.Generator:
    """Return GNNDelete's generator for edges; nodes get a stream of their own.

    A random node split takes the same permutation of the same nodes: its first members, with the same generator,
    would be training nodes whatever the pool.
    """
    return torch.Generator().manual_seed(seed) if kind == "edges" else Streams(seed)("deletion").torch()


def _count(amount: float | int, total: int, kind: str) -> int:
    if isinstance(amount, bool) or not isinstance(amount, int | float):
        raise UsageError(f"sample_deletion: '{kind}' must be a share (float) or a count (int); got {amount!r}.")
    if isinstance(amount, float) and not 0 < amount < 1:
        raise UsageError(f"sample_deletion: '{kind}' as a share must be above 0 and below 1; got {amount}.")
    count = int(amount * total) if isinstance(amount, float) else amount
    if count < 1:
        raise UsageError(f"sample_deletion: {amount} of {total:,} {kind} is none at all; ask for more.")
    return count


def _edge_pool(task: Task, where: str) -> np.ndarray:
    if isinstance(task, LinkPrediction):
        return task.pool(where)
    if where != "any":
        raise UsageError(f"'where' is {where}, but only link tasks have pools around test edges; use where='any'.")
    return np.arange(task.graph.n_edges)


def _node_pool(task: Task, pool: str) -> np.ndarray:
    if pool not in ("train", "all"):
        raise UsageError(f"'pool' must be train or all; got '{pool}'.")
    if isinstance(task, NodeClassification) and pool == "train":
        return task.train_nodes
    return np.arange(task.graph.n_nodes)


def _deletion(task: Task, kind: str, chosen: np.ndarray) -> Deletion:
    if kind != "edges":
        return Deletion(**{kind: task.graph.user_ids(chosen)})
    ends = task.graph.edges[:, chosen]
    return Deletion(edges=list(zip(*(task.graph.user_ids(end) for end in ends), strict=True)))
