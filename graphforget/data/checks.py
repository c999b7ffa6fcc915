"""Checks and small operations on the arrays of a graph."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget._core.words import counted
from graphforget.kernels.csr import frozen

Features: TypeAlias = sp.csr_array | np.ndarray
MOST_CLASSES = 10_000
"""Class numbers may go so far, or as far as there are nodes: a model has an output for each."""


def freeze_features(features: Features | None) -> Features | None:
    """Make dense or sparse features read-only."""
    if features is None or isinstance(features, np.ndarray):
        return features if features is None else frozen(features)
    for name in ("data", "indices", "indptr"):
        setattr(features, name, frozen(getattr(features, name)))
    return features


def distinct(keys: np.ndarray) -> np.ndarray:
    """Return the keys ascending, each once (by sorting, which beats the hashes of `np.unique` here)."""
    if (keys[1:] > keys[:-1]).all():
        return keys
    keys = np.sort(keys)
    first = np.ones(len(keys), dtype=bool)
    first[1:] = keys[1:] != keys[:-1]
    return keys[first]


def canonical_edges(edges: np.ndarray, n_nodes: int) -> tuple[np.ndarray, list[str]]:
    """Return the edges as (2, E), u < v, unique, in lexicographic order, and notes on what was dropped."""
    low, high = edges.min(axis=0), edges.max(axis=0)
    loops = int((low == high).sum())
    keys = distinct(low[low != high] * np.int64(n_nodes) + high[low != high])
    directed = distinct(edges[0][low != high] * np.int64(n_nodes) + edges[1][low != high])
    repeats = edges.shape[1] - loops - len(directed)
    notes = [f"{counted(loops, 'self-loop')} dropped"] if loops else []
    if repeats:
        notes.append(f"{counted(repeats, 'repeated edge')} merged")
    return np.stack([keys // n_nodes, keys % n_nodes]), notes


def check_edges(edges: np.ndarray, n_nodes: int, name: str) -> np.ndarray:
    """Return (2, E) int64 edges; raises DataError when they are not that or name a node that does not exist."""
    edges = np.asarray(edges)
    if edges.ndim != 2 or edges.shape[0] != 2 or not np.issubdtype(edges.dtype, np.integer):
        raise DataError(
            f"Graph '{name}': edges must be integers of shape (2, E); got {edges.dtype} of shape {edges.shape}."
        )
    if edges.shape[1] and (edges.min() < 0 or edges.max() >= n_nodes):
        worst = int(edges.min()) if edges.min() < 0 else int(edges.max())
        raise DataError(
            f"Graph '{name}': an edge names node {worst}, but the graph has nodes 0 to {n_nodes - 1}. "
            "Fix the edge, or raise n_nodes."
        )
    return edges.astype(np.int64)


def _matrix(features: Any, name: str) -> np.ndarray:
    """Return a float32 copy; raises DataError for what is no array of numbers."""
    try:
        with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused as such
            return np.array(features, dtype=np.float32, order="C")
    except (ValueError, TypeError) as error:
        raise DataError(f"Graph '{name}': features must be numbers, as many for every node ({error}).") from None


def check_features(features: Any, n_nodes: int, name: str) -> Features | None:
    """Return float32 features, sparse when at most 30 % are stored; raises DataError for a wrong shape, NaN or inf."""
    if features is None:
        return None
    if sp.issparse(features):
        with np.errstate(over="ignore"):  # as in `_matrix`
            matrix = sp.csr_array(features, dtype=np.float32, copy=True)
        matrix.sum_duplicates()
        matrix.eliminate_zeros()
        values = matrix.data
    else:
        matrix = values = _matrix(features, name)
    if matrix.ndim != 2 or matrix.shape[0] != n_nodes:
        raise DataError(
            f"Graph '{name}': features must have one row per node ({n_nodes:,} rows); got shape {matrix.shape}."
        )
    if not matrix.shape[1]:
        raise DataError(f"Graph '{name}': features have no columns. Leave them out, or give at least one.")
    if not np.isfinite(values).all():
        row = int(matrix.nonzero()[0][~np.isfinite(matrix[matrix.nonzero()])][0])
        raise DataError(f"Graph '{name}': features of node {row} are NaN or infinite. Clean that row first.")
    if isinstance(matrix, np.ndarray) and matrix.size and np.count_nonzero(matrix) < 0.3 * matrix.size:
        matrix = sp.csr_array(matrix)
    return matrix


def class_numbers(labels: np.ndarray, owner: str) -> np.ndarray:
    """Return integers as int64; raises DataError for one so large that it cannot be the number of a class."""
    most = max(MOST_CLASSES, len(labels))
    if len(labels) and labels.max() >= most:
        raise DataError(
            f"{owner}: label {labels.max()} is too large for {len(labels):,} nodes; classes are numbered 0, 1, ... "
            f"without large gaps (at most {most:,}). Number them so, or give labels as a CSV 'id,label'."
        )
    return labels.astype(np.int64)


def check_labels(labels: Any, n_nodes: int, name: str) -> np.ndarray:
    """Return int64 labels, -1 where unknown; raises DataError otherwise."""
    labels = np.asarray(labels)
    if labels.shape != (n_nodes,) or not np.issubdtype(labels.dtype, np.integer):
        raise DataError(
            f"Graph '{name}': labels must be {n_nodes:,} integers (one per node, -1 where unknown); "
            f"got {labels.dtype} of shape {labels.shape}."
        )
    if len(labels) and labels.min() < -1:
        raise DataError(f"Graph '{name}': label {labels.min()} is below -1; classes are 0, 1, ... and -1 is unknown.")
    return class_numbers(labels, f"Graph '{name}'")


def check_masks(masks: Mapping[str, Any] | None, n_nodes: int, name: str) -> dict[str, np.ndarray]:
    """Return read-only boolean masks of the nodes; raises DataError for another shape, or positions in their place."""
    found = {key: np.asarray(mask) for key, mask in (masks or {}).items()}
    for key, mask in found.items():
        if mask.shape != (n_nodes,) or not np.isin(mask, (False, True)).all():
            raise DataError(
                f"Graph '{name}': the mask '{key}' must say of each of the {n_nodes:,} nodes whether it is in; got "
                f"{mask.dtype} of shape {mask.shape}. Positions of nodes become one by mask[positions] = True."
            )
    return {key: frozen(mask.astype(bool)) for key, mask in found.items()}


def shared_nodes(masks: Mapping[str, np.ndarray]) -> list[str]:
    """Return a note for every two masks that have nodes in common: what is trained on would be tested on."""
    both = {pair: int((masks[pair[0]] & masks[pair[1]]).sum()) for pair in combinations(masks, 2)}
    return [f"{counted(n, 'node')} in the masks {a} and {b}, which keep them" for (a, b), n in both.items() if n]


def class_names(names: Sequence[str] | None, labels: np.ndarray | None, graph: str) -> tuple[str, ...] | None:
    """Return the given names, or "0", "1", ...: the number of classes is frozen when the graph is built.

    Raises DataError for a label that has no name.
    """
    largest = -1 if labels is None else int(labels.max(initial=-1))
    if names is None:
        return None if labels is None else tuple(str(number) for number in range(largest + 1))
    if largest >= len(names):
        raise DataError(
            f"Graph '{graph}': label {largest} has no name; class_names has {len(names):,}. Name every class."
        )
    return tuple(names)


def empty_classes(names: Sequence[str] | None, labels: np.ndarray | None) -> list[str]:
    """Return a note where classes are counted that no node has."""
    if labels is None or names is None:
        return []
    empty = len(names) - len(distinct(labels[labels >= 0]))
    return [f"{empty:,} of {counted(len(names), 'class')} have no node"] if empty else []


def with_unknown(labels: np.ndarray | None, nodes: list[np.ndarray]) -> np.ndarray | None:
    """Return the labels with those of the given nodes unknown."""
    if labels is None or not any(len(part) for part in nodes):
        return labels
    labels = labels.copy()
    labels[np.concatenate(nodes)] = -1
    return frozen(labels)


def scale_rows(features: Features, scale: np.ndarray) -> Features:
    """Return the features with each row multiplied by its factor."""
    if isinstance(features, np.ndarray):
        scaled = features * scale[:, None]
        scaled[scale == 0] = 0.0  # a product keeps the sign of what is gone, as -0.0
        return scaled
    scaled = sp.csr_array(sp.diags_array(scale) @ features)
    scaled.eliminate_zeros()
    return scaled.astype(np.float32)


def absolute(features: Features) -> Features:
    """Return the features without their signs."""
    if isinstance(features, np.ndarray):
        return np.abs(features)
    return sp.csr_array((np.abs(features.data), features.indices, features.indptr), shape=features.shape)
