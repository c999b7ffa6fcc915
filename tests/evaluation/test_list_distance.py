"""Overlap and rank-biased overlap of lists, by hand and by their definitions."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.evaluation.list_distance import BLOCK, list_distances, overlap, rank_biased_overlap, shared_upto


def rbo_by_definition(ours: list[int], gold: list[int], p: float) -> float:
    """Return the truncated, normalised rank-biased overlap of two lists, from sets."""
    length = max(len(ours), len(gold))
    weights = [p ** (d - 1) for d in range(1, length + 1)]
    shares = [len(set(ours[:d]) & set(gold[:d])) / d for d in range(1, length + 1)]
    return sum(w * a for w, a in zip(weights, shares, strict=True)) / sum(weights)


def test_shared_items_count_from_the_deeper_of_their_two_places():
    assert shared_upto(np.array([[1, 2, 3, 4]]), np.array([[3, 2, 9, 1]])).tolist() == [[0, 1, 2, 3]]
    assert shared_upto(np.array([[1, -1]]), np.array([[1, -1]])).tolist() == [[1, 1]]


def test_equal_lists_are_at_one_and_strangers_at_zero():
    lists = np.array([[4, 0, 2], [1, -1, -1]])
    assert overlap(lists, lists) == rank_biased_overlap(lists, lists) == 1.0
    assert overlap(lists, lists + 10) == rank_biased_overlap(lists, lists + 10) == 0.0


def test_order_counts_for_rank_biased_overlap_alone():
    ours, turned = np.array([[1, 2, 3]]), np.array([[3, 2, 1]])
    assert overlap(ours, turned) == 1.0
    assert rank_biased_overlap(ours, turned, p=0.5) == pytest.approx((0 + 0.5 * 0.5 + 0.25) / 1.75)
    swapped_below = rank_biased_overlap(ours, np.array([[1, 3, 2]]))
    swapped_above = rank_biased_overlap(ours, np.array([[2, 1, 3]]))
    assert 1 > swapped_below > swapped_above


def test_random_lists_agree_with_the_definition():
    rng = np.random.default_rng(0)
    ours, gold = (np.stack([rng.permutation(12)[:8] for _ in range(50)]) for _ in range(2))
    ours[7, 3:] = -1
    as_lists = [[[i for i in row if i >= 0] for row in lists.tolist()] for lists in (ours, gold)]
    expected = np.mean([rbo_by_definition(a, b, 0.9) for a, b in zip(*as_lists, strict=True)])
    assert rank_biased_overlap(ours, gold) == pytest.approx(expected)
    shares = [len(set(a) & set(b)) / max(len(a), len(b)) for a, b in zip(*as_lists, strict=True)]
    assert overlap(ours, gold) == pytest.approx(np.mean(shares))


def test_more_lists_than_a_block_and_empty_ones():
    lists = np.tile(np.array([[1, 2]]), (BLOCK + 3, 1))
    other = lists.copy()
    other[-1] = [2, 9]
    assert shared_upto(lists, other)[-2:].tolist() == [[1, 2], [0, 1]]
    assert overlap(lists, other) == pytest.approx(1 - 0.5 / (BLOCK + 3))
    lists[0] = other[0] = -1
    assert overlap(lists, lists) == 1.0


def test_distances_of_the_top_twenty(shop, shop_case, scored):
    case = shop_case(shop, users=[0, 1])
    rng = np.random.default_rng(1)
    scores = rng.normal(size=(24, 60))
    gold = scored(case, scores, kind="gold")
    same = list_distances(case, scored(case, 3 * scores), gold).values
    assert same == {"overlap_test": 1.0, "rbo_test": 1.0, "overlap_forgotten": 1.0, "rbo_forgotten": 1.0}
    other = list_distances(case, scored(case, rng.normal(size=(24, 60))), gold).values
    assert 0.25 < other["overlap_test"] < 0.6  # 20 of some 48 candidates, drawn twice
    assert other["rbo_test"] < other["overlap_test"]
