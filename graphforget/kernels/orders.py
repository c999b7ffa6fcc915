"""The order of an epoch: permutations, and users with one of their items."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError
from graphforget._core.streams import Stream, draw_below, draw_u64
from graphforget.kernels.csr import CSR, frozen

BUCKET = 4096
"""Mean size of the buckets of a shuffle, each of which is shuffled inside the cache."""

MAX_BUCKETS = 2048
"""Largest number of buckets: more would be written to too many places at once."""

PART = 65536
"""Least number of elements that one parallel task deals out to the buckets."""

MAX_PARTS = 64
"""Largest number of parallel tasks."""

BLOCK = 8192
"""Draws of one parallel task."""

SHORT = 1024
"""Longest row whose entries are ranked by comparing each with each, which takes no compiled sort."""

_S32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _deal_start(n: int, part: int, parts: int) -> int:
    return n * part // parts


@njit(parallel=True, cache=True, nogil=True)
def _count_dealt(n: int, key: np.uint64, ends: np.ndarray) -> None:
    """Set ends[bucket, part] to the number of elements of a part that go to a bucket."""
    n_buckets, parts = ends.shape
    for part in prange(parts):
        for i in range(_deal_start(n, part, parts), _deal_start(n, part + 1, parts)):
            ends[draw_below(key, i, n_buckets), part] += 1


@njit(parallel=True, cache=True, nogil=True)
def _deal(u: np.ndarray, v: np.ndarray, key: np.uint64, cursors: np.ndarray, out: np.ndarray) -> None:
    """Write every pair (u, v), or where there are none every number, behind those its part has dealt to its bucket."""
    n_buckets, parts = cursors.shape
    for part in prange(parts):
        at = cursors[:, part].copy()
        for i in range(_deal_start(len(out), part, parts), _deal_start(len(out), part + 1, parts)):
            bucket = draw_below(key, i, n_buckets)
            out[at[bucket]] = (np.uint64(u[i]) << _S32) | np.uint64(v[i]) if len(u) else np.uint64(i)
            at[bucket] += 1


@njit(parallel=True, cache=True, nogil=True)
def _shuffle_buckets(key: np.uint64, starts: np.ndarray, out: np.ndarray) -> None:
    for bucket in prange(len(starts) - 1):
        own, part = draw_u64(key, bucket), out[starts[bucket] : starts[bucket + 1]]
        for last in range(len(part) - 1, 0, -1):
            other = draw_below(own, last, last + 1)
            part[last], part[other] = part[other], part[last]


def _two_keys(key: int) -> tuple[np.uint64, np.uint64]:
    first, second = Stream(int(key)).bits(2)
    return first, second


def epoch_order(n: int, key: int) -> np.ndarray:
    """Return a uniformly random permutation of 0 .. n - 1, int64 (n,).

    Every element is dealt to a random bucket, and each bucket is shuffled by Fisher and Yates (Rao 1961, Sandelius
    1962): as uniform as one shuffle of all, but parallel, and in the cache. A generator's `permutation` costs more than
    drawing all negatives of an epoch. The bias is below n / 2^32; n < 2^32.

    Parameters
    ----------
    n : number of elements, from 0
    key : stream key, see `Streams`

    Example
    -------
    >>> epoch_order(5, key=1).tolist() == epoch_order(5, key=1).tolist()
    True
    >>> sorted(epoch_order(5, key=1).tolist())
    [0, 1, 2, 3, 4]
    """
    none = np.empty(0, np.int64)
    return _shuffled(none, none, n, key).view(np.int64)


def _shuffled(u: np.ndarray, v: np.ndarray, n: int, key: int) -> np.ndarray:
    """Return the pairs (without any: the numbers below n) in the order of an epoch, uint64 (n,)."""
    buckets, swaps = _two_keys(key)
    starts, out = _dealt_starts(n, buckets), np.empty(n, np.uint64)
    _deal(frozen(u), frozen(v), buckets, starts, out)
    _shuffle_buckets(swaps, np.append(starts[:, 0], n), out)
    return out


def _dealt_starts(n: int, key: np.uint64) -> np.ndarray:
    """Return where each part writes the first element that it deals to each bucket, (n_buckets, parts)."""
    ends = np.zeros((min(MAX_BUCKETS, n // BUCKET + 1), min(MAX_PARTS, n // PART + 1)), np.int64)
    _count_dealt(n, key, ends)
    return (np.cumsum(ends) - ends.ravel()).reshape(ends.shape)


@njit(parallel=True, cache=True, nogil=True)
def _unpack(pairs: np.ndarray, u: np.ndarray, v: np.ndarray) -> None:
    for k in prange(len(pairs)):
        u[k], v[k] = pairs[k] >> _S32, pairs[k] & _LOW


def shuffled_pairs(u: np.ndarray, v: np.ndarray, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Return `u[order], v[order]` with `order = epoch_order(len(u), key)`, int32: the pairs move, nothing is looked up.

    Shapes: integers (n,), from 0 and below 2^31.
    """
    n = len(u)
    pairs = _shuffled(u, v, n, key)
    left, right = np.empty(n, np.int32), np.empty(n, np.int32)
    _unpack(pairs, left, right)
    return left, right


