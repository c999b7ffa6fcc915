"""Facts in the user's own ids: rows `head, relation, tail` of text, perhaps under that header.

A head or tail that is an item's id is that item; any other word is a further entity. Entities follow the items in the
order of their ids, relations in the order of theirs.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing
from graphforget.data.formats.delimited import Delimited, mark_of, numbered
from graphforget.data.triples import TripleGraph

HEADER = ["head", "relation", "tail"]


def read_named_triples(path: Path, item_ids: np.ndarray) -> tuple[TripleGraph, tuple[str, ...]]:
    """Return the knowledge graph of a file of facts about items with own ids, and notes.

    Raises DataError with file and line of the first fault, or when no fact is about an item.
    """
    text = Delimited(existing(path), mark_of(path))
    if len(text.first) != 3:
        raise DataError(
            f"{path} line 1: {len(text.first)} column(s); a fact is 'head, relation, tail', separated by tabs or "
            "commas."
        )
    header = [cell.lower() for cell in text.first] == HEADER
    sheet = text.sheet([0, 1, 2], header)
    heads, kinds, tails = (sheet.ids(column, what, as_text=True) for column, what in enumerate(HEADER))
    entities, (head, tail) = numbered([heads, tails], str(path))
    relations, (kind,) = numbered([kinds], str(path))
    number = {str(key): row for row, key in enumerate(item_ids.tolist())}
    about = sum(str(key) in number for key in entities.tolist())
    if not about:
        raise DataError(f"{path}: no head or tail is the id of an item (as '{item_ids[0]}'). Write facts in item ids.")
    place = np.array([number.setdefault(str(key), len(number)) for key in entities.tolist()], dtype=np.int64)
    ids = np.array(list(number), dtype=np.str_)
    graph = TripleGraph.build(
        len(ids), len(relations), np.stack([place[head], kind, place[tail]]), ids, relations, name=path.name
    )
    strange = not header and not {text.first[0], text.first[2]} & {str(key) for key in item_ids.tolist()}
    first = (f"{path.name}: the first line ({', '.join(text.first)}) was read as a fact",) if strange else ()
    bare = len(item_ids) - about
    alone = (f"{path.name}: {bare:,} item(s) are in no fact",) if bare else ()
    return graph, (*text.notes, *sheet.notes, *first, *alone)
