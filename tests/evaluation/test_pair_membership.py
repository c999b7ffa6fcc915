"""The membership attack on recommenders whose memory is planted."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from graphforget.evaluation import pair_membership as module
from graphforget.evaluation.logistic import fit_logistic
from graphforget.evaluation.pair_membership import NO_INTERACTION, TOO_FEW, features, pair_membership
from graphforget.tasks.base import Forgotten


@pytest.fixture
def case(shop, shop_case):
    """The deletion of forty interactions."""
    pairs = shop.graph.pairs("train")[:, ::6]
    return shop_case(shop, interactions=[tuple(pair) for pair in pairs.T.tolist()])


@pytest.fixture
def scores(case):
    """Scores with noise: training pairs near 3, test pairs near 1, forgotten and other pairs near 0."""
    found = np.random.default_rng(0).normal(size=(24, 60), scale=0.3)
    found[tuple(case.retained.graph.pairs("train"))] += 3.0
    found[tuple(case.retained.graph.pairs("test"))] += 1.0
    return found


def forgotten(case) -> tuple[np.ndarray, np.ndarray]:
    """Return users and items of the forgotten pairs."""
    users, nodes = case.gone.items
    return users, nodes - 24


def test_a_model_that_still_ranks_forgotten_pairs_as_members_is_found_out(case, scores, scored):
    scores[forgotten(case)] += 3.0
    values = pair_membership(case, scored(case, scores)).values
    assert values["pair_mi_auc"] > 0.98 and values["pair_mi_quality"] > 0.98


def test_forgotten_pairs_like_test_pairs_are_at_one_half(case, scores, scored):
    scores[forgotten(case)] += 1.0
    values = pair_membership(case, scored(case, scores)).values
    assert values["pair_mi_auc"] == pytest.approx(0.5, abs=0.15) and values["pair_mi_quality"] > 0.98


def test_forgotten_pairs_below_test_pairs_are_near_zero(case, scores, scored):
    scores[forgotten(case)] -= 3.0
    assert pair_membership(case, scored(case, scores)).values["pair_mi_auc"] < 0.02


def test_a_model_that_knows_nothing_cannot_be_attacked(case, scored):
    blind = np.random.default_rng(1).normal(size=(24, 60))
    values = pair_membership(case, scored(case, blind)).values
    assert values["pair_mi_quality"] == pytest.approx(0.5, abs=0.2)


def test_the_same_model_gives_the_same_number(case, scores, scored):
    assert pair_membership(case, scored(case, scores)).values == pair_membership(case, scored(case, scores)).values


@pytest.mark.parametrize("block", [5, 256])
def test_features_are_score_rank_and_margin(case, scored, monkeypatch, block):
    monkeypatch.setattr(module, "BLOCK", block)
    scores = np.random.default_rng(2).integers(0, 25, size=(24, 60)).astype(float)  # with many ties
    pairs = np.random.default_rng(3).integers([[24], [60]], size=(2, 300))
    found = features(case.retained, scored(case, scores), pairs)
    for (user, item), (score, rank, margin) in zip(pairs.T, found, strict=True):
        row = scores[user]
        lower, same = (row < row[item]).sum(), (row == row[item]).sum() - 1
        assert score == row[item]
        assert rank == pytest.approx((lower + same / 2) / 59)
        assert margin == row[item] - np.sort(row)[-20]


def test_the_sample_keeps_whole_users_together(case, scores, scored, monkeypatch):
    monkeypatch.setattr(module, "USERS", 6)
    members, others = (
        module._sample(case, n, case.retained.graph.pairs(p)) for n, p in (("members", "train"), ("others", "test"))
    )
    assert len(np.unique(members[0])) == len(np.unique(others[0])) == 6
    assert set(members[0].tolist()) == set(others[0].tolist())
    monkeypatch.setattr(module, "PAIRS", 4)
    assert module._sample(case, "members", case.retained.graph.pairs("train")).shape == (2, 8)
    assert module._sample(case, "forgotten", case.retained.graph.pairs("train")).shape == (2, 4)


def test_the_users_of_the_sample_are_drawn_once_for_all_kinds(case, monkeypatch):
    monkeypatch.setattr(module, "USERS", 6)
    turn = case.task.streams("attack-users").numpy().permutation(24)
    sample = module._sample(case, "members", case.retained.graph.pairs("train"))
    assert np.unique(sample[0]).tolist() == sorted(np.argsort(turn)[:6].tolist()) != list(range(6))


def test_the_attack_is_judged_on_pairs_that_it_was_not_fitted_on():
    rng = np.random.default_rng(0)
    members, others, gone = (rng.normal(size=(n, 3)) + shift for n, shift in ((31, 0.4), (20, 0.0), (15, 0.2)))
    fitted = np.concatenate([members[::2], others[::2]])
    found = fit_logistic(fitted, np.arange(len(fitted)) < 16)
    values = module._attack(members, others, gone)
    for name, above in (("pair_mi_auc", gone), ("pair_mi_quality", members[1::2])):
        labels = np.arange(len(above) + 10) < len(above)
        scores = found.log_odds(np.concatenate([above, others[1::2]]))
        assert values[name] == pytest.approx(roc_auc_score(labels, scores))


def test_few_pairs_are_named(case, scores, scored, monkeypatch):
    """Every second of the 72 test pairs fits the attack."""
    assert pair_membership(case, scored(case, scores)).notes == [
        "the AUC of the membership attack rests on 40 forgotten pairs and 36 test pairs: chance moves it far."
    ]
    monkeypatch.setattr(module, "FEW", 36)
    assert not pair_membership(case, scored(case, scores)).notes


def test_what_cannot_be_attacked_is_said(case, shop_without_test, shop_case, scores, scored):
    no_pairs = type(case)(case.task, case.retained, Forgotten("triples", items=np.empty((2, 0), np.int64)), {})
    assert pair_membership(no_pairs, scored(case, scores)).notes == [NO_INTERACTION]
    no_test = shop_case(shop_without_test, users=[0])
    assert pair_membership(no_test, scored(no_test, scores)).notes == [TOO_FEW]
