"""Ranking measures of scores with binary labels; ties count exactly, no NaN."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.streams import draw_below, draw_u64


@njit(cache=True, nogil=True)
def _twice_beaten(items: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return for every item 2 * (others below) + (others equal); both inputs sorted ascending."""
    out = np.empty(len(items), np.int64)
    below = upto = 0
    for i in range(len(items)):
        while below < len(others) and others[below] < items[i]:
            below += 1
        upto = max(upto, below)
        while upto < len(others) and others[upto] == items[i]:
            upto += 1
        out[i] = below + upto
    return out


@njit(cache=True, nogil=True)
def _average_precision(pos: np.ndarray, neg: np.ndarray) -> float:
    """Sum (recall step) * precision over the distinct scores from the top; both inputs sorted ascending."""
    p, q = len(pos) - 1, len(neg) - 1
    hits = false = 0
    total = 0.0
    while p >= 0:
        score = pos[p]
        before = hits
        while p >= 0 and pos[p] == score:
            hits += 1
            p -= 1
        while q >= 0 and neg[q] >= score:
            false += 1
            q -= 1
        total += (hits - before) * (hits / (hits + false))
    return total / len(pos)


def _split(labels: np.ndarray, scores: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return np.sort(scores[labels]), np.sort(scores[~labels])


def auc(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the area under the ROC curve: the share of (positive, negative) pairs in order, a tie is half.

    Shapes: labels bool (m,) with both values present, scores (m,).
    """
    pos, neg = _split(labels, scores)
    return float(_twice_beaten(pos, neg).sum() / (2 * len(pos) * len(neg)))


def average_precision(labels: np.ndarray, scores: np.ndarray) -> float:
    """Return the sum of (recall step) * precision over the distinct thresholds, not interpolated.

    Shapes: labels bool (m,) with at least one positive, scores (m,).
    """
    return float(_average_precision(*_split(labels, scores)))


@njit(cache=True, nogil=True)
def _draw_total(values: np.ndarray, k: int, key: np.uint64) -> int:
    """Return the sum of k of the values, chosen without replacement (Floyd's algorithm)."""
    m = len(values)
    taken = np.zeros(m, np.bool_)
    total = 0
    for top in range(m - k, m):
        chosen = draw_below(key, top, top + 1)
        if taken[chosen]:
            chosen = top
        taken[chosen] = True
        total += values[chosen]
    return total


@njit(parallel=True, cache=True, nogil=True)
def _draw_totals(values: np.ndarray, k: int, key: np.uint64, totals: np.ndarray) -> None:
    for draw in prange(len(totals)):
        totals[draw] = _draw_total(values, k, draw_u64(key, draw))


def mean_auc_draws(neg_scores: np.ndarray, pool_scores: np.ndarray, draws: int, key: int) -> float:
    """Return the mean AUC over draws of k pool items without replacement (label 1) against `neg_scores`.

    Every pool item's share of beaten negatives is found once, from one sort; a draw's AUC is the mean of the
    shares of its items. Draw t uses the stream `draw_u64(key, t)`. Sums are integers: their order is free.

    Parameters
    ----------
    neg_scores : (k,), label 0, k >= 1
    pool_scores : (m,), m >= k (the caller checks: fewer cannot be drawn without replacement), m < 2^32
    draws : number of draws, >= 1
    key : stream key, see `Streams`
    """
    k = len(neg_scores)
    order = np.argsort(pool_scores, kind="stable")
    values = np.empty(len(pool_scores), np.int64)
    values[order] = _twice_beaten(pool_scores[order], np.sort(neg_scores))
    totals = np.empty(draws, np.int64)
    _draw_totals(values, k, np.uint64(key), totals)
    return sum(totals.tolist()) / (2 * k * k * draws)
