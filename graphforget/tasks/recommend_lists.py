"""The lists of a recommender: what they leave out, what is looked for in them, how long they are, how good they are."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from torch import Tensor

from graphforget._core.errors import DataError, UsageError
from graphforget.data.interaction_parts import PARTS
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.ranked_metrics import ranking_metrics
from graphforget.kernels.topk import top_items
from graphforget.kernels.topk_torch import top_items_torch
from graphforget.tasks.base import Forgotten, as_index

MASKS = ("train+valid", "train")
"""Pairs that may be left out of the ranking on test."""
KGAT_DEPTH = 100
"""Length of the lists that KGAT's own ndcg is measured on."""
FULL_LISTS = 2**28
"""Places of all users' lists together, at most, where a convention reads whole lists."""


def check_conventions(ndcg: str, map_at: str) -> None:
    """Raise UsageError for conventions that ask for lists of different lengths."""
    if ndcg == "kgat" and map_at == "full":
        raise UsageError(
            f"Recommendation: ndcg='kgat' reads lists of {KGAT_DEPTH} items and map_at='full' those of all items, so "
            "there is no list that serves both. Use map_at='m' or 'min_mk', or another ndcg."
        )


def list_length(data: Interactions, ks: Sequence[int], ndcg: str, map_at: str) -> int:
    """Return how long lists must be for the cutoffs and conventions: KGAT's ndcg reads 100 places, "full" map all.

    Raises UsageError where lists of all items would not fit into memory, or the two conventions not together.
    """
    check_conventions(ndcg, map_at)
    if not len(ks) or not all(isinstance(k, int | np.integer) and k >= 1 for k in ks):
        raise UsageError(f"metrics: 'ks' must list lengths of at least 1, as (10, 20); got {tuple(ks)!r}.")
    if map_at == "full":
        if data.n_users * data.n_items > FULL_LISTS:
            raise UsageError(
                f"Recommendation: map_at='full' ranks all {data.n_items:,} items for each of {data.n_users:,} users, "
                "which is too much to hold; use map_at='m' or 'min_mk'."
            )
        return max(*ks, data.n_items)
    return max(*ks, KGAT_DEPTH) if ndcg == "kgat" else max(ks)


def rows_of(csr: CSR, rows: np.ndarray) -> CSR:
    """Return the given rows of a CSR, in that order."""
    lengths = np.diff(csr.indptr)[rows]
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
    at = np.repeat(csr.indptr[rows] - indptr[:-1], lengths) + np.arange(indptr[-1])
    return CSR(indptr, csr.indices[at], csr.values[at], csr.n_cols)


def masked(data: Interactions, mask: str) -> list[CSR]:
    """Return the pairs that the lists leave out on test: those of train, and of valid where the mask names it."""
    return [data.train, data.valid] if mask == "train+valid" and data.valid is not None else [data.train]


def truth_of(data: Interactions, part: str, mask: str, gone: Forgotten | None) -> tuple[CSR, list[CSR]]:
    """Return the pairs that are looked for in the lists, and those that the lists leave out.

    Parameters
    ----------
    part: "valid" leaves out the training items; "test" what `mask` says; "forgotten" looks for the pairs of `gone` and
        leaves out what the data, the retained ones, train on; "train" asks how well training pairs are ranked.

    Raises UsageError for another part, or "forgotten" without `gone`; DataError for a part that the data do not have.
    """
    if part == "forgotten":
        if gone is None:
            raise UsageError("metrics: part 'forgotten' needs the deletion; give gone=.")
        users, nodes = gone.items
        return edges_to_csr(users, nodes - data.n_users, data.n_users, data.n_items), [data.train]
    if part not in PARTS:
        raise UsageError(f"metrics: 'part' must be train, valid, test or forgotten; got '{part}'.")
    truth = data.part(part)
    if truth is None:
        raise DataError(f"'{data.name}' has no {part} pairs.")
    hidden = {"train": [], "valid": [data.train], "test": masked(data, mask)}[part]
    return truth, hidden


def best_items(
    data: Interactions,
    z: Tensor,
    users: np.ndarray,
    k: int,
    hidden: Sequence[CSR],
    candidates: np.ndarray | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the (m, k) best items of each user and their scores, best first; -1 where there are fewer.

    Parameters
    ----------
    z: (n_nodes, width) embeddings. hidden: pairs that are left out. candidates: (n_items,) mask of items to rank.
    """
    table, barred = z.detach().float(), [rows_of(part, users) for part in hidden]
    items = table[data.n_users : data.n_users + data.n_items]
    if table.device.type != "cpu":
        return top_items_torch(table.index_select(0, as_index(users, table.device)), items, barred, k, candidates)
    return top_items(table.contiguous().numpy()[users], items.contiguous().numpy(), barred, k, candidates)


def list_metrics(
    data: Interactions,
    z: Tensor,
    truth: CSR,
    hidden: Sequence[CSR],
    ks: Sequence[int],
    *,
    ndcg: str,
    map_at: str,
    candidates: np.ndarray | None = None,
) -> dict[str, float]:
    """Return the ranking metrics, the mean over users with something to look for; see `kernels.ranked_metrics`.

    candidates: (n_items,) mask of the items that are ranked.
    """
    users = np.flatnonzero(np.diff(truth.indptr))
    options = {"ndcg": ndcg, "map_at": map_at}
    ids, _ = best_items(data, z, users, list_length(data, ks, **options), hidden, candidates)
    size = data.n_items if candidates is None else int(candidates.sum())
    return ranking_metrics(ids, rows_of(truth, users), tuple(ks), n_items=size, **options)
