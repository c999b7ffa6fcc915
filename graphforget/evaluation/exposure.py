"""Whether deleted items are still recommended when nobody removes them from the candidates."""

from __future__ import annotations

import numpy as np

from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.evaluation.ranking import ranked
from graphforget.evaluation.recommend_case import K
from graphforget.tasks.recommend import Recommendation


def exposure(case: Case, subject: Subject) -> Findings:
    """Return how often deleted items stand in the top 20 of retained users, and for how many of these users.

    Source: RelItems of ERASE counts users who are still shown what was deleted; deviation: a share of the retained
    users, beside the number of places. The recall on test with deleted items left among the candidates says what
    their places cost. Without deleted items there is nothing to count.
    """
    if "open" not in case.rounds:
        return Findings()
    assert isinstance(case.task, Recommendation)
    shown = places(subject.lists(case, "open")[:, :K], case.task.parted(case.gone.nodes)[1], case.task.graph.n_items)
    found = Findings({f"exposure@{K}": float(shown.sum()), f"exposed_users@{K}": float((shown > 0).mean())})
    if len(case.rounds["open"].truth.indices):
        found.values[f"open_recall@{K}"] = ranked(case, subject, "open")[f"recall@{K}"]
    return found


def places(ids: np.ndarray, deleted: np.ndarray, n_items: int) -> np.ndarray:
    """Return the number of deleted items in every list: ids (m, k) with -1 for none -> (m,).

    Example
    -------
    >>> places(np.array([[4, 1, 2], [0, 3, -1]]), np.array([1, 4]), 5).tolist()
    [2, 0]
    """
    wanted = np.zeros(n_items + 1, dtype=bool)  # the last entry answers for -1
    wanted[deleted] = True
    return wanted[ids].sum(axis=1)
