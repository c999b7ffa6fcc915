"""The lists of one model: everything is ranked once, and each round keeps of it what may stand in its lists."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from torch import Tensor

from graphforget.kernels.csr import CSR, row_ids
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_lists import rows_of

SPARE = 30
"""Places beyond a round's that are ranked, to make up for what may not stand in its lists."""
BLOCK = 65_536
"""Pairs that are looked up in lists at a time."""


@dataclass(frozen=True, eq=False)
class Wide:
    """The ranking that rounds share: every item is a candidate, and only the pairs of `hidden` are left out."""

    hidden: CSR
    depth: int


@dataclass(frozen=True, eq=False)
class Round:
    """One ranking: whose lists, what is to be found in them, and what may stand in them.

    Attributes
    ----------
    users: (m,) int64 users, ascending. truth: the items to find, a row for each of them.
    depth: length of the lists.
    wide: the shared ranking that the lists are taken from, or None where nothing is hidden.
    barred: further pairs that are left out (rows are all users). candidates: (n_items,) items that may be recommended.
    """

    users: np.ndarray
    truth: CSR
    depth: int
    wide: Wide | None = None
    barred: CSR | None = None
    candidates: np.ndarray | None = None

    @property
    def hidden(self) -> list[CSR]:
        """All pairs that are left out."""
        shared = None if self.wide is None else self.wide.hidden
        return [part for part in (shared, self.barred) if part is not None]


@dataclass(eq=False)
class Ranker:
    """Makes the lists of a model, given its embeddings, for the rounds of a case.

    What a round bars is taken out of the shared lists, which are longer than its own; users for whom too little is left
    are ranked again. The lists are those that ranking every round by itself would give.
    """

    task: Recommendation
    z: Tensor
    rounds: Mapping[str, Round]
    _made: dict[str, np.ndarray] = field(default_factory=dict)

    def lists(self, name: str) -> np.ndarray:
        """Return the items of a round's lists, best first: (users, depth), -1 where no item is left."""
        if name not in self._made:
            found = self.rounds[name]
            self._made[name] = self._alone(found, found.users) if found.wide is None else self._taken(found)
        return self._made[name]

    def _alone(self, found: Round, users: np.ndarray) -> np.ndarray:
        return self.task.rank(self.z, users, found.depth, hidden=found.hidden, candidates=found.candidates)[0]

    def _taken(self, found: Round) -> np.ndarray:
        users, wide = self._shared(found.wide)
        ids = wide[np.searchsorted(users, found.users)]
        keep = ids >= 0
        if found.candidates is not None:
            keep &= found.candidates[ids]
        if found.barred is not None:
            _strike(keep, ids, rows_of(found.barred, found.users))
        order = np.argsort(~keep, axis=1, kind="stable")[:, : found.depth]
        lists = np.take_along_axis(np.where(keep, ids, -1), order, axis=1)
        short = (lists[:, -1] < 0) & (ids[:, -1] >= 0)
        if short.any():
            lists[short] = self._alone(found, found.users[short])
        return lists

    def _shared(self, wide: Wide | None) -> tuple[np.ndarray, np.ndarray]:
        """Return the users of all rounds that share a ranking, ascending, and their lists."""
        assert wide is not None
        users = np.unique(np.concatenate([one.users for one in self.rounds.values() if one.wide is wide]))
        if "wide" not in self._made:
            self._made["wide"] = self.task.rank(self.z, users, wide.depth + SPARE, hidden=[wide.hidden])[0]
        return users, self._made["wide"]


def _strike(keep: np.ndarray, ids: np.ndarray, barred: CSR) -> None:
    """Set keep to False where row r of `ids` holds an item of row r of `barred`."""
    rows, items = row_ids(barred), barred.indices
    for first in range(0, len(items), BLOCK):
        part = slice(first, first + BLOCK)
        at, place = np.nonzero(ids[rows[part]] == items[part, None])
        keep[rows[part][at], place] = False
