"""The raw files of KGCN and RippleNet: ratings, `item_index2entity_id.txt` and `kg.txt`.

Wang et al., "Knowledge graph convolutional networks for recommender systems", WWW 2019. `item_index2entity_id.txt`
names the entity of each item; records of items that it does not name are passed over. `kg.txt` has head, relation (a
word) and tail, separated by tabs. Ratings are `user_artists.dat` (Last.FM) or MovieLens ratings. Items are numbered in
the order of the list, further entities in the order of the facts, relations by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing
from graphforget.data.formats.delimited import COLONS, COMMA, TAB, Delimited, Sheet, numbered
from graphforget.data.formats.interaction_table import known_columns
from graphforget.data.formats.raw_interactions import ALL, InteractionFormat, RawInteractions, Reading, Records
from graphforget.data.triples import TripleGraph

RATINGS = ("user_artists.dat", "ratings.csv", "ratings.dat")
LINKS = ("item_index2entity_id.txt", "item_index2entity_id_rehashed.txt")
FACTS = ("kg.txt", "kg_rehashed.txt")


def _links(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the item ids and the entity ids of a list, in its order; raises DataError when one repeats."""
    text = Delimited(existing(path), TAB)
    if len(text.first) != 2:
        raise DataError(f"{path} line 1: {len(text.first)} column(s); a line is 'item entity', separated by a tab.")
    sheet = text.sheet([0, 1], header=False)
    sides = [sheet.integers(0, "item id"), sheet.integers(1, "entity id")]
    for column, (side, what) in enumerate(zip(sides, ("item", "entity"), strict=True)):
        order = np.argsort(side, kind="stable")
        again = order[1:][np.diff(side[order]) == 0]
        if len(again):
            raise sheet.fault(int(again.min()), column, what, "stands on an earlier line already", "Keep one.")
    return sides[0], sides[1]


def _ratings(path: Path) -> tuple[Sheet, list[str]]:
    """Return the user, item and rating columns of a file with a header, or of `ratings.dat` without one."""
    dots = path.suffix == ".dat" and path.name.startswith("ratings")
    text = Delimited(existing(path), COLONS if dots else COMMA if path.suffix == ".csv" else TAB)
    at = {"user": 0, "item": 1, "rating": 2, "time": 3} if dots else known_columns(text.first)
    if at is None or len(text.first) <= max(at.values()):
        raise DataError(f"{path} line 1: no user and item columns in {', '.join(text.first[:8])}. Check the file.")
    at = at if "rating" in at or "weight" not in text.first else at | {"rating": text.first.index("weight")}
    return text.sheet(list(at.values()), header=not dots), list(at)


def _place(wanted: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """Return the position in `ids` of every wanted id, -1 where it is not there."""
    order = np.argsort(ids, kind="stable")
    at = np.searchsorted(ids, wanted, sorter=order).clip(max=len(ids) - 1)
    return np.where(ids[order[at]] == wanted, order[at], -1)


def _facts(path: Path, item_entities: np.ndarray) -> TripleGraph:
    text = Delimited(existing(path), TAB)
    if len(text.first) != 3:
        raise DataError(f"{path} line 1: {len(text.first)} column(s); a line is 'head relation tail', with tabs.")
    sheet = text.sheet([0, 1, 2], header=False)
    heads, tails = sheet.integers(0, "head"), sheet.integers(2, "tail")
    relations, (kinds,) = numbered([sheet.ids(1, "relation", as_text=True)], str(path))
    sides = np.stack([heads, tails], axis=1).ravel()  # in the order in which the file names them
    at = _place(sides, item_entities)
    new, first, code = np.unique(sides[at < 0], return_index=True, return_inverse=True)
    rank = np.argsort(np.argsort(first, kind="stable"), kind="stable")
    at[at < 0] = len(item_entities) + rank[code]
    ids = np.concatenate([item_entities, new[np.argsort(first, kind="stable")]])
    facts = np.stack([at[0::2], kinds, at[1::2]])
    return TripleGraph.build(len(ids), len(relations), facts, ids, relations, name=path.name)


class Kgcn(InteractionFormat):
    """Reader of ratings joined to a knowledge graph by `item_index2entity_id.txt`."""

    name = "kgcn"
    heeds: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a path is a folder with `item_index2entity_id.txt`, or a file of ratings beside it."""
        folder = path if path.is_dir() else path.parent if path.name in RATINGS else None
        return folder is not None and any((folder / name).is_file() for name in LINKS)

    def locate(self, path: Path) -> dict[str, Path]:
        """Return ratings, links and facts of a folder."""
        folder = path if path.is_dir() else path.parent
        names = {ALL: RATINGS if path.is_dir() else (path.name,), "links": LINKS, "triples": FACTS}
        found = {}
        for key, choices in names.items():
            there = [folder / name for name in choices if (folder / name).is_file()]
            if not there:
                raise DataError(f"{folder}: none of {', '.join(choices)} is in it; the format needs one of them.")
            found[key] = there[0]
        return found

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the records of linked items; raises DataError with file, line and column of the first fault."""
        del how
        item_ids, entities = _links(files["links"])
        sheet, roles = _ratings(files[ALL])
        items = _place(sheet.integers(roles.index("item"), "item id"), item_ids)
        linked = items >= 0
        if not linked.any():
            raise DataError(
                f"{files[ALL]}: none of its items is in {files['links'].name}. Check that they belong together."
            )
        user_ids, users = np.unique(sheet.integers(roles.index("user"), "user id")[linked], return_inverse=True)
        ratings = sheet.floats(roles.index("rating"), "rating")[linked] if "rating" in roles else None
        times = sheet.times(roles.index("time"))[linked] if "time" in roles else None
        dropped = int((~linked).sum())
        notes = [f"{files[ALL].name}: {dropped:,} records of items without an entity not read"] if dropped else []
        return RawInteractions(
            n_users=len(user_ids),
            n_items=len(item_ids),
            parts={ALL: Records(np.stack([users.astype(np.int64), items[linked]]), ratings, times)},
            user_ids=user_ids,
            item_ids=item_ids,
            triples=_facts(files["triples"], entities),
            notes=tuple(notes),
        )
