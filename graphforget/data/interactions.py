"""The frozen interactions value: users, items, their train, valid and test pairs, and what is known of the items."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError, unknown
from graphforget.data.graph_view import GraphView
from graphforget.data.id_lookup import Id, checked_ids, id_table, ids_of, numbers_of
from graphforget.data.interaction_parts import (
    PARTS,
    among,
    checked_modality,
    distinct,
    found_notes,
    kept,
    keys_of,
    mask_of,
    part_of,
    retained,
    with_mean,
)
from graphforget.data.triples import TripleGraph
from graphforget.kernels.csr import CSR, frozen, row_ids


@dataclass(frozen=True, eq=False)
class Interactions(GraphView):
    """Users and the items they chose, in parts, with an optional knowledge graph and item features; a frozen value.

    Build one with `Interactions.build`. It can be read as a graph, too: node u is user u, node n_users + i item i,
    node n_users + e entity e of the knowledge graph, and an edge is a train pair; so everything written for a `Graph`
    of edges works on it. Deriving a value (`without`) gives a new one with the same numbers: a deletion leaves a
    hole, never a shift.

    Attributes
    ----------
    n_users, n_items: sizes; deletions never change them.
    train, valid, test: pairs as CSR, a row per user, its items ascending and without repeats, values 1; valid and test
        may be None.
    user_ids, item_ids: the user's own ids, int64 or text, or None when they are the numbers.
    name: what tables call it.
    notes: what `build` merged and found.
    triples: knowledge graph whose entities 0 .. n_items - 1 are the items, or None.
    modalities: (n_items, d) float32 item features by name; a missing row is the mean of those that are there.
    missing: (n_items,) masks, for every modality, of the rows that are such a mean.
    """

    n_users: int
    n_items: int
    train: CSR
    valid: CSR | None = None
    test: CSR | None = None
    user_ids: np.ndarray | None = None
    item_ids: np.ndarray | None = None
    name: str = "interactions"
    notes: tuple[str, ...] = ()
    triples: TripleGraph | None = None
    modalities: Mapping[str, np.ndarray] = field(default_factory=dict)
    missing: Mapping[str, np.ndarray] = field(default_factory=dict)

    @classmethod
    def build(
        cls,
        n_users: int,
        n_items: int,
        train: Any,
        valid: Any = None,
        test: Any = None,
        user_ids: Any = None,
        item_ids: Any = None,
        name: str = "interactions",
        notes: Sequence[str] = (),
        triples: TripleGraph | None = None,
        modalities: Mapping[str, Any] | None = None,
    ) -> Interactions:
        """Return interactions from arrays: checked, sorted, repeats within a part merged and noted.

        Parameters
        ----------
        train, valid, test: integers (2, m), a row of users and a row of items. A pair in two parts stays and is noted.
        modalities: (n_items, d) numbers by name; a row of NaN is missing and becomes the mean of the others.

        Raises DataError when an array has the wrong shape or type, names a user or item that does not exist, or holds
        NaN within a row; or when the knowledge graph has fewer entities than there are items.

        Example
        -------
        >>> Interactions.build(2, 3, [[0, 0, 1], [2, 0, 0]]).pairs("train").tolist()
        [[0, 0, 1], [0, 2, 0]]
        """
        owner = f"Interactions '{name}'"
        if n_users < 1 or n_items < 1:
            raise DataError(f"{owner}: at least one user and one item are needed; got {n_users} and {n_items}.")
        if triples is not None:
            _check_triples(triples, n_items, owner)
        given = {"train": train, "valid": valid, "test": test}
        parts = {key: part_of(v, n_users, n_items, key, owner) for key, v in given.items() if v is not None}
        features = {key: checked_modality(v, n_items, key, owner) for key, v in (modalities or {}).items()}
        found = [note for _, repeats in parts.values() for note in repeats]
        found += found_notes({key: part for key, (part, _) in parts.items()})
        found += [
            f"{int(rows.sum()):,} items without '{key}' features have the mean of the others"
            for key, (_, rows) in features.items()
            if rows.any()
        ]
        return cls(
            n_users=int(n_users),
            n_items=int(n_items),
            **{key: part for key, (part, _) in parts.items()},
            user_ids=checked_ids(user_ids, n_users, "user", owner),
            item_ids=checked_ids(item_ids, n_items, "item", owner),
            name=name,
            notes=(*notes, *found, *(() if triples is None else triples.notes)),
            triples=triples,
            modalities={key: with_mean(values, rows) for key, (values, rows) in features.items()},
            missing={key: frozen(rows) for key, (_, rows) in features.items()},
        )

    def part(self, name: str) -> CSR | None:
        """Return the CSR of "train", "valid" or "test"; raises UsageError for another name."""
        if name not in PARTS:
            raise UsageError(unknown("part", name, PARTS))
        return getattr(self, name)

    def pairs(self, part: str = "train") -> np.ndarray:
        """Return the pairs of a part, (2, m) int64 (user, item), ascending; (2, 0) for a part that is not there."""
        rows = self.part(part)
        return np.empty((2, 0), dtype=np.int64) if rows is None else self.memo(f"pairs/{part}", lambda: _pairs(rows))

    @property
    def n_pairs(self) -> int:
        """Number of train pairs."""
        return self.train.nnz

    @property
    def user_degrees(self) -> np.ndarray:
        """(n_users,) int64 number of train items of every user."""
        return self.memo("user_degrees", lambda: frozen(np.diff(self.train.indptr)))

    @property
    def item_degrees(self) -> np.ndarray:
        """(n_items,) int64 number of train users of every item."""
        return self.memo("item_degrees", lambda: frozen(np.bincount(self.train.indices, minlength=self.n_items)))

    @property
    def digest(self) -> str:
        """sha256 of sizes, parts, ids, triples and modalities: two values with one digest hold the same data."""
        return self.memo("digest", self._digest)

    def _digest(self) -> str:
        sha = hashlib.sha256(f"interactions/{self.n_users}/{self.n_items}".encode())
        for part in (self.train, self.valid, self.test):
            _add(sha, *((None,) if part is None else (part.indptr, part.indices)))
        _add(sha, self.user_ids, self.item_ids)
        sha.update(b"-" if self.triples is None else self.triples.digest.encode())
        for name in sorted(self.modalities):
            sha.update(f"modality/{len(name)}/{name}".encode())
            _add(sha, self.modalities[name], self.missing[name])
        return sha.hexdigest()

    def with_edges(self, edges: np.ndarray) -> Interactions:
        """Return the value with other train pairs, given as nodes (2, k) of a user and an item each.

        Raises DataError when an edge does not join a user and an item.
        """
        low, high = edges.min(axis=0), edges.max(axis=0)
        strange = np.flatnonzero((low < 0) | (low >= self.n_users) | (high - self.n_users >= self.n_items))
        strange = strange if len(strange) else np.flatnonzero(high < self.n_users)
        if len(strange):
            first, second = edges[:, strange[0]].tolist()
            raise DataError(
                f"Interactions '{self.name}': the edge ({first}, {second}) joins no user (0 to {self.n_users - 1}) and "
                f"item ({self.n_users} to {self.n_users + self.n_items - 1})."
            )
        train, _ = part_of(np.stack([low, high - self.n_users]), self.n_users, self.n_items, "train", self.name)
        return replace(self, train=train)

    def without(
        self,
        interactions: np.ndarray | None = None,
        users: np.ndarray | None = None,
        items: np.ndarray | None = None,
        triples: np.ndarray | None = None,
        modalities: Mapping[str, np.ndarray] | None = None,
        held_out: np.ndarray | None = None,
    ) -> Interactions:
        """Return a new value without the given parts; all numbers stay.

        Parameters
        ----------
        interactions: positions into `edges` (train pairs), or a boolean mask over them.
        users, items: numbers; their pairs leave all parts. An item's facts go with it, and its rows of all modalities
            become missing.
        triples: positions into the facts of the knowledge graph, or a boolean mask over them.
        modalities: item numbers by modality; those rows become missing.
        held_out: further pairs that leave valid and test, (2, h) as nodes (u, n_users + i).

        A missing row is the mean of the rows that stay: it is computed anew, so that nothing of a deleted row is left
        in the others.

        Raises DataError for triples or a modality of data that have none.
        """
        users, items = mask_of(users, self.n_users), mask_of(items, self.n_items)
        keep = retained(self.train, users, items)
        if interactions is not None:
            keep[interactions] = False
        left = replace(
            self,
            train=kept(self.train, keep),
            valid=self._held_out_without(self.valid, users, items, held_out),
            test=self._held_out_without(self.test, users, items, held_out),
            triples=self._triples_without(np.flatnonzero(items), triples),
        )
        found = left._with_missing(items, modalities or {})
        if found is left:  # no feature went, nor what is derived from features alone
            found.inherit(self, "modality")
        return found

    def _held_out_without(
        self, part: CSR | None, users: np.ndarray, items: np.ndarray, pairs: np.ndarray | None
    ) -> CSR | None:
        if part is None:
            return None
        keep = retained(part, users, items)
        if pairs is not None:
            keep &= ~among(keys_of(part), distinct(pairs[0] * np.int64(self.n_items) + pairs[1] - self.n_users))
        return kept(part, keep)

    def _triples_without(self, items: np.ndarray, positions: np.ndarray | None) -> TripleGraph | None:
        if self.triples is None and positions is not None and len(positions):
            raise DataError(f"Interactions '{self.name}' has no knowledge graph, so no triple can leave it.")
        if self.triples is None or (positions is None and not len(items)):
            return self.triples
        gone = mask_of(positions, self.triples.n_triples)
        gone[self.triples.touching(items)] = True
        return self.triples.without(gone)

    def _with_missing(self, items: np.ndarray, named: Mapping[str, np.ndarray]) -> Interactions:
        stray = next((key for key in named if key not in self.modalities), None)
        if stray is not None:
            raise DataError(f"Interactions '{self.name}': {unknown('modality', stray, self.modalities)}")
        missing = {key: frozen(rows | items | mask_of(named.get(key), len(rows))) for key, rows in self.missing.items()}
        same = all(np.array_equal(missing[key], self.missing[key]) for key in missing)
        filled = {key: with_mean(values, missing[key]) for key, values in self.modalities.items()}
        return self if same else replace(self, missing=missing, modalities=filled)

    def index_of_users(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return user numbers of the user's own ids; raises DataError at an unknown one (a near one is suggested)."""
        table = self.memo("user_table", lambda: id_table(self.user_ids))
        return numbers_of(ids, table, self.n_users, "user", f"Interactions '{self.name}'")

    def index_of_items(self, ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return item numbers of the user's own ids; raises DataError at an unknown one (a near one is suggested)."""
        table = self.memo("item_table", lambda: id_table(self.item_ids))
        return numbers_of(ids, table, self.n_items, "item", f"Interactions '{self.name}'")

    def user_ids_of(self, users: np.ndarray | Sequence[int]) -> list[Id]:
        """Return the user's own ids of user numbers."""
        return ids_of(users, self.user_ids)

    def item_ids_of(self, items: np.ndarray | Sequence[int]) -> list[Id]:
        """Return the user's own ids of item numbers."""
        return ids_of(items, self.item_ids)

    def __repr__(self) -> str:
        sizes = [f"{rows.nnz:,} {name}" for name in PARTS if (rows := self.part(name)) is not None]
        extra = [f"{self.triples.n_triples:,} triples"] if self.triples is not None else []
        extra += [f"modalities {', '.join(self.modalities)}"] if self.modalities else []
        parts = [f"{self.n_users:,} users", f"{self.n_items:,} items", f"{' + '.join(sizes)} pairs", *extra]
        return f"Interactions('{self.name}', {', '.join(parts)})"


def _check_triples(triples: Any, n_items: int, owner: str) -> None:
    """Raise DataError unless this is a checked knowledge graph with an entity for every item."""
    if not isinstance(triples, TripleGraph) or triples.triples.flags.writeable:
        raise DataError(f"{owner}: make the knowledge graph with TripleGraph.build, which checks and sorts its facts.")
    if triples.n_entities < n_items:
        raise DataError(
            f"{owner}: entities 0 to {n_items - 1} of the knowledge graph are the items, but it has only "
            f"{triples.n_entities:,} entities. Build it with n_entities={n_items} or more."
        )


def _pairs(rows: CSR) -> np.ndarray:
    return frozen(np.stack([row_ids(rows).astype(np.int64), rows.indices.astype(np.int64)]))


def _add(sha: Any, *arrays: np.ndarray | None) -> None:
    for part in arrays:
        sha.update(b"-" if part is None else f"{part.dtype}{part.shape}".encode() + part.tobytes())
