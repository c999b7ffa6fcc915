"""Utility against sklearn, and by construction."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.metrics import average_precision_score, f1_score, roc_auc_score

from graphforget.data.deletion import Deletion
from graphforget.evaluation.case import case_of
from graphforget.evaluation.report import REVISION, revision_of
from graphforget.evaluation.utility import macro_f1, micro_f1, utility


def test_f1_against_sklearn():
    rng = np.random.default_rng(0)
    labels, found = rng.integers(5, size=40), rng.integers(6, size=40)
    assert micro_f1(labels, found) == pytest.approx(f1_score(labels, found, average="micro"))
    assert macro_f1(labels, found) == pytest.approx(f1_score(labels, found, average="macro"))
    assert micro_f1(labels, found) == pytest.approx((labels == found).mean())


def test_link_utility_against_sklearn(link_case, link_task, subject):
    z = np.random.default_rng(1).normal(size=(60, 3)).astype(np.float32)
    pairs = np.concatenate([link_task.split.test, link_task.split.test_negatives], axis=1)
    labels = np.arange(pairs.shape[1]) < link_task.split.test.shape[1]
    scores = (z[pairs[0]] * z[pairs[1]]).sum(axis=1)
    found = utility(link_case, subject(link_case, z)).values
    assert found["test_auc"] == pytest.approx(roc_auc_score(labels, scores))
    assert found["test_ap"] == pytest.approx(average_precision_score(labels, scores))


def test_node_utility_reads_the_labels_before_the_deletion(node_case, node_task, subject):
    labels = node_task.labels
    right = np.eye(3)[labels] * 5
    found = utility(node_case, subject(node_case, right)).values
    for name in ("test_accuracy", "test_micro_f1", "test_macro_f1", "rest_accuracy", "forgotten_accuracy"):
        assert found[name] == 1, name
    wrong = right.copy()
    wrong[node_case.gone.items] = np.eye(3)[(labels[node_case.gone.items] + 1) % 3]
    wrong[node_task.test_nodes[:3]] = np.eye(3)[(labels[node_task.test_nodes[:3]] + 1) % 3]
    found = utility(node_case, subject(node_case, wrong)).values
    assert found["forgotten_accuracy"] == 0
    assert found["rest_accuracy"] == 1
    assert found["test_accuracy"] == pytest.approx(1 - 3 / len(node_task.test_nodes))
    assert "class_test_accuracy" not in found


def test_forgotten_nodes_that_stay_training_nodes_are_no_part_of_the_rest(node_task, subject):
    """Of deleted features the labels stay: the nodes are learned still, and yet what is forgotten."""
    gone = node_task.resolve(Deletion(features=node_task.train_nodes[:5].tolist()))
    case = case_of(node_task, node_task.without(gone), gone)
    assert np.isin(gone.items, case.retained.train_nodes).all()
    wrong = np.eye(3)[node_task.labels]
    wrong[gone.items] = np.roll(wrong[gone.items], 1, axis=1)
    found = utility(case, subject(case, wrong)).values
    assert (found["rest_accuracy"], found["forgotten_accuracy"]) == (1, 0)
    assert not np.isin(case.parts["retained"].nodes.numpy(), gone.items).any()


def test_a_class_deletion_divides_the_test_nodes(node_task, subject):
    gone = node_task.resolve(Deletion(classes=["1"]))
    case = case_of(node_task, node_task.without(gone), gone)
    never = np.eye(3)[np.where(node_task.labels == 1, 0, node_task.labels)]
    found = utility(case, subject(case, never)).values
    assert found["class_test_accuracy"] == found["forgotten_accuracy"] == 0
    assert found["other_test_accuracy"] == found["rest_accuracy"] == 1
    assert "test_accuracy" not in found  # it would reward a model that remembers the class


@pytest.mark.parametrize("later", [{"classes": ["2"]}, {"features": [0, 1, 2]}])
def test_test_nodes_of_a_class_that_is_gone_already_are_not_asked_for(node_task, subject, later):
    """A model that still answered with the class would else be the better one on them."""
    labels = node_task.labels
    left = node_task.without(node_task.resolve(Deletion(classes=["1"])))
    gone = left.resolve(Deletion(**later))
    case = case_of(left, left.without(gone), gone)
    assert not (case.parts["test"].targets == 1).any()
    never = np.eye(3)[np.where(labels == 1, 0, labels)]
    found = utility(case, subject(case, never)).values
    assert found["other_test_accuracy" if "classes" in later else "test_accuracy"] == 1
    assert found.get("class_test_accuracy", 1) == 1
    first = node_task.resolve(Deletion(**later))
    assert (revision_of(left, gone), revision_of(node_task, first)) == (5, 2)
    assert revision_of(left, gone, gold_runs=3) == revision_of(node_task, first, gold_runs=3) == REVISION
    assert len(case_of(node_task, node_task.without(first), first).parts["test"]) == len(node_task.test_nodes)
