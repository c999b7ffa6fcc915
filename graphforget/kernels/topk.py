"""The best items of every user: all scores, none of them stored."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError, DivergedError, UsageError
from graphforget.kernels.csr import CSR
from graphforget.kernels.row_sets import has_column
from graphforget.kernels.score_tile import LANES, ROWS, fill_panels, lowest_bit, score_tile

GROUPS = 32
"""Largest number of groups of `ROWS` users that go through the items together, as one parallel task."""

TRIAL = 512
"""Users whose ranking decides whether pruning pays."""

PAYS = 0.8
"""Share of the scores from which on pruning is given up."""

NOBODY = np.int32(2**31 - 1)
"""Stands in a list where no item has come yet; loses every tie."""

_ONE = np.uint64(1)


class _Catalogue(NamedTuple):
    """The items as panels: vectors (n_panels, d, LANES), item numbers (n_panels, LANES), largest norm (n_panels,)."""

    panels: np.ndarray
    numbers: np.ndarray
    norms: np.ndarray


class _Query(NamedTuple):
    """The users: vectors (n, d), their norms with a margin (n,), masked columns by row, an absolute margin."""

    users: np.ndarray
    norms: np.ndarray
    indptr: np.ndarray
    masked: np.ndarray
    margin: float


class _Lists(NamedTuple):
    """The best so far, a heap with the worst on top: items int32 (n, k) and scores float32 (n, k)."""

    items: np.ndarray
    scores: np.ndarray


@njit(cache=True, inline="always")
def _worse(score: np.float32, item: np.int32, other_score: np.float32, other_item: np.int32) -> bool | np.bool:
    return score < other_score or (score == other_score and item > other_item)


@njit(cache=True, nogil=True)
def _sink(items: np.ndarray, scores: np.ndarray, size: int, item: np.int32, score: np.float32) -> None:
    """Put an item in the place of the worst of `size` entries, and bring the new worst to the top."""
    at = 0
    while 2 * at + 1 < size:
        child = 2 * at + 1
        if child + 1 < size and _worse(scores[child + 1], items[child + 1], scores[child], items[child]):
            child += 1
        if not _worse(scores[child], items[child], score, item):
            break
        items[at], scores[at] = items[child], scores[child]
        at = child
    items[at], scores[at] = item, score


@njit(cache=True, nogil=True)
def _finish(items: np.ndarray, scores: np.ndarray) -> None:
    """Sort a heap, best first; places without an item get -1."""
    for last in range(len(items) - 1, 0, -1):
        item, score = items[last], scores[last]
        items[last], scores[last] = items[0], scores[0]
        _sink(items, scores, last, item, score)
    for at in range(len(items)):
        if items[at] == NOBODY:
            items[at] = -1


@njit(cache=True, nogil=True)
def _offer(
    bits: np.uint64,
    numbers: np.ndarray,
    values: np.ndarray,
    masked: np.ndarray,
    items: np.ndarray,
    scores: np.ndarray,
) -> None:
    """Offer the marked columns of one row of a tile to the list of its user."""
    while bits:
        lane = lowest_bit(bits)
        bits &= bits - _ONE
        item, score = numbers[lane], values[lane]
        if item >= 0 and _worse(scores[0], items[0], score, item) and not has_column(masked, item):
            _sink(items, scores, len(items), item, score)


@njit(cache=True, nogil=True)
def _is_beaten(query: _Query, first: int, last: int, norm: float, scores: np.ndarray) -> bool:
    """Return whether no item of this norm or a smaller one can enter the lists of users first .. last - 1."""
    for user in range(first, last):
        if query.norms[user] * norm + query.margin >= scores[user, 0]:
            return False
    return True


@njit(cache=True, nogil=True)
def _rank_block(query: _Query, catalogue: _Catalogue, first: int, last: int, prune: bool, lists: _Lists) -> int:
    """Fill the lists of users first .. last - 1; return how many tiles were computed."""
    values, marks = np.empty((ROWS, LANES), np.float32), np.empty(ROWS, np.uint64)
    limits = np.full(last - first + ROWS, -np.inf, np.float32)
    groups = np.arange(first, last, ROWS)
    tiles, n_groups = 0, len(groups)
    for panel in range(len(catalogue.panels)):
        kept = 0
        for group in groups[:n_groups]:
            end = min(group + ROWS, last)
            if prune and _is_beaten(query, group, end, catalogue.norms[panel], lists.scores):
                continue
            groups[kept] = group
            kept += 1
            score_tile(query.users, group, catalogue.panels, panel, limits, group - first, prune, values, marks)
            for user in range(group, end):
                if marks[user - group]:
                    row = query.masked[query.indptr[user] : query.indptr[user + 1]]
                    places, scores = lists.items[user], lists.scores[user]
                    _offer(marks[user - group], catalogue.numbers[panel], values[user - group], row, places, scores)
                    limits[user - first] = scores[0]
        tiles += kept
        n_groups = kept
    for user in range(first, last):
        _finish(lists.items[user], lists.scores[user])
    return tiles


@njit(parallel=True, cache=True, nogil=True)
def _rank(query: _Query, catalogue: _Catalogue, first: int, last: int, size: int, prune: bool, lists: _Lists) -> int:
    """Fill the lists of users first .. last - 1 in blocks of `size`; return how many tiles were computed."""
    tiles = 0
    for block in prange((last - first + size - 1) // size):
        start = first + block * size
        tiles += _rank_block(query, catalogue, start, min(last, start + size), prune, lists)
    return tiles


@njit(cache=True, nogil=True)
def _merged(
    indptr: np.ndarray, columns: np.ndarray, other_indptr: np.ndarray, other: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return the rows of two matrices merged, ascending; a column of both stands twice."""
    both, out = indptr + other_indptr, np.empty(len(columns) + len(other), np.int32)
    for row in range(len(indptr) - 1):
        a, b = indptr[row], other_indptr[row]
        for at in range(both[row], both[row + 1]):
            first = b == other_indptr[row + 1] or (a < indptr[row + 1] and columns[a] <= other[b])
            out[at] = columns[a] if first else other[b]
            a, b = (a + 1, b) if first else (a, b + 1)
    return both, out


