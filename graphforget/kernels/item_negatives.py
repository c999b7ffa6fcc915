"""Items a user has not chosen: draws outside a row's set, uniform, by weight, or within a pool."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError
from graphforget._core.streams import draw_below
from graphforget.kernels.alias import AliasTable, draw_weighted, draw_weighted_outside
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.lowlevel import chunk_start, count_parts, prefetch_at
from graphforget.kernels.row_sets import (
    RowSets,
    bits_of,
    free_column,
    has,
    has_column,
    in_bitmap,
    is_dense,
    is_filter,
    listed_free,
)

TRIES = 63
"""Draws of a slot that may be rejected; draw number 63 of the slot then picks by rank, which never fails."""

BLOCK = 8192
"""Slots of one parallel task."""

AHEAD = 128
"""Slots whose first draws are made, and their words asked for, before the first of them is looked up."""

NEAR = 1 << 15
"""Words of sets that stay in a cache near the core: to ask for them beforehand costs more than it saves."""

_SLOT = TRIES + 1


@njit(cache=True, nogil=True)
def _first_full(sets: RowSets, rows: np.ndarray) -> int:
    for row in rows:
        if sets.indptr[row + 1] - sets.indptr[row] >= sets.n_cols:
            return row
    return -1


def check_rows(sets: RowSets, rows: np.ndarray) -> None:
    """Raise DataError, naming it, if one of `rows` holds every column, so that nothing can be drawn outside it."""
    full = _first_full(sets, rows) if sets.largest >= sets.n_cols else -1
    if full >= 0:
        raise DataError(
            f"Row {full} holds all {sets.n_cols} columns (such as a user who has every item), so nothing else can be "
            "drawn for it. Leave it out."
        )


@njit(cache=True, nogil=True)
def _by_rank(sets: RowSets, row: int, key: np.uint64, slot: int) -> int:
    """Return a free column of a row by the draw that is left for that."""
    members = sets.indices[sets.indptr[row] : sets.indptr[row + 1]]
    return free_column(members, draw_below(key, slot * _SLOT + TRIES, sets.n_cols - len(members)))


@njit(cache=True, inline="always")
def _settle(sets: RowSets, row: int, column: int, key: np.uint64, slot: int) -> int:
    """Return the first draw of a slot if it is free after all, else draw until one is, then one by rank."""
    attempt = 1
    while attempt <= TRIES and has(sets, row, column):
        column = draw_below(key, slot * _SLOT + attempt, sets.n_cols)
        attempt += 1
    return column if attempt <= TRIES else _by_rank(sets, row, key, slot)


@njit(cache=True, nogil=True)
def _draw_filtered(
    sets: RowSets, rows: np.ndarray, key: np.uint64, first: int, out: np.ndarray, maybe: np.ndarray
) -> None:
    """Draw for some slots from `first`: first draws of all, then what their rows say, then the rest one by one.

    The words of the first draws come from memory together, not one after the other. Nearly all draws end there, in
    loops without a branch, which become vector code. `maybe` is scratch of as many as `rows` and `out`.
    """
    for k in range(len(out)):
        out[k] = draw_below(key, (first + k) * _SLOT, sets.n_cols)
    if len(sets.words) > NEAR:
        for k in range(len(out)):
            prefetch_at(sets.words, np.int64(bits_of(sets.heads[rows[k]], out[k])[0]))
    some = False
    for k in range(len(out)):
        word, bits = bits_of(sets.heads[rows[k]], out[k])
        maybe[k] = (sets.words[word] & bits) == bits
        some |= maybe[k]
    if some:
        for k in range(len(out)):
            if maybe[k]:
                out[k] = _settle(sets, rows[k], out[k], key, first + k)


@njit(cache=True, nogil=True)
def _draw_exact(sets: RowSets, rows: np.ndarray, key: np.uint64, first: int, last: int, out: np.ndarray) -> None:
    """Draw for those of the slots first .. last - 1 whose rows have no filter; a dense row's from its list."""
    for slot in range(first, last):
        row, head = rows[slot], sets.heads[rows[slot]]
        if is_dense(head):
            n_free = sets.n_cols - (sets.indptr[row + 1] - sets.indptr[row])
            out[slot] = listed_free(sets, head, draw_below(key, slot * _SLOT + TRIES, n_free))
        elif not is_filter(head):
            column, attempt = draw_below(key, slot * _SLOT, sets.n_cols), 1
            while attempt < TRIES and in_bitmap(sets, head, column):
                column = draw_below(key, slot * _SLOT + attempt, sets.n_cols)
                attempt += 1
            out[slot] = _by_rank(sets, row, key, slot) if in_bitmap(sets, head, column) else column


