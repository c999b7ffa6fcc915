"""The zoo's convolutions beside torch_geometric's, with the same weights; small shops for recommenders."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.models.base import Backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import Triples


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


FACTS = np.array(
    [
        [0, 1, 2, 3, 4, 5, 0, 0, 6, 2],
        [0, 0, 1, 1, 2, 2, 1, 2, 0, 2],
        [6, 6, 7, 8, 6, 7, 6, 8, 7, 2],
    ]
)
"""Head, relation, tail: (0, 6) under two relations, an entity as head, and a fact of an item about itself."""


@pytest.fixture(scope="session")
def shop():
    """7 users and 6 items, the last of each without training pairs; 9 entities, 3 relations, two modalities."""
    return _shop()


def _shop() -> Interactions:
    rng = np.random.default_rng(5)
    train = np.array([[0, 0, 0, 1, 1, 2, 2, 2, 3, 3, 4, 4, 5], [0, 1, 2, 1, 3, 0, 2, 4, 3, 4, 0, 3, 1]])
    modalities = {"text": rng.normal(size=(6, 3)).astype(np.float32), "image": rng.random((6, 4), np.float32)}
    return Interactions.build(
        7,
        6,
        train,
        valid=[[0, 1, 2], [3, 0, 5]],
        test=[[3, 4, 6], [0, 1, 2]],
        name="shop",
        triples=TripleGraph.build(9, 3, FACTS),
        modalities=modalities,
    )


@pytest.fixture(scope="session")
def market():
    """60 users and 30 items of three groups; facts and one of two modalities tell the group."""
    rng = np.random.default_rng(1)
    group, kind = rng.integers(0, 3, 60), np.arange(30) % 3
    chosen = [(u, i) for u in range(60) for i in rng.permutation(np.flatnonzero(kind == group[u]))[:6]]
    parts = np.array_split(rng.permutation(np.array(chosen)).T, [240, 300], axis=1)
    image = rng.normal(size=(30, 5)).astype(np.float32)
    image[np.arange(30), kind] += 3
    facts = np.stack([np.arange(30), np.zeros(30, int), 30 + kind])
    return Interactions.build(
        60,
        30,
        *parts,
        name="market",
        triples=TripleGraph.build(33, 1, facts),
        modalities={"image": image, "text": rng.normal(size=(30, 2)).astype(np.float32)},
    )


@pytest.fixture(scope="session")
def dense():
    """A sparse matrix as a dense float64 one, entries at one place added: dense(csr)."""

    def convert(csr) -> np.ndarray:
        out = np.zeros((csr.n_rows, csr.n_cols))
        np.add.at(out, (np.repeat(np.arange(csr.n_rows), np.diff(csr.indptr)), csr.indices), csr.values)
        return out

    return convert


@pytest.fixture(scope="session")
def values():
    """The parameters of a model as float64 arrays by name."""
    return lambda model: {key: p.detach().double().numpy() for key, p in model.named_parameters()}


@pytest.fixture(scope="session")
def batch_of():
    """Triples as the task hands them to a model: batch_of(data, users, items, others)."""

    def make(data, users, items, others):
        triples = Triples(*(np.asarray(part) for part in (users, items, others)))
        return Recommendation(data, holdout=0).items(triples)

    return make


def _gradients_off(model, loss, step=1e-6, rel=1e-3) -> list[str]:
    loss().backward()
    off = []
    generator = torch.Generator().manual_seed(0)
    for key, p in model.named_parameters():
        way, found = torch.randn(p.shape, generator=generator, dtype=torch.float64), []
        for sign in (step, -step):
            with torch.no_grad():
                p += sign * way
                found.append(float(loss()))
                p -= sign * way
        slope = float((p.grad * way).sum())
        if (found[0] - found[1]) / (2 * step) != pytest.approx(slope, rel=rel, abs=1e-6):
            off.append(key)
    return off


@pytest.fixture(scope="session")
def gradients_off():
    """Names the parameters whose gradient is not the loss's difference along a random direction.

    Called with (model, loss, step=1e-6, rel=1e-3), the model in float64, the loss a function of nothing.
    """
    return _gradients_off
