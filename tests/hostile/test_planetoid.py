"""Hostile Planetoid files: pickles that call, lie or are damaged. Nothing they name is ever run."""

from __future__ import annotations

import os
import pickle
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats import pickled_arrays
from graphforget.data.load import load


def planetoid(folder: Path, **replaced: Any) -> Path:
    """Write a Cora folder of 3 + 1 nodes, with some parts replaced by bytes or values to pickle."""
    raw = folder / "planetoid/Cora/raw"
    raw.mkdir(parents=True)
    x, y = sp.csr_matrix(np.eye(4, dtype=np.float32)), np.eye(2, dtype=np.int32)[[0, 1, 0, 1]]
    parts: dict[str, Any] = {"x": x[:1], "allx": x[:3], "tx": x[3:], "y": y[:1], "ally": y[:3], "ty": y[3:]}
    parts |= {"graph": {0: [1], 1: [0]}, "test.index": b"3\n"} | replaced
    for key, value in parts.items():
        data = value if isinstance(value, bytes) else pickle.dumps(value, protocol=2)
        (raw / f"ind.cora.{key}").write_bytes(data)
    return folder


class Bomb:
    """Pickles to a call."""

    def __init__(self, *call: Any) -> None:
        self.call = call

    def __reduce__(self) -> tuple:
        return self.call[0], self.call[1:]


def stacked(module: str, name: str, argument: str) -> bytes:
    """Return a protocol 4 pickle that takes its global from the stack."""
    parts = [b"\x80\x04", *(b"\x8c" + bytes([len(text)]) + text.encode() for text in (module, name)), b"\x93"]
    return b"".join([*parts, b"\x8c" + bytes([len(argument)]) + argument.encode(), b"\x85R."])


FLAG = "gone-wrong"


def tower(floors: int, pair: bytes = b"h%sh%s\x86") -> bytes:
    """Return a pickle of a dict with one key: a tuple of two that are one tuple of two ..., so many in each other."""
    steps = [pair.replace(b"%s", bytes([at])) + b"q" + bytes([at + 1]) for at in range(floors)]
    return b"\x80\x02}K\x01q\x00" + b"".join(steps) + b"K\x01s."


def marked_tower(floors: int) -> bytes:
    """Return the same, its tuples made from marks."""
    return tower(floors, b"(h%sh%st")


BOMBS: dict[str, tuple[Any, list[str]]] = {
    "os.system": (Bomb(os.system, f"touch {FLAG}"), [".system", "Nothing was run"]),
    "eval": (Bomb(eval, f"open('{FLAG}', 'w')"), ["eval", "Nothing was run"]),
    "nested": ({0: [1], 1: [0, [[Bomb(os.system, f"touch {FLAG}")]]]}, [".system"]),
    "old opcode": (b"(S'touch " + FLAG.encode() + b"'\nios\nsystem\n.", ["os.system"]),
    "stacked global": (stacked("os", "system", f"touch {FLAG}"), ["os.system"]),
    "dotted name": (stacked("numpy", "ndarray.__class__", "x"), ["numpy.ndarray.__class__"]),
    "numpy's own loader": (Bomb(np.load, "x"), ["load"]),
    "getattr": (Bomb(getattr, 1, "real"), ["getattr"]),
    "a persistent id": (b"\x80\x02Px\n.", ["not a readable array file"]),
    "an extension code": (b"\x80\x02\x82\x01.", ["not a readable array file"]),
    "state on a stand-in": (b"\x80\x02cnumpy\ndtype\n}U\x01aK\x01sb.", ["not a readable array file"]),
    "a class attribute": (b"\x80\x02cnumpy\nndarray\nN}U\x01aK\x01s\x86b.", ["not a readable array file"]),
    "a huge memo": (b"\x80\x02Nr" + struct.pack("<I", 0x7FFFFFFF) + b".", ["memo number"]),
    "a huge claim": (b"\x80\x04\x8e" + struct.pack("<Q", 1 << 60) + b"x.", ["not a readable array file"]),
    "a list of lists": (b"\x80\x02c__builtin__\nlist\n](K\x01K\x02e\x85R.", ["not a readable array file"]),
    "a deep tower": (b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".", ["expected a dict"]),
    "an endless tuple": (b"\x80\x02(" + b"(" * 1000, ["not a readable array file"]),
    "a tower of tuples": (tower(60), ["not a readable array file", "more than 20 tuples in each other"]),
    "a tower of tuples from marks": (marked_tower(60), ["not a readable array file", "more than 20 tuples"]),
    "a low tower": (b"\x80\x02}K\x01K\x02\x86K\x03\x86K\x01s.", ["expected a dict"]),
    "cut short": (pickle.dumps({0: [1]}, protocol=2)[:-4], ["not a readable array file", "cut short"]),
    "garbage": (bytes(range(256)), ["not a readable array file"]),
    "empty": (b"", ["empty"]),
    "a text": ("hello", ["expected a dict", "str"]),
    "text in the lists": ({0: ["a"]}, ["'a' is not an integer from 0 to 3"]),
    "a neighbour out of range": ({0: [4]}, ["node 4", "0 to 3"]),
    "a negative neighbour": ({0: [-1]}, ["node -1"]),
    "a true neighbour": ({0: [True]}, ["node True"]),
    "numbers for lists": ({0: 1}, ["expected a dict"]),
}


@pytest.mark.parametrize("case", BOMBS)
def test_planetoid_graph_files(refused, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    value, words = BOMBS[case]
    planetoid(tmp_path, graph=value)
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, ["ind.cora.graph", *words])
    assert not Path(FLAG).exists()