@njit(cache=True, nogil=True)
def _draw_some(
    sets: RowSets, rows: np.ndarray, key: np.uint64, first: int, last: int, out: np.ndarray, maybe: np.ndarray
) -> None:
    n_filters = 0
    for slot in range(first, last):
        n_filters += is_filter(sets.heads[rows[slot]])
    if n_filters:
        _draw_filtered(sets, rows[first:last], key, first, out[first:last], maybe)
    if n_filters < last - first:
        _draw_exact(sets, rows, key, first, last, out)


@njit(parallel=True, cache=True, nogil=True)
def _sample(sets: RowSets, rows: np.ndarray, key: np.uint64, out: np.ndarray) -> None:
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        last, maybe = min(len(rows), (block + 1) * BLOCK), np.empty(AHEAD, np.bool_)
        for slot in range(block * BLOCK, last, AHEAD):
            _draw_some(sets, rows, key, slot, min(last, slot + AHEAD), out, maybe)


@njit(parallel=True, cache=True, nogil=True)
def _free_weights(sets: RowSets, before: np.ndarray) -> np.ndarray:
    """Return the weight outside each row, in the units of the table."""
    free, parts = np.empty(len(sets.heads), np.int64), count_parts(len(sets.heads))
    for part in prange(parts):
        for row in range(chunk_start(sets.indptr, part, parts), chunk_start(sets.indptr, part + 1, parts)):
            free[row] = before[-1]
            for item in sets.indices[sets.indptr[row] : sets.indptr[row + 1]]:
                free[row] -= before[item + 1] - before[item]
    return free


@njit(cache=True, nogil=True)
def _draw_by_weight(sets: RowSets, alias: AliasTable, row: int, free: int, key: np.uint64, slot: int) -> int:
    if 2 * free >= alias.before[-1]:
        for attempt in range(TRIES):
            item = draw_weighted(alias, key, slot * _SLOT + attempt)
            if not has(sets, row, item):
                return item
    members = sets.indices[sets.indptr[row] : sets.indptr[row + 1]]
    return draw_weighted_outside(alias, members, free, key, slot * _SLOT + TRIES)


@njit(parallel=True, cache=True, nogil=True)
def _sample_by_weight(
    sets: RowSets, alias: AliasTable, rows: np.ndarray, free: np.ndarray, key: np.uint64, out: np.ndarray
) -> None:
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        for slot in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
            out[slot] = _draw_by_weight(sets, alias, rows[slot], free[rows[slot]], key, slot)


def sample_items(sets: RowSets, rows: np.ndarray, key: int, weights: np.ndarray | None = None) -> np.ndarray:
    """Draw for each entry of `rows` one column that is not in the set of that row.

    Uniform over the columns outside the set, or proportional to their weights: no member is ever drawn, every other
    column (of weight above 0) is. Slot s uses the draws 64 s .. 64 s + 63 of the stream: columns are drawn until one is
    free; after 63 of them, or at once where the row holds more than half of all, one is taken by its rank among the
    free ones. The bias is below n_cols / 2^32.

    Parameters
    ----------
    sets : what each row may not get, n_cols < 2^31
    rows : integers (m,), row numbers; a row may stand in it often
    key : stream key, see `Streams`
    weights : (n_cols,) at least 0, for example popularity to some power; a table of them is built in every call

    Returns
    -------
    int32 (m,)

    Raises
    ------
    DataError, before anything is drawn, if a row of `rows` leaves nothing to draw, or for unfit weights.
    """
    out, rows = np.empty(len(rows), np.int32), np.ascontiguousarray(rows, dtype=np.int32)  # compiled for one type
    if weights is None:
        check_rows(sets, rows)
        _sample(sets, rows, np.uint64(key), out)
        return out
    if np.shape(weights) != (sets.n_cols,):
        raise DataError(f"sample_items: {np.shape(weights)} weights for {sets.n_cols} items; give one per item.")
    alias = AliasTable.of(weights)
    free = _free_weights(sets, alias.before)
    empty = np.flatnonzero(free[rows] == 0)
    if len(empty):
        raise DataError(
            f"Row {rows[empty[0]]} holds every column of weight above 0 (such as a user who has every popular item), "
            "so nothing else can be drawn for it. Leave it out, or give more columns a weight."
        )
    _sample_by_weight(sets, alias, rows, free, np.uint64(key), out)
    return out


@njit(cache=True, nogil=True)
def _taken(members: np.ndarray, pool: np.ndarray) -> int:
    """Return how many columns of `pool` are members; both ascending."""
    count = 0
    for column in members:
        count += has_column(pool, column)
    return count


