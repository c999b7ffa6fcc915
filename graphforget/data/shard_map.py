"""Which shard every pair of a user and an item belongs to, and the interactions of each shard."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from graphforget._core.errors import UsageError
from graphforget._core.streams import Stream
from graphforget.data.interaction_parts import kept
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR, row_ids

UNITS = ("user", "item", "interaction")
NONE = -1


@dataclass(frozen=True, eq=False)
class ShardMap:
    """Shard numbers of users, of items or of single interactions: drawn by number, or kept in a table.

    A map with a `key` is a function of the numbers alone: unit x goes to shard draw_below(key, x, n_shards), whatever
    the data hold. An interaction's number is user * n_items + item.

    Attributes
    ----------
    n_shards, n_items: sizes.
    unit: what is kept together, "user", "item" or "interaction".
    key: of the stream the shards are drawn from, or None for a table.
    table: (n_users,) or (n_items,) int64 shards, or (p,) for the interactions `numbers`; -1 is in no shard.
    numbers: (p,) int64 ascending numbers of the interactions in the table.
    """

    n_shards: int
    n_items: int
    unit: str
    key: int | None = None
    table: np.ndarray | None = None
    numbers: np.ndarray | None = None

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise UsageError(f"ShardMap: 'unit' must be one of {', '.join(UNITS)}; got {self.unit!r}.")
        if (self.key is None) == (self.table is None) or (self.numbers is None) != (
            self.table is None or self.unit != "interaction"
        ):
            raise UsageError("ShardMap: give a key, or a table (for interactions, with their numbers).")

    def units(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the number of the unit that each pair belongs to, int64."""
        if self.unit == "interaction":
            return users.astype(np.int64) * self.n_items + items
        return (users if self.unit == "user" else items).astype(np.int64)

    def shards(self, users: np.ndarray, items: np.ndarray) -> np.ndarray:
        """Return the shard of each pair, int64; -1 where the table has none."""
        units = self.units(users, items)
        if self.key is not None:
            return Stream(self.key).integers_at(units, self.n_shards)
        assert self.table is not None
        if self.numbers is None:
            return self.table[units]
        if not len(self.numbers):
            return np.full(len(units), NONE)
        at = np.minimum(np.searchsorted(self.numbers, units), len(self.numbers) - 1)
        return np.where(self.numbers[at] == units, self.table[at], NONE)

    def within(self, data: Interactions) -> ShardMap:
        """Return the map without what has no pair in `data`: a table must not remember what was deleted."""
        if self.key is not None:
            return self
        assert self.table is not None
        users, items = np.concatenate([data.pairs(part) for part in ("train", "valid", "test")], axis=1)
        there = np.unique(self.units(users, items))
        if self.numbers is None:
            table = np.full_like(self.table, NONE)
            table[there] = self.table[there]
            return replace(self, table=table)
        stay = np.isin(self.numbers, there)
        return replace(self, table=self.table[stay], numbers=self.numbers[stay])

    @cached_property
    def digest(self) -> str:
        """sha256 of everything: two maps with one digest divide any data alike."""
        sha = hashlib.sha256(f"shards/{self.n_shards}/{self.n_items}/{self.unit}/{self.key}".encode())
        for part in (self.table, self.numbers):
            sha.update(b"-" if part is None else part.astype(np.int64).tobytes())
        return sha.hexdigest()


def shards_of(data: Interactions, shard_map: ShardMap, parts: Sequence[str] = ("train",)) -> list[Interactions]:
    """Return the data of every shard: its pairs of the given parts; users, items and all else keep their numbers."""
    owners = {part: _owners(data.part(part), shard_map) for part in parts}
    return [_shard(data, owners, number) for number in range(shard_map.n_shards)]


def _owners(part: CSR | None, shard_map: ShardMap) -> np.ndarray | None:
    return None if part is None else shard_map.shards(row_ids(part), part.indices)


def _shard(data: Interactions, owners: dict[str, np.ndarray | None], number: int) -> Interactions:
    found: dict[str, Any] = {"valid": None, "test": None}
    for part, owner in owners.items():
        pairs = data.part(part)
        rows = None if owner is None or pairs is None else kept(pairs, owner == number)
        found[part] = rows if part == "train" or rows is None or rows.nnz else None
    return replace(data, **found)
