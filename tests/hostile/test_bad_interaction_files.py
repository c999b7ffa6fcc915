"""Broken, hostile and half-right interaction files: each ends in a sentence, the right exit code and nothing written.

A case makes files and says how they are loaded; the message must name the file and line, say what is wrong, and hold
the words that tell what is allowed or what to do next.
"""

from __future__ import annotations

import io
import zipfile
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget._core.errors import DataError, UsageError
from graphforget.data import item_features
from graphforget.data.formats import integer_triples, numbers
from graphforget.data.load import load

GOOD: dict[str, Any] = {"train.txt": "0 0 1\n1 2\n"}
TABLE = "user,item,rating,time\n1,10,4,100\n2,20,5,200\n"
LIST = "org_id remap_id\n"

LISTS = {
    "text among numbers": ({"train.txt": "0 1\n1 2 abc\n"}, "train.txt line 2 | 'abc' is not a whole number | fix"),
    "a decimal": ({"train.txt": "0 1\n1 2.0\n"}, "train.txt line 2 | '2.0' is not a whole number"),
    "commas": ({"train.txt": "0,1,2\n"}, "train.txt line 1 | '0,1,2' is not a whole number | A line is a user"),
    "a header": ({"train.txt": "user items\n0 1\n"}, "train.txt line 1 | 'user' is not a whole number"),
    "a negative user": ({"train.txt": "0 1\n-3 2\n"}, "train.txt line 2 | '-3' is negative | from 0"),
    "a negative item": ({"train.txt": "0 1\n\n3 -2\n"}, "train.txt line 3 | '-2' is negative"),
    "too many digits": (
        {"train.txt": "0 999999999999999999999999999999\n"},
        "train.txt line 1 | has more than 18 digits",
    ),
    "a huge item": ({"train.txt": "0 1\n1 900000000000\n"}, "line 2 | item number 900,000,000,000 is too large"),
    "a huge user": ({"train.txt": "0 1\n7000000 2\n"}, "line 2 | user number 7,000,000 is too large for a file of 4"),
    "a huge item in test": (GOOD | {"test.txt": "0 1\n1 5000000\n"}, "test.txt line 2 | item number 5,000,000"),
    "an empty file": ({"train.txt": ""}, "train.txt | the file is empty"),
    "blank lines alone": ({"train.txt": "\n \n\t\n"}, "train.txt | no numbers in it | A line is a user number"),
    "users without items alone": ({"train.txt": "0\n1 \n"}, "at least one user and one item | 2 and 0"),
    "an empty test part": (GOOD | {"test.txt": ""}, "test.txt | the file is empty"),
    "a zero byte": ({"train.txt": "0 1\n1 \u0000 2\n"}, "train.txt line 2 | zero byte"),
    "UTF-16": ({"train.txt": b"\xff\xfe0\x00 \x001\x00\n\x00"}, "train.txt line 1 | zero byte | UTF-8"),
    "binary garbage": (
        {"train.txt": bytes(range(255, 0, -1))},
        "train.txt line 1 | a return stands there without a newline",
    ),
    "digits of another script": ({"train.txt": "0 ٣\n"}, "train.txt line 1 | '٣' is not a whole number"),
    "facts of two numbers": (GOOD | {"kg_final.txt": "0 0 1\n1 1\n"}, "kg_final.txt line 2 | 2 number(s), but 3"),
    "facts as text": (GOOD | {"kg_final.txt": "0 likes 1\n"}, "kg_final.txt line 1 | 'likes' | head relation tail"),
    "a negative entity": (GOOD | {"kg_final.txt": "0 0 -1\n"}, "kg_final.txt line 1 | '-1' is negative"),
    "a huge entity": (GOOD | {"kg_final.txt": "0 0 90000000\n"}, "kg_final.txt line 1 | entity number 90,000,000"),
    "a huge relation": (GOOD | {"kg_final.txt": "0 90000000 1\n"}, "kg_final.txt line 1 | relation number 90,000,000"),
    "empty facts": (GOOD | {"kg_final.txt": " \n"}, "kg_final.txt | no numbers in it"),
    "no zip": (GOOD | {"kg_final.zip": b"PK\x03\x04 not really"}, "kg_final.zip | not a readable zip archive"),
    "no array": (GOOD | {"image_feat.npy": b"nothing"}, "image_feat.npy | not a NumPy array"),
}


@pytest.mark.parametrize("case", LISTS)
def test_adjacency_lists(refuse_load, case):
    files, words = LISTS[case]
    assert not refuse_load(files, "", {}, DataError, words)


