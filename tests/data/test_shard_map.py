"""Which shard a pair is in, and what stays of a table after a deletion."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import UsageError
from graphforget._core.streams import draw_below
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap, shards_of


@pytest.fixture
def data():
    """30 users, 20 items, every part."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(600, 300, replace=False), 20)
    pairs = np.stack([users, items])
    return Interactions.build(30, 20, pairs[:, :200], pairs[:, 200:250], pairs[:, 250:])


def pairs_of(shards, part):
    return np.concatenate([shard.pairs(part) for shard in shards], axis=1)


@pytest.mark.parametrize("unit", ["user", "item", "interaction"])
def test_every_pair_is_in_one_shard_and_numbers_stay(data, unit):
    shards = shards_of(data, ShardMap(3, 20, unit, key=9), ("train", "valid"))
    for part in ("train", "valid"):
        found = pairs_of(shards, part)
        assert sorted(map(tuple, found.T.tolist())) == sorted(map(tuple, data.pairs(part).T.tolist()))
    assert all((one.n_users, one.n_items, one.test) == (30, 20, None) for one in shards)


def test_a_key_draws_shards_as_kernels_would():
    found = ShardMap(5, 20, "interaction", key=9).shards(np.array([0, 3, 7]), np.array([1, 0, 19]))
    assert found.tolist() == [draw_below(np.uint64(9), unit, 5) for unit in (1, 60, 159)]


def test_users_stay_together(data):
    shards = shards_of(data, ShardMap(3, 20, "user", key=9), ("train", "valid"))
    members = [set(np.concatenate([one.pairs("train")[0], one.pairs("valid")[0]]).tolist()) for one in shards]
    assert all(not (a & b) for i, a in enumerate(members) for b in members[:i])


def test_drawn_shards_depend_on_numbers_alone_and_are_uniform():
    users, items = np.divmod(np.arange(20_000), 100)
    found = ShardMap(4, 100, "interaction", key=5).shards(users, items)
    some = np.random.default_rng(0).permutation(20_000)[:50]
    assert ShardMap(4, 100, "interaction", key=5).shards(users[some], items[some]).tolist() == found[some].tolist()
    assert np.abs(np.bincount(found) - 5000).max() < 5 * np.sqrt(20_000 * 0.25 * 0.75)
    assert (found != ShardMap(4, 100, "interaction", key=6).shards(users, items)).mean() > 0.5


def test_a_table_of_interactions_knows_its_own_and_no_others():
    one = ShardMap(2, 10, "interaction", None, np.array([1, 0, 1]), np.array([3, 15, 27]))
    assert one.shards(np.array([2, 0, 1, 0]), np.array([7, 3, 5, 4])).tolist() == [1, 1, 0, -1]


def test_what_has_no_pair_any_more_leaves_a_table(data):
    left = data.without(users=np.array([4]), interactions=np.array([0]))
    by_user = ShardMap(2, 20, "user", None, np.arange(30) % 2).within(left)
    assert by_user.table[4] == -1 and by_user.table[5] == 1
    numbers = np.unique(np.concatenate([data.pairs(p)[0] * 20 + data.pairs(p)[1] for p in ("train", "valid", "test")]))
    by_pair = ShardMap(2, 20, "interaction", None, numbers % 2, numbers).within(left)
    stay = np.concatenate([left.pairs(p)[0] * 20 + left.pairs(p)[1] for p in ("train", "valid", "test")])
    assert by_pair.numbers.tolist() == sorted(stay.tolist())
    assert by_pair.table.tolist() == (by_pair.numbers % 2).tolist()


def test_the_digest_tells_maps_apart():
    maps = [
        ShardMap(2, 10, "user", key=1),
        ShardMap(2, 10, "user", key=2),
        ShardMap(2, 10, "interaction", key=1),
        ShardMap(2, 10, "user", None, np.zeros(4, int)),
        ShardMap(2, 10, "user", None, np.ones(4, int)),
    ]
    assert len({one.digest for one in maps}) == len(maps)


@pytest.mark.parametrize(
    "fields",
    [{}, {"key": 1, "table": np.zeros(3)}, {"unit": "interaction", "table": np.zeros(3)}, {"unit": "pair", "key": 1}],
)
def test_a_map_is_a_key_or_a_table(fields):
    with pytest.raises(UsageError, match="ShardMap"):
        ShardMap(**{"n_shards": 2, "n_items": 3, "unit": "user", **fields})
