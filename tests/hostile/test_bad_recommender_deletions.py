"""Deletions of users, items, interactions, triples and modalities of every wrong kind."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph

FILES: dict[str, tuple[str, str, list[str]]] = {
    "json singular": ("gone.json", '{"user": [1]}', ["unknown key 'user'", "Did you mean 'users'?"]),
    "json interactions flat": ("gone.json", '{"interactions": [1, 2]}', ["pairs of a user id and an item id", "got 1"]),
    "json interaction of three": ("gone.json", '{"interactions": [[1, 2, 5.0]]}', ["pairs of", "[1, 2, 5.0]"]),
    "json triple of two": ("gone.json", '{"triples": [[1, 2]]}', ["triples of head, relation and tail", "[1, 2]"]),
    "json modality by number": ("gone.json", '{"modalities": [[3, 1]]}', ["must name a modality first", "[3, 1]"]),
    "json modality alone": ("gone.json", '{"modalities": ["image"]}', ["pairs of a modality and an item id", "'*'"]),
    "json user null": ("gone.json", '{"users": [null]}', ["integers (64 bits) or text", "None"]),
    "json user float": ("gone.json", '{"users": [12.0]}', ["'users'", "12.0"]),
    "json users as object": ("gone.json", '{"users": {"a": 1}}', ["'users' must be a list", "dict"]),
    "json item empty": ("gone.json", '{"interactions": [[1, ""]]}', ["'interactions'", "integers (64 bits) or text"]),
    "csv header misspelt": ("gone.csv", "usr\n4\n", ["line 1", "'usr'", "Did you mean 'user'?", "head,relation,tail"]),
    "csv user beside a stranger": ("gone.csv", "user,itme\n4,5\n", ["line 1", "'itme'", "Did you mean 'item'?"]),
    "csv user beside a rating": ("gone.csv", "user,rating\n4,5\n", ["'rating'", "the header user,item"]),
    "csv item first alone": ("gone.csv", "item,when\n4,5\n", ["a list of items has one column", "'when'"]),
    "csv user alone": ("gone.csv", "user\n", ["nothing is named"]),
    "csv pairs without rows": ("gone.csv", "user,item\n", ["nothing is named"]),
    "csv empty user": ("gone.csv", "user,item\n4,5\n,6\n", ["line 3", "column 1", "empty"]),
    "csv empty item": ("gone.csv", "user,item\n4,\n", ["line 2", "column 2", "empty"]),
    "csv empty tail": ("gone.csv", "head,relation,tail\na,by,\n", ["line 2", "column 3", "empty"]),
    "csv ragged triple": ("gone.csv", "head,relation,tail\na,by,b\na,by\n", ["line 3", "2 column(s)"]),
    "csv modality by number": ("gone.csv", "modality,item\n3,4\n", ["must name a modality first"]),
    "csv with semicolons": (
        "gone.csv",
        "user;item\n4;5\n",
        ["gone.csv line 1: found 'user;item' in one column", "by commas"],
    ),
    "tsv with commas": ("gone.tsv", "user,item\n4,5\n", ["one column without a known header", "'user,item'"]),
}


@pytest.mark.parametrize("case", FILES)
def test_files(refused, tmp_path, case):
    name, text, words = FILES[case]
    (tmp_path / name).write_text(text)
    assert not refused(tmp_path, lambda: Deletion.read(tmp_path / name), DataError, [name, *words])


@pytest.mark.parametrize(
    ("parts", "words"),
    [
        ({"users": []}, ["nothing is named", "users, items, interactions, triples, modalities"]),
        ({"users": 12}, ["'users' must be a list", "[12]"]),
        ({"users": "ann"}, ["'users' must be a list"]),
        ({"items": [True]}, ["True"]),
        ({"items": [b"x"]}, ["'items'"]),
        ({"interactions": (12, 40)}, ["pairs of a user id and an item id", "(12, 40)", "got 12"]),
        ({"interactions": ["12"]}, ["pairs of a user id and an item id", "got '12'"]),
        ({"interactions": np.array([[4.0, 17.0]])}, ["4.0"]),
        ({"interactions": np.array([[4, 5, 6]])}, ["[4, 5, 6]"]),
        ({"triples": [("a", "b")]}, ["head, relation and tail"]),
        ({"modalities": {"image": [1]}}, ["'modalities' must be a list"]),
        ({"modalities": [("", 1)]}, ["'modalities'"]),
    ],
)
def test_values(refused, tmp_path, parts, words):
    assert not refused(tmp_path, lambda: Deletion(**parts), UsageError, ["Deletion", *words])


def test_ids_that_a_csv_would_lose(refused, tmp_path):
    gone = Deletion(interactions=[("ann", " a")])
    assert not refused(tmp_path, lambda: gone.write(tmp_path / "gone.csv"), UsageError, ["' a'", ".json"])


def shop(**changes) -> Interactions:
    """Return ann: a b, bob: a, carl: c, dora: nothing; fact a by Mann; item c has no image."""
    fields = {
        "n_users": 4,
        "n_items": 3,
        "train": [[0, 0, 1, 2], [0, 1, 0, 2]],
        "test": [[3], [0]],
        "user_ids": ["ann", "bob", "carl", "dora"],
        "item_ids": ["a", "b", "c"],
        "name": "shop",
        "triples": TripleGraph.build(
            4, 2, [[0, 1], [0, 1], [3, 3]], ["a", "b", "c", "Mann"], ["directed_by", "with"], "films"
        ),
        "modalities": {"image": [[1.0], [2.0], [np.nan]], "text": [[1.0], [1.0], [2.0]]},
    }
    return Interactions.build(**{**fields, **changes})


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (Deletion(users=["carll"]), ["shop", "no user with id 'carll'", "Did you mean 'carl'?"]),
        (Deletion(users=["ann", 7]), ["no user with id '7'", "1 of 2"]),
        (Deletion(users=["a"]), ["no user with id 'a'"]),
        (Deletion(items=["ann"]), ["no item with id 'ann'"]),
        (Deletion(items=["*"]), ["no item with id '*'"]),
        (Deletion(items=["Mann"]), ["no item with id 'Mann'"]),
        (
            Deletion(interactions=[("ann", "c")]),
            ["user 'ann' has no interaction with item 'c'", "1 of 1", "off the list"],
        ),
        (Deletion(interactions=[("ann", "a"), ("bob", "b")]), ["'bob'", "'b'", "1 of 2"]),
        (Deletion(interactions=[("a", "ann")]), ["no user with id 'a'"]),
        (Deletion(interactions=[("ann", "*")]), ["no item with id '*'"]),
        (Deletion(triples=[("A", "directed_by", "Mann")]), ["head of a triple", "films", "no entity with id 'A'"]),
        (Deletion(triples=[("a", "directedby", "Mann")]), ["relation of a triple", "Did you mean 'directed_by'?"]),
        (Deletion(triples=[("a", "directed_by", "Man")]), ["tail of a triple", "Did you mean 'Mann'?"]),
        (Deletion(triples=[("a", "with", "Mann")]), ["no triple ('a', 'with', 'Mann')", "1 of 1"]),
        (Deletion(triples=[("Mann", "directed_by", "a")]), ["no triple", "inverses are not listed"]),
        (Deletion(modalities=[("imag", "a")]), ["no modality 'imag'", "Did you mean 'image'?", "image, text"]),
        (Deletion(modalities=[("image", "z")]), ["no item with id 'z'"]),
        (Deletion(modalities=[("image", "c")]), ["features of its own in image", "nothing to forget"]),
        (Deletion(users=["ann", "bob", "carl", "dora"]), ["takes every user (4)", "nothing is left"]),
        (Deletion(users=["ann", "bob", "carl"]), ["takes every train interaction (4)", "nothing is left"]),
        (Deletion(items=["a", "b", "c"]), ["takes every item (3)", "nothing is left"]),
        (Deletion(users=["carl"], items=["a", "b"]), ["takes every train interaction (4)"]),
        (
            Deletion(interactions=[("ann", "a"), ("ann", "b"), ("bob", "a"), ("carl", "c")]),
            ["takes every train interaction (4)", "Delete fewer"],
        ),
        (Deletion(triples=[("a", "directed_by", "Mann"), ("b", "with", "Mann")]), ["takes every triple (2)"]),
    ],
)
def test_what_is_not_in_the_interactions(refused, tmp_path, gone, words):
    assert not refused(tmp_path, lambda: gone.resolve(shop()), DataError, words)


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (Deletion(users=[4]), ["no user with id 4", "0 to 3"]),
        (Deletion(users=[-1]), ["no user with id -1", "0 to 3"]),
        (Deletion(users=["ann"]), ["user ids are integers 0 to 3", "'ann'"]),
        (Deletion(users=[1, "bob"]), ["user ids are integers 0 to 3", "'bob'"]),
        (Deletion(items=[3]), ["no item with id 3", "0 to 2"]),
        (Deletion(interactions=[(0, 2)]), ["user '0' has no interaction with item '2'"]),
        (Deletion(triples=[(0, 0, 3)]), ["no knowledge graph"]),
        (Deletion(modalities=[("image", 0)]), ["no modalities", "Load item features"]),
    ],
)
def test_what_is_not_in_plain_interactions(refused, tmp_path, gone, words):
    plain = shop(user_ids=None, item_ids=None, triples=None, modalities=None, name="plain")
    assert not refused(tmp_path, lambda: gone.resolve(plain), DataError, ["plain", *words])


@pytest.mark.parametrize(
    ("gone", "words"),
    [
        (Deletion(edges=[(0, 4)]), ["names edges", "shop", "user,item"]),
        (Deletion(nodes=[0]), ["names nodes", "users, items, interactions"]),
        (Deletion(features=[0]), ["names features"]),
        (Deletion(classes=[0]), ["names classes"]),
        (Deletion(users=["ann"], interactions=[("bob", "a")]), ["several kinds", "only users and items"]),
        (Deletion(users=["ann"], items=["b"], modalities=[("image", "a")]), ["several kinds"]),
        (Deletion(triples=[("a", "directed_by", "Mann")], modalities=[("image", "a")]), ["several kinds"]),
    ],
)
def test_kinds_that_interactions_do_not_serve(refused, tmp_path, gone, words):
    assert not refused(tmp_path, lambda: gone.resolve(shop()), UnsupportedError, words)


@pytest.mark.parametrize("kind", ["users", "items", "interactions", "triples", "modalities"])
def test_kinds_that_a_graph_does_not_serve(refused, tmp_path, kind):
    value = {"interactions": (0, 1), "triples": (0, 1, 2), "modalities": ("image", 0)}.get(kind, 0)
    graph = Graph.build(3, np.array([[0, 1], [1, 2]]), name="plain")
    gone = Deletion(**{kind: [value]})
    assert not refused(
        tmp_path, lambda: gone.resolve(graph), UnsupportedError, [f"names {kind}", "'plain' holds nodes and edges"]
    )


def test_a_table_of_pairs_under_a_foreign_header(refused, tmp_path):
    path = tmp_path / "gone.csv"
    path.write_text("person,film\n0,1\n5,1\n")
    assert not refused(
        tmp_path, lambda: Deletion.read(path), DataError, ["'person,film'", "user,item for interactions"]
    )
    path.write_text("0,1\n5,1\n")
    assert not refused(
        tmp_path, lambda: Deletion.read(path, shop()), UnsupportedError, ["names edges", "the header user,item"]
    )
    path.write_text("0,0\n")
    assert not refused(
        tmp_path, lambda: Deletion.read(path), DataError, ["joins a node to itself", "the header user,item"]
    )


def test_columns_that_are_not_there(refused, tmp_path):
    path, columns = tmp_path / "gone.csv", {"user": "userId", "item": "movieId"}
    path.write_text("user_id,movie_id\n0,0\n")
    words = ["gone.csv line 1", "userId, movieId", "user_id, movie_id", "Did you mean 'userId'?"]
    assert not refused(tmp_path, lambda: Deletion.read(path, columns=columns), DataError, words)
    path.write_text("userId,film\n0,0\n")
    assert not refused(
        tmp_path, lambda: Deletion.read(path, columns=columns), DataError, ["a list of users has one", "'film'"]
    )


def test_a_renamed_column_that_is_not_the_first(refused, tmp_path):
    path, columns = tmp_path / "gone.csv", {"user": "userId", "item": "movieId", "rating": "stars"}
    path.write_text("stars,userId\n5,0\n")
    words = ["gone.csv line 1", "a list of users has one column", "'stars' beside it", "the header user,item"]
    assert not refused(tmp_path, lambda: Deletion.read(path, columns=columns), DataError, words)
    path.write_text("stars,film\n5,0\n")
    words = ["stars, film name nothing to delete", "the columns called userId, movieId."]
    assert not refused(tmp_path, lambda: Deletion.read(path, columns=columns), DataError, words)
    path.write_text("by,x\n5,0\n")
    words = ["by, x name nothing to delete", "head,relation,tail"]
    assert not refused(tmp_path, lambda: Deletion.read(path, columns={"head": "by"}), DataError, words)


@pytest.mark.parametrize("file", ["gone.csv", "gone.json"])
def test_a_role_of_columns_that_does_not_exist(refused, tmp_path, file):
    Deletion(users=[1]).write(tmp_path / file)
    words = ["columns: Unknown role 'usr'", "Did you mean 'user'?"]
    assert not refused(tmp_path, lambda: Deletion.read(tmp_path / file, columns={"usr": "userId"}), UsageError, words)
