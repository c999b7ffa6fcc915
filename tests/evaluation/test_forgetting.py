"""Forgetting scores of models whose answers are planted."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit

from graphforget.data.deletion import Deletion
from graphforget.evaluation.case import case_of
from graphforget.evaluation.forgetting import delta_p, forgetting, gaps, update_auc


def everywhere(value: float, n: int = 60) -> np.ndarray:
    """Return embeddings with which every pair scores `value`."""
    return np.full((n, 1), np.sqrt(value))


def test_a_model_without_a_preference_has_forgotten_auc_one_half(link_case, subject):
    original = subject(link_case, everywhere(1.0), "Original", "original")
    found = forgetting(link_case, subject(link_case, everywhere(2.0)), original)
    assert found.values["forgotten_auc"] == 0.5
    assert "update_auc" not in forgetting(link_case, original, original).values


def test_forgotten_edges_below_all_others_have_auc_one(link_task, subject):
    node = int(np.argmax(link_task.graph.degrees))
    edges = link_task.graph.edges[:, (link_task.graph.edges == node).any(axis=0)]
    gone = link_task.resolve(Deletion(edges=[tuple(pair) for pair in edges.T.tolist()]))
    case = case_of(link_task, link_task.without(gone), gone)
    z = everywhere(1.0)
    z[node] = -1
    original = subject(case, everywhere(1.0), "Original", "original")
    assert forgetting(case, subject(case, z), original).values["forgotten_auc"] == 1


def test_update_auc_by_construction(link_case, subject):
    original = subject(link_case, everywhere(1.0))
    assert update_auc(link_case, subject(link_case, everywhere(1.0)), original) == 0.5
    z = everywhere(1.0)
    only = np.setdiff1d(link_case.gone.items, link_case.retained.split.test)
    z[only] = 3
    changed = {part: _touched(link_case, part, only) for part in ("forgotten", "test")}
    expected = np.mean(np.sign(changed["forgotten"][:, None] - changed["test"][None]) / 2 + 0.5)
    assert update_auc(link_case, subject(link_case, z), original) == pytest.approx(expected)


def test_the_update_of_nodes_is_the_euclidean_length_of_the_change(node_case, subject):
    """A change of (0.3, -0.3, 0) is longer than one of (0.32, -0.16, -0.16), of which the absolute sum is larger."""
    even = np.full((60, 3), 1 / 3)
    after = even + np.array([0.32, -0.16, -0.16])
    after[node_case.gone.items] = even[0] + np.array([0.3, -0.3, 0.0])
    original = subject(node_case, np.log(even), "Original", "original")
    assert update_auc(node_case, subject(node_case, np.log(after)), original) == 1


def _touched(case, part, nodes) -> np.ndarray:
    pairs = case.gone.items if part == "forgotten" else case.retained.split.test
    return np.isin(pairs, nodes).sum(axis=0)


def test_delta_p_of_edges_is_the_mean_loss_of_probability(link_case, subject):
    gold = subject(link_case, everywhere(2.0), "Gold", "gold")
    found = delta_p(link_case, subject(link_case, everywhere(0.5)), gold)
    assert found.values["delta_p"] == pytest.approx(expit(0.5) - expit(2.0))
    assert delta_p(link_case, gold, gold).values["delta_p"] == 0


def test_delta_p_of_nodes_reads_the_label(node_case, node_task, subject):
    gold = subject(node_case, np.zeros((60, 3)), "Gold", "gold")
    knows = subject(node_case, np.eye(3)[node_task.labels] * 50)
    assert delta_p(node_case, knows, gold).values["delta_p"] == pytest.approx(2 / 3)


def test_gaps_are_distances_to_gold_for_scores_both_have():
    found = gaps({"forgotten_auc": 0.7, "test_auc": 0.9}, {"forgotten_auc": 0.8, "forgotten_accuracy": 0.1})
    assert found.values == {"forgotten_auc_gap": pytest.approx(0.1)}


def test_a_forgotten_part_larger_than_the_retained_one_is_said(link_task, subject):
    edges = link_task.graph.edges[:, :-10]
    gone = link_task.resolve(Deletion(edges=[tuple(pair) for pair in edges.T.tolist()]))
    case = case_of(link_task, link_task.without(gone), gone)
    original = subject(case, everywhere(1.0))
    found = forgetting(case, subject(case, everywhere(1.0)), original)
    assert "forgotten_auc" not in found.values
    assert found.notes == [f"no forgotten AUC: fewer edges are retained (10) than forgotten ({edges.shape[1]:,})."]


def test_a_forgotten_part_as_large_as_the_retained_one_is_judged(link_task, subject):
    half = link_task.graph.n_edges // 2
    gone = link_task.resolve(Deletion(edges=[tuple(pair) for pair in link_task.graph.edges[:, :half].T.tolist()]))
    case = case_of(link_task, link_task.without(gone), gone)
    assert case.retained.graph.n_edges == gone.count
    original = subject(case, everywhere(1.0))
    assert forgetting(case, subject(case, everywhere(1.0)), original).values["forgotten_auc"] == 0.5


def test_edges_that_stay_and_are_forgotten_are_no_retained_items(link_task):
    """Nodes without their features keep their edges, which are what the deletion is judged on."""
    gone = link_task.resolve(Deletion(features=[1, 2]))
    case = case_of(link_task, link_task.without(gone), gone)
    assert case.retained.graph.n_edges == link_task.graph.n_edges and gone.count > 0
    pairs = case.parts["retained"].pairs[0]
    kept = set(zip(pairs.u.tolist(), pairs.v.tolist(), strict=True))
    assert len(kept) == link_task.graph.n_edges - gone.count
    assert kept.isdisjoint(map(tuple, gone.items.T.tolist()))


def test_the_retained_sample_is_fixed_and_holds_no_forgotten_edge(link_task, link_case, monkeypatch):
    from graphforget.evaluation import case as module

    monkeypatch.setattr(module, "SAMPLE", 30)
    cases = [case_of(link_task, link_case.retained, link_case.gone) for _ in range(2)]
    first, second = (np.stack([c.parts["retained"].pairs[0].u, c.parts["retained"].pairs[0].v]) for c in cases)
    assert first.shape == (2, 30)
    np.testing.assert_array_equal(first, second)
    forgotten = set(map(tuple, link_case.gone.items.T.tolist()))
    assert forgotten.isdisjoint(map(tuple, first.T.tolist()))
