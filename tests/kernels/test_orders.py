import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2

from graphforget._core.errors import DataError
from graphforget.kernels import orders as module
from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.orders import (
    SHORT,
    epoch_order,
    pick_items,
    ranks_from_end,
    shuffled_pairs,
    user_draws,
    users_without_replacement,
)


def fits(seen, expected):
    return ((seen - expected) ** 2 / expected).sum() < chi2.isf(1e-4, len(seen) - 1)


@pytest.mark.parametrize("n", [0, 1, 2, 4095, 4096, 70_000, 300_001])
def test_is_a_permutation(n):
    order = epoch_order(n, 3)
    assert order.dtype == np.int64
    assert np.array_equal(np.sort(order), np.arange(n))


@pytest.mark.parametrize("bucket", [4096, 1], ids=["one bucket", "several buckets"])
def test_every_permutation_is_equally_likely(bucket, monkeypatch):
    monkeypatch.setattr(module, "BUCKET", bucket)
    every = {order: at for at, order in enumerate(itertools.permutations(range(5)))}
    seen = np.bincount([every[tuple(epoch_order(5, key).tolist())] for key in range(12_000)], minlength=120)
    assert fits(seen, 12_000 / math.factorial(5))


def test_places_and_elements_are_independent():
    n, parts = 200_000, 20
    order = epoch_order(n, 11)
    cells = (np.arange(n) * parts // n) * parts + order * parts // n
    assert fits(np.bincount(cells, minlength=parts**2), n / parts**2)
    assert abs(np.corrcoef(order[1:], order[:-1])[0, 1]) < 0.01
    assert (order == np.arange(n)).sum() < 12


@pytest.mark.parametrize("n", [1, 5000, 150_001])
def test_shuffled_pairs_are_the_pairs_in_the_order(n, same_for_any_threads):
    u, v = np.arange(n) // 3, np.random.default_rng(n).integers(0, 2**31 - 1, n)
    order = epoch_order(n, 9)
    assert same_for_any_threads(lambda: np.stack(shuffled_pairs(u, v, 9)))
    found = np.stack(shuffled_pairs(u, v, 9))
    assert found.dtype == np.int32 and np.array_equal(found, np.stack([u[order], v[order]]))


def test_keys_differ():
    assert not np.array_equal(epoch_order(1000, 1), epoch_order(1000, 2))
    assert np.array_equal(np.sort(epoch_order(1000, 2**64 - 1)), np.arange(1000))


def test_does_not_depend_on_the_threads(same_for_any_threads):
    csr = shop()
    assert same_for_any_threads(lambda: epoch_order(300_000, 5))
    assert same_for_any_threads(lambda: np.stack(user_draws(csr, 30_000, 5)))
    assert same_for_any_threads(lambda: np.stack(users_without_replacement(csr, 3, 900, 5)))


def shop():
    """Users 1, 3, 4 and 6 of eight have 1, 2, 5 and 3 items."""
    users = np.repeat([1, 3, 4, 6], [1, 2, 5, 3])
    return edges_to_csr(users, np.array([7, 0, 9, 1, 2, 3, 4, 5, 6, 8, 9]), 8, 10)


def per_pair(csr):
    """Draws of a (user, item) pair when users are drawn uniformly, then their items."""
    lengths = np.diff(csr.indptr)
    users = np.repeat(np.arange(csr.n_rows), lengths)
    return users * csr.n_cols + csr.indices, 1 / (lengths > 0).sum() / lengths[users]


@pytest.mark.parametrize(
    "draw",
    [
        lambda csr, count, key: user_draws(csr, count, key),
        lambda csr, count, key: users_without_replacement(csr, 3, count // 3, key),
        lambda csr, count, key: users_without_replacement(csr, 5, count // 5, key),
    ],
)
def test_users_are_uniform_and_so_are_their_items(draw):
    csr, count = shop(), 30_000
    users, items = draw(csr, count, 5)
    assert users.dtype == items.dtype == np.int32
    pairs, share = per_pair(csr)
    cells, seen = np.unique(users * 10 + items, return_counts=True)
    assert np.array_equal(cells, np.sort(pairs))
    assert fits(seen, share[np.argsort(pairs)] * count)


def test_a_batch_has_no_user_twice_and_every_arrangement_occurs():
    users, _ = users_without_replacement(shop(), 3, 24_000, 2)
    batches, seen = np.unique(users.reshape(-1, 3), axis=0, return_counts=True)
    assert batches.tolist() == [list(some) for some in itertools.permutations([1, 3, 4, 6], 3)]
    assert fits(seen, 1000)


def test_a_batch_of_all_users_holds_each_once_and_a_larger_one_repeats():
    assert (np.sort(users_without_replacement(shop(), 4, 50, 1)[0].reshape(50, 4)) == [1, 3, 4, 6]).all()
    repeated = users_without_replacement(shop(), 6, 50, 1)[0]
    assert repeated.shape == (300,)
    assert np.unique(repeated).tolist() == [1, 3, 4, 6]


def test_batches_do_not_depend_on_their_number():
    many, few = (users_without_replacement(shop(), 3, count, 4)[0] for count in (200, 7))
    assert np.array_equal(many[:21], few)


def test_picked_items_are_items_of_the_row():
    csr = shop()
    rows = np.tile([6, 1, 4], 500)
    items = pick_items(csr, rows, 3)
    assert {(int(u), int(i)) for u, i in zip(rows, items, strict=True)} == {
        *((1, 7),),
        *((4, i) for i in range(1, 6)),
        (6, 6),
        (6, 8),
        (6, 9),
    }


def test_nothing_to_draw_is_an_error():
    nobody = edges_to_csr(np.empty(0, int), np.empty(0, int), 3, 4)
    with pytest.raises(DataError, match="Row 2 has no entry"):
        pick_items(shop(), np.array([1, 2]), 0)
    with pytest.raises(DataError, match="nothing to draw"):
        user_draws(nobody, 5, 0)
    with pytest.raises(DataError, match="nothing to draw"):
        users_without_replacement(nobody, 5, 1, 0)


@settings(deadline=None)  # the first call compiles
@given(sizes=st.lists(st.integers(0, 6), max_size=8), high=st.sampled_from([3, 2**63]), long=st.booleans())
def test_ranks_are_those_of_a_stable_sort(sizes, high, long):
    sizes = np.array([*sizes, *([SHORT, SHORT + 1] if long else [])], dtype=np.int64)
    starts, rows = np.append(0, np.cumsum(sizes)), np.repeat(np.arange(len(sizes)), sizes)
    keys = np.random.default_rng(high).integers(0, high, len(rows)).astype(np.uint64)
    order = np.lexsort((keys, rows))
    expected = np.empty(len(rows), dtype=np.int64)
    expected[order] = (starts[1:][rows] - 1)[order] - np.arange(len(rows))
    assert np.array_equal(ranks_from_end(starts, keys), expected)
