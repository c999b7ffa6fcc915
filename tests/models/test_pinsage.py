"""PinSage: neighbours by walks, the convolutions beside dense ones, users as means, the hinge loss."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.walks import random_walks
from graphforget.models.pinsage import PinSage
from graphforget.tasks.recommend import Recommendation


def made(data, **arguments) -> PinSage:
    """Return a PinSage for the data, with biases."""
    model = PinSage(**{"dim": 5, **arguments}).initialised_for(data, Streams(3))
    with torch.no_grad():
        for number, p in enumerate(model.parameters()):
            p += 0.3 * torch.randn(p.shape, generator=torch.Generator().manual_seed(number))
    return model


def neighbours(data, top: int, walks: int, hops: int, restart: float, seed: int) -> np.ndarray:
    """Return the visit shares of the most visited other items, counted walk by walk."""
    key = Streams(seed)("walks").key
    starts = data.n_users + np.arange(data.n_items)
    visited = random_walks(data.csr, starts, key, walks=walks, hops=hops, restart=restart, steps=2)
    out = np.zeros((data.n_items, data.n_items))
    for item, nodes in enumerate(visited):
        counts = Counter(int(n) - data.n_users for n in nodes if n >= 0 and n != starts[item])
        best = sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))[:top]
        for other, count in best:
            out[item, other] = count / sum(c for _, c in best)
    return out


def oracle(data, own: dict[str, np.ndarray], means: np.ndarray, names: list[str]) -> np.ndarray:
    """Return users [mean h | 1] above items [h | b] above zeros."""
    x = own["items"] + own["shift"]
    for m, name in enumerate(names):
        x = x + data.modalities[name].astype(np.float64) @ own[f"inputs.{m}"]
    h = x
    for layer in range(2):
        near = means @ np.maximum(h @ own[f"queries.{layer}"] + own[f"query_shifts.{layer}"], 0)
        h = np.maximum(np.hstack([near, h]) @ own[f"weights.{layer}"] + own[f"weight_shifts.{layer}"], 0)
        norm = np.linalg.norm(h, axis=1, keepdims=True)
        h = h / np.where(norm > 0, norm, 1)
    items = x + h
    users = np.zeros((data.n_users, 5))
    for user in range(data.n_users):
        chosen = data.pairs()[1][data.pairs()[0] == user]
        users[user] = items[chosen].mean(0) if len(chosen) else 0
    rest = np.zeros((data.n_nodes - data.n_users - data.n_items, 6))
    return np.vstack([np.hstack([users, np.ones((data.n_users, 1))]), np.hstack([items, own["item_bias"]]), rest])


def test_the_table_of_neighbours_counts_visits(market, dense):
    model = made(market, neighbours=4, walks=20, hops=3, restart=0.3, walk_seed=7)
    found = dense(model.neighbour_means(market).csr)
    np.testing.assert_allclose(found, neighbours(market, 4, 20, 3, 0.3, 7), rtol=1e-6)
    assert not found.diagonal().any() and (found > 0).sum(1).max() == 4
    np.testing.assert_allclose(found.sum(1), 1, rtol=1e-6)
    groups = np.arange(30) % 3
    assert not found[groups[:, None] != groups].any()


@pytest.mark.parametrize(("named", "names"), [(None, ["image", "text"]), ("text", ["text"])])
def test_embeddings_equal_the_equations(shop, values, named, names):
    model = made(shop, modalities=named).eval()
    wanted = oracle(shop, values(model), neighbours(shop, 3, 10, 2, 0.5, 0), names)
    np.testing.assert_allclose(model.embed(shop).numpy(), wanted, rtol=1e-4, atol=1e-5)
    assert [tuple(h.shape) for h in model.layers(shop)] == [(16, 5), (16, 5), (16, 5), (16, 6)]


def test_features_are_not_needed(shop, values):
    plain = Interactions.build(7, 6, shop.pairs(), name="plain")
    model = made(plain).eval()
    wanted = oracle(plain, values(model), neighbours(plain, 3, 10, 2, 0.5, 0), [])
    np.testing.assert_allclose(model.embed(plain).numpy(), wanted, rtol=1e-4, atol=1e-5)
    with pytest.raises(DataError, match="pinsage reads item features, and 'plain' has none"):
        made(plain, modalities="text")


def test_a_user_without_items_is_ranked_by_the_biases(shop):
    model = made(shop).eval()
    ids, scores = Recommendation(shop).rank(model.embed(shop), np.array([6]), 6, hidden=[])
    bias = model.item_bias.detach().numpy().ravel()
    assert ids[0].tolist() == np.argsort(-bias, kind="stable").tolist()
    np.testing.assert_allclose(scores[0], np.sort(bias)[::-1], rtol=1e-6)


def test_the_ranking_loss_by_loops(shop, batch_of):
    """The query of (u, i) is the mean of u's items but i; a user with one item has none, and the biases alone count."""
    batch = [0, 1, 2, 5], [0, 3, 4, 1], [5, 0, 1, 3]
    model = made(shop, margin=0.8).eval()
    z = model.embed(shop).double().numpy()
    items, bias, total = z[7:13, :5], z[7:13, 5], 0.0
    for user, i, j in zip(*batch, strict=True):
        own = [item for item in shop.pairs()[1][shop.pairs()[0] == user] if item != i]
        query = items[own].mean(0) if own else np.zeros(5)
        margin = (query @ items[j] + bias[j]) - (query @ items[i] + bias[i]) + 0.8
        total += max(0.0, margin) / 4
    assert shop.user_degrees[5] == 1
    loss = Recommendation(shop).batch_loss(model, batch_of(shop, *batch), 0)
    assert float(loss.detach()) == pytest.approx(total, rel=1e-4)


