"""MMRec's `<name>.inter`: tab-separated, with a column `x_label` (0 train, 1 valid, 2 test), features beside it.

User and item ids are numbers from 0, as row i of `image_feat.npy` and `text_feat.npy` belongs to item i. The ids behind
them stand in `u_id_mapping.csv` and `i_id_mapping.csv`.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from graphforget._core.errors import DataError, nearest
from graphforget.data.formats.adjacency_list import feature_files, feature_tables
from graphforget.data.formats.base import existing
from graphforget.data.formats.delimited import TAB, Delimited, Sheet
from graphforget.data.formats.id_lists import enough, read_id_table
from graphforget.data.formats.interaction_table import renamed_fields
from graphforget.data.formats.numbers import largest_number
from graphforget.data.formats.raw_interactions import (
    ALL,
    PARTS,
    InteractionFormat,
    RawInteractions,
    Reading,
    Records,
    first_line,
)

FIELDS = {"user": "userID", "item": "itemID", "label": "x_label"}
IDS = {"users": "u_id_mapping.csv", "items": "i_id_mapping.csv"}


def _sheet(path: Path, how: Reading) -> Sheet:
    """Return the user, item and label columns."""
    text = Delimited(existing(path), TAB)
    names = renamed_fields(FIELDS, how.columns, text.first, f"{path} line 1")
    missing = next((name for name in names.values() if name not in text.first), None)
    if missing is not None:
        raise DataError(
            f"{path} line 1: there is no column '{missing}'.{nearest(missing, text.first)} An MMRec file has the "
            f"columns {', '.join(FIELDS.values())}, separated by tabs; found {', '.join(text.first[:8])}."
        )
    return text.sheet([text.first.index(names[role]) for role in FIELDS], header=True)


def _numbers(sheet: Sheet, column: int, what: str) -> np.ndarray:
    values = sheet.integers(column, what)
    largest = largest_number(sheet.n_rows)
    bad = np.flatnonzero((values < 0) | (values > largest))
    if len(bad):
        raise sheet.fault(int(bad[0]), column, what, f"is not a number from 0 to {largest:,}", "Number ids from 0.")
    return values


def _ids(files: Mapping[str, Path], how: Reading, what: str, count: int) -> np.ndarray | None:
    """Return the own ids of users or items if they are asked for and there."""
    if how.ids is None:
        return None
    if not set(IDS) & set(files):
        raise DataError(f"ids='original': {' and '.join(IDS.values())} are not beside the file. Put one there.")
    if what not in files:
        return None
    return enough(files[what], read_id_table(files[what], FIELDS[what[:-1]]), what, count)


class MMRec(InteractionFormat):
    """Reader of a labelled `.inter` file and the `<modality>_feat.npy` files beside it."""

    name = "mmrec"
    heeds: ClassVar[frozenset[str]] = frozenset({"columns"})
    ids: ClassVar[tuple[str, ...]] = ("original",)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a .inter file has a column x_label."""
        return path.suffix.lower() == ".inter" and FIELDS["label"].encode() in first_line(path).split()

    def locate(self, path: Path) -> dict[str, Path]:
        """Return the file, and the features and the tables of own ids beside it."""
        ids = {what: path.with_name(name) for what, name in IDS.items() if path.with_name(name).is_file()}
        return {ALL: existing(path)} | ids | feature_files(path.parent)

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the interactions; raises DataError with file, line and column of the first fault."""
        sheet = _sheet(files[ALL], how)
        users, items = _numbers(sheet, 0, "user id"), _numbers(sheet, 1, "item id")
        labels = sheet.integers(2, "label")
        bad = np.flatnonzero((labels < 0) | (labels >= len(PARTS)))
        if len(bad):
            raise sheet.fault(int(bad[0]), 2, "label", "is not 0 (train), 1 (valid) or 2 (test)", "Fix the line.")
        pairs = np.stack([users, items])
        parts = {part: Records(pairs[:, labels == label]) for label, part in enumerate(PARTS)}
        parts = {part: records for part, records in parts.items() if part == "train" or records.pairs.shape[1]}
        n_users, n_items = int(users.max()) + 1, int(items.max()) + 1
        user_ids, item_ids = _ids(files, how, "users", n_users), _ids(files, how, "items", n_items)
        n_users = n_users if user_ids is None else len(user_ids)
        n_items = n_items if item_ids is None else len(item_ids)
        return RawInteractions(n_users, n_items, parts, user_ids, item_ids, modalities=feature_tables(files))
