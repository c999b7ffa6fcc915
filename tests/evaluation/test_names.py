"""What tables call a deletion, and what they say of a method before its numbers are read."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.evaluation.names import amount, caveats, known
from graphforget.evaluation.plain import EXACT, KNOWN_WEIGHTS
from graphforget.models.lightgcn import LightGCN
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.data_alone import NOTHING_TRAINED
from graphforget.unlearning.run import unlearn


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"edges": [(0, 1), (1, 2)]}, "2 edges"),
        ({"features": [4]}, "features of 1 node"),
        ({"classes": ["a", "b"]}, "2 classes"),
        ({"users": range(1200)}, "1,200 users"),
        ({"users": [1], "items": [2, 3]}, "1 user and 2 items"),
        ({"interactions": [(1, 2)]}, "1 interaction"),
        ({"triples": [(1, 0, 2), (1, 0, 3)]}, "2 triples"),
        ({"modalities": [("image", 4), ("image", 5)]}, "modality image of 2 items"),
        ({"modalities": [("text", 4), ("image", 4)]}, "modality image of 1 item and modality text of 1 item"),
        ({"modalities": [("image", "*"), ("text", 4)]}, "modality image of every item and modality text of 1 item"),
        ({"modalities": [("image", "*")]}, "modality image of every item"),
    ],
)
def test_amounts_in_words(named, words):
    assert amount(Deletion(**{kind: list(values) for kind, values in named.items()})) == words


def made(source="a paper", changes=("weights", "graph"), same=True, exact=False, leaks=False, **fields):
    """Return a result as far as caveats read it."""
    retained = SimpleNamespace(graph="retained")
    method = SimpleNamespace(source=source, changes=frozenset(changes), exact=exact, leaks=leaks)
    gone = SimpleNamespace(nodes=np.empty(0, np.int64))
    fields = {"preparation_seconds": 0.0, "details": {}, "model": None, "original": None, "gone": gone, **fields}
    fields = {"data_alone": "", **fields}
    return SimpleNamespace(method=method, retained=retained, graph="retained" if same else "whole", **fields)


def test_an_ordinary_method_needs_no_caveat():
    assert caveats(made()) == [] and known(made()) == {}


def test_reconstructions_and_own_designs_say_so():
    assert caveats(made("A 2025, reconstructed"))[0].startswith("reconstructed")
    assert caveats(made("B 2022; unlearning step ours")) == ["in part our own design (B 2022; unlearning step ours)."]


def test_weights_only_and_graph_only_say_so():
    assert caveats(made(same=False))[0].startswith("weights only")
    assert caveats(made(changes=["graph"]))[0].startswith(KNOWN_WEIGHTS)
    alone = f"{NOTHING_TRAINED} (1 held-out edge), so the weights hold nothing of it and were not changed."
    assert caveats(made(changes=["graph"], data_alone=alone)) == [alone], "they hold nothing of the forgotten part"
    assert caveats(made(exact=True))[0].startswith(EXACT)
    assert caveats(made(exact=True, leaks=True)) == [], "its epoch is selected with the deletion in view"


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("gnndelete", "weights unchanged beneath"),
        ("fine-tune", "weights unchanged for 2 of the deleted users and items"),
        ("mmrecun", None),
    ],
)
def test_weights_that_stay_under_or_beside_what_is_learned_are_said(method, words):
    """Operators stand over the original's tables; fine-tuning never touches the rows of who is gone."""
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(LightGCN(dim=4), task, epochs=1)
    gone = Deletion(users=task.graph.user_ids_of([3, 4]))
    notes = [note for note in caveats(unlearn(model, task, gone, method, epochs=1)) if note.startswith(KNOWN_WEIGHTS)]
    assert (words is None and not notes) or notes[0].startswith(words)


@pytest.mark.parametrize("method", ["retrain", "sisa"])
def test_what_was_trained_again_without_the_forgotten_part_is_exact(method):
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(LightGCN(dim=4), task, epochs=1)
    options = {"shards": 4} if method == "sisa" else {}
    result = unlearn(model, task, Deletion(users=task.graph.user_ids_of([3])), method, **options)
    assert any(note.startswith(EXACT) for note in caveats(result))


def test_shards_say_how_many_were_trained_anew():
    some = made(details={"shards": 10, "shards_touched": 4}, preparation_seconds=12.5)
    assert known(some) == {"preparation": 12.5, "shards_touched": 0.4} and caveats(some) == []
    every = made(details={"shards": 10, "shards_touched": 10})
    assert caveats(every) == ["every shard lost data and was trained anew, so shards save no time here."]
