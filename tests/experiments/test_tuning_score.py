"""The score of tuning: what it is made of, and that the test part has no share in it."""

from __future__ import annotations

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.experiments.prepare import Prepared
from graphforget.experiments.tuning_score import Scorer, check_scorable
from graphforget.models.zoo import make_backbone
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.run import Result, unlearn


def prepared(task, deletion: Deletion) -> Prepared:
    gone = task.resolve(deletion)
    return Prepared(task.seed, task, deletion, gone, task.without(gone), {})


def made(task, backbone: str, deletion: Deletion, **options) -> tuple[Prepared, Result]:
    """Return a preparation, and what a short fine-tuning stands in for gold with."""
    model = train(make_backbone(backbone, **options), task, epochs=3)
    return prepared(task, deletion), unlearn(model, task, deletion, "fine-tune:epochs=30,lr=0.02")


@pytest.fixture(scope="module")
def link():
    task = LinkPrediction(load("sample-citations"), 3)
    return made(task, "gcn", Deletion(edges=task.graph.edges[:, 5:25].T.tolist()), hidden=8, out=8)


@pytest.fixture(scope="module")
def node():
    task = NodeClassification(load("sample-citations"), 3)
    nodes = np.concatenate([task.train_nodes[:9], task.test_nodes[:4]])
    return made(task, "gcn", Deletion(nodes=nodes.tolist()), hidden=8)


@pytest.fixture(scope="module")
def shop():
    task = Recommendation(load("sample-shop"), 3)
    users = task.graph.user_ids_of(np.arange(6)) if hasattr(task.graph, "user_ids_of") else list(range(6))
    return made(task, "lightgcn", Deletion(users=list(users)), dim=8)


@pytest.fixture(scope="module")
def modality():
    task = Recommendation(load("sample-shop"), 3)
    name = next(iter(task.graph.modalities))
    items = task.graph.item_ids_of(np.arange(20))
    return made(task, "vbpr", Deletion(modalities=[(name, item) for item in items]), dim=8)


def score(case: Prepared, gold: Result, model, weight: float = 1.0):
    return Scorer(case, gold, weight).score(model, case.retained.graph, "x")


@pytest.mark.parametrize("kind", ["link", "node", "shop", "modality"])
def test_gold_has_no_gap_and_another_model_has_the_distance_of_its_answers(request, kind):
    case, gold = request.getfixturevalue(kind)
    own = score(case, gold, gold.model)
    z = gold.model.embed(case.retained.graph)
    utility = case.retained.validate(z)[{"link": "val_auc", "node": "val_accuracy"}.get(kind, "val_recall")]
    assert (own.utility, own.gap, own.total) == (utility, 0.0, utility)
    other = score(case, gold, gold.original, weight=2.0)
    assert other.gap > 0 and other.total == other.utility - 2 * other.gap
    if kind == "modality":
        assert other.forgotten is None
    else:
        assert other.gap == abs(other.forgotten - own.forgotten)


def test_the_forgotten_part_counts_as_reports_count_it(link, node, shop):
    case, gold = link
    z = gold.model.embed(case.retained.graph)
    assert score(*link, gold.model).forgotten == case.retained.forgotten_auc(z, case.gone)
    case, gold = shop
    ranked = case.retained.metrics(gold.model.embed(case.retained.graph), "forgotten", case.gone, ks=(20,))
    assert score(*shop, gold.model).forgotten == ranked["recall@20"]
    case, gold = node
    nodes = case.task.train_nodes[:9]
    right = case.task.predictions(gold.model.embed(case.retained.graph))[nodes] == case.task.labels[nodes]
    assert score(*node, gold.model).forgotten == right.mean(), "labels of held-out nodes do not count"


def blinded(task):
    """Return the task with a test part that any look at would break."""
    blind = copy.copy(task)
    if isinstance(task, LinkPrediction):
        blind.split = replace(task.split, test=None, test_negatives=None)
    elif isinstance(task, NodeClassification):
        blind.test_nodes = None
    else:
        blind.graph = copy.copy(task.graph)
        object.__setattr__(blind.graph, "test", None)
    return blind


@pytest.mark.parametrize("kind", ["link", "node", "shop", "modality"])
def test_the_test_part_has_no_share_in_the_score(request, kind):
    case, gold = request.getfixturevalue(kind)
    blind = replace(case, task=blinded(case.task), retained=blinded(case.retained))
    check_scorable(blind)
    with pytest.MonkeyPatch.context() as patch:
        if kind in ("shop", "modality"):
            whole = Recommendation.metrics
            patch.setattr(
                Recommendation, "metrics", lambda self, z, part, *a, **k: _never_test(whole, self, z, part, *a, **k)
            )
        assert score(blind, gold, gold.original) == score(case, gold, gold.original)


def _never_test(metrics, task, z, part, *rest, **named):
    assert part != "test"
    return metrics(task, z, part, *rest, **named)


def test_what_cannot_be_scored_is_refused_with_a_sentence(link):
    case, _ = link
    shop = load("sample-shop")
    user = Deletion(users=shop.user_ids_of(np.arange(1)))
    without = prepared(Recommendation(replace(shop, valid=None), 0, holdout=0), user)
    with pytest.raises(UsageError, match="has no validation part.*--holdout"):
        check_scorable(without)
    with pytest.raises(UsageError, match="--select-on test makes the test part choose"):
        check_scorable(prepared(Recommendation(shop, 0, select_on="test"), user))
    most = case.task.graph.edges[:, ::3][:, :1].T.tolist() + case.task.graph.edges[:, 1:].T.tolist()
    with pytest.raises(DataError, match="Delete less"):
        check_scorable(prepared(case.task, Deletion(edges=most[: int(0.7 * len(most))])))
    nodes = NodeClassification(load("sample-citations"), 3)
    unseen = [node for node in nodes.test_nodes.tolist() if not np.isin(nodes.graph.edges, node).any()]
    held_out = Deletion(features=(unseen or nodes.test_nodes.tolist())[:3])
    with pytest.raises(DataError, match="nothing that is trained on"):
        check_scorable(prepared(nodes, held_out))


def test_embeddings_that_are_not_finite_are_an_error(link):
    case, gold = link
    broken = gold.original.clone()
    with torch.no_grad():
        next(iter(broken.parameters())).fill_(float("nan"))
    with pytest.raises(Exception, match="not finite"):
        score(case, gold, broken)
