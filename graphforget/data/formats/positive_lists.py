"""CURE4Rec's `pos_dict.npy`: a Python dict of user to the list of the user's train items, saved with `numpy.save`.

Chen et al., "CURE4Rec: a benchmark for recommendation unlearning with deeper influence", NeurIPS 2024. The dict is a
pickle inside the .npy file and is read without running it (`pickled_arrays`). Users and items are integers, kept as
ids. The publishers' `train.csv` and `test.csv` (columns uid, iid) hold the same train pairs and the test part.
"""

from __future__ import annotations

from collections.abc import Mapping
from itertools import chain
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from graphforget._core.errors import DataError
from graphforget._core.words import counted
from graphforget.data.formats.arrays import object_start
from graphforget.data.formats.delimited import numbered
from graphforget.data.formats.interaction_table import record_files
from graphforget.data.formats.pickled_arrays import read_pickled
from graphforget.data.formats.raw_interactions import InteractionFormat, RawInteractions, Reading, Records

NAME = "pos_dict.npy"
_LIMIT = 1 << 63


def _is_id(value: Any) -> bool:
    return type(value) is int and -_LIMIT <= value < _LIMIT


def _items(path: Path, user: Any, items: Any) -> list[int]:
    """Return the items of a user; raises DataError when they are no list, set or array of integers."""
    if not _is_id(user):
        raise DataError(f"{path}: the user {user!r:.40} is not an integer. Write a table 'user,item' for other ids.")
    flat = items.tolist() if isinstance(items, np.ndarray) else items
    if not isinstance(flat, list | set | tuple):
        found = type(flat).__name__
        raise DataError(f"{path}: the items of user {user} must be a list of integers; found a {found}. Fix the file.")
    bad = next((item for item in flat if not _is_id(item)), None)
    if bad is not None:
        raise DataError(f"{path}: the item {bad!r:.40} of user {user} is not an integer. Fix the file.")
    return sorted(flat) if isinstance(flat, set) else list(flat)


def _pairs(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return user ids and item ids, one of each per pair, and notes."""
    found = read_pickled(path, object_start(path))
    if not isinstance(found, dict):
        raise DataError(f"{path}: holds a {type(found).__name__}; a dict of user to the user's items is expected.")
    lists = {user: _items(path, user, items) for user, items in found.items()}
    empty = sum(not items for items in lists.values())
    if empty == len(lists):
        raise DataError(f"{path}: there is no user with an item in it. Check the file.")
    users = np.repeat(np.array(list(lists), dtype=np.int64), [len(items) for items in lists.values()])
    items = np.fromiter(chain.from_iterable(lists.values()), dtype=np.int64, count=len(users))
    return users, items, (f"{path.name}: {counted(empty, 'user')} without items passed over",) if empty else ()


class PositiveLists(InteractionFormat):
    """Reader of a dict of users, or of one per part."""

    name = "pos-dict"
    heeds: ClassVar[frozenset[str]] = frozenset({"parts"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a file is called as CURE4Rec calls it."""
        return path.name == NAME

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the pairs; raises DataError when the file holds anything but a dict of lists of integers."""
        del how
        records = record_files(files, "Positive lists")
        read = {part: _pairs(path) for part, path in records.items()}
        where = ", ".join(map(str, records.values()))
        user_ids, users = numbered([users for users, _, _ in read.values()], where)
        item_ids, items = numbered([items for _, items, _ in read.values()], where)
        parts = {part: Records(np.stack(pair)) for part, *pair in zip(read, users, items, strict=True)}
        notes = tuple(note for _, _, found in read.values() for note in found)
        return RawInteractions(len(user_ids), len(item_ids), parts, user_ids, item_ids, notes=notes)
