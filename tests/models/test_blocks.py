"""Embeddings computed block by block, and rows computed from all neighbours, are those of the whole graph."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.streams import Streams
from graphforget.data.load import load
from graphforget.kernels.neighbours import sample_neighbours
from graphforget.models import base
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.lightgcn import LightGCN
from graphforget.models.zoo import backbones, backbones_for

ROWS = np.array([3, 50, 51, 400])


@pytest.fixture(scope="module")
def graph():
    """The sample citations."""
    return load("sample-citations")


@pytest.fixture(params=backbones_for("link"))
def model(request, graph):
    """Each backbone of the zoo for graphs, three layers."""
    made = backbones().get(request.param, hidden=16, out=8, layers=3)
    return made.initialised(graph.n_features, None, Streams(3)).frozen()


@pytest.mark.parametrize("block", [1, 100, 333])
def test_blocks_give_the_values_of_the_whole(monkeypatch, graph, model, block):
    whole = model.embed(graph)
    seen = []
    of = base.Neighbourhood.of
    if block == 1:
        graph = graph.with_edges(graph.edges[:, :40])
        whole = model.embed(graph)
    monkeypatch.setattr(base.Neighbourhood, "of", lambda *a, **k: seen.append(a[1]) or of(*a, **k))
    monkeypatch.setattr(base, "block_rows", lambda convolution: block)
    np.testing.assert_allclose(model.embed(graph), whole, rtol=0, atol=2e-7 * float(whole.abs().max()))
    assert len(seen) == 3 * -(-graph.n_nodes // block) and max(map(len, seen)) == block


def test_a_block_has_so_many_rows_that_its_widest_table_has_half_a_gigabyte(graph, model):
    rows = base.block_rows(model.convolutions[0])
    widest = max(parameter.shape[-1] for parameter in model.convolutions[0].parameters())
    assert 2**29 - 4 * widest < 4 * widest * rows <= 2**29


def test_operators_between_layers_see_the_whole_table(monkeypatch, graph, model):
    operator = identity_operator(ROWS, 16)
    torch.nn.init.orthogonal_(operator.weight)
    edited = Edited(model, {1: operator}).frozen()
    whole = edited.embed(graph)
    monkeypatch.setattr(base, "block_rows", lambda convolution: 100)
    np.testing.assert_allclose(edited.embed(graph), whole, rtol=0, atol=2e-7 * float(whole.abs().max()))
    assert not torch.allclose(whole, model.embed(graph))


def test_rows_from_all_neighbours_have_values_and_gradients_of_the_whole(graph, model):
    model = model.clone()
    z = model(graph)[ROWS]
    grads = torch.autograd.grad(z.square().sum(), list(model.parameters()))
    _, rows = model.sampled_rows(graph, ROWS, [(10**6, 1), (10**6, 2), (10**6, 3)])
    own = torch.autograd.grad(rows.square().sum(), list(model.parameters()))
    torch.testing.assert_close(rows, z, rtol=1e-5, atol=1e-6)
    for mine, theirs in zip(own, grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-5)


def test_drawn_rows_do_not_depend_on_the_rest_of_the_batch(graph, model):
    hops = [(2, 5), (3, 6), (2, 7)]
    _, together = model.sampled_rows(graph, ROWS, hops)
    _, alone = model.sampled_rows(graph, ROWS[1:2], hops)
    torch.testing.assert_close(alone[0], together[1], rtol=1e-6, atol=1e-7)
    assert not torch.allclose(together, model.sampled_rows(graph, ROWS, [(2, 8), (3, 6), (2, 7)])[1])


@pytest.fixture(scope="module")
def shop():
    """The sample shop, which has further entities, and an untrained LightGCN."""
    data = load("sample-shop")
    return data, LightGCN(dim=8, std=1.0).initialised_for(data, Streams(1))


def test_lightgcn_from_all_neighbours(shop):
    data, model = shop
    rows = np.unique(np.concatenate([[0, 1, data.n_users - 1, data.n_users, data.n_nodes - 1], data.edges[:, 7]]))
    first, z = model.at_rows(data, rows)
    sampled, found = model.sampled_rows(data, rows, [(10**6, 1)] * 3)
    assert torch.equal(sampled[0], first[0])
    torch.testing.assert_close(found, z, rtol=1e-5, atol=1e-6)
    grads = (torch.autograd.grad(value.square().sum(), [model.users, model.items]) for value in (found, z))
    for mine, theirs in zip(*grads, strict=True):
        torch.testing.assert_close(mine, theirs, rtol=1e-4, atol=1e-6)


def test_lightgcn_is_right_on_average(shop):
    data, model = shop
    rows = np.array([0, 3, data.n_users + 2])
    assert sample_neighbours(data.normalised.csr, rows, 2, 0).nnz < np.diff(data.normalised.csr.indptr)[rows].sum()
    draws = [model.sampled_rows(data, rows, [(2, 3 * n), (2, 3 * n + 1), (2, 3 * n + 2)])[1] for n in range(1000)]
    z = model.at_rows(data, rows)[1]
    spread = torch.stack(draws).std(dim=0) / 1000**0.5
    assert ((torch.stack(draws).mean(dim=0) - z).abs() < 5 * spread + 1e-6).all()
