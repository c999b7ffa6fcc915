"""A fresh start of a user's module keeps nothing that was trained: it is reset, or refused by name."""

from __future__ import annotations

from functools import partial

import pytest
import torch
from torch import nn
from torch.nn.utils import parametrizations
from torch_geometric.nn import GCNConv

from graphforget._core.errors import UnsupportedError
from graphforget._core.streams import Streams
from graphforget.models.adapter import Adapter
from graphforget.models.reset import same
from graphforget.tasks.link import LinkPrediction
from graphforget.training.train import train


class Net(nn.Module):
    """A convolution, one more part, and a linear head that may be wrapped."""

    def __init__(self, part=None, wrap=lambda head: head):
        super().__init__()
        self.conv, self.part, self.head = GCNConv(10, 8), part or nn.Identity(), wrap(nn.Linear(8, 6))

    def forward(self, x, edge_index):
        return self.head(self.part(torch.relu(self.conv(x, edge_index))))


class Mean(nn.Module):
    """Takes off a running mean that training changes."""

    def __init__(self, start=0.0):
        super().__init__()
        self.register_buffer("mean", torch.full((8,), start))

    def forward(self, h):
        if self.training:
            self.mean.mul_(0.9).add_(0.1 * h.detach().mean(0))
        return h - self.mean


class Resetting(Mean):
    def reset_parameters(self):
        self.mean.zero_()


class Table(nn.Module):
    """Adds a table that is always the same."""

    def __init__(self, layout=torch.strided):
        super().__init__()
        self.register_buffer("table", torch.linspace(-1, 1, 8).view(1, 8).to_sparse(layout=layout))

    def forward(self, h):
        return h + self.table.to_dense()


class Scaled(nn.Linear):
    """Its reset_parameters forgets a parameter of one number."""

    def __init__(self):
        super().__init__(8, 8)
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, h):
        return self.scale * super().forward(h)


@pytest.fixture(scope="module")
def task(random_attributed_graph):
    return LinkPrediction(random_attributed_graph(), seed=2)


def adapted(*parts, **options):
    torch.manual_seed(0)
    net = Net(*parts, **options)
    return Adapter(net, layers=["conv", "head"])


@pytest.mark.parametrize(
    "wrap",
    [lambda head: head, parametrizations.weight_norm, lambda head: parametrizations.orthogonal(head)],
    ids=["plain", "weight_norm", "orthogonal"],
)
def test_every_parameter_starts_anew_those_of_parametrized_weights_too(task, wrap):
    model = train(adapted(wrap=wrap), task, epochs=2)
    first, again, other = (model.fresh(Streams(seed)).module for seed in (1, 1, 2))
    assert all(same(value, again.state_dict()[name]) for name, value in first.state_dict().items())
    for name, value in first.named_parameters():
        assert value.requires_grad and bool(value.isfinite().all())
        assert not same(value, model.get_parameter(f"module.{name}")), name
    for one, two in ((first.conv.lin.weight, other.conv.lin.weight), (first.head.weight, other.head.weight)):
        assert not same(one, two)


def test_a_reset_weight_under_weight_norm_is_that_of_the_layer_without_it(task):
    plain, normed = (
        train(adapted(wrap=wrap), task, epochs=1).fresh(Streams(3)).module.head.weight
        for wrap in (lambda head: head, parametrizations.weight_norm)
    )
    torch.testing.assert_close(normed, plain)


@pytest.mark.filterwarnings("ignore:.*weight_norm.*:FutureWarning")
def test_parameters_that_nothing_resets_are_refused_by_name():
    old = lambda head: torch.nn.utils.weight_norm(head)  # noqa: E731
    with pytest.raises(UnsupportedError, match=r"weight_norm on head, which .* Use torch.nn.utils.parametrizations"):
        adapted(wrap=old).fresh(Streams(0))
    with pytest.raises(UnsupportedError, match=r"the parameter 'part.scale' \(of Scaled\), but nothing resets it"):
        adapted(Scaled()).fresh(Streams(0))


def test_a_buffer_that_training_changed_is_refused_unless_it_is_reset(task):
    model = train(adapted(Mean()), task, epochs=2)
    with pytest.raises(UnsupportedError, match=r"the buffer 'part.mean' \(of Mean\).*Write a reset_parameters\(\)"):
        model.fresh(Streams(0))
    mended = train(adapted(Resetting()), task, epochs=2)
    assert mended.module.part.mean.any() and not mended.fresh(Streams(0)).module.part.mean.any()


def test_a_buffer_that_was_trained_elsewhere_is_refused_as_soon_as_training_changes_it(task):
    with pytest.raises(UnsupportedError, match=r"the buffer 'part.mean' \(of Mean\)"):
        train(adapted(Mean(start=0.3)), task, epochs=2)


@pytest.mark.parametrize(
    "part",
    [
        Table,
        partial(Table, torch.sparse_coo),
        partial(nn.BatchNorm1d, 8),
        nn.Dropout,
        partial(nn.LayerNorm, 8),
        nn.PReLU,
    ],
)
def test_tables_and_layers_that_reset_themselves_are_no_reason(task, part):
    model = train(adapted(part()), task, epochs=2)
    again = model.fresh(Streams(0))
    for name, value in again.module.part.named_buffers():
        assert name == "table" or bool(((value == 0) | (value == 1)).all())
    assert train(again, task, epochs=1).module.training is False


def test_a_buffer_that_torch_cannot_copy_is_refused_at_once():
    with pytest.raises(UnsupportedError, match=r"the buffer 'part.table' of Net has the layout torch.sparse_csr.*COO"):
        adapted(Table(torch.sparse_csr))