@njit(cache=True, nogil=True)
def _free_in_pool(members: np.ndarray, pool: np.ndarray, rank: int) -> int:
    """Return column number `rank` of the pool that is not a member."""
    for column in members:
        place = np.searchsorted(pool, column)
        if place < len(pool) and pool[place] == column:
            if place > rank:
                break
            rank += 1
    return pool[rank]


@njit(cache=True, nogil=True)
def _draw_within(sets: RowSets, row: int, pool: np.ndarray, key: np.uint64, slot: int) -> int:
    size = sets.indptr[row + 1] - sets.indptr[row]
    if 2 * size <= len(pool):
        for attempt in range(TRIES):
            column = pool[draw_below(key, slot * _SLOT + attempt, len(pool))]
            if not has(sets, row, column):
                return column
    members = sets.indices[sets.indptr[row] : sets.indptr[row + 1]]
    rank = draw_below(key, slot * _SLOT + TRIES, len(pool) - _taken(members, pool))
    return _free_in_pool(members, pool, rank)


@njit(parallel=True, cache=True, nogil=True)
def _sample_within(
    sets: RowSets,
    rows: np.ndarray,
    indptr: np.ndarray,
    columns: np.ndarray,
    which: np.ndarray,
    key: np.uint64,
    out: np.ndarray,
) -> None:
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        for slot in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
            pool = columns[indptr[which[slot]] : indptr[which[slot] + 1]]
            out[slot] = _draw_within(sets, rows[slot], pool, key, slot)


@njit(parallel=True, cache=True, nogil=True)
def _count_within(
    sets: RowSets, rows: np.ndarray, indptr: np.ndarray, columns: np.ndarray, which: np.ndarray, out: np.ndarray
) -> None:
    for k in prange(len(rows)):
        pool = columns[indptr[which[k]] : indptr[which[k] + 1]]
        out[k] = len(pool) - _taken(sets.indices[sets.indptr[rows[k]] : sets.indptr[rows[k] + 1]], pool)


def count_within(sets: RowSets, rows: np.ndarray, pools: CSR, which: np.ndarray) -> np.ndarray:
    """Return how many columns of pool which[k] are outside the set of rows[k], int64 (m,): what can be drawn there."""
    out = np.empty(len(rows), np.int64)
    _count_within(sets, rows, pools.indptr, pools.indices, which, out)
    return out


def sample_within(sets: RowSets, rows: np.ndarray, pools: CSR, which: np.ndarray, key: int) -> np.ndarray:
    """Draw for each k one column of pool `which[k]` outside the set of row `rows[k]`, uniformly.

    For a knowledge graph: rows are pairs of head and relation, pools the entities that a relation has as tails (see
    `tail_sets`), so that a wrong tail is of the right type. Slots as in `sample_items`.

    Parameters
    ----------
    sets : what each row may not get
    rows, which : integers (m,), row and pool numbers
    pools : columns of each pool, ascending, none twice
    key : stream key, see `Streams`

    Returns
    -------
    int32 (m,)

    Raises
    ------
    DataError, before anything is drawn, if a row holds its whole pool; `count_within` tells which do.
    """
    empty = np.flatnonzero(count_within(sets, rows, pools, which) == 0)
    if len(empty):
        row, pool = rows[empty[0]], which[empty[0]]
        raise DataError(f"Row {row} holds all of pool {pool}, so nothing else can be drawn from it. Leave it out.")
    out = np.empty(len(rows), np.int32)
    _sample_within(sets, rows, pools.indptr, pools.indices, which, np.uint64(key), out)
    return out


def tail_sets(triples: np.ndarray, n_relations: int, n_entities: int) -> tuple[RowSets, np.ndarray, CSR]:
    """Return what draws of wrong tails need, for facts (head, relation, tail), none twice.

    Shapes: triples integers (3, n_facts).

    Returns
    -------
    sets : the true tails of every pair (head, relation) that occurs, n_cols = n_entities
    rows : int64 (n_facts,), the row of each fact
    pools : row r holds the entities that are tails of relation r; (n_relations, n_entities)
    """
    heads, relations, tails = triples.astype(np.int64, copy=False)
    pairs, rows = np.unique(heads * n_relations + relations, return_inverse=True)
    typed = np.unique(relations * n_entities + tails)
    pools = edges_to_csr(typed // n_entities, typed % n_entities, n_relations, n_entities)
    return RowSets.of(edges_to_csr(rows, tails, len(pairs), n_entities)), rows, pools
