"""Hostile pickles of interactions: they call, lie, hold something else or are damaged. Nothing they name is run."""

from __future__ import annotations

import os
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.load import load

FLAG = "gone-wrong"
TOUCH = f"touch {FLAG}"


class Bomb:
    """Pickles to a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call[0], self.call[1:]


def changed(matrix: Any, **parts: Any) -> bytes:
    """Return the pickle of a matrix with other parts than it says."""
    vars(matrix).update(parts)
    return pickle.dumps(matrix)


def coo() -> sp.coo_matrix:
    return sp.coo_matrix((np.ones(2), ([0, 1], [1, 2])), shape=(2, 3))


MATRICES: dict[str, tuple[Any, str]] = {
    "a call": (Bomb(os.system, TOUCH), ".system | Nothing was run | save_npz"),
    "eval": (Bomb(eval, f"open('{FLAG}', 'w')"), "eval | Nothing was run"),
    "a call for values": (changed(coo(), data=Bomb(os.system, TOUCH)), ".system"),
    "a call within lists": ([[Bomb(os.system, TOUCH)]], ".system"),
    "a dense matrix": (np.ones((2, 3)), "holds a ndarray | SciPy matrix of users x items | save_npz"),
    "a dict": ({"train": [1]}, "holds a dict | write a table 'user,item'"),
    "a text": ("hello", "holds a str"),
    "another form": (sp.lil_matrix(np.eye(2, 3)), "asks for 'scipy.sparse._lil.lil_matrix' | CSR, COO"),
    "a row out of range": (changed(coo(), coords=(np.array([0, 9]), np.array([1, 2]))), "not a readable array file"),
    "a column below 0": (changed(coo(), coords=(np.array([0, 1]), np.array([-1, 2]))), "not a readable array file"),
    "rows without columns": (changed(coo(), coords=(np.array([0, 1]),)), "not a readable array file"),
    "fewer rows than values": (changed(coo(), coords=(np.array([0]), np.array([1]))), "not a readable array file"),
    "objects for rows": (changed(coo(), coords=(np.array([None, 1]), np.array([1, 2]))), "not a readable array file"),
    "no shape": (changed(coo(), _shape=None), "not a readable array file"),
    "a shape of three": (changed(coo(), _shape=(2, 3, 4)), "not a readable array file"),
    "a negative shape": (changed(coo(), _shape=(-2, 3)), "not a readable array file"),
    "far more rows than entries": (
        changed(coo(), _shape=(1 << 40, 3)),
        "1,099,511,627,776 x 3 | at most 1,000,000 rows",
    ),
    "far more columns": (changed(coo(), _shape=(2, 1 << 40)), "2 x 1,099,511,627,776 | at most 1,000,000 rows"),
    "all zero": (sp.coo_matrix((2, 3)), "every entry of the matrix is zero"),
    "square": (sp.coo_matrix(np.eye(3)), "square matrix of 3 rows | n_users="),
    "cut short": (pickle.dumps(coo())[:-9], "not a readable array file | cut short"),
    "garbage": (bytes(range(256)), "not a readable array file"),
    "empty": (b"", "the file is empty"),
}


@pytest.mark.parametrize("folder", [True, False])
@pytest.mark.parametrize("case", MATRICES)
def test_matrices(refused, tmp_path, monkeypatch, case, folder):
    monkeypatch.chdir(tmp_path)
    value, words = MATRICES[case]
    path = tmp_path / "trnMat.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value))
    wanted = ["trnMat.pkl", *words.split(" | ")]
    assert not refused(tmp_path, lambda: load(tmp_path if folder else path), DataError, wanted)
    assert not Path(FLAG).exists()


def test_parts_of_different_shape(refused, tmp_path):
    for name, shape in (("trnMat", (3, 4)), ("tstMat", (3, 5))):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(sp.coo_matrix(np.eye(*shape))))
    words = ["trnMat.pkl", "train 3 x 4, test 3 x 5", "must agree"]
    assert not refused(tmp_path, lambda: load(tmp_path), DataError, words)


DICTS: dict[str, tuple[Any, str]] = {
    "a call": ({1: Bomb(os.system, TOUCH)}, ".system | Nothing was run"),
    "a call as user": ({Bomb(os.system, TOUCH): [1]}, ".system"),
    "a list": (np.array([[1, 2], None], dtype=object), "array of object of shape (2,) | one Python dict"),
    "an array": (np.ones(3), "array of float64 of shape (3,) | one Python dict"),
    "a lone text": (np.array("x", dtype=object), "not a readable array file"),
    "text as user": ({"ann": [1]}, "the user 'ann' is not an integer | 'user,item'"),
    "a true user": ({True: [1]}, "the user True is not an integer"),
    "text as items": ({1: "23"}, "items of user 1 must be a list | found a str"),
    "a number as items": ({1: 2}, "items of user 1 must be a list | found a int"),
    "text as item": ({1: [2, "x"]}, "the item 'x' of user 1 is not an integer"),
    "a fraction": ({1: [2.5]}, "the item 2.5 of user 1"),
    "a huge item": ({1: [1 << 70]}, "of user 1 is not an integer"),
    "lists in lists": ({1: [[2]]}, "the item [2] of user 1"),
    "a matrix of items": ({1: np.ones((2, 2))}, "of user 1 is not an integer"),
    "no user": ({}, "no user with an item"),
    "no item": ({1: [], 2: []}, "no user with an item"),
    "no array": (b"\x80\x04}.", "not a NumPy array"),
    "empty": (b"", "the file is empty"),
}


@pytest.mark.parametrize("case", DICTS)
def test_dicts_of_lists(refused, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    value, words = DICTS[case]
    path = tmp_path / "pos_dict.npy"
    if isinstance(value, bytes):
        path.write_bytes(value)
    else:
        np.save(path, value, allow_pickle=True)
    assert not refused(tmp_path, lambda: load(path), DataError, ["pos_dict.npy", *words.split(" | ")])
    assert not Path(FLAG).exists()


def test_a_dict_that_is_cut_short(refused, tmp_path):
    path = tmp_path / "pos_dict.npy"
    np.save(path, {1: [2, 3]})
    path.write_bytes(path.read_bytes()[:-4])
    assert not refused(tmp_path, lambda: load(path), DataError, ["pos_dict.npy", "not a readable array file"])
