"""Batches of an epoch: which training items a step is made of, before it is known who computes which part of them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import partial
from typing import NamedTuple

import numpy as np
import torch

from graphforget._core.streams import Streams
from graphforget.kernels.orders import epoch_order
from graphforget.kernels.pairs import PairIndex
from graphforget.tasks.base import Items


class Batch(NamedTuple):
    """One step of the optimiser.

    Attributes
    ----------
    size: training edges, nodes or triples in it.
    draw: (first, last) -> the items of those from `first` up to `last`, negatives included. Any cut of a batch into
        parts gives the items of the whole.
    """

    size: int
    draw: Callable[[int, int], Items]


def shuffled(n: int, batch: int, streams: Streams, epoch: int) -> list[np.ndarray]:
    """Return the numbers 0 .. n - 1 in the order of an epoch, cut into batches; the last may be smaller."""
    order = epoch_order(n, streams("order", epoch=epoch).key)
    return [order[at : at + batch] for at in range(0, n, batch)]


def node_batches(
    nodes: np.ndarray, items: Callable[[np.ndarray], Items], streams: Streams, epoch: int, batch: int
) -> list[Batch]:
    """Return every node once, in random order; `items` makes the items of some nodes."""

    def draw(part: np.ndarray, first: int, last: int) -> Items:
        return items(part[first:last])

    parts = [nodes[part] for part in shuffled(len(nodes), batch, streams, epoch)]
    return [Batch(len(part), partial(draw, part)) for part in parts]


def edge_batches(
    edges: np.ndarray,
    non_edges: Callable[[int, int], np.ndarray],
    n_nodes: int,
    streams: Streams,
    epoch: int,
    batch: int,
) -> list[Batch]:
    """Return every edge of (2, m) once, in random order, each with two pairs that are no edges.

    One positive pair weighs as much as its two negatives, as on the full batch. non_edges: (count, key) -> (2, count).
    """

    def draw(positions: np.ndarray, key: int, first: int, last: int) -> Items:
        others = non_edges(2 * len(positions), key)[:, 2 * first : 2 * last]
        chosen = edges[:, positions[first:last]]
        targets = torch.zeros(3 * (last - first))
        targets[: last - first] = 1.0
        weights = torch.where(targets > 0, 1.5, 0.75)
        pairs = tuple(PairIndex.of(part, n_nodes) for part in (chosen, others))
        return Items(targets=targets, pairs=pairs, weights=weights)

    found = []
    for step, positions in enumerate(shuffled(edges.shape[1], batch, streams, epoch)):
        key = streams("negatives", epoch=epoch, step=step).key
        found.append(Batch(len(positions), partial(draw, positions, key)))
    return found


def near_items(items: Items) -> tuple[np.ndarray, Items]:
    """Return the node numbers that items name, sorted, and the items with places in that list for node numbers."""
    named = [end for pairs in items.pairs for end in (pairs.u, pairs.v)]
    named += [] if items.nodes is None else [items.nodes.numpy()]
    rows, places = np.unique(np.concatenate(named), return_inverse=True)
    at = np.split(places, np.cumsum([len(part) for part in named])[:-1])
    pairs = tuple(PairIndex(u, v, len(rows)) for u, v in _two_by_two(at[: 2 * len(items.pairs)]))
    nodes = None if items.nodes is None else torch.from_numpy(at[-1])
    return rows, replace(items, pairs=pairs, nodes=nodes)


def _two_by_two(parts: Sequence[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
    contiguous = [np.ascontiguousarray(part) for part in parts]
    return list(zip(contiguous[::2], contiguous[1::2], strict=True))
