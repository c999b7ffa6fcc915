"""GSGCF-RU: residual networks on the final embeddings around the deletion."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.orders import epoch_order
from graphforget.kernels.pairs import PairIndex, pair_scores
from graphforget.models.base import Hook, Model, fan_in
from graphforget.models.shifted import Shifted
from graphforget.tasks.base import as_index
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    count,
    count_or_zero,
    metric_name,
    not_negative,
    positive,
    share,
)


class _Residual(Model[Interactions]):
    """Fixed embeddings z; the rows of some nodes become z + strength * W2 relu(W1 z + b1) + b2, one network a side."""

    def __init__(
        self, base: Model[Interactions], z: Tensor, sides: list[Tensor], strength: float, streams: Streams
    ) -> None:
        super().__init__()
        self.base, self.z, self.sides, self.strength = base, z, sides, strength
        width = z.shape[1]
        self.weights, self.biases = nn.ParameterList(), nn.ParameterList()
        for number in range(2 * len(sides)):
            generator = streams("init", layer=number).torch()
            self.weights.append(fan_in(width, (width, width), generator))
            self.biases.append(fan_in(width, (1, width), generator))

    def layers(self, graph: Interactions, hook: Hook | None = None, first: Tensor | None = None) -> list[Tensor]:
        """Return the moved embeddings; they were taken from the graph once and for all."""
        del graph, hook, first
        return [self.z + self.shift()]

    def shift(self) -> Tensor:
        """Return what is added to the embeddings, zero but for the chosen nodes."""
        found = torch.zeros_like(self.z)
        for side, nodes in enumerate(self.sides):
            h = torch.relu(self.z[nodes] @ self.weights[2 * side] + self.biases[2 * side])
            moved = h @ self.weights[2 * side + 1] + self.biases[2 * side + 1]
            found = found.index_copy(0, nodes, self.strength * moved)
        return found

    def size(self) -> Tensor:
        """Return half the squared norm of the networks' weights and biases."""
        return 0.5 * sum(value.square().sum() for value in (*self.weights, *self.biases))

    def fresh(self, streams: Streams) -> Model[Interactions]:
        """Return the model underneath with new parameters."""
        return self.base.fresh(streams)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of the networks, and of the model underneath."""
        rows = sum(len(nodes) for nodes in self.sides)
        return self.base.flops(graph) + 4 * rows * self.z.shape[1] ** 2


@dataclass(frozen=True)
class GSGCFRU(Method[Recommendation]):
    """GSGCF-RU, GNNDelete's idea for collaborative filtering, after the port in L2UnRank's code; rewritten.

        z'_v = z_v + strength * MLP(z_v)   for v within `hops` hops of the deletion, an MLP for users and one for items
        L = alpha * MSE(s'(forgotten), mean of `random_pairs` random pairs' scores)
            + (1 - alpha) * MSE(s'(neighbouring pairs), s before) + reg * |weights|^2 / 2

    The backbone is frozen. s before: scores of the original on the full graph; z: on the retained one. The result is
    the original with those rows of its embeddings shifted.

    Deviations: a random pair is a user and an item never chosen (the port draws from all pairs of nodes, two users
    among them); random and neighbouring pairs are drawn anew in every epoch, the latter among the retained pairs within
    the hops, at most `neighbours_per_forget` for each forgotten pair; the port walks them one by one.

    Parameters
    ----------
    alpha: weight of the forgotten part, 0.7 in the port.
    strength: factor on the networks' output, 0.1 in the port.
    hops: from the ends of forgotten pairs to the nodes that move.
    random_pairs: whose mean score a forgotten pair is drawn to.
    neighbours_per_forget: neighbouring pairs in an epoch for each forgotten pair, at most.
    reg: weight of the networks' l2 penalty.
    epochs, lr: of Adam; an epoch is one step over everything.
    validate_every, selection: see `Recipe`; "auto" is the task's own metric, "last" takes the last epoch.
    """

    name: ClassVar[str] = "gsgcf-ru"
    title: ClassVar[str] = "GSGCF-RU"
    source: ClassVar[str] = "after the port in L2UnRank's code (2025)"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "alpha": (0.3, 0.5, 0.7),
        "strength": (0.1, 0.5, 1.0),
        "epochs": (100, 300),
        "lr": (1e-3, 5e-3),
    }

    alpha: float = 0.7
    strength: float = 0.1
    hops: int = 2
    random_pairs: int = 10
    neighbours_per_forget: int = 10
    reg: float = 1e-5
    epochs: int = 100
    lr: float = 1e-3
    validate_every: int = 20
    selection: str = "last"

    def __post_init__(self) -> None:
        self.check(
            alpha=share,
            strength=positive,
            hops=count_or_zero,
            random_pairs=count,
            neighbours_per_forget=count,
            reg=not_negative,
            epochs=count,
            lr=positive,
            validate_every=count,
            selection=metric_name,
        )

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the original with shifted embeddings."""
        full, retained, n_users = problem.full, problem.retained, problem.full.graph.n_users
        z = problem.original.embed(retained.graph)
        nodes = np.flatnonzero(full.affected(problem.gone, self.hops))
        sides = [as_index(side, z.device) for side in (nodes[nodes < n_users], nodes[nodes >= n_users])]
        streams = problem.streams.child(self.name)
        model = _Residual(problem.original, z, sides, self.strength, streams).to(z.device)
        before, inside = problem.original.embed(full.graph), np.zeros(full.graph.n_nodes, dtype=bool)
        inside[nodes] = True
        edges = retained.graph.edges
        neighbours = edges[:, inside[edges[0]] & inside[edges[1]]]

        def loss(epoch: int) -> Tensor:
            after = model(retained.graph)
            target = self._random_scores(full, before, problem.gone.count, streams, epoch)
            total = self.alpha * F.mse_loss(_scores(after, problem.gone.items), target)
            seen = self._sample(neighbours, problem.gone.count, streams, epoch)
            if seen.shape[1]:
                total = total + (1 - self.alpha) * F.mse_loss(_scores(after, seen), _scores(before, seen))
            return total + self.reg * model.size()

        problem.fit(model, loss, problem.recipe_for(self, self.validate_every), self)
        return Shifted(problem.original, model.shift())

    def _random_scores(
        self, full: Recommendation, before: Tensor, forgotten: int, streams: Streams, epoch: int
    ) -> Tensor:
        """Return for every forgotten pair the mean score of some pairs that nobody chose."""
        random = full.non_edges(forgotten * self.random_pairs, streams("random-pairs", epoch=epoch))
        return _scores(before, random).view(forgotten, self.random_pairs).mean(dim=1)

    def _sample(self, neighbours: np.ndarray, forgotten: int, streams: Streams, epoch: int) -> np.ndarray:
        order = epoch_order(neighbours.shape[1], streams("neighbours", epoch=epoch).key)
        return neighbours[:, order[: self.neighbours_per_forget * forgotten]]


def _scores(z: Tensor, pairs: np.ndarray) -> Tensor:
    return pair_scores(z, PairIndex.of(pairs.astype(np.int64), len(z)))
