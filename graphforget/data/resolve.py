"""A deletion in the user's ids, found in a graph: numbers, or a sentence about what is not there."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from graphforget._core.errors import DataError, UnsupportedError, nearest
from graphforget.data.deletion_files import RECOMMENDER_KINDS
from graphforget.data.graph import Graph
from graphforget.kernels.edge_lists import find_edges

if TYPE_CHECKING:
    from graphforget.data.deletion import Deletion


NO_EDGES = np.empty((2, 0), dtype=np.int64)


@dataclass(frozen=True)
class Resolved:
    """A deletion as numbers of one graph; every array is int64, ascending and without repeats.

    edges are positions into `graph.edges`, nodes and features node numbers, classes class numbers; notes say
    what was listed twice.
    """

    edges: np.ndarray
    nodes: np.ndarray
    features: np.ndarray
    classes: np.ndarray
    notes: tuple[str, ...] = ()


def _nodes(graph: Graph, ids: Sequence[Any]) -> np.ndarray:
    """Return node numbers in the order given; text and integers may be mixed."""
    return graph.index_of(ids)


def _edges(graph: Graph, held_out: np.ndarray, edges: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Return positions into `graph.edges`, in whatever order those stand, and the held-out edges behind them."""
    if not edges:
        return np.zeros(0, dtype=np.int64)
    ends = np.stack([_nodes(graph, [edge[side] for edge in edges]) for side in (0, 1)])
    wanted = np.stack([ends.min(axis=0), ends.max(axis=0)])
    found = find_edges(graph.edges, wanted)
    missing = np.flatnonzero(found < 0)
    if len(missing):
        every = np.concatenate([graph.edges, held_out], axis=1)
        found[missing] = _by_sorting(every, wanted[:, missing], graph.n_nodes)
    absent = np.flatnonzero(found < 0)
    if len(absent):
        first, second = edges[absent[0]]
        raise DataError(
            f"Graph '{graph.name}' has no edge between '{first}' and '{second}' ({len(absent):,} of {len(edges):,} "
            "listed edges are not in it). Take them off the list, or load the graph that has them."
        )
    return found


def _by_sorting(edges: np.ndarray, wanted: np.ndarray, n_nodes: int) -> np.ndarray:
    """Return the positions of pairs in edges of any order, -1 where absent."""
    keys, sought = (pairs.min(axis=0) * np.int64(n_nodes) + pairs.max(axis=0) for pairs in (edges, wanted))
    if not len(keys):
        return np.full(len(sought), -1, dtype=np.int64)
    order = np.argsort(keys, kind="stable")
    found = order[np.minimum(np.searchsorted(keys, sought, sorter=order), len(keys) - 1)]
    return np.where(keys[found] == sought, found, -1)


def _classes(graph: Graph, classes: Sequence[Any]) -> np.ndarray:
    if not classes:
        return np.zeros(0, dtype=np.int64)
    names = [str(name) for name in graph.class_names or range(graph.n_classes)]
    if not names:
        raise DataError(f"Graph '{graph.name}' has no labels, so no class can be deleted. Give labels to `load`.")
    bad = next((key for key in classes if str(key) not in names), None)
    if bad is not None:
        raise DataError(
            f"Graph '{graph.name}' has no class '{bad}'.{nearest(bad, names)} Its classes: {', '.join(names)}."
        )
    return np.array([names.index(str(key)) for key in classes], dtype=np.int64)


def once(found: np.ndarray, kind: str, notes: list[str]) -> np.ndarray:
    """Return the numbers ascending and without repeats; a repeat becomes a note."""
    unique = np.unique(found)
    if len(unique) < len(found):
        notes.append(f"{len(found) - len(unique):,} of the listed {kind} are repeats; each counts once")
    return unique


def refuse_everything(owner: str, verb: str, *counts: tuple[str, int, int]) -> None:
    """Raise DataError when a deletion takes all there is of something: (what, how many go, how many there are)."""
    for what, going, total in counts:
        if going and going == total:
            raise DataError(
                f"{owner}: the deletion {verb} every {what} ({total:,}); nothing is left to retain. Delete fewer, or "
                "train a new model on other data."
            )


def _refuse_strangers(deletion: Deletion, graph: Graph) -> None:
    """Raise UnsupportedError for parts that only interactions have."""
    strange = next((kind for kind in RECOMMENDER_KINDS if getattr(deletion, kind)), None)
    if strange is not None:
        raise UnsupportedError(
            f"The deletion names {strange}, but graph '{graph.name}' holds nodes and edges. Name edges, nodes, "
            "features or classes, or load interactions."
        )


def resolve(deletion: Deletion, graph: Graph, held_out: np.ndarray = NO_EDGES) -> Resolved:
    """Return the deletion as positions and numbers of `graph`.

    `held_out`, (2, h), are edges that a task took out of the graph; their positions follow those of the graph's.
    Something listed twice counts once and becomes a note. Raises DataError for an id or an edge that is not
    in the graph (a near one may be suggested), and for a deletion of every edge, node or class; UnsupportedError for
    users, items and what else only interactions have.
    """
    _refuse_strangers(deletion, graph)
    notes: list[str] = []
    resolved = Resolved(
        edges=once(_edges(graph, held_out, deletion.edges), "edges", notes),
        nodes=once(_nodes(graph, deletion.nodes), "nodes", notes),
        features=once(_nodes(graph, deletion.features), "features", notes),
        classes=once(_classes(graph, deletion.classes), "classes", notes),
        notes=tuple(notes),
    )
    refuse_everything(
        f"Graph '{graph.name}'",
        "names",
        ("edge", len(resolved.edges), graph.n_edges + held_out.shape[1]),
        ("node", len(resolved.nodes), graph.n_nodes),
        ("class", len(resolved.classes), graph.n_classes),
    )
    return resolved
