"""D2DGN on the neighbourhood of a deletion: the full method where that is everything, and blind to all beyond."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.gcn import GCN
from graphforget.models.zoo import backbones, backbones_for
from graphforget.tasks.link import LinkPrediction
from graphforget.training.train import train
from graphforget.unlearning.methods.d2dgn import D2DGN
from graphforget.unlearning.run import methods, unlearn

FEW = {"epochs": 3, "alpha": 0.9}


def first_edges(task) -> Deletion:
    return Deletion(edges=task.graph.edges[:, :3].T)


def ring(features: np.ndarray) -> LinkPrediction:
    """A ring of 400 nodes with chords to the second neighbour: k steps reach 4 k + 1 nodes."""
    nodes = np.arange(400)
    edges = np.concatenate([np.stack([nodes, (nodes + step) % 400]) for step in (1, 2)], axis=1)
    return LinkPrediction(Graph.build(400, edges, features=features), seed=0, normalise=False)


@pytest.mark.parametrize("backbone", backbones_for("link"))
def test_with_every_node_in_reach_it_is_the_full_method(weights, backbone):
    task = ring(np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32))  # no node without an edge
    model = train(backbones().get(backbone, hidden=8, out=4), task, epochs=3, validate_every=3)
    full, local = (
        unlearn(model, task, first_edges(task), D2DGN(**FEW, **scope))
        for scope in ({}, {"scope": "local", "sample": 20_000})
    )
    assert weights(full.model) == weights(local.model)
    assert [sorted(row) for row in local.history] == [["epoch", "loss"]]  # nothing to select, nothing validated


def test_what_lies_beyond_the_neighbourhood_does_not_matter(weights):
    features = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
    task = ring(features)
    model, deletion, found = train(GCN(hidden=8, out=4), task, epochs=3, validate_every=3), first_edges(task), {}
    for node in (0, 200, 220, 240, 300):
        changed = features.copy()
        changed[node] += 1.0
        result = unlearn(model, ring(changed), deletion, D2DGN(scope="local", sample=2, **FEW))
        found[node] = weights(result.model)
    beyond = [found[node] for node in (200, 220, 240, 300)]  # two sampled edges reach two of these places at most
    assert sorted(beyond.count(each) for each in beyond)[-1] >= 2 and found[0] not in beyond


def test_a_sample_reaches_further(weights):
    task = ring(np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32))
    model = train(GCN(hidden=8, out=4), task, epochs=3, validate_every=3)
    few, more = (
        unlearn(model, task, first_edges(task), D2DGN(scope="local", sample=count, **FEW)) for count in (1, 40)
    )
    assert weights(few.model) != weights(more.model)


def test_the_preset_and_its_refusals():
    preset = methods().get("d2dgn-local")
    assert (preset.scope, preset.selection) == ("local", "last")
    with pytest.raises(UsageError, match="'sample' has no effect with scope=full"):
        D2DGN(sample=7)
    with pytest.raises(UsageError, match="'scope' has no effect with knowledge=feature"):
        D2DGN(knowledge="feature", scope="local")


def test_a_model_that_is_not_local_is_refused(monkeypatch):
    task = ring(np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32))
    model = train(GCN(hidden=8, out=4), task, epochs=2, validate_every=2)
    monkeypatch.setattr(GCN, "local", False)
    with pytest.raises(UnsupportedError, match="d2dgn: a gcn cannot be computed on a part of the graph"):
        unlearn(model, task, first_edges(task), "d2dgn-local", epochs=2)
