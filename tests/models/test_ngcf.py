"""NGCF beside a dense re-implementation of its equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.models.ngcf import NGCF, looped_mean


def made(data, **arguments) -> NGCF:
    """Return an NGCF for the data."""
    return NGCF(**{"dim": 5, "layers": "4,3", **arguments}).initialised_for(data, Streams(3))


def adjacency(data) -> np.ndarray:
    """Return D^-1 (A + I) of the bipartite graph, pair by pair."""
    a = np.eye(data.n_nodes)
    for user, item in data.pairs("train").T:
        a[user, data.n_users + item] = a[data.n_users + item, user] = 1
    return a / a.sum(1, keepdims=True)


def leaky(x: np.ndarray, slope: float) -> np.ndarray:
    """Return the leaky ReLU."""
    return np.where(x > 0, x, slope * x)


def oracle(data, own: dict[str, np.ndarray], layers: int, slope: float) -> list[np.ndarray]:
    """Return E and E' of each layer."""
    found = [np.vstack([own["users"], own["items"], np.zeros((data.n_nodes - data.n_users - data.n_items, 5))])]
    for layer in range(layers):
        h, side = found[-1], adjacency(data) @ found[-1]
        first = side @ own[f"weights.{2 * layer}"] + own[f"biases.{2 * layer}"]
        second = (h * side) @ own[f"weights.{2 * layer + 1}"] + own[f"biases.{2 * layer + 1}"]
        found.append(leaky(first, slope) + leaky(second, slope))
    return found


def test_the_matrix_averages_neighbours_and_the_node_itself(shop, dense):
    np.testing.assert_allclose(dense(looped_mean(shop).csr), adjacency(shop), rtol=1e-6)


@pytest.mark.parametrize("slope", [0.2, 0.01])
def test_embeddings_equal_the_equations(shop, values, slope):
    model = made(shop, slope=slope).eval()
    wanted = oracle(shop, values(model), 2, slope)
    for ours, theirs in zip(model.layers(shop), wanted, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6)
    unit = [h / np.linalg.norm(h, axis=1, keepdims=True) for h in wanted[1:]]
    np.testing.assert_allclose(model.embed(shop).numpy(), np.hstack([wanted[0], *unit]), rtol=1e-4, atol=1e-6)


def test_gradients_equal_differences(shop, gradients_off):
    """Of a random projection of the embeddings."""
    model = made(shop).eval().double()
    weight = torch.randn(16, 12, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert gradients_off(model, lambda: (model(shop) * weight).sum(), rel=1e-4) == []


def test_dropout_acts_in_training_and_before_the_normalisation(shop):
    model = made(shop, dropout=0.5).train()
    torch.manual_seed(0)
    layers = model.layers(shop)
    assert (layers[1] == 0).float().mean() > 0.2
    z = model.readout(layers)
    norms = z[:, 5:9].norm(dim=1)
    assert torch.allclose(norms[norms > 0], torch.ones(1))
    assert not (model.eval().layers(shop)[1] == 0).any()


def test_widths_and_initial_values(shop):
    model = made(shop, dim=50, layers="40,30")
    assert [tuple(w.shape) for w in model.weights] == [(50, 40), (50, 40), (40, 30), (40, 30)]
    assert model.embed(shop).shape == (16, 120)
    for bias in model.biases:
        bound = (6 / (1 + bias.shape[1])) ** 0.5
        assert 0.7 * bound < float(bias.detach().abs().max()) <= bound
    assert not any(bias.any() for bias in made(shop, bias_init="zeros").biases)
    assert NGCF().config()["layers"] == "64,64,64" and NGCF().reg_on == "final" and NGCF().slope == 0.2


def test_operations_counted_by_hand(shop):
    """Per layer: 2 x 13 pairs and 16 loops, two operations each; two products of 16 rows with a weight."""
    wanted = 2 * 5 * (26 + 16) + 2 * 2 * 16 * 5 * 4 + 2 * 4 * (26 + 16) + 2 * 2 * 16 * 4 * 3
    assert made(shop).flops(shop) == wanted


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"layers": "64,x"}, "ngcf: 'layers' must list the widths of the layers, as 64,32,16; got '64,x'"),
        ({"layers": "64,\u00b2"}, "ngcf: 'layers' must list the widths"),
        ({"layers": "64,65537"}, "got '64,65537'. A width is from 1 to 65536."),
        ({"layers": "9" * 5000}, "A width is from 1 to 65536."),
        ({"layers": ""}, "ngcf: 'layers' must list"),
        ({"layers": "0"}, "ngcf: 'layers' must list"),
        ({"dropout": 1.0}, "ngcf: 'dropout' must be a number of at least 0 and below 1; got 1.0"),
        ({"bias_init": "ones"}, "ngcf: 'bias_init' must be one of xavier, zeros; got 'ones'"),
        ({"slope": -0.1}, "ngcf: 'slope' must be a number of at least 0; got -0.1"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        NGCF(**arguments)
