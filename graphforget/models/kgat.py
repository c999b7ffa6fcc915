"""Knowledge graph attention network."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.dense import product
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.models.base import Hook, Model, Steps
from graphforget.models.edited import under_operators
from graphforget.models.kgat_attention import Attention
from graphforget.models.kgat_graph import (
    FactBatch,
    RelationGraph,
    count_batches,
    count_heads,
    count_matrices,
    fact_batches,
)
from graphforget.models.kgat_sizes import AGGREGATORS
from graphforget.models.kgat_transr import transr_loss
from graphforget.models.mf import MF
from graphforget.models.pretrained import Vectors
from graphforget.models.recommender import BIASES, Recommender, first_bias, joined_units, layer_widths, xavier

RANKING_BATCH = 1024
"""Interactions in a ranking batch of the released settings, which the number of heads is derived from."""

PORT = {"attention": "refresh", "slope": 0.01, "transform_init": "torch"}
"""What KGAT-pytorch does otherwise than the released code."""

NO_MATRIX = (
    "it scales a relation matrix of one direction by row degrees on both sides, which leaves nothing of it: all values "
    "are zero"
)


class KGAT(Recommender):
    """KGAT (Wang et al. 2019, arXiv 1905.07854) on users, items and entities, with a TransR phase in every epoch.

        side = A E,   E' = dropout( lrelu((E + side) W1 + b1) + lrelu((E * side) W2 + b2) )

    The un-normalised E' feeds the next layer; the final embedding joins E with the row-normalised E' of every layer.
    After the ranking batches of an epoch come those of TransR, with an Adam of their own:

        g(h, r, t) = || h W_r + e_r - t W_r ||^2,   loss = mean softplus( g(h, r, t) - g(h, r, t') ) + regulariser

    Each relation, its inverse and the interactions have a matrix of their own. A is "static", the sum of the
    row-normalised matrices, as the released code in effect uses it; or "refresh", the paper's: the softmax, over all
    (r, t) that leave h, of (e_t W_r) . tanh(e_h W_r + e_r), computed anew after every epoch. Data without a knowledge
    graph has the interactions alone.

    Our deviations: "refresh" starts from the attention of the initial parameters (the released code from the static
    matrix), and the graphsage aggregator does not normalise its input, an error of the released one. Initial values
    are TensorFlow's: Xavier for everything, biases (1, d) included, and W of all relations as one tensor. The presets
    kgat-pytorch, kgat-gcn and kgat-sage are rows of the README of KGAT-pytorch (bi, gcn and graphsage, random walk),
    with torch's slope and fans.

    Parameters
    ----------
    layers: widths of the layers, as text "64,32,16".
    kg_dim: width of the relations' space.
    attention: "static" or "refresh".
    aggregator: "bi" (above), "gcn": lrelu(side W + b), or "graphsage": relu([E | side] W + b).
    adjacency: "si", D_r^-1 A_r for every relation direction; the released "bi" and "symmetric" are refused.
    dropout: share of entries of E' dropped while training.
    slope: of the leaky ReLU; 0.2 is TensorFlow's default (torch's is 0.01).
    bias_init: "xavier", as TensorFlow starts biases of shape (1, d), or "zeros".
    transform_init: limit of the Xavier values of W of all relations: "tensorflow", whose fans are d R' and k R' for R'
        relations, or "torch", whose fans are d k and k R'.
    kg_batch: triples in one batch of TransR by its number of batches, all triples // kg_batch + 1, and the divisor of
        its regulariser.
    kg_heads: heads drawn for a batch of TransR; None takes facts // (interactions // 1024), the released formula at
        its ranking batch of 1,024 (or `kg_batch` where that gives none).
    kg_reg: weight of TransR's regulariser, half the squared norms of h W, e_r, t W and t' W.
    pretrained: what users and items start from: the vectors of an MF that is trained first, on the same task, named
        as mf-kgat (the released start) or mf; of a trained MF model; or of an .npz file with the arrays `user_embed`
        and `item_embed`. They were learned from interactions, so gold trains MF again on the retained data, by the
        recipe of the model that was given (the task's default where it is unknown); for a file there is no gold.
    dim, reg, reg_form, reg_on, reg_per_batch: see `Recommender`.
    """

    name: ClassVar[str] = "kgat"
    reads_side: ClassVar[tuple[str, ...]] = ("triples",)
    published: ClassVar[dict[str, Any]] = {
        "lr": 1e-4,
        "batch": RANKING_BATCH,
        "sampler": "kgat",
        "epochs": 1000,
        "validate_every": 10,
        "patience": 10,
    }
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "kgat-refresh": {"attention": "refresh"},
        "kgat-pytorch": PORT,
        "kgat-gcn": {**PORT, "aggregator": "gcn"},
        "kgat-sage": {**PORT, "aggregator": "graphsage"},
    }
    evaluations: int = 0
    """How often it was evaluated with refreshed attention; `Attention` trains with none from before the last time."""
    nodes: nn.Parameter
    relations: nn.Parameter
    transforms: nn.Parameter
    weights: nn.ParameterList
    biases: nn.ParameterList

    def __init__(
        self,
        dim: int = 64,
        layers: str = "64,32,16",
        kg_dim: int = 64,
        attention: str = "static",
        aggregator: str = "bi",
        adjacency: str = "si",
        dropout: float = 0.1,
        slope: float = 0.2,
        bias_init: str = "xavier",
        transform_init: str = "tensorflow",
        kg_batch: int = 2048,
        kg_heads: int | None = None,
        kg_reg: float = 1e-5,
        pretrained: MF | Path | str | dict[str, Any] | None = None,
        reg: float = 1e-5,
        reg_form: str = "half_squared",
        reg_on: str = "final",
        reg_per_batch: bool = True,
    ) -> None:
        super().__init__(dim, reg, reg_form, reg_on, reg_per_batch)
        self.widths = layer_widths(self.name, layers)
        kg_dim = self.check_count("kg_dim", kg_dim, 65536)
        self.check_choice("attention", attention, ("static", "refresh"))
        self.check_choice("aggregator", aggregator, tuple(AGGREGATORS))
        if adjacency in ("bi", "symmetric"):
            raise UsageError(f"{self.name}: 'adjacency' {adjacency} is refused: {NO_MATRIX}. Use si.")
        self.check_choice("adjacency", adjacency, ("si",))
        dropout = self.check_number("dropout", dropout, below=1)
        slope = self.check_number("slope", slope)
        self.check_choice("bias_init", bias_init, BIASES)
        self.check_choice("transform_init", transform_init, ("tensorflow", "torch"))
        kg_batch = self.check_count("kg_batch", kg_batch, 2**31)
        if kg_heads is not None:
            kg_heads = self.check_count("kg_heads", kg_heads, 2**31)
        kg_reg = self.check_number("kg_reg", kg_reg)
        self.kg_dim, self.attention, self.aggregator, self.adjacency = kg_dim, attention, aggregator, adjacency
        self.dropout, self.slope, self.bias_init, self.transform_init = dropout, slope, bias_init, transform_init
        self.kg_batch, self.kg_heads, self.kg_reg = kg_batch, kg_heads, kg_reg
        self.vectors = Vectors.of(pretrained, self.name)

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments; of pre-trained vectors their record."""
        keys = ("kg_dim", "attention", "aggregator", "adjacency", "dropout", "slope", "bias_init", "transform_init")
        own = {key: getattr(self, key) for key in (*keys, "kg_batch", "kg_heads", "kg_reg")}
        pretrained = None if self.vectors is None else self.vectors.record
        return {**super().config(), "layers": ",".join(map(str, self.widths)), **own, "pretrained": pretrained}

    def sizes_of(self, data: Interactions) -> dict[str, Any]:
        """Return the numbers of users, items, nodes and relation matrices."""
        return {**super().sizes_of(data), "n_matrices": count_matrices(data)}

    def initialised_for(self, data: Interactions, streams: Streams) -> Self:
        """Return a copy with parameters for the data; see `Recommender`."""
        model = super().initialised_for(data, streams)
        if self.vectors is not None:
            model.pretraining = None if self.vectors.users is not None else self.vectors.pretraining(self.dim)
        if self.vectors is not None and model.pretraining is None:
            self.vectors.write(model.nodes, data.n_users, data.n_items, self.name)
        return model

    def fresh(self, streams: Streams) -> Self:
        """Return a copy with newly initialised parameters, and with MF to be trained first where users started so.

        Raises UsageError for vectors of a file: nobody knows how to learn them without the forgotten part.
        """
        first = None if self.vectors is None else self.vectors.pretraining(self.dim)
        if self.vectors is not None and first is None:
            raise UsageError(
                f"{self.name}: users and items started from a file of pre-trained vectors, which were learned from the "
                "interactions that may have to go, so there is no fresh start and no gold model. Let training learn "
                "them (pretrained=mf-kgat), give a trained MF model, or train without them."
            )
        model = super().fresh(streams)
        model.pretraining = first
        return model

    def start_from(self, model: Model) -> None:
        """Let users and items start from the vectors of an MF, in place."""
        vectors = Vectors.of(model, self.name)
        assert vectors is not None and self.vectors is not None and self.sizes is not None
        vectors.write(self.nodes, self.sizes["n_users"], self.sizes["n_items"], self.name)
        if isinstance(self.vectors.record, dict):
            self.vectors = Vectors(vectors.record)
        self.pretraining = None

    def build(self, streams: Streams) -> None:
        """Create tables, relations, and the weights of the layers."""
        assert self.sizes is not None
        sizes, count = self.sizes, self.sizes["n_matrices"]
        n_entities = sizes["n_nodes"] - sizes["n_users"]
        users = xavier((sizes["n_users"], self.dim), streams("init-users").torch())
        entities = xavier((n_entities, self.dim), streams("init-entities").torch())
        self.nodes = nn.Parameter(torch.cat([users.detach(), entities.detach()]))
        self.relations = xavier((count, self.kg_dim), streams("init-relations").torch())
        self.transforms = self._transforms(count, streams("init-transforms").torch())
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for layer, (wide, narrow) in enumerate(self._shapes()):
            for part in range(AGGREGATORS[self.aggregator][1]):
                generator = streams(f"init-layer-{layer}-{part}").torch()
                self.weights.append(xavier((wide, narrow), generator))
                self.biases.append(first_bias(self.bias_init, narrow, generator))

    def _transforms(self, count: int, generator: torch.Generator) -> nn.Parameter:
        """Return W of all relations, (count, dim, kg_dim)."""
        fan_in, fan_out = (self.dim * count, self.kg_dim * count)
        if self.transform_init == "torch":
            fan_in = self.dim * self.kg_dim
        limit = (6.0 / (fan_in + fan_out)) ** 0.5
        return nn.Parameter((torch.rand(count, self.dim, self.kg_dim, generator=generator) * 2 - 1) * limit)

    def _shapes(self) -> list[tuple[int, int]]:
        """(input, output) width of each weight."""
        sizes, wide = [self.dim, *self.widths], AGGREGATORS[self.aggregator][0]
        return [(wide * n_in, n_out) for n_in, n_out in zip(sizes[:-1], sizes[1:], strict=True)]

    def matrix(self, data: Interactions) -> Sparse:
        """Return the matrix A that the model propagates with: static, or the attention of its parameters."""
        if self.attention == "static":
            return RelationGraph.of(data).static
        return Attention.on(data).of(self)

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return E and the un-normalised E' of each layer."""
        matrix, found = self.matrix(data), [hook(1, self.nodes)]
        for layer in range(len(self.widths)):
            h = found[-1]
            total = self._aggregated(layer, h, propagate(matrix, h))
            found.append(hook(layer + 2, F.dropout(total, self.dropout, self.training)))
        return found

    def _aggregated(self, layer: int, h: Tensor, side: Tensor) -> Tensor:
        def linear(number: int, x: Tensor) -> Tensor:
            return product(x, self.weights[number]) + self.biases[number]

        if self.aggregator == "graphsage":
            return F.relu(linear(layer, torch.cat([h, side], dim=1)))
        if self.aggregator == "gcn":
            return F.leaky_relu(linear(layer, side), self.slope)
        both = F.leaky_relu(linear(2 * layer, h + side), self.slope)
        return both + F.leaky_relu(linear(2 * layer + 1, h * side), self.slope)

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return the first embeddings beside the row-normalised ones of every layer."""
        return joined_units(layers)

    def side_phases(self, graph: Interactions, streams: Streams) -> dict[str, Steps]:
        """Return the TransR phase; the attention is refreshed when its last step is done."""
        return {"kg": partial(self._kg_steps, graph, streams)}

    def _kg_steps(self, data: Interactions, streams: Streams, epoch: int) -> Iterator[Callable[[], Tensor]]:
        graph = RelationGraph.of(data)
        keys = streams("kg-order", epoch=epoch).key, streams("kg-negatives", epoch=epoch).key
        for batch in fact_batches(graph, self.heads_per_batch(data), count_batches(len(graph), self.kg_batch), *keys):
            yield partial(self.kg_loss, batch)
        if self.attention == "refresh":
            Attention.on(data).refresh(self)

    def heads_per_batch(self, data: Interactions) -> int:
        """Return how many heads a batch of TransR draws; `kg_batch` where the released formula gives none."""
        if self.kg_heads is not None:
            return self.kg_heads
        facts = 0 if data.triples is None else data.triples.n_triples
        return count_heads(facts, data.n_edges, RANKING_BATCH) or self.kg_batch

    def kg_loss(self, batch: FactBatch) -> Tensor:
        """Return the TransR loss of a batch, with its regulariser."""
        return transr_loss(self.nodes, self.relations, self.transforms, batch, self.kg_reg, self.kg_batch)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of propagations and products with weights; those of refreshing are not counted."""
        edges, weights = len(RelationGraph.of(graph)), AGGREGATORS[self.aggregator][1]
        widths = [self.dim, *self.widths]
        products = sum(2 * weights * graph.n_nodes * n_in * n_out for n_in, n_out in self._shapes())
        return products + sum(2 * width * edges for width in widths[:-1])


def refreshes(model: Model) -> bool:
    """Return whether a model, initialised or not, is a KGAT whose attention is computed anew while it learns."""
    base = under_operators(model)
    return isinstance(base, KGAT) and base.attention == "refresh"
