"""A user's own module behind the zoo's interface."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn
from torch_geometric.nn import GCNConv

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.models.adapter import Adapter
from graphforget.models.gcn import GCN
from graphforget.models.zoo import save_model
from graphforget.tasks.link import LinkPrediction
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """40 nodes."""
    return random_attributed_graph()


@pytest.fixture
def pair(graph, made, twin):
    """A GCN of the zoo and an adapter around torch_geometric layers with the same weights."""
    model = made(GCN, graph.n_features, hidden=7, out=5)
    return model, Adapter(twin(model))


def test_a_layer_by_itself_is_a_module_of_one_layer(graph):
    alone = Adapter(GCNConv(graph.n_features, 5))
    assert alone.layer_names == [""] and alone.embed(graph).shape == (graph.n_nodes, 5)
    assert alone.layers(graph, lambda layer, h: h + layer)[0].equal(alone.embed(graph) + 1)


def test_a_model_of_the_zoo_needs_no_adapter():
    with pytest.raises(UsageError, match="GCN is a model of the zoo already"):
        Adapter(GCN())


def test_it_gives_the_same_numbers_as_the_zoo(graph, pair):
    model, adapter = pair
    for ours, theirs in zip(model.layers(graph), adapter.layers(graph), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)
    torch.testing.assert_close(adapter.embed(graph), model.embed(graph), rtol=1e-5, atol=1e-6)


def test_the_hook_acts_between_the_layers_as_in_the_zoo(graph, pair):
    hook = lambda number, h: h * 0.5 if number == 1 else h - 1  # noqa: E731
    for ours, theirs in zip(pair[0].layers(graph, hook), pair[1].layers(graph, hook), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


def test_a_known_first_layer_replaces_its_own(graph, pair):
    first = torch.ones(40, 7)
    for ours, theirs in zip(pair[0].layers(graph, first=first), pair[1].layers(graph, first=first), strict=True):
        torch.testing.assert_close(theirs, ours, rtol=1e-5, atol=1e-6)


def test_hooks_are_taken_off_again(graph, pair):
    _, adapter = pair
    before = adapter.embed(graph)
    adapter.layers(graph, lambda number, h: h * 0)
    with pytest.raises(ZeroDivisionError):
        adapter.layers(graph, lambda number, h: 1 / 0)
    assert adapter.embed(graph).equal(before)
    assert not any(module._forward_hooks for module in adapter.modules())


@pytest.mark.parametrize("method", ["gnndelete", "d2dgn", "retrain", "fine-tune", "gradient-ascent", "unlink"])
def test_methods_serve_it(graph, twin, made, weights, method):
    task = LinkPrediction(graph, seed=2)
    adapter = Adapter(twin(made(GCN, graph.n_features, hidden=7, out=5)))
    model = train(adapter, task, epochs=3)
    before = weights(model)
    short = {"epochs": 3} if method in ("gnndelete", "d2dgn", "fine-tune", "gradient-ascent") else {}
    deletion = sample_deletion(task, edges=5)
    first = unlearn(model, task, deletion, method, **short)
    assert weights(model) == before
    again = unlearn(model, task, deletion, method, **short)
    assert weights(first.model) == weights(again.model)


def test_fresh_weights_come_from_the_seed_and_leave_the_global_generator_alone(pair, weights):
    state = torch.random.get_rng_state()
    one, two, other = (pair[1].fresh(Streams(seed)) for seed in (1, 1, 2))
    assert weights(one) == weights(two) != weights(other)
    assert weights(one) != weights(pair[1])
    assert torch.random.get_rng_state().equal(state)


def test_a_module_that_cannot_start_afresh_is_refused():
    class Stubborn(nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = nn.Linear(2, 2)
            self.scale = nn.Parameter(torch.ones(1))

    with pytest.raises(UnsupportedError, match=r"Stubborn has parameters scale but no reset_parameters"):
        Adapter(Stubborn(), layers=["inner"]).fresh(Streams(0))


def test_layers_must_exist_and_be_called(graph):
    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.unused = nn.Linear(10, 4), nn.Linear(10, 4)

        def forward(self, x, edge_index):
            return self.used(x)

    with pytest.raises(UsageError, match="no submodule.*name its layers, of used, unused"):
        Adapter(Net())
    with pytest.raises(UsageError, match="'third'"):
        Adapter(Net(), layers=["used", "third"])
    with pytest.raises(UsageError, match=r"Net does not call 'unused'. Use layers=\['used'\]"):
        Adapter(Net(), layers=["used", "unused"]).layers(graph)
    with pytest.raises(UsageError, match="names a layer twice"):
        Adapter(Net(), layers=["used", "used"])
    assert Adapter(Net(), layers=["used"]).embed(graph).shape == (40, 4)


def test_its_code_cannot_be_saved(pair, tmp_path, graph):
    with pytest.raises(UnsupportedError, match="state_dict"):
        save_model(pair[1], tmp_path / "m")
    assert not (tmp_path / "m").exists()
    with pytest.raises(UnsupportedError):
        pair[1].flops(graph)


class Cached(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.conv = GCNConv(4, 3, **options)

    def forward(self, x, edge_index):
        return self.conv(x, edge_index)


class LogSoftmax(Cached):
    def forward(self, x, edge_index):
        return super().forward(x, edge_index).log_softmax(dim=1)


def test_a_module_that_caches_the_adjacency_is_refused():
    with pytest.raises(UnsupportedError, match="cached=False"):
        Adapter(Cached(cached=True))


def test_a_hook_is_refused_where_the_module_goes_on_after_its_last_layer():
    graph = Graph.build(4, np.array([[0, 1, 2], [1, 2, 3]]), features=np.eye(4))
    model = Adapter(LogSoftmax())
    assert torch.allclose(model.embed(graph).exp().sum(dim=1), torch.ones(4))
    with pytest.raises(UnsupportedError, match="goes on after its layer 'conv'"):
        model.layers(graph, lambda layer, h: h)


def test_a_deleted_edge_changes_what_an_adapted_module_says():
    graph = Graph.build(4, np.array([[0, 1, 2], [1, 2, 3]]), features=np.eye(4))
    model = Adapter(Cached())
    assert not torch.equal(model.embed(graph), model.embed(graph.without(edges=np.array([1]))))


class Dropout(Cached):
    def forward(self, x, edge_index):
        return super().forward(torch.nn.functional.dropout(x, training=self.training), edge_index)


def test_dropout_draws_from_the_seed_and_not_from_the_global_state():
    graph = Graph.build(8, np.array([range(7), range(1, 8)]), features=np.eye(8)[:, :4] + 1)
    task = LinkPrediction(graph, holdout=0.2)

    def trained(state):
        torch.manual_seed(state)
        return train(Adapter(Dropout()), task, seed=1, epochs=4).state_dict()

    first, second = trained(1), trained(2)
    assert all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("call", [lambda task: train(nn.Linear(4, 2), task), lambda task: Adapter(3)])
def test_what_is_no_model_is_named(call):
    graph = Graph.build(8, np.array([range(7), range(1, 8)]), features=np.eye(8))
    with pytest.raises(UsageError, match="is expected"):
        call(LinkPrediction(graph, holdout=0.2))


def test_a_recommender_of_torch_alone_is_told_where_its_tables_go():
    graph = Graph.build(8, np.array([range(7), range(1, 8)]), features=np.eye(8))
    with pytest.raises(UsageError, match=r"got Linear\. .*tables of a matrix factorisation into gf\.MF"):
        train(nn.Linear(4, 2), LinkPrediction(graph, holdout=0.2))
