"""What every recommender offers: embeddings of users, items and entities whose inner products are scores."""

from __future__ import annotations

import math
from abc import abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar, Self

import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import DataError, UsageError
from graphforget._core.numeric import is_integer, is_number, plain
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.base import Hook, Model
from graphforget.tasks.base import Items

FORMS = ("half_squared", "norm")
PLACES = ("layer0", "final")
WIDEST = 65536
"""Largest width of a layer."""


class Recommender(Model[Interactions]):
    """Maps interactions to (n_nodes, width) embeddings: users first, then items, then the other entities.

    A user and an item score the inner product of their final embeddings.

    Parameters
    ----------
    dim: width of the first embeddings.
    reg: weight of the l2 regulariser on the users, items and negatives of a batch.
    reg_form: "half_squared" is half the sum of squared norms, "norm" the un-squared norm of each of the three blocks
        (RecBole and MMRec).
    reg_on: regularise "layer0", the embeddings that are learned, or the "final" ones; the same where nothing is
        propagated (MF, VBPR).
    reg_per_batch: divide by the number of triples of the batch.

    reads_side: what the backbone reads beside interactions: "triples", "modalities".
    """

    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    reads_side: ClassVar[tuple[str, ...]] = ()

    def __init__(
        self,
        dim: int = 64,
        reg: float = 1e-4,
        reg_form: str = "half_squared",
        reg_on: str = "layer0",
        reg_per_batch: bool = True,
    ) -> None:
        super().__init__()
        dim = self.check_count("dim", dim, WIDEST)
        reg = self.check_number("reg", reg)
        self.check_choice("reg_form", reg_form, FORMS)
        self.check_choice("reg_on", reg_on, PLACES)
        self.check_flag("reg_per_batch", reg_per_batch)
        self.dim, self.reg, self.reg_form, self.reg_on, self.reg_per_batch = dim, reg, reg_form, reg_on, reg_per_batch
        self.sizes: dict[str, Any] | None = None

    def check_count(self, key: str, value: Any, high: int) -> int:
        """Return `value`, plain; raises UsageError unless it is an integer in [1, high]."""
        if not is_integer(value, 1, high):
            raise UsageError(f"{self.name}: '{key}' must be an integer in [1, {high}]; got {value!r}.")
        return plain(value)

    def check_choice(self, key: str, value: Any, allowed: tuple[str, ...]) -> None:
        """Raise UsageError unless `value` is one of those allowed."""
        if value not in allowed:
            raise UsageError(f"{self.name}: '{key}' must be one of {', '.join(allowed)}; got {value!r}.")

    def check_number(self, key: str, value: Any, low: float = 0.0, below: float = math.inf) -> float:
        """Return `value`, plain; raises UsageError unless it is a number of at least `low` and below `below`."""
        if not is_number(value) or not low <= value < below:
            limit = "" if below == math.inf else f" and below {below:g}"
            raise UsageError(f"{self.name}: '{key}' must be a number of at least {low:g}{limit}; got {value!r}.")
        return plain(value)

    def check_positive(self, key: str, value: Any) -> float:
        """Return `value`, plain; raises UsageError unless it is a number above 0."""
        if not is_number(value) or value <= 0:
            raise UsageError(f"{self.name}: '{key}' must be a number above 0; got {value!r}.")
        return plain(value)

    def check_integer(self, key: str, value: Any) -> int:
        """Return `value`, plain; raises UsageError unless it is an integer."""
        if not is_integer(value):
            raise UsageError(f"{self.name}: '{key}' must be an integer; got {value!r}.")
        return plain(value)

    def check_flag(self, key: str, value: Any) -> None:
        """Raise UsageError unless `value` is True or False."""
        if not isinstance(value, bool):
            raise UsageError(f"{self.name}: '{key}' must be True or False; got {value!r}.")

    def extra_repr(self) -> str:
        """Return the constructor's arguments, so that two settings are never taken for one."""
        return ", ".join(f"{key}={value!r}" for key, value in self.config().items())

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keys = ("dim", "reg", "reg_form", "reg_on", "reg_per_batch")
        return {key: getattr(self, key) for key in keys}

    def sizes_of(self, data: Interactions) -> dict[str, Any]:
        """Return what the shapes of the parameters depend on, for JSON."""
        return {"n_users": data.n_users, "n_items": data.n_items, "n_nodes": data.n_nodes}

    def initialised_for(self, data: Interactions, streams: Streams) -> Self:
        """Return a copy with parameters for the users, items and side information of `data`."""
        self._check_recommends(data)
        return self.with_sizes(self.sizes_of(data), streams)

    def with_sizes(self, sizes: dict[str, Any], streams: Streams) -> Self:
        """Return a copy with parameters of the given sizes, drawn from the streams "init"."""
        model = type(self)(**self.config())
        model.sizes = dict(sizes)
        model.build(streams)
        return model

    def fresh(self, streams: Streams) -> Self:
        """Return a copy with newly initialised parameters of the same sizes, on the same device."""
        if self.sizes is None:
            raise UsageError(f"{self.name} has no parameters yet; train it first.")
        return self.with_sizes(self.sizes, streams).to(self.device)

    @abstractmethod
    def build(self, streams: Streams) -> None:
        """Create the parameters for `self.sizes`."""

    @abstractmethod
    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return the embeddings after each layer, the learned ones first; each has gone through `hook`."""

    def layers(self, graph: Interactions, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the (n_nodes, width) embeddings after each layer; the learned ones are layer 1."""
        self.check_data(graph)

        def through(layer: int, h: Tensor) -> Tensor:
            h = first if layer == 1 and first is not None else h
            return hook(layer, h) if hook else h

        return self.propagated(graph, through)

    def check_data(self, data: Any) -> None:
        """Raise DataError when the model was made for other users, items or modalities, UsageError for a graph."""
        self._check_recommends(data)
        if self.sizes is None:
            raise UsageError(f"{self.name} has no parameters yet; train it first.")
        found = self.sizes_of(data)
        if found != self.sizes:
            raise DataError(f"{self.name} was made for {_words(self.sizes)}; '{data.name}' has {_words(found)}.")

    def _check_recommends(self, data: Any) -> None:
        if not isinstance(data, Interactions):
            raise UsageError(f"{self.name} recommends items to users; graph '{data.name}' has neither. Use a GCN.")

    def indivisible(self) -> str | None:
        """Return why the loss of a batch is not the mean of the losses of its triples; None where it is."""
        if self.reg and (self.reg_form != "half_squared" or not self.reg_per_batch):
            return "its regulariser belongs to a batch as a whole (reg_form='norm' or reg_per_batch=False)"
        return None

    def extra_loss(self, data: Interactions, layers: list[Tensor], z: Tensor, items: Items, epoch: int) -> Tensor:
        """Return what a batch adds to the ranking loss: the regulariser of its users, items and negatives.

        `items` number rows of `layers` and `z`: nodes, or the rows of a batch alone (see `Model.has_rows`).
        """
        del data, epoch  # backbones with losses of their own need them
        return self.penalty(layers[0] if self.reg_on == "layer0" else z, items)

    def penalty(self, table: Tensor, items: Items) -> Tensor:
        """Return `reg` times the l2 regulariser of the rows of `table` that a batch of triples names.

        Where triples have weights, the squared norm of a row counts as often as its triple.
        """
        if self.reg == 0:
            return table.new_zeros(())
        blocks = [table.index_select(0, rows) for rows in triple_rows(items, table.device)]
        if items.weights is not None:
            blocks = [block * items.weights.to(block).sqrt().unsqueeze(1) for block in blocks]
        if self.reg_form == "half_squared":
            total = 0.5 * added(block.square().sum() for block in blocks)
        else:
            total = added(block.norm() for block in blocks)
        return self.reg * total / (len(items) if self.reg_per_batch else 1)


