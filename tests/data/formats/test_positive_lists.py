"""CURE4Rec's `pos_dict.npy`: lists, sets, arrays and numbers of NumPy give the same pairs."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.load import load

WHOLE = {"split": "random", "valid": 0, "test": 0}
FORMS = {
    "lists": {7: [30, 10], 4: [20]},
    "tuples": {4: (20,), 7: (10, 30)},
    "numbers of NumPy": {np.int64(7): [np.int32(10), np.int64(30)], np.int64(4): [np.uint8(20)]},
    "arrays": {7: np.array([30, 10]), 4: np.array([20], dtype=np.int16)},
    "sets": {7: {30, 10}, 4: {20}},
}


@pytest.mark.parametrize("form", FORMS)
def test_pairs_and_ids(tmp_path, form):
    np.save(tmp_path / "pos_dict.npy", FORMS[form])
    data = load(tmp_path / "pos_dict.npy", **WHOLE)
    assert data.user_ids.tolist() == [4, 7] and data.item_ids.tolist() == [10, 20, 30]
    assert data.pairs("train").tolist() == [[0, 1, 1], [1, 0, 2]]


def test_repeats_and_users_without_items_are_noted(tmp_path):
    np.save(tmp_path / "pos_dict.npy", {1: [5, 5], 2: []})
    notes = load(tmp_path / "pos_dict.npy", **WHOLE).notes
    assert "pos_dict.npy: 1 user without items passed over" in notes
    assert any(note.startswith("1 records repeat a pair") for note in notes)


def test_parts_under_any_name(tmp_path):
    np.save(tmp_path / "a.npy", {1: [5, 6], 2: [6]})
    np.save(tmp_path / "b.npy", {2: [5], 3: [9]})
    data = load(tmp_path / "a.npy", format="pos-dict", parts={"test": tmp_path / "b.npy"})
    assert data.user_ids.tolist() == [1, 2, 3] and data.item_ids.tolist() == [5, 6, 9]
    assert data.pairs("test").tolist() == [[1, 2], [0, 2]]
