"""Evaluate unlearned models beside the original, gold and the noise floor."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence

from graphforget._core.errors import UsageError
from graphforget.evaluation.case import Kind, Subject, case_of
from graphforget.evaluation.distance import parameter_distance
from graphforget.evaluation.document import Report
from graphforget.evaluation.judge import Bench, judge_all, judge_method
from graphforget.evaluation.membership import Attacker, fit_attacker, refusal
from graphforget.evaluation.names import caveats, gold_caveats, known, row_names, title
from graphforget.evaluation.records import Record
from graphforget.tasks.base import NO_NODES, Forgotten, Task
from graphforget.tasks.recommend import Recommendation
from graphforget.training.loop import Progress
from graphforget.unlearning.run import Result, starting_seed, unlearn

__all__ = ["Report", "evaluate"]

GOLD = "retrain"
REVISION = 6
"""Raised when the code changes what a report says of the same models, so that no stored report is reused."""


def revision_of(task: Task, gone: Forgotten, gold_runs: int = 2) -> int:
    """Return the latest revision that changed what is measured of a deletion.

    The third draws the other items of preferences among those still offered: it changed deletions of items alone. The
    fourth leaves out what earlier deletions took: it changed recommenders that had such. The fifth does so with test
    nodes of classes: it changed deletions after that of a class. The sixth gives noise floors of several runs the
    distances of more scores: it changed what stands beside more than two gold runs.
    """
    if gold_runs > 2:
        return REVISION
    if not isinstance(task, Recommendation):
        return 5 if len(task.holes.get("classes", NO_NODES)) else 2
    if len(task.holes.get("nodes", NO_NODES)):
        return 4
    return 3 if len(task.parted(gone.nodes)[1]) else 2


def evaluate(
    results: Result | Sequence[Result],
    gold: str | Result | Sequence[Result] = GOLD,
    attack: bool | Attacker = True,
    progress: Progress | None = None,
) -> Report:
    """Return the report of one or more results of `unlearn` for the same model, task and deletion.

    Every row but the original's is judged on the retained graph. Rows: Original, Gold, Noise floor (gold with another
    seed, judged as if it were a method; the mean where there are several), then one per result. A result of the
    method "retrain" serves as gold, or as the noise floor when its seed is not the original's, and has no row of its
    own; beside gold runs that are given, one of yet another seed is a row like any other. Recommenders have the row
    Popularity, too. A method that leaves the graph as it was answers from the whole graph.

    Parameters
    ----------
    results: what `unlearn` returned.
    gold: "retrain" trains gold with the original's seed and once more with the next seed; results that are gold runs
        already (the first is gold, the others give the noise floor) save that time.
    attack: False leaves the membership attack out; an `Attacker` from `fit_attacker` is used as it is (recommenders
        have an attack of their own, fitted on every model's scores).
    progress: called with (epoch, epochs, metrics) while gold and shadow models are trained.

    Raises UsageError when the results are not of one deletion on one model, UnsupportedError for tasks without
    evidence, DivergedError when a number is not finite.

    Example
    -------
    >>> import graphforget as gf
    >>> task = gf.LinkPrediction(gf.load("sample-citations"), seed=0)
    >>> model = gf.train(gf.GCN(hidden=8, out=4), task, epochs=2)
    >>> result = gf.unlearn(model, task, gf.sample_deletion(task, edges=5), method="unlink")
    >>> [row.name for row in gf.evaluate(result, attack=False).rows]
    ['Original', 'Gold', 'Noise floor', 'unlink']
    """
    given = list(results) if isinstance(results, Iterable) else [results]
    strangers = [type(one).__name__ for one in given if not isinstance(one, Result)]
    if strangers:
        raise UsageError(f"evaluate: results of unlearn() are expected, one or a list; got {', '.join(strangers)}.")
    if not given:
        raise UsageError("evaluate: there is no result to evaluate; give what unlearn() returned.")
    _check_one_case(given)
    golds = _gold_runs(given, gold, progress)
    _check_one_case([given[0], *golds])
    taken = {(run.method, run.seed) for run in golds}
    methods = [result for result in given if (result.method, result.seed) not in taken]
    bench = _bench(given[0], golds[0], attack, progress)
    floors = [_subject("Noise floor", "floor", run, bench.gold) for run in golds[1:]]
    names = row_names(methods)
    rows = [_subject(name, "method", result, bench.gold) for name, result in zip(names, methods, strict=True)]
    records = judge_all(bench, floors, rows, _same_start(given[0], golds))
    return Report(given[0].task.name, title(given[0]), records)


def bench_of(golds: Sequence[Result], attack: bool | Attacker = True) -> Bench:
    """Return what every method of the gold runs' deletion is judged against, to judge them one by one.

    golds, attack: as in `evaluate`. Raises UsageError when the gold runs are not of one deletion on one model.
    """
    _check_one_case(golds)
    return _bench(golds[0], golds[0], attack, None)


def references(bench: Bench, golds: Sequence[Result]) -> tuple[Record, ...]:
    """Return the rows that stand in every table of a case: original, gold, noise floor, for recommenders popularity."""
    floors = [_subject("Noise floor", "floor", run, bench.gold) for run in golds[1:]]
    return judge_all(bench, floors, [], _same_start(golds[0], golds))


def method_record(bench: Bench, result: Result, gold: Mapping[str, float]) -> Record:
    """Return the row of one method, as `evaluate` gives it; `gold` holds the values of gold's row."""
    return judge_method(bench, _subject(result.label, "method", result, bench.gold), gold)


def _bench(first: Result, gold: Result, attack: bool | Attacker, progress: Progress | None) -> Bench:
    case = case_of(first.task, first.retained, first.gone)
    attacker = attack if isinstance(attack, Attacker) and refusal(case) is None else None
    recommends = isinstance(first.task, Recommendation)
    if recommends and isinstance(attack, Attacker):
        raise UsageError("evaluate: an Attacker judges link and node tasks; for recommenders give True or False.")
    if attack is True and not recommends and refusal(case) is None:
        attacker = fit_attacker(first.task, first.original, progress=progress)
    original = Subject("Original", "original", first.original, first.task.graph)
    notes = gold_caveats(gold)
    judged = Subject("Gold", "gold", gold.model, first.retained.graph, gold.seconds, gold.peak_memory, notes)
    return Bench(case, original, judged, attack is not False, attacker)


def _subject(row: str, kind: Kind, result: Result, gold: Subject) -> Subject:
    """Return a subject on gold's graph, the retained one, so that its derived arrays are made once.

    A result of weights alone answers from the graph before.
    """
    graph = gold.graph if result.graph is result.retained.graph else result.graph
    notes, values = caveats(result) if kind == "method" else [], known(result)
    return Subject(row, kind, result.model, graph, result.seconds, result.peak_memory, notes, values)


def _gold_runs(
    given: Sequence[Result], gold: str | Result | Sequence[Result], progress: Progress | None
) -> list[Result]:
    """Return gold and then the runs of the noise floor."""
    if isinstance(gold, str):
        runs = _trained_gold_runs(given, gold, progress)
    else:
        runs = [gold] if isinstance(gold, Result) else list(gold) if isinstance(gold, Iterable) else [gold]
    wrong = [
        run.label if isinstance(run, Result) else repr(run)
        for run in runs
        if not isinstance(run, Result) or not run.method.exact
    ]
    if wrong or not runs:
        found = ", ".join(wrong) or "none"
        raise UsageError(f"evaluate: 'gold' must be {GOLD}, or results of an exact method; got {found}.")
    _refuse_repeated(runs)
    return runs


def _refuse_repeated(golds: Sequence[Result]) -> None:
    """Raise UsageError where a gold run stands twice: their distance, 0, would be the noise floor."""
    counts = Counter((run.method, run.seed) for run in golds)
    twice = next((seed for (_, seed), count in counts.items() if count > 1), None)
    if twice is not None:
        raise UsageError(
            f"evaluate: two of the gold runs have seed {twice}, so they are one model and no noise floor lies between "
            "them. Give runs of other seeds, as unlearn(..., method='retrain', seed=1)."
        )


def _trained_gold_runs(given: Sequence[Result], method: str, progress: Progress | None) -> list[Result]:
    """Return the gold runs among the results, and train those that are missing."""
    first = given[0]
    seed = starting_seed(first.original, first.task)
    there = [result for result in given if result.label == method]
    gold = [result for result in there if result.seed == seed][:1]
    floor = [result for result in there if result.seed != seed]

    def train(seed: int) -> Result:
        place = str(first.model.device)
        return unlearn(first.original, first.task, first.deletion, method, seed=seed, progress=progress, device=place)

    return [*(gold or [train(seed)]), *(floor or [train(seed + 1)])]


def _same_start(first: Result, golds: Sequence[Result]) -> bool:
    """Return whether gold, but not every run of the noise floor, starts from the original's initial weights."""
    made = first.original.provenance
    return made is not None and golds[0].seed == made.seed and any(run.seed != made.seed for run in golds[1:])


def _check_one_case(results: Sequence[Result]) -> None:
    """Raise UsageError unless all results are of one deletion on one model and task."""
    first = results[0]
    for other in results[1:]:
        pairs = {
            "task": (repr(first.task) + first.task.graph.digest, repr(other.task) + other.task.graph.digest),
            "deletion": (first.gone.digest, other.gone.digest),
            "original model": (0.0, parameter_distance(other.original, first.original)),
        }
        for what, (mine, theirs) in pairs.items():
            if mine != theirs:
                raise UsageError(
                    f"evaluate: '{first.label}' and '{other.label}' do not share the same {what}. "
                    "Evaluate them apart, and join several seeds with Report.merge."
                )