def _masked_rows(mask: Sequence[CSR], n_users: int, n_items: int) -> tuple[np.ndarray, np.ndarray]:
    indptr, columns = np.zeros(n_users + 1, np.int64), np.empty(0, np.int32)
    for part in mask:
        if (part.n_rows, part.n_cols) != (n_users, n_items):
            shape = f"{part.n_rows} by {part.n_cols}"
            raise DataError(f"top_items: a mask is {shape}; it must be {n_users} users by {n_items} items.")
        indptr, columns = _merged(indptr, columns, part.indptr, part.indices)
    return indptr, columns


def _norms(table: np.ndarray) -> np.ndarray:
    return np.sqrt(np.einsum("ij,ij->i", table, table, dtype=np.float64))


def _largest(norms: np.ndarray, what: str) -> float:
    largest = float(norms.max(initial=0.0))
    if not np.isfinite(largest):
        raise DivergedError(f"top_items: the {what} hold infinite or NaN numbers. Train with a smaller learning rate.")
    return largest


def _catalogue(items: np.ndarray, norms: np.ndarray, order: np.ndarray) -> _Catalogue:
    shape = -(-len(order) // LANES), items.shape[1], LANES
    panels, numbers = np.empty(shape, np.float32), np.empty((shape[0], LANES), np.int32)
    fill_panels(items, order, panels, numbers)
    return _Catalogue(panels, numbers, norms[order[::LANES]])


def _query(users: np.ndarray, norms: np.ndarray, masked: tuple[np.ndarray, np.ndarray]) -> _Query:
    """Widen the norms so that norm * norm + margin is above every score as it is rounded.

    d fused steps in float32 are off by at most d 2^-24 / (1 - d 2^-24) of |u| |i|, or by d 2^-149 where it underflows.
    """
    d = users.shape[1]
    return _Query(users, norms * (1.0 + (d + 8) * 2.0**-23), *masked, d * 2.0**-148)


def _rank_all(query: _Query, items: np.ndarray, norms: np.ndarray, order: np.ndarray, prune: object, k: int) -> _Lists:
    """Rank the items `order`, by norm while that pays."""
    n = len(query.users)
    lists = _Lists(np.full((n, k), NOBODY, np.int32), np.full((n, k), -np.inf, np.float32))
    size = ROWS * min(GROUPS, max(4, n // (16 * ROWS)))
    trial = 0 if prune is False else n if prune is True else min(n, TRIAL)
    if trial:
        by_norm = _catalogue(items, norms, order[np.argsort(-norms[order], kind="stable")])
        tiles = _rank(query, by_norm, 0, trial, size, True, lists)
        if tiles < PAYS * len(by_norm.panels) * -(-trial // ROWS):
            _rank(query, by_norm, trial, n, size, True, lists)
            return lists
    if trial < n:
        _rank(query, _catalogue(items, norms, order), trial, n, size, False, lists)
    return lists


def top_items(
    users: np.ndarray,
    items: np.ndarray,
    mask: Sequence[CSR],
    k: int,
    candidates: np.ndarray | None = None,
    prune: bool | str = "auto",
) -> tuple[np.ndarray, np.ndarray]:
    """Return the k items with the highest scores <users[u], items[i]> for every user, best first.

    Exact: equal scores go to the lower item, and a score is one sum in a fixed order, so that neither pruning, nor the
    number of threads, nor the other users and items of a call change a bit of the result. Tiles of scores stay in
    registers; only those above a user's k-th best so far leave them and are looked up in the mask.

    Pruning visits the items by falling norm and leaves a user when |u| |i|, widened by the largest rounding error, is
    below the k-th best (Cauchy-Schwarz).

    Parameters
    ----------
    users, items : float32 (n_users, d) and (n_items, d), d >= 1
    mask : matrices (n_users, n_items) with ascending rows; what stands in row u of any of them is left out for user u
    k : length of the lists; may exceed the number of items
    candidates : bool (n_items,), items that may be recommended; all when None
    prune : True, False, or "auto": the first 512 users decide whether it leaves out a fifth of the scores

    Returns
    -------
    items : int32 (n_users, k), -1 where no item is left
    scores : float32 (n_users, k), -inf there

    Raises
    ------
    UsageError for k < 1 or an unknown `prune`; DataError for arrays that do not fit; DivergedError for numbers that are
    infinite, NaN, or so large that a score would be.
    """
    if k < 1 or prune not in (True, False, "auto"):
        raise UsageError(f"top_items: 'k' must be at least 1 and 'prune' True, False or 'auto'; got {k} and {prune!r}.")
    users, items = (np.ascontiguousarray(table, np.float32) for table in (users, items))
    if users.ndim != 2 or items.ndim != 2 or users.shape[1] != items.shape[1] or not users.shape[1]:
        raise DataError(f"top_items: users {users.shape} and items {items.shape} must be matrices of one width.")
    if candidates is not None and (candidates.dtype != np.bool_ or candidates.shape != (len(items),)):
        raise DataError(f"top_items: 'candidates' must be a boolean mask of the {len(items)} items.")
    user_norms, item_norms = _norms(users), _norms(items)
    largest = _largest(user_norms, "users' vectors") * _largest(item_norms, "items' vectors")
    if largest > 1e38:
        raise DivergedError(
            f"top_items: scores up to {largest:.1e} leave the range of float32. Scale the vectors down."
        )
    order = np.arange(len(items)) if candidates is None else np.flatnonzero(candidates)
    query = _query(users, user_norms, _masked_rows(mask, len(users), len(items)))
    lists = _rank_all(query, items, item_norms, order, prune, k)
    return lists.items, lists.scores
