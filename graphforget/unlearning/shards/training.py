"""Training of shards: all of them once, then those that a deletion touched."""

from __future__ import annotations

import copy
import time
from collections.abc import Callable, Iterable
from dataclasses import replace
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap, shards_of
from graphforget.models.base import Model
from graphforget.models.ensemble import Ensemble, MeanEnsemble
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.ngcf import NGCF
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import Provenance, digest_of, weights_digest
from graphforget.unlearning.method import Problem
from graphforget.unlearning.shards.work import ShardWork

PAIRS_ONLY = (MF, LightGCN, NGCF)
"""Backbones that read nothing but pairs: a change of an item's side information leaves their shards as they were."""

MakeMap = Callable[[Interactions], ShardMap]


def shard_tasks(task: Recommendation, shard_map: ShardMap) -> list[Recommendation]:
    """Return the task of every shard: its training pairs, and its held-out pairs of the part that selects epochs.

    Epochs are selected on the shard's own pairs: selection on all of them would let a deleted user's held-out pairs
    into every shard. Negatives are rejected by the shard's own pairs for the same reason, and deleted items stay
    candidates there: which items went must not decide the epoch of a shard that lost nothing.
    """
    found = []
    for data in shards_of(task.graph, shard_map, ("train", task.select_on)):
        one = copy.copy(task)
        one.graph, one.holes = data, {}
        found.append(one)
    return found


def prepared(
    problem: Problem, name: str, n_shards: int, unit: str, make_map: MakeMap, joined: type[Ensemble], *, drawn: bool
) -> Ensemble:
    """Return the models of all shards, trained on the whole task: the original's, if it is such an ensemble.

    The time this takes is preparation: it is spent once, before any deletion. An ensemble that is divided otherwise,
    or whose clusters another method made, is divided anew; the details say so (`divided_anew`).

    Parameters
    ----------
    name: of the method; its streams have it.
    make_map: partition of the whole task's data; `drawn` says that it depends on numbers alone.
    joined: the class by which the method joins its shards; clusters in an ensemble of another are another method's.
    """
    original = problem.original
    if isinstance(original, Ensemble):
        if _divides(original.shard_map, n_shards, unit, drawn) and (drawn or isinstance(original, joined)):
            problem.prepared = original
            return original
        problem.details["divided_anew"] = True
    with problem.preparation():
        task = _recommendation(problem.full)
        shard_map = make_map(task.graph)
        tasks = shard_tasks(task, shard_map)
        empty = [number for number, one in enumerate(tasks) if not one.graph.n_edges]
        if empty:
            raise DataError(f"{name}: shard {empty[0]} of {n_shards} holds no training pair. Use fewer shards.")
        models = _trained(problem, (_work(problem, one, name, n, "before") for n, one in enumerate(tasks)), len(tasks))
        ensemble = MeanEnsemble(models, shard_map)
        ensemble.origins = origins_of(ensemble, task)
        problem.prepared = ensemble
        return ensemble


def _divides(shard_map: ShardMap, n_shards: int, unit: str, drawn: bool) -> bool:
    return (shard_map.n_shards, shard_map.unit, shard_map.key is not None) == (n_shards, unit, drawn)


def retrained(problem: Problem, name: str, before: Ensemble) -> tuple[list[Model], ShardMap]:
    """Return the models and the map after the deletion: a shard whose data changed is trained anew, from scratch.

    So is one whose model is not known to come of its data alone (`Ensemble.origins`): another method trained it since,
    or forgot something of its without training it, and what was forgotten then may be in its weights still.

    The receipt's details say which shards that were, and how many a deletion of as many units, each in a random shard,
    touches on average.
    """
    old_map, task = before.shard_map, _recommendation(problem.full)
    new_map = old_map.within(problem.retained.graph)
    new = shard_tasks(_recommendation(problem.retained), new_map)
    known = before.origins or [None] * len(new)
    touched = [s for s, now in enumerate(origins_of(before, problem.retained)) if now != known[s]]
    strange = [s for s, then in enumerate(origins_of(before, task)) if then != known[s]]
    anew = _trained(problem, (_work(problem, new[number], name, number, "after") for number in touched), len(touched))
    models: list[Model] = list(before.shards)
    for number, model in zip(touched, anew, strict=True):
        models[number] = model
    problem.details |= _details(_units_gone(problem, old_map), old_map, touched)
    if strange:
        problem.details["not_of_their_data_alone"] = strange
    return models, new_map


