"""Search the fields of a method on the validation part: original and gold once, then trial after trial.

A folder holds `searches/<method>-<id>.json`, the journal of a search, and `models/<id>/`, originals and gold models by
the digest of all that decides them, so that searches share them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.environment import environment
from graphforget._core.errors import DivergedError, GraphforgetError, Interrupted, UnsupportedError, UsageError
from graphforget._core.files import file_lock
from graphforget._core.streams import Streams
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.experiments.events import Event, Listen, silent, tell_of
from graphforget.experiments.plan import Plan
from graphforget.experiments.prepare import ORIGINAL, Prepared, gold_stage, method_stage, prepare, stage_digests
from graphforget.experiments.specs import Spec
from graphforget.experiments.stages import Stages
from graphforget.experiments.store import WORK, Store, check_place, drop_checkpoint
from graphforget.experiments.tuning_journal import Journal, Trial
from graphforget.experiments.tuning_sampler import optuna, suggested
from graphforget.experiments.tuning_score import REVISION, Score, Scorer, check_scorable
from graphforget.experiments.units import unit_id
from graphforget.experiments.warmup import warm_up
from graphforget.experiments.workers import check_threads, limited_threads, suited_threads
from graphforget.models.base import Model
from graphforget.training.train import digest_of
from graphforget.unlearning.search import Axis, axes_of, with_fields
from graphforget.unlearning.specs import parse_method

SEARCHES, MODELS = "searches", "models"
GOLD = gold_stage(0)
SHORT = 8


@dataclass(frozen=True)
class Search:
    """What is searched.

    Parameters
    ----------
    plan: data, deletion and seeds, and as its one method the one to tune; `plan.out` is the folder.
    axes: fields and their ranges. trials: how many choices of them. weight: see `tuning_score.Scorer`.

    Raises UsageError for numbers that cannot be.
    """

    plan: Plan
    axes: tuple[Axis, ...]
    trials: int = 50
    weight: float = 1.0

    def __post_init__(self) -> None:
        if self.trials < 1:
            raise UsageError(f"--trials must be at least 1; got {self.trials}.")
        if not (self.weight >= 0 and np.isfinite(self.weight)):
            raise UsageError(f"--weight must be a number of at least 0; got {self.weight}.")

    @classmethod
    def of(cls, plan: Plan, ranges: dict[str, str] | None = None, trials: int = 50, weight: float = 1.0) -> Search:
        """Return the search of the one method of a plan; raises what `axes_of` raises."""
        return cls(plan, axes_of(plan.methods[0], ranges), trials, weight)

    @property
    def spec(self) -> Spec:
        """The method as it is named."""
        return self.plan.specs()[0]

    @property
    def out(self) -> Path:
        """The folder."""
        assert self.plan.out is not None
        return self.plan.out

    def digest(self, prepared: Sequence[Prepared]) -> str:
        """Return the digest of all that decides the trials but their number."""
        stages = [[one.digests[stage] for stage in sorted(one.digests)] for one in prepared]
        axes = [vars(axis) for axis in self.axes]
        return digest_of("tuning", REVISION, stages, axes, self.weight, list(self.plan.seeds))

    def journal(self, prepared: Sequence[Prepared]) -> Journal:
        """Return the journal with what there is of it."""
        digest = self.digest(prepared)
        file = self.out / SEARCHES / f"{self.spec.method.name}-{digest[:SHORT]}.json"
        facts = {"plan": self.plan.as_dict(), "environment": environment(), "weight": self.weight}
        found = Journal(file, digest, {**facts, "axes": [vars(axis) for axis in self.axes]})
        found.read()
        return found


def prepare_search(search: Search, data: Graph | Interactions) -> list[Prepared]:
    """Return every seed's preparation; raises whatever is wrong before anything is written or trained."""
    optuna()
    check_place(search.out)
    out = search.out
    if out.is_dir() and any(out.iterdir()) and not (out / SEARCHES).is_dir():
        raise UsageError(f"--out {out}: the folder holds other things (no {SEARCHES}/). Name a new or empty folder.")
    prepared = [prepare(search.plan, data, seed) for seed in search.plan.seeds]
    for one in prepared:
        check_scorable(one)
    return prepared


def run_search(search: Search, listen: Listen = silent, *, threads: int | None = None) -> Journal:
    """Carry out a search, or what is left of it, and return its journal.

    The trials do not depend on interruptions or threads. Raises Interrupted when it is stopped: what is finished is
    kept, and the same search goes on.
    """
    check_threads(threads)
    data = search.plan.setup.source.load()
    tell_of(data, listen)
    prepared = prepare_search(search, data)
    journal = search.journal(prepared)
    if len(journal.trials) > search.trials:
        return journal
    with file_lock(journal.file, timeout=0.0), limited_threads(suited_threads(threads, data)):
        journal.read()
        try:
            _go_on(search, prepared, journal, listen)
        except KeyboardInterrupt:
            raise Interrupted(
                f"Interrupted: {max(len(journal.trials) - 1, 0)} of {search.trials} trials are kept in {journal.file}. "
                "Repeat the same command to go on."
            ) from None
    return journal


