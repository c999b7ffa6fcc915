"""Layers that are kept: methods give the same bytes with them, and renewing them is computing them anew."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.models.gat import GAT
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mgcn import MGCN
from graphforget.models.zoo import backbones, backbones_for
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.known_layers import KnownLayers
from graphforget.unlearning.run import unlearn

LOCAL = (
    "unlink",
    "gnndelete-local:epochs=3",
    "gnndelete-local:epochs=3,train_graph=retained",
    "d2dgn-operators:epochs=3",
)
EVERYWHERE = ("d2dgn-local:epochs=3,sample=5", "d2dgn:epochs=3", "gradient-ascent:epochs=3")


@pytest.fixture(scope="module")
def task() -> LinkPrediction:
    rng = np.random.default_rng(0)
    ends = rng.integers(0, 2000, (2, 3000))
    features = rng.normal(size=(2000, 5)).astype(np.float32)
    graph = Graph.build(2000, ends[:, ends[0] != ends[1]], features=features)
    return LinkPrediction(graph, seed=0, normalise=False)


@pytest.fixture(scope="module")
def deletion(task) -> Deletion:
    return Deletion(edges=task.graph.edges[:, [5, 900]].T)


@pytest.fixture(params=backbones_for("link"), scope="module")
def model(request, task):
    return train(backbones().get(request.param, hidden=8, out=4), task, epochs=3, validate_every=3)


def same(ours, theirs) -> bool:
    return [h.numpy().tobytes() for h in ours] == [h.numpy().tobytes() for h in theirs]


def equal(ours, theirs, model) -> bool:
    """Whether tensors are the same bytes; of GAT, to the last digits: on some processors a product of width 1 depends
    on how many rows are multiplied (see KnownLayers)."""
    if isinstance(model, GAT):
        return all(torch.allclose(x, y, rtol=1e-5, atol=1e-6) for x, y in zip(ours, theirs, strict=True))
    return same(ours, theirs)


@pytest.mark.parametrize("method", [*LOCAL, *EVERYWHERE])
def test_results_have_the_same_bytes(task, deletion, model, method):
    results = [unlearn(model, task, deletion, method, known=k) for k in (None, KnownLayers.of(model, task))]
    plain, looked_up = (result.model.state_dict() for result in results)
    assert plain.keys() == looked_up.keys() and equal(plain.values(), looked_up.values(), model)


@pytest.mark.parametrize("method", LOCAL)
def test_renewing_computes_few_rows_and_gives_all(task, deletion, model, method):
    known = KnownLayers.of(model, task)
    before = [h.clone() for h in known.layers]
    result = unlearn(model, task, deletion, method, known=known)
    assert same(known.layers, before)
    rows = known.renew(result)
    assert 0 < len(rows) < task.graph.n_nodes / 10
    elsewhere = np.setdiff1d(np.arange(task.graph.n_nodes), rows)
    assert same([h[elsewhere] for h in known.layers], [h[elsewhere] for h in before])
    wanted = KnownLayers.of(result.model, result.retained)
    assert equal(known.layers, wanted.layers, model) and not same(known.layers, before)
    expected = task.test_auc(result.model.embed(result.graph))
    assert task.test_auc(known.readout()) == pytest.approx(expected, abs=1e-4 if isinstance(model, GAT) else 0)


@pytest.mark.parametrize("method", EVERYWHERE)
def test_changed_weights_change_every_row(task, deletion, model, method):
    known = KnownLayers.of(model, task)
    result = unlearn(model, task, deletion, method, known=known)
    assert np.array_equal(known.renew(result), np.arange(task.graph.n_nodes))
    assert same(known.layers, KnownLayers.of(result.model, result.retained).layers)


def test_one_deletion_after_the_other(task, model):
    known, answers = KnownLayers.of(model, task), (model, task)
    for position in (3, 8, 20):
        gone = Deletion(edges=task.graph.edges[:, [position]].T)
        result = unlearn(*answers, gone, "unlink", known=known)
        assert len(known.renew(result)) < task.graph.n_nodes / 10
        answers = result.model, result.retained
    assert equal(known.layers, KnownLayers.of(*answers).layers, model)


def test_nodes_that_lose_features_renew_everything(task):
    model = train(GCN(hidden=8, out=4), task, epochs=3, validate_every=3)
    known = KnownLayers.of(model, task)
    result = unlearn(model, task, Deletion(features=[3]), "unlink", known=known)
    assert np.array_equal(known.renew(result), np.arange(task.graph.n_nodes))
    assert same(known.layers, KnownLayers.of(result.model, result.retained).layers)


def test_what_are_no_layers_is_refused(task, deletion):
    model = train(GCN(hidden=8, out=4), task, epochs=2, validate_every=2)
    for wrong in (
        lambda: unlearn(model, task, deletion, "unlink", known="layers"),
        lambda: KnownLayers.of(model, task.graph),
        lambda: KnownLayers.of(task, model),
    ):
        with pytest.raises(UsageError, match="give KnownLayers.of|is no task|A model is expected"):
            wrong()


@pytest.mark.parametrize("method", ["unlink", "gnndelete-local:epochs=3"])
def test_a_classifier_that_loses_an_edge(method):
    task = NodeClassification(load("sample-citations"), seed=0)
    model = train(GCN(hidden=8), task, epochs=3, validate_every=3)
    known = KnownLayers.of(model, task)
    result = unlearn(model, task, Deletion(edges=task.graph.edges[:, [5]].T), method, known=known)
    assert len(known.renew(result)) < task.graph.n_nodes
    wanted = KnownLayers.of(result.model, result.retained).layers
    assert same(known.layers[:1], wanted[:1])
    assert np.allclose(known.layers[1], wanted[1], atol=1e-6)  # five columns: rounded by how many rows there are


def test_recommenders_and_classifiers_compute_every_row_anew():
    shop = Recommendation(load("sample-shop"), seed=0)
    paper = NodeClassification(load("sample-citations"), seed=0)
    for task, backbone, deletion in (
        (shop, LightGCN(dim=4), Deletion(users=[12, 40])),
        (paper, GCN(hidden=8), Deletion(nodes=[3])),
    ):
        model = train(backbone, task, epochs=2, validate_every=2)
        known = KnownLayers.of(model, task)
        for method in ("unlink", "gnndelete:epochs=2"):
            plain = unlearn(model, task, deletion, method)
            result = unlearn(model, task, deletion, method, known=KnownLayers.of(model, task))
            assert same(plain.model.state_dict().values(), result.model.state_dict().values())
        assert np.array_equal(known.renew(result), np.arange(task.graph.n_nodes))
        assert same(known.layers, KnownLayers.of(result.model, result.retained).layers)


def test_layers_of_another_model_or_graph_are_refused(task, deletion):
    model, other = (train(GCN(hidden=8, out=4), task, epochs=2, validate_every=2, seed=seed) for seed in (0, 1))
    known = KnownLayers.of(model, task)
    with pytest.raises(UsageError, match="of a model with other weights"):
        unlearn(other, task, deletion, "unlink", known=known)
    retained = task.without(task.resolve(deletion))
    with pytest.raises(UsageError, match="computed on another graph"):
        unlearn(model, retained, Deletion(edges=task.graph.edges[:, [7]].T), "unlink", known=known)
    result = unlearn(model, task, deletion, "unlink", known=known)
    known.renew(result)
    with pytest.raises(UsageError, match="computed on another graph"):
        known.renew(result)


@pytest.mark.parametrize("backbone", ["gcn", "gat"])
def test_attention_scores_are_rounded_by_how_many_rows_there_are(backbone, weights):
    """Products of width 1: even at widths that are multiples of 8 the last digits of GAT may be others."""
    task = LinkPrediction(load("sample-citations"), seed=0)
    model = train(backbones().get(backbone, hidden=16, out=8), task, epochs=10)
    gone = Deletion(edges=task.graph.edges[:, ::200].T.tolist())
    plain, known = (
        unlearn(model, task, gone, "d2dgn-operators:epochs=10", known=k).model
        for k in (None, KnownLayers.of(model, task))
    )
    pairs = zip(plain.state_dict().values(), known.state_dict().values(), strict=True)
    assert all(np.allclose(ours, theirs, atol=1e-6) for ours, theirs in pairs)
    assert backbone == "gat" or weights(plain) == weights(known)
    assert "GAT" in str(KnownLayers.__doc__)


def test_layers_that_know_of_deleted_features_are_computed_anew(weights):
    """What training added to the features of deleted items is undone first, and no target is drawn from it."""
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(MGCN(dim=4, k=3), task, epochs=8, batch=64, lr=0.05, validate_every=8)
    gone = Deletion(items=task.graph.item_ids_of([1, 2]))
    plain, result = (
        unlearn(model, task, gone, "gnndelete:epochs=50,selection=last", known=known)
        for known in (None, KnownLayers.of(model, task))
    )
    assert weights(plain.model) == weights(result.model)
