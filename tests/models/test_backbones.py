"""Every backbone equals torch_geometric's layers; hooks, initial weights, operations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.models.base import Backbone, Convolution, Model
from graphforget.models.gat import GAT
from graphforget.models.gcn import GCN
from graphforget.models.gin import GIN
from graphforget.models.recommender import Recommender
from graphforget.models.sage import SAGE
from graphforget.models.zoo import backbones, backbones_for

ZOO = [backbones().find(name)[0] for name in backbones_for("link")]


@pytest.fixture(scope="module", params=["sparse", "dense"])
def graph(request, random_attributed_graph):
    """40 nodes, of which three have no edge."""
    graph = random_attributed_graph(dense=request.param == "dense")
    assert isinstance(graph.features, np.ndarray) == (request.param == "dense")
    return graph.without(nodes=np.array([0, 20, 39]), zero_node_features=False)


def test_every_backbone_has_an_oracle(copy_weights):
    assert set(copy_weights) == set(backbones_for("link"))


@pytest.mark.parametrize("cls", ZOO, ids=lambda cls: cls.name)
@pytest.mark.parametrize("layers", [1, 2, 3])
def test_outputs_and_gradients_equal_torch_geometric(graph, made, twin, as_pyg, copy_weights, cls, layers):
    model = made(cls, graph.n_features, hidden=7, out=5, layers=layers)
    theirs = twin(model)
    z, expected = model(graph), theirs(*as_pyg(graph))
    torch.testing.assert_close(z, expected, rtol=1e-5, atol=1e-6)
    upstream = torch.randn(z.shape, generator=torch.Generator().manual_seed(0))
    z.backward(upstream)
    expected.backward(upstream)
    for ours, layer in zip(model.convolutions, theirs.layers, strict=True):
        slots = {key: value.grad.clone() for key, value in ours.named_parameters()}
        found = type("Gradients", (), slots)
        wanted = {key: value.grad.clone() for key, value in layer.named_parameters()}
        with torch.no_grad():
            for value in layer.parameters():
                value.zero_()
            copy_weights[cls.name](found, layer)
        for key, value in layer.named_parameters():
            torch.testing.assert_close(value.detach(), wanted[key], rtol=1e-4, atol=1e-5, msg=key)


@pytest.mark.parametrize("cls", ZOO, ids=lambda cls: cls.name)
def test_the_hook_is_called_after_each_layer_and_the_next_layer_sees_its_result(graph, made, cls):
    model, calls = made(cls, graph.n_features, hidden=7, out=5, layers=3), []
    plain = model.layers(graph)

    def hook(number, h):
        calls.append((number, tuple(h.shape)))
        return h * 2 if number == 2 else h

    hooked = model.layers(graph, hook)
    assert calls == [(1, (40, 7)), (2, (40, 7)), (3, (40, 5))]
    assert hooked[0].equal(plain[0]) and hooked[1].equal(plain[1] * 2)
    assert hooked[2].equal(model.convolutions[2](graph, torch.relu(plain[1] * 2)))
    assert not hooked[2].equal(plain[2])
    assert model(graph, hook).equal(hooked[2]) and model.embed(graph).equal(plain[2])


@pytest.mark.parametrize("cls", ZOO, ids=lambda cls: cls.name)
def test_a_known_first_layer_is_not_computed_again(graph, made, cls):
    model = made(cls, graph.n_features, hidden=7, out=5)
    first, last = model.layers(graph)
    model.convolutions[0] = None
    again = model.layers(graph, first=first)
    assert again[0] is first and again[1].equal(last)


@pytest.mark.parametrize("cls", ZOO, ids=lambda cls: cls.name)
def test_the_defaults_are_the_published_widths(cls):
    model = cls().initialised(11, None, Streams(0))
    assert model.widths == [(11, 128), (128, 64)]
    assert cls().initialised(11, 6, Streams(0)).widths == [(11, 128), (128, 6)]
    assert not any(isinstance(part, torch.nn.Dropout) for part in model.modules())


@pytest.mark.parametrize("cls", ZOO, ids=lambda cls: cls.name)
def test_initial_weights_have_the_bounds_of_the_library(cls, twin):
    """As wide as torch_geometric's own, all within the bound and filling it; zero biases where it has them."""
    model = cls(hidden=60, out=50).initialised(40, None, Streams(3))
    theirs = twin(model)
    for layer in theirs.layers:
        layer.reset_parameters()
    for ours, layer in zip(model.convolutions, theirs.layers, strict=True):
        wanted = sorted((value.numel(), float(value.detach().abs().max())) for value in layer.parameters())
        found = sorted((value.numel(), float(value.detach().abs().max())) for value in ours.parameters())
        for (size, bound), (count, largest) in zip(wanted, found, strict=True):
            assert count == size and largest == pytest.approx(bound, rel=0.15, abs=1e-9)


