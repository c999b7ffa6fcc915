"""Files that people really have: each is read right, with a note on what was chosen, or refused with a sentence."""

from __future__ import annotations

import gzip
from typing import Any

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.load import load

ALL = {"split": "random", "valid": 0, "test": 0}
TWO = [[1, 2], [1, 3]]

READ: dict[str, tuple[str, bytes, dict[str, Any], list[list[int | str]], str]] = {
    # name, contents, options, the pairs in the user's ids, words of the notes
    "a byte order mark": ("a.csv", b"\xef\xbb\xbfuser,item\n1,2\n1,3\n", {}, TWO, "found 1 users, 2 items, 2 records"),
    "line ends of Windows": ("a.csv", b"user,item\r\n1,2\r\n1,3\r\n", {}, TWO, "user from 'user', item from 'item'"),
    "blanks around cells": ("a.csv", b" user , item\n1 ,2  \n 1,\t3\n", {}, TWO, "item from 'item'"),
    "blank lines": ("a.csv", b"user,item\n1,2\n\n \n1,3\n\n", {}, TWO, "a.csv: 2 blank lines passed over"),
    "a quoted header": ("a.csv", b'"user","item"\n"1","2"\n1,3\n', {}, TWO, "user from 'user'"),
    "a quoted header with tabs": ("a.tsv", b'"user"\t"item"\n1\t2\n1\t3\n', {}, TWO, "user from 'user'"),
    "a header among blanks": ("a.txt", b"user item\n1 2\n1 3\n", {}, TWO, "user from 'user'"),
    "a comment above": ("a.csv", b"# made by x\nuser,item\n1,2\n1,3\n", {}, TWO, "1 comment line (#) passed over"),
    "a column of row numbers": ("a.csv", b",user,item\n0,1,2\n1,1,3\n", {}, TWO, "1 further column(s) not read"),
    "a second name for users": ("a.csv", b"user,user_id,item\n1,8,2\n1,9,3\n", {}, TWO, "not read (user_id)"),
    "an open end": ("a.csv", b"user,item,\n1,2,\n1,3,\n", {}, TWO, "1 further column(s) not read"),
    "repeats": ("a.csv", b"user,item\n1,2\n1,3\n1,2\n", {}, TWO, "1 records repeat a pair"),
    "a comma within an id": ("a.csv", b'user,item\n"a, b",x\nc,x\n', {}, [["a, b", "x"], ["c", "x"]], "2 records"),
    "blanks before a quote": (
        "a.csv",
        b'user,item\nb, "Heat, 2"\nc,Heat\n',
        {},
        [["b", "Heat, 2"], ["c", "Heat"]],
        "2 records",
    ),
    "text first": ("a.csv", b"user,item\nann,2\n1,2\n", {}, [["1", 2], ["ann", 2]], "user ids are text, but 1 of 2"),
    "scientific ids": ("a.csv", b"user,item\n1e3,2\n", {}, [["1e3", 2]], "1 of 1 look like numbers (as '1e3')"),
    "decimal ids": ("a.csv", b"user,item\n1.0,2\n", {}, [["1.0", 2]], "look like numbers (as '1.0')"),
    "leading zeros": ("a.csv", b"user,item\n007,2\n7,2\n", {}, [["007", 2], ["7", 2]], "2 of 2 look like numbers"),
    "a name as a record": (
        "a.csv",
        b"ann,x\nbob,y\n",
        {"columns": {"user": 1, "item": 2}},
        [["ann", "x"], ["bob", "y"]],
        "the first line (ann, x) was read as a record",
    ),
}


@pytest.mark.parametrize("case", READ)
def test_read_right_and_noted(tmp_path, case):
    name, contents, options, wanted, words = READ[case]
    (tmp_path / name).write_bytes(contents)
    data = load(tmp_path / name, **ALL, **options)
    users, items = data.pairs("train")
    found = zip(data.user_ids_of(users), data.item_ids_of(items), strict=True)
    assert sorted(map(list, found)) == sorted(wanted)
    assert words in "\n".join(data.notes)


