"""Modules that do not fit: outputs, arguments and layers are refused in a sentence, before a kernel reads them."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from graphforget._core.errors import GraphforgetError, UnsupportedError, UsageError
from graphforget.models.adapter import Adapter
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.known_layers import KnownLayers
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion


class One(nn.Module):
    """A linear layer, and `change` of what it returns."""

    def __init__(self, change=lambda z: z, features=10, width=6):
        super().__init__()
        self.change, self.inner = change, nn.Linear(features, width)

    def forward(self, x, edge_index):
        return self.change(self.inner(x))


class Net(nn.Module):
    """Three layers that are called in the order of `calls`; widths as given."""

    def __init__(self, *calls, widths=(10, 8, 8, 8), last=lambda z: z):
        super().__init__()
        self.calls, self.last = calls, last
        self.a, self.b, self.c = (nn.Linear(*pair) for pair in zip(widths[:-1], widths[1:], strict=True))

    def forward(self, x, edge_index):
        for call in self.calls:
            x = getattr(self, call)(x)
        return self.last(x)


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """40 nodes, 10 features, 3 classes."""
    return random_attributed_graph()


@pytest.fixture(scope="module", params=["link", "node"])
def task(request, graph):
    return LinkPrediction(graph, seed=2) if request.param == "link" else NodeClassification(graph, seed=2)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        (lambda z: z[:5], r"a tensor of shape \(5, 6\)"),
        (lambda z: z[:-1], r"a tensor of shape \(39, 6\)"),
        (lambda z: torch.cat([z, z]), r"a tensor of shape \(80, 6\)"),
        (lambda z: z[:, 0], r"a tensor of shape \(40,\)"),
        (lambda z: z[None], r"a tensor of shape \(1, 40, 6\)"),
        (lambda z: (z, None), "a value of type tuple"),
        (lambda z: z.detach().numpy(), "a value of type ndarray"),
        (lambda z: z.long(), "a tensor of torch.int64"),
        (lambda z: z.half(), "a tensor of torch.float16"),
    ],
)
def test_what_holds_no_row_for_every_node_is_refused(task, change, found):
    words = (
        rf"^Adapter: the module's forward returned {found}; the graph has 40 nodes, so a tensor of shape \(40, width"
    )
    model = Adapter(One(change), layers=["inner"])
    deletion = sample_deletion(task, edges=3)
    for use in (
        lambda: train(model, task, epochs=2),
        lambda: unlearn(model, task, deletion, "unlink"),
        lambda: unlearn(model, task, deletion, "d2dgn:epochs=2"),
        lambda: unlearn(model, task, deletion, "gnndelete:epochs=2"),
        lambda: KnownLayers.of(model, task),
        lambda: model.layers(task.graph, lambda layer, h: h),
    ):
        with pytest.raises(UsageError, match=words):
            use()


def test_double_precision_is_served(task):
    assert train(Adapter(One(lambda z: z.double()), layers=["inner"]), task, epochs=2).provenance.best_epoch == 2


@pytest.mark.parametrize("change", [lambda z: z[:5], lambda z: (z, None)])
def test_a_layer_without_a_row_for_every_node_is_refused(task, change):
    class Whole(One):
        def forward(self, x, edge_index):
            found = self.part(x, edge_index)
            return x[:, :6] + (found[0] if isinstance(found, tuple) else found[:1])

    module = Whole()
    module.part = One(change)
    with pytest.raises(UsageError, match=r"^Adapter: layer 'part' of Whole returned .*40 nodes.*layers=\[''\]"):
        train(Adapter(module, layers=["part"]), task, epochs=2)
    assert train(Adapter(module, layers=[""]), task, epochs=2).provenance.best_epoch == 2


def test_a_forward_without_edges_is_refused():
    class Features(One):
        def forward(self, x):
            return self.inner(x)

    class More(One):
        def forward(self, x, edge_index, weight):
            return self.inner(x)

    class Fine(One):
        def forward(self, x, *others, weight=None):
            return self.inner(x)

    for module, takes in ((Features(), "(x)"), (More(), "(x, edge_index, weight)")):
        with pytest.raises(UsageError) as found:
            Adapter(module, layers=["inner"])
        assert f"takes {takes}, but is called as forward(x, edge_index): " in str(found.value)
        assert isinstance(found.value.__cause__, TypeError)
    Adapter(Fine(), layers=["inner"])


def test_a_module_for_another_number_of_features_is_refused(task):
    with pytest.raises(
        UsageError, match=r"forward of One failed on graph 'random', given x of shape \(40, 10\)"
    ) as found:
        train(Adapter(One(features=99), layers=["inner"]), task, epochs=2)
    assert "mat1 and mat2" in str(found.value) and str(found.value).endswith("must take 10 features a node.")
    assert isinstance(found.value.__cause__, RuntimeError)


@pytest.mark.parametrize("error", [KeyError("own"), torch.OutOfMemoryError("much"), UnsupportedError("said")])
def test_other_errors_of_a_module_are_left_as_they_are(graph, error):
    def fail(z):
        raise error

    with pytest.raises(type(error)) as found:
        Adapter(One(fail), layers=["inner"]).embed(graph)
    assert found.value is error


def test_a_classifier_needs_an_output_for_every_class(graph):
    task = NodeClassification(graph, seed=2)
    with pytest.raises(UsageError, match="returns 2 values a node, but the task has 3 classes; make its output 3 wide"):
        train(Adapter(One(width=2), layers=["inner"]), task, epochs=2)
    for width in (3, 5):
        assert train(Adapter(One(width=width), layers=["inner"]), task, epochs=2).provenance.best_epoch == 2


@pytest.mark.parametrize(
    ("calls", "named", "words"),
    [
        (
            "abc",
            "acb",
            r"in the order 'a', 'b', 'c', but they are named in the order 'a', 'c', 'b'. Use layers=\['a', 'b', ",
        ),
        ("abc", "cba", r"Use layers=\['a', 'b', 'c'\]"),
        ("ab", "abc", r"does not call 'c'. Use layers=\['a', 'b'\]"),
        ("ab", "cba", r"does not call 'c'. Use layers=\['a', 'b'\]"),
        ("abbc", "abc", r"calls 'b' more than once, where .*. Use layers=\['a', 'c'\]"),
        ("abb", "b", r"calls 'b' more than once, .* Use other layers, or the module itself, layers=\[''\]"),
    ],
)
def test_layers_are_called_once_each_in_the_order_they_are_named_in(task, calls, named, words):
    model = Adapter(Net(*calls), layers=list(named))
    deletion = sample_deletion(task, edges=3)
    for use in (
        lambda: train(model, task, epochs=2),
        lambda: unlearn(model, task, deletion, "gnndelete:epochs=2"),
        lambda: unlearn(model, task, deletion, "unlink"),
        lambda: model.layers(task.graph, lambda layer, h: h),
    ):
        with pytest.raises(UsageError, match="^Adapter: Net .*" + words):
            use()


@pytest.mark.parametrize("named", [["b", "a"], ["a"]])
def test_unequal_widths_end_in_a_sentence_too(task, named):
    """An operator made for the width of one layer never meets another layer."""
    model = Adapter(Net("a", "b", widths=(10, 8, 6, 6)), layers=named)
    with pytest.raises(
        GraphforgetError, match="^(Adapter|gnndelete: Adapter): Net (calls|goes on after its layer 'a')"
    ):
        unlearn(model, task, sample_deletion(task, edges=3), "gnndelete:epochs=2")


def test_a_hook_on_the_last_layer_gets_what_the_module_returns(graph):
    model = Adapter(Net("a", "b", last=lambda z: z.relu_()), layers=["a", "b"])
    seen = model.layers(graph, lambda layer, h: h - layer)
    assert seen[1].min() == -2.0 and torch.allclose(seen[0] + 1, model.layers(graph)[0], atol=1e-6)
