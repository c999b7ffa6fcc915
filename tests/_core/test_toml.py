"""What is written as TOML is what the standard library reads."""

from __future__ import annotations

import tomllib

import pytest

from graphforget._core.errors import DataError
from graphforget._core.toml import to_toml

VALUES = {
    "title": 'a "quoted" line\nand ünïcode, tab\t, \\ and \x7f',
    "seeds": [42, -1],
    "lr": 1e-05,
    "attack": False,
    "recipe": {"epochs": 3, "selection": "val_auc", "odd key": 1.5},
    "nothing": [],
    "grids": [{"data": ["a"], "load": {"core": [5, 10]}, "deletions": [{"name": "x", "fraction": 0.025}]}, {"n": 1}],
}


def test_what_is_written_is_read_back():
    assert tomllib.loads(to_toml(VALUES)) == VALUES


def test_none_is_left_out_everywhere():
    assert tomllib.loads(to_toml({"a": None, "b": {"c": None, "d": 1}, "e": [{"f": None}]})) == {
        "b": {"d": 1},
        "e": [{}],
    }


@pytest.mark.parametrize("value", [float("nan"), float("inf"), object(), [object()], {"a": b"bytes"}])
def test_what_has_no_form_is_refused(value):
    with pytest.raises(DataError):
        to_toml({"value": value})
