import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphforget._core.errors import DataError
from graphforget._core.streams import draw_unit
from graphforget.kernels.alias import AliasTable, draw_weighted_outside


def probabilities(alias):
    """What the table gives every item, column by column."""
    n = len(alias.table)
    keep, other = (alias.table >> np.uint64(32)) / 2.0**32, (alias.table & np.uint64(2**32 - 1)).astype(int)
    out = keep.copy()
    np.add.at(out, other, 1.0 - keep)
    return out / n


@settings(deadline=None)
@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=60).filter(any))
def test_the_table_holds_the_weights(weights):
    alias = AliasTable.of(np.array(weights))
    share = np.array(weights) / np.sum(weights)
    assert np.allclose(probabilities(alias), share, rtol=0, atol=1e-9)
    units = np.diff(alias.before)
    assert np.array_equal(units > 0, np.array(weights) > 0)
    assert np.allclose(units / units.sum(), share, rtol=0, atol=1e-12)


def test_equal_weights_never_look_elsewhere():
    assert np.array_equal(AliasTable.of(np.ones(9)).table & np.uint64(2**32 - 1), np.arange(9))


def test_very_uneven_weights():
    weights = np.concatenate([[1e12], np.full(99_999, 1e-3)])
    assert probabilities(AliasTable.of(weights))[0] == pytest.approx(weights[0] / weights.sum(), abs=1e-8)


def test_outside_members_every_place_of_the_sum_names_its_item():
    weights = np.array([3, 0, 2, 4, 1, 0, 2])
    alias, members = AliasTable.of(weights), np.array([0, 4], np.int32)
    free = int(alias.before[-1] - alias.before[1] - (alias.before[5] - alias.before[4]))
    drawn = [draw_weighted_outside(alias, members, free, np.uint64(1), c) for c in range(4000)]
    shares = np.bincount(drawn, minlength=7) / 4000
    assert np.allclose(shares, np.array([0, 0, 2, 4, 0, 0, 2]) / 8, atol=0.04)
    assert shares[[0, 1, 4, 5]].sum() == 0


def test_a_place_at_the_very_start_of_an_item_names_it_and_no_member():
    """Of weights this small every place is drawn; those of `AliasTable.of` are too large for that."""
    weights, members = np.array([2, 1, 1, 3, 1, 2]), np.array([0, 2, 5], np.int32)
    alias = AliasTable(np.arange(6).astype(np.uint64), np.concatenate([[0], np.cumsum(weights)]))
    drawn = [draw_weighted_outside(alias, members, 5, np.uint64(1), counter) for counter in range(200)]
    places = (np.array([draw_unit(np.uint64(1), counter) for counter in range(200)]) * 5).astype(int)
    assert drawn == np.array([1, 3, 3, 3, 4])[places].tolist()
    assert set(places.tolist()) == set(range(5))


@pytest.mark.parametrize("weights", [[0.0, 0.0], [1.0, -1.0], [np.inf, 1.0], []])
def test_unfit_weights_are_refused(weights):
    with pytest.raises(DataError, match="finite and at least 0, and one must be above 0"):
        AliasTable.of(np.array(weights))
