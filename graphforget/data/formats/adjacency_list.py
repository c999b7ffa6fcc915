"""Adjacency lists of LightGCN, NGCF and KGAT: `train.txt`, `test.txt`, perhaps `valid.txt`.

A line is a user number and the numbers of the user's items, all from 0, without a header. Users without items,
missing users, blanks at the end of a line, users on several lines and repeated items are accepted and counted.
`user_list.txt` and `item_list.txt` (header `org_id remap_id`, perhaps `freebase_id`) give the ids behind the numbers,
KGAT's `entity_list.txt` and `relation_list.txt` those of the facts.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing
from graphforget.data.formats.id_lists import own_ids
from graphforget.data.formats.integer_triples import LAYOUTS, read_integer_triples
from graphforget.data.formats.node_table import NodeTable, read_features
from graphforget.data.formats.numbers import NumberRows, check_range, number_rows, read_text
from graphforget.data.formats.raw_interactions import PARTS, InteractionFormat, RawInteractions, Reading, Records
from graphforget.data.triples import TripleGraph

LAYOUT = "A line is a user number and the numbers of the user's items, whole numbers from 0"
FILES = {"train": "train.txt", "valid": "valid.txt", "test": "test.txt"}
LISTS = {"users": "user_list.txt", "items": "item_list.txt"}
FACT_LISTS = {"entities": "entity_list.txt", "relations": "relation_list.txt"}
FEATURES = "_feat.npy"


def _first_numbers(rows: NumberRows) -> np.ndarray:
    """Return for every number whether it is the first of its line, the user."""
    first = np.zeros(len(rows.values), dtype=bool)
    first[rows.indptr[:-1][rows.counts > 0]] = True
    return first


def read_lists(path: Path) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return the pairs (2, m) of an adjacency list, the user of every line, and notes.

    Raises DataError at the first word that is no number, or a number that cannot count from 0.
    """
    rows = number_rows(read_text(path), str(path), LAYOUT)
    is_user = _first_numbers(rows)
    check_range(rows, np.flatnonzero(is_user), "user")
    check_range(rows, np.flatnonzero(~is_user), "item")
    users, counts = rows.values[is_user], rows.counts[rows.counts > 0] - 1
    empty, again = int((counts == 0).sum()), len(users) - np.count_nonzero(np.bincount(users))
    notes = [f"{path.name}: {empty:,} user(s) without items"] if empty else []
    notes += [f"{path.name}: {again:,} user(s) stand on more than one line; their lines were joined"] if again else []
    return np.stack([np.repeat(users, counts), rows.values[~is_user]]), users, tuple(notes)


def _check_ids(files: Mapping[str, Path], how: Reading) -> None:
    if how.ids == "original" and not set(LISTS) & set(files):
        raise DataError(f"ids='original': {' and '.join(LISTS.values())} are not beside the lists. Put one there.")


def _triples(files: Mapping[str, Path], how: Reading, n_items: int) -> TripleGraph | None:
    """Return the facts, under the own ids of entities and relations if they are asked for and there."""
    if "triples" not in files:
        return None
    facts = read_integer_triples(files["triples"], n_items)
    entities = own_ids(files, how, "entities", facts.n_entities)
    relations = own_ids(files, how, "relations", facts.n_relations)
    if entities is None and relations is None:
        return facts
    n_entities = facts.n_entities if entities is None else len(entities)
    n_relations = facts.n_relations if relations is None else len(relations)
    return TripleGraph.build(n_entities, n_relations, facts.triples, entities, relations, facts.name, facts.notes)


def _missing(n_users: int, train_users: np.ndarray) -> tuple[str, ...]:
    missing = n_users - np.count_nonzero(np.bincount(train_users))
    return (f"{missing:,} user(s) have no line in the train part",) if missing else ()


class AdjacencyList(InteractionFormat):
    """Reader of `user item item ...` lines, with KGAT's `kg_final.txt` and `<modality>_feat.npy` beside them."""

    name = "adjacency-list"
    heeds: ClassVar[frozenset[str]] = frozenset({"parts"})
    ids: ClassVar[tuple[str, ...]] = ("original",)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a path is a folder with a `train.txt`."""
        return (path / FILES["train"]).is_file()

    def locate(self, path: Path) -> dict[str, Path]:
        """Return the files of a folder; of a single file, that file as the train part."""
        if not path.is_dir():
            return {"train": existing(path)}
        names = FILES | LISTS | FACT_LISTS
        found = {key: path / name for key, name in names.items() if (path / name).is_file()}
        facts = [path / name for name in LAYOUTS if (path / name).is_file()]
        found |= {"triples": facts[0]} if facts else {}
        return found | feature_files(path)

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the interactions; raises DataError with file and line of the first fault."""
        if "train" not in files:
            raise DataError("Adjacency lists: there is no train part. Name a folder with a train.txt, or the file.")
        _check_ids(files, how)
        lists = {part: read_lists(files[part]) for part in PARTS if part in files}
        n_users = 1 + max(int(users.max()) for _, users, _ in lists.values())
        n_items = 1 + max(int(pairs[1].max(initial=-1)) for pairs, _, _ in lists.values())
        user_ids = own_ids(files, how, "users", n_users)
        item_ids = own_ids(files, how, "items", n_items)
        n_users = n_users if user_ids is None else len(user_ids)
        n_items = n_items if item_ids is None else len(item_ids)
        notes = (*(note for _, _, found in lists.values() for note in found), *_missing(n_users, lists["train"][1]))
        return RawInteractions(
            n_users=n_users,
            n_items=n_items,
            parts={part: Records(pairs) for part, (pairs, _, _) in lists.items()},
            user_ids=user_ids,
            item_ids=item_ids,
            triples=_triples(files, how, n_items),
            modalities=feature_tables(files),
            notes=notes,
        )


def feature_files(folder: Path) -> dict[str, Path]:
    """Return the files `<modality>_feat.npy` of a folder, as "modality:<name>"."""
    return {f"modality:{path.name.removesuffix(FEATURES)}": path for path in sorted(folder.glob(f"*{FEATURES}"))}


def feature_tables(files: Mapping[str, Path]) -> dict[str, NodeTable]:
    """Return the features among `files`, those called "modality:<name>"."""
    named = {key.partition(":")[2]: path for key, path in files.items() if key.startswith("modality:")}
    return {name: read_features(path) for name, path in named.items()}
