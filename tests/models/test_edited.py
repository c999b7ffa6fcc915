"""Learned operators after the layers of a frozen model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.streams import Streams
from graphforget.models.edited import Edited, Operator, identity_operator, ones_operator, under_operators
from graphforget.models.gcn import GCN


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
