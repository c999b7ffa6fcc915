"""Item features from files and arrays, joined to the items of interactions by id or by row."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats.movie_text import is_movie_table, read_movie_text
from graphforget.data.formats.node_table import NodeTable, array_table, checked_features, read_features
from graphforget.data.formats.raw_interactions import RawInteractions

MAX_VALUES = 1 << 30


def _name(table: NodeTable) -> str:
    """Return the source of a table for a note: a file by its name alone."""
    return Path(table.source).name


def feature_table(given: Any, modality: str) -> tuple[NodeTable, tuple[str, ...]]:
    """Return features given as an array (items, d), or as a path (.npy, .npz, text with an id column, `movies.csv`).

    Raises DataError with the place of the first fault.
    """
    if isinstance(given, str | os.PathLike):
        path = Path(given).expanduser()
        return read_movie_text(path) if is_movie_table(path) else (read_features(path), ())
    return checked_features(array_table(f"modality '{modality}'", given)), ()


def _by_number(raw: RawInteractions, table: NodeTable, modality: str) -> tuple[RawInteractions, np.ndarray]:
    """Return the rows of a table whose row i is item number i of the files, where items have ids of their own."""
    n_rows = table.values.shape[0]
    if n_rows != raw.n_items:
        raise DataError(
            f"{table.source}: {n_rows:,} rows of '{modality}' for {raw.n_items:,} items with ids of their own; give "
            "one row for each, in the order of the item numbers."
        )
    return raw, np.arange(n_rows)


def _by_row(raw: RawInteractions, table: NodeTable, modality: str) -> tuple[RawInteractions, np.ndarray]:
    """Return the rows of a table without ids: row i is item number i, or the item with the integer id i."""
    n_rows = table.values.shape[0]
    if raw.item_ids is None:
        if n_rows < raw.n_items:
            raise DataError(
                f"{table.source}: {n_rows:,} rows of '{modality}' for {raw.n_items:,} items; row i belongs to item i, "
                "so give one for each."
            )
        more = n_rows - raw.n_items
        if more and raw.triples is not None:
            raise DataError(
                f"{table.source}: {n_rows:,} rows of '{modality}', but the knowledge graph counts {raw.n_items:,} "
                "items. Give one row for each item."
            )
        notes = (f"{_name(table)}: {more:,} item(s) more than the interactions name",) if more else ()
        return replace(raw, n_items=n_rows, notes=(*raw.notes, *notes)), np.arange(n_rows)
    if raw.item_ids.dtype.kind != "i":
        raise DataError(
            f"{table.source}: rows without ids cannot be matched to text item ids. Give '{modality}' as a CSV with an "
            "id column."
        )
    outside = raw.item_ids[(raw.item_ids < 0) | (raw.item_ids >= n_rows)]
    if len(outside):
        raise DataError(
            f"{table.source}: {n_rows:,} rows stand for items 0 to {n_rows - 1}, but there is an item {outside[0]}. "
            f"Give '{modality}' as a CSV with an id column."
        )
    note = f"{_name(table)}: row i was taken for the item with id i"
    return replace(raw, notes=(*raw.notes, note)), raw.item_ids


def _by_id(raw: RawInteractions, table: NodeTable, modality: str) -> tuple[RawInteractions, np.ndarray]:
    """Return for every item its row in a table with ids, -1 where it has none."""
    assert table.ids is not None
    row_of = {key: row for row, key in enumerate(table.ids)}
    ids = range(raw.n_items) if raw.item_ids is None else raw.item_ids.tolist()
    rows = np.array([row_of.get(str(key), -1) for key in ids], dtype=np.int64)
    if (rows < 0).all():
        raise DataError(
            f"{table.source}: none of its {len(table.ids):,} ids (as '{table.ids[0]}') is an item (as "
            f"'{next(iter(ids))}'). Give '{modality}' with the ids of the interactions."
        )
    stray = len(table.ids) - int((rows >= 0).sum())
    notes = (f"{_name(table)}: {stray:,} row(s) of '{modality}' belong to no item",) if stray else ()
    return replace(raw, notes=(*raw.notes, *notes)), rows


def _values(table: NodeTable, rows: np.ndarray) -> np.ndarray:
    if not table.values.shape[1]:
        raise DataError(f"{table.source}: the rows hold no feature. Give at least one number per item.")
    if len(rows) * table.values.shape[1] > MAX_VALUES:
        raise DataError(
            f"{table.source}: {len(rows):,} items x {table.values.shape[1]:,} features are more than {MAX_VALUES:,} "
            "values. Reduce the features."
        )
    values = table.values[rows]
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused with the value
        values = np.array(values.toarray() if sp.issparse(values) else values, dtype=np.float32)
    values[rows < 0] = np.nan
    return values


def with_features(
    raw: RawInteractions, tables: dict[str, NodeTable], numbered: bool = False
) -> tuple[RawInteractions, dict[str, np.ndarray]]:
    """Return each table as (n_items, d) float32, a row of NaN where an item has none, and what was noted.

    Numbers of items grow to the rows of a table without ids when the items are numbers.

    numbered: the files have numbers beside the ids of items, and tables without ids follow the numbers.

    Raises DataError when rows do not match the items.
    """
    rows = {}
    for name, table in sorted(tables.items(), key=lambda entry: entry[1].ids is not None):
        by_rows = _by_number if numbered and raw.item_ids is not None else _by_row
        raw, rows[name] = (by_rows if table.ids is None else _by_id)(raw, table, name)
    lengths = {name: len(row) for name, row in rows.items() if tables[name].ids is None}
    if len(set(lengths.values())) > 1:
        raise DataError(f"Modalities differ in their number of rows ({lengths}); each has one row per item.")
    return raw, {name: _values(tables[name], rows[name]) for name in tables}
