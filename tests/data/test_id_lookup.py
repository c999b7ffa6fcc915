"""Ids that are not there: what may have been meant by them."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.data.id_lookup import id_table, numbers_of


@pytest.mark.parametrize(
    ("ids", "asked", "meant"),
    [
        (["u-0142", "u-0151", "ann"], "u-0141", None),
        (["u-0142", "v-0141", "ann"], "u-0141", None),
        (["40", "10", "u17"], "17", None),
        (["1.12", "112", "ann"], "11.2", None),
        (["-17", "10", "ann"], "17", None),
        (["u-0142", "u-0141", "ann"], "U0141", "u-0141"),
        (["item 9", "item 99", "ann"], " Item-9", "item 9"),
        (["ann", "anna1", "carl"], "anna", "ann"),
    ],
)
def test_only_a_slip_of_the_pen_is_suggested_for_ids_with_digits(ids, asked, meant):
    """The user may have been deleted: an id that is near by its letters alone would be another person's."""
    words = r"Take unknown ids" if meant is None else f"Did you mean '{meant}'\\?"
    with pytest.raises(DataError, match=rf"1 of 1 listed are not in it\)\. {words}"):
        numbers_of([asked], id_table(np.array(ids)), len(ids), "user", "shop")