IDS = {
    "no lists": ({}, "ids='original' | user_list.txt and item_list.txt are not beside the lists"),
    "no header": ({"item_list.txt": "a 0\nb 1\nc 2\n"}, "item_list.txt line 1 | 'org_id remap_id' | found 'a 0'"),
    "blank": ({"item_list.txt": "\n"}, "item_list.txt line 1 | 'org_id remap_id'"),
    "only a header": ({"item_list.txt": LIST}, "item_list.txt | 0 to -1 | missing"),
    "one word": ({"item_list.txt": LIST + "a 0\nb\n"}, "item_list.txt line 3 | 'b' is not an own id and its number"),
    "text as number": ({"item_list.txt": LIST + "a zero\n"}, "item_list.txt line 2 | 'a zero' | Fix the line"),
    "a number twice": ({"item_list.txt": LIST + "a 0\nb 0\nc 2\n"}, "item_list.txt | each once | missing or repeated"),
    "too few": ({"item_list.txt": LIST + "a 0\nb 1\n"}, "item_list.txt | 2 ids | item number 2"),
    "an id twice": ({"item_list.txt": LIST + "a 0\na 1\nb 2\n"}, "the item id 'a' stands 2 times"),
}


@pytest.mark.parametrize("case", IDS)
def test_lists_of_ids(refuse_load, case):
    files, words = IDS[case]
    assert not refuse_load(GOOD | files, "", {"ids": "original"}, DataError, words)


TABLES = {
    "a ragged row": ("user,item\n1,2\n3\n", {}, "r.csv line 3 | 1 column(s), but line 1 has 2 | fix that line"),
    "too many cells": ("user,item\n1,2\n3,4,5\n", {}, "r.csv line 3 | 3 column(s)"),
    "text among user ids": (
        "user,item\n1,2\nann,3\n",
        {},
        "line 3 | user id 'ann' is not an integer (column 1) | ids=\"text\"",
    ),
    "text among item ids": ("user,item\n1,2\n1,x\n", {}, "r.csv line 3 | item id 'x' is not an integer (column 2)"),
    "a decimal id": ("user,item\n1,2\n1,3.0\n", {}, "line 3 | '3.0' is not an integer"),
    "an id of 70 bits": ("user,item\n1,2\n1,1180591620717411303424\n", {}, "line 3 | is not an integer"),
    "an empty id": ("user,item\nann,2\n ,3\n", {}, "r.csv line 3 | user id in column 1 is empty"),
    "a rating of text": (TABLE + "3,30,good,1\n", {}, "r.csv line 4 | rating 'good' is not a finite number (column 3)"),
    "a rating of nan": (TABLE + "3,30,nan,1\n", {}, "r.csv line 4 | rating 'nan'"),
    "an endless rating": (TABLE + "3,30,1e999,1\n", {}, "r.csv line 4 | rating '1e999'"),
    "an empty rating": (TABLE + "3,30,,1\n", {}, "r.csv line 4 | rating ''"),
    "a date that there is not": (
        "user,item,time\n1,10,2020-01-01\n2,20,2020-02-30\n",
        {},
        "r.csv line 3 | time '2020-02-30' is no date | (column 3)",
    ),
    "dates with and without a zone": (
        "user,item,time\n1,10,2020-01-01T00:00\n2,20,2020-02-03T00:00Z\n",
        {},
        "r.csv line 3 | names a time zone; those above do not",
    ),
    "a number after dates": ("user,item,time\n1,10,2020-01-01\n2,20,7\n", {}, "r.csv line 3 | time '7' is no date"),
    "a date as time": (TABLE + "3,30,4,2020-01-01\n", {}, "r.csv line 4 | time '2020-01-01' | (column 4)"),
    "only a header": ("user,item\n", {}, "r.csv | only a header and no rows"),
    "blank lines": ("\n \n", {"columns": {"user": 1, "item": 2}}, "r.csv | no rows in it"),
    "an empty file": ("", {"columns": {"user": 1, "item": 2}}, "r.csv | the file is empty"),
    "a column that is not there": (
        TABLE,
        {"columns": {"user": "users", "item": "item"}},
        "no column 'users' for the user | Did you mean 'user'?",
    ),
    "a column beyond the last": (
        "1,2\n",
        {"columns": {"user": 1, "item": 3}},
        "no column 3 for the item | 2 column(s)",
    ),
    "a column before the first": (
        "1,2\n",
        {"columns": {"user": 0, "item": 1}},
        "no column 0 for the user | counted from 1",
    ),
    "a header read as data": (TABLE, {"columns": {"user": 1, "item": 2, "rating": 3}}, "line 1 | look like a header"),
    "no header to go by": ("a,b\n1,2\n", {"format": "interaction-table"}, "line 1 | no header that names | columns={"),
    "an open quote": ('user,item\n"1,2\n', {}, "r.csv line 2 | several lines | quotes"),
    "a zero byte": ("user,item\n1,\u00002\n", {}, "r.csv line 2 | zero byte"),
    "ids in another encoding": (b"user,item\nm\xfcller,2\n", {}, "r.csv | not UTF-8 text"),
    "no rating so high": (TABLE, {"min_rating": 9}, "No event is rated 9 or more | from 4 to 5"),
    "no such core": (TABLE, {"core": 4}, "4 and 4 pairs each | Lower 'core'"),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables(refuse_load, case):
    text, options, words = TABLES[case]
    assert not refuse_load({"r.csv": text}, "r.csv", options, DataError, words)


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-be"])
def test_a_table_in_utf_16(refuse_load, encoding):
    text = "\ufeff" * (encoding != "utf-16") + "user,item\n1,2\n"
    words = "r.csv | UTF-16 text; save it as UTF-8"
    assert not refuse_load({"r.csv": text.encode(encoding)}, "r.csv", {"split": "user"}, UsageError, words)


ARRAYS: dict[str, tuple[Any, list[str]]] = {
    "too few rows": (np.ones((2, 3)), ["2 rows of 'image' for 3 items", "one for each"]),
    "one number per item": (np.ones(3), ["must be numbers of shape", "(3,)"]),
    "text": (np.array([["a"], ["b"], ["c"]]), ["must be numbers"]),
    "a nan": (np.array([[1.0], [np.nan], [2.0]]), ["row 1", "NaN"]),
    "an infinite one": (np.array([[1.0], [2.0], [np.inf]]), ["row 2", "infinite"]),
    "no columns": (np.ones((3, 0)), ["hold no feature"]),
}


@pytest.mark.parametrize("as_file", [True, False])
@pytest.mark.parametrize("case", ARRAYS)
def test_features(refuse_load, tmp_path, case, as_file):
    values, words = ARRAYS[case]
    np.save(tmp_path / "x.npy", values)
    given = {"image": "@x.npy" if as_file else values}
    assert not refuse_load(
        GOOD, "", {"modalities": given}, DataError, " | ".join([*words, "x.npy" if as_file else "'image'"])
    )


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array])
def test_features_that_are_too_large_for_their_type(refuse_load, kind):
    given = {"modalities": {"image": kind(np.full((3, 1), 1e300))}}
    assert not refuse_load(GOOD, "", given, DataError, "'image' of item 0 | infinite")


