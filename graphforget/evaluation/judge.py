"""Judge models on one case: every kind of evidence about every row."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphforget._core.errors import DivergedError
from graphforget.evaluation.case import Case, Findings, Kind, Subject, named_parts
from graphforget.evaluation.cost import cost
from graphforget.evaluation.distance import distances
from graphforget.evaluation.forgetting import FLOOR_GAPS, delta_p, forgetting, gaps
from graphforget.evaluation.list_distance import list_distances
from graphforget.evaluation.membership import Attacker, membership
from graphforget.evaluation.pair_membership import pair_membership
from graphforget.evaluation.popularity import DEFINITION, ROW, Popularity
from graphforget.evaluation.recommend_case import deleted_share
from graphforget.evaluation.records import ON_WHOLE_GRAPH, OTHER_START, Record
from graphforget.evaluation.triple_plausibility import triple_plausibility
from graphforget.evaluation.utility import utility
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation

SAME_START = (
    f"{OTHER_START}{{negatives}} than Gold, which has the original's (same seed): rows that "
    "stay near the original can be closer to Gold than this row."
)
NO_FLOOR = "not known, because one gold run was given."


@dataclass(frozen=True, eq=False)
class Bench:
    """What every row is judged against.

    Attributes
    ----------
    attack: whether the membership attack is wanted. attacker: None where it is not, or does not apply to the case.
    """

    case: Case
    original: Subject
    gold: Subject
    attack: bool
    attacker: Attacker | None


def judge(bench: Bench, subject: Subject, reference: Mapping[str, float]) -> Findings:
    """Return all findings about one subject; `reference` holds gold's own values (empty for gold itself).

    Raises DivergedError when a number is not finite.
    """
    case = bench.case
    found = utility(case, subject)
    found.add(forgetting(case, subject, bench.original))
    if subject.kind != "baseline":
        found.add(_of_a_model(bench, subject))
    if subject is not bench.gold:
        found.add(list_distances(case, subject, bench.gold))
        found.add(gaps(found.values, reference))
    found.notes += subject.caveats
    for name, value in found.values.items():
        if not math.isfinite(value):
            raise DivergedError(f"evaluate: '{name}' of '{subject.row}' is {value}. Check that model's training.")
    return found


def _of_a_model(bench: Bench, subject: Subject) -> Findings:
    """Return the findings that a baseline, which is not trained and has no probabilities, does not have."""
    case, found = bench.case, Findings()
    if bench.attack and isinstance(case.task, Recommendation):
        found.add(pair_membership(case, subject))
    elif bench.attack:
        found.add(membership(case, subject, bench.original, bench.attacker))
    found.add(triple_plausibility(case, subject))
    found.add(delta_p(case, subject, bench.gold))
    if subject is not bench.gold:
        found.add(distances(case, subject, bench.gold))
    found.add(cost(subject, bench.gold))
    return found


def judge_all(
    bench: Bench, floors: Sequence[Subject], methods: Sequence[Subject], same_start: bool = False
) -> tuple[Record, ...]:
    """Return the records of a case: original, gold, noise floor, for recommenders popularity, methods.

    `same_start` says that gold, unlike the runs of the noise floor, has the original's initial weights.
    """
    gold = judge(bench, bench.gold, {})
    original = judge(bench, bench.original, gold.values)
    original.notes.append(ON_WHOLE_GRAPH)
    original.values |= _of_the_case(bench)
    floor = floor_of([_judged(bench, subject, gold.values) for subject in floors], gold.values)
    floor.notes += [_start(bench.case)] if same_start else []
    found = [(bench.original, original), (bench.gold, gold)]
    found += [(subject, _judged(bench, subject, gold.values)) for subject in (*_baselines(bench), *methods)]
    records = [_record(subject.row, subject.kind, bench.case, findings) for subject, findings in found]
    return (*records[:2], _record("Noise floor", "floor", bench.case, floor), *records[2:])


def _start(case: Case) -> str:
    """Return how the runs of the noise floor differ from gold; classes are learned without negatives."""
    return SAME_START.format(negatives="" if isinstance(case.task, NodeClassification) else " and negatives")


def judge_method(bench: Bench, subject: Subject, gold: Mapping[str, float]) -> Record:
    """Return the record of one method; `gold` holds gold's own values."""
    return _record(subject.row, subject.kind, bench.case, _judged(bench, subject, gold))


def _judged(bench: Bench, subject: Subject, reference: Mapping[str, float]) -> Findings:
    """Return all findings about a subject that nothing else is compared with."""
    found = judge(bench, subject, reference)
    subject.release()
    return found


def _of_the_case(bench: Bench) -> dict[str, float]:
    """Return what is known of the case and not of a model; it stands in the row of the original."""
    case, found = bench.case, named_parts(bench.case.gone)
    if bench.attacker is not None:
        found["mi_attacker_quality"] = bench.attacker.quality
    if isinstance(case.task, Recommendation):
        found |= deleted_share(case.task, case.gone)
    return found


def _baselines(bench: Bench) -> list[Subject]:
    if not isinstance(bench.case.task, Recommendation):
        return []
    return [Subject(ROW, "baseline", Popularity(), bench.gold.graph, caveats=(DEFINITION,))]


def _record(row: str, kind: Kind, case: Case, found: Findings) -> Record:
    return Record(row, case.task.seed, found.values, kind, "\n".join(found.notes))


def floor_of(runs: Sequence[Findings], gold: Mapping[str, float]) -> Findings:
    """Return the mean of each value that all runs of the noise floor have.

    Of several runs the distances of scores to gold's are added: the mean of scores on both sides of it hides them.
    """
    if not runs:
        return Findings(notes=[NO_FLOOR])
    if len(runs) == 1:
        return runs[0]
    for run in runs:
        run.add(gaps(run.values, gold, FLOOR_GAPS))
    shared = [name for name in runs[0].values if all(name in run.values for run in runs)]
    values = {name: float(np.mean([run.values[name] for run in runs])) for name in shared}
    return Findings(values, [f"the mean of {len(runs)} gold runs with other seeds.", *runs[0].notes])
