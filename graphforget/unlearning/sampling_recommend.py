"""What recommenders forget in published experiments: core and edge users, high and low degrees, flipped labels."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError, unknown
from graphforget._core.numeric import is_number, plain
from graphforget._core.streams import Stream, Streams
from graphforget._core.words import counted
from graphforget.data.checks import distinct
from graphforget.data.deletion import Deletion
from graphforget.data.interaction_parts import among, keys_of
from graphforget.data.interactions import Interactions
from graphforget.data.resolve_interactions import EVERY_ITEM
from graphforget.data.splits import whole_share
from graphforget.tasks.recommend import Recommendation

Amount = float | int

RANDOM = "random"
FLIPPED = "label-flipped"
SCHEMES = (RANDOM, "core", "edge", "high-degree", "low-degree")
ROUNDS = 200
"""Redraws after which pairs that nobody chose are taken not to exist."""


@dataclass(frozen=True, eq=False)
class Pool:
    """What is drawn from: members (of recommenders in the order they are taken) and what a share is a share of."""

    name: str
    members: np.ndarray
    total: int


def count_of(owner: str, amount: Amount, total: int, kind: str) -> int:
    """Return how many of `total` an amount is: a share, rounded down, or a count.

    Raises UsageError, in the owner's name, for what is neither, or none at all.
    """
    if not is_number(amount):
        raise UsageError(f"{owner}: '{kind}' must be a share (float) or a count (int); got {amount!r}.")
    amount = plain(amount)
    if isinstance(amount, float) and not 0 < amount < 1:
        raise UsageError(f"{owner}: '{kind}' as a share must be above 0 and below 1; got {amount}.")
    count = int(whole_share(total, amount)) if isinstance(amount, float) else amount
    if count < 1:
        raise UsageError(f"{owner}: {amount} of {total:,} {kind} is none at all; ask for more.")
    return count


def pool_of(task: Recommendation, kind: str, sampling: str, seed: int, modality: str | None = None) -> Pool:
    """Return the users, items, interactions or triples of a sampling scheme, in the order they are taken.

    Users and items without training interactions have nothing to forget and are in no pool, nor, where data have been
    forgotten already, items without a `modality` that is to go.
    """
    if sampling == FLIPPED:
        raise UsageError(
            "sample_deletion: label-flipped interactions must be in the data before a model is trained; "
            "flip_labels(task, interactions=...) puts them there and returns the task and the deletion."
        )
    if sampling not in SCHEMES:
        raise UsageError(unknown("sampling scheme", sampling, (*SCHEMES, FLIPPED)))
    stream = Streams(seed)("deletion-" + kind)
    if kind == "triples":
        return _facts(task.graph, sampling, stream)
    degrees = task.graph.item_degrees if kind == "items" else task.graph.user_degrees
    if kind == "interactions":
        members, sizes = np.arange(task.graph.n_edges), degrees[task.graph.edges[0]]
        groups = task.graph.edges[0]
    else:
        members = groups = np.flatnonzero(degrees * _offered(task, modality or ""))
        sizes = degrees[members]
    chosen = _ordered(sampling, sizes, groups, _halves(degrees), stream)
    return Pool(sampling, members[chosen], len(members))


def _offered(task: Recommendation, modality: str) -> np.ndarray | int:
    """Return the mask of the items that still have a modality; 1 is all: data that are whole, or another modality."""
    return 1 if task.whole or modality not in task.graph.missing else ~task.graph.missing[modality]


def _facts(data: Interactions, sampling: str, stream: Stream) -> Pool:
    if data.triples is None:
        raise DataError(f"Interactions '{data.name}' have no knowledge graph, so no triple can be deleted. Load one.")
    if sampling != RANDOM:
        raise UsageError(f"sample_deletion: triples are drawn at random; got sampling='{sampling}'.")
    return Pool("all", _shuffled(data.triples.n_triples, stream), data.triples.n_triples)


def _shuffled(count: int, stream: Stream) -> np.ndarray:
    return np.argsort(stream.bits(count), kind="stable")


def _halves(degrees: np.ndarray) -> np.ndarray:
    """Return the mask of the half of all that have interactions which has the most; ties to the lower number."""
    there = np.flatnonzero(degrees)
    order = there[np.argsort(-degrees[there], kind="stable")]
    mask = np.zeros(len(degrees), dtype=bool)
    mask[order[: len(order) // 2]] = True
    return mask


def _ordered(sampling: str, sizes: np.ndarray, groups: np.ndarray, upper: np.ndarray, stream: Stream) -> np.ndarray:
    """Return positions in the order they are taken.

    sizes: training interactions of each member (of its user, for interactions); groups: its number.
    """
    if sampling in ("core", "edge"):
        return np.lexsort((groups, -sizes if sampling == "core" else sizes))
    order = _shuffled(len(sizes), stream)
    return order if sampling == RANDOM else order[upper[groups[order]] == (sampling == "high-degree")]


def named(task: Recommendation, chosen: Mapping[str, np.ndarray], modality: str | None) -> Deletion:
    """Return the deletion, in the user's own ids, of numbers or positions by kind.

    Raises DataError for a modality that the data do not have.
    """
    data = task.graph
    if modality is not None:
        if modality not in data.modalities:
            raise DataError(f"Interactions '{data.name}': {unknown('modality', modality, data.modalities or ['none'])}")
        items = data.item_ids_of(chosen["items"]) if "items" in chosen else [EVERY_ITEM]
        return Deletion(modalities=[(modality, item) for item in items])
    parts: dict[str, list[Any]] = {}
    for kind, numbers in chosen.items():
        parts[kind] = _ids(data, kind, numbers)
    return Deletion(**parts)


def _ids(data: Interactions, kind: str, numbers: np.ndarray) -> list[Any]:
    if kind == "users":
        return data.user_ids_of(numbers)
    if kind == "items":
        return data.item_ids_of(numbers)
    if kind == "interactions":
        users, items = data.pairs("train")[:, numbers]
        return list(zip(data.user_ids_of(users), data.item_ids_of(items), strict=True))
    assert data.triples is not None
    head, relation, tail = data.triples.triples[:, numbers]
    entities, relations = data.triples.entity_ids_of, data.triples.relation_ids_of
    return list(zip(entities(head), relations(relation), entities(tail), strict=True))


def flip_labels(task: Recommendation, interactions: Amount, seed: int | None = None) -> tuple[Recommendation, Deletion]:
    """Return the task with false interactions among its training data, and the deletion that names them.

    Source: label-flipped interactions of IFRU (Zhang et al.): a trained model must forget what was never true.
    Deviation: IFRU flips labels in both directions; with chosen items alone there is one, from "not chosen" to
    "chosen". The user of a flipped pair is that of a training interaction drawn at random, its item is drawn from
    those that the user chose in no part, validation and test included; items that were forgotten are none of them.

    Parameters
    ----------
    interactions: a share of the training interactions, or a count.
    seed: of the draws; by default the task's.

    Raises UsageError for an impossible amount, DataError when there are too few pairs that nobody chose.
    """
    data = task.graph
    count = count_of("flip_labels", interactions, data.n_pairs, "interactions")
    keys = _false_pairs(task, count, Streams(task.seed if seed is None else seed).child(FLIPPED))
    users, items = keys // data.n_items, keys % data.n_items
    flipped = copy.copy(task)
    added = np.stack([users, data.n_users + items])
    edges = np.concatenate([data.edges, added], axis=1)
    flipped.graph = replace(
        data.with_edges(edges), name=f"{data.name} with {counted(count, 'label-flipped interaction')}"
    )
    pairs = zip(data.user_ids_of(users), data.item_ids_of(items), strict=True)
    return flipped, Deletion(interactions=list(pairs))


def _false_pairs(task: Recommendation, count: int, streams: Streams) -> np.ndarray:
    """Return the ascending keys user * n_items + item of `count` different pairs that are in no part."""
    data, offered = task.graph, task.offered
    known = distinct(
        np.concatenate([keys_of(part) for part in (data.train, data.valid, data.test) if part is not None])
    )
    found = known[:0]
    for number in range(ROUNDS):
        missing = count - len(found)
        users = data.edges[0][streams("users", round=number).integers(data.n_edges, missing)]
        items = streams("items", round=number).integers(data.n_items, missing)
        drawn = users * np.int64(data.n_items) + items
        new = ~among(drawn, known) if offered is None else ~among(drawn, known) & offered[items]
        found = distinct(np.concatenate([found, drawn[new]]))
        if len(found) == count:
            return found
    raise DataError(
        f"Interactions '{data.name}': {count:,} pairs of a user and an item that the user did not choose are wanted, "
        f"but {len(found):,} were found. Ask for fewer."
    )
