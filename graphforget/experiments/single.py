"""Carry out a plan: per seed one original, one deletion, gold models, and every method beside them."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from graphforget._core.environment import ENVIRONMENT, environment
from graphforget._core.errors import DivergedError, GraphforgetError, UnsupportedError, UsageError
from graphforget._core.files import file_lock, write_json
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.evaluation.report import Report
from graphforget.experiments.events import Event, Listen, silent, tell_of
from graphforget.experiments.leftovers import sweep_held
from graphforget.experiments.plan import Plan
from graphforget.experiments.prepare import Prepared, check_store, deletion_notes, prepare
from graphforget.experiments.stages import Stages
from graphforget.experiments.store import PLAN, Store, check_run_folder
from graphforget.experiments.workers import check_jobs, check_threads, limited_threads, run_in_processes, suited_threads

REPORT = "report"


@dataclass(frozen=True)
class Failure:
    """A method that gave no model for a seed, with its own sentence.

    left_out: it was not named but came with "all", and does not serve this backbone or deletion: no fault of anybody.
    """

    seed: int
    label: str
    error: GraphforgetError
    left_out: bool = False


@dataclass(frozen=True)
class Outcome:
    """What a plan gave: the report of all that worked, and what did not."""

    report: Report
    failures: tuple[Failure, ...] = ()


def seed_store(plan: Plan, seed: int) -> Store:
    """Return where the stages of a seed are kept."""
    return Store(None if plan.out is None else plan.out / f"seed-{seed}")


def prepare_all(plan: Plan, graph: Graph | Interactions) -> list[tuple[Prepared, list[str]]]:
    """Return every seed's preparation and finished stages; whatever is wrong is raised before anything is written."""
    if plan.out is not None:
        check_run_folder(plan.out)
    prepared = [prepare(plan, graph, seed) for seed in plan.seeds]
    return [(one, check_store(one, seed_store(plan, one.seed))) for one in prepared]


def run_plan(plan: Plan, listen: Listen = silent, *, jobs: int = 1, threads: int | None = None) -> Outcome:
    """Carry out a plan and return its report.

    With `plan.out`, every finished stage is kept there and reused by the same plan (or one with more methods or
    seeds); an unfinished one goes on from its checkpoint. The bytes of the models do not depend on `jobs`, `threads`
    or interruptions.

    Parameters
    ----------
    listen: told about every stage.
    jobs: processes; seeds are shared among them.
    threads: threads of each process; None takes the machine's, or 1 for a small graph.

    Raises
    ------
    UsageError: the plan asks for what cannot be, or `plan.out` holds a stage made from something else.
    DataError: the data or the deletion is faulty. UnsupportedError, DivergedError: every method failed.
    """
    check_jobs(jobs)
    if plan.request is None or not plan.methods:
        raise UsageError("A comparison needs a deletion and at least one method; this plan names none.")
    check_threads(threads)
    graph = plan.setup.source.load()
    tell_of(graph, listen)
    prepare_all(plan, graph)
    threads = suited_threads(threads, graph)
    with nullcontext() if plan.out is None else _held(plan.out):
        if plan.out is not None:
            sweep_held(plan.out)
            write_json(plan.out / PLAN, plan.as_dict())
            write_json(plan.out / ENVIRONMENT, environment())
        if jobs > 1 and len(plan.seeds) > 1:
            done = run_in_processes(plan, listen, jobs, threads)
        else:
            with limited_threads(threads):
                done = [run_seed(plan, seed, graph, listen) for seed in plan.seeds]
        outcome = merged(done)
        if plan.out is not None:
            outcome.report.save(plan.out / REPORT, replace=True)
    return outcome


def _held(out: Path) -> AbstractContextManager[None]:
    """Hold the run folder for this process."""
    return file_lock(out / PLAN, timeout=0.0)


def run_seed(
    plan: Plan, seed: int, graph: Graph | Interactions, listen: Listen = silent
) -> tuple[Report | None, tuple[Failure, ...]]:
    """Return the report of one seed (None when every method failed) and the failures."""
    prepared = prepare(plan, graph, seed)
    bench = Stages(plan.setup, prepared, seed_store(plan, seed), listen)
    bench.keep_deletion()
    assert prepared.deletion is not None and prepared.gone is not None
    for note in deletion_notes(prepared.task, prepared.deletion, prepared.gone):
        listen(Event(seed, f"seed {seed}: deletion", "told", note=note))
    bench.warm(plan)
    original = bench.original()
    golds = [bench.gold(original, number) for number in range(plan.gold_runs)]
    results, failures = [], []
    for spec in plan.specs():
        try:
            results.append(bench.method(original, spec))
        except (DivergedError, UnsupportedError) as error:
            left_out = isinstance(error, UnsupportedError) and not plan.names(spec)
            failures.append(Failure(seed, spec.label, error, left_out))
            listen(Event(seed, spec.label, "refused" if left_out else "failed", note=str(error)))
    return (bench.report(results, golds, plan.attack) if results else None), tuple(failures)


def merged(done: Sequence[tuple[Report | None, tuple[Failure, ...]]]) -> Outcome:
    """Return one outcome over seeds; raises the first failure when no method gave anything."""
    reports = [report for report, _ in done if report is not None]
    failures = tuple(failure for _, found in done for failure in found)
    if not reports:
        raise failures[0].error
    titles = {report.title for report in reports}
    if len(titles) > 1:  # pools taken whole ("cap") differ in size from seed to seed
        reports = [replace(report, title=f"{min(titles)} (differs between seeds)") for report in reports]
    return Outcome(Report.merge(reports), failures)
