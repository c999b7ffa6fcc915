"""LightGCN beside dense products, by hand and through torch's autograd."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.lightgcn import LightGCN
from graphforget.models.recommender import mean_of
from graphforget.tasks.recommend import Recommendation


def made(data, **arguments) -> LightGCN:
    """Return a LightGCN for the data."""
    return LightGCN(dim=5, **arguments).initialised_for(data, Streams(3))


def adjacency(data) -> np.ndarray:
    """Return D^-1/2 A D^-1/2 of the bipartite graph, pair by pair."""
    a = np.zeros((data.n_nodes, data.n_nodes))
    for user, item in data.pairs("train").T:
        a[user, data.n_users + item] = a[data.n_users + item, user] = 1
    scale = np.array([1 / np.sqrt(d) if d else 0 for d in a.sum(1)])
    return scale[:, None] * a * scale


def test_the_matrix_of_a_toy_graph_is_exact(dense):
    """Users 0, 1, 2 chose items {0, 1}, {1}, {0, 1, 2}: degrees 2, 1, 3 and 2, 3, 1; no self-loops."""
    data = Interactions.build(3, 3, [[0, 0, 1, 2, 2, 2], [0, 1, 1, 0, 1, 2]])
    block = [[4, 6, np.inf], [np.inf, 3, np.inf], [6, 9, 3]]
    wanted = np.zeros((6, 6))
    wanted[:3, 3:] = 1 / np.sqrt(block)
    wanted[3:, :3] = wanted[:3, 3:].T
    assert np.array_equal(dense(data.normalised.csr), wanted.astype(np.float32))
    assert data.normalised.csr.nnz == 12 and data.normalised.symmetric


@pytest.mark.parametrize("layers", [1, 2, 3, 4])
def test_embeddings_are_the_mean_of_all_propagations(shop, layers):
    model = made(shop, layers=layers)
    h = np.vstack([*(part.detach().double().numpy() for part in (model.users, model.items)), np.zeros((3, 5))])
    found = [h]
    for _ in range(layers):
        found.append(adjacency(shop) @ found[-1])
    for ours, theirs in zip(model.layers(shop), found, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-5, atol=1e-7)
    np.testing.assert_allclose(model.embed(shop).numpy(), np.mean(found, axis=0), rtol=1e-5, atol=1e-7)


def test_gradients_equal_autograd_through_dense_products(shop, batch_of):
    batch = [0, 1, 2, 4, 4], [0, 3, 4, 0, 3], [5, 0, 1, 2, 5]
    model = made(shop, layers=3, reg=0.05)
    Recommendation(shop).batch_loss(model, batch_of(shop, *batch), 0).backward()
    users, items = (part.detach().double().requires_grad_() for part in (model.users, model.items))
    a, h = torch.from_numpy(adjacency(shop)), torch.cat([users, items, torch.zeros(3, 5)])
    layers = [h]
    for _ in range(3):
        layers.append(a @ layers[-1])
    z = torch.stack(layers).mean(0)
    u, i, j = (z[np.array(part) + (7 if at else 0)] for at, part in enumerate(batch))
    loss = torch.nn.functional.softplus((u * (j - i)).sum(1)).mean()
    first = [h[np.array(part) + (7 if at else 0)] for at, part in enumerate(batch)]
    (loss + 0.05 * 0.5 * sum(part.square().sum() for part in first) / 5).backward()
    torch.testing.assert_close(model.users.grad.double(), users.grad, rtol=1e-4, atol=1e-7)
    torch.testing.assert_close(model.items.grad.double(), items.grad, rtol=1e-4, atol=1e-7)


def test_nodes_without_edges_keep_their_share_of_the_first_layer(shop):
    model = made(shop, layers=3)
    z = model.embed(shop)
    torch.testing.assert_close(z[6], model.users[6].detach() / 4)
    torch.testing.assert_close(z[7 + 5], model.items[5].detach() / 4)


def test_user_and_item_of_one_number_are_two_nodes():
    data = Interactions.build(2, 2, [[0], [1]])
    z = made(data, layers=1).embed(data)
    model = made(data, layers=1)
    torch.testing.assert_close(z[0], (model.users[0] + model.items[1]).detach() / 2)
    torch.testing.assert_close(z[2 + 0], model.items[0].detach() / 2)


def test_a_deletion_reaches_the_matrix(shop):
    model = made(shop)
    before = model.embed(shop)
    retained = shop.without(users=np.array([2]))
    assert not model.embed(retained).equal(before)
    torch.testing.assert_close(model.embed(retained)[2], model.users[2].detach() / 4)
    assert model.embed(shop).equal(before)


def test_official_settings_are_the_defaults():
    found = LightGCN().config()
    softmax = {"temperature", "candidates"}  # of a loss that the official code does not have
    assert {key: value for key, value in found.items() if key not in softmax} == {
        **{"dim": 64, "layers": 3, "init": "normal", "std": 0.1, "loss": "bpr"},
        **{"reg": 1e-4, "reg_form": "half_squared", "reg_on": "layer0", "reg_per_batch": True},
    }


def test_operations_counted_by_hand():
    """4 directed entries, 4 nodes, width 5: two operations an entry, one addition a node and layer, one division."""
    data = Interactions.build(2, 2, [[0, 1], [0, 1]])
    assert LightGCN(dim=5, layers=2).flops(data) == 2 * 5 * (2 * 4) + 2 * 5 * 4 + 5 * 4


@pytest.mark.parametrize("layers", [0, 17, 1.5, True])
def test_a_wrong_number_of_layers_is_a_sentence(layers):
    with pytest.raises(UsageError, match=rf"lightgcn: 'layers' must be an integer in \[1, 16\]; got {layers}"):
        LightGCN(layers=layers)


def test_the_mean_of_layers_is_that_of_the_stack_bit_for_bit():
    layers = [torch.randn(50, 7, generator=torch.Generator().manual_seed(k)).requires_grad_() for k in range(4)]
    ours, stacked = mean_of(layers), torch.stack(layers).mean(dim=0)
    assert torch.equal(ours, stacked)
    weights = torch.arange(350.0).reshape(50, 7)
    grads = [torch.autograd.grad((found * weights).sum(), layers) for found in (ours, stacked)]
    assert all(torch.equal(a, b) for a, b in zip(*grads, strict=True))
    assert torch.equal(mean_of(layers[:1]), layers[0])
