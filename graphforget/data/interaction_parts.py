"""Checks and small operations on the arrays of an interactions value: pairs, parts, modalities."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import combinations
from typing import Any

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.checks import distinct
from graphforget.kernels.csr import CSR, frozen, row_ids

PARTS = ("train", "valid", "test")


def part_of(pairs: Any, n_users: int, n_items: int, part: str, owner: str) -> tuple[CSR, list[str]]:
    """Return pairs (2, m) as rows of users with ascending items, each pair once, and notes on repeats.

    Raises DataError when they are no integers of that shape, or name a user or item that does not exist.
    """
    pairs = np.asarray(pairs)
    if pairs.ndim != 2 or pairs.shape[0] != 2 or not np.issubdtype(pairs.dtype, np.integer):
        raise DataError(
            f"{owner}: {part} must be integers of shape (2, m), a row of users and a row of items; got {pairs.dtype} "
            f"of shape {pairs.shape}."
        )
    for row, count, what in ((pairs[0], n_users, "user"), (pairs[1], n_items, "item")):
        if len(row) and (row.min() < 0 or row.max() >= count):
            worst = int(row.min()) if row.min() < 0 else int(row.max())
            raise DataError(
                f"{owner}: a pair of {part} names {what} {worst}, but there are {what}s 0 to {count - 1}. Fix the "
                f"pair, or raise n_{what}s."
            )
    users, items = pairs.astype(np.int64)
    keys = users * n_items + items
    unique = distinct(keys)
    repeats = len(keys) - len(unique)
    return rows_of(unique, n_users, n_items), [f"{repeats:,} repeated {part} pairs merged"] if repeats else []


def among(wanted: np.ndarray, ascending: np.ndarray) -> np.ndarray:
    """Return the mask of the wanted keys that are among the ascending ones."""
    if not len(ascending):
        return np.zeros(len(wanted), dtype=bool)
    return ascending[np.minimum(np.searchsorted(ascending, wanted), len(ascending) - 1)] == wanted


def rows_of(keys: np.ndarray, n_users: int, n_items: int) -> CSR:
    """Return the read-only matrix of the ascending keys user * n_items + item."""
    users, items = np.divmod(keys, n_items)
    indptr = np.zeros(n_users + 1, dtype=np.int64)
    np.cumsum(np.bincount(users, minlength=n_users), out=indptr[1:])
    return CSR(frozen(indptr), frozen(items.astype(np.int32)), frozen(np.ones(len(keys), dtype=np.float32)), n_items)


def keys_of(part: CSR) -> np.ndarray:
    """Return user * n_items + item of every pair, int64 ascending."""
    return row_ids(part).astype(np.int64) * part.n_cols + part.indices


def kept(part: CSR, keep: np.ndarray) -> CSR:
    """Return a part with the pairs under a boolean mask; the part itself when all of them stay."""
    return part if keep.all() else rows_of(keys_of(part)[keep], part.n_rows, part.n_cols)


def retained(part: CSR, users: np.ndarray, items: np.ndarray) -> np.ndarray:
    """Return the mask of the pairs that stay without the users and the items under two masks."""
    return ~(users[row_ids(part)] | items[part.indices])


def found_notes(parts: Mapping[str, CSR | None]) -> list[str]:
    """Return what is worth saying about the parts: pairs in two of them, users and items without train pairs."""
    given = {name: part for name, part in parts.items() if part is not None}
    notes = []
    for first, second in combinations(given, 2):
        both = int(among(keys_of(given[second]), keys_of(given[first])).sum())
        if both:
            notes.append(f"{both:,} pairs stand in {first} and in {second}; they stay in both")
    train = given["train"]
    for what, total, found in (
        ("users", train.n_rows, np.count_nonzero(np.diff(train.indptr))),
        ("items", train.n_cols, np.count_nonzero(np.bincount(train.indices, minlength=train.n_cols))),
    ):
        if found < total:
            notes.append(f"{total - found:,} of {total:,} {what} have no train pair")
    return notes


def mask_of(numbers: np.ndarray | None, count: int) -> np.ndarray:
    """Return a boolean mask of `count` with the given numbers True."""
    mask = np.zeros(count, dtype=bool)
    if numbers is not None:
        mask[numbers] = True
    return mask


def checked_modality(values: Any, n_items: int, modality: str, owner: str) -> tuple[np.ndarray, np.ndarray]:
    """Return item features as float32 and the mask of the rows that are missing, given as rows of NaN.

    Raises DataError for another shape, or a row that is NaN or infinite in part.
    """
    if not (isinstance(modality, str) and modality):
        raise DataError(f"{owner}: the name of a modality must be text, as 'image'; got {modality!r}.")
    values = np.asarray(values)
    if values.ndim != 2 or values.shape[0] != n_items or not np.issubdtype(values.dtype, np.number):
        raise DataError(
            f"{owner}: modality '{modality}' must be numbers with one row per item ({n_items:,} rows); got "
            f"{values.dtype} of shape {values.shape}."
        )
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused below
        values = np.array(values, dtype=np.float32, order="C")
    missing = np.isnan(values).all(axis=1)
    broken = np.flatnonzero(~missing & ~np.isfinite(values).all(axis=1))
    if len(broken):
        raise DataError(
            f"{owner}: modality '{modality}' of item {broken[0]} is NaN or infinite in part ({len(broken):,} such "
            "rows). Clean those rows; a row that is NaN throughout counts as missing."
        )
    return values, missing


def with_mean(values: np.ndarray, missing: np.ndarray) -> np.ndarray:
    """Return features whose missing rows are the mean of the rows that are there (zeros when none is).

    The mean is a float64 sum over the present rows alone, so that a row that left has no part in it.
    """
    if not missing.any():
        return frozen(values)
    present = values[~missing]
    filled = values.copy()
    filled[missing] = present.mean(axis=0, dtype=np.float64) if len(present) else 0.0
    return frozen(filled)
