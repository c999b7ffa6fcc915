"""Deletions drawn at random: how published experiments choose what to forget."""

from __future__ import annotations

from typing import Literal

import numpy as np
import torch

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.deletion_files import GRAPH_KINDS
from graphforget.tasks.base import NO_NODES, Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.sampling_recommend import RANDOM, Amount, Pool, count_of, named, pool_of

Where = Literal["in", "out", "any"]


def sample_deletion(
    task: Task,
    *,
    edges: Amount | None = None,
    nodes: Amount | None = None,
    features: Amount | None = None,
    users: Amount | None = None,
    items: Amount | None = None,
    interactions: Amount | None = None,
    triples: Amount | None = None,
    modality: str | None = None,
    where: Where = "any",
    pool: Literal["train", "all"] = "train",
    sampling: str = RANDOM,
    on_small_pool: Literal["error", "cap"] = "error",
    seed: int | None = None,
) -> Deletion:
    """Return a random deletion of one kind (or of users and items); a float is a share, an integer a count.

    Parameters
    ----------
    edges: training edges, a share of all training edges (not of the pool) or a count.
    nodes: nodes that leave, a share of the pool or a count.
    features: nodes whose features go, likewise.
    users, items: those with training interactions; one of them, or both together.
    interactions: training interactions of a recommender.
    triples: facts of its knowledge graph.
    modality: name of the item features that go: of all items, or of as many as `items` says.
    where: for edges of a link task, "in" or "out" of the 2-hop neighbourhood of the anchor edges, or "any".
    pool: nodes are drawn from the "train" nodes of a node task (all nodes of a link task), or from "all"; those that an
        earlier deletion took are in no pool.
    sampling: for users, items, modalities and interactions: "random"; "core" or "edge", those with the most or fewest
        training interactions (CURE4Rec, NeurIPS 2024), ties to the lower number; "high-degree" or "low-degree", at
        random from the half with the most or fewest (after ReCUR; the half is ours). Interactions go by their user.
        For label-flipped interactions see `flip_labels`.
    on_small_pool: a pool smaller than what is wanted is an "error", or is taken whole ("cap").
    seed: of the permutation whose first members are taken (for edges as GNNDelete does); by default the task's.

    Raises UsageError unless one kind is asked for, and for an option that has no effect on it, UnsupportedError for a
    kind that the task does not have, DataError when the pool is too small.
    """
    wanted = {
        "edges": edges,
        "nodes": nodes,
        "features": features,
        "users": users,
        "items": items,
        "interactions": interactions,
        "triples": triples,
    }
    given = {kind: amount for kind, amount in wanted.items() if amount is not None}
    _check_kinds(task, given, modality)
    _refuse_idle(task, given, {"where": where, "pool": pool, "sampling": sampling, "on_small_pool": on_small_pool})
    seed = task.seed if seed is None else seed
    chosen = {}
    for kind, amount in given.items():
        if isinstance(task, Recommendation):
            found = pool_of(task, kind, sampling, seed, modality)
        else:
            found = _graph_pool(task, kind, where, pool)
        chosen[kind] = _taken(found, amount, kind, on_small_pool, _order(task, kind, found, seed))
    if isinstance(task, Recommendation):
        return named(task, chosen, modality)
    return _deletion(task, *next(iter(chosen.items())))


def _check_kinds(task: Task, given: dict[str, Amount], modality: str | None) -> None:
    """Raise UsageError unless one kind (or users and items) is asked for, UnsupportedError when the task lacks it."""
    allowed = (set(), {"items"}) if modality is not None else ({"users", "items"},)
    if set(given) not in allowed and (len(given) != 1 or modality is not None):
        kinds = "users, items, interactions, triples" if isinstance(task, Recommendation) else "edges, nodes, features"
        found = ", ".join([*given, *(["modality"] if modality is not None else [])]) or "none"
        raise UsageError(f"sample_deletion: give exactly one of {kinds}; got {found}.")
    recommender = isinstance(task, Recommendation)
    strange = next((kind for kind in given if (kind in GRAPH_KINDS) == recommender), None)
    if strange is not None or (modality is not None and not recommender):
        raise UnsupportedError(
            f"A {task.name} task has no {strange or 'modalities'} to delete; ask for "
            + ("users, items, interactions or triples." if recommender else "edges, nodes or features.")
        )


def _refuse_idle(task: Task, given: dict[str, Amount], options: dict[str, str]) -> None:
    """Raise UsageError for the first option that was set although it has no effect on what is asked for."""
    if isinstance(task, Recommendation):
        used = {"sampling", "on_small_pool"} if given else set()
    else:
        used = {"where" if "edges" in given else "pool", "on_small_pool"}
    defaults = {"where": "any", "pool": "train", "sampling": RANDOM, "on_small_pool": "error"}
    for key, value in options.items():
        if key not in used and value != defaults[key]:
            asked = ", ".join(given) or "a modality of every item"
            raise UsageError(f"sample_deletion: '{key}' is {value}, but has no effect on {asked} here; leave it out.")


def _taken(found: Pool, amount: Amount, kind: str, on_small_pool: str, order: np.ndarray) -> np.ndarray:
    """Return the first members of the pool in `order`, ascending."""
    count = count_of("sample_deletion", amount, found.total, kind)
    if count > len(order) and on_small_pool == "error":
        raise DataError(
            f"The pool '{found.name}' holds {len(order):,} {kind}, but {count:,} are wanted. "
            "Ask for fewer, use another pool, or pass on_small_pool='cap'."
        )
    return np.sort(order[:count])


def _order(task: Task, kind: str, found: Pool, seed: int) -> np.ndarray:
    """Return the members of a pool in the order they are taken.

    Edges come from GNNDelete's generator; nodes have a stream of their own: a random node split takes the same
    permutation of the same nodes, so its first members would be training nodes whatever the pool.
    """
    if isinstance(task, Recommendation):
        return found.members
    generator = torch.Generator().manual_seed(seed) if kind == "edges" else Streams(seed)("deletion").torch()
    return found.members[torch.randperm(len(found.members), generator=generator).numpy()]


def _graph_pool(task: Task, kind: str, where: Where, pool: str) -> Pool:
    if kind == "edges":
        return Pool(where, _edge_pool(task, where), task.graph.n_edges)
    nodes = _node_pool(task, kind, pool)
    return Pool(pool, nodes, len(nodes))


def _edge_pool(task: Task, where: Where) -> np.ndarray:
    if isinstance(task, LinkPrediction):
        return task.pool(where)
    if where != "any":
        raise UsageError(f"'where' is {where}, but only link tasks have pools around test edges; use where='any'.")
    return np.arange(task.graph.n_edges)


def _node_pool(task: Task, kind: str, pool: str) -> np.ndarray:
    """Return the nodes that no earlier deletion took whole; for features, that have not lost theirs either."""
    if pool not in ("train", "all"):
        raise UsageError(f"'pool' must be train or all; got '{pool}'.")
    nodes = np.arange(task.graph.n_nodes)
    if isinstance(task, NodeClassification) and pool == "train":
        nodes = task.train_nodes
    for hole in ("nodes", "features") if kind == "features" else ("nodes",):
        nodes = nodes[~np.isin(nodes, task.holes.get(hole, NO_NODES))]
    return nodes


def _deletion(task: Task, kind: str, chosen: np.ndarray) -> Deletion:
    if kind != "edges":
        return Deletion(**{kind: task.graph.user_ids(chosen)})
    ends = task.graph.edges[:, chosen]
    return Deletion(edges=list(zip(*(task.graph.user_ids(end) for end in ends), strict=True)))
