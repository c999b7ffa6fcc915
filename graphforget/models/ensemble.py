"""Models trained on shards of the interactions, answering as one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import numpy as np
import torch
from torch import Tensor

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap, shards_of
from graphforget.models.base import Hook, Model
from graphforget.models.containers import ModuleList
from graphforget.models.edited import under_operators
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import Items, as_index

VOTES = ("known", "all")


class Ensemble(Model[Interactions]):
    """One model per shard of the interactions; each sees its own shard's graph, on the numbers of all users and items.

    Parameters
    ----------
    shards: the models, of one class and size.
    shard_map: which shard a pair belongs to.

    Attributes
    ----------
    origins: for each shard, what vouches that its weights come of its present data alone: a digest of both, or None
        (empty is None for all). The methods that train shards write and read it; see `unlearning.shards.training`.
    """

    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    shards: ModuleList[Model[Interactions]]

    def __init__(self, shards: Sequence[Model[Interactions]], shard_map: ShardMap) -> None:
        super().__init__()
        if len(shards) != shard_map.n_shards:
            raise UsageError(f"An ensemble of {shard_map.n_shards} shards needs as many models; got {len(shards)}.")
        self.shards = ModuleList(shard.frozen() for shard in shards)
        self.plan = {key: getattr(shard_map, key) for key in ("n_shards", "n_items", "unit", "key")}
        self.origins: list[str | None] = []
        self._keep(shard_map)

    def _keep(self, shard_map: ShardMap) -> None:
        self.map_digest = shard_map.digest
        for key in ("table", "numbers"):
            value = getattr(shard_map, key)
            if value is not None:
                self.register_buffer(key, as_index(value, self.shards[0].device))

    def restrict(self, data: Interactions) -> None:
        """Drop from the map, in place, what has no pair in `data`: it must not remember what was deleted."""
        self._keep(self.shard_map.within(data))

    @property
    def shard_map(self) -> ShardMap:
        """Which shard a pair belongs to."""
        tables = {key: getattr(self, key).cpu().numpy() for key in ("table", "numbers") if hasattr(self, key)}
        return ShardMap(**self.plan, **tables)

    def parts(self, data: Interactions) -> list[Interactions]:
        """Return the training pairs of every shard, kept with `data`."""
        return data.memo(f"shards/{self.map_digest}", lambda: shards_of(data, self.shard_map))

    @abstractmethod
    def config(self) -> dict[str, Any]:
        """Return what the constructor takes beside the models and the map, for JSON."""

    def ranking_loss(self, data: Interactions, z: Tensor, items: Items) -> Tensor | None:
        """Return the ranking loss of the shards' backbone where it has one of its own, else None.

        Raises UnsupportedError for PinSage's, which takes a user's embedding apart: joined ones cannot be.
        """
        if self.own_loss() == "hinge":
            raise UnsupportedError(
                "An ensemble of PinSage models cannot be trained as one: their hinge loss leaves the ranked item out "
                "of a user's mean, shard by shard. Use sisa again, which trains shards, or retrain."
            )
        return self.shards[0].ranking_loss(data, z, items)

    def own_loss(self) -> str | None:
        """Return the name of that loss."""
        return self.shards[0].own_loss()

    def clear_features(self, rows: Mapping[str, np.ndarray]) -> None:
        """Undo, in place, what every shard's model learned about the features of some items."""
        for shard in self.shards:
            shard.clear_features(rows)

    def train(self, mode: bool = True) -> Self:
        """Switch what the ensemble adds; the models of the shards stay in evaluation mode."""
        super().train(mode)
        self.shards.eval()
        return self

    def fresh(self, streams: Streams) -> Model[Interactions]:
        """Return one model of the shards' kind with new parameters: being sharded is no part of a fresh start."""
        return self.shards[0].fresh(streams)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of the models, each on its own shard."""
        return sum(shard.flops(part) for shard, part in zip(self.shards, self.parts(graph), strict=True))


class MeanEnsemble(Ensemble):
    """The mean score of the shards' models (SISA, Bourtoule et al. 2021, for recommenders).

    The mean of inner products is the inner product of joined embeddings, so the ensemble scores and ranks like any
    recommender: an item's embedding joins those of the k models, a user's joins them times the weights w_us,

        s(u, i) = sum_s w_us <z_u^s, z_i^s>.

    Averaging the embeddings themselves would be wrong: those of different models are not aligned.

    Parameters
    ----------
    votes: "known" averages over the shards that hold training pairs of the user (with shards of users, his own), all
        others never learned his embedding; "all" averages over the k models.
    """

    name = "mean-ensemble"

    def __init__(self, shards: Sequence[Model[Interactions]], shard_map: ShardMap, votes: str = "known") -> None:
        super().__init__(shards, shard_map)
        if votes not in VOTES:
            raise UsageError(f"MeanEnsemble: 'votes' must be one of {', '.join(VOTES)}; got {votes!r}.")
        self.votes = votes

    def config(self) -> dict[str, Any]:
        """Return which shards a user's mean is over."""
        return {"votes": self.votes}

    def layers(self, graph: Interactions, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return one layer, the joined embeddings (n_nodes, k * width)."""
        joined = self._joined(graph) if first is None else first
        return [hook(1, joined) if hook else joined]

    def _joined(self, data: Interactions) -> Tensor:
        tables = [shard(part) for shard, part in zip(self.shards, self.parts(data), strict=True)]
        device = tables[0].device
        kept = f"votes/{self.votes}/{self.map_digest}/{device}"
        weights = data.memo(kept, lambda: self._weights(data).to(device))
        n = data.n_users
        return torch.cat([torch.cat([z[:n] * weights[:, s : s + 1], z[n:]]) for s, z in enumerate(tables)], dim=1)

    def _weights(self, data: Interactions) -> Tensor:
        """Return the (n_users, k) weights of a user's mean; zeros for a user without training pairs that none knows."""
        if self.votes == "all":
            return torch.full((data.n_users, len(self.shards)), 1.0 / len(self.shards))
        known = np.stack([part.user_degrees > 0 for part in self.parts(data)], axis=1)
        return torch.from_numpy((known / np.maximum(known.sum(axis=1, keepdims=True), 1)).astype(np.float32))

    def extra_loss(self, data: Interactions, layers: list[Tensor], z: Tensor, items: Items, epoch: int) -> Tensor:
        """Return the regulariser of the shards' models on the joined embeddings of a batch."""
        del data, layers, epoch  # the joined embeddings are all there is
        first = self.shards[0]
        assert isinstance(first, Recommender)
        return first.penalty(z, items)


def backbone_of(model: Model) -> Model:
    """Return the backbone under operators, shifts and shards; of shards the first's."""
    base = under_operators(model)
    return backbone_of(base.shards[0]) if isinstance(base, Ensemble) else base
