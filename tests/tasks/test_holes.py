"""What earlier deletions took is no longer there to be deleted, and a model does not learn it again."""

from __future__ import annotations

import pickle

import pytest

import graphforget as gf


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
