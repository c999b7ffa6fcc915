"""Embeddings of shards' models, joined by attention."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.errors import UsageError
from graphforget._core.streams import Stream, Streams
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap
from graphforget.models.base import Hook, Model
from graphforget.models.ensemble import Ensemble
from graphforget.models.recommender import added
from graphforget.tasks.base import Items

TABLES = ("users", "items")


class Attention(nn.Module):
    """e = sum_s a_s e'_s with e'_s = e_s W_s + b_s and a = softmax over s of h^T relu(W_A e'_s + b_A).

    Parameters
    ----------
    n_shards, dim: number and width of the embeddings of a user (or an item).
    streams: of the initial W and W_A (truncated normal, deviation sqrt(2 / (dim + dim / 2))) and h (deviation 0.01).
    """

    def __init__(self, n_shards: int, dim: int, streams: Streams) -> None:
        super().__init__()
        half = max(dim // 2, 1)
        deviation = (2.0 / (dim + dim / 2)) ** 0.5
        self.transform = _truncated((n_shards, dim, dim), deviation, streams("transform"))
        self.shift = nn.Parameter(torch.zeros(n_shards, 1, dim))
        self.hidden = _truncated((dim, half), deviation, streams("hidden"))
        self.hidden_shift = nn.Parameter(torch.zeros(half))
        self.head = _truncated((half, 1), 0.01, streams("head"))

    def forward(self, tables: Tensor) -> Tensor:
        """Return the (n, dim) joined embeddings of the (n_shards, n, dim) tables."""
        moved = torch.baddbmm(self.shift, tables, self.transform)
        scores = torch.relu(moved @ self.hidden + self.hidden_shift) @ self.head
        return (torch.softmax(scores, dim=0) * moved).sum(dim=0)


def _truncated(shape: tuple[int, ...], deviation: float, stream: Stream) -> nn.Parameter:
    values = torch.empty(*shape)
    nn.init.trunc_normal_(values, std=deviation, a=-2 * deviation, b=2 * deviation, generator=stream.torch())
    return nn.Parameter(values)


class AttentionEnsemble(Ensemble):
    """RecEraser's aggregator (Chen et al. 2022, section 3.4): learned embeddings joined by attention, then propagated.

    Users and items have an attention each. The joined table takes the place of the backbone's learned table, and the
    backbone propagates it over the graph it is given, which is the retained one after unlearning.

    Parameters
    ----------
    keep: share of the entries of joined user embeddings that are kept while training.
    reg: weight of half the squared norm of W and b.
    streams: of the initial parameters.
    """

    name = "attention-ensemble"
    users_attention: Attention
    items_attention: Attention

    def __init__(
        self,
        shards: Sequence[Model[Interactions]],
        shard_map: ShardMap,
        keep: float = 0.7,
        reg: float = 1e-5,
        streams: Streams | None = None,
    ) -> None:
        super().__init__(shards, shard_map)
        missing = join_refusal(self.shards[0])
        if missing is not None:
            raise UsageError(f"AttentionEnsemble: {missing}")
        self.keep, self.reg = keep, reg
        streams = streams or Streams(0)
        for part in TABLES:
            width = getattr(self.shards[0], part).shape[1]
            setattr(self, f"{part}_attention", Attention(len(self.shards), width, streams.child(part)))

    def config(self) -> dict[str, Any]:
        """Return the share that is kept and the weight of the regulariser."""
        return {"keep": self.keep, "reg": self.reg}

    def layers(self, graph: Interactions, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the joined table and what the backbone propagates from it."""
        joined = self._joined() if first is None else None

        def replaced(layer: int, h: Tensor) -> Tensor:
            if joined is not None and layer == 1:
                h = torch.cat([joined, h[len(joined) :]])
            return hook(layer, h) if hook else h

        return self.shards[0].layers(graph, replaced, first)

    def _joined(self) -> Tensor:
        stacked = {part: torch.stack([getattr(shard, part) for shard in self.shards]) for part in TABLES}
        users, items = self.users_attention(stacked["users"]), self.items_attention(stacked["items"])
        return torch.cat([F.dropout(users, 1 - self.keep, self.training), items])

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return what the backbone makes of the layers."""
        return self.shards[0].readout(layers)

    def extra_loss(self, data: Interactions, layers: list[Tensor], z: Tensor, items: Items, epoch: int) -> Tensor:
        """Return the regulariser of the transforms of both attentions."""
        del data, layers, items, epoch  # it is one of weights
        if self.reg == 0:
            return z.new_zeros(())
        sides = (self.users_attention, self.items_attention)
        return 0.5 * self.reg * added(side.transform.square().sum() + side.shift.square().sum() for side in sides)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of the attentions and of one propagation."""
        found = self.shards[0].flops(graph)
        for part in TABLES:
            rows, d = getattr(self.shards[0], part).shape
            found += 2 * len(self.shards) * rows * (d * d + d * (d // 2) + d // 2 + d)
        return found


def join_refusal(model: Model) -> str | None:
    """Return why the learned embeddings of models like this cannot be joined by attention, or None."""
    if {key for key, _ in model.named_parameters()} == set(TABLES):
        return None
    return (
        f"attention joins tables of user and item embeddings; {model.name} learns other parameters as well, which have "
        "no mean over shards. Use mf or lightgcn, or the method sisa."
    )
