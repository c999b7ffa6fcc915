"""How far the recommended lists are from gold's: the items they share, and how high these stand."""

from __future__ import annotations

import numpy as np

from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.evaluation.recommend_case import K

PERSISTENCE = 0.9
BLOCK = 4096
"""Lists that are compared at a time."""


def shared_upto(ours: np.ndarray, gold: np.ndarray) -> np.ndarray:
    """Return how many items the first d places of two lists share, for every d: (m, k) lists -> (m, k) counts.

    A list holds an item once; -1 stands where it has ended.
    """
    k = ours.shape[1]
    later = np.maximum.outer(np.arange(k), np.arange(k)).ravel()  # the depth at which a shared item counts
    at = (later[:, None] == np.arange(k)).astype(np.float32)
    counts = np.empty(ours.shape, dtype=np.int64)
    for first in range(0, len(ours), BLOCK):
        mine, theirs = ours[first : first + BLOCK], gold[first : first + BLOCK]
        same = (mine[:, :, None] == theirs[:, None, :]) & (mine >= 0)[:, :, None]
        counts[first : first + BLOCK] = (same.reshape(len(mine), k * k) @ at).cumsum(axis=1)
    return counts


def _longest(ours: np.ndarray, gold: np.ndarray) -> np.ndarray:
    return np.maximum((ours >= 0).sum(axis=1), (gold >= 0).sum(axis=1))


def overlap(ours: np.ndarray, gold: np.ndarray) -> float:
    """Return the mean share of a list's items that stand in gold's list; of two lengths the longer one counts.

    Example
    -------
    >>> overlap(np.array([[1, 2, 3, 4]]), np.array([[4, 3, 9, 8]]))
    0.5
    """
    length = _longest(ours, gold)
    some = length > 0
    return float((shared_upto(ours, gold)[some, -1] / length[some]).mean())


def rank_biased_overlap(ours: np.ndarray, gold: np.ndarray, p: float = PERSISTENCE) -> float:
    """Return the mean rank-biased overlap of (m, k) lists, 0 (nothing shared) to 1 (the same items in the same order).

    Source: Webber, Moffat and Zobel (2010): sum over depths d of p^(d-1) A_d, A_d the share of the first d places
    that both lists hold. Deviation: the sum ends with the (longer) list and is divided by its weights, so that equal
    lists have 1; with p = 0.9 the first ten of 20 places carry 74 % of the weight.

    Example
    -------
    >>> rank_biased_overlap(np.array([[1, 2, 3]]), np.array([[1, 3, 2]]), p=0.5)
    0.8571428571428571
    """
    depth = np.arange(1, ours.shape[1] + 1)
    length = _longest(ours, gold)
    some = length > 0
    weights = p ** (depth - 1) * (depth <= length[some, None])
    shares = shared_upto(ours, gold)[some] / depth
    return float(((weights * shares).sum(axis=1) / weights.sum(axis=1)).mean())


def list_distances(case: Case, subject: Subject, gold: Subject) -> Findings:
    """Return overlap and rank-biased overlap with gold's top 20, for users with test and with forgotten pairs."""
    found = Findings()
    for part in ("test", "forgotten"):
        if part in case.rounds:
            ours, theirs = (one.lists(case, part)[:, :K] for one in (subject, gold))
            found.values |= {f"overlap_{part}": overlap(ours, theirs), f"rbo_{part}": rank_biased_overlap(ours, theirs)}
    return found
