"""What every backbone offers: embeddings after each layer, with a hook between layers."""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

import numpy as np
import torch
from torch import Tensor, nn

from graphforget._core.errors import DataError, UsageError
from graphforget._core.numeric import is_integer, plain
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.data.id_lookup import Id
from graphforget.data.kinds import G
from graphforget.data.memo import Token
from graphforget.data.neighbourhood import Neighbourhood
from graphforget.kernels.dense import product
from graphforget.kernels.propagate import linear_sparse
from graphforget.models.containers import ModuleList
from graphforget.tasks.base import Items

if TYPE_CHECKING:
    from graphforget.models.pretrained import Pretraining
    from graphforget.models.recommending import Answers
    from graphforget.tasks.recommend import Recommendation

Hook = Callable[[int, Tensor], Tensor]
Steps = Callable[[int], Iterable[Callable[[], Tensor]]]
"""Epoch -> the losses to minimise in it, one step each."""
DEFAULT_WIDTH = 64
BLOCK_BYTES = 1 << 29
"""Largest table of a layer that is computed whole where no gradient is needed, in bytes; larger ones go by blocks."""
_WAYS = ("at_rows", "propagated", "layers", "readout")
"""Functions of a model that must fit together."""


class Model(nn.Module, ABC, Generic[G]):
    """Anything that maps a graph to node embeddings, layer by layer. It holds parameters, never a graph.

    published: how its authors trained it, where that differs from the task's default: fields of the recipe, and options
        of the task, which the command line takes for the task it makes.
    local: a row of a layer depends on nothing but the rows of the node and its neighbours in the layer before, through
        `graph.csr` and `graph.normalised`: it can be computed in a part of the graph.
    """

    name: ClassVar[str]
    local: ClassVar[bool] = False
    published: ClassVar[Mapping[str, Any]] = {}
    tasks: ClassVar[tuple[str, ...]] = ("link", "node")
    pretraining: Pretraining | None = None
    """What `run_training` has to train first, for this model to start from (`pretrained.Pretraining`), or None."""
    provenance: Any = None
    """How `train` made it (`training.train.Provenance`); None where that is unknown."""
    answers: Answers | None = None
    """What an unlearned recommender may answer, and from what; None where it is what it is asked on."""
    refused: tuple[Token, ...] = ()
    """Tokens of the data that still hold what this model has forgotten: it must not learn from them again."""

    @property
    def device(self) -> torch.device:
        """Where the parameters are, and so where everything is computed; the CPU without any."""
        first = next(self.parameters(), None)
        return torch.device("cpu") if first is None else first.device

    @abstractmethod
    def layers(self, graph: G, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the (n_nodes, width) embeddings after each layer, before the activation.

        `hook(layer, h)` may replace the embeddings of layer 1, 2, ... before the next layer sees them. `first` stands
        in place of layer 1 where it is known already, so that it is not computed again; the hook sees it.
        """

    @abstractmethod
    def fresh(self, streams: Streams) -> Model[G]:
        """Return a copy with newly initialised parameters, on the same device."""

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return what the task reads, given the embeddings after each layer: the last, unless a backbone mixes them."""
        return layers[-1]

    def forward(self, graph: G, hook: Hook | None = None) -> Tensor:
        """Return the embeddings (or class logits) of all nodes that the task reads."""
        return self.readout(self.layers(graph, hook))

    def ranking_loss(self, data: G, z: Tensor, items: Items) -> Tensor | None:
        """Return a recommender's own ranking loss of a batch of triples; None to be trained with the task's.

        `items` number rows of `z`: nodes, or the rows of a batch alone (see `has_rows`).
        """
        del data, z, items  # backbones with a loss of their own need them
        return None

    def own_loss(self) -> str | None:
        """Return the name of a recommender's own ranking loss; None for one that has none and is trained with BPR."""
        return None

    def extra_loss(self, data: G, layers: list[Tensor], z: Tensor, items: Items, epoch: int) -> Tensor:
        """Return what a recommender adds to the ranking loss of a batch; here nothing."""
        return z.new_zeros(())

    def has_rows(self) -> bool:
        """Return whether there is a shorter way to the rows of a batch, `at_rows`; without it every row is computed.

        `at_rows(data, rows)` gives, for (k,) distinct node numbers of users and items, ascending, those rows of the
        layers that `extra_loss` reads (the learned ones first) and of the readout. The losses of a batch then get items
        that number these rows, not nodes. It serves the class that writes it: a subclass that changes propagation or
        readout has to write its own.
        """
        nearest = next(cls for cls in type(self).__mro__ if not vars(cls).keys().isdisjoint(_WAYS))
        return "at_rows" in vars(nearest)

    def indivisible(self) -> str | None:
        """Return why the loss of a batch is not the mean of the losses of its items, in words; None where it is."""
        return None

    def clear_features(self, rows: Mapping[str, np.ndarray]) -> None:
        """Undo, in place, what was learned about the features of some items; here nothing is.

        rows: (n_items,) masks by modality.
        """
        del rows  # backbones that learn features have something to clear

    def check_data(self, data: Any) -> None:
        """Raise DataError when the model was made for other data; a recommender can tell."""

    def start_from(self, model: Model) -> None:
        """Start from a trained model, in place, which only a model with a `pretraining` can."""
        raise UsageError(f"{self.name} starts from no other model.")

    def side_phases(self, graph: G, streams: Streams) -> dict[str, Steps]:
        """Return what is trained in every epoch beside the task's objective: name -> epoch -> losses; here nothing."""
        del graph, streams
        return {}

    def embed(self, graph: G) -> Tensor:
        """Return the readout without gradients, in evaluation mode."""
        was_training = self.training
        self.eval()
        try:
            with torch.no_grad():
                return self(graph)
        finally:
            self.train(was_training)

    def recommend(
        self, task: Recommendation, users: Sequence[Id], k: int = 20, exclude: Sequence[Id] = ()
    ) -> tuple[list[list[Id]], list[list[float]]]:
        """Return the best items of each user and their scores; see `models.recommending.recommend`."""
        from graphforget.models.recommending import recommend

        return recommend(self, task, users, k, exclude)

    def clone(self) -> Self:
        """Return an independent copy whose parameters all require gradients."""
        return copy.deepcopy(self).requires_grad_(True)

    def frozen(self) -> Self:
        """Return an independent copy in evaluation mode that takes no gradients."""
        return copy.deepcopy(self).requires_grad_(False).eval()

    @abstractmethod
    def flops(self, graph: G) -> int:
        """Return multiply-adds, counted as two operations each, of one forward pass."""


def require_model(model: object) -> None:
    """Raise UsageError for what is no model of the zoo and no adapted module."""
    if not isinstance(model, Model):
        own = "Put an own graph network into gf.Adapter, tables of a matrix factorisation into gf.MF.from_tables."
        raise UsageError(f"A model is expected, got {type(model).__name__}. {own}")


class Backbone(Model[Graph]):
    """A message-passing network of the zoo: `layers` convolutions with ReLU between them, no dropout.

    Parameters
    ----------
    hidden: width of the layers but the last.
    out: width of the last layer; by default 64 for link prediction and the number of classes for node tasks.
    layers: number of convolutions, 1 to 8.
    """

    convolutions: ModuleList[Convolution]

    def __init__(self, hidden: int = 128, out: int | None = None, layers: int = 2) -> None:
        super().__init__()
        for key, value, high in (("hidden", hidden, 65536), ("out", out, 65536), ("layers", layers, 8)):
            if not is_integer(value, 1, high) and not (key == "out" and value is None):
                raise UsageError(f"{self.name.upper()}: '{key}' must be an integer in [1, {high}]; got {value!r}.")
        self.hidden, self.out, self.n_layers = plain(hidden), plain(out), plain(layers)
        self.n_features: int | None = None

    def extra_repr(self) -> str:
        """Return the constructor's arguments, so that two settings are never taken for one."""
        return ", ".join(f"{key}={value!r}" for key, value in self.config().items())

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {"hidden": self.hidden, "out": self.out, "layers": self.n_layers}

    @property
    def widths(self) -> list[tuple[int, int]]:
        """(input, output) width of each layer."""
        if self.n_features is None:
            raise UsageError(f"{self.name.upper()} has no parameters yet; train it first.")
        sizes = [self.n_features] + [self.hidden] * (self.n_layers - 1) + [self.out or DEFAULT_WIDTH]
        return list(zip(sizes[:-1], sizes[1:], strict=True))

    def initialised(self, n_features: int, n_outputs: int | None, streams: Streams) -> Self:
        """Return a copy with parameters for `n_features` inputs, drawn from the stream "init"."""
        if n_outputs is not None and self.out not in (None, n_outputs):
            raise UsageError(
                f"{self.name.upper()}: 'out' is {self.out}, but the task has {n_outputs} classes; leave it out."
            )
        model = type(self)(**{**self.config(), "out": n_outputs or self.out})
        model.n_features = n_features
        model.convolutions = ModuleList(
            model.convolution(wide, narrow, streams("init", layer=number).torch())
            for number, (wide, narrow) in enumerate(model.widths, start=1)
        )
        return model

    def fresh(self, streams: Streams) -> Self:
        """Return a copy with newly initialised parameters, on the same device."""
        assert self.n_features is not None
        return self.initialised(self.n_features, self.out, streams).to(self.device)

    @abstractmethod
    def convolution(self, n_in: int, n_out: int, generator: torch.Generator) -> Convolution:
        """Return one convolution with parameters drawn from `generator`."""

    def layers(self, graph: Graph, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the embeddings after each layer, before the activation; see `Model.layers`."""
        if graph.n_features != self.n_features:
            raise DataError(
                f"The model was made for {self.n_features} features, graph '{graph.name}' has {graph.n_features}. "
                "Load the graph with the features the model was trained on."
            )
        found: list[Tensor] = []
        h: Tensor | None = None
        for number, convolution in enumerate(self.convolutions, start=1):
            if number == 1 and first is not None:
                h = first
            else:
                h = convolved(convolution, graph, h)
            h = hook(number, h) if hook else h
            found.append(h)
        return found

    def sampled_rows(
        self, graph: Graph, rows: np.ndarray, hops: Sequence[tuple[int, int]]
    ) -> tuple[list[Tensor], Tensor]:
        """Return the readout of the ascending nodes `rows`, computed from drawn neighbours; no layers beside it.

        Every layer draws anew (Hamilton et al. 2017, algorithm 2). What is drawn for a node of a layer depends on the
        key and the node alone, so a row does not depend on which other rows are asked for.

        hops: (neighbours, stream key) of each hop outward: of the last layer first.
        """
        parts: list[Neighbourhood] = []
        for hop, (count, key) in enumerate(hops, start=1):
            wanted = parts[-1].nodes if parts else rows
            parts.append(Neighbourhood.of(graph, wanted, count, key, features=hop == len(hops)))
        h: Tensor | None = None
        for convolution, part in zip(self.convolutions, reversed(parts), strict=True):
            out = convolution(part, None if h is None else torch.relu(h))
            h = out.index_select(0, torch.from_numpy(part.rows).to(out.device))
        assert h is not None
        return [], h

    def flops(self, graph: Graph) -> int:
        """Return the operations of one forward pass: products with weights and along edges."""
        stored = graph.n_nodes * graph.n_features
        if graph.feature_matrix is not None:
            stored = len(graph.feature_matrix.csr.values)
        return sum(
            convolution.flops(graph, stored if number == 0 else graph.n_nodes * wide, narrow)
            for number, (convolution, (wide, narrow)) in enumerate(zip(self.convolutions, self.widths, strict=True))
        )


class Convolution(nn.Module, ABC):
    """One message-passing layer; `h` is None for the first, which reads the graph's features."""

    @abstractmethod
    def forward(self, graph: Graph, h: Tensor | None) -> Tensor:
        """Return the (n_nodes, n_out) output for the (n_nodes, n_in) input."""

    @abstractmethod
    def flops(self, graph: Graph, inputs: int, n_out: int) -> int:
        """Return the operations of one pass, `inputs` being the stored entries of the layer's input."""


def block_rows(convolution: Convolution) -> int:
    """Return how many rows of a layer are computed at a time where no gradient is needed.

    A block needs most of a dense graph, so that several blocks cost more than the whole.
    """
    width = max((parameter.shape[-1] for parameter in convolution.parameters()), default=1)
    return max(1, BLOCK_BYTES // (4 * width))


def convolved(convolution: Convolution, graph: Graph, h: Tensor | None) -> Tensor:
    """Return the next layer, given the embeddings before the activation (None for the first layer).

    Without gradients, more than `block_rows` nodes are computed so many at a time, each block from all neighbours of
    its nodes: memory beyond the two layers grows with the block, and the rows are those of the whole product.
    """
    block = block_rows(convolution)
    if torch.is_grad_enabled() or graph.n_nodes <= block:
        return convolution(graph, None if h is None else torch.relu(h))
    found: Tensor | None = None
    for first in range(0, graph.n_nodes, block):
        rows = np.arange(first, min(first + block, graph.n_nodes))
        part = Neighbourhood.of(graph, rows, features=h is None)
        near = None if h is None else torch.relu(h.index_select(0, torch.from_numpy(part.nodes).to(h.device)))
        out = convolution(part, near)
        found = out.new_empty(graph.n_nodes, out.shape[1]) if found is None else found
        found[first : first + len(rows)] = out.index_select(0, torch.from_numpy(part.rows).to(out.device))
    assert found is not None
    return found


def times_weight(graph: Graph, h: Tensor | None, weight: Tensor) -> Tensor:
    """Return `h @ weight`, or the graph's (sparse) features times `weight` when h is None."""
    if h is not None:
        return product(h, weight)
    if graph.feature_matrix is not None:
        return linear_sparse(graph.feature_matrix, weight)
    found = graph.features
    assert found is not None
    dense = graph.memo(f"features-{weight.device}", lambda: torch.from_numpy(found.copy()).to(weight.device))
    return product(dense, weight)


def glorot(n_in: int, n_out: int, generator: torch.Generator) -> nn.Parameter:
    """Return an (n_in, n_out) weight, uniform in +-sqrt(6 / (n_in + n_out)) (Glorot and Bengio 2010)."""
    bound = (6.0 / (n_in + n_out)) ** 0.5
    return nn.Parameter((torch.rand(n_in, n_out, generator=generator) * 2 - 1) * bound)


def fan_in(n_in: int, shape: tuple[int, ...], generator: torch.Generator) -> nn.Parameter:
    """Return a parameter, uniform in +-1/sqrt(n_in): what a torch linear layer starts from."""
    return nn.Parameter((torch.rand(*shape, generator=generator) * 2 - 1) / n_in**0.5)
