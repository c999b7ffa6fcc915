"""Ids of what is forgotten are replaced by ones that say nothing."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.load import load
from graphforget.experiments.retained_data import _of_graph, arrays_of, nameless, read_retained, write_retained
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation


def test_numbers_from_one_are_not_given_back_with_another_sign():
    ids = np.arange(1, 61)
    once = nameless(ids, np.array([32, 16]))
    assert once[[16, 32]].tolist() == [-1, -2] and not {17, 33, -17, -33} & set(once.tolist())
    twice = nameless(once, np.array([16, 32, 4]))
    assert len(set(twice.tolist())) == 60 and not {5, -5} & set(twice.tolist())
    assert np.array_equal(np.delete(twice, [4, 16, 32]), np.delete(ids, [4, 16, 32]))


def test_numbers_below_zero_stay_apart_from_the_new_ones():
    assert nameless(np.array([-7, 3, 9]), np.array([1])).tolist() == [-7, -8, 9]


def test_what_nothing_is_left_of_is_nameless_and_lost():
    """An item that only the deleted user had would tell who had it."""
    train, test = np.array([[0, 0, 1, 2, 2], [0, 1, 1, 2, 3]]), np.array([[1], [0]])
    features = np.array([[np.nan], [1.0], [np.nan], [2.0], [np.nan]], np.float32)
    ids = np.array(["tea", "cup", "pot", "jam", "oil"])
    people = np.array(["ann", "bob", "cy"])
    data = Interactions.build(
        3, 5, train, test=test, user_ids=people, item_ids=ids, modalities={"look": features}, name="shop"
    )
    task = Recommendation(data, holdout=0)
    gone = task.resolve(Deletion(users=["cy"]))
    left = task.without(gone)
    found = arrays_of(left.graph, left, gone.nodes)
    assert found["user_ids"].tolist() == ["ann", "bob", "(forgotten 2)"]
    assert found["item_ids"].tolist() == ["tea", "cup", "(forgotten 2)", "jam", "(forgotten 4)"]
    assert found["lost"].tolist() == [2, 3 + 2, 3 + 4]


@pytest.mark.parametrize("features", ["one-hot", "own", "sparse"])
def test_nodes_without_anything_are_nameless(features):
    own = np.ones((6, 2), np.float32)
    x = {"one-hot": sp.csr_array(np.eye(6, dtype=np.float32)), "own": own, "sparse": sp.csr_array(own)}[features]
    edges = np.array([[0, 0, 0, 3, 3, 1], [1, 2, 3, 4, 5, 2]])
    graph = Graph.build(6, edges, features=x, ids=np.array(["hub", "a", "b", "c", "d", "e"]))
    left = graph.without(nodes=np.array([3]))
    found = _of_graph(left, np.array([3]))
    lonely = features == "one-hot"
    assert found["lost"].tolist() == ([3, 4, 5] if lonely else [3])
    assert found["ids"].tolist()[4] == ("(forgotten 4)" if lonely else "d")


def test_kept_data_remember_which_classes_are_forgotten(tmp_path):
    """A later deletion neither teaches nor tests them."""
    task = NodeClassification(load("sample-citations"))
    left = task.without(task.resolve(Deletion(classes=[str(task.graph.class_names[1])])))
    write_retained(tmp_path, arrays_of(left.graph, left, np.empty(0, np.int64)))
    assert read_retained(tmp_path)["lost_classes"].tolist() == [1] and "lost_classes" not in arrays_of(
        task.graph, task, np.empty(0, np.int64)
    )
