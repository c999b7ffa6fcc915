"""D2DGN on the neighbourhood of a deletion: the full method where that is everything, and blind to all beyond."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.gcn import GCN
from graphforget.models.zoo import backbones, backbones_for
from graphforget.tasks.link import LinkPrediction
from graphforget.training.train import train
from graphforget.unlearning.methods.d2dgn import D2DGN
from graphforget.unlearning.region import part
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
    for scope in ("local", "operators"):
        words = (
            f"^d2dgn: with scope={scope} the model is computed on a part of the graph, which gcn models are not; use"
        )
        with pytest.raises(UnsupportedError, match=words):
            unlearn(model, task, first_edges(task), f"d2dgn-{scope}", epochs=2)


@pytest.mark.parametrize("first", ["d2dgn-operators", "gnndelete-local"])
def test_a_second_deletion_goes_on_with_what_the_refusal_names(first):
    task = ring(np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32))
    model = train(GCN(hidden=8, out=4), task, epochs=2, validate_every=2)
    result = unlearn(model, task, first_edges(task), first, epochs=2)
    again = result.model, result.retained, first_edges(result.retained)
    for scope in ("operators", "local"):
        words = (
            f"^d2dgn: scope={scope} works on a model without learned operators; .* Use scope=full, or gnndelete-local"
        )
        with pytest.raises(UnsupportedError, match=words):
            unlearn(*again, f"d2dgn-{scope}", epochs=2)
    assert unlearn(*again, "d2dgn:epochs=2").gone.count == unlearn(*again, "gnndelete-local:epochs=2").gone.count == 3


def test_operators_leave_all_beyond_the_neighbourhood_as_it_was(weights):
    features = np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32)
    task = ring(features)
    model = train(GCN(hidden=8, out=4), task, epochs=3, validate_every=3)
    result = unlearn(model, task, first_edges(task), "d2dgn-operators", epochs=3)
    before, after = model.embed(task.graph).numpy(), result.model.embed(result.graph).numpy()
    near = task.affected(result.gone, 2)
    assert before[~near].tobytes() == after[~near].tobytes() and 0 < near.sum() < 60
    assert (before[near] != after[near]).any(axis=1).all()
    changed = features.copy()
    changed[200] += 1.0  # eight steps of two nodes around the deletion do not get there
    there = unlearn(model, ring(changed), first_edges(task), "d2dgn-operators", epochs=3)
    assert weights(there.model) == weights(result.model)


def test_operators_follow_the_loss_by_hand():
    """One epoch of plain autograd: the same loss from embeddings of the whole graph, with matrices put in by hand."""
    task = ring(np.random.default_rng(0).normal(size=(400, 5)).astype(np.float32))
    model = train(GCN(hidden=8, out=4), task, epochs=3, validate_every=3).frozen()
    method = D2DGN(scope="operators", epochs=1, alpha=0.9, temperature=0.7, lr=0.01)
    result = unlearn(model, task, first_edges(task), method)
    gone, retained, streams = result.gone, result.retained, Streams(result.seed)
    operators = [torch.eye(8, requires_grad=True), torch.eye(4, requires_grad=True)]
    sets = [torch.from_numpy(np.flatnonzero(task.affected(gone, hops))) for hops in (1, 2)]
    hook = lambda layer, h: h.index_copy(0, sets[layer - 1], h[sets[layer - 1]] @ operators[layer - 1])  # noqa: E731
    student = model(retained.graph, hook)
    rows = sets[1].numpy()
    near = np.isin(task.graph.edges, rows).all(axis=0)
    inside = copy.copy(task)
    inside.graph = part(task.graph, rows)
    here = replace(gone, items=np.searchsorted(rows, gone.items), edges=np.searchsorted(rows, gone.edges))
    drawn = inside.training_items(streams.child("d2dgn")("negatives", epoch=0), here, negatives=1)
    assert len(drawn) == 2 * (near.sum() - 3)

    def divergence(teacher, items):
        t, s = (inside.responses(z[sets[1]], items) for z in (teacher, student))
        values = 0.49 * inside.divergence(t, s, 0.7)
        return (values * (1.0 if items.weights is None else items.weights)).mean()

    before, random = model.embed(task.graph), model.fresh(streams.child("destroyer")).embed(task.graph)
    loss = 0.9 * divergence(before, drawn) + 0.1 * divergence(random, inside.forgotten_items(here))
    loss.backward()
    assert result.history[0]["loss"] == pytest.approx(loss.item(), rel=1e-5)
    for learned, start in zip(result.model.operators.values(), operators, strict=True):
        moved = learned.weight.detach() - torch.eye(len(start))
        first = -0.01 * start.grad / (start.grad.abs() + 1e-8)  # Adam's first step
        assert torch.allclose(moved, first, rtol=1e-2, atol=1e-5) and start.grad.abs().max() > 1e-5


def test_what_operators_do_not_do():
    with pytest.raises(UsageError, match="'sample' has no effect with scope=operators"):
        D2DGN(scope="operators", sample=7)
    with pytest.raises(UsageError, match="'student_init' has no effect with scope=operators"):
        D2DGN(scope="operators", student_init="scratch")