def test_ids_that_are_asked_for_as_text_need_no_note(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\n1,2\nann,3\n")
    notes = load(tmp_path / "a.csv", ids="text", **ALL).notes
    assert not any("look like numbers" in note for note in notes)


NUMBERED = {"columns": {"user": 1, "item": 2}}
TIMED = b"user,item,time\n1,2,%d\n1,3,%d\n"

REFUSED: dict[str, tuple[str, bytes, dict[str, Any], type, str]] = {
    "line ends of old Macs": ("a.csv", b"user,item\r1,2\r1,3\r", ALL, DataError, "line 1 | return | with newlines"),
    "lists of old Macs": ("train.txt", b"0 1 2\r1 2\r", {"format": "adjacency-list"}, DataError, "line 1 | return"),
    "a return between": ("a.csv", b"user,item\r\n1,2\r1,3\r\n", ALL, DataError, "a.csv line 2 | return"),
    "a header that counts as record": ("a.csv", b"u,i\n1,2\n", NUMBERED, DataError, "line 1 | 'u' and 'i' | a header"),
    "a known header of text ids": ("a.csv", b"user,item\na,b\n", NUMBERED, DataError, "look like a header | columns={"),
    "two columns of one name": ("a.csv", b"user,user,item\n1,2,3\n", ALL, DataError, "line 1 | 2 columns are called"),
    "seconds after milliseconds": (
        "a.csv",
        TIMED % (1_600_000_000_000, 1_600_000_002),
        {"split": "leave-one-out"},
        DataError,
        "a.csv line 3 | time '1600000002' is seconds by its size, after milliseconds (column 3) | one unit",
    ),
    "milliseconds after seconds": (
        "u.data",
        b"1\t2\t3\t881250949\n1\t3\t3\t881250949000\n",
        {},
        DataError,
        "u.data line 2 | is milliseconds by its size, after seconds (column 4)",
    ),
    "scientific ids among integers": ("a.csv", b"user,item\n1000,2\n1e3,3\n", ALL, DataError, 'line 3 | ids="text"'),
    "a decimal comma": ("a.csv", b'user,item,rating\n1,2,"3,5"\n', ALL, DataError, "rating '3,5' is not a finite"),
    "gzip": ("a.csv.gz", gzip.compress(b"user,item\n1,2\n"), ALL, DataError, "a.csv.gz | packed by gzip | Unpack"),
    "gzip under another name": ("a.csv", gzip.compress(b"user,item\n1,2\n"), {}, DataError, "packed by gzip"),
    "gzipped lists": ("train.txt", gzip.compress(b"0 1\n"), {"format": "adjacency-list"}, DataError, "packed by gzip"),
    "semicolons": (
        "a.csv",
        b"user;item\n1;2\n",
        ALL,
        UsageError,
        "'user;item', with semicolons between the cells",
    ),
    "tabs under .csv": (
        "a.csv",
        b"user\titem\n1\t2\n",
        ALL,
        UsageError,
        "with tabs between | where a comma is",
    ),
    "commas under .tsv": (
        "a.tsv",
        b"user,item\n1,2\n",
        ALL,
        UsageError,
        "with commas between | where a tab is",
    ),
    "JSON": ("a.json", b"[]", ALL, UsageError, "the first line is '[]' | columns={"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_refused_with_a_sentence(tmp_path, case):
    name, contents, options, kind, words = REFUSED[case]
    (tmp_path / name).write_bytes(contents)
    with pytest.raises(kind) as caught:
        load(tmp_path / name, **options)
    message = str(caught.value)
    assert [word for word in words.split(" | ") if word not in message] == [], message
    assert message.endswith(".") and "\n" not in message


def test_times_of_one_unit_are_read_whatever_it_is(tmp_path):
    for scale in (1, 1_000, 1_000_000, 1_000_000_000):
        (tmp_path / "a.csv").write_bytes(TIMED % (1_600_000_002 * scale, 1_600_000_000 * scale))
        data = load(tmp_path / "a.csv", split="leave-one-out")
        assert data.item_ids_of(data.pairs("test")[1]) == [2]


EDGES = {
    "an unknown header": (b"a,b\n1,2\n2,3\n", "the first line (a, b) was read as a header"),
    "no header": (b"person,friend\nann,bob\n", "its first line was read as an edge"),
    "decimal ids": (b"1.0,2.0\n", "node ids are text, but 2 of 2 look like numbers (as '1.0')"),
    "what was found": (b"1,2\n2,1\n2,2\n", "found 2 nodes and 3 listed edges"),
}


@pytest.mark.parametrize("case", EDGES)
def test_edge_lists_say_what_was_taken_for_granted(tmp_path, case):
    contents, words = EDGES[case]
    (tmp_path / "e.csv").write_bytes(contents)
    assert words in "\n".join(load(tmp_path / "e.csv").notes)


def test_blanks_before_a_quote_are_no_part_of_a_node(tmp_path):
    (tmp_path / "e.csv").write_text('source,target\nann, "bob"\nbob,carl\n')
    assert load(tmp_path / "e.csv").ids.tolist() == ["ann", "bob", "carl"]


def test_a_first_fact_that_may_be_a_header_is_noted(tmp_path):
    (tmp_path / "a.csv").write_text("user,item\nann,Heat\nbob,Ran\n")
    (tmp_path / "k.csv").write_text("subject,predicate,object\nHeat,by,Mann\n")
    words = "k.csv: the first line (subject, predicate, object) was read as a fact"
    assert words in load(tmp_path / "a.csv", triples=tmp_path / "k.csv").notes
    (tmp_path / "k.csv").write_text("Heat,by,Mann\nRan,by,Kurosawa\n")
    assert not any("as a fact" in note for note in load(tmp_path / "a.csv", triples=tmp_path / "k.csv").notes)


def test_a_threshold_that_empties_a_part_names_it(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,rating\n1,2,5\n1,3,4\n")
    (tmp_path / "v.csv").write_text("user,item,rating\n1,4,2\n")
    with pytest.raises(DataError, match="The valid part: No event is rated 4 or more .ratings go from 2 to 2"):
        load(tmp_path / "a.csv", parts={"valid": tmp_path / "v.csv"}, min_rating=4)


def test_nodes_without_edges_are_counted(tmp_path):
    (tmp_path / "e.csv").write_text("source,target\n0,1\n")
    (tmp_path / "y.csv").write_text("id,label\n0,a\n1,b\n2,a\n3,b\n")
    notes = load(tmp_path / "e.csv", labels=tmp_path / "y.csv").notes
    assert notes[0] == "found 2 nodes and 1 listed edge" and "2 node(s)" in notes[1]
    assert not any("header" in note for note in notes)


def test_nodes_without_edges_of_an_archive_are_counted(tmp_path):
    parts = {"data": [1.0], "indices": [1], "indptr": [0, 1, 1, 1], "shape": [3, 3]}
    np.savez(tmp_path / "g.npz", **{f"adj_{key}": np.array(value) for key, value in parts.items()})
    assert load(tmp_path / "g.npz").notes == ("found 3 nodes and 1 listed edge", "1 node without an edge")
