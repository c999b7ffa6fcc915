import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from graphforget._core.streams import draw_below, draw_u64
from graphforget.kernels.ranking import auc, average_precision, mean_auc_draws

items = st.lists(st.tuples(st.booleans(), st.integers(-3, 3)), min_size=2, max_size=60)


@settings(max_examples=150, deadline=None)
@given(items)
def test_agrees_with_sklearn_with_many_ties(drawn):
    labels = np.array([label for label, _ in drawn])
    scores = np.array([score for _, score in drawn], np.float32)
    labels[:2] = True, False
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_agrees_with_sklearn_without_ties(dtype):
    rng = np.random.default_rng(0)
    labels, scores = rng.random(3000) < 0.3, rng.normal(size=3000).astype(dtype)
    assert auc(labels, scores) == pytest.approx(roc_auc_score(labels, scores), abs=1e-12)
    assert average_precision(labels, scores) == pytest.approx(average_precision_score(labels, scores), abs=1e-12)


def test_perfect_reversed_and_constant_scores():
    labels = np.array([False, True, False, True])
    assert (auc(labels, labels * 1.0), average_precision(labels, labels * 1.0)) == (1.0, 1.0)
    assert auc(labels, 1.0 - labels) == 0.0
    assert (auc(labels, np.zeros(4)), average_precision(labels, np.zeros(4))) == (0.5, 0.5)


def brute_draw(neg, pool, key):
    """Floyd's draw in plain Python, scored by sklearn."""
    m, k, chosen = len(pool), len(neg), []
    for top in range(m - k, m):
        pick = int(draw_below(np.uint64(key), top, top + 1))
        chosen.append(top if pick in chosen else pick)
    assert len(set(chosen)) == k
    return roc_auc_score([1] * k + [0] * k, np.concatenate((pool[chosen], neg)))


def test_every_draw_is_scored_as_by_sklearn():
    rng = np.random.default_rng(1)
    neg, pool = rng.integers(0, 6, 7).astype(float), rng.integers(0, 8, 20).astype(float)
    wanted = np.mean([brute_draw(neg, pool, draw_u64(np.uint64(99), draw)) for draw in range(25)])
    assert mean_auc_draws(neg, pool, 25, 99) == pytest.approx(wanted, abs=1e-12)


def test_drawing_the_whole_pool_is_its_auc():
    rng = np.random.default_rng(2)
    neg, pool = rng.normal(size=50), rng.normal(size=50) + 0.5
    wanted = roc_auc_score([0] * 50 + [1] * 50, np.concatenate((neg, pool)))
    assert mean_auc_draws(neg, pool, 3, 0) == pytest.approx(wanted, abs=1e-12)


def test_many_draws_approach_the_auc_of_the_pool():
    rng = np.random.default_rng(3)
    neg, pool = rng.normal(size=40), rng.normal(size=400) + 1
    wanted = roc_auc_score([0] * 40 + [1] * 400, np.concatenate((neg, pool)))
    assert mean_auc_draws(neg, pool, 3000, 5) == pytest.approx(wanted, abs=0.003)


def test_draws_do_not_depend_on_the_threads(same_for_any_threads):
    rng = np.random.default_rng(4)
    neg, pool = rng.normal(size=40), rng.normal(size=400)
    assert same_for_any_threads(lambda: np.array([mean_auc_draws(neg, pool, 64, 8)]))
