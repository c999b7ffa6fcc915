"""What the numbers say beside gold, from hand-made records: which seeds and parts a mean is over."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.evaluation.difference import difference
from graphforget.evaluation.table import grid
from graphforget.evaluation.verdict import MARK, closest, gold_distances, over_forgotten


def test_a_seed_that_gold_lacks_says_nothing_of_over_forgetting(record):
    rows = [record("Gold", "gold", 0, forgotten_auc=0.5), record("far", seed=1, forgotten_auc=0.9)]
    rows += [record("both", seed=seed, forgotten_auc=value) for seed, value in ((0, 0.52), (1, 0.9))]
    assert over_forgotten(rows) == {"both": pytest.approx(0.02)}


def test_the_spread_of_a_distance_is_over_the_means_of_single_seeds(record):
    seeds = [(0.1, 0.3), (0.5, 0.1), (0.2, 0.2)]
    rows = [record("a", seed=n, js_test=test, js_forgotten=gone) for n, (test, gone) in enumerate(seeds)]
    means = [0.2, 0.3, 0.2]
    assert gold_distances(rows) == {"a": (pytest.approx(np.mean(means)), pytest.approx(np.std(means, ddof=1)))}
    assert gold_distances(rows[:1]) == {"a": (pytest.approx(0.2), None)}


def test_the_floor_beside_the_closest_is_that_of_its_own_seeds(record):
    """Of the third seed no method has a distance: its noise and its seconds are of another comparison."""
    rows = [record("Noise floor", "floor", seed, js_test=js) for seed, js in ((0, 0.02), (1, 0.04), (2, 0.9))]
    rows += [record("Gold", "gold", seed, seconds=seconds) for seed, seconds in ((0, 4.0), (1, 4.0), (2, 400.0))]
    rows += [record("near", seed=seed, js_test=0.1, seconds=2.0) for seed in (0, 1)]
    best = closest(rows)
    assert best is not None
    assert (best.floor, best.relative_time) == (pytest.approx(0.03), pytest.approx(0.5))


def test_a_row_as_far_from_gold_as_another_gold_model_is_as_gold(record):
    rows = [record("Gold", "gold", test_auc=0.5), record("Noise floor", "floor", test_auc=0.75)]
    found = difference([*rows, record("a", test_auc=0.25)], "a", "test_auc")
    assert found is not None and found.as_gold and (found.by, found.far, found.noise) == (-0.25, 0.25, 0.25)
    further = difference([*rows, record("a", test_auc=0.875)], "a", "test_auc")
    assert further is not None and not further.as_gold and not further.on_both_sides


def test_a_row_stands_beside_gold_of_its_own_seeds(record):
    rows = [record("Gold", "gold", seed, test_auc=value) for seed, value in enumerate((0.5, 0.75))]
    found = difference([*rows, record("a", seed=0, test_auc=0.25)], "a", "test_auc")
    assert found is not None and (found.gold, found.by) == (0.5, -0.25)


def test_the_mark_stands_at_the_score_of_over_forgetting_alone(record):
    rows = [record("Gold", "gold", forgotten_auc=0.5, test_auc=0.9), record("a", forgotten_auc=0.7, test_auc=0.8)]
    assert grid(rows) == [
        ["model", "test AUC ↑", "forgotten AUC →gold"],
        ["Gold", "0.9000", "0.5000"],
        ["a", "0.8000", f"0.7000 {MARK}"],
    ]


def test_the_parts_compared_are_those_that_the_noise_floor_has_as_well(record):
    rows = [record("Noise floor", "floor", js_test=0.1), record("a", js_test=0.2, js_forgotten=0.8)]
    assert gold_distances(rows) == {"Noise floor": (0.1, None), "a": (0.2, None)}
