"""The user's own ids of users, items, entities and relations: checked, looked up and given back."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, nearest
from graphforget.kernels.csr import frozen

Id = int | str
PLACEHOLDER = "(forgotten "
"""How an id begins that stands for a forgotten one in data that a model folder keeps."""
_DIGIT = re.compile(r"\d")
_BLANKS = re.compile(r"(?<!\d)[\W_]+|[\W_]+(?!\d)")


def checked_ids(ids: Any, count: int, what: str, owner: str) -> np.ndarray | None:
    """Return ids as read-only int64 or text of shape (count,); None where they are 0 .. count - 1.

    Raises DataError when there are more or fewer, when one repeats, or when they are neither integers nor text.
    """
    if ids is None:
        return None
    ids = _typed(np.asarray(ids), what, owner)
    if ids.shape != (count,):
        raise DataError(
            f"{owner}: {what}_ids must hold one id per {what} ({count:,}); got shape {ids.shape}. Give the missing "
            "ids, or leave them out to number them from 0."
        )
    values, counts = np.unique(ids, return_counts=True)
    if len(values) < count:
        raise DataError(
            f"{owner}: the {what} id '{values[counts > 1][0]}' stands {counts.max()} times; each {what} needs an id "
            "of its own."
        )
    plain = ids.dtype.kind == "i" and np.array_equal(ids, np.arange(count))
    return None if plain else frozen(ids)


def _typed(ids: np.ndarray, what: str, owner: str) -> np.ndarray:
    """Return integers as int64 (beyond it, as text) and text as a text array; raises DataError for anything else."""
    if ids.dtype.kind == "u" and ids.size and ids.max() > np.iinfo(np.int64).max:
        return ids.astype(np.str_)
    if np.issubdtype(ids.dtype, np.integer):
        return ids.astype(np.int64)
    if ids.dtype.kind == "U" or (ids.dtype.kind == "O" and all(isinstance(key, str) for key in ids.ravel())):
        return ids.astype(np.str_)
    raise DataError(
        f"{owner}: {what}_ids must be all integers or all text; got {ids.dtype}. Turn them into text, as "
        "ids.astype(str)."
    )


def id_table(ids: np.ndarray | None) -> dict[str, int]:
    """Return the number of every id, by its text; empty where ids are plain numbers."""
    return {} if ids is None else {str(key): row for row, key in enumerate(ids.tolist())}


def numbers_of(
    wanted: Sequence[Any] | np.ndarray, table: dict[str, int], count: int, what: str, owner: str
) -> np.ndarray:
    """Return the numbers of the user's own ids, int64 in the order given; 4 and "4" name the same one.

    Parameters
    ----------
    table: what `id_table` made of the ids; an empty one stands for the plain ids 0 .. count - 1

    Raises DataError at the first id that is not there, with a near one that is: for an id with a digit in it, one that
    differs in case, blanks or punctuation alone ("U 17" for "u-17"), for another the nearest without a digit.
    "u-17" and "u-18" are two persons, and no slip of the pen; numbers are near to none.
    """
    keys = np.asarray(wanted).tolist() if isinstance(wanted, np.ndarray) else list(wanted)
    if not table:
        return _plain_numbers(keys, count, what, owner)
    rows = [table.get(str(key), -1) for key in keys]
    if -1 in rows:
        bad = keys[rows.index(-1)]
        raise DataError(
            f"{owner} has no {what} with id '{bad}' ({rows.count(-1):,} of {len(rows):,} listed are not in it)."
            f"{_suggested(str(bad), table)} Take unknown ids off the list, or load the data that have them."
        )
    return np.array(rows, dtype=np.int64)


def _suggested(bad: str, ids: Iterable[str]) -> str:
    """Return " Did you mean 'x'?" for the id that may have been meant by one that is not there, or the empty string."""
    there = [key for key in ids if not key.startswith(PLACEHOLDER)]
    if not _DIGIT.search(bad):
        return nearest(bad, [key for key in there if not _DIGIT.search(key)])
    if _is_integer(bad) or bad.isdecimal():  # "00007" is a number, too
        there = [key for key in there if not _is_integer(key)]
    meant = next((key for key in there if _bare(key) == _bare(bad)), None)
    return "" if meant is None else f" Did you mean '{meant}'?"


def _bare(key: str) -> str:
    """Return an id in small letters, and without blanks and punctuation but between two digits."""
    return _BLANKS.sub("", key.casefold())


def _plain_numbers(keys: list[Any], count: int, what: str, owner: str) -> np.ndarray:
    try:
        rows = [_integer(key) for key in keys]
    except (ValueError, TypeError, OverflowError):
        bad = next(key for key in keys if not _is_integer(key))
        raise DataError(
            f"{owner}: {what} ids are integers 0 to {count - 1}; got {bad!r}. Correct it, or take it off the list."
        ) from None
    outside = next((row for row in rows if not 0 <= row < count), None)
    if outside is not None:
        raise DataError(f"{owner} has no {what} with id {outside}; ids go from 0 to {count - 1}. Take it off the list.")
    return np.array(rows, dtype=np.int64)


def _integer(key: Any) -> int:
    """Return a number as an integer; raises for what is none: int() would take "1_0" for 10 and 1.5 for 1."""
    number = int(key)
    if (isinstance(key, str) and str(number) != key) or (isinstance(key, float | np.floating) and number != key):
        raise ValueError(key)
    return number


def _is_integer(key: Any) -> bool:
    try:
        _integer(key)
    except (ValueError, TypeError, OverflowError):
        return False
    return True


def ids_of(numbers: np.ndarray | Sequence[int], ids: np.ndarray | None) -> list[Id]:
    """Return the user's own ids of the given numbers."""
    numbers = np.asarray(numbers, dtype=np.int64)
    return numbers.tolist() if ids is None else ids[numbers].tolist()
