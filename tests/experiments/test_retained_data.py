"""Ids of what is forgotten are replaced by ones that say nothing."""

from __future__ import annotations

import numpy as np

from graphforget.experiments.retained_data import nameless


def test_numbers_from_one_are_not_given_back_with_another_sign():
    ids = np.arange(1, 61)
    once = nameless(ids, np.array([32, 16]))
    assert once[[16, 32]].tolist() == [-1, -2] and not {17, 33, -17, -33} & set(once.tolist())
    twice = nameless(once, np.array([16, 32, 4]))
    assert len(set(twice.tolist())) == 60 and not {5, -5} & set(twice.tolist())
    assert np.array_equal(np.delete(twice, [4, 16, 32]), np.delete(ids, [4, 16, 32]))


def test_numbers_below_zero_stay_apart_from_the_new_ones():
    assert nameless(np.array([-7, 3, 9]), np.array([1])).tolist() == [-7, -8, 9]
