"""Broken, hostile and half-right inputs: each ends in a sentence, the right exit code and nothing written.

A case makes files in a folder and names what to load; the message must name the input, say what is wrong, and hold the
words that tell what is allowed or what to do next.
"""

from __future__ import annotations

import io
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget._core.errors import DataError, UsageError
from graphforget.data.formats import arrays, base
from graphforget.data.load import load

GRAPH = {"adj_data": [1.0, 1.0], "adj_indices": [1, 0], "adj_indptr": [0, 1, 2], "adj_shape": [2, 2]}


TEXT = {
    "ragged": ("g.csv", "source,target\n1,2\n3\n", ["g.csv line 3", "1 column(s)", "line 1 has 2", "fix that line"]),
    "too many cells": ("g.csv", "1,2\n3,4,5\n", ["g.csv line 2", "3 column(s)"]),
    "text among integers": ("g.csv", "u,v\n1,2\n\n3,abc\n", ["g.csv line 4", "'abc' is not an integer (column 2)"]),
    "float id": ("g.csv", "1,2\n3,4.0\n", ["line 2", "'4.0' is not an integer"]),
    "leading zero": ("g.csv", "1,2\n3,007\n", ["line 2", "'007' is not an integer"]),
    "id of 70 bits": ("g.csv", "1,2\n3,1180591620717411303424\n", ["line 2", "is not an integer"]),
    "empty id": ("g.csv", "a,b\nalice,bob\ncarl,\n", ["line 3", "column 2 is empty"]),
    "spaces as id": ("g.csv", "u,v\nalice,  \n", ["line 2", "column 2 is empty"]),
    "empty file": ("g.csv", "", ["g.csv", "empty"]),
    "blank lines": ("g.csv", "\n\n  \n", ["g.csv", "no rows", "source,target"]),
    "comments alone": ("g.txt", "# one\n# two\n", ["g.txt", "no rows"]),
    "only a header": ("g.csv", "source,target\n", ["g.csv", "only a header"]),
    "one column": ("g.csv", "1\n2\n", ["g.csv line 1", "two id columns"]),
    "wrong separator": ("g.csv", "1;2\n2;3\n", ["g.csv line 1", "1 column(s)", "comma (.csv)"]),
    "open quote": ("g.csv", 'u,v\n"1,2\n', ["g.csv line 2", "quotes"]),
    "quotes between blanks": ("g.txt", '"from" "to"\n"a" "b"\n', ["g.txt line 1", "in quotes", "write.csv("]),
    "row names of R": ("g.txt", '"from" "to"\n"1" "a" "b"\n', ["g.txt line 1", "in quotes", "row.names = FALSE"]),
    "a zero byte": ("g.csv", "1,2\n3,\x004\n", ["g.csv line 2", "zero byte"]),
}


@pytest.mark.parametrize("case", TEXT)
def test_edge_lists(refused, tmp_path, case):
    name, text, words = TEXT[case]
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert not refused(tmp_path, lambda: load(path), DataError, words)


@pytest.mark.parametrize(("header", "beside"), [("source,target", ""), ("user,item", ""), ("source,target", "labels")])
def test_one_id_that_is_very_long(refused, tmp_path, monkeypatch, header, beside):
    """Every id of a text array takes the room of the longest: one of a megabyte among 100,000 would take 400 GB."""
    monkeypatch.setattr(base, "MAX_IDS", 10_000)
    (tmp_path / "t.csv").write_text(
        "\n".join(["id,label" if beside else header, *(f"u{k},v" for k in range(9)), "x" * 999 + ",v"])
    )
    (tmp_path / "g.csv").write_text("source,target\nu1,u2\n")
    action = lambda: load(tmp_path / "g.csv", labels=tmp_path / "t.csv") if beside else load(tmp_path / "t.csv")  # noqa: E731
    assert not refused(tmp_path, action, DataError, ["t.csv: an id of 999 characters ('xxx", "Shorten it"])