def test_gradients_equal_differences(shop, batch_of, gradients_off):
    task, items = Recommendation(shop), batch_of(shop, [0, 1, 2, 5], [0, 3, 4, 1], [5, 0, 1, 3])
    model = made(shop, margin=5.0, reg=0.1).eval().double()
    assert gradients_off(model, lambda: task.batch_loss(model, items, 0)) == []


def test_dropout_acts_in_training_only(shop):
    model = made(shop)
    assert model.eval()(shop).equal(model(shop))
    model.train()
    torch.manual_seed(0)
    assert not model(shop).equal(model(shop))


def test_neighbours_are_kept_with_the_data_and_drawn_anew_after_a_deletion(market, dense):
    model = made(market).eval()
    before = model.neighbour_means(market)
    assert model.neighbour_means(market) is before
    gone = market.without(items=np.array([3]))
    after = dense(model.neighbour_means(gone).csr)
    assert not after[3].any() and not after[:, 3].any() and dense(before.csr)[:, 3].any()
    np.testing.assert_allclose(after, neighbours(gone, 3, 10, 2, 0.5, 0), rtol=1e-6)
    assert not list(model.buffers())


def test_settings_of_the_walks_do_not_share_a_table(market, dense):
    tables = [
        dense(made(market, **given).neighbour_means(market).csr) for given in ({}, {"walk_seed": 1}, {"walks": 9})
    ]
    assert not np.array_equal(tables[0], tables[1]) and not np.array_equal(tables[0], tables[2])


def test_operations_counted_by_hand(shop):
    """6 items, 7 features, width 5; a convolution has products 5 x 5 and 10 x 5 and 3 neighbours; 13 pairs."""
    assert made(shop).flops(shop) == 2 * 6 * 5 * 7 + 2 * (2 * 6 * 5 * (5 + 10) + 2 * 3 * 6 * 5) + 2 * 13 * 5


def test_defaults_are_those_of_the_example():
    found = PinSage().config()
    wanted = {"dim": 16, "layers": 2, "neighbours": 3, "walks": 10, "hops": 2, "restart": 0.5}
    assert found == {**found, **wanted, "dropout": 0.5, "margin": 1.0, "reg": 0.0}


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"layers": 0}, r"pinsage: 'layers' must be an integer in \[1, 16\]; got 0"),
        ({"neighbours": 0}, "pinsage: 'neighbours' must be an integer"),
        ({"walks": 0}, "pinsage: 'walks' must be an integer"),
        ({"hops": 0}, "pinsage: 'hops' must be an integer"),
        ({"restart": 1.0}, "pinsage: 'restart' must be a number of at least 0 and below 1; got 1.0"),
        ({"walk_seed": "a"}, "pinsage: 'walk_seed' must be an integer; got 'a'"),
        ({"dropout": 1.0}, "pinsage: 'dropout' must be a number of at least 0 and below 1; got 1.0"),
        ({"margin": -1}, "pinsage: 'margin' must be a number of at least 0; got -1"),
        ({"modalities": "a,,b"}, "pinsage: 'modalities' must list names"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        PinSage(**arguments)