def _go_on(search: Search, prepared: Sequence[Prepared], journal: Journal, listen: Listen) -> None:
    journal.write()
    setup, request = search.plan.setup, search.plan.request
    assert request is not None
    warm_up(setup.task, setup.name, request.kind, (search.spec.label,), setup.device)
    benches = [_Seed(search, one, listen) for one in prepared]
    journal.references = [
        _mean(-1, row, {}, [bench.reference(row) for bench in benches]) for row in ("Original", "Gold")
    ]
    for one in journal.trials:
        _reuse(one.number, benches)
    streams = Streams(search.plan.seeds[0]).child("tuning")
    while len(journal.trials) <= search.trials:
        number = len(journal.trials)
        told = [(one.fields, one.score) for one in journal.trials[1:] if one.score is not None]
        fields = suggested(search.axes, told, streams("trial", number=number)) if number else {}
        journal.add(_tried(search, number, fields, journal, benches))


def _reuse(number: int, benches: Sequence[_Seed]) -> None:
    """Tell that a trial is there already."""
    for bench in benches:
        bench.listen(Event(bench.seed, f"trial {number}", "reused"))


def _tried(search: Search, number: int, fields: dict[str, Any], journal: Journal, benches: list[_Seed]) -> Trial:
    """Return a trial; one that was made before is not made again."""
    before = journal.like(fields)
    if before is not None:
        _reuse(number, benches)
        return replace(before, number=number)
    spec = parse_method(with_fields(search.spec.label, fields))
    try:
        found = [bench.tried(spec, number) for bench in benches]
    except (DivergedError, UnsupportedError) as error:
        benches[0].listen(Event(benches[0].seed, f"trial {number}", "failed", note=f"{spec.label}: {error}"))
        return Trial(number, spec.label, fields, error=str(error))
    return _mean(number, spec.label, fields, found)


def _mean(number: int, label: str, fields: dict[str, Any], found: Sequence[tuple[Score, float]]) -> Trial:
    """Return the mean of what was found with every seed."""

    def mean(read: Callable[[Score], float | None]) -> float | None:
        values = [value for score, _ in found if (value := read(score)) is not None]
        return float(np.mean(values)) if len(values) == len(found) else None

    return Trial(
        number,
        label,
        fields,
        utility=mean(lambda score: score.utility),
        forgotten=mean(lambda score: score.forgotten),
        gap=mean(lambda score: score.gap),
        score=mean(lambda score: score.total),
        seconds=float(np.mean([spent for _, spent in found])),
    )


class _Seed:
    """The original and the gold model of one seed, and methods beside them."""

    def __init__(self, search: Search, prepared: Prepared, listen: Listen) -> None:
        self.search, self.prepared, self.listen = search, prepared, listen
        self.seed = prepared.seed
        self.bench = self._bench(search.spec)
        self.original = self._kept(ORIGINAL, self.bench.original)
        self.gold = self._kept(GOLD, lambda: self.bench.gold(self.original, 0))
        self.scorer = Scorer(prepared, self.gold, search.weight)

    def _bench(self, spec: Spec) -> Stages:
        """Return what makes the models; each has a place by its digest."""
        plan, gone = replace(self.search.plan, methods=(spec.label,)), self.prepared.gone
        assert gone is not None
        prepared = replace(self.prepared, digests=stage_digests(plan, self.prepared.task, gone, self.seed))
        names = {stage: unit_id(digest) for stage, digest in prepared.digests.items()}
        return Stages(plan.setup, prepared, Store(self.search.out / MODELS, names), self.listen)

    def _kept(self, stage: str, make: Callable[[], Any]) -> Any:
        """Return what `make` gives, with the place of the model held by this process while it is trained."""
        store, digest = self.bench.store, self.bench.prepared.digests[stage]
        if store.finished(stage, digest):
            return make()
        with file_lock(self._place(digest), timeout=0.0):
            return make()

    def _place(self, digest: str) -> Path:
        """Return what is held while a model is made."""
        return self.search.out / MODELS / WORK / unit_id(digest)

    def reference(self, row: str) -> tuple[Score, float]:
        """Return what the original or gold is worth, and no seconds: neither is a trial."""
        if row == "Gold":
            return self._score(self.gold.model, self.gold.graph, row), 0.0
        return self._score(self.original, self.prepared.task.graph, row), 0.0

    def tried(self, spec: Spec, number: int) -> tuple[Score, float]:
        """Return what a method's model is worth, and the seconds it took; the model itself is not kept.

        Where another search tries the same, its trial ends first: both would write one checkpoint.
        """
        bench, stage = self._bench(spec), method_stage(spec)
        digest = bench.prepared.digests[stage]
        with file_lock(self._place(digest), timeout=float("inf")):
            return self._tried(bench, spec, stage, number)

    def _tried(self, bench: Stages, spec: Spec, stage: str, number: int) -> tuple[Score, float]:
        checkpoint = bench.store.checkpoint(stage, bench.prepared.digests[stage])
        assert checkpoint is not None
        try:
            result = bench.made(self.original, stage, f"trial {number}", spec.method, self.seed)
            score = self._score(result.model, result.graph, spec.label)
        except GraphforgetError:  # a failed trial is known; one that was stopped goes on from its checkpoint
            drop_checkpoint(checkpoint)
            raise
        drop_checkpoint(checkpoint)
        told = {"score": score.total, "gap": score.gap}
        self.listen(Event(self.seed, f"trial {number}", "done", seconds=result.seconds, metrics=told))
        return score, result.seconds

    def _score(self, model: Model, graph: Graph | Interactions, label: str) -> Score:
        return self.scorer.score(model, graph, label)