@pytest.mark.parametrize("kind", [np.asarray, sp.csr_array, "x.npz"])
def test_features_that_are_too_large_for_their_type(refused, tmp_path, kind):
    (tmp_path / "g.csv").write_text("0,1\n1,2\n")
    large = np.full((3, 1), 1e300)
    sp.save_npz(tmp_path / "x.npz", sp.csr_array(large))
    given = tmp_path / kind if isinstance(kind, str) else kind(large)
    assert not refused(tmp_path, lambda: load(tmp_path / "g.csv", features=given), DataError, [" 0 ", "infinite"])


@pytest.mark.parametrize("name", ["g.csv", "g.tsv", "g.txt"])
def test_binary_garbage_as_text(refused, tmp_path, name):
    path = tmp_path / name
    path.write_bytes(bytes(range(255, 0, -1)) * 20)
    assert not refused(tmp_path, lambda: load(path), DataError, [name, "UTF-8", "Name a CSV or TSV file"])


def test_utf_16_text(refused, tmp_path):
    path = tmp_path / "g.csv"
    path.write_bytes("1,2\n".encode("utf-16"))
    assert not refused(tmp_path, lambda: load(path), DataError, ["g.csv", "UTF-8"])


@pytest.mark.parametrize(
    ("name", "kind", "words"),
    [
        ("missing.csv", DataError, ["missing.csv", "no such file", "Check the path"]),
        ("folder.csv", DataError, ["folder.csv", "is a folder"]),
        ("graph.parquet", UsageError, ["graph.parquet", ".csv", ".npz", "'.parquet'"]),
        ("graph", UsageError, ["graph", "ending ''"]),
    ],
)
def test_paths(refused, tmp_path, name, kind, words):
    (tmp_path / "folder.csv").mkdir()
    for other in ("graph.parquet", "graph"):
        (tmp_path / other).write_bytes(b"x")
    assert not refused(tmp_path, lambda: load(tmp_path / name), kind, words)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("corra", ["'corra'", "Did you mean 'cora'?", "pubmed"]),
        ("amazon photo", ["Did you mean 'amazon-photo'?"]),
        ("", ["Unknown data set ''", "Known: "]),
        ("zzzz", ["'zzzz'", "Known: alibaba-ifashion", "by its path"]),
        ("cora\n", None),
    ],
)
def test_names(refused, tmp_path, name, words):
    if words is None:
        assert not refused(tmp_path, lambda: load(name, data_dir=tmp_path), DataError, ["cora", "data_dir"])
    else:
        assert not refused(tmp_path, lambda: load(name, data_dir=tmp_path), UsageError, words)


def test_a_data_folder_without_the_set(refused, tmp_path):
    words = ["dblp", "dblp.npz is not there", "data_dir", "$GRAPHFORGET_DATA"]
    assert not refused(tmp_path, lambda: load("dblp", data_dir=tmp_path), DataError, words)


def test_a_data_folder_that_does_not_exist(refused, tmp_path):
    assert not refused(tmp_path, lambda: load("dblp", data_dir=tmp_path / "none"), DataError, ["none", "is not there"])


def test_wrong_counts(refused, tmp_path):
    path = tmp_path / "citation_full/dblp/raw/dblp.npz"
    path.parent.mkdir(parents=True)
    np.savez(path, **GRAPH, labels=[0, 1])
    words = ["dblp", "2 nodes where 17,716 are expected", "2 edges where 105,734", "fetch them again"]
    assert not refused(tmp_path, lambda: load("dblp", data_dir=tmp_path), DataError, words)


