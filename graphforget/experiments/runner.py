"""Carry out one unit: train, unlearn, judge, and put its folder into the store."""

from __future__ import annotations

import os
import platform
import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError, DivergedError, GraphforgetError, UnsupportedError
from graphforget._core.files import atomic_folder, atomic_write, read_json, write_json
from graphforget.evaluation.judge import Bench
from graphforget.evaluation.membership import Attacker, fit_attacker
from graphforget.evaluation.records import Record
from graphforget.evaluation.report import bench_of, method_record, references
from graphforget.experiments.events import Event, Listen, epochs_to
from graphforget.experiments.evidence import held_out_values
from graphforget.experiments.leftovers import at_work
from graphforget.experiments.prepare import ORIGINAL, Prepared, prepare
from graphforget.experiments.run_folder import RESULT, read_run, write_files
from graphforget.experiments.stages import Stages
from graphforget.experiments.store import WORK, Store
from graphforget.experiments.units import ATTACKER, REFERENCES, Unit, attacked, loaded, with_run_digests
from graphforget.experiments.warmup import warm_up
from graphforget.models.base import Model
from graphforget.training.train import weights_digest
from graphforget.unlearning.run import Result
from graphforget.unlearning.shards.work import MapShards

ATTACKER_FILE = "attacker.safetensors"


class Recent:
    """The last few values that were made, by key."""

    def __init__(self, most: int) -> None:
        self.most = most
        self.kept: OrderedDict[str, Any] = OrderedDict()

    def get(self, key: str, make: Callable[[], Any]) -> Any:
        """Return the value of a key, made now if it is not among the last."""
        if key not in self.kept:
            self.kept[key] = make()
        self.kept.move_to_end(key)
        while len(self.kept) > self.most:
            self.kept.popitem(last=False)
        return self.kept[key]


