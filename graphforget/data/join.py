"""Features and labels that come beside a graph, joined to its nodes by id or by row."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget._core.words import counted
from graphforget.data.formats.base import Features, RawGraph, text_ids
from graphforget.data.formats.edge_list import NO_HEADER
from graphforget.data.formats.node_table import NodeTable
from graphforget.data.formats.table import is_integer


def _added(count: int, table: NodeTable) -> tuple[str, ...]:
    return (f"{count:,} node(s) of {table.source} have no edges",) if count else ()


def _with_rows(raw: RawGraph, table: NodeTable) -> RawGraph:
    """Return the graph with as many nodes as a table without ids has rows, row i for node i."""
    n_rows = table.values.shape[0]
    if raw.ids is None:
        if n_rows != raw.n_nodes:
            raise DataError(f"{table.source}: {n_rows:,} rows, but the graph has {raw.n_nodes:,} nodes; give one each.")
        return raw
    if raw.ids.dtype.kind != "i":
        raise DataError(
            f"{table.source}: rows without ids cannot be matched to text node ids. Give a CSV with an id column."
        )
    outside = raw.ids[(raw.ids < 0) | (raw.ids >= n_rows)]
    if len(outside):
        raise DataError(
            f"{table.source}: {n_rows:,} rows stand for nodes 0 to {n_rows - 1}, but the edges name node "
            f"{outside[0]}. Give a row for every node, or a CSV with an id column."
        )
    notes = _added(n_rows - raw.n_nodes, table)
    return replace(raw, n_nodes=n_rows, edges=raw.ids[raw.edges], ids=None, notes=(*raw.notes, *notes))


def _table_ids(raw: RawGraph, table: NodeTable) -> np.ndarray:
    """Return the ids of a table in the type of the graph's ids."""
    assert table.ids is not None
    if raw.ids is not None and raw.ids.dtype.kind != "i":
        return text_ids(table.ids, table.source)
    bad = next((row for row, key in enumerate(table.ids) if not is_integer(key)), None)
    if bad is not None:
        raise DataError(
            f"{table.place(bad)}: node id '{table.ids[bad]}' is not an integer, but the ids of the graph are. Fix the "
            "id."
        )
    return np.array([int(key) for key in table.ids], dtype=np.int64)


def _with_nodes(raw: RawGraph, table: NodeTable) -> RawGraph:
    """Return the graph with the nodes that only the table names (they have no edges)."""
    assert table.ids is not None
    keys = _table_ids(raw, table)
    if raw.ids is None:
        outside = np.flatnonzero((keys < 0) | (keys >= raw.n_nodes))
        if len(outside):
            raise DataError(
                f"{table.place(int(outside[0]))}: node {keys[outside[0]]} does not exist; nodes are 0 to "
                f"{raw.n_nodes - 1}."
            )
        return raw
    ids = np.union1d(raw.ids, keys)
    if not (table.header or is_integer(table.ids[0]) or keys[0] in raw.ids):
        raise DataError(
            f"{table.place(0)}: '{keys[0]}' is a header or a node without edges, and would become a node. Call the "
            "first column 'id' where this is the header; put a header above it where it is a node."
        )
    moved = np.searchsorted(ids, raw.ids)
    notes = _added(len(ids) - raw.n_nodes, table)
    return replace(raw, n_nodes=len(ids), edges=moved[raw.edges], ids=ids, notes=(*raw.notes, *notes))


def _known_nodes(raw: RawGraph, table: NodeTable) -> np.ndarray:
    keys = _table_ids(raw, table)
    return keys if raw.ids is None else np.searchsorted(raw.ids, keys)


def _row_of(raw: RawGraph, table: NodeTable) -> np.ndarray:
    """Return for each node its row in the table, -1 where it has none."""
    if table.ids is None:
        return np.arange(raw.n_nodes)
    row_of = np.full(raw.n_nodes, -1, dtype=np.int64)
    row_of[_known_nodes(raw, table)] = np.arange(len(table.ids))
    return row_of


def _name(raw: RawGraph, node: int) -> object:
    return node if raw.ids is None else raw.ids[node]


def _more(others: int) -> str:
    return f" and {counted(others, 'other')}" if others else ""


def _header_read(raw: RawGraph) -> str:
    """Return the note that a header may have been read as an edge, as a sentence; empty where there is none."""
    return next((f" ({note[0].upper()}{note[1:]}.)" for note in raw.notes if NO_HEADER in note), "")


def _features(raw: RawGraph, table: NodeTable) -> Features:
    row_of = _row_of(raw, table)
    missing = np.flatnonzero(row_of < 0)
    if len(missing):
        raise DataError(
            f"{table.source}: no features for node '{_name(raw, int(missing[0]))}'{_more(len(missing) - 1)}; "
            f"every node of the graph needs a row.{_header_read(raw)}"
        )
    values = table.values[row_of]
    return sp.csr_array(values) if sp.issparse(values) else values


def _labels(raw: RawGraph, table: NodeTable) -> tuple[np.ndarray, tuple[str, ...]]:
    row_of = _row_of(raw, table)
    labels = np.where(row_of < 0, -1, np.asarray(table.values)[row_of])
    unknown = int((row_of < 0).sum())
    return labels, (f"{unknown:,} node(s) have no label in {table.source}",) if unknown else ()


def _plain_ids(raw: RawGraph) -> RawGraph:
    """Return the graph without ids when they are 0 .. n_nodes - 1."""
    same = raw.ids is not None and raw.ids.dtype.kind == "i" and np.array_equal(raw.ids, np.arange(raw.n_nodes))
    return replace(raw, ids=None) if same else raw


def joined(raw: RawGraph, features: NodeTable | None, labels: NodeTable | None) -> RawGraph:
    """Return the graph with the given features and labels in place of its own.

    A table without ids gives row i to node i; a table with ids may add nodes that have no edges (when the
    graph's nodes come from an edge list). Every node needs features; a node without a label gets -1 and a
    note.

    Raises DataError when the rows do not match the nodes.
    """
    given = [table for table in (features, labels) if table is not None]
    for table in sorted(given, key=lambda table: table.ids is not None):
        raw = _with_rows(raw, table) if table.ids is None else _with_nodes(raw, table)
    if features is not None:
        raw = replace(raw, features=_features(raw, features))
    if labels is not None:
        values, notes = _labels(raw, labels)
        raw = replace(raw, labels=values, class_names=labels.class_names, notes=(*raw.notes, *notes))
    return _plain_ids(raw)
