"""Measures of ranked lists against the items a user really chose: all cutoffs and conventions in one pass."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError, UsageError
from graphforget.kernels.csr import CSR

MEASURES = ("recall", "precision", "hit", "ndcg", "map", "mrr")
"""What is measured per user, in the order of the kernel's output; `coverage` is of all users together."""

NDCG = ("standard", "kgat", "full_truth")
MAP = ("min_mk", "m", "full")

BLOCK = 256
"""Users of one parallel task."""


@njit(cache=True, nogil=True)
def _mark_hits(ids: np.ndarray, chosen: np.ndarray, hits: np.ndarray) -> None:
    """Set hits[j] to whether ids[j] is one of `chosen` (ascending); -1 never is."""
    for j in range(len(ids)):
        at = np.searchsorted(chosen, ids[j])
        hits[j] = at < len(chosen) and chosen[at] == ids[j]


@njit(cache=True, nogil=True)
def _measure(
    hits: np.ndarray,
    m: int,
    ks: np.ndarray,
    gain: np.ndarray,
    ideal: np.ndarray,
    ndcg: int,
    map_at: int,
    out: np.ndarray,
) -> None:
    """Fill out (6, n_ks) for one user; `hits` (width,), `m` items to find, `ideal[t]` the DCG of t leading hits."""
    count, first, c = 0, 0, 0
    dcg = precisions = 0.0
    for j in range(len(hits)):
        if hits[j]:
            count += 1
            dcg += gain[j]
            precisions += count / (j + 1)
            first = first if first else j + 1
        if c < len(ks) and j + 1 == ks[c]:
            out[0, c], out[1, c], out[2, c] = count / m, count / ks[c], 1.0 if count else 0.0
            out[3, c], out[4, c], out[5, c] = dcg, precisions, 1.0 / first if first else 0.0
            c += 1
    for c in range(len(ks)):
        best = min(m, ks[c]) if ndcg == 0 else min(count, ks[c]) if ndcg == 1 else m
        out[3, c] = out[3, c] / ideal[best] if best else 0.0
        out[4, c] = precisions / m if map_at == 2 else out[4, c] / (min(m, ks[c]) if map_at == 0 else m)


