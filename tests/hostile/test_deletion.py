"""Deletion files and values of every wrong kind."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph

FILES: dict[str, tuple[str, str, list[str]]] = {
    "json list": ("gone.json", "[1, 2]", ["expected an object", "list", "edges, nodes"]),
    "json of an unknown key": ("gone.json", '{"node": [1]}', ["unknown key 'node'", "Did you mean 'nodes'?"]),
    "json scalar": ("gone.json", '{"nodes": 4}', ["'nodes' must be a list", "int"]),
    "json text for a list": ("gone.json", '{"nodes": "abc"}', ["'nodes' must be a list", "str"]),
    "json empty object": ("gone.json", "{}", ["nothing is named", "edges, nodes, features, classes"]),
    "json empty lists": ("gone.json", '{"edges": [], "nodes": []}', ["nothing is named"]),
    "json flat edges": ("gone.json", '{"edges": [1, 2]}', ["pairs of node ids", "got 1"]),
    "json edge of three": ("gone.json", '{"edges": [[1, 2, 3]]}', ["pairs of node ids", "[1, 2, 3]"]),
    "json edge as text": ("gone.json", '{"edges": ["12"]}', ["pairs of node ids"]),
    "json self-loop": ("gone.json", '{"edges": [[1, 1]]}', ["joins a node to itself"]),
    "json self-loop in disguise": ("gone.json", '{"edges": [[1, "1"]]}', ["joins a node to itself"]),
    "json float": ("gone.json", '{"nodes": [1.5]}', ["integers (64 bits) or text", "1.5"]),
    "json bool": ("gone.json", '{"nodes": [true]}', ["integers (64 bits) or text", "True"]),
    "json null": ("gone.json", '{"nodes": [null]}', ["integers (64 bits) or text", "None"]),
    "json nan": ("gone.json", '{"nodes": [NaN]}', ["integers (64 bits) or text", "nan"]),
    "json nested": ("gone.json", '{"nodes": [[1]]}', ["integers (64 bits) or text", "[1]"]),
    "json empty id": ("gone.json", '{"nodes": [""]}', ["integers (64 bits) or text"]),
    "json 70 bits": ("gone.json", '{"nodes": [1180591620717411303424]}', ["integers (64 bits)"]),
    "json cut short": ("gone.json", '{"nodes": [1, 2', ["line 1", "not JSON"]),
    "json without end": ("gone.json", "[" * 200_000, ["gone.json"]),
    "json of bytes": ("gone.json", "\udcff", ["not UTF-8"]),
    "empty json": ("gone.json", "", ["empty"]),
    "empty csv": ("gone.csv", "", ["empty"]),
    "blank csv": ("gone.csv", "\n\n", ["no rows", "node, feature_of, class"]),
    "csv without header": ("gone.csv", "4\n5\n", ["line 1", "without a known header", "feature_of"]),
    "csv with a near header": ("gone.csv", "nodes\n4\n", ["'nodes'", "Did you mean 'node'?"]),
    "csv with a header alone": ("gone.csv", "node\n", ["nothing is named"]),
    "csv with an edge header alone": ("gone.csv", "source,target\n", ["only a header"]),
    "csv ragged": ("gone.csv", "source,target\n4,5\n6\n", ["line 3", "1 column(s)"]),
    "csv edge or header": (
        "gone.csv",
        "ann,bob\n4,5\n",
        ["line 1", "'ann,bob' is an edge or a header", "source,target"],
    ),
    "csv empty id": ("gone.csv", 'node\n4\n""\n', ["line 3", "empty"]),
    "csv self-loop": ("gone.csv", "4,5\n6,6\n", ["(6, 6)", "joins a node to itself"]),
}


@pytest.mark.parametrize("case", FILES)
def test_files(refused, tmp_path, case):
    name, text, words = FILES[case]
    path = tmp_path / name
    path.write_bytes(text.encode(errors="surrogateescape"))
    assert not refused(tmp_path, lambda: Deletion.read(path), DataError, [name, *words])


def test_a_missing_file(refused, tmp_path):
    assert not refused(
        tmp_path, lambda: Deletion.read(tmp_path / "gone.json"), DataError, ["gone.json", "no such file"]
    )


def test_an_unknown_ending(refused, tmp_path):
    assert not refused(tmp_path, lambda: Deletion.read(tmp_path / "gone.xml"), UsageError, ["gone.xml", ".json, .csv"])


@pytest.mark.parametrize(
    ("ids", "name"),
    [([" a"], "gone.csv"), (["a\nb"], "gone.csv"), (["a\rb"], "gone.csv"), (["a"], "gone.xml"), (["a"], "gone")],
)
def test_what_is_not_written(refused, tmp_path, ids, name):
    assert not refused(tmp_path, lambda: Deletion(nodes=ids).write(tmp_path / name), UsageError, [".json"])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({}, ["nothing is named"]),
        ({"nodes": []}, ["nothing is named"]),
        ({"nodes": 4}, ["'nodes' must be a list", "[4]"]),
        ({"nodes": "abc"}, ["'nodes' must be a list"]),
        ({"nodes": np.array(7)}, ["'nodes' must be a list", "[array(7)]"]),
        ({"nodes": torch.tensor(7)}, ["'nodes' must be a list", "tensor(7)"]),
        ({"nodes": [1.0]}, ["1.0", "as the graph has them"]),
        ({"nodes": [True]}, ["True"]),
        ({"nodes": [None]}, ["None"]),
        ({"edges": [4, 17]}, ["pairs of node ids", "(4, 17)"]),
        ({"edges": (4, 17)}, ["pairs of node ids"]),
        ({"edges": [(4, 17, 1)]}, ["pairs of node ids"]),
        ({"edges": [(4, 4)]}, ["joins a node to itself"]),
        ({"edges": np.array([[4.0, 17.0]])}, ["4.0"]),
    ],
)
def test_values(refused, tmp_path, parts, words):
    assert not refused(tmp_path, lambda: Deletion(**parts), UsageError, ["Deletion", *words])


def test_arrays_and_tensors_are_lists_of_plain_ids():
    for many in (np.array([4, 7], dtype=np.uint64), torch.tensor([4, 7])):
        assert Deletion(nodes=many).nodes == (4, 7) and Deletion(edges=many.reshape(1, 2)).edges == ((4, 7),)


@pytest.fixture
def people() -> Graph:
    """ann - bob - carl, two classes."""
    edges, ids = np.array([[0, 1], [1, 2]]), np.array(["ann", "bob", "carl"])
    return Graph.build(3, edges, labels=np.array([0, 1, 1]), ids=ids, class_names=["art", "law"], name="people")


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (Deletion(nodes=["karl"]), ["people", "'karl'", "Did you mean 'carl'?"]),
        (Deletion(nodes=[1]), ["people", "'1'"]),
        (Deletion(features=["zz"]), ["people", "'zz'"]),
        (Deletion(edges=[("ann", "carl")]), ["no edge between 'ann' and 'carl'", "1 of 1", "off the list"]),
        (Deletion(edges=[("ann", "bob"), ("ann", "bop")]), ["'bop'", "Did you mean 'bob'?"]),
        (Deletion(edges=[("ann", "bob"), ("carl", "bob")]), ["every edge (2)", "nothing is left"]),
        (Deletion(nodes=["ann", "bob", "carl"]), ["every node (3)", "nothing is left"]),
        (Deletion(classes=["lew"]), ["no class 'lew'", "Did you mean 'law'?", "art, law"]),
        (Deletion(classes=[1]), ["no class '1'", "art, law"]),
        (Deletion(classes=["art", "law"]), ["every class (2)"]),
    ],
)
def test_what_is_not_in_the_graph(refused, tmp_path, people, gone, words):
    assert not refused(tmp_path, lambda: gone.resolve(people), DataError, words)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (Deletion(nodes=[7]), ["no node with id 7", "0 to 2"]),
        (Deletion(nodes=[-1]), ["-1", "0 to 2"]),
        (Deletion(nodes=["bob"]), ["integers 0 to 2", "bob"]),
        (Deletion(nodes=[1, "bob"]), ["integers 0 to 2", "bob"]),
        (Deletion(edges=[(0, 2)]), ["no edge between '0' and '2'"]),
        (Deletion(classes=[0]), ["has no labels"]),
    ],
)
def test_what_is_not_in_a_graph_without_ids(refused, tmp_path, gone, words):
    plain = Graph.build(3, np.array([[0, 1], [1, 2]]), name="plain")
    assert not refused(tmp_path, lambda: gone.resolve(plain), DataError, ["plain", *words])


def test_an_edge_of_a_graph_without_edges(refused, tmp_path):
    lonely = Graph.build(3, np.zeros((2, 0), dtype=np.int64), name="lonely")
    assert not refused(
        tmp_path, lambda: Deletion(edges=[(0, 1)]).resolve(lonely), DataError, ["lonely", "no edge between"]
    )
