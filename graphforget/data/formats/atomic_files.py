"""Atomic files of RecBole: tab-separated, header `field:type`; `.inter`, perhaps divided, with `.kg` and `.link`.

Zhao et al., "RecBole", CIKM 2021. Tokens are ids: integers when all of a column are, else text. RecBole numbers
tokens from 1 and keeps 0 for padding; here numbers start at 0. An item is the entity that `.link` joins it to; an item
without a link is an entity of its own without facts, called `item:<id>`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar

import numpy as np

from graphforget._core.errors import DataError, nearest
from graphforget.data.formats.base import existing
from graphforget.data.formats.delimited import TAB, Delimited, Ids, Sheet, numbered
from graphforget.data.formats.interaction_table import Table, joined_tables, record_files, renamed_fields
from graphforget.data.formats.raw_interactions import (
    ALL,
    PARTS,
    InteractionFormat,
    RawInteractions,
    Reading,
    first_line,
)
from graphforget.data.triples import TripleGraph

FIELDS = {"user": "user_id", "item": "item_id", "rating": "rating", "time": "timestamp"}
TYPES = {"token": "ids", "token_seq": "ids", "float": "numbers", "float_seq": "numbers"}


def _fields(text: Delimited) -> list[str]:
    """Return the field names of a header; raises DataError when it is no `field:type` header."""
    names = []
    for cell in text.first:
        name, _, kind = cell.rpartition(":")
        if not name or ":" in name or kind not in TYPES:
            raise DataError(
                f"{text.path} line 1: '{cell[:40]}' is not a field of an atomic file, 'name:type' with type "
                f"{', '.join(TYPES)}, separated by tabs. Fix the header."
            )
        names.append(name)
    return names


def _columns(text: Delimited, names: Mapping[str, str], needed: Sequence[str]) -> dict[str, int]:
    """Return the positions of fields by role; a field that is not needed may be absent."""
    fields = _fields(text)
    missing = next((role for role in needed if names[role] not in fields), None)
    if missing is not None:
        raise DataError(
            f"{text.path} line 1: there is no field '{names[missing]}' for the {missing}."
            f"{nearest(names[missing], fields)} Fields: {', '.join(fields)}."
        )
    return {role: fields.index(name) for role, name in names.items() if name in fields}


def _tokens(sheet: Sheet, column: int, what: str) -> Ids:
    """Return a column of tokens: int64 when all are integers, else words."""
    try:
        return sheet.ids(column, what, as_text=False)
    except DataError:
        return sheet.ids(column, what, as_text=True)


def _records(path: Path, how: Reading) -> tuple[Table, list[str]]:
    text = Delimited(existing(path), TAB)
    names = renamed_fields(FIELDS, how.columns, _fields(text), f"{path} line 1")
    at = _columns(text, names, needed=["user", "item", *(how.columns or ())])
    sheet, roles = text.sheet(list(at.values()), header=True), list(at)
    table = Table(
        _tokens(sheet, roles.index("user"), "user token"),
        _tokens(sheet, roles.index("item"), "item token"),
        sheet.floats(roles.index("rating"), "rating") if "rating" in roles else None,
        sheet.times(roles.index("time")) if "time" in roles else None,
    )
    left = len(text.first) - len(at)
    read = ", ".join(f"{role} from '{text.first[column]}'" for role, column in at.items())
    note = f"{path.name}: {read}" + (f"; {left} further field(s) not read" if left else "")
    return table, [note, *text.notes, *sheet.notes]


def _text(words: Sequence[bytes]) -> list[str]:
    return [word.decode("utf-8", "replace") for word in words]


def _links(path: Path) -> dict[str, str]:
    """Return the entity of each item; raises DataError for an item with two of them."""
    text = Delimited(existing(path), TAB)
    at = _columns(text, {"item": "item_id", "entity": "entity_id"}, needed=["item", "entity"])
    sheet = text.sheet([at["item"], at["entity"]], header=True)
    found: dict[str, str] = {}
    pairs = zip(_text(sheet.words(0)), _text(sheet.words(1)), strict=True)
    for row, (item, entity) in enumerate(pairs):
        if found.setdefault(item, entity) != entity:
            raise sheet.fault(row, 0, "item", f"is linked to '{found[item]}' already", "Keep one link per item.")
    return found


def _entities_of_items(items: Sequence[str], links: Mapping[str, str]) -> tuple[list[str], list[str]]:
    """Return the entity of every item, and notes; an entity of two items stays with the first."""
    taken: set[str] = set()
    entities, alone, shared = [], 0, 0
    for item in items:
        entity = links.get(item)
        shared += entity in taken
        alone += entity is None
        entities.append(f"item:{item}" if entity is None or entity in taken else entity)
        taken.add(entities[-1])
    notes = [f"{alone:,} item(s) have no link to an entity and so no facts"] if alone else []
    notes += [f"{shared:,} item(s) are linked to the entity of another item; they have no facts"] if shared else []
    return entities, notes


def _facts(path: Path) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Return entity ids, relation ids, and heads with tails and relations as their numbers."""
    text = Delimited(existing(path), TAB)
    names = {"head": "head_id", "relation": "relation_id", "tail": "tail_id"}
    at = _columns(text, names, needed=list(names))
    sheet = text.sheet([at[role] for role in names], header=True)
    entities, (heads, tails) = numbered([sheet.words(0), sheet.words(2)], str(path))
    relations, (kinds,) = numbered([_tokens(sheet, 1, "relation token")], str(path))
    return entities, relations, np.stack([heads, tails]), kinds


