"""What can be said of a model without a gold model beside it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from graphforget.evaluation.case import Case, Subject, case_of, named_parts
from graphforget.evaluation.cost import own_cost
from graphforget.evaluation.document import Report
from graphforget.evaluation.forgetting import forgetting
from graphforget.evaluation.metrics import METRICS
from graphforget.evaluation.names import caveats, known, title
from graphforget.evaluation.plots.axes import UTILITY
from graphforget.evaluation.recommend_case import deleted_share
from graphforget.evaluation.records import Record
from graphforget.evaluation.triple_plausibility import triple_plausibility
from graphforget.evaluation.utility import utility
from graphforget.models.base import Model
from graphforget.tasks.base import Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import CUTOFFS, Recommendation
from graphforget.unlearning.run import Result

NO_GOLD = "no gold model was trained: how much forgetting is right is not known (give --gold)."
MUCH = 0.1
"""Share of the original's utility whose loss is said in words. What a deletion itself costs, gold alone can tell."""
CHANCE = {"test_auc": 0.5}


def values_of(task: Task, model: Model) -> dict[str, float]:
    """Return the validation and test metrics of a trained model."""
    z = model.embed(task.graph)
    values = dict(task.validate(z))
    if isinstance(task, LinkPrediction):
        values["test_auc"] = task.test_auc(z)
    if isinstance(task, NodeClassification):
        values["test_accuracy"] = task.accuracy(z, task.test_nodes, task.labels[task.test_nodes])
    if isinstance(task, Recommendation) and task.graph.test is not None:
        found = task.metrics(z, "test", ks=(20,))
        values |= {f"test_{name}": found[name] for name in ("recall@20", "ndcg@20")}
    return values


def held_out_values(task: Task, model: Model) -> dict[str, float]:
    """Return every metric of a report that is measured on held-out parts alone, of a model that has forgotten nothing.

    A recommender without a test part has none.
    """
    found = values_of(task, model)
    if isinstance(task, Recommendation) and task.graph.test is not None and task.graph.test.nnz:
        ranked = task.metrics(model.embed(task.graph), "test", ks=CUTOFFS)
        found |= {f"{part}_{name}": value for part in ("test", "whole") for name, value in ranked.items()}
    return {name: value for name, value in found.items() if name in METRICS}


def beside_original(result: Result) -> Report:
    """Return a report with two rows, the original and the unlearned model, and a note that gold is missing."""
    case = case_of(result.task, result.retained, result.gone)
    original = Subject("Original", "original", result.original, result.task.graph)
    unlearned = Subject(
        result.label,
        "method",
        result.model,
        result.graph,
        result.seconds,
        result.peak_memory,
        [*caveats(result), *([] if result.data_alone else [NO_GOLD])],
        known(result),
    )
    shares = named_parts(result.gone)
    shares |= deleted_share(result.task, result.gone) if isinstance(result.task, Recommendation) else {}
    before, after = _record(case, original, original, shares), _record(case, unlearned, original, {})
    if loss := said_of_loss(before, after):
        after = replace(after, note=f"{after.note}\n{loss}".strip())
    return Report(result.task.name, title(result), (before, after))


def said_of_loss(before: Record, after: Record) -> str:
    """Return what there is to say of a model that answers much worse after the deletion; else the empty text.

    An AUC is counted from .5, which is chance.
    """
    metric = next((name for name in UTILITY if name in before.values and name in after.values), None)
    if metric is None:
        return ""
    old, new = (record.values[metric] - CHANCE.get(metric, 0.0) for record in (before, after))
    if not old > 0 or new >= (1 - MUCH) * old:
        return ""
    shown = [METRICS[metric].show(record.values[metric]) for record in (after, before)]
    return (
        f"the model answers much worse than before ({METRICS[metric].label} {shown[0]}, the original's {shown[1]}): "
        "more may be gone than was asked for. Only gold can say what the deletion itself costs."
    )


def _record(case: Case, subject: Subject, original: Subject, more: Mapping[str, float]) -> Record:
    found = utility(case, subject)
    found.add(forgetting(case, subject, original))
    found.add(triple_plausibility(case, subject))
    found.add(own_cost(subject))
    note = "\n".join([*found.notes, *subject.caveats])
    return Record(subject.row, case.task.seed, {**found.values, **more}, subject.kind, note)
