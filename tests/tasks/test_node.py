"""Node classification: splits, losses, metrics."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.tasks.node import NodeClassification


@pytest.fixture(scope="module")
def task(graph):
    """The node task on it."""
    return NodeClassification(graph, seed=42)


def test_nodes_that_are_divided_already_are_not_divided_again(graph):
    parts = {"test": np.array([2]), "train": np.array([1, 5]), "val": np.array([30])}
    task = NodeClassification(graph, 3, parts)
    assert (task.train_nodes.tolist(), task.val_nodes.tolist(), task.test_nodes.tolist()) == ([1, 5], [30], [2])


def test_the_random_split_is_a_permutation_of_the_labelled_nodes(graph):
    labels = graph.labels.copy()
    labels[[4, 9]] = -1
    half = Graph.build(40, graph.edges, graph.features, labels)
    task = NodeClassification(half, seed=7)
    parts = [task.train_nodes, task.val_nodes, task.test_nodes]
    assert [len(part) for part in parts] == [30, 4, 4]
    labelled = np.flatnonzero(labels >= 0)
    assert sorted(np.concatenate(parts).tolist()) == labelled.tolist()
    order = labelled[torch.randperm(38, generator=torch.Generator().manual_seed(7)).numpy()]
    assert task.train_nodes.tolist() == sorted(order[:30].tolist())
    assert task.test_nodes.tolist() == sorted(order[34:].tolist())


def test_shares_that_are_whole_numbers_of_nodes_are_those_numbers():
    """In floats 0.7 * 800 is 559.99 and (0.7 + 0.2) * 800 is 719.99."""
    task = NodeClassification(load("sample-citations"), train=0.7, val=0.2)
    assert [len(part) for part in (task.train_nodes, task.val_nodes, task.test_nodes)] == [560, 160, 80]


def test_the_public_split_is_the_graphs_masks(graph):
    masks = {name: np.arange(40) % 3 == part for part, name in enumerate(("train", "val", "test"))}
    task = NodeClassification(Graph.build(40, graph.edges, graph.features, graph.labels, masks=masks), split="public")
    assert task.val_nodes.tolist() == list(range(1, 40, 3))
    for shares in ({"train": 0.5, "val": 0.3}, {"train": 0.5}, {"val": 0.05}):
        with pytest.raises(UsageError, match="the public split says itself .* Leave them out, or use split='random'"):
            NodeClassification(graph, split="public", **shares)
    with pytest.raises(UsageError, match="no published split"):
        NodeClassification(graph, split="public")


def test_a_public_split_that_tests_on_what_it_trains_on_is_refused(graph):
    masks = {name: np.arange(40) % 3 == k for k, name in enumerate(("train", "val", "test"))}
    masks["test"][[0, 3, 4]] = True
    shared = Graph.build(40, graph.edges, graph.features, graph.labels, masks=masks)
    with pytest.raises(DataError, match="3 nodes stand in two of train, val, test"):
        NodeClassification(shared, split="public")


def test_the_loss_is_the_mean_cross_entropy_of_the_training_nodes(graph, task):
    z = torch.randn(40, 3, generator=torch.Generator().manual_seed(0)).double()
    nodes = task.train_nodes
    log_p = torch.log_softmax(z[nodes], dim=1)
    expected = -log_p[torch.arange(len(nodes)), torch.from_numpy(graph.labels[nodes].copy())].mean()
    assert float(task.objective(z, Streams(0)("negatives"))) == pytest.approx(float(expected), rel=1e-12)


def test_divergence_is_the_kl_of_the_class_probabilities(task):
    teacher, student = torch.randn(2, 5, 3, generator=torch.Generator().manual_seed(0)).double()
    for temperature in (1.0, 2.5):
        p, q = torch.softmax(teacher / temperature, 1), torch.softmax(student / temperature, 1)
        expected = (p * torch.log(p / q)).sum(1)
        torch.testing.assert_close(task.divergence(teacher, student, temperature), expected)
    assert not task.divergence(teacher, teacher).any()


def test_predictions_take_the_lowest_class_on_ties(task):
    z = torch.zeros(40, 3)
    z[0, 2] = 1.0
    assert task.predictions(z)[:2].tolist() == [2, 0]


def test_accuracy_counts(task):
    z = torch.nn.functional.one_hot(torch.from_numpy(task.labels.copy()), 3).float()
    nodes = np.arange(10)
    assert task.accuracy(z, nodes, task.labels[nodes]) == 1.0
    wrong = (task.labels[nodes] + 1) % 3
    assert task.accuracy(z, nodes, np.where(nodes < 4, wrong, task.labels[nodes])) == 0.6
    assert np.isnan(task.accuracy(z, nodes[:0], task.labels[:0]))


def test_validation_metrics_grow_with_quality(task):
    right = torch.nn.functional.one_hot(torch.from_numpy(task.labels.copy()), 3).float() * 5
    good, bad = task.validate(right), task.validate(-right)
    assert set(good) == set(task.selections)
    assert good["val_accuracy"] == 1.0 > bad["val_accuracy"]
    assert good["val_loss_negated"] > bad["val_loss_negated"]


def test_deletions_walk_the_undirected_graph():
    path = Graph.build(
        30,
        np.array([range(29), range(1, 30)]),
        np.ones((30, 1), dtype=np.float32),
        np.arange(30) % 2,
        benchmark=True,
    )
    task = NodeClassification(path)
    gone = task.resolve(Deletion(nodes=[10]))
    assert np.flatnonzero(task.affected(gone, 1)).tolist() == list(range(8, 13))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"class_mode": "all"}, "'class_mode' must be label or entity; got 'all'"),
        ({"split": "fixed"}, "'split' must be public or random"),
        ({"train": 0.9, "val": 0.1}, "sum below 1"),
        ({"train": 0.0}, "above 0"),
    ],
)
def test_a_wrong_option_is_a_sentence(graph, changes, words):
    with pytest.raises(UsageError, match=words):
        NodeClassification(graph, **changes)


def test_graphs_it_cannot_serve(graph):
    with pytest.raises(DataError, match="no labels"):
        NodeClassification(Graph.build(40, graph.edges, graph.features))
    with pytest.raises(DataError, match="no features"):
        NodeClassification(Graph.build(40, graph.edges, labels=graph.labels))
    few = np.full(40, -1)
    few[:3] = 0
    with pytest.raises(DataError, match="too few"):
        NodeClassification(Graph.build(40, graph.edges, graph.features, few))


def test_a_class_without_training_nodes_cannot_be_deleted(random_attributed_graph):
    graph = random_attributed_graph()
    labels = np.where(np.arange(40) == 39, 2, graph.labels % 2)
    task = next(
        task
        for seed in range(99)
        if 39
        not in (task := NodeClassification(Graph.build(40, graph.edges, graph.features, labels), seed)).train_nodes
    )
    with pytest.raises(DataError, match="has class '2'; there is nothing"):
        task.resolve(Deletion(classes=[2]))
