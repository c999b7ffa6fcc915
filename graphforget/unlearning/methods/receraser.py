"""RecEraser: shards of similar interactions, joined by a learned attention."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from graphforget._core.errors import UnsupportedError
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap
from graphforget.models.attention_ensemble import AttentionEnsemble, join_refusal
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.models.ensemble import Ensemble
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import phases
from graphforget.unlearning.method import (
    PAIR_KINDS,
    Method,
    Problem,
    at_least_one,
    count,
    count_or_none,
    metric_name,
    not_negative,
    positive,
    positive_share,
    several,
)
from graphforget.unlearning.shards.partition import clustered_map, drawn_map
from graphforget.unlearning.shards.training import prepared, retrained, with_provenance
from graphforget.unlearning.shards.vectors import weighted_factors

UNITS = {"inbp": "interaction", "ubp": "user", "ibp": "item", "random": "interaction"}


@dataclass(frozen=True)
class RecEraser(Method[Recommendation]):
    """RecEraser (Chen et al. 2022, arXiv 2201.06820): balanced clustering into shards, attention over their embeddings.

    1. Vectors of users and items by weighted matrix factorisation. 2. Shards of at most slack * N / k similar units.
    3. One model per shard. 4. The shards' embeddings, frozen, are joined by an attention that learns from all retained
    interactions; LightGCN then propagates the joined embeddings over the retained graph. 5. A deletion trains the
    touched shards anew from scratch and then the attention, the costly part of a small request.

    An ensemble that UltraRE clustered is divided anew, as preparation.

    Not exact: vectors and partition are made once, from data that still held the deleted part. Only its places in the
    partition are dropped; the clusters keep the shape it gave them (except with partition "random").

    Deviations from the released code, which has no step 5: centroids are means component by component (the release
    averages over components too, so that they collapse); least squares for the vectors; the recipe of the original
    for the shards, with epochs chosen on a shard's own validation pairs, not on test pairs; negatives from all items,
    rejected by the shard's own pairs, not by the user's pairs in other shards; Adam for the attention.

    Parameters
    ----------
    shards: number of shards, k.
    partition: "inbp" clusters interactions, "ubp" users, "ibp" items; "random" draws the shard of each interaction.
    slack, iterations, dim and weight are of the clustering; "random" does not take them.
    slack: a shard holds at most slack * N / k units.
    iterations: of the clustering, at most.
    dim, weight: width of the vectors and weight of missing entries in their least squares.
    keep: share of the entries of joined user embeddings that training keeps.
    reg: weight of half the squared norm of the attention's transforms.
    epochs, lr, validate_every, selection, patience: of the attention, see `Recipe`; batches are the original's.
        With selection="last" there is no patience.
    """

    name: ClassVar[str] = "receraser"
    title: ClassVar[str] = "RecEraser"
    source: ClassVar[str] = "Chen et al. 2022, arXiv 2201.06820; unlearning step ours"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    kinds: ClassVar[tuple[str, ...]] = PAIR_KINDS
    clears: ClassVar[bool] = False
    tasks: ClassVar[tuple[str, ...]] = ("recommend",)
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "receraser-ubp": {"partition": "ubp"},
        "receraser-ibp": {"partition": "ibp"},
        "receraser-random": {"partition": "random"},
    }
    search: ClassVar[dict[str, tuple[Any, ...]]] = {"shards": (5, 10, 20), "lr": (1e-3, 1e-2), "weight": (0.05, 0.2)}

    shards: int = 10
    partition: str = "inbp"
    slack: float = 1.2
    iterations: int = 50
    dim: int = 64
    weight: float = 0.2
    keep: float = 0.7
    reg: float = 1e-5
    epochs: int = 50
    lr: float = 1e-3
    validate_every: int = 1
    selection: str = "auto"
    patience: int | None = 10

    def __post_init__(self) -> None:
        self.check(
            shards=several,
            partition=tuple(UNITS),
            slack=at_least_one,
            iterations=count,
            dim=count,
            weight=positive_share,
            keep=positive_share,
            reg=not_negative,
            epochs=count,
            lr=positive,
            validate_every=count,
            selection=metric_name,
            patience=count_or_none,
        )
        if self.selection == "last":
            self.refuse_idle("with selection=last, where every epoch counts as better", "patience")
        if self.partition == "random":
            self.refuse_idle("with partition=random, which draws shards", "slack", "iterations", "dim", "weight")

    def unlearn(self, problem: Problem[Recommendation]) -> Model:
        """Return the joined shards, the touched ones and the attention trained anew."""
        original = under_operators(problem.original)
        refused = join_refusal(original.shards[0] if isinstance(original, Ensemble) else original)
        if refused is not None:
            raise UnsupportedError(refused)
        unit, drawn = UNITS[self.partition], self.partition == "random"
        before = prepared(
            problem, self.name, self.shards, unit, lambda data: self._map(problem, data), AttentionEnsemble, drawn=drawn
        )
        models, shard_map = retrained(problem, self.name, before)
        streams = problem.streams.child(self.name).child("attention")
        model = AttentionEnsemble(models, shard_map, self.keep, self.reg, streams).to(problem.original.device)
        more = {"patience": self.patience, "batch": problem.recipe.batch}
        recipe = problem.recipe_for(self, self.validate_every, **more)
        problem.fit(model, phases(model, problem.retained, recipe, streams), recipe, self)
        return with_provenance(model, problem)

    def _map(self, problem: Problem[Recommendation], data: Interactions) -> ShardMap:
        streams, unit = problem.streams.child(self.name), UNITS[self.partition]
        if self.partition == "random":
            return drawn_map(data, self.shards, unit, streams("partition"))
        vectors = weighted_factors(data.train, self.dim, streams("vectors"), self.weight)
        return clustered_map(data, vectors, self.shards, unit, self.slack, self.iterations, streams("partition"))
