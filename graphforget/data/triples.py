"""The frozen knowledge graph: facts (head, relation, tail) about entities, of which items are the first."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.id_lookup import Id, checked_ids, id_table, ids_of, numbers_of
from graphforget.data.memo import Memo
from graphforget.kernels.csr import frozen


def _checked(triples: Any, n_entities: int, n_relations: int, name: str) -> np.ndarray:
    """Return (3, T) int64; raises DataError for another shape or type, or a number that does not exist."""
    triples = np.asarray(triples)
    if triples.ndim != 2 or triples.shape[0] != 3 or not np.issubdtype(triples.dtype, np.integer):
        raise DataError(
            f"{name}: triples must be integers of shape (3, T), rows head, relation, tail; got {triples.dtype} of "
            f"shape {triples.shape}."
        )
    sides = (("head", n_entities, "entities"), ("relation", n_relations, "relations"), ("tail", n_entities, "entities"))
    for row, (side, count, things) in zip(triples, sides, strict=True):
        outside = np.flatnonzero((row < 0) | (row >= count))
        if len(outside):
            raise DataError(
                f"{name}: the {side} of triple {outside[0]} is {row[outside[0]]}, but {things} go from 0 to "
                f"{count - 1}. Fix the triple, or raise n_{things}."
            )
    return triples.astype(np.int64)


def _canonical(triples: np.ndarray) -> np.ndarray:
    """Return the triples in lexicographic order, each once."""
    ordered = triples[:, np.lexsort(triples[::-1])]
    first = np.ones(ordered.shape[1], dtype=bool)
    first[1:] = (ordered[:, 1:] != ordered[:, :-1]).any(axis=0)
    return ordered[:, first]


@dataclass(frozen=True, eq=False)
class TripleGraph(Memo):
    """Facts (head, relation, tail); a frozen value.

    Beside `Interactions` the entities 0 .. n_items - 1 are the items. Inverse relations are not stored: a model that
    wants them makes them from the facts, so that a deleted fact takes its inverse with it.

    Attributes
    ----------
    n_entities, n_relations: sizes; deletions never change them.
    triples: (3, T) int64, in lexicographic order, without repeats.
    entity_ids, relation_ids: the user's own ids, or None when they are the numbers.
    name: what errors call it.
    notes: what `build` merged.
    """

    n_entities: int
    n_relations: int
    triples: np.ndarray
    entity_ids: np.ndarray | None = None
    relation_ids: np.ndarray | None = None
    name: str = "triples"
    notes: tuple[str, ...] = ()

    @classmethod
    def build(
        cls,
        n_entities: int,
        n_relations: int,
        triples: Any,
        entity_ids: Any = None,
        relation_ids: Any = None,
        name: str = "triples",
        notes: Sequence[str] = (),
    ) -> TripleGraph:
        """Return a knowledge graph from an array (3, T): checked, sorted, repeats merged and noted.

        Raises DataError when the array has another shape or type, names an entity or relation that does not exist,
        or ids repeat.

        Example
        -------
        >>> TripleGraph.build(3, 1, [[0, 0, 1], [0, 0, 0], [2, 2, 2]]).notes
        ('1 repeated triples merged',)
        """
        if n_entities < 1 or n_relations < 1:
            raise DataError(
                f"{name}: a knowledge graph needs at least one entity and one relation; got {n_entities} and "
                f"{n_relations}."
            )
        given = _checked(triples, n_entities, n_relations, name)
        canonical = _canonical(given)
        repeats = given.shape[1] - canonical.shape[1]
        return cls(
            n_entities=int(n_entities),
            n_relations=int(n_relations),
            triples=frozen(canonical),
            entity_ids=checked_ids(entity_ids, n_entities, "entity", name),
            relation_ids=checked_ids(relation_ids, n_relations, "relation", name),
            name=name,
            notes=(*notes, *((f"{repeats:,} repeated triples merged",) if repeats else ())),
        )

    @property
    def n_triples(self) -> int:
        """Number of facts."""
        return self.triples.shape[1]

    @property
    def digest(self) -> str:
        """sha256 of sizes, facts and ids: two values with one digest hold the same data."""
        return self.memo("digest", self._digest)

    def _digest(self) -> str:
        sha = hashlib.sha256(f"triples/{self.n_entities}/{self.n_relations}".encode())
        for part in (self.triples, self.entity_ids, self.relation_ids):
            sha.update(b"-" if part is None else f"{part.dtype}{part.shape}".encode() + part.tobytes())
        return sha.hexdigest()

    def touching(self, entities: np.ndarray) -> np.ndarray:
        """Return the ascending positions of the facts whose head or tail is one of `entities`."""
        named = np.zeros(self.n_entities, dtype=bool)
        named[entities] = True
        return np.flatnonzero(named[self.triples[0]] | named[self.triples[2]])

    def find(self, wanted: np.ndarray) -> np.ndarray:
        """Return the position of every wanted fact, (3, k) numbers, -1 where it is not there."""
        heads = np.zeros(self.n_entities, dtype=bool)
        heads[wanted[0]] = True
        near = np.flatnonzero(heads[self.triples[0]])
        places = dict(zip(map(tuple, self.triples[:, near].T.tolist()), near.tolist(), strict=True))
        return np.array([places.get(tuple(fact), -1) for fact in wanted.T.tolist()], dtype=np.int64)

    def without(self, positions: np.ndarray) -> TripleGraph:
        """Return the knowledge graph without the facts at `positions` (or under a boolean mask); sizes stay."""
        keep = np.ones(self.n_triples, dtype=bool)
        keep[positions] = False
        return replace(self, triples=frozen(self.triples[:, keep]))

    def index_of_entities(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return entity numbers of the user's own ids; raises DataError at the first unknown one."""
        table = self.memo("entities", lambda: id_table(self.entity_ids))
        return numbers_of(ids, table, self.n_entities, "entity", f"Knowledge graph '{self.name}'")

    def index_of_relations(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return relation numbers of the user's own ids; raises DataError at the first unknown one."""
        table = self.memo("relations", lambda: id_table(self.relation_ids))
        return numbers_of(ids, table, self.n_relations, "relation", f"Knowledge graph '{self.name}'")

    def entity_ids_of(self, entities: np.ndarray) -> list[Id]:
        """Return the user's own ids of entity numbers."""
        return ids_of(entities, self.entity_ids)

    def relation_ids_of(self, relations: np.ndarray) -> list[Id]:
        """Return the user's own ids of relation numbers."""
        return ids_of(relations, self.relation_ids)

    def __repr__(self) -> str:
        return (
            f"TripleGraph('{self.name}', {self.n_entities:,} entities, {self.n_relations:,} relations, "
            f"{self.n_triples:,} triples)"
        )