def triple_rows(items: Items, device: torch.device) -> tuple[Tensor, Tensor, Tensor]:
    """Return where users, items and negatives of a batch of m triples stand, each (m,) int64 on `device`.

    They are rows of the table that the triples belong to: node numbers, or places among the rows of a batch alone (see
    `Model.has_rows`).
    """
    m = len(items)
    user, item = items.pairs[0].on(device)
    return user[:m], item[:m], item[m:]


def added(parts: Iterable[Tensor]) -> Tensor:
    """Return the sum of one tensor or more."""
    first, *others = parts
    return sum(others, first)


def mean_of(layers: Sequence[Tensor]) -> Tensor:
    """Return the mean of one tensor or more of one shape: what stacking them gives, in the memory of one."""
    total = layers[0].clone()
    for h in layers[1:]:
        total += h
    return total.div_(len(layers))


def joined_units(layers: list[Tensor]) -> Tensor:
    """Return the first embeddings beside the row-normalised ones of every later layer (NGCF, KGAT)."""
    return torch.cat([layers[0], *(F.normalize(h) for h in layers[1:])], dim=1)


def layer_widths(owner: str, text: Any) -> tuple[int, ...]:
    """Return the widths listed in a text as "64,32,16"; raises UsageError when it is no such list."""
    parts = [part.strip() for part in str(text).split(",")]
    if not all(part.isdecimal() and len(part) <= len(str(WIDEST)) and 1 <= int(part) <= WIDEST for part in parts):
        raise UsageError(
            f"{owner}: 'layers' must list the widths of the layers, as 64,32,16; got {text!r}. A width is from 1 to "
            f"{WIDEST}."
        )
    return tuple(int(part) for part in parts)


def _words(sizes: dict[str, Any]) -> str:
    return ", ".join(f"{value} {key.removeprefix('n_')}" for key, value in sizes.items())


BIASES = ("xavier", "zeros")


def first_bias(kind: str, width: int, generator: torch.Generator) -> torch.nn.Parameter:
    """Return a (1, width) bias: "xavier", as TensorFlow starts one of that shape, or "zeros"."""
    return xavier((1, width), generator) if kind == "xavier" else torch.nn.Parameter(torch.zeros(1, width))


def normal(shape: tuple[int, ...], std: float, generator: torch.Generator) -> torch.nn.Parameter:
    """Return a parameter drawn from N(0, std^2)."""
    return torch.nn.Parameter(torch.randn(*shape, generator=generator) * std)


def xavier(shape: tuple[int, int], generator: torch.Generator, *, gaussian: bool = False) -> torch.nn.Parameter:
    """Return a Xavier parameter (Glorot and Bengio 2010) for a (fan in, fan out) matrix, uniform or normal."""
    fan = shape[0] + shape[1]
    if gaussian:
        return normal(shape, (2.0 / fan) ** 0.5, generator)
    return torch.nn.Parameter((torch.rand(*shape, generator=generator) * 2 - 1) * (6.0 / fan) ** 0.5)