def _triples(files: Mapping[str, Path], raw: RawInteractions) -> tuple[TripleGraph, list[str]]:
    assert raw.item_ids is not None
    entities, relations, sides, kinds = _facts(files["triples"])
    first, notes = _entities_of_items([str(key) for key in raw.item_ids.tolist()], _links(files["links"]))
    number = {entity: row for row, entity in enumerate(first)}
    new = np.array([number.setdefault(entity, len(number)) for entity in entities.tolist()], dtype=np.int64)
    facts = np.stack([new[sides[0]], kinds, new[sides[1]]])
    ids = np.array(list(number), dtype=np.str_)
    graph = TripleGraph.build(len(ids), len(relations), facts, ids, relations, name=files["triples"].name)
    return graph, notes


def _stem(path: Path) -> tuple[str, str | None]:
    """Return the name of the data set in a file name, and the part it names, as in `<name>.train.inter`."""
    base = path.name.removesuffix(".inter")
    head, _, tail = base.rpartition(".")
    return (head, tail) if head and tail in PARTS else (base, None)


class AtomicFiles(InteractionFormat):
    """Reader of `.inter` (whole, or divided into `.train.inter`, `.valid.inter`, `.test.inter`), `.kg` and `.link`."""

    name = "recbole"
    suffixes = (".inter",)
    heeds: ClassVar[frozenset[str]] = frozenset({"columns", "parts"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a file ends in .inter and its header gives types."""
        return path.suffix.lower() in cls.suffixes and b":" in first_line(path)

    def locate(self, path: Path) -> dict[str, Path]:
        """Return the records of a path, the other parts beside it, and .kg with .link where both are there."""
        name, part = _stem(existing(path))
        siblings = {other: path.with_name(f"{name}.{other}.inter") for other in PARTS}
        found = {other: file for other, file in siblings.items() if file.is_file()} if part else {ALL: path}
        sides = {"triples": path.with_name(f"{name}.kg"), "links": path.with_name(f"{name}.link")}
        return found | (sides if all(file.is_file() for file in sides.values()) else {})

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the interactions; raises DataError with file, line and column of the first fault."""
        if ("triples" in files) != ("links" in files):
            raise DataError("Atomic files: a .kg needs its .link and the other way round. Put both beside the .inter.")
        found = {part: _records(path, how) for part, path in record_files(files, "Atomic files").items()}
        where = ", ".join(str(files[part]) for part in found)
        notes = [note for _, remarks in found.values() for note in remarks]
        raw = joined_tables({part: table for part, (table, _) in found.items()}, where, notes)
        if "triples" not in files:
            return raw
        graph, more = _triples(files, raw)
        return RawInteractions(**vars(raw) | {"triples": graph, "notes": (*raw.notes, *more)})
