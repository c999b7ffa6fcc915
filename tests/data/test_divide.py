"""From records to parts: threshold, repeats, k-core, split and the ids that stay, by construction."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.divide import divided, filtered
from graphforget.data.formats.raw_interactions import ALL, RawInteractions, Records
from graphforget.data.load import load
from graphforget.data.load_options import LoadOptions, load_options
from graphforget.data.splits import Events, split
from graphforget.data.triples import TripleGraph

ROWS = [("a", 1, 5, 30), ("a", 2, 3, 10), ("a", 1, 1, 20), ("b", 1, 4, 5), ("b", 3, 5, 6), ("c", 2, 2, 7)]


@pytest.fixture
def table(tmp_path):
    """Six ratings with times; (a, 1) twice, first seen at time 20 with rating 1."""
    path = tmp_path / "r.csv"
    path.write_text("user,item,rating,time\n" + "".join(",".join(map(str, row)) + "\n" for row in ROWS))
    return path


def named_pairs(data, part: str = "train") -> set[tuple]:
    """Return the pairs of a part in the user's own ids."""
    users, items = data.pairs(part)
    return set(zip(data.user_ids_of(users), data.item_ids_of(items), strict=True))


def test_repeats_count_once(table):
    data = load(table, split="user", valid=0, test=0)
    assert named_pairs(data) == {("a", 1), ("a", 2), ("b", 1), ("b", 3), ("c", 2)}
    assert "1 records repeat a pair of user and item; the first of each counts" in data.notes


def test_the_threshold_looks_at_every_record(table):
    data = load(table, min_rating=4, split="user", valid=0, test=0)
    assert named_pairs(data) == {("a", 1), ("b", 1), ("b", 3)}
    assert data.user_ids.tolist() == ["a", "b"] and data.item_ids.tolist() == [1, 3]
    assert "3 records rated below 4 left out" in data.notes
    assert "1 user(s) and 1 item(s) without a record left out" in data.notes


def test_the_first_record_of_a_pair_has_its_time(table):
    data = load(table, split="leave-one-out")
    assert named_pairs(data, "test") == {("a", 1), ("b", 3)}  # a saw 1 at 20, after 2 at 10


def test_the_core_is_a_fixed_point(table):
    data = load(table, core=(2, 1), split="user", valid=0, test=0)
    assert named_pairs(data) == {("a", 1), ("a", 2), ("b", 1), ("b", 3)}
    assert load(table, core=(1, 2), split="user", valid=0, test=0).item_ids.tolist() == [1, 2]


def test_features_follow_their_items(table):
    values = np.arange(8.0).reshape(4, 2)
    data = load(table, min_rating=4, modalities={"image": values}, split="user", valid=0, test=0)
    assert data.item_ids.tolist() == [1, 3] and data.modalities["image"].tolist() == [[2, 3], [6, 7]]
    assert "modality 'image': row i was taken for the item with id i" in data.notes


def test_a_threshold_on_parts_that_files_give(tmp_path):
    (tmp_path / "a.csv").write_text("user,item,rating\n1,1,5\n1,2,1\n2,2,4\n")
    (tmp_path / "b.csv").write_text("user,item,rating\n1,2,5\n2,1,3\n")
    data = load(tmp_path / "a.csv", parts={"test": tmp_path / "b.csv"}, min_rating=4)
    assert named_pairs(data) == {(1, 1), (2, 2)} and named_pairs(data, "test") == {(1, 2)}


def test_the_default_split_is_said(table):
    notes = load(table).notes
    assert (
        "divided into train, valid and test by 'user' (0.8 / 0.1 / 0.1, seed 0); no split was named, and this is the "
        "default"
    ) in notes