@njit(parallel=True, cache=True, nogil=True)
def _pick(indptr: np.ndarray, indices: np.ndarray, rows: np.ndarray, key: np.uint64, out: np.ndarray) -> None:
    for block in prange((len(rows) + BLOCK - 1) // BLOCK):
        for slot in range(block * BLOCK, min(len(rows), (block + 1) * BLOCK)):
            first = indptr[rows[slot]]
            out[slot] = indices[first + draw_below(key, slot, indptr[rows[slot] + 1] - first)]


def pick_items(csr: CSR, rows: np.ndarray, key: int | np.uint64) -> np.ndarray:
    """Draw for each entry of `rows` one of the columns of that row, uniformly; int32 (m,).

    Raises
    ------
    DataError if a row of `rows` is empty.
    """
    lengths = csr.indptr[1:] - csr.indptr[:-1]
    empty = np.flatnonzero(lengths[rows] == 0)
    if len(empty):
        raise DataError(f"Row {rows[empty[0]]} has no entry, so none can be picked. Leave it out.")
    out = np.empty(len(rows), np.int32)
    _pick(csr.indptr, csr.indices, rows, np.uint64(key), out)
    return out


def _users_with_items(csr: CSR) -> np.ndarray:
    users = np.flatnonzero(np.diff(csr.indptr)).astype(np.int32)
    if not len(users):
        raise DataError("No row has an entry (no user an item), so there is nothing to draw.")
    return users


@njit(parallel=True, cache=True, nogil=True)
def _draw_users(users: np.ndarray, key: np.uint64, out: np.ndarray) -> None:
    for block in prange((len(out) + BLOCK - 1) // BLOCK):
        for slot in range(block * BLOCK, min(len(out), (block + 1) * BLOCK)):
            out[slot] = users[draw_below(key, slot, len(users))]


def user_draws(csr: CSR, count: int, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw users uniformly, with replacement, and one item of each, uniformly (the sampler of LightGCN's authors).

    Only users with items are drawn. (The authors' Python sampler draws from all users and drops those without items,
    so that its epochs are shorter; their other one takes each user equally often: `pick_items`.)

    Returns
    -------
    users, items : int32 (count,)

    Raises
    ------
    DataError if no user has items.
    """
    which, items = _two_keys(key)
    users = np.empty(count, np.int32)
    _draw_users(_users_with_items(csr), which, users)
    return users, pick_items(csr, users, items)


@njit(parallel=True, cache=True, nogil=True)
def _draw_batches(users: np.ndarray, key: np.uint64, out: np.ndarray) -> None:
    """Fill each row of `out` with distinct users: the first steps of a shuffle, undone after each batch."""
    n_batches, size = out.shape
    parts = min(MAX_PARTS, n_batches)
    for part in prange(parts):
        order, swaps = users.copy(), np.empty(size, np.int64)
        for batch in range(_deal_start(n_batches, part, parts), _deal_start(n_batches, part + 1, parts)):
            for j in range(size):
                swaps[j] = j + draw_below(key, batch * size + j, len(order) - j)
                order[j], order[swaps[j]] = order[swaps[j]], order[j]
                out[batch, j] = order[j]
            for j in range(size - 1, -1, -1):
                order[j], order[swaps[j]] = order[swaps[j]], order[j]


def users_without_replacement(csr: CSR, batch: int, n_batches: int, key: int) -> tuple[np.ndarray, np.ndarray]:
    """Draw batches of different users, and one item of each, uniformly (the sampler of KGAT's authors).

    A user stands at most once in a batch; batches are independent of each other. As in the authors' code, a batch
    larger than the number of users with items is drawn with replacement.

    Returns
    -------
    users, items : int32 (batch * n_batches,), batch after batch

    Raises
    ------
    DataError if no user has items.
    """
    known = _users_with_items(csr)
    if batch > len(known):
        return user_draws(csr, batch * n_batches, key)
    which, items = _two_keys(key)
    users = np.empty((n_batches, batch), np.int32)
    _draw_batches(known, which, users)
    return users.ravel(), pick_items(csr, users.ravel(), items)


@njit(parallel=True, cache=True, nogil=True)
def _rank_short_rows(indptr: np.ndarray, keys: np.ndarray, out: np.ndarray) -> None:
    for row in prange(len(indptr) - 1):
        first, end = indptr[row], indptr[row + 1]
        if end - first > SHORT:
            continue
        for i in range(first, end):
            behind = 0
            for j in range(first, i):
                behind += keys[j] > keys[i]
            for j in range(i + 1, end):
                behind += keys[j] >= keys[i]
            out[i] = behind


def ranks_from_end(indptr: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return for every entry how many of its row come after it when rows are sorted by key, int64 (m,).

    Of equal keys the first comes first. Rows of a matrix lie together already: sorting the whole of it by row and key
    (`numpy.lexsort`) takes twenty-five times as long at 10^7 entries.

    Parameters
    ----------
    indptr : int64 (n_rows + 1,) starts of the rows
    keys : (m,) what orders a row

    Example
    -------
    >>> ranks_from_end(np.array([0, 3, 4]), np.array([5, 9, 7, 1])).tolist()
    [2, 0, 1, 0]
    """
    out = np.empty(len(keys), np.int64)
    _rank_short_rows(indptr, keys, out)
    for row in np.flatnonzero(np.diff(indptr) > SHORT):
        order = np.argsort(keys[indptr[row] : indptr[row + 1]], kind="stable")
        out[indptr[row] + order] = np.arange(len(order) - 1, -1, -1)
    return out
