"""From a log of events to train, valid and test pairs: rating threshold, first events, k-core, split rules.

One rule orders everything that time does not: every pair (user, item) has a draw of its own, number
user * n_items + item of the stream. So no split depends on the order of the file, a user's split not on others, and
events at equal times (MovieLens has many of one user) stand in the order of their draws, not of item numbers.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError, unknown
from graphforget._core.numeric import is_integer
from graphforget._core.streams import Stream
from graphforget.data.checks import distinct
from graphforget.data.interaction_parts import PARTS, keys_of, rows_of
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import row_ids
from graphforget.kernels.orders import ranks_from_end

TRAIN, VALID, TEST = 0, 1, 2
MMREC_SMALL, MMREC_HELD_OUT = 10, 0.2
"""MMRec's splitter: users with fewer pairs hold out two; the others this share, half of it for each part."""


@dataclass(frozen=True, eq=False)
class Events:
    """A log: (m,) user and item numbers, with ratings and times where the file has them."""

    users: np.ndarray
    items: np.ndarray
    ratings: np.ndarray | None = None
    times: np.ndarray | None = None

    def __len__(self) -> int:
        return len(self.users)

    def take(self, rows: np.ndarray) -> Events:
        """Return the events at positions or under a boolean mask."""
        ratings, times = (None if part is None else part[rows] for part in (self.ratings, self.times))
        return Events(self.users[rows], self.items[rows], ratings, times)

    @property
    def keys(self) -> np.ndarray:
        """(m,) int64, equal for equal pairs."""
        return self.users.astype(np.int64) * (int(self.items.max(initial=0)) + 1) + self.items


def rated_at_least(events: Events, min_rating: float) -> np.ndarray:
    """Return the mask of the events rated `min_rating` or more.

    Raises UsageError when the log has no ratings, DataError when a rating is NaN or no event is left.
    """
    if events.ratings is None:
        raise UsageError(
            f"'min_rating' is {min_rating:g}, but the log has no ratings. Name that column, or leave it out."
        )
    ratings = np.asarray(events.ratings, dtype=np.float64)
    broken = np.flatnonzero(np.isnan(ratings))
    if len(broken):
        raise DataError(f"The rating of event {broken[0]} (from 0) is NaN. Fix it, or take the event out.")
    keep = ratings >= min_rating
    if not keep.any():
        found = f"ratings go from {ratings.min():g} to {ratings.max():g}" if len(ratings) else "the log has no events"
        raise DataError(f"No event is rated {min_rating:g} or more ({found}). Lower 'min_rating'.")
    return keep


def first_events(events: Events) -> np.ndarray:
    """Return the ascending positions of the first event of every pair: the earliest; at equal times the upper row."""
    order = np.arange(len(events)) if events.times is None else np.argsort(events.times, kind="stable")
    _, first = np.unique(events.keys[order], return_index=True)
    return np.sort(order[first])


def in_core(events: Events, k: int | tuple[int, int]) -> np.ndarray:
    """Return the mask of the events in the k-core: users and items with at least k distinct partners in it.

    Users and items with fewer leave together, again and again until none is left that has fewer.

    Parameters
    ----------
    k: at least so many pairs of every user and item; (k_users, k_items) to ask for different numbers.

    Raises UsageError when k is no such number, DataError when no event is left.
    """
    least = k if isinstance(k, tuple) else (k, k)
    if len(least) != 2 or not all(is_integer(n, 1) for n in least):
        raise UsageError(f"'core' must be an integer of at least 1, or two of them for users and items; got {k!r}.")
    _, first, pair_of = np.unique(events.keys, return_index=True, return_inverse=True)
    pairs = events.take(first)
    keep = _fixed_point(pairs.users, pairs.items, least)
    if len(events) and not keep.any():
        raise DataError(
            f"No user and item is left with {least[0]} and {least[1]} pairs each. Lower 'core' (or 'min_rating')."
        )
    return keep[pair_of]


def _fixed_point(users: np.ndarray, items: np.ndarray, least: tuple[int, int]) -> np.ndarray:
    keep = np.ones(len(users), dtype=bool)
    while True:
        enough = [
            np.bincount(side[keep], minlength=int(side.max(initial=0)) + 1)[side] >= n
            for side, n in zip((users, items), least, strict=True)
        ]
        left = keep & enough[0] & enough[1]
        if np.array_equal(left, keep):
            return keep
        keep = left