ARCHIVES: dict[str, tuple[dict[str, Any], list[str]]] = {
    "no adjacency": ({"labels": [0, 1]}, ["'adj_data'", "not in the file, which holds labels"]),
    "column out of range": (GRAPH | {"adj_indices": [1, 2]}, ["adj_*", "column 2", "out of range 0 to 1"]),
    "negative column": (GRAPH | {"adj_indices": [-1, 0]}, ["column -1", "out of range"]),
    "rows out of step": (GRAPH | {"adj_indptr": [0, 2, 1]}, ["'indptr' must rise"]),
    "too few rows": (GRAPH | {"adj_indptr": [0, 2]}, ["'indptr' must have 3 entries"]),
    "fewer values than columns": (GRAPH | {"adj_data": [1.0]}, ["1 entries", "'indices' 2"]),
    "not square": (GRAPH | {"adj_shape": [2, 3]}, ["square", "(2, 3)"]),
    "three-sided shape": (GRAPH | {"adj_shape": [2, 2, 2]}, ["'shape' must be two counts"]),
    "negative shape": (GRAPH | {"adj_shape": [-2, 2]}, ["'shape' must be two counts"]),
    "huge shape": (GRAPH | {"adj_shape": [10**15, 10**15]}, ["'indptr' must have"]),
    "text as indices": (GRAPH | {"adj_indices": ["a", "b"]}, ["'adj_indices'", "expected a list of integers"]),
    "floats as indices": (GRAPH | {"adj_indices": [1.5, 0.0]}, ["'adj_indices'", "expected a list of integers"]),
    "complex weights": (GRAPH | {"adj_data": [1j, 1j]}, ["'adj_data'", "expected a list of numbers"]),
    "objects as weights": (GRAPH | {"adj_data": np.array([1, None], object)}, ["'adj_data'", "Python objects"]),
    "nan weight": (GRAPH | {"adj_data": [np.nan, 1.0]}, ["row 0", "NaN or infinite"]),
    "no nodes": (
        {"adj_data": np.zeros(0), "adj_indices": np.zeros(0, int), "adj_indptr": [0], "adj_shape": [0, 0]},
        ["at least one node"],
    ),
    "too few labels": (GRAPH | {"labels": [0]}, ["'labels'", "1 labels for 2 nodes"]),
    "labels below -1": (GRAPH | {"labels": [0, -7]}, ["label -7", "-1 is unknown"]),
    "text labels": (GRAPH | {"labels": ["a", "b"]}, ["'labels'", "integers"]),
    "too few feature rows": (GRAPH | {"attr_matrix": [[1.0]]}, ["(1, 1) for 2 nodes", "one row per node"]),
    "flat features": (GRAPH | {"attr_matrix": [1.0, 2.0]}, ["(2,) for 2 nodes"]),
    "text features": (GRAPH | {"attr_matrix": [["a"], ["b"]]}, ["'attr_matrix'", "expected numbers"]),
    "nan feature": (GRAPH | {"attr_matrix": [[1.0], [np.nan]]}, ["node 1", "NaN or infinite"]),
    "infinite sparse feature": (
        GRAPH | {"attr_data": [1, np.inf], "attr_indices": [0, 0], "attr_indptr": [0, 1, 2], "attr_shape": [2, 1]},
        ["attr_*", "row 1 holds NaN or infinite"],
    ),
}


@pytest.mark.parametrize("case", ARCHIVES)
def test_archives(refused, tmp_path, case):
    contents, words = ARCHIVES[case]
    path = tmp_path / "own.npz"
    np.savez(path, **contents)
    assert not refused(tmp_path, lambda: load(path), DataError, words)


def whole_archive() -> bytes:
    """Return a good archive."""
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **GRAPH, labels=[0, 1])
    return buffer.getvalue()


@pytest.mark.parametrize("share", [0.1, 0.5, 0.95])
def test_truncated_archives(refused, tmp_path, share):
    path = tmp_path / "own.npz"
    path.write_bytes(whole_archive()[: int(len(whole_archive()) * share)])
    assert not refused(tmp_path, lambda: load(path), DataError, ["own.npz", "not a readable .npz archive", "again"])


def test_an_archive_with_a_damaged_member(refused, tmp_path):
    data = bytearray(whole_archive())
    start = data.index(b"adj_data.npy") + 40
    data[start : start + 20] = b"\xff" * 20
    path = tmp_path / "own.npz"
    path.write_bytes(data)
    assert not refused(tmp_path, lambda: load(path), DataError, ["own.npz", "adj_data", "again"])


