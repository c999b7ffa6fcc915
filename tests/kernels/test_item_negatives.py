import numpy as np
import pytest
from scipy.stats import chi2

from graphforget._core.errors import DataError
from graphforget._core.streams import draw_below
from graphforget.kernels import item_negatives as module
from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.item_negatives import check_rows, count_within, sample_items, sample_within, tail_sets
from graphforget.kernels.row_sets import RowSets

N = 40
SIZES = [0, 1, 3, 19, 20, 21, 30, 38, 39]
DRAWS = 8000


def chosen(sizes=SIZES, n=N, seed=0):
    rng = np.random.default_rng(seed)
    member = np.zeros((len(sizes), n), bool)
    for row, size in enumerate(sizes):
        member[row, rng.choice(n, size, replace=False)] = True
    return member, RowSets.of(edges_to_csr(*np.nonzero(member), len(sizes), n))


def counts(rows, drawn, n_rows, n):
    return np.bincount(rows * n + drawn, minlength=n_rows * n).reshape(n_rows, n)


def assert_drawn_as(seen, wanted):
    """Nothing of weight 0 is drawn, and every row passes a chi-square test against its weights."""
    assert (seen[wanted == 0] == 0).all()
    for got, weight in zip(seen, wanted, strict=True):
        free = weight > 0
        expected = weight[free] / weight.sum() * got.sum()
        assert ((got[free] - expected) ** 2 / expected).sum() < chi2.isf(1e-5, max(1, free.sum() - 1))


def test_uniform_outside_the_row():
    """Every size of row, from none to all but one: rejection up to half of the items, by rank above."""
    member, sets = chosen()
    rows = np.random.default_rng(1).permutation(np.repeat(np.arange(len(SIZES)), DRAWS))
    assert_drawn_as(counts(rows, sample_items(sets, rows, 7), len(SIZES), N), 1.0 - member)


def test_a_user_with_all_but_one_percent_of_many_items():
    rng = np.random.default_rng(0)
    free = np.sort(rng.choice(20_000, 200, replace=False))
    sets = RowSets.of(edges_to_csr(np.zeros(19_800, int), np.setdiff1d(np.arange(20_000), free), 1, 20_000))
    drawn = sample_items(sets, np.zeros(20_000, int), 3)
    assert np.array_equal(np.unique(drawn), free)
    seen = np.bincount(np.searchsorted(free, drawn))
    assert ((seen - 100) ** 2 / 100).sum() < chi2.isf(1e-4, 199)


def by_definition(member, row, key, slot):
    """Draws 64 slot to 64 slot + 62 until one is free, then by rank; at once by rank above half of the items."""
    free, n = np.flatnonzero(~member[row]), member.shape[1]
    if 2 * len(free) >= n:
        for attempt in range(module.TRIES):
            column = draw_below(key, slot * 64 + attempt, n)
            if not member[row, column]:
                return column
    return free[draw_below(key, slot * 64 + module.TRIES, len(free))]


@pytest.mark.parametrize("mixed", [False, True], ids=["alike rows together", "mixed rows"])
def test_every_draw_is_the_one_defined(mixed, same_for_any_threads):
    """Filters (few of 2,000), exact bitmaps (300 to 1,000) and dense rows (above), alone and side by side."""
    member, sets = chosen([0, 5, 60, 300, 1000, 1001, 1500, 1999], 2000)
    rows = np.repeat(np.arange(8), 320)
    rows = np.random.default_rng(3).permutation(rows) if mixed else rows
    assert same_for_any_threads(lambda: sample_items(sets, rows, 11))
    drawn = sample_items(sets, rows, 11)
    assert drawn.tolist() == [by_definition(member, row, np.uint64(11), slot) for slot, row in enumerate(rows)]


def test_the_last_item_is_drawn_and_none_beyond():
    _, sets = chosen([0], 7)
    assert np.unique(sample_items(sets, np.zeros(1000, int), 1)).tolist() == list(range(7))


def test_a_filter_row_never_yields_a_member(dense, random_csr):
    csr = random_csr(50, 3000, 5000, seed=4)
    rows = np.repeat(np.arange(50), 2000)
    drawn = sample_items(RowSets.of(csr), rows, 2)
    assert (dense(csr)[rows, drawn] == 0).all()
    assert len(np.unique(drawn)) > 2990


@pytest.mark.parametrize("power", [0.0, 0.75, 1.0])
def test_weighted_outside_the_row(power):
    """Among rows that hold little and rows that hold nearly all of the weight."""
    member, sets = chosen()
    popularity = np.random.default_rng(3).integers(1, 60, N)
    weights = popularity**power
    weights[[2, 11]] = 0
    weights[np.flatnonzero(~member[-1])] = 5.0  # the only item that the last row leaves
    rows = np.repeat(np.arange(len(SIZES)), DRAWS)
    seen = counts(rows, sample_items(sets, rows, 11, weights), len(SIZES), N)
    assert_drawn_as(seen, np.where(member, 0.0, weights))


def test_weights_that_live_on_one_member():
    """A row that holds nearly all of the weight: rejection would take for ever."""
    sets = RowSets.of(edges_to_csr(np.array([0]), np.array([3]), 1, 6))
    weights = np.array([1.0, 2.0, 0.0, 1e9, 3.0, 0.0])
    seen = np.bincount(sample_items(sets, np.zeros(DRAWS, int), 5, weights), minlength=6)[None]
    assert_drawn_as(seen, np.array([[1.0, 2.0, 0.0, 0.0, 3.0, 0.0]]))


