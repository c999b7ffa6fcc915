"""What tables call a deletion, and what they say of a method before its numbers are read."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from graphforget.data.deletion import Deletion
from graphforget.evaluation.names import amount, caveats, known
from graphforget.evaluation.plain import KNOWN_WEIGHTS


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


def made(source="a paper", changes=("weights", "graph"), same=True, **fields):
    """Return a result as far as caveats read it."""
    retained = SimpleNamespace(graph="retained")
    method = SimpleNamespace(source=source, changes=frozenset(changes))
    fields = {"preparation_seconds": 0.0, "details": {}, **fields}
    return SimpleNamespace(method=method, retained=retained, graph="retained" if same else "whole", **fields)


def test_an_ordinary_method_needs_no_caveat():
    assert caveats(made()) == [] and known(made()) == {}


def test_reconstructions_and_own_designs_say_so():
    assert caveats(made("A 2025, reconstructed"))[0].startswith("reconstructed")
    assert caveats(made("B 2022; unlearning step ours")) == ["in part our own design (B 2022; unlearning step ours)."]


def test_weights_only_and_graph_only_say_so():
    assert caveats(made(same=False))[0].startswith("weights only")
    assert caveats(made(changes=["graph"]))[0].startswith(KNOWN_WEIGHTS)


def test_shards_say_how_many_were_trained_anew():
    some = made(details={"shards": 10, "shards_touched": 4}, preparation_seconds=12.5)
    assert known(some) == {"preparation": 12.5, "shards_touched": 0.4} and caveats(some) == []
    every = made(details={"shards": 10, "shards_touched": 10})
    assert caveats(every) == ["every shard lost data and was trained anew, so shards save no time here."]
