"""What earlier deletions took is no longer there to be deleted, and a model does not learn it again."""

from __future__ import annotations

import copy
import pickle

import numpy as np
import pytest

import graphforget as gf
from graphforget.data.graph import Graph
from graphforget.tasks.link_split import LinkSplit


@pytest.fixture(scope="module")
def tasks() -> dict[str, object]:
    """A task of each kind on the sample data."""
    graph, shop = gf.load("sample-citations"), gf.load("sample-shop")
    return {
        "link": gf.LinkPrediction(graph),
        "node": gf.NodeClassification(graph),
        "recommend": gf.Recommendation(shop),
    }


@pytest.mark.parametrize(
    ("name", "kind", "first", "second"),
    [
        ("link", "nodes", {"nodes": [1, 2, 3]}, {"nodes": [2, 7]}),
        ("link", "features", {"nodes": [1, 2, 3]}, {"features": [2, 7]}),
        ("node", "nodes", {"nodes": [1, 2, 3]}, {"nodes": [2, 7]}),
        ("node", "features", {"features": [1, 2]}, {"features": [2, 7]}),
        ("recommend", "users", {"users": [3, 4]}, {"users": [4, 5]}),
        ("recommend", "items", {"items": [3, 4]}, {"items": [4, 5]}),
    ],
)
def test_nothing_is_forgotten_twice(tasks, name, kind, first, second):
    task = tasks[name]
    left = task.without(task.resolve(gf.Deletion(**first)))
    again = gf.Deletion(**second)
    with pytest.raises(gf.DataError, match=f"1 of the {kind} named have been forgotten already"):
        left.resolve(again)
    later = left.without(left.resolve(gf.Deletion(**{kind: second[kind][1:]})))
    with pytest.raises(gf.DataError, match="have been forgotten already|none of the 1 named users has an interaction"):
        later.resolve(gf.Deletion(**{kind: second[kind][1:]}))
    with pytest.raises(gf.DataError, match="have been forgotten already"):
        pickle.loads(pickle.dumps(left)).resolve(again)
    assert task.resolve(again).count and not task.holes, "the task before is as it was"


@pytest.mark.parametrize("name", ["link", "node", "recommend"])
def test_what_is_not_resolved_is_refused_in_words(tasks, name):
    with pytest.raises(gf.UsageError, match=r"is not resolved; give task\.resolve\(deletion\)"):
        tasks[name].without(gf.Deletion(users=[12]))


@pytest.mark.parametrize("name", ["link", "node"])
def test_a_model_does_not_learn_again_from_the_graph_before(tasks, name):
    task = tasks[name]
    model = gf.train(gf.GCN(hidden=8), task, epochs=2)
    first = gf.unlearn(model, task, gf.Deletion(nodes=[1, 2]), "unlink")
    second = gf.unlearn(first.model.clone(), first.retained, gf.Deletion(nodes=[7]), "fine-tune:epochs=1")
    for old in (task, first.retained):
        with pytest.raises(gf.UsageError, match="forgotten a part of these data already"):
            gf.unlearn(second.model, old, gf.Deletion(nodes=[9]), "fine-tune:epochs=1")
    assert not model.refused and len(second.model.refused) == 2
    gf.unlearn(second.model, second.retained, gf.Deletion(nodes=[9]), "fine-tune:epochs=1")


def test_negatives_are_not_drawn_at_deleted_nodes(tasks):
    task = tasks["link"]
    first = task.resolve(gf.Deletion(nodes=list(range(0, task.graph.n_nodes, 3))))
    left = task.without(first)
    second = left.resolve(gf.Deletion(nodes=list(range(1, task.graph.n_nodes, 9))))
    drawn = {
        "whole": (left.training_items(left.streams("x")).pairs[1], first.nodes),
        "beside the forgotten part": (task.training_items(task.streams("x"), first).pairs[1], first.nodes),
        "a second time": (
            left.training_items(left.streams("x"), second).pairs[1],
            np.union1d(first.nodes, second.nodes),
        ),
        "unrelated": (left.unrelated_items(second, left.streams("y")).pairs[0], first.nodes),
    }
    for name, (found, holes) in drawn.items():
        assert len(found) and not np.isin([found.u, found.v], holes).any(), name
        assert not {(u, v) for u, v in zip(found.u, found.v, strict=True)} & set(zip(*left.graph.edges, strict=True))
    pairs = left.non_edges(500, left.streams("z"))
    assert not np.isin(pairs, first.nodes).any() and len(np.unique(pairs)) > left.graph.n_nodes / 3


def test_pairs_that_nobody_chose_are_of_users_and_items_that_are_left(tasks):
    task = tasks["recommend"]
    n_users, n_items = task.graph.n_users, task.graph.n_items
    gone = task.resolve(gf.Deletion(users=list(range(0, n_users, 3)), items=list(range(0, n_items, 3))))
    left = task.without(gone)
    users, nodes = left.non_edges(2000, left.streams("x"))
    assert not np.isin([users, nodes], gone.nodes).any()
    assert len(np.unique(users)) > n_users / 2 and len(np.unique(nodes)) > n_items / 2
    assert not {(u, v) for u, v in zip(users, nodes, strict=True)} & set(zip(*left.graph.edges, strict=True))
    first = task.non_edges(9, task.streams("x"))
    assert np.array_equal(first[0], task.streams("x").integers(n_users, 9)), "nothing changes where nothing is deleted"


def test_gold_of_a_node_deletion_is_trained_as_on_a_graph_without_the_nodes(tasks):
    task = tasks["link"]
    model = gf.train(gf.GCN(hidden=8), task, epochs=20, validate_every=5)
    gold = gf.unlearn(model, task, gf.Deletion(nodes=list(range(0, task.graph.n_nodes, 3))), "retrain")
    before, gone = gold.retained, gold.gone.nodes
    left = np.setdiff1d(np.arange(task.graph.n_nodes), gone)
    places = np.full(task.graph.n_nodes, -1)
    places[left] = np.arange(len(left))
    small = copy.copy(before)
    small.graph = Graph.build(len(left), places[before.graph.edges], features=before.graph.features[left])
    split = before.split
    small.split = LinkSplit(*(places[p] for p in (split.val, split.val_negatives, split.test, split.test_negatives)))
    small.holes = {}
    alone = gf.train(gf.GCN(hidden=8), small, seed=gold.seed, epochs=20, validate_every=5)
    for mine, theirs in zip(gold.model.parameters(), alone.parameters(), strict=True):
        np.testing.assert_allclose(mine.detach(), theirs.detach(), atol=1e-6)