def origins_of(ensemble: Ensemble, task: Any) -> list[str | None]:
    """Return what vouches for each model if it was trained on its shard of a task's data, and on nothing else.

    Side information of items counts for backbones that read it.
    """
    pairs_only = isinstance(ensemble.shards[0], PAIRS_ONLY)

    def digest(data: Interactions) -> str:
        return (replace(data, triples=None, modalities={}, missing={}) if pairs_only else data).digest

    tasks = shard_tasks(_recommendation(task), ensemble.shard_map)
    return [
        digest_of(digest(one.graph), weights_digest(model)) for one, model in zip(tasks, ensemble.shards, strict=True)
    ]


def tidy(model: Model, retained: Any, answering: Any) -> None:
    """Make every ensemble in an unlearned model forget, in place, what its map and its origins know beyond the weights.

    Parameters
    ----------
    retained: task after the deletion. answering: the data the model answers from.
    """
    for ensemble in (part for part in model.modules() if isinstance(part, Ensemble)):
        ensemble.restrict(answering)
        now = origins_of(ensemble, retained)
        known = ensemble.origins or [None] * len(now)
        ensemble.origins = [then if then == origin else None for then, origin in zip(known, now, strict=True)]


def with_provenance(model: Ensemble, problem: Problem) -> Ensemble:
    """Give an ensemble of trained shards their recipe and origins, so that a later deletion goes on from them."""
    kept = [shard.provenance for shard in model.shards]
    latest = max((made.best_epoch for made in kept if made is not None), default=0)
    model.provenance = Provenance(problem.recipe, problem.seed, problem.retained.name, latest, list(problem.history))
    model.origins = origins_of(model, problem.retained)
    return model


def expected_touched(n_shards: int, deleted: int) -> float:
    """Return how many of `n_shards` hold at least one of `deleted` units that fall on them at random.

    k (1 - (1 - 1/k)^m).

    Example
    -------
    >>> round(expected_touched(10, 10), 2)
    6.51
    """
    return n_shards * (1 - (1 - 1 / n_shards) ** deleted)


def _units_gone(problem: Problem, shard_map: ShardMap) -> int:
    """Return how many users, items or interactions lose a pair that a shard learned or selected from."""
    before, after = problem.full.graph, problem.retained.graph
    gone = []
    for part in ("train", _recommendation(problem.full).select_on):
        (users, items), stay = before.pairs(part), after.pairs(part)
        left = ~np.isin(users * before.n_items + items, stay[0] * before.n_items + stay[1])
        gone.append(shard_map.units(users[left], items[left]))
    return len(np.unique(np.concatenate(gone)))


def _details(units: int, shard_map: ShardMap, touched: list[int]) -> dict[str, Any]:
    return {
        "shards": shard_map.n_shards,
        "unit": shard_map.unit,
        "units_deleted": units,
        "shards_expected": expected_touched(shard_map.n_shards, units),
        "shards_touched": len(touched),
        "touched": touched,
    }


def _work(problem: Problem, task: Recommendation, name: str, number: int, when: str) -> ShardWork:
    """Return the training of a fresh model on one shard."""
    streams = problem.streams.child(name).child(f"shard-{number}")
    recipe, saved = problem.recipe, problem.checkpoint
    if getattr(task.graph, task.select_on) is None:
        recipe = replace(recipe, selection="last")
    path = saved and saved.with_name(f"{saved.name}.part-{when}-{number}")
    return ShardWork(problem.original.fresh(streams), task, recipe, streams.seed, path)


def _trained(problem: Problem, works: Iterable[ShardWork], count: int) -> list[Model]:
    """Return the trained models of so many shards: made here one after the other, or by the problem's `map_shards`.

    Times and memory of other processes are counted as if they had been this one's.
    """
    if problem.map_shards is None or count < 2:
        made = [work.done(problem.progress) for work in works]
    else:
        start = time.perf_counter()
        made = problem.map_shards(list(works), problem.progress)
        problem.seconds_elsewhere += sum(one.seconds for one in made) - (time.perf_counter() - start)
        problem.peak_elsewhere = max([problem.peak_elsewhere, *(one.peak_memory or 0 for one in made)])
    resumed = sum(one.resumed for one in made)
    if resumed:  # no clock has their time before the interruption: the receipt says so
        problem.details["shards_resumed"] = problem.details.get("shards_resumed", 0) + resumed
    return [one.model for one in made]


def _recommendation(task: Any) -> Recommendation:
    if not isinstance(task, Recommendation):
        raise UsageError(f"Shards divide interactions; a {task.name} task has none.")
    return task
