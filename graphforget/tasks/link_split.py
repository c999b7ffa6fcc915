"""The split of a link task: which edges are held out, and what a deletion leaves of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch

from graphforget._core.errors import DataError
from graphforget.data.graph import Graph
from graphforget.data.splits import whole_share
from graphforget.tasks.base import Forgotten


@dataclass(frozen=True, eq=False)
class LinkSplit:
    """Held-out edges and their stored negatives, each (2, m)."""

    val: np.ndarray
    val_negatives: np.ndarray
    test: np.ndarray
    test_negatives: np.ndarray

    @cached_property
    def held_out(self) -> np.ndarray:
        """(2, h) edges of validation and test, in this order."""
        return np.concatenate([self.val, self.test], axis=1)


def edge_keys(edges: np.ndarray, n: int) -> np.ndarray:
    """Return a number for each of the (2, m) edges of n nodes, the same for both directions."""
    return np.minimum(edges[0], edges[1]) * np.int64(n) + np.maximum(edges[0], edges[1])


def trained_on(graph: Graph, split: LinkSplit) -> np.ndarray:
    """Return the edges of a graph that a split does not hold out, in their order.

    Raises DataError when it holds out what is no edge.
    """
    keys, held = edge_keys(graph.edges, graph.n_nodes), split.held_out
    strange = ~np.isin(edge_keys(held, graph.n_nodes), keys)
    if strange.any():
        u, v = held[:, strange][:, 0].tolist()
        raise DataError(
            f"LinkPrediction: '{graph.name}' has no edge ({u}, {v}), which the split holds out. Give the edges that "
            "are held out, too."
        )
    return graph.edges[:, ~np.isin(keys, edge_keys(held, graph.n_nodes))]


def divided(graph: Graph, holdout: float, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Return validation and test edges: one permutation of all, test first, then validation.

    `holdout` is the share of the edges in validation and in test, each. Raises DataError for too few edges.
    """
    n_held = int(whole_share(graph.n_edges, holdout))
    if n_held < 1 or graph.n_edges - 2 * n_held < 1:
        raise DataError(
            f"LinkPrediction: {graph.n_edges} edges are too few to hold out {holdout:.0%} twice; "
            "give a graph with more edges or a larger 'holdout'."
        )
    order = torch.randperm(graph.n_edges, generator=torch.Generator().manual_seed(seed)).numpy()
    if graph.column_order:
        order = np.lexsort(graph.edges)[order]
    return graph.edges[:, order[n_held : 2 * n_held]], graph.edges[:, order[:n_held]]


def split_without(split: LinkSplit, gone: Forgotten, n_nodes: int) -> LinkSplit:
    """Return the split without the held-out edges that a deletion names, and without negatives of deleted nodes."""
    if not gone.held_out.size and not len(gone.nodes):
        return split
    held = edge_keys(gone.held_out, n_nodes)
    kept = [part[:, ~np.isin(edge_keys(part, n_nodes), held)] for part in (split.val, split.test)]
    if not all(part.shape[1] for part in kept):
        raise DataError("The deletion removes all validation or all test edges. Delete less, or split anew.")
    left = [part[:, ~np.isin(part, gone.nodes).any(axis=0)] for part in (split.val_negatives, split.test_negatives)]
    if not all(part.shape[1] for part in left):
        raise DataError("The deletion names a node of every validation or test negative. Delete less.")
    return LinkSplit(kept[0], left[0], kept[1], left[1])
