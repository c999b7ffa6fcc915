"""Numbers of callers: NumPy's count, True and False do not, and what is stored is Python's."""

from __future__ import annotations

import json

import numpy as np
import pytest

import graphforget as gf
from graphforget._core.numeric import is_integer, is_number, plain


def test_what_counts_as_a_number():
    assert all(is_integer(value) and is_number(value) for value in (0, -3, np.int64(4), np.uint8(1)))
    assert all(is_number(value) and not is_integer(value) for value in (0.5, np.float32(0.5), np.float64(2)))
    assert not any(is_number(value) for value in (True, np.True_, "1", None, float("nan"), float("inf"), np.array([1])))
    assert not is_number(10**400) and is_integer(10**400)
    assert is_integer(np.int64(8), 1, 8) and not is_integer(9, 1, 8) and not is_integer(0, 1)


@pytest.mark.parametrize("value", [np.int64(4), np.float32(0.5), np.uint8(7)])
def test_numbers_of_numpy_become_plain(value):
    assert type(plain(value)) in (int, float) and plain(value) == value


def test_what_is_no_number_stays():
    assert plain("4") == "4" and plain(None) is None and plain(True) is True


def test_models_methods_and_recipes_take_them_and_keep_plain_ones():
    made = gf.GCN(hidden=np.int64(8)), gf.LightGCN(dim=np.int64(8), reg=np.float64(0.1), layers=np.int32(2))
    method = gf.methods().get("mmrecun", epochs=np.int64(3), alpha=np.float64(0.5))
    for config in (*(model.config() for model in made), method.config(), gf.Recipe(epochs=np.int64(3)).as_dict()):
        json.dumps(config)
    assert made[1].config() == gf.LightGCN(dim=8, reg=0.1, layers=2).config()
    assert method == gf.methods().get("mmrecun", epochs=3, alpha=0.5) and method.config()["epochs"] == 3


@pytest.mark.parametrize("amount", [np.float32(0.25), np.float64(0.25), np.int64(2)])
def test_shares_and_counts_of_numpy_are_told_apart(amount):
    task = gf.Recommendation(gf.load("sample-shop"))
    with_python = gf.sample_deletion(task, users=amount.item())
    assert gf.sample_deletion(task, users=amount).users == with_python.users


def test_a_seed_of_numpy_is_written_as_any_other(tmp_path):
    shop = gf.Recommendation(gf.load("sample-shop"), seed=np.int64(3))
    model = gf.train(gf.MF(dim=4), shop, seed=np.int64(5), epochs=1)
    gf.save_model(model, tmp_path / "m")
    receipt = gf.unlearn(model, shop, gf.Deletion(users=[1]), "mmrecun:epochs=1", seed=np.int64(2)).receipt()
    assert json.loads(json.dumps(receipt))["seed"] == 2 and type(shop.seed) is int


def test_numbers_beyond_all_floats_are_refused_in_words():
    for make in (lambda: gf.LightGCN(reg=10**400), lambda: gf.methods().get("d2dgn", alpha=10**400)):
        with pytest.raises(gf.UsageError, match="must be a number"):
            make()


def test_true_is_no_width():
    for make in (lambda: gf.GCN(hidden=True), lambda: gf.LightGCN(dim=True)):
        with pytest.raises(gf.UsageError, match="must be an integer in"):
            make()
