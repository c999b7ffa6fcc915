"""The stages of one seed: original, gold models and methods, each made once or taken from an earlier run."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import replace

from graphforget._core.files import atomic_write
from graphforget.evaluation.report import GOLD, Report, evaluate
from graphforget.evaluation.report import REVISION as JUDGED
from graphforget.experiments.events import Event, Listen, epochs_to
from graphforget.experiments.plan import Plan
from graphforget.experiments.prepare import ORIGINAL, Prepared, gold_stage, method_stage
from graphforget.experiments.setup import Setup
from graphforget.experiments.specs import Spec
from graphforget.experiments.store import Clock, Store
from graphforget.experiments.warmup import warm_up
from graphforget.models.base import Model
from graphforget.training.train import digest_of, train
from graphforget.unlearning.method import Method
from graphforget.unlearning.run import Result, methods, unlearn
from graphforget.unlearning.shards.work import MapShards

EVALUATION = "evaluation"
WARM_UP = "compiling"


class Stages:
    """Makes the models of one seed.

    Parameters
    ----------
    setup: how the original and the gold models are trained.
    prepared: task and deletion of the seed.
    store: where stages are kept.
    listen: told about every stage.
    map_shards: trains the models of sharded methods in other processes, see `unlearn`.
    """

    def __init__(
        self, setup: Setup, prepared: Prepared, store: Store, listen: Listen, map_shards: MapShards | None = None
    ) -> None:
        self.setup = setup
        self.prepared = prepared
        self.store = store
        self.listen = listen
        self.map_shards = map_shards

    def keep_deletion(self) -> None:
        """Write the deletion, in the user's ids, beside the stages."""
        if self.store.folder is not None and self.prepared.deletion is not None:
            self.prepared.deletion.write(self.store.folder / "deletion.json")

    def warm(self, plan: Plan) -> None:
        """Compile what the run needs, unless all its stages are there."""
        if all(self.store.finished(stage, digest) for stage, digest in self.prepared.digests.items()):
            return
        self.listen(Event(self.prepared.seed, WARM_UP, "started"))
        start = time.perf_counter()
        labels = tuple(spec.label for spec in plan.specs())
        assert plan.request is not None
        warm_up(plan.setup.task, plan.setup.name, plan.request.kind, labels, plan.setup.device)
        self.listen(Event(self.prepared.seed, WARM_UP, "done", seconds=time.perf_counter() - start))

    def original(self) -> Model:
        """Return the original model."""
        seed, digest = self.prepared.seed, self.prepared.digests[ORIGINAL]
        if self.store.finished(ORIGINAL, digest):
            self.listen(Event(seed, ORIGINAL, "reused"))
            return self.store.load(ORIGINAL, self.setup.device)[0]
        model, seconds = self.trained()
        self.store.save(ORIGINAL, digest, model, {"seconds": seconds})
        self.listen(Event(seed, ORIGINAL, "done", seconds=seconds))
        return model

    def trained(self) -> tuple[Model, float]:
        """Return the original, trained now or from its checkpoint, and the seconds it took; nothing is kept."""
        clock = self._start(ORIGINAL, ORIGINAL)
        backbone, recipe = self.setup.make_backbone(), self.setup.make_recipe()
        task, start = self.prepared.task, time.perf_counter()
        model = train(
            backbone,
            task,
            seed=self.prepared.seed,
            recipe=recipe,
            checkpoint=clock.checkpoint,
            progress=clock.progress,
            device=self.setup.device,
        )
        return model, clock.before + time.perf_counter() - start

    def gold(self, original: Model, number: int) -> Result:
        """Return the gold run `number`: the first has the run's seed, the others the seeds after it."""
        stage = gold_stage(number)
        return self._result(original, stage, stage, methods().get(GOLD), self.prepared.seed + number)

    def made_gold(self, original: Model, number: int) -> Result:
        """Return the gold run `number`, made now or from its checkpoint; nothing is kept."""
        stage = gold_stage(number)
        return self.made(original, stage, stage, methods().get(GOLD), self.prepared.seed + number)

    def method(self, original: Model, spec: Spec) -> Result:
        """Return what a method made of the original."""
        return self._result(original, method_stage(spec), spec.label, spec.method, self.prepared.seed)

    def report(self, results: Sequence[Result], golds: Sequence[Result], attack: bool) -> Report:
        """Return the evaluation of the seed; one that the folder holds for the very same models is taken."""
        seed, stages = self.prepared.seed, [self.prepared.digests[s] for s in sorted(self.prepared.digests)]
        digest = digest_of("report", JUDGED, stages, [result.label for result in results], attack)
        file = None if self.store.folder is None else self.store.folder / f"report-{digest[:16]}.json"
        if file is not None and file.exists():
            self.listen(Event(seed, EVALUATION, "reused"))
            return Report.from_json(file.read_text(encoding="utf-8"))
        self.listen(Event(seed, EVALUATION, "started"))
        start = time.perf_counter()
        progress = epochs_to(self.listen, seed, EVALUATION)
        report = evaluate(results, gold=golds, attack=attack, progress=progress)
        if file is not None:
            atomic_write(file, report.to_json())
        self.listen(Event(seed, EVALUATION, "done", seconds=time.perf_counter() - start))
        return report

    def _result(self, original: Model, stage: str, label: str, method: Method, seed: int) -> Result:
        digest = self.prepared.digests[stage]
        if self.store.finished(stage, digest):
            self.listen(Event(self.prepared.seed, label, "reused"))
            return self._restored(original, stage, label, method, seed)
        result = self.made(original, stage, label, method, seed)
        self.store.save(stage, digest, result.model, {**result.receipt(), "history": result.history})
        self.listen(Event(self.prepared.seed, label, "done", seconds=result.seconds))
        return result

    def made(self, original: Model, stage: str, label: str, method: Method, seed: int) -> Result:
        """Return what a method makes of the original, now or from its checkpoint; nothing is kept."""
        clock = self._start(stage, label)
        task, deletion = self.prepared.task, self.prepared.deletion
        assert deletion is not None
        result = unlearn(
            original,
            task,
            deletion,
            method,
            seed=seed,
            checkpoint=clock.checkpoint,
            progress=clock.progress,
            device=self.setup.device,
            map_shards=self.map_shards,
        )
        return replace(result, label=label, retained=self.prepared.retained, seconds=result.seconds + clock.before)

    def _restored(self, original: Model, stage: str, label: str, method: Method, seed: int) -> Result:
        """Return the result that a finished stage holds."""
        model, receipt = self.store.load(stage, self.setup.device)
        deletion, gone = self.prepared.deletion, self.prepared.gone
        assert deletion is not None and gone is not None
        return Result(
            model=model,
            original=original,
            task=self.prepared.task,
            retained=self.prepared.retained,
            gone=gone,
            deletion=deletion,
            method=method,
            label=label,
            seed=seed,
            seconds=receipt["seconds"],
            peak_memory=receipt["peak_memory_bytes"],
            parameter_change=receipt["parameter_change"],
            history=receipt["history"],
            preparation_seconds=receipt.get("preparation_seconds", 0.0),
            details=receipt.get("details", {}),
        )

    def _start(self, stage: str, label: str) -> Clock:
        self.listen(Event(self.prepared.seed, label, "started"))
        checkpoint = self.store.checkpoint(stage, self.prepared.digests[stage])
        return Clock(checkpoint, epochs_to(self.listen, self.prepared.seed, label))