def test_a_modality_whose_name_is_no_text(refuse_load):
    given = {"modalities": {3: np.ones((3, 1))}}
    assert not refuse_load(GOOD, "", given, DataError, "name of a modality must be text | got 3")


@pytest.mark.parametrize("text", ['"user" "item"\n"u 1" "7"\n', '"user" "item" "rating"\n"1" "u1" "7" 3\n'])
def test_what_r_writes_between_blanks(refuse_load, text):
    for given in ({}, {"columns": {"user": 1, "item": 2}}):
        words = "r.txt line 1 | in quotes between blanks | write.csv("
        assert not refuse_load({"r.txt": text}, "r.txt", given, DataError, words)


def test_features_that_are_too_many(refuse_load, monkeypatch):
    monkeypatch.setattr(item_features, "MAX_VALUES", 10)
    assert not refuse_load(GOOD, "", {"modalities": {"image": np.ones((3, 4))}}, DataError, "more than 10 values")


def test_rows_beside_text_ids(refuse_load):
    files, options = {"r.csv": "user,item\n1,a\n2,b\n"}, {"modalities": {"image": np.ones((2, 2))}}
    assert not refuse_load(files, "r.csv", options, DataError, "text item ids | CSV with an id column")


def test_rows_beside_larger_ids(refuse_load):
    words = "2 rows stand for items 0 to 1 | an item 10 | CSV with an id column"
    assert not refuse_load({"r.csv": TABLE}, "r.csv", {"modalities": {"image": np.ones((2, 2))}}, DataError, words)


def test_more_rows_than_items_of_a_knowledge_graph(refuse_load):
    files, options = GOOD | {"kg_final.txt": "0 0 4\n"}, {"modalities": {"image": np.ones((4, 2))}}
    assert not refuse_load(files, "", options, DataError, "4 rows | counts 3 items | one row for each item")


def test_modalities_of_different_length(refuse_load):
    options = {"modalities": {"image": np.ones((4, 2)), "text": np.ones((3, 2))}}
    assert not refuse_load(GOOD, "", options, DataError, "'text' for 4 items")


def test_a_modality_given_twice(refuse_load, tmp_path):
    np.save(tmp_path / "image_feat.npy", np.ones((3, 2)))
    options = {"modalities": {"image": np.ones((3, 2))}}
    assert not refuse_load(GOOD, "", options, UsageError, "'image' was found at | image_feat.npy | Leave it out")