def test_a_user_with_every_item_is_an_error_before_the_loop(monkeypatch):
    monkeypatch.setattr(module, "_sample", None)
    _, sets = chosen([2, N, 5])
    with pytest.raises(DataError, match=f"Row 1 holds all {N} columns"):
        sample_items(sets, np.array([0, 1, 2]), 1)
    with pytest.raises(DataError, match="Row 1"):
        check_rows(sets, np.array([2, 1]))
    check_rows(sets, np.array([0, 2, 0]))


def test_a_user_with_every_weighted_item_is_an_error_before_the_loop(monkeypatch):
    monkeypatch.setattr(module, "_sample_by_weight", None)
    member, sets = chosen([2, 30])
    with pytest.raises(DataError, match="Row 1 holds every column of weight above 0"):
        sample_items(sets, np.array([0, 1]), 1, member[1].astype(float))


def test_weights_must_fit():
    _, sets = chosen()
    with pytest.raises(DataError, match=r"\(39,\) weights for 40 items"):
        sample_items(sets, np.array([0]), 1, np.ones(N - 1))
    for weights in (np.zeros(N), np.full(N, -1.0), np.full(N, np.nan)):
        with pytest.raises(DataError, match="finite and at least 0"):
            sample_items(sets, np.array([0]), 1, weights)


def test_a_slot_does_not_depend_on_the_others():
    _, sets = chosen()
    rows = np.random.default_rng(0).integers(0, len(SIZES), 20_000)
    for weights in (None, np.arange(1.0, N + 1)):
        drawn = sample_items(sets, rows, 9, weights)
        assert np.array_equal(drawn[:10], sample_items(sets, rows[:10], 9, weights))
        assert not np.array_equal(drawn, sample_items(sets, rows, 10, weights))
        assert drawn.dtype == np.int32 and sample_items(sets, rows[:0], 9, weights).shape == (0,)
        assert sample_items(sets, rows[:3].astype(np.int32), 2**64 - 1, weights).shape == (3,)


def test_does_not_depend_on_the_threads(same_for_any_threads):
    _, sets = chosen()
    rows = np.random.default_rng(0).integers(0, len(SIZES), 30_000)
    assert same_for_any_threads(lambda: sample_items(sets, rows, 4))
    assert same_for_any_threads(lambda: sample_items(sets, rows, 4, np.arange(N)))
    pools = edges_to_csr(np.zeros(N, int), np.arange(N), 1, N)
    assert same_for_any_threads(lambda: sample_within(sets, rows, pools, np.zeros(30_000, int), 4))


def pooled(seed=0):
    rng = np.random.default_rng(seed)
    member, sets = chosen()
    inside = np.zeros((4, N), bool)
    for pool, size in enumerate([N, 25, 12, 6]):
        inside[pool, rng.choice(N, size, replace=False)] = True
    return member, sets, inside, edges_to_csr(*np.nonzero(inside), 4, N)


def test_uniform_within_a_pool():
    member, sets, inside, pools = pooled()
    rows, which = (part.ravel() for part in np.indices((len(SIZES), 4)))
    free = inside[which] & ~member[rows]
    assert np.array_equal(count_within(sets, rows, pools, which), free.sum(axis=1))
    some = free.any(axis=1)
    cells = np.repeat(np.flatnonzero(some), 4000)
    drawn = sample_within(sets, rows[cells], pools, which[cells], 6)
    assert_drawn_as(counts(cells, drawn, len(free), N)[some], free[some].astype(float))


def test_a_row_with_its_whole_pool_is_an_error_before_the_loop(monkeypatch):
    monkeypatch.setattr(module, "_sample_within", None)
    member, sets, _, _ = pooled()
    pools = edges_to_csr(np.zeros(3, int), np.flatnonzero(member[2]), 1, N)
    with pytest.raises(DataError, match="Row 2 holds all of pool 0"):
        sample_within(sets, np.array([0, 2]), pools, np.zeros(2, int), 1)


def test_wrong_tails_of_facts():
    facts = np.array([[0, 0, 1, 0, 5], [0, 0, 0, 1, 1], [2, 3, 4, 2, 3]])
    sets, rows, pools = tail_sets(facts, 2, 6)
    assert rows.tolist() == [0, 0, 2, 1, 3]
    assert pools.indptr.tolist() == [0, 3, 5] and pools.indices.tolist() == [2, 3, 4, 2, 3]
    drawn = sample_within(sets, np.repeat(rows, 200), pools, np.repeat(facts[1], 200), 1).reshape(5, 200)
    assert [np.unique(row).tolist() for row in drawn] == [[4], [4], [2, 3], [3], [2]]
    anything = sample_items(sets, np.repeat(rows, 300), 1).reshape(5, 300)
    assert [np.unique(row).tolist() for row in anything] == [
        [0, 1, 4, 5],
        [0, 1, 4, 5],
        [0, 1, 2, 3, 5],
        [0, 1, 3, 4, 5],
        [0, 1, 2, 4, 5],
    ]
