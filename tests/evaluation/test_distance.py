"""Distances to gold: hand-computed values and scipy as the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.stats
import torch
from scipy.spatial.distance import jensenshannon
from scipy.special import expit, logit, softmax

from graphforget.evaluation.distance import (
    agreement,
    distances,
    js,
    kl,
    logit_distance,
    parameter_distance,
    score_distance,
)
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.gcn import GCN
from graphforget.unlearning.parameter_change import parameter_change

RNG = np.random.default_rng(0)
PAIRS = RNG.normal(size=(2, 50)) * 3
NODES = RNG.normal(size=(2, 50, 4)) * 3


def bernoulli(logits):
    return np.stack([1 - expit(logits), expit(logits)], axis=1)


@pytest.mark.parametrize(("logits", "law"), [(PAIRS, bernoulli), (NODES, lambda x: softmax(x, axis=1))])
def test_kl_and_js_against_scipy(logits, law):
    ours, gold = law(logits[0]), law(logits[1])
    assert kl(*logits) == pytest.approx(np.mean([scipy.stats.entropy(q, p) for p, q in zip(ours, gold, strict=True)]))
    expected = [jensenshannon(p, q) ** 2 for p, q in zip(ours, gold, strict=True)]
    assert js(*logits) == pytest.approx(np.mean(expected))


def test_hand_values_of_pairs():
    ours, gold = logit(np.array([0.9, 0.2, 0.6])), logit(np.array([0.8, 0.4, 0.3]))
    assert agreement(ours, gold) == pytest.approx(2 / 3)
    assert score_distance(ours, gold) == pytest.approx((0.1 + 0.2 + 0.3) / 3)
    assert logit_distance(np.array([1.0, -2.0]), np.array([3.0, -2.0])) == 1.0
    assert kl(logit(np.array([0.25])), logit(np.array([0.5]))) == pytest.approx(0.5 * np.log(2) + 0.5 * np.log(2 / 3))


def test_hand_values_of_nodes():
    ours, gold = np.log([[0.5, 0.3, 0.2], [0.1, 0.1, 0.8]]), np.log([[0.2, 0.6, 0.2], [0.1, 0.2, 0.7]])
    assert agreement(ours, gold) == 0.5
    assert score_distance(ours, gold) == pytest.approx((0.6 + 0.2) / 2)
    assert logit_distance(np.array([[3.0, 4.0]]), np.zeros((1, 2))) == 5.0


def test_equal_and_opposite_answers():
    assert agreement(PAIRS[0], PAIRS[0]) == 1
    assert [measure(PAIRS[0], PAIRS[0]) for measure in (score_distance, logit_distance, kl, js)] == [0, 0, 0, 0]
    sure = np.full(3, 800.0)
    assert js(sure, -sure) == pytest.approx(np.log(2))
    assert kl(sure, -sure) == pytest.approx(800)
    assert np.isfinite(kl(-sure, sure))


def test_parameter_distance():
    one, two = torch.nn.Linear(2, 1), torch.nn.Linear(2, 1)
    for model, weight, bias in ((one, [[3.0, 0.0]], 0.0), (two, [[0.0, 4.0]], 3.0)):
        model.weight.data, model.bias.data = torch.tensor(weight), torch.tensor([bias])
    assert parameter_distance(one, two) == pytest.approx(np.sqrt(9 + 16 + 9) / 5)
    assert parameter_distance(one, torch.nn.Linear(3, 1)) is None


def test_all_parts_are_compared_and_operators_have_no_parameter_distance(link_case, link_model, subject):
    gold = subject(link_case, np.ones((60, 2)), "Gold", "gold")
    found = distances(link_case, subject(link_case, -np.ones((60, 2))), gold)
    assert {f"{name}_{part}" for name in ("agreement", "js") for part in ("forgotten", "retained", "test")} <= set(
        found.values
    )
    assert found.values["agreement_test"] == 1
    assert found.values["score_forgotten"] == 0
    assert found.values["parameter_distance"] == 2
    gold.model = link_model
    edited = subject(link_case, np.ones((60, 2)))
    edited.model = Edited(link_model, {1: identity_operator(np.arange(3), 8)})
    found = distances(link_case, edited, gold)
    assert "parameter_distance" not in found.values
    assert found.notes == ["no parameter distance: its learned operators have no counterpart in gold."]


def test_every_part_is_measured_on_its_own_items(node_case, subject):
    """Ours has gold's classes but for the forgotten nodes and one test node."""
    z = np.eye(3)[np.arange(60) % 3] * 4.0
    test = node_case.parts["test"].nodes.numpy()
    ours = z.copy()
    ours[[*node_case.gone.items, test[0]]] = np.roll(z, 1, axis=1)[[*node_case.gone.items, test[0]]]
    found = distances(node_case, subject(node_case, ours), subject(node_case, z, "Gold", "gold")).values
    parts = ("forgotten", "retained", "test")
    assert [found[f"agreement_{part}"] for part in parts] == [0, 1, pytest.approx(1 - 1 / len(test))]
    assert [found[f"logit_{part}"] for part in parts] == pytest.approx([32**0.5, 0, 32**0.5 / len(test)])


def test_two_models_of_the_same_shape_have_a_distance(link_task, link_model):
    from graphforget._core.streams import Streams

    other = link_model.fresh(Streams(5))
    assert parameter_distance(link_model, link_model) == 0
    assert parameter_distance(other, link_model) > 0.1
    assert parameter_distance(GCN(hidden=4, out=4).initialised(3, None, Streams(0)), link_model) is None


def test_norms_of_large_tables_do_not_depend_on_the_number_of_threads():
    one, two = (torch.nn.Linear(1000, 900) for _ in range(2))
    before, found = torch.get_num_threads(), []
    for threads in (1, 2):
        torch.set_num_threads(threads)
        found.append((parameter_distance(one, two), parameter_change(one, two)))
    torch.set_num_threads(before)
    assert found[0] == found[1]