def zipped(*members: tuple[str, bytes]) -> bytes:
    """Return a zip archive."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in members:
            archive.writestr(name, data)
    return buffer.getvalue()


ZIPS: dict[str, tuple[bytes, list[str]]] = {
    "two files": (zipped(("a.txt", b"0 0 1"), ("b.txt", b"0 0 1")), ["holds a.txt, b.txt", "one text file"]),
    "no file": (zipped(), ["holds nothing"]),
    "an empty file": (zipped(("a.txt", b"")), ["'a.txt' in it is empty"]),
    "half an archive": (zipped(("a.txt", b"0 0 1\n" * 999))[:60], ["not a readable zip archive", "Fetch it again"]),
    "a bomb": (zipped(("a.txt", bytes(4 << 20))), ["unpacks to more than 1,048,576 bytes"]),
    "text inside": (zipped(("../../a.txt", b"0 0 x\n")), ["kg_final.zip line 1", "'x' is not a whole number"]),
}


@pytest.mark.parametrize("case", ZIPS)
def test_zipped_facts(refuse_load, monkeypatch, case):
    monkeypatch.setattr(integer_triples, "MAX_UNPACKED", 1 << 20)
    data, words = ZIPS[case]
    assert not refuse_load(GOOD | {"kg_final.zip": data}, "", {}, DataError, " | ".join(["kg_final.zip", *words]))


def test_a_damaged_member(refuse_load):
    data = bytearray(zipped(("a.txt", b"0 0 1\n" * 9999)))
    data[40:60] = b"\xff" * 20
    assert not refuse_load(GOOD | {"kg_final.zip": bytes(data)}, "", {}, DataError, "kg_final.zip | not a readable")


def test_a_text_that_is_too_large(refuse_load, monkeypatch):
    monkeypatch.setattr(numbers, "MAX_TEXT", 5)
    assert not refuse_load(GOOD, "", {}, DataError, "train.txt | at most 5 are read | Divide the file")


MATRICES: dict[str, tuple[Any, dict, str]] = {
    "square without n_users": (sp.csr_array(np.eye(4)), {}, "square matrix of 4 rows | n_users= | from_scipy("),
    "users among users": (sp.csr_array(np.eye(4)), {"n_users": 2}, "entry (0, 0) joins two users"),
    "not symmetric": (sp.csr_array(np.eye(4, k=2)), {"n_users": 2}, "not symmetric"),
    "n_users of a rectangle": (sp.csr_array(np.eye(3, 4)), {"n_users": 2}, "3 x 4 | Leave it out"),
    "more users than rows": (sp.csr_array(np.eye(4)), {"n_users": 9}, "n_users is 9 | 4 rows"),
    "all zero": (sp.csr_array((3, 4)), {}, "every entry of the matrix is zero"),
    "another form": (sp.coo_array(np.eye(3, 4)), {}, "'coo' form | tocsr"),
    "diagonals": (sp.dia_array(np.eye(4)), {}, "'dia' form | tocsr"),
    "a nan": (sp.csr_array(np.array([[1.0, np.nan, 0]])), {}, "row 0 holds NaN"),
}


@pytest.mark.parametrize("case", MATRICES)
def test_matrices(refused, tmp_path, case):
    matrix, options, words = MATRICES[case]
    sp.save_npz(tmp_path / "m.npz", matrix)
    assert not refused(tmp_path, lambda: load(tmp_path / "m.npz", **options), DataError, ["m.npz", *words.split(" | ")])


def test_matrices_of_different_shape(refused, tmp_path):
    sp.save_npz(tmp_path / "a.npz", sp.csr_array(np.eye(3, 4)))
    sp.save_npz(tmp_path / "b.npz", sp.csr_array(np.eye(3, 5)))
    action = lambda: load(tmp_path / "a.npz", parts={"test": tmp_path / "b.npz"})  # noqa: E731
    assert not refused(tmp_path, action, DataError, "a.npz | train 3 x 4, test 3 x 5 | must agree".split(" | "))


def test_a_matrix_of_objects(refused, tmp_path):
    parts = {"indices": [0], "indptr": [0, 1], "shape": [1, 2], "format": np.array(b"csr")}
    np.savez(tmp_path / "m.npz", data=np.array([None], dtype=object), **parts)
    assert not refused(
        tmp_path, lambda: load(tmp_path / "m.npz"), DataError, "m.npz | 'data' | Python objects".split(" | ")
    )


def test_options_of_interactions_for_a_named_graph(refused, tmp_path):
    words = ["'core' is for interactions", "sample-citations is a graph"]
    assert not refused(tmp_path, lambda: load("sample-citations", core=5), UsageError, words)
