"""SISA: one model per shard; a deletion trains anew the shards it touches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphforget.models.base import Model
from graphforget.models.ensemble import VOTES, MeanEnsemble
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.method import PAIR_KINDS, Method, Problem, several
from graphforget.unlearning.shards.partition import drawn_map
from graphforget.unlearning.shards.training import prepared, retrained, with_provenance

PARTITIONS = ("user", "interaction")


@dataclass(frozen=True)
class SISA(Method[Recommendation]):
    """SISA (Bourtoule et al. 2021, arXiv 1912.03817) for recommenders: exact for every shard, aggregated by mean score.

    The interactions are divided into shards by numbers drawn for users or for interactions, never by content, and a
    model of the original's kind is trained on each from nothing but its own pairs: its graph, its rejection of
    negatives and its choice of the epoch end at the shard. A deletion trains the shards whose data changed anew, from
    scratch, so that the result is byte for byte what training all shards on the retained data gives.

    The models of all shards are trained first where the original is not such an ensemble already; that is work done
    once, which the receipt counts as preparation. Pass the unlearned model back in for the next deletion; shards that
    another method changed in between, or whose data it forgot something of, are trained anew with it. m random
    deletions touch k (1 - (1 - 1/k)^m) shards on average: 6.51 of 10 for m = 10. Where a deletion touches all of
    them, nothing is saved.

    Deviations: no slices within a shard (the paper's checkpoints between them); `votes`. An item's side information
    is in every shard, so deleting an item touches all of them for backbones that read it.

    Parameters
    ----------
    shards: number of shards, k (10 in CURE4Rec, 20 in L2UnRank).
    partition: "user" keeps all interactions of a user together, "interaction" draws each on its own.
    votes: "known" scores by the mean over the shards that hold training pairs of the user (his own, with partition
        "user": the others never learned his embedding), "all" by the mean over all k.
    """

    name: ClassVar[str] = "sisa"
    title: ClassVar[str] = "SISA"
    source: ClassVar[str] = "Bourtoule et al. 2021, arXiv 1912.03817"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    exact: ClassVar[bool] = True
    clears: ClassVar[bool] = False
    presets: ClassVar[dict[str, dict[str, Any]]] = {"sisa-interaction": {"partition": "interaction"}}
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"shards": (5, 10, 20)}

    shards: int = 10
    partition: str = "user"
    votes: str = "known"

    def __post_init__(self) -> None:
        self.check(shards=several, partition=PARTITIONS, votes=VOTES)

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the ensemble whose touched shards were trained anew."""
        stream = problem.streams.child(self.name)("partition")
        before = prepared(
            problem,
            self.name,
            self.shards,
            self.partition,
            lambda data: drawn_map(data, self.shards, self.partition, stream),
            MeanEnsemble,
            drawn=True,
        )
        models, shard_map = retrained(problem, self.name, before)
        return with_provenance(MeanEnsemble(models, shard_map, self.votes), problem)