MATRICES: dict[str, tuple[str, Any, list[str]]] = {
    "bomb as features": ("allx", Bomb(os.system, f"touch {FLAG}"), [".system", "Nothing was run"]),
    "object array": ("allx", np.array([[1, None]], dtype=object), ["ind.cora.allx", "not numbers"]),
    "flat array": ("allx", np.ones(3), ["ind.cora.allx", "expected a matrix", "(3,)"]),
    "nan": ("allx", np.full((3, 4), np.nan), ["ind.cora.allx", "NaN or infinite"]),
    "far more columns than entries": (
        "allx",
        sp.csr_matrix(([1.0], [0], [0, 1, 1, 1]), shape=(3, 1 << 40)),
        ["ind.cora.allx", "3 x 1,099,511,627,776", "at most 1,000,000 rows or columns"],
    ),
    "other width": ("tx", np.ones((1, 9)), ["ind.cora.tx", "9 columns", "have 4"]),
    "other height": ("ally", np.eye(2), ["ind.cora.ally", "2 rows", "have 3"]),
    "two ones": ("ally", np.ones((3, 2), dtype=np.int32), ["ind.cora.ally", "one-hot"]),
    "fraction": ("ally", np.eye(3, 2) / 2, ["ind.cora.ally", "one-hot"]),
    "column out of range": ("allx", "matrix", ["ind.cora.allx", "not a readable array file"]),
    "text as index": ("test.index", b"three\n", ["ind.cora.test.index", "one node number per line"]),
    "index among the first": ("test.index", b"1\n", ["test node 1", "3 to 7"]),
    "index far away": ("test.index", b"99999999999\n", ["test node 99999999999", "3 to 7"]),
    "two indices": ("test.index", b"3\n4\n", ["2 different test nodes", "'tx' has 1 rows"]),
    "binary index": ("test.index", b"\xff\xfe\n", ["ind.cora.test.index"]),
}


@pytest.mark.parametrize("case", MATRICES)
def test_planetoid_matrices(refused, tmp_path, monkeypatch, case):
    monkeypatch.chdir(tmp_path)
    part, value, words = MATRICES[case]
    if isinstance(value, str):
        value = sp.csr_matrix(np.eye(3, 4))
        value.indices[0] = 77
    planetoid(tmp_path, **{part: value})
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, words)
    assert not Path(FLAG).exists()


def test_a_planetoid_part_is_missing(refused, tmp_path):
    (planetoid(tmp_path) / "planetoid/Cora/raw/ind.cora.ty").unlink()
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, ["ind.cora.ty is not there"])


def test_a_planetoid_file_that_is_too_large(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(pickled_arrays, "MAX_BYTES", 10)
    planetoid(tmp_path)
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, ["at most 10"])


def test_a_planetoid_set_of_other_counts(refused, tmp_path):
    planetoid(tmp_path)
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, ["4 nodes where 2,708"])


def named_again(times: int, first: bytes = b"]K\x01a", pair: bytes = b"](h%sh%se") -> bytes:
    """Return a pickle of a list of two lists that are one list of two lists that are one ..., `times` deep."""
    deeper = [pair.replace(b"%s", bytes([at])) + b"q" + bytes([at + 1]) for at in range(times)]
    return b"\x80\x02" + first + b"q\x00" + b"".join(deeper)


MADE = b"cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85U\x01btR"
BYTES = b"cnumpy\ndtype\n(U\x02u1tR(K\x03U\x01|NNNtb"


def array(shape: bytes, contents: bytes) -> bytes:
    """Return the part of a pickle that describes an array of bytes; the opcodes given push its shape and contents."""
    return MADE + b"(K\x01" + shape + BYTES + b"I00\n" + contents + b"tb"


GROWING: dict[str, bytes] = {
    "lists in lists": named_again(60) + b".",
    "dicts in dicts": named_again(60, b"}K\x00K\x01s", b"}(K\x00h%sK\x01h%su") + b".",
    "a list that holds itself": b"\x80\x02]q\x00h\x00a.",
    "a dict that holds itself": b"\x80\x02}q\x00K\x01h\x00s.",
    "one long list for many nodes": b"\x80\x02]("
    + b"K\x01" * 9000
    + b"eq\x000}("
    + b"".join(b"J" + struct.pack("<i", node) + b"h\x00" for node in range(9000))
    + b"u.",
    "a number for bytes": b"\x80\x02" + array(b"J\x00\x00\x00\x7f\x85", b"J\x00\x00\x00\x7f") + b".",
    "a type of lists": named_again(60) + b"0cnumpy\ndtype\nh<\x85R.",
}


GROWTH = {
    "lists in lists": "times as much",
    "dicts in dicts": "times as much",
    "a list that holds itself": "holds itself",
    "a dict that holds itself": "holds itself",
    "one long list for many nodes": "times as much",
    "a number for bytes": "a int, not bytes",
    "a type of lists": "type 'list'",
}


@pytest.mark.parametrize("case", GROWING)
def test_a_small_file_that_describes_a_huge_one(refused, tmp_path, case):
    planetoid(tmp_path, allx=GROWING[case])
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, ["ind.cora.allx", GROWTH[case]])


def test_bytes_that_many_arrays_share(refused, tmp_path):
    block = b"T" + struct.pack("<i", 40_000) + b"\x00" * 40_000 + b"q\x000"
    arrays = b"".join(b"K\x01" + array(b"J@\x9c\x00\x00\x85", b"h\x00") for _ in range(40))
    planetoid(tmp_path, allx=b"\x80\x02" + block + b"](" + arrays + b"e.")
    assert not refused(tmp_path, lambda: load("cora", data_dir=tmp_path), DataError, ["ind.cora.allx", "times as much"])
