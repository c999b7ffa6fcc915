"""Membership inference: the fixture of the ratio, a planted attacker, and shadows of real models."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from safetensors.torch import save
from sklearn.metrics import roc_auc_score

from graphforget._core.errors import DataError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.evaluation.case import case_of
from graphforget.evaluation.membership import (
    CLAMP,
    Attacker,
    attack_auc,
    attacker_from,
    features,
    fit_attacker,
    membership,
    mi_ratio,
    refusal,
)
from graphforget.evaluation.shadow import ShadowAnswers, shadow_answers
from graphforget.kernels.ranking import mean_auc_draws

RNG = np.random.default_rng(0)


@pytest.fixture(scope="module")
def planted():
    """An attacker whose shadow is sure of its members (p near 0 or 1) and unsure of the others."""
    members = np.where(RNG.uniform(size=400) < 0.5, -6, 6) + RNG.normal(size=400) / 2
    return attacker_from(ShadowAnswers(members, RNG.normal(size=400) / 2), Streams(0))


def test_the_ratio_is_the_mean_of_before_over_after():
    ratio, clamped = mi_ratio(np.array([0.8, 0.3]), np.array([0.2, 0.3]))
    assert (ratio, clamped) == (pytest.approx(2.5), 0)


def test_clamped_items_are_counted():
    ratio, clamped = mi_ratio(np.array([0.5, 0.5]), np.array([0.0, 0.5]))
    assert ratio == pytest.approx((0.5 / CLAMP + 1) / 2)
    assert clamped == 0.5
    assert mi_ratio(np.array([0.5]), np.array([CLAMP])) == (0.5 / CLAMP, 0.0)


def test_features_are_both_probabilities_or_the_sorted_softmax():
    np.testing.assert_allclose(features(np.array([0.0, 800.0])), [[0.5, 0.5], [0, 1]])
    sorted_softmax = features(np.log([[0.2, 0.5, 0.3]]))
    np.testing.assert_allclose(sorted_softmax, [[0.5, 0.3, 0.2]], rtol=1e-6)
    assert sorted_softmax.dtype == torch.float32


def test_a_planted_attacker_knows_members(planted):
    assert planted.quality > 0.98
    assert planted.membership(np.array([-6.0, 6.0])).min() > 0.9
    assert planted.membership(np.array([-0.2, 0.2])).max() < 0.1


def test_an_attacker_without_a_signal_says_so():
    answers = ShadowAnswers(RNG.normal(size=2000), RNG.normal(size=2000))
    assert abs(attacker_from(answers, Streams(0)).quality - 0.5) < 0.08


def test_the_attacker_is_the_same_every_time(planted):
    members, others = np.linspace(-6, 6, 50), np.linspace(-1, 1, 70)
    first, second = (attacker_from(ShadowAnswers(members, others), Streams(3)) for _ in range(2))
    for name, value in first.network.state_dict().items():
        assert value.numpy().tobytes() == second.network.state_dict()[name].numpy().tobytes()


def test_what_judges_the_attacker_does_not_train_it():
    """Every fifth answer is held out: others in their place leave the network as it is, and move its quality alone."""
    answers = RNG.normal(size=80)
    held = Streams(3)("held-out").numpy().permutation(80)[:16]
    found = [attacker_from(ShadowAnswers(answers[:50], answers[50:]), Streams(3))]
    for moved in (held, np.setdiff1d(np.arange(80), held)[:1]):
        other = answers.copy()
        other[moved] += 4.0
        found.append(attacker_from(ShadowAnswers(other[:50], other[50:]), Streams(3)))
    first, same, different = (attacker.network.state_dict()["first"].numpy().tobytes() for attacker in found)
    assert first == same != different
    labels = np.arange(80)[held] < 50
    assert found[0].quality == pytest.approx(roc_auc_score(labels, found[0].membership(answers[held])))


def test_an_attacker_that_is_judged_on_one_kind_alone_sees_nothing():
    assert attacker_from(ShadowAnswers(np.array([9.0, 8.0, 7.0]), np.empty(0)), Streams(0)).quality == 0.5


def test_an_attacker_that_was_kept_judges_as_before(planted):
    kept = Attacker.from_bytes(planted.to_bytes(), "attacker")
    logits = RNG.normal(size=90) * 5
    assert kept.quality == planted.quality
    assert kept.membership(logits).tobytes() == planted.membership(logits).tobytes()


def test_what_is_no_attacker_is_a_sentence(planted):
    quality = torch.zeros((), dtype=torch.float64)
    strangers = [save({"quality": quality}), save({"quality": quality, "first": quality + 1}), save({"first": quality})]
    for data in (b"", planted.to_bytes()[:-1], *strangers):
        with pytest.raises(DataError, match="kept/attacker: not an attacker .* Delete its folder to fit it anew"):
            Attacker.from_bytes(data, "kept/attacker")


def test_forgetting_lowers_membership_and_raises_the_ratio(planted, link_case, subject):
    sure = np.full((60, 1), 6**0.5)
    original = subject(link_case, sure, "Original", "original")
    unsure = subject(link_case, np.zeros((60, 1)))
    same = membership(link_case, subject(link_case, sure), original, planted).values
    less = membership(link_case, unsure, original, planted).values
    assert same["mi_ratio"] == 1
    assert same["mi_attack_auc"] == less["mi_attack_auc"] == 0.5
    high, low = planted.membership(np.array([6.0]))[0], planted.membership(np.array([0.0]))[0]
    assert less["mi_ratio"] == pytest.approx(high / max(low, CLAMP), rel=1e-5)
    assert set(membership(link_case, original, original, planted).values) == {"mi_attack_auc"}


def test_attack_auc_separates_retained_above_forgotten(link_case):
    assert attack_auc(link_case, np.zeros(5), np.ones(9)) == 1
    assert attack_auc(link_case, np.ones(5), np.zeros(9)) == 0
    forgotten, retained = RNG.uniform(size=40), RNG.uniform(size=30)
    expected = roc_auc_score([0] * 40 + [1] * 30, np.concatenate([forgotten, retained]))
    assert attack_auc(link_case, forgotten, retained) == pytest.approx(expected)
    many = RNG.uniform(size=200)
    expected = roc_auc_score([0] * 40 + [1] * 200, np.concatenate([forgotten, many]))
    assert attack_auc(link_case, forgotten, many) == pytest.approx(expected, abs=0.01)
    key = link_case.task.streams("attack-auc").key
    assert attack_auc(link_case, forgotten, many) == mean_auc_draws(forgotten, many, 500, key)


def test_a_link_shadow_learns_the_test_edges_and_nothing_of_the_training_edges(link_task, link_model):
    answers = shadow_answers(link_task, link_model, Streams(0), epochs=30)
    assert answers.members.shape == answers.others.shape == (2 * link_task.split.test.shape[1],)
    blind = link_task.without(link_task.resolve(Deletion(edges=[tuple(link_task.graph.edges[:, 0].tolist())])))
    again = shadow_answers(blind, link_model, Streams(0), epochs=30)
    np.testing.assert_array_equal(answers.members, again.members)
    np.testing.assert_array_equal(answers.others, again.others)


@pytest.mark.parametrize("kind", ["link", "node"])
def test_a_shadow_learns_what_is_tested_to_its_last_epoch(kind, request, monkeypatch):
    """The validation part, which would select an epoch, is what the shadow must not know."""
    task, model = (request.getfixturevalue(f"{kind}_{what}") for what in ("task", "model"))
    given = []

    def remembered(shadow, shadow_task, recipe, seed, progress=None):
        given.append((shadow_task, recipe, shadow))
        return shadow

    monkeypatch.setattr("graphforget.evaluation.shadow.run_training", remembered)
    answers = shadow_answers(task, model, Streams(0), epochs=7)
    (learned, recipe, shadow), known = given[0], model.provenance.recipe
    z = shadow.embed(learned.graph).double().numpy()
    assert (recipe.epochs, recipe.selection, recipe.patience, recipe.lr) == (7, "last", None, known.lr)
    if kind == "node":
        assert learned.train_nodes.tolist() == task.tested.tolist() and learned.graph is task.graph
        assert np.array_equal(answers.members, z[task.tested]) and np.array_equal(answers.others, z[task.val_nodes])
    else:
        u, v = np.concatenate([task.split.test, task.split.test_negatives], axis=1)
        assert answers.members == pytest.approx((z[u] * z[v]).sum(axis=1), abs=1e-5)
        assert sorted(learned.graph.edges.T.tolist()) == sorted(task.split.test.T.tolist())


def test_an_attacker_is_that_of_the_tasks_seed_and_of_a_family_of_its_own(link_task, link_model):
    own = Streams(link_task.seed).child("membership")
    expected = attacker_from(shadow_answers(link_task, link_model, own, epochs=2), own)
    assert fit_attacker(link_task, link_model, epochs=2).to_bytes() == expected.to_bytes()


def test_the_shadow_has_the_recipe_of_the_original_and_may_be_capped(link_task, link_model):
    calls = []
    fit_attacker(link_task, link_model, progress=lambda epoch, epochs, metrics: calls.append(epochs))
    assert calls == [link_model.provenance.recipe.epochs] * 20
    calls.clear()
    fit_attacker(link_task, link_model, epochs=3, progress=lambda epoch, epochs, metrics: calls.append(epochs))
    assert calls == [3, 3, 3]


def test_a_node_shadow_does_not_learn_a_class_that_was_deleted(node_task, node_model):
    left = node_task.without(node_task.resolve(Deletion(classes=["1"])))
    members = shadow_answers(left, node_model, Streams(0)).members
    assert len(members) == int((left.labels[left.test_nodes] != 1).sum()) < len(left.test_nodes)


def test_a_node_shadow_is_sure_of_the_test_nodes(node_task, node_model):
    answers = shadow_answers(node_task, node_model, Streams(0))
    assert answers.members.shape == (len(node_task.test_nodes), 3)
    assert answers.others.shape == (len(node_task.val_nodes), 3)


def test_node_membership_counts_training_nodes_alone(planted, node_task, subject):
    del planted  # its answers have two classes
    nodes = [int(node_task.train_nodes[0]), int(node_task.test_nodes[0])]
    gone = node_task.resolve(Deletion(nodes=nodes))
    case = case_of(node_task, node_task.without(gone), gone)
    sure = np.full((400, 3), 0.0) + np.eye(3)[RNG.integers(3, size=400)] * 8
    attacker = attacker_from(ShadowAnswers(sure, RNG.normal(size=(400, 3)) / 9), Streams(0))
    z = np.zeros((60, 3))
    z[nodes[0]] = [8, 0, 0]
    original = subject(case, z, "Original", "original")
    found = membership(case, subject(case, np.zeros((60, 3))), original, attacker)
    high, low = attacker.membership(np.array([[8.0, 0, 0], [0, 0, 0]]))
    assert found.values["mi_ratio"] == pytest.approx(high / max(low, CLAMP), rel=1e-5)


@pytest.mark.parametrize(
    ("task", "deletion", "refused"),
    [
        ("link_task", lambda task: {"nodes": [3]}, False),
        ("link_task", lambda task: {"features": [3]}, True),
        ("link_task", lambda task: {"edges": [tuple(task.split.test[:, 0].tolist())]}, True),
        ("node_task", lambda task: {"edges": [tuple(task.graph.edges[:, 0].tolist())]}, True),
        ("node_task", lambda task: {"features": [int(task.train_nodes[0])]}, True),
        ("node_task", lambda task: {"classes": ["0"]}, False),
        ("node_task", lambda task: {"nodes": [int(task.test_nodes[0])]}, True),
    ],
)
def test_the_attack_is_refused_where_forgotten_items_stay_members(task, deletion, refused, request):
    task = request.getfixturevalue(task)
    gone = task.resolve(Deletion(**deletion(task)))
    why = refusal(case_of(task, task.without(gone), gone))
    assert (why is not None) == refused
    assert why is None or why.startswith("no membership attack: ")
