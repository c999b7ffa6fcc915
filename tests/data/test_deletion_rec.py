"""Deletions of users, items, interactions, triples and modalities: values, files, numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph

ids = st.one_of(st.integers(-5, 50), st.text(min_size=1, max_size=4))
pairs = st.tuples(ids, ids)


@pytest.fixture
def shop() -> Interactions:
    """Return ann: a c, bob: a b, carl: d, dora: nothing; bob c and carl a in test, ann b in valid; c has no image."""
    return Interactions.build(
        n_users=4,
        n_items=4,
        train=[[0, 0, 1, 1, 2], [0, 2, 0, 1, 3]],
        valid=[[0], [1]],
        test=[[1, 2], [2, 0]],
        user_ids=["ann", "bob", "carl", "dora"],
        item_ids=["a", "b", "c", "d"],
        name="shop",
        triples=TripleGraph.build(
            n_entities=6,
            n_relations=2,
            triples=[[0, 1, 4, 2], [0, 1, 0, 1], [4, 5, 5, 0]],
            entity_ids=["a", "b", "c", "d", "Mann", "Ronin"],
            relation_ids=["by", "with"],
            name="films",
        ),
        modalities={"image": [[1.0], [2.0], [np.nan], [4.0]], "text": [[1.0], [1.0], [1.0], [2.0]]},
    )


@given(st.lists(ids, min_size=1, max_size=5), st.lists(pairs, max_size=5), st.randoms())
@settings(max_examples=25, deadline=None)
def test_the_digest_ignores_order_and_repeats(users, interactions, random):
    one = Deletion(users=users, interactions=interactions)
    random.shuffle(shuffled := [*interactions, *interactions[:1]])
    assert one.digest == Deletion(users=users[::-1] + users[:1], interactions=shuffled).digest


def test_the_digest_tells_kinds_ids_and_sides_apart():
    values = [Deletion(users=[1]), Deletion(items=[1]), Deletion(nodes=[1]), Deletion(users=[1], items=[1])]
    values += [Deletion(interactions=[(1, 2)]), Deletion(interactions=[(2, 1)]), Deletion(edges=[(1, 2)])]
    values += [Deletion(triples=[(1, 2, 3)]), Deletion(triples=[(3, 2, 1)])]
    values += [Deletion(modalities=[("image", 1)]), Deletion(modalities=[("text", 1)])]
    values += [Deletion(modalities=[("image", "*")]), Deletion(interactions=[("image", 1)])]
    assert len({value.digest for value in values}) == len(values)


@pytest.mark.parametrize(
    ("gone", "digest"),
    [
        (
            Deletion(edges=[(4, 17), ("b", "a"), (17, 4)]),
            "784a81c02e1e54d1ae8a17725cfe29304b16ad5460064bb0968551c330d1f8d1",
        ),
        (
            Deletion(nodes=[3, "1", 2], features=["x"]),
            "3770b92cf2d565efc2bc96b39a9dbbae202b2a9c72dc5f2ca6f6a81d1404258f",
        ),
        (
            Deletion(classes=["law", 2], edges=[(10, 9)]),
            "d6354a41c74ada68473ba31a828d0e6f777befc4a7817a21b1917ad10662d608",
        ),
    ],
)
def test_digests_of_graph_deletions_are_those_of_earlier_journals(gone, digest):
    assert gone.digest == digest


@pytest.mark.parametrize(
    ("gone", "kind"),
    [
        (Deletion(users=[1]), "users"),
        (Deletion(items=[1]), "items"),
        (Deletion(users=[1], items=[1]), "users+items"),
        (Deletion(interactions=[(1, 2)]), "interactions"),
        (Deletion(triples=[(1, 2, 3)]), "triples"),
        (Deletion(modalities=[("image", 4)]), "modalities"),
        (Deletion(users=[1], interactions=[(1, 2)]), "mixed"),
        (Deletion(users=[1], items=[2], triples=[(1, 2, 3)]), "mixed"),
        (Deletion(users=[1], nodes=[2]), "mixed"),
    ],
)
def test_kind(gone, kind):
    assert gone.kind == kind


WRITTEN = [
    Deletion(users=[3, 1]),
    Deletion(users=["user", "#x", "007"]),
    Deletion(items=["Heat (1995)", "Smith, A", '"b"']),
    Deletion(interactions=[(4, 17), (1, 2), (1, 1)]),
    Deletion(interactions=[("ann", "a,b"), ("#c", 7)]),
    Deletion(triples=[("Heat", "directed by", "Mann"), (1, 2, 3)]),
    Deletion(modalities=[("image", "*"), ("text", 5)]),
]


@pytest.mark.parametrize("gone", WRITTEN)
def test_csv_gives_back_the_same_deletion(tmp_path, gone):
    gone.write(tmp_path / "gone.csv")
    back = Deletion.read(tmp_path / "gone.csv")
    assert back.digest == gone.digest and back.kind == gone.kind and len(back) == len(gone)


@pytest.mark.parametrize("gone", [*WRITTEN, Deletion(users=[1, "b"], items=[2])])
def test_json_gives_back_the_deletion_itself(tmp_path, gone):
    gone.write(tmp_path / "gone.json")
    assert Deletion.read(tmp_path / "gone.json") == gone


def test_two_kinds_are_not_written_to_csv(tmp_path):
    with pytest.raises(UsageError, match="users\\+items"):
        Deletion(users=[1], items=[2]).write(tmp_path / "gone.csv")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("name", "text", "gone"),
    [
        ("gone.csv", "user\n4\nann\n", Deletion(users=[4, "ann"])),
        ("gone.csv", "Item\n4\n", Deletion(items=[4])),
        ("gone.csv", "user,item\n4,17\n", Deletion(interactions=[(4, 17)])),
        ("gone.csv", "item,rating,user,timestamp\n17,4.5,4,964982703\n", Deletion(interactions=[(4, 17)])),
        (
            "gone.tsv",
            "head\trelation\ttail\nHeat\tdirected by\tMann\n",
            Deletion(triples=[("Heat", "directed by", "Mann")]),
        ),
        ("gone.csv", "tail,head,relation\n3,1,2\n", Deletion(triples=[(1, 2, 3)])),
        ("gone.csv", "modality,item\nimage,*\ntext,3\n", Deletion(modalities=[("image", "*"), ("text", 3)])),
    ],
)
def test_headers_say_what_a_table_names(tmp_path, name, text, gone):
    (tmp_path / name).write_text(text)
    assert Deletion.read(tmp_path / name) == gone


def test_columns_may_be_called_otherwise(tmp_path):
    path, names = tmp_path / "gone.csv", {"user": "userId", "item": "movieId", "rating": "rating"}
    path.write_text("userId,movieId,rating\n4,17,5.0\n")
    assert Deletion.read(path, columns=names).interactions == ((4, 17),)
    path.write_text("movieId\n17\n")
    assert Deletion.read(path, columns=names).items == (17,)
    path.write_text("item,user\n17,4\n")
    assert Deletion.read(path, columns=names).interactions == ((4, 17),)


def test_names_of_columns_need_not_be_in_the_file(tmp_path):
    path = tmp_path / "gone.csv"
    path.write_text("user\n4\n")
    assert Deletion.read(path, columns={"user": 1, "item": "2"}).users == (4,)  # a table of records without a header
    Deletion(users=[4]).write(tmp_path / "gone.json")
    assert Deletion.read(tmp_path / "gone.json", columns={"user": "userId"}).users == (4,)


@pytest.mark.parametrize(
    ("text", "kind", "found"),
    [
        ("userId,movieId\n4,17\n", "interactions", ((4, 17),)),
        ("timestamp,item_id,user_id\n9,17,4\n", "interactions", ((4, 17),)),
        ("userId\n4\n", "users", (4,)),
        ("iid\n4\n", "items", (4,)),
    ],
)
def test_headers_by_which_records_are_read_name_things_to_delete(tmp_path, text, kind, found):
    (tmp_path / "gone.csv").write_text(text)
    assert getattr(Deletion.read(tmp_path / "gone.csv"), kind) == found


def test_nothing_that_a_file_names_is_passed_over(tmp_path):
    """A second list under one key, or an edge whose first id looks like a comment, would be lost without a word."""
    (tmp_path / "twice.json").write_text('{"users": [7], "users": [12]}')
    with pytest.raises(DataError, match="the key 'users' stands twice"):
        Deletion.read(tmp_path / "twice.json")
    (tmp_path / "mark.json").write_text('{"users": [7]}', encoding="utf-8-sig")
    assert Deletion.read(tmp_path / "mark.json").users == (7,)
    (tmp_path / "hash.csv").write_text("#n005,n009\n#n005,n011\nn000,n010\n")
    with pytest.raises(DataError, match="line 1: '#n005,n009' would be passed over"):
        Deletion.read(tmp_path / "hash.csv")
    (tmp_path / "hash.csv").write_text("source,target\n#n005,n009\nn000,n010\n")
    assert len(Deletion.read(tmp_path / "hash.csv").edges) == 2


def test_numpy_numbers_become_plain_ones():
    gone = Deletion(interactions=np.array([[4, 17]]), users=np.array([3], dtype=np.int32))
    assert gone.interactions == ((4, 17),) and type(gone.interactions[0][1]) is type(gone.users[0]) is int


def test_users_go_with_all_their_pairs(shop):
    found = Deletion(users=["bob"]).resolve(shop)
    assert (found.users.tolist(), found.interactions.tolist(), found.pairs.tolist()) == ([1], [], [2, 3])
    assert found.held_out.T.tolist() == [[1, 4 + 2]] and found.facts.tolist() == []
    left = found.removed_from(shop)
    assert left.pairs("train").T.tolist() == [[0, 0], [0, 2], [2, 3]]
    assert left.digest == shop.without(users=np.array([1])).digest


def test_items_go_with_their_facts(shop):
    found = Deletion(items=["a"]).resolve(shop)
    assert (found.items.tolist(), found.pairs.tolist(), found.held_out.T.tolist()) == ([0], [0, 2], [[2, 4]])
    assert (found.triples.tolist(), found.facts.tolist()) == ([], [0, 2])
    assert found.notes == ()


def test_users_and_items_together(shop):
    found = Deletion(users=["ann"], items=["d"]).resolve(shop)
    assert (found.users.tolist(), found.items.tolist(), found.pairs.tolist()) == ([0], [3], [0, 1, 4])
    assert found.notes == ("1 users that are not named lose all their train pairs",)
    assert found.removed_from(shop).pairs("train").T.tolist() == [[1, 0], [1, 1]]


def test_interactions_become_positions_of_edges(shop):
    found = Deletion(interactions=[("bob", "b"), ("ann", "c")]).resolve(shop)
    assert found.interactions.tolist() == found.pairs.tolist() == [1, 3]
    assert shop.edges[:, found.pairs].T.tolist() == [[0, 6], [1, 5]]
    assert found.held_out.shape == (2, 0) and found.notes == ()


def test_interactions_of_valid_and_test_leave_those(shop):
    found = Deletion(interactions=[("ann", "b"), ("bob", "c"), ("ann", "a")]).resolve(shop)
    assert found.interactions.tolist() == [0] and found.held_out.T.tolist() == [[0, 5], [1, 6]]
    assert found.notes == ("2 of the listed interactions stand in valid or test only",)
    left = found.removed_from(shop)
    assert (left.valid.nnz, left.pairs("test").T.tolist()) == (0, [[2, 0]])


def test_all_items_of_a_user_may_go(shop):
    found = Deletion(interactions=[("bob", "a"), ("bob", "b")]).resolve(shop)
    assert found.interactions.tolist() == [2, 3]
    assert found.notes == ("1 users that are not named lose all their train pairs",)


def test_a_pair_in_train_and_test_leaves_both(shop):
    both = Interactions.build(2, 2, [[0, 1], [0, 1]], test=[[0, 1], [0, 0]])
    found = Deletion(interactions=[(0, 0)]).resolve(both)
    left = found.removed_from(both)
    assert (left.pairs("train").T.tolist(), left.pairs("test").T.tolist()) == ([[1, 1]], [[1, 0]])
    assert found.notes == ("1 users that are not named lose all their train pairs",)


def test_triples_become_positions_of_facts(shop):
    found = Deletion(triples=[("Mann", "by", "Ronin"), ("a", "by", "Mann")]).resolve(shop)
    assert found.triples.tolist() == found.facts.tolist() == [0, 3]
    assert found.removed_from(shop).triples.triples.T.tolist() == [[1, 1, 5], [2, 1, 0]]


def test_modalities_become_rows_by_name(shop):
    found = Deletion(modalities=[("text", "d"), ("image", "b"), ("text", "a")]).resolve(shop)
    assert {key: rows.tolist() for key, rows in found.modalities.items()} == {"text": [0, 3], "image": [1]}
    left = found.removed_from(shop)
    assert left.modalities["image"].ravel().tolist() == [1, 2.5, 2.5, 4]
    assert left.modalities["text"].ravel().tolist() == [1, 1, 1, 1]


def test_a_star_names_every_item(shop):
    found = Deletion(modalities=[("image", "*")]).resolve(shop)
    assert found.modalities["image"].tolist() == [0, 1, 2, 3]
    assert found.notes == ("1 of the named items have no 'image' features of their own",)
    assert not found.removed_from(shop).modalities["image"].any()


def test_what_is_listed_twice_counts_once_and_is_noted(shop):
    found = Deletion(users=["bob", "bob", "ann"], items=["a", "a", "a"]).resolve(shop)
    assert (found.users.tolist(), found.items.tolist()) == ([0, 1], [0])
    assert found.notes[:2] == (
        "1 of the listed users are repeats; each counts once",
        "2 of the listed items are repeats; each counts once",
    )
    found = Deletion(interactions=[("ann", "a"), ("ann", "a")]).resolve(shop)
    assert found.interactions.tolist() == [0] and "interactions are repeats" in found.notes[0]
    found = Deletion(modalities=[("text", "*"), ("text", "a")]).resolve(shop)
    assert len(found.modalities["text"]) == 4 and "items of modality 'text' are repeats" in found.notes[0]
    found = Deletion(triples=[("a", "by", "Mann")] * 2).resolve(shop)
    assert found.triples.tolist() == [0] and "triples are repeats" in found.notes[0]


def test_a_user_without_train_pairs_is_noted_beside_others(shop):
    found = Deletion(users=["dora", "ann"]).resolve(shop)
    assert found.users.tolist() == [0, 3]
    assert found.notes == ("1 of the named users and items have no train pair",)


def test_a_user_with_held_out_pairs_alone_may_go(shop):
    data = shop.without(users=[2]).with_edges(np.array([[0, 1], [4, 5]]))
    data = Interactions.build(
        4, 4, data.pairs(), [[3, 0], [1, 1]], [[3], [2]], shop.user_ids, shop.item_ids, name="shop"
    )
    found = Deletion(users=["dora"]).resolve(data)
    assert found.users.tolist() == [3] and not len(found.pairs) and found.held_out.tolist() == [[3, 3], [5, 6]]
    left = found.removed_from(data)
    assert left.n_pairs == data.n_pairs and left.pairs("valid").tolist() == [[0], [1]] and not left.pairs("test").size
    with pytest.raises(DataError, match="none of the 1 named users has an interaction"):
        Deletion(users=["carl"]).resolve(data)


def test_numbers_are_int64_and_ascending(shop):
    found = Deletion(users=["carl", "ann"], items=["d", "b"]).resolve(shop)
    for part in (found.users, found.items, found.interactions, found.triples, found.pairs, found.facts):
        assert part.dtype == np.int64 and (np.diff(part) > 0).all()
    assert found.held_out.dtype == np.int64


def test_text_and_integers_name_the_same_user():
    data = Interactions.build(3, 2, [[0, 1, 2], [0, 1, 0]], user_ids=[40, 10, 7])
    assert Deletion(users=["7", 40]).resolve(data).users.tolist() == [0, 2]
    plain = Interactions.build(3, 2, [[0, 1, 2], [0, 1, 0]])
    assert Deletion(users=["2", 0]).resolve(plain).users.tolist() == [0, 2]


def test_reading_with_interactions_checks_the_ids(tmp_path, shop):
    path = tmp_path / "gone.csv"
    path.write_text("user\ncarll\n")
    assert Deletion.read(path).users == ("carll",)
    with pytest.raises(DataError, match="Did you mean 'carl'"):
        Deletion.read(path, shop)