def test_initial_weights_come_from_the_seed(weights):
    make = lambda seed: weights(GCN(hidden=5).initialised(4, None, Streams(seed)))  # noqa: E731
    assert make(0) == make(0) != make(1)


def test_drawing_weights_leaves_the_global_generator_alone():
    before = torch.random.get_rng_state()
    GCN().initialised(9, None, Streams(0))
    assert torch.random.get_rng_state().equal(before)


@pytest.mark.parametrize(
    ("cls", "first", "second"),
    [
        (GCN, 2 * 3 * (5 + 8 + 4), 2 * 2 * (12 + 8 + 4)),
        (GIN, 2 * 3 * (5 + 8) + 3 * 4, 2 * 2 * (12 + 8) + 2 * 4),
        (SAGE, 2 * 3 * (10 + 8) + 3 * 4, 2 * 2 * (24 + 8) + 2 * 4),
        (GAT, 2 * 3 * (5 + 12 + 8) + 6 * 12, 2 * 2 * (12 + 12 + 8) + 6 * 12),
    ],
)
def test_operations_counted_by_hand(cls, first, second):
    """4 nodes, 4 edges, 5 stored features of 4 x 6: widths 6 - 3 - 2; a multiplication with its sum counts two.

    GCN: x W, then A x (8 directed edges and 4 loops). GIN: the same without loops, and h + A h. SAGE: two weights.
    GAT: loops, two attention scores a node, and 6 per edge for the softmax.
    """
    x = np.zeros((4, 6), dtype=np.float32)
    x[[0, 1, 1, 2, 3], [0, 1, 2, 3, 4]] = 1
    graph = Graph.build(4, np.array([[0, 1, 2, 0], [1, 2, 3, 3]]), x)
    model = cls(hidden=3, out=2).initialised(6, None, Streams(0))
    assert model.flops(graph) == first + second


def test_dense_features_count_whole():
    graph = Graph.build(4, np.array([[0, 1], [1, 2]]), np.ones((4, 6), dtype=np.float32))
    model = GCN(hidden=3, out=2).initialised(6, None, Streams(0))
    assert model.flops(graph) == 2 * 3 * (24 + 4 + 4) + 2 * 2 * (12 + 4 + 4)


@pytest.mark.parametrize("cls", ZOO, ids=lambda cls: cls.name)
@pytest.mark.parametrize(
    ("field", "value"), [("hidden", 0), ("out", -1), ("layers", 0), ("layers", 9), ("hidden", 1.5)]
)
def test_a_wrong_width_is_a_sentence(cls, field, value):
    with pytest.raises(UsageError, match=rf"{cls.name.upper()}: '{field}' must be an integer in .*; got {value}"):
        cls(**{field: value})


def test_what_is_abstract_cannot_be_made():
    for cls in (Model, Backbone, Convolution, Recommender):
        with pytest.raises(TypeError, match="abstract"):
            cls()


def test_models_of_other_settings_are_written_otherwise():
    assert repr(GCN(hidden=7)) == "GCN(hidden=7, out=None, layers=2)" != repr(GCN(hidden=8))


def test_a_model_without_parameters_says_so(graph):
    with pytest.raises(UsageError, match="train it first"):
        _ = GCN().widths


def test_other_features_than_trained_on_are_refused(graph):
    model = GCN(hidden=3).initialised(graph.n_features + 1, None, Streams(0))
    with pytest.raises(DataError, match=f"made for {graph.n_features + 1} features.*has {graph.n_features}"):
        model(graph)


def test_out_must_fit_the_classes():
    with pytest.raises(UsageError, match="'out' is 5, but the task has 3 classes"):
        GCN(out=5).initialised(4, 3, Streams(0))


def test_clone_and_frozen_are_independent(graph, made, weights):
    model = made(GCN, graph.n_features, hidden=3)
    frozen, clone = model.frozen(), model.clone()
    with torch.no_grad():
        model.convolutions[0].weight += 1
    assert weights(frozen) == weights(clone) != weights(model)
    assert not any(value.requires_grad for value in frozen.parameters()) and not frozen.training
    assert all(value.requires_grad for value in frozen.clone().parameters())


def test_a_model_holds_no_graph(graph, made):
    """The same model on two graphs, in any order, gives what each graph gives alone."""
    model = made(GCN, graph.n_features, hidden=3)
    other = graph.without(edges=np.arange(10))
    alone = model.embed(other)
    model.embed(graph)
    assert model.embed(other).equal(alone)
    assert not [key for key, value in vars(model).items() if isinstance(value, Graph)]