def test_the_seed_decides_and_repeats(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item\n" + "".join(f"{u},{i}\n" for u in range(10) for i in range(20)))
    assert load(path, seed=3).digest == load(path, seed=3).digest != load(path, seed=4).digest


def test_shares_seed_and_number_of_items_come_from_the_options_and_the_data():
    """The draws of a split are those of the stream "split" at user * n_items + item."""
    pairs = np.stack([np.repeat(np.arange(10), 20), np.tile(np.arange(20), 10)])
    raw = RawInteractions(10, 23, {ALL: Records(pairs)})
    parts, _ = divided(raw, LoadOptions(split="user", valid=0.3, test=0.1, seed=3))
    assert [parts[part].shape[1] for part in ("train", "valid", "test")] == [120, 60, 20]
    labels = split(Events(*pairs), "user", Streams(3)("split"), 0.3, 0.1, n_items=23)
    for number, part in enumerate(("train", "valid", "test")):
        assert parts[part].tolist() == pairs[:, labels == number].tolist()


def test_facts_keep_their_entities_when_items_leave():
    """Items 0 and 2 have no record above the threshold: they become entities behind the items that stay."""
    names, kinds = np.array(["i0", "i1", "i2", "i3", "e4", "e5"]), np.array(["by", "of"])
    facts = np.array([[0, 1, 2, 3, 1, 5], [0, 1, 0, 1, 0, 1], [4, 5, 1, 0, 3, 2]])
    records = Records(np.array([[0, 0, 1, 1], [1, 3, 0, 2]]), ratings=np.array([5.0, 5.0, 1.0, 1.0]))
    graph = TripleGraph.build(6, 2, facts, names, kinds)
    raw = RawInteractions(2, 4, {ALL: records}, item_ids=names[:4], triples=graph)
    left, items = filtered(raw, LoadOptions(min_rating=4.0))
    assert (items.tolist(), left.item_ids.tolist(), left.n_users) == ([1, 3], ["i1", "i3"], 1)
    assert left.triples.entity_ids.tolist() == ["i1", "i3", "i0", "i2", "e4", "e5"]

    def named(value: TripleGraph) -> set[tuple]:
        heads, relations, tails = value.triples
        ids = value.entity_ids[heads], value.relation_ids[relations], value.entity_ids[tails]
        return set(zip(*(side.tolist() for side in ids), strict=True))

    assert named(left.triples) == named(graph)


def test_options_know_what_was_given():
    options = load_options({"core": 5, "split": "random"})
    assert options.given() == {"core": 5, "split": "random"}
    assert options.over({"split": "user", "seed": 1}) == LoadOptions(core=5, split="random", seed=1)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_ratings": 4}, "Unknown option of load 'min_ratings'. Did you mean 'min_rating'?"),
        ({"split": "users"}, "Unknown split 'users'. Did you mean 'user'?"),
        ({"ids": "integers"}, "Unknown choice of 'ids'"),
        ({"columns": {}}, "'columns' must be a mapping with at least one entry"),
        ({"columns": "user"}, "'columns' must be a mapping"),
        ({"seed": -1}, "'seed' must be a whole number from 0"),
        ({"seed": 1.5}, "'seed' must be a whole number"),
        ({"n_users": True}, "'n_users' must be a whole number"),
        ({"parts": {"train": "x"}}, "Unknown part 'train'. .*The path itself is the train part"),
        ({"triples": 3}, "'triples' must be the path"),
        ({"format": 3}, "'format' must be the name"),
    ],
)
def test_options_that_cannot_be(options, words):
    with pytest.raises(UsageError, match=words):
        load_options(options)


def test_a_seed_that_decides_nothing_is_refused(table):
    for rule in ("user", "global-time"):
        with pytest.raises(UsageError, match=f"'seed' is 3, but the split '{rule}' holds nothing out"):
            load(table, split=rule, valid=0, test=0, seed=3)
    assert (
        "divided into train, valid and test by 'user' (1 / 0 / 0)" in load(table, split="user", valid=0, test=0).notes
    )
    assert any("(seed 3)" in note for note in load(table, split="leave-one-out", seed=3).notes)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"min_rating": 4.0}, r" \(Loading the data left out 2 records rated below 4; the model has learned nothing"),
        ({"core": 2}, r"Loading the data left out 2 records outside the 2-core; "),
        ({"min_rating": 1.0}, "load the data that have them.$"),
        ({}, "load the data that have them.$"),
    ],
)
def test_what_a_threshold_left_out_is_said_where_something_is_missed(tmp_path, options, words):
    rows = [f"{user},{item},5" for user in "abc" for item in "xyz"] + ["a,w,1", "d,x,2"]
    (tmp_path / "log.csv").write_text("\n".join(["user,item,rating", *rows]) + "\n")
    data = load(tmp_path / "log.csv", columns={"user": "user", "item": "item", "rating": "rating"}, **options)
    for gone in (Deletion(interactions=[("a", "q")]), Deletion(users=["e"]), Deletion(items=["v"])):
        with pytest.raises(DataError, match=words):
            gone.resolve(data)
    if options:
        return
    with pytest.raises(DataError, match=r"user 'd' has no interaction with item 'y' .*data that have them\.$"):
        Deletion(interactions=[("d", "y")]).resolve(data)
