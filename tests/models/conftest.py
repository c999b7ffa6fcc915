"""The zoo's convolutions beside torch_geometric's, with the same weights."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.models.base import Backbone


def _gcn(ours, layer) -> None:
    layer.lin.weight.copy_(ours.weight.T)
    layer.bias.copy_(ours.bias)


def _gat(ours, layer) -> None:
    layer.lin.weight.copy_(ours.weight.T)
    layer.att_src.copy_(ours.right.view(1, 1, -1))
    layer.att_dst.copy_(ours.left.view(1, 1, -1))
    layer.bias.copy_(ours.bias)


def _gin(ours, layer) -> None:
    layer.nn.weight.copy_(ours.weight.T)
    layer.nn.bias.copy_(ours.bias)


def _sage(ours, layer) -> None:
    layer.lin_l.weight.copy_(ours.weight.T)
    layer.lin_l.bias.copy_(ours.bias)
    layer.lin_r.weight.copy_(ours.root.T)


def _layer(name: str, n_in: int, n_out: int) -> nn.Module:
    from torch_geometric.nn import GATConv, GCNConv, GINConv, SAGEConv

    make = {
        "gcn": lambda: GCNConv(n_in, n_out),
        "gat": lambda: GATConv(n_in, n_out, heads=1),
        "gin": lambda: GINConv(nn.Linear(n_in, n_out)),
        "sage": lambda: SAGEConv(n_in, n_out),
    }
    return make[name]()


COPY = {"gcn": _gcn, "gat": _gat, "gin": _gin, "sage": _sage}


class Twin(nn.Module):
    """torch_geometric layers with ReLU between them."""

    def __init__(self, model: Backbone) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_layer(model.name, *widths) for widths in model.widths)
        with torch.no_grad():
            for ours, layer in zip(model.convolutions, self.layers, strict=True):
                COPY[model.name](ours, layer)

    def forward(self, x, edge_index):
        for number, layer in enumerate(self.layers):
            x = layer(x if number == 0 else torch.relu(x), edge_index)
        return x


@pytest.fixture(scope="session")
def twin():
    """The torch_geometric module with the weights of a backbone."""
    return Twin


@pytest.fixture(scope="session")
def copy_weights():
    """By backbone name: copy one of our convolutions into a torch_geometric layer."""
    return COPY


@pytest.fixture(scope="session")
def as_pyg():
    """(x, edge_index) of a graph, built anew from its edges and features."""

    def convert(graph: Graph):
        x = graph.features if isinstance(graph.features, np.ndarray) else graph.features.toarray()
        edges = torch.from_numpy(graph.edges.copy())
        return torch.from_numpy(x.copy()), torch.cat([edges, edges.flip(0)], dim=1)

    return convert


@pytest.fixture(scope="session")
def made():
    """An initialised backbone with random biases: made(class, n_features, **arguments)."""

    def make(cls, n_features, **arguments):
        model = cls(**arguments).initialised(n_features, None, Streams(1))
        generator = torch.Generator().manual_seed(2)
        with torch.no_grad():
            for key, value in model.named_parameters():
                if key.endswith("bias"):
                    value.copy_(torch.randn(value.shape, generator=generator) * 0.1)
        return model

    return make
