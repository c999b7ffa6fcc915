"""Weighted draws by two table look-ups (Walker 1977, Vose 1991), with whole-number weights."""

from __future__ import annotations

from typing import NamedTuple, Self

import numpy as np

from graphforget._core.compiled import njit
from graphforget._core.errors import DataError
from graphforget._core.streams import draw_u64, draw_unit

_S32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@njit(cache=True, nogil=True)
def _fill(units: np.ndarray, total: int, table: np.ndarray) -> None:
    """Set table[i] = 2^32 * (threshold of column i) + (the item drawn above it)."""
    n = len(units)
    mass = units * n
    queue, small, large = np.empty(n, np.int64), 0, n
    for i in range(n):
        if mass[i] < total:
            queue[small], small = i, small + 1
        else:
            large -= 1
            queue[large] = i
    while small > 0 and large < n:
        light, heavy = queue[small - 1], queue[large]
        threshold = np.uint64(min(mass[light] / total * 2.0**32, 2.0**32 - 1.0))
        table[light] = (threshold << _S32) | np.uint64(heavy)
        mass[heavy] -= total - mass[light]
        small -= 1
        if mass[heavy] < total:
            large += 1
            queue[small], small = heavy, small + 1


class AliasTable(NamedTuple):
    """Weights of n items for `draw_weighted` (any item) and `weighted_rank` (the item at a place of their sum).

    Shapes: table uint64 (n,), before int64 (n + 1,): weight of the items before each, in whole units.
    """

    table: np.ndarray
    before: np.ndarray

    @classmethod
    def of(cls, weights: np.ndarray) -> Self:
        """Return the table of weights >= 0, in units of n 2^-60 of the largest or less; what is above 0 stays so.

        Raises
        ------
        DataError for weights that are negative or not finite, or when none is above 0.
        """
        weights = np.asarray(weights, np.float64)
        if not np.isfinite(weights).all() or (weights < 0).any() or not weights.any():
            raise DataError("Weights of items must be finite and at least 0, and one must be above 0.")
        largest = 2.0 ** (62 - len(weights).bit_length())
        units = np.rint(weights / weights.max() * largest).astype(np.int64)
        units[(weights > 0) & (units == 0)] = 1
        before = np.concatenate(([0], np.cumsum(units)))
        table = np.arange(len(units)).astype(np.uint64)
        _fill(units, int(before[-1]), table)
        return cls(table, before)


@njit(cache=True, inline="always")
def draw_weighted(alias: AliasTable, key: np.uint64, counter: int) -> np.int64:
    """Return an item by its weight, from one draw (each probability within 2^-31). For use inside numba."""
    bits = draw_u64(key, counter)
    column = ((bits >> _S32) * np.uint64(len(alias.table))) >> _S32
    entry = alias.table[column]
    return np.int64(column) if (bits & _LOW) < (entry >> _S32) else np.int64(entry & _LOW)


@njit(cache=True, nogil=True)
def draw_weighted_outside(
    alias: AliasTable, members: np.ndarray, free: np.int64, key: np.uint64, counter: int
) -> np.intp:
    """Return an item outside `members` (ascending) by its weight; `free` > 0 is the weight outside. Inside numba."""
    before = alias.before
    place = min(np.int64(draw_unit(key, counter) * free), free - 1)
    for item in members:
        if before[item] > place:
            break
        place += before[item + 1] - before[item]
    return np.searchsorted(before, place, side="right") - 1
