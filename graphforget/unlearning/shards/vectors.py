"""Vectors of users and items that say who resembles whom, for partitions."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from graphforget._core.streams import Stream
from graphforget.kernels.csr import CSR, transpose_csr
from graphforget.kernels.least_squares import solve_rows

START = 0.1
"""Deviation of the item vectors that the first sweep starts from."""


@dataclass(frozen=True, eq=False)
class Vectors:
    """(n_users, d) and (n_items, d) float32 vectors."""

    users: np.ndarray
    items: np.ndarray


def weighted_factors(
    train: CSR, dim: int, stream: Stream, weight: float = 0.2, ridge: float = 0.01, sweeps: int = 10
) -> Vectors:
    """Return the factors of weighted matrix factorisation (WMF): ones are 1, all other entries 0 with a small weight.

    RecEraser pre-trains the same model by Adagrad; here each sweep solves all users, then all items exactly, so no
    learning rate and no stopping rule is involved, and dropout (its 0.7) is left out.

    Parameters
    ----------
    dim: width of the vectors (RecEraser 64; UltraRE in CURE4Rec 32).
    weight: of the entries that are no pairs (0.2; 0.05 for RecEraser's yelp).
    ridge: l2 penalty on every vector.
    """
    by_item = transpose_csr(train)
    items = stream.numpy().standard_normal((train.n_cols, dim)) * START
    users = np.zeros((train.n_rows, dim))
    for _ in range(sweeps):
        users = solve_rows(train.indptr, train.indices, items, weight, ridge)
        items = solve_rows(by_item.indptr, by_item.indices, users, weight, ridge)
    return Vectors(users.astype(np.float32), items.astype(np.float32))
