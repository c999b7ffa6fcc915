"""From a log to parts: thresholds, first events, k-core, the split rules and their ties."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from hypothesis import given as cases
from hypothesis import settings
from hypothesis import strategies as st

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.data.splits import (
    RULES,
    TEST,
    TIMED,
    TRAIN,
    VALID,
    Events,
    first_events,
    hold_out,
    in_core,
    parts_of,
    rated_at_least,
    split,
)

STREAM = Streams(0)("split")


def log(sizes, times=None, n_items=200, seed=0) -> Events:
    """Return events of users with so many distinct items each, in random order; times default to a permutation."""
    rng = np.random.default_rng(seed)
    users = np.repeat(np.arange(len(sizes)), sizes)
    items = np.concatenate([rng.permutation(n_items)[:n] for n in sizes] or [[]]).astype(np.int64)
    order = rng.permutation(len(users))
    when = rng.permutation(len(users)) if times is None else times
    return Events(users[order], items[order], times=np.asarray(when))


def counts(events: Events, labels: np.ndarray, user: int) -> list[int]:
    """Return how many pairs of a user are in train, valid and test."""
    return np.bincount(labels[events.users == user], minlength=3).tolist()


def test_ratings_at_the_threshold_stay():
    events = Events(np.zeros(4, int), np.arange(4), ratings=np.array([3.5, 4, 4.5, 1]))
    assert rated_at_least(events, 4).tolist() == [False, True, True, False]


def test_the_first_event_of_a_pair_is_the_earliest_then_the_upper():
    events = Events(np.array([0, 0, 1, 0, 1]), np.array([7, 7, 7, 3, 7]), times=np.array([5, 2, 4, 9, 4]))
    assert first_events(events).tolist() == [1, 2, 3]
    assert first_events(Events(events.users, events.items)).tolist() == [0, 2, 3]


def test_the_core_is_a_fixed_point():
    """A path u0 - i0 - u1 - i1 - u2 falls apart from its ends; a 2 x 2 block beside it stays."""
    users, items = np.array([0, 1, 1, 2, 3, 3, 4, 4, 3]), np.array([0, 0, 1, 1, 2, 3, 2, 3, 2])
    assert in_core(Events(users, items), 2).tolist() == [False] * 4 + [True] * 5
    assert in_core(Events(users, items), 1).all()
    assert in_core(Events(users, items), (1, 2)).tolist() == [True] * 9
    assert in_core(Events(users, items), (2, 1)).tolist() == [False, True, True, False, True, True, True, True, True]


@cases(st.lists(st.tuples(st.integers(0, 7), st.integers(0, 7)), min_size=1, max_size=60), st.integers(1, 4))
@settings(max_examples=40, deadline=None)
def test_the_core_equals_that_of_networkx(pairs, k):
    users, items = np.array(pairs).T
    graph = nx.Graph((f"u{u}", f"i{i}") for u, i in pairs)
    core = nx.k_core(graph, k)
    if not core.number_of_edges():
        with pytest.raises(DataError, match="Lower 'core'"):
            in_core(Events(users, items), k)
        return
    expected = [core.has_edge(f"u{u}", f"i{i}") for u, i in pairs]
    assert in_core(Events(users, items), k).tolist() == expected


def test_random_takes_shares_of_everything():
    events = log([50, 30, 25])
    labels = split(events, "random", STREAM, valid=0.1, test=0.2)
    assert np.bincount(labels).tolist() == [105 - 11 - 21, 11, 21]


@pytest.mark.parametrize("rule", ["user", "user-time"])
def test_shares_of_every_user_are_rounded_halves_up(rule):
    sizes = [1, 2, 4, 5, 10, 15, 24, 200]
    events = log(sizes)
    labels = split(events, rule, STREAM)
    held = [0, 0, 0, 1, 1, 2, 2, 20]
    assert [counts(events, labels, user) for user in range(8)] == [
        [n - 2 * h, h, h] for n, h in zip(sizes, held, strict=True)
    ]


def test_one_pair_of_every_user_stays_in_train():
    events = log([1, 2, 3, 4])
    labels = split(events, "user", STREAM, valid=0.4, test=0.5)
    assert [counts(events, labels, user) for user in range(4)] == [[1, 0, 0], [1, 0, 1], [1, 0, 2], [1, 1, 2]]


@pytest.mark.parametrize("rule", ["user-time", "leave-one-out"])
def test_times_order_the_parts_of_every_user(rule):
    events = log([12, 30, 9])
    labels = split(events, rule, STREAM, valid=0.2, test=0.2)
    for user in range(3):
        mine = events.users == user
        train, valid, test = (events.times[mine & (labels == part)] for part in (TRAIN, VALID, TEST))
        assert train.max() < valid.min() and valid.max() < test.min()


def test_global_time_cuts_all_pairs_at_two_moments():
    events = log([40, 3, 57])
    labels = split(events, "global-time", STREAM, valid=0.1, test=0.2)
    assert np.bincount(labels).tolist() == [70, 10, 20]
    train, valid, test = (events.times[labels == part] for part in (TRAIN, VALID, TEST))
    assert train.max() < valid.min() and valid.max() < test.min()


@pytest.mark.parametrize("rule", ["leave-one-out", "leave-one-out-random"])
def test_leave_one_out_takes_one_each_while_train_keeps_one(rule):
    events = log([1, 2, 3, 50])
    labels = split(events, rule, STREAM)
    assert [counts(events, labels, user) for user in range(4)] == [[1, 0, 0], [1, 0, 1], [1, 1, 1], [48, 1, 1]]


def test_leave_one_out_takes_the_latest():
    events = Events(np.array([0, 0, 0, 1, 1, 1]), np.array([1, 2, 3, 1, 2, 3]), times=np.array([9, 5, 7, 2, 4, 3]))
    assert split(events, "leave-one-out", STREAM).tolist() == [TEST, TRAIN, VALID, TRAIN, TEST, VALID]


def test_mmrec_holds_out_two_of_few_and_a_fifth_of_many():
    sizes = [5, 9, 10, 14, 15, 20, 100]
    events = log(sizes)
    labels = split(events, "mmrec", STREAM)
    assert [counts(events, labels, user)[1:] for user in range(7)] == [
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 1],
        [1, 2],
        [2, 2],
        [10, 10],
    ]


@pytest.mark.parametrize("rule", RULES)
def test_a_split_does_not_depend_on_the_order_of_the_file(rule):
    events = log([12, 30, 9], times=np.random.default_rng(1).integers(0, 4, 51))
    turn = np.random.default_rng(2).permutation(51)
    labels = split(events, rule, STREAM)
    assert np.array_equal(split(events.take(turn), rule, STREAM), labels[turn])
    assert labels.dtype == np.int8 and len(labels) == 51


@pytest.mark.parametrize("rule", [rule for rule in RULES if rule not in ("random", "global-time")])
def test_a_users_split_does_not_depend_on_other_users(rule):
    events = log([12, 30, 9])
    labels = split(events, rule, STREAM, n_items=200)
    mine = events.users != 1
    assert np.array_equal(split(events.take(mine), rule, STREAM, n_items=200), labels[mine])


@pytest.mark.parametrize("rule", RULES)
def test_seeds_decide_what_time_does_not(rule):
    events = log([12, 30, 40], times=np.zeros(82))
    draws = {split(events, rule, Streams(seed)("split")).tobytes() for seed in range(4)}
    assert len(draws) == 4


@pytest.mark.parametrize("rule", TIMED)
def test_ties_do_not_follow_the_item_numbers(rule):
    """All 400 users rate their 10 items at once: the held-out ones have an ordinary mean number."""
    events = log([10] * 400, times=np.zeros(4000), n_items=10)
    labels = split(events, rule, STREAM)
    assert events.items[labels == TEST].mean() == pytest.approx(4.5, abs=0.45)  # 3 deviations of a mean of 400
    assert events.items[labels == VALID].mean() == pytest.approx(4.5, abs=0.45)


def test_only_what_ties_is_drawn():
    events = Events(np.zeros(6, int), np.arange(6), times=np.array([1, 1, 1, 2, 3, 3]))
    for seed in range(8):
        labels = split(events, "leave-one-out", Streams(seed)("split"))
        assert sorted(labels[4:]) == [VALID, TEST] and not labels[:4].any()


def test_times_beyond_float_precision_are_told_apart():
    when = np.array([2**60, 2**60 + 2, 2**60 + 1], dtype=np.int64)
    assert split(Events(np.zeros(3, int), np.arange(3), times=when), "leave-one-out", STREAM).tolist() == [0, 2, 1]


def test_parts_go_into_interactions():
    events = log([5, 10, 20])
    parts = parts_of(events, split(events, "user", STREAM))
    data = Interactions.build(3, 200, **parts)
    assert (data.train.nnz, data.valid.nnz, data.test.nnz) == (27, 4, 4) and not any(
        "stand in" in n for n in data.notes
    )
    assert parts_of(events, np.zeros(35, np.int8))["test"] is None


@pytest.fixture
def shop() -> Interactions:
    """Four users with 1, 4, 5 and 40 train pairs."""
    events = log([1, 4, 5, 40])
    return Interactions.build(4, 200, [events.users, events.items], test=[[0], [3]], name="shop")


def test_hold_out_moves_a_share_of_every_user(shop):
    left = hold_out(shop, 0.1, STREAM)
    assert np.diff(left.valid.indptr).tolist() == [0, 0, 1, 4]
    together = np.concatenate([left.pairs("train"), left.pairs("valid")], axis=1)
    assert np.array_equal(together[:, np.lexsort(together[::-1])], shop.pairs("train"))
    assert left.test is shop.test and shop.valid is None
    assert hold_out(shop, 0.1, STREAM).digest == left.digest != hold_out(shop, 0.1, Streams(1)("split")).digest


def test_hold_out_keeps_one_pair_of_everybody(shop):
    assert np.diff(hold_out(shop, 0.9, STREAM).train.indptr).tolist() == [1, 1, 1, 4]


def test_what_is_held_out_of_a_user_depends_on_that_user_alone(shop):
    fewer = hold_out(shop.without(users=np.array([2])), 0.5, STREAM)
    kept = hold_out(shop, 0.5, STREAM).without(users=np.array([2]))
    assert fewer.digest == kept.digest


def test_what_is_held_out_are_the_largest_draws_of_every_pair():
    """Every pair has a draw of its own, so users with the same items do not hold out the same ones."""
    users, items = np.repeat(np.arange(6), 8), np.tile(np.arange(8), 6)
    left = hold_out(Interactions.build(6, 11, np.stack([users, items])), 0.25, STREAM)
    largest = [np.argsort(STREAM.at(user * 11 + np.arange(8)))[-2:] for user in range(6)]
    assert left.valid.indices.reshape(6, 2).tolist() == np.sort(largest, axis=1).tolist()
    assert len(np.unique(np.sort(largest, axis=1), axis=0)) > 1


def test_hold_out_of_nobody():
    empty = Interactions.build(2, 3, np.empty((2, 0), dtype=np.int64))
    assert hold_out(empty, 0.5, STREAM).valid.nnz == 0


def test_what_cannot_be_held_out(shop):
    for share in (0, 1, -0.1, 1.5):
        with pytest.raises(UsageError, match="above 0 and below 1"):
            hold_out(shop, share, STREAM)
    with pytest.raises(DataError, match="have a test part already"):
        hold_out(shop, 0.1, STREAM, part="test")
    with pytest.raises(UsageError, match="Unknown part to hold out 'train'"):
        hold_out(shop, 0.1, STREAM, part="train")


@pytest.mark.parametrize(
    ("call", "kind", "words"),
    [
        (lambda e: split(e, "user-tine", STREAM), UsageError, "Did you mean 'user-time'?"),
        (lambda e: split(e, "random", STREAM, 0.5, 0.5), UsageError, "together below 1; got 0.5 and 0.5"),
        (lambda e: split(e, "user", STREAM, -0.1, 0.5), UsageError, "at least 0"),
        (lambda e: split(e, "random", STREAM, float("nan"), 0.5), UsageError, "at least 0"),
        (lambda e: split(Events(e.users, e.items), "leave-one-out", STREAM), UsageError, "leave-one-out-random"),
        (lambda e: split(Events(e.users, e.items), "global-time", STREAM), UsageError, "needs times.*use 'random'"),
        (lambda e: split(e.take(np.array([0, 0])), "random", STREAM), DataError, "stands twice"),
        (lambda e: split(Events(e.users, e.items, times=e.times * np.nan), "user-time", STREAM), DataError, "NaN"),
        (lambda e: rated_at_least(e, 4), UsageError, "'min_rating' is 4, but the log has no ratings"),
        (lambda e: rated_at_least(Events(e.users, e.items, e.times * 0.0), 4), DataError, "ratings go from 0 to 0"),
        (lambda e: rated_at_least(Events(e.users, e.items, e.times * np.nan), 4), DataError, "event 0 .* is NaN"),
        (lambda e: in_core(e, 0), UsageError, "'core' must be"),
        (lambda e: in_core(e, True), UsageError, "'core' must be"),
        (lambda e: in_core(e, (2, 2, 2)), UsageError, "'core' must be"),
        (lambda e: in_core(e, 50), DataError, "No user and item is left with 50 and 50 pairs each"),
    ],
)
def test_what_is_refused(call, kind, words):
    with pytest.raises(kind, match=words):
        call(log([5, 10]))
