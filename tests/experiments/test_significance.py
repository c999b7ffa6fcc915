"""Tests over seeds against scipy and by hand; marks only where a difference is significant."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from graphforget.experiments.significance import best_two, holm, least_p, paired_t, wilcoxon


@pytest.mark.parametrize("seed", range(6))
def test_wilcoxon_is_scipys_exact_test(seed):
    differences = np.random.default_rng(seed).normal(0.5, 1.0, 4 + seed)
    assert wilcoxon(differences) == pytest.approx(stats.wilcoxon(differences, method="exact").pvalue, abs=1e-12)


def test_wilcoxon_with_ties_and_zeros_by_hand():
    # |d| = 1, 1, 2 have ranks 1.5, 1.5, 3; W = 1.5 + 1.5 - 3 = 0, so every flip is at least as far
    assert wilcoxon(np.array([1.0, 1.0, -2.0, 0.0])) == 1.0
    # ranks 1.5, 1.5, 3 all positive: 6, reached by all plus and all minus, 2 of 8
    assert wilcoxon(np.array([1.0, 1.0, 2.0, 0.0])) == 0.25
    assert wilcoxon(np.zeros(5)) == 1.0


def test_many_seeds_take_the_approximation():
    differences = np.random.default_rng(1).normal(1.0, 0.5, 40)
    assert 0 < wilcoxon(differences) < 1e-6


def test_the_t_test_is_scipys_and_knows_constant_differences():
    a, b = np.random.default_rng(0).normal(size=(2, 8))
    assert paired_t(a - b) == pytest.approx(stats.ttest_rel(a, b).pvalue, abs=1e-12)
    assert paired_t(np.zeros(4)) == 1.0 and paired_t(np.full(4, 0.1)) == 0.125


@pytest.mark.parametrize("seeds", [2, 5])
def test_accuracies_that_differ_by_the_same_few_nodes_are_no_evidence(seeds):
    """All differences are one node of a hundred, up to rounding."""
    losses = {row: {s: -(hits + 20 * s) / 100 for s in range(seeds)} for row, hits in (("a", 4), ("b", 3))}
    assert len({losses["a"][s] - losses["b"][s] for s in range(seeds)}) > 1
    assert best_two(losses, "t") == []


def test_holm_by_hand():
    assert holm([0.01, 0.04, 0.03]) == pytest.approx([0.03, 0.06, 0.06])
    assert holm([0.5, 0.9]) == [1.0, 1.0] and holm([]) == []


def rows(**means: float) -> dict[str, dict[int, float]]:
    """Return losses of ten seeds around a mean, with a little noise of their own."""
    rng = np.random.default_rng(3)
    return {row: {s: mean + 0.01 * rng.normal() for s in range(10)} for row, mean in means.items()}


@pytest.mark.parametrize("test", ["wilcoxon", "t"])
def test_clear_differences_are_marked_and_equal_rows_are_not(test):
    assert best_two(rows(a=0.5, b=0.1, c=0.3), test) == ["b", "c"]
    assert best_two(rows(a=0.1, b=0.1, c=0.9), test) == []
    assert best_two(rows(a=0.1, b=0.5, c=0.5), test) == ["a"]


def test_a_row_alone_or_a_single_seed_is_not_marked():
    assert best_two({"a": {1: 0.1, 2: 0.2}}, "t") == []
    assert best_two({"a": {1: 0.1}, "b": {1: 0.9}}, "t") == []
    assert best_two({}, "wilcoxon") == []


def test_five_seeds_are_too_few_for_wilcoxon():
    clear = {row: {s: mean + s * scale for s in range(5)} for row, mean, scale in (("a", 0.0, 1.0), ("b", 1.0, 1.1))}
    assert best_two(clear, "wilcoxon") == [] and best_two(clear, "t") == ["a"]
    assert least_p(5, "wilcoxon") == 0.0625 and least_p(6, "wilcoxon") < 0.05


def test_a_mean_that_one_seed_carries_against_all_others_is_not_marked():
    """The first row has the smaller mean, and the test rejects equality because it is behind in 13 seeds of 14."""
    other = {s: 1.0 for s in range(14)}
    carried = {s: 1.0 + s / 100 if s else 0.0 for s in range(14)}
    assert wilcoxon(np.array([carried[s] - 1.0 for s in range(14)])) < 0.05
    assert np.mean(list(carried.values())) < 1.0
    assert best_two({"carried": carried, "other": other}, "wilcoxon") == []


def test_only_the_seeds_that_all_rows_have_count():
    losses = rows(a=0.1, b=0.5)
    losses["b"].pop(3)
    losses["a"][99] = 1e9
    assert best_two(losses, "t") == ["a"]
