"""Membership inference on interactions: do forgotten pairs look as if the model had been trained on them?"""

from __future__ import annotations

import numpy as np

from graphforget._core.words import counted
from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.evaluation.logistic import fit_logistic
from graphforget.evaluation.recommend_case import K, item_pairs
from graphforget.tasks.base import auc_above
from graphforget.tasks.recommend import Recommendation

PAIRS = 5_000
"""Pairs of each kind that judge an attack, at most; as many members and others fit it."""
USERS = 4_000
"""Users whose pairs these are, at most, for each kind: all items are scored for every one of them."""
FEWEST = 10
"""Pairs of each kind that an attack is fitted and judged on, at least."""
FEW = 100
"""Pairs of a kind that say little: fewer of them, forgotten or test, are named beside the AUC."""
BLOCK = 256
"""Users whose scores of all items are held at a time."""
NO_INTERACTION = "no membership attack: the deletion takes no interaction."
TOO_FEW = f"no membership attack: it needs at least {FEWEST} retained training pairs and {FEWEST} test pairs."


def pair_membership(case: Case, subject: Subject) -> Findings:
    """Return the AUC of an attack on the forgotten pairs against test pairs, and how good the attack is.

    Source: ours, a score-based attack on the unlearned model alone. A logistic regression
    learns to tell retained training pairs (members) from test pairs (others) by the pair's score, its rank and its
    margin over the 20th score. `pair_mi_auc` has forgotten pairs as label 1 and test pairs the attack was not fitted
    on as label 0; the target is gold's value, neither 0.5 nor 0. `pair_mi_quality` is the AUC of held-back members
    above the same test pairs: near 0.5 the attack sees nothing. The pairs are a fixed sample: of at most 4,000 users
    and at most 5,000 of each kind, besides as many members and others that the attack is fitted on.
    """
    task = case.retained
    assert isinstance(case.task, Recommendation) and isinstance(task, Recommendation)
    forgotten = item_pairs(case.task, case.gone)
    members, others = (task.graph.pairs(part) for part in ("train", "test"))
    if not forgotten.shape[1]:
        return Findings(notes=[NO_INTERACTION])
    if min(members.shape[1], others.shape[1]) < FEWEST:
        return Findings(notes=[TOO_FEW])
    kinds = {"members": members, "others": others, "forgotten": forgotten}
    parts = [_sample(case, name, pairs) for name, pairs in kinds.items()]
    seen = features(task, subject, np.concatenate(parts, axis=1))
    groups = np.split(seen, np.cumsum([part.shape[1] for part in parts[:-1]]))
    return Findings(_attack(*groups), _few(*map(len, groups[1:])))


def _few(others: int, forgotten: int) -> list[str]:
    """Return the sentence that the attack is judged on few pairs, if it is; every second of the others fits it."""
    judged = others // 2
    if min(judged, forgotten) >= FEW:
        return []
    return [
        f"the AUC of the membership attack rests on {counted(forgotten, 'forgotten pair')} and "
        f"{counted(judged, 'test pair')}: chance moves it far."
    ]


def _attack(members: np.ndarray, others: np.ndarray, forgotten: np.ndarray) -> dict[str, float]:
    labels = np.zeros(len(members[::2]) + len(others[::2]), dtype=bool)
    labels[: len(members[::2])] = True
    found = fit_logistic(np.concatenate([members[::2], others[::2]]), labels)
    inside, outside, gone = (found.log_odds(x) for x in (members[1::2], others[1::2], forgotten))
    return {"pair_mi_auc": auc_above(gone, outside), "pair_mi_quality": auc_above(inside, outside)}


def _sample(case: Case, name: str, pairs: np.ndarray) -> np.ndarray:
    """Return some of the (2, m) pairs in random order; every second member and other fits the attack."""
    assert isinstance(case.task, Recommendation)
    turn = case.task.streams("attack-users").numpy().permutation(case.task.graph.n_users)
    users = np.unique(pairs[0])
    pairs = pairs[:, np.isin(pairs[0], users[np.argsort(turn[users])[:USERS]])]
    size = min(pairs.shape[1], PAIRS if name == "forgotten" else 2 * PAIRS)
    chosen = case.task.streams(f"attack-{name}").numpy().choice(pairs.shape[1], size, replace=False)
    return pairs[:, chosen]


def features(task: Recommendation, subject: Subject, pairs: np.ndarray) -> np.ndarray:
    """Return what the attack sees of (2, m) pairs of users and items: (m, 3) float64.

    Score; share of the other items that score lower, ties half; score minus the user's 20th score. All items compete,
    nothing is hidden.
    """
    table = subject.z.detach().cpu().float().numpy()
    n, n_items = task.graph.n_users, task.graph.n_items
    items = table[n : n + n_items]
    users, rows = np.unique(pairs[0], return_inverse=True)
    edge = task.rank(subject.z, users, min(K, n_items), hidden=[])[1][:, -1]
    order = np.argsort(rows, kind="stable")
    bounds = np.searchsorted(rows[order], np.arange(0, len(users) + BLOCK, BLOCK))
    found = np.empty((pairs.shape[1], 3))
    for first, last in zip(bounds[:-1], bounds[1:], strict=True):
        block = order[first:last]
        low = rows[block[0]]
        scores = table[users[low : rows[block[-1]] + 1]] @ items.T
        for at in block:
            row = scores[rows[at] - low]
            own = row[pairs[1, at]]
            lower, same = np.count_nonzero(row < own), np.count_nonzero(row == own)
            found[at] = own, (lower + (same - 1) / 2) / max(n_items - 1, 1), own - edge[rows[at]]
    return found
