"""The lists of a recommender: how long they must be, and rows of what is looked for in them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphforget._core.errors import UsageError
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR

KGAT_DEPTH = 100
"""Length of the lists that KGAT's own ndcg is measured on."""
FULL_LISTS = 2**28
"""Places of all users' lists together, at most, where a convention reads whole lists."""


def list_length(data: Interactions, ks: Sequence[int], ndcg: str, map_at: str) -> int:
    """Return how long lists must be for the cutoffs and conventions: KGAT's ndcg reads 100 places, "full" map all.

    Raises UsageError where lists of all items would not fit into memory.
    """
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