def npy(shape: tuple[int, ...], body: bytes, descr: str = "<f4") -> bytes:
    """Return an .npy file whose header claims `shape`, whatever follows."""
    buffer = io.BytesIO()
    np.lib.format.write_array_header_1_0(buffer, {"shape": shape, "fortran_order": False, "descr": descr})
    return buffer.getvalue() + body


@pytest.mark.parametrize("shape", [(10**12,), (10**6, 10**9), (3,), (1,)])
def test_an_archive_whose_header_claims_more_or_less(refused, tmp_path, shape):
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("adj_data.npy", npy(shape, b"\0" * 8))
    words = ["own.npz", "adj_data", "header claims", "8 bytes follow", "cut short or damaged"]
    assert not refused(tmp_path, lambda: load(path), DataError, words)


def test_a_zip_bomb(refused, tmp_path, monkeypatch):
    monkeypatch.setattr(arrays, "MAX_BYTES", 1 << 20)
    path = tmp_path / "own.npz"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("adj_data.npy", npy((1 << 20,), bytes(4 << 20)))
    assert path.stat().st_size < 1 << 16
    assert not refused(tmp_path, lambda: load(path), DataError, ["own.npz", "adj_data", "at most 1,048,576"])


@pytest.fixture
def edges(tmp_path) -> Path:
    """An edge list on 0, 1, 2."""
    path = tmp_path / "edges.csv"
    path.write_text("0,1\n1,2\n")
    return path


TABLES: dict[str, tuple[str, str, str, list[str]]] = {
    "text feature": ("features", "x.csv", "id,a\n0,1\n1,x\n2,1\n", ["x.csv line 3", "'x'", "(column 2)"]),
    "nan feature": ("features", "x.csv", "id,a,b\n0,1,2\n1,3,nan\n2,1,1\n", ["line 3", "'nan'", "(column 3)"]),
    "infinite feature": ("features", "x.csv", "id,a\n0,1\n1,2\n2,1e99\n", ["line 4", "'1e99'"]),
    "ragged features": ("features", "x.csv", "id,a,b\n0,1,2\n1,3\n", ["x.csv line 3", "2 column(s)"]),
    "a node without features": ("features", "x.csv", "id,a\n0,1\n1,2\n", ["no features for node '2'"]),
    "a node twice": ("features", "x.csv", "id,a\n0,1\n1,2\n0,3\n", ["line 4", "'0' stands on line 2"]),
    "text id for integers": ("features", "x.csv", "id,a\n0,1\nbob,2\n", ["line 3", "'bob' is not an integer"]),
    "only a header of features": ("features", "x.csv", "id,a,b\n", ["x.csv", "only a header"]),
    "ids without features": ("features", "x.csv", "0\n1\n2\n", ["x.csv", "one column"]),
    "three columns of labels": ("labels", "y.csv", "id,label,more\n0,1,2\n", ["y.csv line 1", "id,label"]),
    "a label twice": ("labels", "y.csv", "id,label\n0,a\n0,b\n", ["line 3", "already"]),
    "empty labels": ("labels", "y.csv", "", ["y.csv", "empty"]),
}


@pytest.mark.parametrize("case", TABLES)
def test_tables_beside_an_edge_list(refused, tmp_path, edges, case):
    what, name, text, words = TABLES[case]
    path = tmp_path / name
    path.write_text(text)
    assert not refused(tmp_path, lambda: load(edges, **{what: path}), DataError, words)


ROWS: dict[str, tuple[str, Any, list[str]]] = {
    "too few feature rows": ("features", np.ones((2, 3)), ["2 rows", "the edges name node 2"]),
    "flat features": ("features", np.ones(3), ["(nodes, features)", "(3,)"]),
    "text features": ("features", np.array([["a"], ["b"], ["c"]]), ["must be numbers"]),
    "nan features": ("features", np.array([[1.0], [np.nan], [1.0]]), ["row 1", "NaN"]),
    "float labels": ("labels", np.array([0.0, 1.0, 1.0]), ["integers", "float64"]),
    "label matrix": ("labels", np.eye(3, dtype=int), ["list of integers", "(3, 3)"]),
    "labels that are no classes": (
        "labels",
        np.array([0, 1, 1 << 40], dtype=np.uint64),
        ["label 1099511627776", "3 nodes"],
    ),
    "too few labels": ("labels", np.array([0, 1]), ["2 rows", "the edges name node 2"]),
}


