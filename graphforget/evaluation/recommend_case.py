"""What recommenders are compared on: preferences with fixed other items, and the rankings of a deletion."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from graphforget.data.interaction_parts import mask_of
from graphforget.data.interactions import Interactions
from graphforget.evaluation.lists import Round, Wide
from graphforget.kernels.csr import CSR, edges_to_csr, row_ids
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.row_sets import RowSets
from graphforget.tasks.base import NO_NODES, Forgotten, Items
from graphforget.tasks.recommend import CUTOFFS, Recommendation
from graphforget.tasks.recommend_batches import Triples
from graphforget.tasks.recommend_lists import list_length, rows_of

K = 20
"""Length of the lists that are compared with gold's and searched for deleted items."""
TRAIN_USERS = 2_000
"""Users whose retained training pairs are ranked, at most."""

Sample = Callable[[int], np.ndarray]


def preference_parts(
    task: Recommendation, retained: Recommendation, gone: Forgotten, sample: Sample
) -> dict[str, Items]:
    """Return forgotten, retained (a sample) and test pairs, each beside an item outside all that is known of the user.

    The other items are drawn once, by the task's seed: every model answers the same questions. They are outside the
    training, validation and test items before the deletion, and none is deleted by it or an earlier one: none of them
    is a forgotten or a test item. Pairs of users for whom no such item is left are left out.
    """
    found, offered = everything_known(task.graph), retained.offered
    known, room = RowSets.of(found), _choices_left(found, offered)
    weights = None if offered is None else offered.astype(np.float64)

    def beside(name: str, pairs: np.ndarray) -> Items:
        users, items = pairs[:, room[pairs[0]]]
        others = sample_items(known, users, task.streams(f"{name}-others").key, weights)
        return task.items(Triples(users, items, others))

    kept = retained.graph.pairs("train")
    parts = {
        "forgotten": item_pairs(task, gone),
        "retained": kept[:, sample(kept.shape[1])],
        "test": retained.graph.pairs("test"),
    }
    return {name: beside(name, pairs) for name, pairs in parts.items() if pairs.shape[1]}


def everything_known(data: Interactions) -> CSR:
    """Return the training, validation and test pairs together, each once."""
    pairs = np.concatenate([data.pairs(part) for part in ("train", "valid", "test")], axis=1)
    users, items = np.divmod(np.unique(pairs[0] * np.int64(data.n_items) + pairs[1]), data.n_items)
    return edges_to_csr(users, items, data.n_users, data.n_items)


def item_pairs(task: Recommendation, gone: Forgotten) -> np.ndarray:
    """Return the forgotten pairs as (2, k) users and items, in their own numbers."""
    return gone.items - np.array([[0], [task.graph.n_users]])


def rounds_of(task: Recommendation, retained: Recommendation, gone: Forgotten) -> dict[str, Round]:
    """Return the rankings of a deletion by name; one without anything to find is absent.

    "test": test pairs of retained users and items, deleted items are no candidates. "valid": the same on validation.
    "forgotten": the forgotten pairs, hiding retained training pairs alone. "train": retained training pairs of a fixed
    sample of users, nothing hidden. "open", where items are deleted: the lists of all retained users with the deleted
    items among the candidates, whether or not there is a test part. Deleted users, and users who lose their last
    training pair, have no list in "test", "valid" and "open"; users who never had one do, as in published numbers. What
    earlier deletions took is gone everywhere: their items are no candidates, and their users have no list.
    """
    data, everybody = retained.graph, np.ones(retained.graph.n_users, dtype=bool)
    deleted, before = task.parted(gone.nodes)[1], task.offered
    active = ~cut_off(task, retained) & ~mask_of(
        retained.parted(retained.holes.get("nodes", NO_NODES))[0], data.n_users
    )
    lost_users, lost_items = item_pairs(task, gone)
    forgotten = edges_to_csr(lost_users, lost_items, data.n_users, data.n_items)
    barred = None if retained.mask == "train" else data.valid
    depth = list_length(data, CUTOFFS, retained.ndcg, retained.map_at)
    wide = Wide(data.train, depth)
    found = {
        "test": _round(data.test, active, depth, wide, barred, retained.offered),
        "valid": _round(data.valid, active, depth, wide, None, retained.offered),
        "forgotten": _round(forgotten, everybody, depth, wide, None, before),
        "train": _round(data.train, _few(task, np.diff(data.train.indptr) > 0), depth, candidates=before),
    }
    if len(deleted):
        users = np.flatnonzero(active)
        truth = edges_to_csr(NO_NODES, NO_NODES, data.n_users, data.n_items) if data.test is None else data.test
        found["open"] = Round(users, rows_of(truth, users), depth, wide, barred, before)
    return {name: one for name, one in found.items() if one is not None}


def _choices_left(known: CSR, offered: np.ndarray | None) -> np.ndarray:
    """Return the mask of the users for whom some offered item is not among those known of them."""
    if offered is None:
        return np.diff(known.indptr) < known.n_cols
    taken = np.bincount(row_ids(known)[offered[known.indices]], minlength=known.n_rows)
    return taken < np.count_nonzero(offered)


def _round(
    truth: CSR | None,
    active: np.ndarray,
    depth: int,
    wide: Wide | None = None,
    barred: CSR | None = None,
    candidates: np.ndarray | None = None,
) -> Round | None:
    if truth is None:
        return None
    users = np.flatnonzero(active & (np.diff(truth.indptr) > 0))
    return Round(users, rows_of(truth, users), depth, wide, barred, candidates) if len(users) else None


def _few(task: Recommendation, active: np.ndarray) -> np.ndarray:
    """Return the mask of a fixed sample of the users in the mask `active`."""
    users = np.flatnonzero(active)
    chosen = np.zeros_like(active)
    size = min(len(users), TRAIN_USERS)
    chosen[task.streams("ranked-users").numpy().choice(users, size, replace=False)] = True
    return chosen


def deleted_share(task: Recommendation, gone: Forgotten) -> dict[str, float]:
    """Return how much the deletion takes of what it is of, by the metric that says so.

    Triples are a share of all triples, modalities one of the feature rows that items have of their own (a row for each
    item and modality), every other kind one of the training pairs.
    """
    if gone.kind == "triples":
        assert task.graph.triples is not None
        return {"deleted_triple_share": len(gone.triples) / task.graph.triples.n_triples}
    if gone.kind == "modalities":
        missing = task.graph.missing
        there = sum(int((~rows).sum()) for rows in missing.values())
        return {"deleted_feature_share": sum(int((~missing[k][v]).sum()) for k, v in gone.modalities.items()) / there}
    return {"deleted_share": gone.edges.shape[1] / task.graph.n_edges}


def cut_off(task: Recommendation, retained: Recommendation) -> np.ndarray:
    """Return the (n_users,) mask of users who lose their last training pair."""
    before, after = (np.diff(one.graph.train.indptr) for one in (task, retained))
    return (before > 0) & (after == 0)
