"""What the model is still good for: held-out links and interactions, labels of test, forgotten and retained nodes."""

from __future__ import annotations

import numpy as np

from graphforget.evaluation.case import Case, Findings, Subject, logits, node_items
from graphforget.evaluation.exposure import exposure
from graphforget.evaluation.probabilities import answers
from graphforget.evaluation.ranking import ranking_quality
from graphforget.kernels.ranking import auc, average_precision
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation


def micro_f1(labels: np.ndarray, found: np.ndarray) -> float:
    """Return 2 TP / (2 TP + FP + FN), counted over all classes; with one label a node this is the accuracy."""
    hits = int((labels == found).sum())
    return 2 * hits / (len(labels) + len(found))


def macro_f1(labels: np.ndarray, found: np.ndarray) -> float:
    """Return the mean of the F1 of every class that is a label or an answer."""
    classes = np.union1d(labels, found)
    hits = np.array([((labels == c) & (found == c)).sum() for c in classes])
    sizes = np.array([(labels == c).sum() + (found == c).sum() for c in classes])
    return float((2 * hits / sizes).mean())


def utility(case: Case, subject: Subject) -> Findings:
    """Return test AUC and AP of a link task, accuracies and F1 of a node task, or ranking metrics of a recommender.

    Source: Et of GNNDelete (Cheng et al. 2023) for links. Nodes count by their labels before the deletion (the
    retained task has none for deleted nodes); nodes without a label do not count, and no test nodes of classes that an
    earlier deletion took.
    """
    if isinstance(case.task, NodeClassification):
        return _node_utility(case, case.task, subject)
    if isinstance(case.task, Recommendation):
        found = ranking_quality(case, subject)
        found.add(exposure(case, subject))
        return found
    scores = subject.responses(case, "test")
    labels = case.parts["test"].targets.numpy() > 0
    return Findings({"test_auc": auc(labels, scores), "test_ap": average_precision(labels, scores)})


def _node_utility(case: Case, task: NodeClassification, subject: Subject) -> Findings:
    values: dict[str, float] = {}
    whole = [] if len(case.gone.classes) else ["test"]  # without a class, test accuracy would reward remembering it
    for part in (*whole, "forgotten"):
        values |= _scores(part, *_labelled(case, subject, part))
    labels, found = _labelled(case, subject, "test")
    if len(labels) and whole:
        values["test_macro_f1"] = macro_f1(labels, found)
    return Findings(values | _rest(case, task, subject) | _class_accuracies(case, subject))


def _scores(name: str, labels: np.ndarray, found: np.ndarray) -> dict[str, float]:
    if not len(labels):
        return {}
    return {f"{name}_accuracy": float((labels == found).mean()), f"{name}_micro_f1": micro_f1(labels, found)}


def _labelled(case: Case, subject: Subject, part: str) -> tuple[np.ndarray, np.ndarray]:
    """Return labels and answers of the labelled nodes of a part."""
    if part not in case.parts:
        return np.empty(0, np.int64), np.empty(0, np.int64)
    labels = case.parts[part].targets.numpy()
    known = labels >= 0
    return labels[known], answers(subject.responses(case, part))[known]


def _rest(case: Case, task: NodeClassification, subject: Subject) -> dict[str, float]:
    """Return accuracy and micro-F1 on all retained training nodes, not only on the sample."""
    assert isinstance(case.retained, NodeClassification)
    items = node_items(np.setdiff1d(case.retained.train_nodes, case.gone.items), task.labels)
    return _scores("rest", items.targets.numpy(), answers(logits(case.retained, subject.z, items)))


def _class_accuracies(case: Case, subject: Subject) -> dict[str, float]:
    """Return accuracies on the test nodes of the deleted classes and of the others."""
    if not len(case.gone.classes):
        return {}
    labels, found = _labelled(case, subject, "test")
    inside = np.isin(labels, case.gone.classes)
    parts = {"class_test_accuracy": inside, "other_test_accuracy": ~inside}
    return {name: float((labels == found)[mask].mean()) for name, mask in parts.items() if mask.any()}