@pytest.mark.parametrize("as_file", [True, False])
@pytest.mark.parametrize("case", ROWS)
def test_rows_beside_an_edge_list(refused, tmp_path, edges, case, as_file):
    what, values, words = ROWS[case]
    np.save(tmp_path / "rows.npy", values)
    given = tmp_path / "rows.npy" if as_file else values
    source = "rows.npy" if as_file else what
    assert not refused(tmp_path, lambda: load(edges, **{what: given}), DataError, [source, *words])


@pytest.mark.parametrize("what", ["features", "labels"])
def test_rows_of_different_length(refused, tmp_path, edges, what):
    action = lambda: load(edges, **{what: [[1], [1, 2], [1]]})  # noqa: E731
    assert not refused(tmp_path, action, DataError, [what, "no array"])


def test_more_rows_than_nodes_of_an_archive(refused, tmp_path):
    np.savez(tmp_path / "own.npz", **GRAPH)
    action = lambda: load(tmp_path / "own.npz", features=np.ones((5, 1)))  # noqa: E731
    assert not refused(tmp_path, action, DataError, ["features", "5 rows", "2 nodes"])


def test_an_id_beyond_the_nodes_of_an_archive(refused, tmp_path):
    np.savez(tmp_path / "own.npz", **GRAPH)
    (tmp_path / "y.csv").write_text("id,label\n0,1\n2,1\n")
    action = lambda: load(tmp_path / "own.npz", labels=tmp_path / "y.csv")  # noqa: E731
    assert not refused(tmp_path, action, DataError, ["y.csv line 3", "node 2 does not exist", "0 to 1"])


def test_rows_without_ids_beside_text_ids(refused, tmp_path):
    (tmp_path / "g.csv").write_text("ann,bob\nbob,carl\n")
    action = lambda: load(tmp_path / "g.csv", features=np.ones((3, 1)))  # noqa: E731
    assert not refused(tmp_path, action, DataError, ["features", "text node ids", "CSV with an id column"])


def test_features_with_an_unknown_ending(refused, tmp_path, edges):
    assert not refused(tmp_path, lambda: load(edges, features="x.mat"), UsageError, ["x.mat", ".npy", ".npz", "'.mat'"])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"not an array", ["not a NumPy array", "numpy.save"]),
        (npy((10**12, 10), b""), ["header claims", "cut short or damaged"]),
        (npy((3, 1), b"\0" * 7), ["header claims", "7 bytes follow"]),
        (npy((3, 1), b"", "|O"), ["Python objects", "never read"]),
        (b"\x93NUMPY\x09\x00" + b"\0" * 50, ["not a NumPy array"]),
        (npy((3, 1), b"\0" * 24).replace(b"}", b"'"), ["not a NumPy array"]),
        (npy((3, 1), b"\0" * 24).replace(b"}", b"("), ["not a NumPy array"]),
        (npy((3, 1), b"\0" * 24, "<,"), ["not a NumPy array"]),
        (npy((3, 1), b"\0" * 24).replace(b"'fortran_order'", b"1_000_000_000_0"), ["not a NumPy array"]),
        (b"", ["empty"]),
    ],
)
def test_damaged_npy(refused, tmp_path, edges, data, words):
    path = tmp_path / "x.npy"
    path.write_bytes(data)
    assert not refused(tmp_path, lambda: load(edges, features=path), DataError, ["x.npy", *words])


def test_a_sparse_matrix_by_columns(refused, tmp_path, edges):
    sp.save_npz(tmp_path / "x.npz", sp.csc_array(np.eye(3)))
    assert not refused(tmp_path, lambda: load(edges, features=tmp_path / "x.npz"), DataError, ["'csc' form", "tocsr"])