@njit(parallel=True, cache=True, nogil=True)
def _measure_users(
    ids: np.ndarray,
    indptr: np.ndarray,
    chosen: np.ndarray,
    users: np.ndarray,
    ks: np.ndarray,
    gain: np.ndarray,
    ideal: np.ndarray,
    ndcg: int,
    map_at: int,
    out: np.ndarray,
) -> None:
    for block in prange((len(users) + BLOCK - 1) // BLOCK):
        hits = np.empty(ids.shape[1], np.bool_)
        for at in range(block * BLOCK, min(len(users), (block + 1) * BLOCK)):
            user = users[at]
            row = chosen[indptr[user] : indptr[user + 1]]
            _mark_hits(ids[user], row, hits)
            _measure(hits, len(row), ks, gain, ideal, ndcg, map_at, out[at])


@njit(cache=True, nogil=True)
def _count_shown(ids: np.ndarray, users: np.ndarray, ks: np.ndarray, n_items: int) -> np.ndarray:
    """Return how many different items the first k columns show to `users`, for every k, int64 (n_ks,)."""
    earliest = np.full(n_items, len(ks), np.int64)
    for user in users:
        c = 0
        for j in range(ks[-1]):
            c += 1 if j == ks[c] else 0
            if ids[user, j] >= 0:
                earliest[ids[user, j]] = min(c, earliest[ids[user, j]])
    return np.cumsum(np.bincount(earliest, minlength=len(ks) + 1)[:-1])


def _checked_cutoffs(ids: np.ndarray, truth: CSR, ks: Sequence[int]) -> np.ndarray:
    cutoffs = np.unique(np.asarray(ks, dtype=np.int64))
    if not len(cutoffs) or cutoffs[0] < 1 or cutoffs[-1] > ids.shape[1]:
        raise UsageError(
            f"ranking_metrics: 'ks' must be from 1 to {ids.shape[1]}, the columns of the lists; got {list(ks)}."
        )
    if len(ids) != truth.n_rows:
        raise DataError(f"ranking_metrics: {len(ids)} lists and {truth.n_rows} rows of truth; give one row per list.")
    if ids.size and not -1 <= ids.min() <= ids.max() < truth.n_cols:
        raise DataError(f"ranking_metrics: items must be from 0 to {truth.n_cols - 1}, or -1 for none.")
    return cutoffs


def _position(what: str, value: str, allowed: tuple[str, ...]) -> int:
    if value not in allowed:
        raise UsageError(f"ranking_metrics: '{what}' must be one of {', '.join(allowed)}; got '{value}'.")
    return allowed.index(value)


def user_metrics(
    ids: np.ndarray,
    truth: CSR,
    ks: Sequence[int],
    *,
    ndcg: str = "standard",
    map_at: str = "min_mk",
) -> tuple[np.ndarray, dict[str, np.ndarray]]:
    """Return every measure of every user who has items to find.

    See `ranking_metrics` for the measures and parameters.

    Returns
    -------
    users : int64 (n_users with truth,), rows of `ids`, ascending
    measures : "recall@20" and so on -> float64 (n_users with truth,)
    """
    conventions = _position("ndcg", ndcg, NDCG), _position("map_at", map_at, MAP)
    cutoffs = _checked_cutoffs(ids, truth, ks)
    lengths = np.diff(truth.indptr)
    users = np.flatnonzero(lengths)
    gain = 1.0 / np.log2(np.arange(2, max(ids.shape[1], int(lengths.max(initial=0))) + 2))
    ideal = np.concatenate(([0.0], np.cumsum(gain)))
    out = np.empty((len(users), len(MEASURES), len(cutoffs)))
    _measure_users(ids, truth.indptr, truth.indices, users, cutoffs, gain, ideal, *conventions, out)
    columns = ((name, a, k, c) for a, name in enumerate(MEASURES) for c, k in enumerate(cutoffs))
    return users, {f"{name}@{k}": out[:, a, c].copy() for name, a, k, c in columns}


def ranking_metrics(
    ids: np.ndarray,
    truth: CSR,
    ks: Sequence[int],
    *,
    ndcg: str = "standard",
    map_at: str = "min_mk",
    n_items: int | None = None,
) -> dict[str, float]:
    """Return recall, precision, hit rate, NDCG, MAP, MRR (means over users with truth) and coverage at every k.

    With h_j = 1 where place j of a user's list holds one of the m items to find, P@j = (h_1 + .. + h_j) / j and
    DCG@k = sum over j <= k of h_j / log2(j + 1): recall = hits / m; precision = hits / k, also where the list or m is
    shorter; hit = 1 if there is any; mrr = 1 / place of the first hit within k, else 0; coverage = share of
    the items that stand in the first k places of some user's list. Users without truth count nowhere.

    Parameters
    ----------
    ids : integers (n_users, width), items from the best on, none twice in a row; -1 where a list has ended
    truth : row u holds the items to find for list u, ascending, none twice; (n_users, all items)
    ks : cutoffs, each from 1 to width
    ndcg : what DCG is divided by, the DCG of so many leading hits: "standard" min(m, k); "kgat" the hits in the first
        k places once all hits of the list stand in front, so the value depends on `width` (the code of KGAT and NGCF
        passes 100); "full_truth" m, however small k is
    map_at : "min_mk" sum over j <= k of P@j h_j / min(m, k); "m" the same / m; "full" the sum over the whole list / m,
        the same at every k
    n_items : items that can be recommended, for coverage; all columns of `truth` when None

    Returns
    -------
    "recall@20" and so on -> mean

    Raises
    ------
    UsageError for an unknown convention or cutoff; DataError for arrays that do not fit, or when no user has truth.

    Example
    -------
    >>> from graphforget.kernels.csr import edges_to_csr
    >>> truth = edges_to_csr(np.array([0, 0]), np.array([1, 3]), 1, 5)
    >>> found = ranking_metrics(np.array([[3, 0, 1]]), truth, ks=(1, 3))
    >>> found["recall@1"], found["precision@3"], found["map@3"]
    (0.5, 0.6666666666666666, 0.8333333333333333)
    """
    users, measures = user_metrics(ids, truth, ks, ndcg=ndcg, map_at=map_at)
    if not len(users):
        raise DataError(
            f"ranking_metrics: none of the {len(ids)} users has an item to find; there is nothing to measure."
        )
    means = {name: float(values.mean()) for name, values in measures.items()}
    cutoffs = np.unique(np.asarray(ks, dtype=np.int64))
    shown = _count_shown(ids, users, cutoffs, truth.n_cols) / (truth.n_cols if n_items is None else n_items)
    return means | {f"coverage@{k}": float(share) for k, share in zip(cutoffs, shown, strict=True)}
