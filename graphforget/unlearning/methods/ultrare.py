"""UltraRE: shards of users by optimal transport."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap
from graphforget.models.base import Model
from graphforget.models.ensemble import MeanEnsemble
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    at_least_one,
    count,
    positive,
    positive_share,
    several,
)
from graphforget.unlearning.shards.partition import transported_map
from graphforget.unlearning.shards.training import prepared, retrained, with_provenance
from graphforget.unlearning.shards.vectors import weighted_factors


@dataclass(frozen=True)
class UltraRE(Method[Recommendation]):
    """UltraRE (Li et al., NeurIPS 2023), reconstructed: users are clustered by optimal transport with equal shards.

    Vectors of users by weighted matrix factorisation; in at most `rounds` rounds an entropic transport plan with
    uniform marginals moves users to shards and centroids to the mean of their users; one model per shard; every user
    is served by his own shard's model, as in CURE4Rec's version. A deletion trains the touched shards anew.

    An ensemble whose users another method clustered (receraser-ubp) is divided anew, as preparation.

    Not exact: vectors and partition are made once, from data that still held the deleted part; only its places in the
    partition are dropped.

    Deviations from CURE4Rec's version: Sinkhorn's iterations in the log domain with a weight relative to the median
    cost (it passes its weight as the number of iterations); the plan is rounded within the capacity slack * n / k,
    where the row's largest entry knows no capacity. The paper's own combination of shards is not in public sources.

    Parameters
    ----------
    shards: number of shards, k.
    slack: a shard holds at most slack * n / k users.
    rounds: of transport and centroids, at most.
    eps: entropic weight, in median costs.
    iterations: of Sinkhorn's algorithm in a round.
    dim, weight: width of the vectors and weight of missing entries in their least squares.
    """

    name: ClassVar[str] = "ultrare"
    title: ClassVar[str] = "UltraRE (reconstructed)"
    source: ClassVar[str] = "Li et al., NeurIPS 2023, reconstructed"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    clears: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"shards": (5, 10, 20), "eps": (0.02, 0.05, 0.1)}

    shards: int = 10
    slack: float = 1.2
    rounds: int = 10
    eps: float = 0.05
    iterations: int = 200
    dim: int = 32
    weight: float = 0.2

    def __post_init__(self) -> None:
        self.check(
            shards=several,
            slack=at_least_one,
            rounds=count,
            eps=positive,
            iterations=count,
            dim=count,
            weight=positive_share,
        )

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the ensemble whose touched shards were trained anew."""
        before = prepared(
            problem, self.name, self.shards, "user", lambda data: self._map(problem, data), MeanEnsemble, drawn=False
        )
        models, shard_map = retrained(problem, self.name, before)
        return with_provenance(MeanEnsemble(models, shard_map, "known"), problem)

    def _map(self, problem: Problem[Recommendation], data: Interactions) -> ShardMap:
        streams = problem.streams.child(self.name)
        vectors = weighted_factors(data.train, self.dim, streams("vectors"), self.weight)
        options = (self.shards, self.slack, self.rounds, streams("partition"), self.eps, self.iterations)
        return transported_map(data, vectors, *options)
