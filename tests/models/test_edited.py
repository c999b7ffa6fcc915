"""Learned operators after the layers of a frozen model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.streams import Streams
from graphforget.models.edited import Edited, Operator, identity_operator, ones_operator, under_operators
from graphforget.models.gcn import GCN
from graphforget.models.kgat import KGAT
from graphforget.tasks.recommend import Recommendation
from graphforget.training.recipe import Recipe
from graphforget.training.train import run_training, train


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """40 nodes."""
    return random_attributed_graph()


@pytest.fixture
def base(graph, made):
    """A GCN with widths 10 - 4 - 3."""
    return made(GCN, graph.n_features, hidden=4, out=3)


def test_an_operator_multiplies_its_rows_and_leaves_the_others():
    h = torch.randn(5, 3, generator=torch.Generator().manual_seed(0))
    weight = torch.randn(3, 3, generator=torch.Generator().manual_seed(1))
    out = Operator(torch.tensor([1, 4]), weight)(h)
    for row in range(5):
        torch.testing.assert_close(out[row], h[row] @ weight if row in (1, 4) else h[row])


def test_an_operators_gradients():
    h = torch.randn(5, 3, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    operator = Operator(torch.tensor([1, 4]), torch.full((3, 3), 0.5))
    operator(h).sum().backward()
    expected = (h.detach()[1] + h.detach()[4]).unsqueeze(1).expand(3, 3)
    torch.testing.assert_close(operator.weight.grad, expected)
    assert h.grad[[1, 4]].eq(1.5).all() and h.grad[[0, 2, 3]].eq(1).all()


def test_identity_operators_change_nothing(graph, base):
    nodes = np.array([2, 7])
    model = Edited(base, {1: identity_operator(nodes, 4), 2: identity_operator(nodes, 3)})
    assert model.embed(graph).equal(base.embed(graph))


def test_ones_operators_map_to_a_thousandth_of_the_row_sum():
    h = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
    torch.testing.assert_close(ones_operator(np.array([1]), 2)(h), torch.tensor([[1.0, 2.0], [0.007, 0.007]]))


def test_the_operator_comes_before_the_activation(graph, base):
    """-I on all nodes after layer 1 turns what ReLU keeps around."""
    everyone = np.arange(40)
    flip = identity_operator(everyone, 4)
    flip.weight.data *= -1
    model = Edited(base, {1: flip})
    h = base.layers(graph)[0]
    expected = base.convolutions[1](graph, torch.relu(-h))
    torch.testing.assert_close(model.embed(graph), expected.detach())


def test_the_base_is_frozen_and_a_copy(graph, base, weights):
    before = weights(base)
    model = Edited(base, {1: identity_operator(np.array([2]), 4)})
    assert [key for key, value in model.named_parameters() if value.requires_grad] == ["operators.1.weight"]
    with torch.no_grad():
        for value in model.parameters():
            value += 1
    assert weights(base) == before


def test_operations_grow_by_two_per_weight_and_node(graph, base):
    """D2DGN's claim in the other direction: an operator costs 2 |S| d^2."""
    model = Edited(base, {1: identity_operator(np.arange(7), 4), 2: identity_operator(np.arange(9), 3)})
    assert model.flops(graph) - base.flops(graph) == 2 * 7 * 16 + 2 * 9 * 9


def test_a_fresh_start_has_no_operators(base):
    model = Edited(base, {1: identity_operator(np.arange(7), 4)})
    assert isinstance(model.fresh(Streams(1)), GCN) and not isinstance(model.fresh(Streams(1)), Edited)
    twice = Edited(model, {2: identity_operator(np.arange(2), 3)})
    assert type(under_operators(twice)) is GCN
    assert {layer: len(nodes) for layer, nodes in twice.node_sets().items()} == {2: 2}


@pytest.fixture
def edited(market):
    """A KGAT with refreshed attention under operators on the first users and items, trained for two epochs before."""
    task = Recommendation(market, sampler="kgat")
    keys = {"epochs": 2, "batch": 64, "validate_every": 1, "lr": 0.02}
    base = train(KGAT(dim=6, kg_dim=4, layers="5", attention="refresh", kg_batch=64), task, **keys)
    nodes = np.array([0, 3, 61, 70])
    operators = {1: identity_operator(nodes, 6), 2: identity_operator(nodes, 5)}
    for number, operator in operators.items():
        operator.weight.data *= 1 + number / 2
    return Edited(base, operators)


def test_the_knowledge_phase_of_an_edited_kgat_waits_until_it_may_learn(market, edited, weights):
    """While the model underneath is frozen, TransR has nothing to move; of a copy that learns it moves the tables."""
    task, recipe = Recommendation(market, sampler="kgat"), Recipe(2, 0.02, 0.0, 1, "val_recall", batch=64)
    assert edited.side_phases(market, Streams(0)) == {}
    before = weights(edited.base)
    run_training(edited, task, recipe, 3)
    assert weights(edited.base) == before
    free = edited.clone()
    assert list(free.side_phases(market, Streams(0))) == ["kg"]
    run_training(free, task, recipe, 3)
    for table in ("relations", "transforms", "nodes"):
        assert not getattr(free.base, table).equal(getattr(edited.base, table))


def test_the_knowledge_loss_of_an_edited_kgat_is_that_of_the_model_underneath(market, edited):
    free = edited.clone()
    ours, theirs = (model.side_phases(market, Streams(4))["kg"](1) for model in (free, edited.base.clone()))
    found = [(one().item(), other().item()) for one, other in zip(ours, theirs, strict=True)]
    assert len(found) == 2 * (market.n_edges + 30) // 64 + 1 and all(one == other for one, other in found)


def test_an_edited_kgat_answers_with_the_attention_of_its_present_tables(market, edited, dense):
    """By dense products: operators act on E and on E', attention is that of the tables as they are now."""
    free = edited.clone().eval()
    before = free.embed(market)
    with torch.no_grad():
        free.base.transforms *= 3
    assert not free.embed(market).equal(before)
    base, (one, two) = free.base, free.operators.values()
    e = one(base.nodes).detach()
    side = torch.from_numpy(dense(base.matrix(market).csr)).float() @ e
    parts = ((e + side) @ base.weights[0] + base.biases[0], (e * side) @ base.weights[1] + base.biases[1])
    behind = two(sum(torch.nn.functional.leaky_relu(part, 0.2) for part in parts))
    wanted = torch.cat([e, torch.nn.functional.normalize(behind)], dim=1)
    torch.testing.assert_close(free.embed(market), wanted.detach(), rtol=1e-4, atol=1e-5)
