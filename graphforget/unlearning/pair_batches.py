"""Batches of a recommender's forgotten pairs, each beside a batch of retained pairs."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial

import numpy as np
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.streams import Streams
from graphforget.data.interaction_parts import mask_of
from graphforget.data.interactions import Interactions
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.orders import epoch_order
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.models.mf import MF
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import Forgotten, Items
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import Triples, negative_weights
from graphforget.training.loop import Phase
from graphforget.unlearning.method import Problem


@dataclass(frozen=True, eq=False)
class PairBatches:
    """How an epoch walks the forgotten pairs: in random order, the last batch filled from the first.

    An other item of a forgotten pair is none that the user keeps; one of a retained pair is none that the user ever
    chose, forgotten ones included. All randomness is a function of the epoch.

    Attributes
    ----------
    full, retained, gone: task, retained task, forgotten part.
    batch: forgotten pairs of a step, at most; never more than there are.
    retain_per_forget: retained pairs of a step for each forgotten pair.
    min_steps: steps of an epoch, at least; few forgotten pairs are then walked several times.
    others: the other items of forgotten pairs are drawn "uniform" or by "popularity"; None does as for the retained
        pairs, which follow the task's `negatives`.
    retain: retained pairs of a step, at least, as far as there are so many.
    """

    full: Recommendation
    retained: Recommendation
    gone: Forgotten
    streams: Streams
    batch: int
    retain_per_forget: int = 1
    min_steps: int = 1
    others: str | None = None
    retain: int = 0

    @property
    def size(self) -> int:
        """Forgotten pairs of a step."""
        return min(self.batch, self.gone.count)

    @property
    def n_steps(self) -> int:
        """Steps of an epoch."""
        return max(-(-self.gone.count // self.size), self.min_steps)

    def forgotten(self, epoch: int) -> Iterator[Items]:
        """Yield the batches of forgotten pairs of an epoch."""
        count, others = self.n_steps * self.size, self.others or self.full.negatives
        triples = self._walk(self.retained, self.gone.items, count, "forget", others, epoch)
        yield from self._cut(triples, self.size)

    def kept(self, epoch: int) -> Iterator[Items]:
        """Yield as many batches of retained pairs."""
        size = max(self.size * self.retain_per_forget, min(self.retain, self.retained.graph.n_edges))
        count = self.n_steps * size
        triples = self._walk(self.full, self.retained.graph.edges, count, "retain", self.full.negatives, epoch)
        yield from self._cut(triples, size)

    def both(self, epoch: int) -> Iterator[tuple[Items, Items]]:
        """Yield the steps of an epoch: a batch of forgotten and one of retained pairs."""
        yield from zip(self.forgotten(epoch), self.kept(epoch), strict=True)

    def _walk(
        self, chosen_in: Recommendation, pairs: np.ndarray, count: int, name: str, negatives: str, epoch: int
    ) -> Triples:
        order = epoch_order(pairs.shape[1], self.streams(f"{name}-order", epoch=epoch).key)
        users, nodes = pairs[:, np.resize(order, count)]
        weights = negative_weights(self.retained.graph, negatives)
        others = sample_items(chosen_in.chosen, users, self.streams(f"{name}-others", epoch=epoch).key, weights)
        return Triples(users, nodes - self.full.graph.n_users, others)

    def _cut(self, triples: Triples, size: int) -> Iterator[Items]:
        for at in range(0, len(triples), size):
            yield self.full.items(triples.part(at, at + size))


def pair_batches(
    problem: Problem[Recommendation],
    name: str,
    batch: int,
    retain_per_forget: int = 1,
    min_steps: int = 1,
    others: str | None = None,
    retain: int = 0,
) -> PairBatches:
    """Return the batches of a problem for the method called `name`."""
    streams = problem.streams.child(name)
    parts = problem.full, problem.retained, problem.gone
    return PairBatches(*parts, streams, batch, retain_per_forget, min_steps, others, retain)


def reverse_bpr(responses: Tensor) -> Tensor:
    """Return softplus(d) = -log sigma(s_other - s_forgotten) of the preference logits d, at least 0.

    Its slope sigma(d) is steep while the forgotten item ranks high and vanishes once the order is inverted. BPR
    negated, -softplus(-d), has no lower bound.
    """
    return F.softplus(responses)


def reverse_phase(
    model: Model, data: Interactions, batches: PairBatches, added: Callable[[], Tensor] | None = None
) -> Phase:
    """Return the phase that minimises the mean reverse BPR of each batch of forgotten pairs, plus `added()`.

    data: what messages pass over.
    """

    def loss(items: Items) -> Tensor:
        lose = reverse_bpr(batches.full.responses(model(data), items)).mean()
        return lose if added is None else lose + added()

    return Phase("forget", lambda epoch: [partial(loss, items) for items in batches.forgotten(epoch)])


def regulariser(model: Model, layers: list[Tensor], z: Tensor, items: Items) -> Tensor:
    """Return the l2 regulariser of a recommender of the zoo on a batch; 0 for an ensemble of them."""
    base = under_operators(model)
    if not isinstance(base, Recommender):
        return z.new_zeros(())
    return base.penalty(layers[0] if base.reg_on == "layer0" else z, items)


def compared_rows(model: Model, z: Tensor) -> Tensor:
    """Return rows whose inner products the backbone's ranking loss compares, see `MF.compared_rows`; else z."""
    base = under_operators(model)
    return base.compared_rows(z) if isinstance(base, MF) else z


def clear_features(model: Model, full: Recommendation, gone: Forgotten) -> None:
    """Undo, in place, what a recommender learned about the features of deleted items, and about deleted features."""
    count, deleted = full.graph.n_items, full.parted(gone.nodes)[1]
    named = {name: mask_of(gone.modalities.get(name), count) for name in full.graph.modalities}
    model.clear_features({name: rows | mask_of(deleted, count) for name, rows in named.items()})


def learning_graph(full: Recommendation, retained: Recommendation, graph: str) -> Interactions:
    """Return the data that messages pass over while learning: "retained", or "full" for weights only."""
    return retained.graph if graph == "retained" else full.graph
