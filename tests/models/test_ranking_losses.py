"""Losses that a recommender can be trained with in place of BPR."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.ranking_losses import cosine_softmax, sampled_softmax
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import Triples
from graphforget.training.train import train


@pytest.fixture
def task(market) -> Recommendation:
    return Recommendation(market, seed=1)


def batch(task, m: int = 12):
    rng = np.random.default_rng(3)
    users, items, others = (rng.integers(0, n, m) for n in (task.graph.n_users, task.graph.n_items, task.graph.n_items))
    return users, items, others, task.items(Triples(users, items, others))


@pytest.mark.parametrize("candidates", [1, 5, 12, 100])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_it_is_the_cross_entropy_of_the_chosen_among_shared_others(task, candidates, temperature):
    users, items, others, made = batch(task)
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(task.graph.n_nodes, 4)).astype(np.float32))
    n, losses = task.graph.n_users, []
    for u, i in zip(users, items, strict=True):
        scores = [float(z[u] @ z[n + j]) / temperature for j in (i, *others[:candidates])]
        losses.append(-scores[0] + float(np.log(np.exp(np.array(scores)).sum())))
    assert float(sampled_softmax(z, made, temperature, candidates)) == pytest.approx(np.mean(losses), rel=1e-4)


@pytest.mark.parametrize("candidates", [1, 5, 12, 100])
@pytest.mark.parametrize("temperature", [0.1, 1.0])
def test_ssm_is_the_cross_entropy_of_cosines_among_the_batchs_own_items(task, candidates, temperature):
    users, items, _, made = batch(task)
    z = torch.from_numpy(np.random.default_rng(0).normal(size=(task.graph.n_nodes, 4)).astype(np.float32))
    n, losses = task.graph.n_users, []
    for row, (u, i) in enumerate(zip(users, items, strict=True)):
        others = [j for place, j in enumerate(items[:candidates]) if place != row]
        cosines = [float(torch.cosine_similarity(z[u], z[n + j], dim=0)) / temperature for j in (i, *others)]
        losses.append(-cosines[0] + float(np.log(np.exp(np.array(cosines)).sum())))
    assert float(cosine_softmax(z, made, temperature, candidates)) == pytest.approx(np.mean(losses), rel=1e-4, abs=1e-6)


def test_ssm_of_a_single_triple_has_nothing_to_learn(task):
    z = torch.ones(task.graph.n_nodes, 4, requires_grad=True)
    loss = cosine_softmax(z, batch(task, 1)[3], 0.1, 12)
    loss.backward()
    assert loss.item() == 0.0 and (z.grad == 0).all()


def test_large_scores_stay_finite(task):
    z = torch.full((task.graph.n_nodes, 4), 10.0, requires_grad=True)
    loss = sampled_softmax(z, batch(task)[3], 0.1, 12)
    loss.backward()
    assert loss.item() == pytest.approx(np.log(13), rel=1e-3) and torch.isfinite(z.grad).all()


@pytest.mark.parametrize("backbone", [MF, LightGCN])
@pytest.mark.parametrize("loss", ["softmax", "ssm"])
def test_a_backbone_trained_with_it_learns_the_groups(task, backbone, loss):
    model = train(backbone(dim=8, loss=loss), task, epochs=20, batch=128, lr=0.02, validate_every=5)
    plain = backbone(dim=8).initialised_for(task.graph, task.streams)
    found = [task.metrics(m.embed(task.graph), "valid", ks=(10,))["recall@10"] for m in (plain, model)]
    assert found[1] > found[0] + 0.2
    assert type(model)(**model.config()).config() == model.config() and model.loss == loss
