"""How well a recommender ranks: test, validation, forgotten and retained pairs, each list made once."""

from __future__ import annotations

import numpy as np

from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.evaluation.recommend_case import K, cut_off
from graphforget.kernels.ranked_metrics import ranking_metrics
from graphforget.tasks.recommend import CUTOFFS, Recommendation

FAMILY = (*(f"recall@{k}" for k in CUTOFFS), *(f"{name}@{K}" for name in ("ndcg", "precision", "hit", "map", "mrr")))
"""What is measured on test, validation and forgotten pairs."""
NOT_RANKED = "no ranking on test: the data has no test pairs of retained users and items."
CUT_OFF = "users with test pairs who lose their last training pair are left out of the rankings on test."


def ranked(case: Case, subject: Subject, part: str) -> dict[str, float]:
    """Return the metrics of one round of a case, by the conventions of its task; nothing where it has no such round."""
    if part not in case.rounds:
        return {}
    task, found = case.retained, case.rounds[part]
    assert isinstance(task, Recommendation)
    size = task.graph.n_items if found.candidates is None else int(found.candidates.sum())
    ids = subject.lists(case, part)
    return ranking_metrics(ids, found.truth, CUTOFFS, n_items=size, ndcg=task.ndcg, map_at=task.map_at)


def ranking_quality(case: Case, subject: Subject) -> Findings:
    """Return the ranking metrics on test and validation, and the recall of retained training pairs.

    All rows rank for the same users and the same candidates with the same pairs hidden. The original has, besides, its
    recall and ndcg on the whole test part before the deletion, which published numbers compare with.
    """
    found = Findings()
    for part in ("test", "valid"):
        found.values |= _family(part, ranked(case, subject, part))
    if coverage := ranked(case, subject, "test").get(f"coverage@{K}"):
        found.values[f"test_coverage@{K}"] = coverage
    if kept := ranked(case, subject, "train"):
        found.values[f"train_recall@{K}"] = kept[f"recall@{K}"]
    found.values |= _before(case, subject)
    return Findings(found.values, _notes(case))


def forgotten_ranking(case: Case, subject: Subject) -> Findings:
    """Return the ranking metrics of the forgotten pairs, which are never hidden; their target is gold's value."""
    return Findings(_family("forgotten", ranked(case, subject, "forgotten")))


def _family(part: str, values: dict[str, float]) -> dict[str, float]:
    return {f"{part}_{name}": values[name] for name in FAMILY} if values else {}


def _before(case: Case, subject: Subject) -> dict[str, float]:
    """Return recall and ndcg of the original on the task as it was."""
    task = case.task
    assert isinstance(task, Recommendation)
    if subject.kind != "original" or task.graph.test is None or not task.graph.test.nnz:
        return {}
    values = task.metrics(subject.z, "test", ks=(K,))
    return {f"whole_{name}@{K}": values[f"{name}@{K}"] for name in ("recall", "ndcg")}


def _notes(case: Case) -> list[str]:
    assert isinstance(case.task, Recommendation) and isinstance(case.retained, Recommendation)
    notes, test = [] if "test" in case.rounds else [NOT_RANKED], case.retained.graph.test
    lost = cut_off(case.task, case.retained)
    return notes if test is None or not np.diff(test.indptr)[lost].any() else [*notes, CUT_OFF]