def parts_digest(parts: Sequence[np.ndarray]) -> str:
    """Return a sha256 of the numbers in the parts of a split, in their order, and of the parts' shapes."""
    sha = hashlib.sha256()
    add_parts(sha, parts)
    return sha.hexdigest()


def add_parts(sha: hashlib._Hash, parts: Iterable[np.ndarray]) -> None:
    """Add the shape and the numbers of every part to a digest."""
    for part in parts:
        sha.update(f"{part.shape}".encode() + np.ascontiguousarray(part, dtype=np.int64).tobytes())


def whole_share(n: np.ndarray | int, share: float) -> Any:
    """Return share * n rounded down: what is whole but for the last digits of a float counts as whole."""
    return np.floor(np.asarray(n) * share + 1e-9).astype(np.int64)


def _share(n: np.ndarray | int, share: float) -> Any:
    """Return share * n rounded, halves up."""
    return np.floor(np.asarray(n) * share + (0.5 + 1e-9)).astype(np.int64)


def _ranked(group: np.ndarray, *keys: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return for every row its rank from the end of its group (0 is the last) and the size of its group.

    keys: what orders a group, the most important first.
    """
    order = np.lexsort((*keys[::-1], group))
    sizes = np.bincount(group)
    ends = np.cumsum(sizes)[group[order]]
    rank = np.empty(len(group), dtype=np.int64)
    rank[order] = ends - 1 - np.arange(len(group))
    return rank, sizes[group]


def _labels(from_end: np.ndarray, n_valid: np.ndarray | int, n_test: np.ndarray | int) -> np.ndarray:
    """Return TEST for the last n_test of a group, VALID for the n_valid before them, else TRAIN."""
    return np.where(from_end < n_test, TEST, np.where(from_end < n_test + n_valid, VALID, TRAIN)).astype(np.int8)


def _random(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    from_end, n = _ranked(np.zeros(len(events), dtype=np.int64), draws)
    return _labels(from_end, _share(n, valid), _share(n, test))


def _global_time(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    assert events.times is not None
    from_end, n = _ranked(np.zeros(len(events), dtype=np.int64), events.times, draws)
    return _labels(from_end, _share(n, valid), _share(n, test))


def _by_ratio(from_end: np.ndarray, n: np.ndarray, valid: float, test: float) -> np.ndarray:
    """Return the labels of a ratio per user; one pair at least stays in train (valid gives way, then test)."""
    n_test = np.minimum(_share(n, test), n - 1)
    return _labels(from_end, np.minimum(_share(n, valid), n - 1 - n_test), n_test)


def _user(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    return _by_ratio(*_ranked(events.users, draws), valid, test)


def _user_time(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    assert events.times is not None
    return _by_ratio(*_ranked(events.users, events.times, draws), valid, test)


def _one_each(from_end: np.ndarray, n: np.ndarray) -> np.ndarray:
    """Return the last pair of a user as test and the one before as valid; users of one or two pairs hold out less."""
    return _labels(from_end, (n > 2).astype(np.int64), (n > 1).astype(np.int64))


def _leave_one_out(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    del valid, test
    assert events.times is not None
    return _one_each(*_ranked(events.users, events.times, draws))


def _leave_one_out_random(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    del valid, test
    return _one_each(*_ranked(events.users, draws))


def _mmrec(events: Events, draws: np.ndarray, valid: float, test: float) -> np.ndarray:
    del valid, test
    from_end, n = _ranked(events.users, draws)
    held_out = whole_share(n, MMREC_HELD_OUT)
    n_valid, n_test = held_out // 2, held_out - held_out // 2
    return np.where(n < MMREC_SMALL, _one_each(from_end, n), _labels(from_end, n_valid, n_test))


_Rule = Callable[[Events, np.ndarray, float, float], np.ndarray]
_RULES: dict[str, _Rule] = {
    "random": _random,
    "user": _user,
    "user-time": _user_time,
    "global-time": _global_time,
    "leave-one-out": _leave_one_out,
    "leave-one-out-random": _leave_one_out_random,
    "mmrec": _mmrec,
}
RULES = tuple(_RULES)
TIMED = ("user-time", "global-time", "leave-one-out")
RATIOS = ("random", "user", "user-time", "global-time")


def split(
    events: Events, rule: str, stream: Stream, valid: float = 0.1, test: float = 0.1, n_items: int | None = None
) -> np.ndarray:
    """Return the part of every event, (m,) int8: 0 train, 1 valid, 2 test.

    Parameters
    ----------
    events: a log in which every pair stands once (see `first_events`).
    rule: "random": shares of all pairs; "user": shares of every user's pairs, drawn at random; "user-time": the same,
        the latest in test, those before in valid; "global-time": the latest of all pairs; "leave-one-out": of every
        user the latest in test and the one before in valid; "leave-one-out-random": the same with two random ones;
        "mmrec": at random, of every user with fewer than 10 pairs one each, else 20 % held out, half of it (rounded
        down) for valid and the rest for test. The three last leave a user with one pair all of it, and of two pairs
        hold out one, for test (MMRec's data have no such users).
    valid, test: shares in [0, 1), together below 1, for the rules that have them; a share of n pairs is rounded, halves
        up, and in a split per user one pair at least stays in train.
    n_items: number of items, for the draws; the largest item + 1 when None.

    Raises UsageError for an unknown rule, shares that are no such numbers, or a rule by time for a log without times;
    DataError when a pair stands twice or a time is NaN.
    """
    if rule not in _RULES:
        raise UsageError(unknown("split", rule, RULES))
    _check(events, rule, valid, test)
    draws = stream.at(events.users.astype(np.int64) * _n_items(events, n_items) + events.items)
    return _RULES[rule](events, draws, valid, test)


def _n_items(events: Events, n_items: int | None) -> int:
    return int(events.items.max(initial=0)) + 1 if n_items is None else n_items


def _check(events: Events, rule: str, valid: float, test: float) -> None:
    shares = rule not in RATIOS or (valid >= 0 and test >= 0 and valid + test < 1)
    if not shares:
        raise UsageError(
            f"Split '{rule}': 'valid' and 'test' must be shares of at least 0, together below 1; got {valid} and "
            f"{test}."
        )
    if rule in TIMED and events.times is None:
        plain = {"user-time": "user", "global-time": "random", "leave-one-out": "leave-one-out-random"}[rule]
        raise UsageError(f"Split '{rule}' needs times, but the log has none. Name that column, or use '{plain}'.")
    if rule in TIMED and np.isnan(np.asarray(events.times, dtype=np.float64)).any():
        raise DataError(f"Split '{rule}': some events have no time (NaN). Fix them, or use another split.")
    if len(distinct(events.keys)) < len(events):
        raise DataError(f"Split '{rule}': a pair of user and item stands twice; keep the first event of each pair.")


def parts_of(events: Events, labels: np.ndarray) -> dict[str, np.ndarray | None]:
    """Return {"train": ..., "valid": ..., "test": ...}, each (2, m) pairs or None without any, for `build`."""
    pairs = np.stack([events.users, events.items]).astype(np.int64)
    found = {name: pairs[:, labels == number] for number, name in enumerate(PARTS)}
    return {name: part if part.shape[1] or name == "train" else None for name, part in found.items()}


def hold_out(data: Interactions, share: float, stream: Stream, part: str = "valid") -> Interactions:
    """Return the data with a random share of every user's train pairs moved to a part that is not there yet.

    The share is rounded, halves up, and every user keeps one train pair at least.

    Raises DataError when the data have that part already, UsageError when the share is not in (0, 1).
    """
    if part not in PARTS[1:]:
        raise UsageError(unknown("part to hold out", part, PARTS[1:]))
    if not 0 < share < 1:
        raise UsageError(f"The share of pairs to hold out must be above 0 and below 1 (10 % is 0.1); got {share}.")
    if data.part(part) is not None:
        raise DataError(f"Interactions '{data.name}' have a {part} part already; nothing is held out beside it.")
    keys = keys_of(data.train)
    from_end, n = ranks_from_end(data.train.indptr, stream.at(keys)), data.user_degrees[row_ids(data.train)]
    out = from_end < np.minimum(_share(n, share), n - 1)
    train, moved = (rows_of(left, data.n_users, data.n_items) for left in (keys[~out], keys[out]))
    changes: dict[str, Any] = {"train": train, part: moved}
    return replace(data, **changes)