class Runner:
    """Carries out units of one store, one after the other.

    What units have in common (data, task and deletion, the models and embeddings they are judged against) is kept from
    one to the next; it does not change what any of them gives.

    Parameters
    ----------
    root: folder of the store.
    listen: told about every unit.
    map_shards: trains the models of sharded methods in other processes, see `unlearn`.
    """

    def __init__(self, root: Path, listen: Listen, map_shards: MapShards | None = None) -> None:
        self.root = root
        self.listen = listen
        self.map_shards = map_shards
        self.data, self.tasks, self.judges = Recent(1), Recent(2), Recent(1)

    def carry_out(self, unit: Unit) -> None:
        """Compute a unit whose needs are there, and put its folder into the store.

        A method that diverges or cannot serve gives a folder, too, which holds the sentence of the error; so do the
        units that need one that failed. Every other error is raised.
        """
        with at_work(self.root):
            self._carry_out(unit)

    def _carry_out(self, unit: Unit) -> None:
        log = Log(self.root, unit)
        self.listen(Event(unit.seed, unit.title, "started"))
        start = time.perf_counter()
        try:
            self._check_needs(unit)
            {
                "original": self._original,
                "attacker": self._attacker,
                "gold": self._gold,
                "references": self._references,
                "method": self._method,
            }[unit.kind](unit, log)
        except (DivergedError, UnsupportedError) as error:
            self._fail(unit, log, error)
            self.listen(Event(unit.seed, unit.title, "failed", note=str(error)))
        else:
            self.listen(Event(unit.seed, unit.title, "done", seconds=time.perf_counter() - start))
        log.drop()

    def check(self, unit: Unit) -> None:
        """Raise DataError when a unit is not what its digest says: the data or the code here are others."""
        if self._task(unit).digests[unit.stage] != unit.digest:
            raise DataError(
                f"'{unit.title}', seed {unit.seed}, is another run here than where the command was given: the data, "
                "this package or torch differ. Install the same versions, and put the same data into place."
            )

    def _check_needs(self, unit: Unit) -> None:
        for need in unit.needs:
            found = read_run(self.root / need)
            if found.error:
                raise UnsupportedError(f"{found.fields['method']} failed, which it needs: {found.error}")

    def _original(self, unit: Unit, log: Log) -> None:
        bench = self._bench(unit, log)
        self._warm(unit)
        model, seconds = bench.trained()
        values = held_out_values(bench.prepared.task, model)
        record = Record("Original", unit.seed, values, "original")

        def more(folder: Path, model: Model, receipt: dict[str, Any]) -> None:
            made = {"weights": weights_digest(model), "task_repr": repr(bench.prepared.task)}
            told = {"records": [record], "history": model.provenance.history, "more": made}
            write_files(folder, unit, log.ended(), **told, cost={"seconds": receipt["seconds"]})

        bench.store.save(ORIGINAL, unit.digest, model, {"seconds": seconds}, more)

    def _attacker(self, unit: Unit, log: Log) -> None:
        bench = self._bench(unit, log)
        attacker = fit_attacker(
            bench.prepared.task, bench.original(), progress=epochs_to(bench.listen, unit.seed, ATTACKER)
        )
        with atomic_folder(self.root / unit.id) as folder:
            atomic_write(folder / ATTACKER_FILE, attacker.to_bytes())
            write_files(folder, unit, log.ended(), more={"quality": attacker.quality})

    def _gold(self, unit: Unit, log: Log) -> None:
        bench = self._bench(unit, log)
        self._warm(unit)
        number = int(unit.stage.removeprefix("gold-")) - 1
        result = bench.made_gold(bench.original(), number)
        self._keep(unit, log, bench, replace(result, history=result.model.provenance.history), ())

    def _references(self, unit: Unit, log: Log) -> None:
        bench = self._bench(unit, log)
        records = references(self._judge(unit, bench), self._golds(unit, bench))
        with atomic_folder(self.root / unit.id) as folder:
            deletion, gone = bench.prepared.deletion, bench.prepared.gone
            assert deletion is not None and gone is not None
            deletion.write(folder / "deletion.json")
            told: dict[str, Any] = {"deletion": {"digest": gone.digest, "what": gone.describe()}}
            told |= {"task_repr": repr(bench.prepared.task), "protocol": bench.prepared.task.protocol()}
            write_files(folder, unit, log.ended(), records=records, more=told)

    def _method(self, unit: Unit, log: Log) -> None:
        bench = self._bench(unit, log)
        self._warm(unit)
        spec = next(spec for spec in unit.cell.plan.specs() if spec.label == unit.label)
        result = bench.made(self._judge(unit, bench).original.model, unit.stage, spec.label, spec.method, unit.seed)
        gold = next(r for r in read_run(self.root / unit.names[REFERENCES]).records if r.kind == "gold")
        self._keep(unit, log, bench, result, [method_record(self._judge(unit, bench), result, gold.values)])

    def _keep(self, unit: Unit, log: Log, bench: Stages, result: Result, records: Sequence[Record]) -> None:
        receipt = result.receipt()
        spent = {key: receipt.pop(key) for key in ("seconds", "preparation_seconds", "peak_memory_bytes")}

        def more(folder: Path, model: Model, whole: dict[str, Any]) -> None:
            made = {"weights": weights_digest(model), "receipt": receipt}
            write_files(folder, unit, log.ended(), records=records, history=result.history, more=made, cost=spent)

        whole = {**result.receipt(), "history": result.history}
        bench.store.save(unit.stage, unit.digest, result.model, whole, more)

    def _fail(self, unit: Unit, log: Log, error: GraphforgetError) -> None:
        with atomic_folder(self.root / unit.id) as folder:
            write_files(folder, unit, log.ended(), more={"error": str(error)})

    def _warm(self, unit: Unit) -> None:
        plan = unit.cell.plan
        kind = None if plan.request is None else plan.request.kind
        labels = (unit.label,) if unit.kind == "method" else ()
        warm_up(plan.setup.task, plan.setup.name, kind, labels, plan.setup.device)

    def _bench(self, unit: Unit, log: Log) -> Stages:
        store = Store(self.root, unit.names)

        def passed_on(event: Event) -> None:
            log.add(event)
            if event.state == "running":
                self.listen(replace(event, seed=unit.seed, stage=unit.title))

        return Stages(unit.cell.plan.setup, self._task(unit), store, passed_on, self.map_shards)

    def _task(self, unit: Unit) -> Prepared:
        known_for = f"{unit.case} {unit.seed} {' '.join(unit.cell.plan.methods)}"  # two grids may share a case
        return self.tasks.get(known_for, lambda: self._prepared(unit))

    def _prepared(self, unit: Unit) -> Prepared:
        source = unit.cell.plan.setup.source
        data = self.data.get(repr(source), lambda: loaded(source))
        return with_run_digests(prepare(unit.cell.plan, data, unit.seed), unit.cell.plan.attack)

    def _judge(self, unit: Unit, bench: Stages) -> Bench:
        return self.judges.get(unit.case, lambda: bench_of(self._golds(unit, bench), self._attack(unit, bench)))

    def _golds(self, unit: Unit, bench: Stages) -> list[Result]:
        original = bench.original()
        return [bench.gold(original, number) for number in range(unit.cell.plan.gold_runs)]

    def _attack(self, unit: Unit, bench: Stages) -> bool | Attacker:
        if not attacked(bench.prepared, unit.cell.plan.attack):
            return unit.cell.plan.attack
        file = self.root / unit.names[ATTACKER] / ATTACKER_FILE
        return Attacker.from_bytes(file.read_bytes(), str(file))


class Log:
    """What happened to a unit, over all its interruptions, and in which processes; it becomes log.txt."""

    def __init__(self, root: Path, unit: Unit) -> None:
        self.file = root / WORK / f"{unit.id}.log.json"
        self.lines: list[str] = read_json(self.file) if self.file.exists() else []
        what = "resumed" if self.lines else f"started {unit.kind}: {unit.title}, seed {unit.seed}"
        self._line(f"{what}, by process {os.getpid()} on {platform.node()}")
        write_json(self.file, self.lines)

    def add(self, event: Event) -> None:
        """Add an event other than progress."""
        if event.state != "running":
            seconds = f" in {event.seconds:.2f} s" if event.seconds else ""
            self._line(f"{event.stage} {event.state}{seconds}{': ' if event.note else ''}{event.note}")

    def ended(self) -> str:
        """Return the whole text."""
        self._line("written")
        return "\n".join(self.lines) + "\n"

    def drop(self) -> None:
        """Forget the lines of an unfinished unit."""
        self.file.unlink(missing_ok=True)

    def _line(self, text: str) -> None:
        self.lines.append(f"{time.strftime('%Y-%m-%dT%H:%M:%SZ', time.gmtime())} {text}")


def finished(root: Path, unit: str) -> bool:
    """Return whether the folder of a unit is there; a folder appears whole."""
    return (root / unit / RESULT).is_file()
