"""Deletions: values, files and the numbers they become."""

from __future__ import annotations

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphforget._core.errors import DataError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph

ids = st.one_of(st.integers(-5, 50), st.text(min_size=1, max_size=4))
pairs = st.tuples(ids, ids).filter(lambda pair: str(pair[0]) != str(pair[1]))


@pytest.fixture
def people() -> Graph:
    """ann - bob - carl - dora with two named classes."""
    return Graph.build(
        4,
        np.array([[0, 1, 2], [1, 2, 3]]),
        labels=np.array([0, 1, 1, 0]),
        ids=np.array(["ann", "bob", "carl", "dora"]),
        class_names=["art", "law"],
        name="people",
    )


@given(st.lists(pairs, min_size=1, max_size=6), st.lists(ids, max_size=4), st.randoms())
@settings(max_examples=25, deadline=None)
def test_the_digest_ignores_every_order(edges, nodes, random):
    shuffled = [pair if random.random() < 0.5 else pair[::-1] for pair in edges]
    random.shuffle(shuffled)
    other = random.sample(nodes, len(nodes))
    assert Deletion(edges=edges, nodes=nodes).digest == Deletion(edges=shuffled + shuffled[:1], nodes=other).digest


def test_the_digest_tells_kinds_and_ids_apart():
    values = [Deletion(nodes=[1]), Deletion(features=[1]), Deletion(classes=[1]), Deletion(nodes=[2])]
    values += [Deletion(edges=[(1, 2)]), Deletion(nodes=["01"]), Deletion(nodes=[1, 2]), Deletion(nodes=[12])]
    assert len({value.digest for value in values}) == len(values)


@given(st.lists(pairs, min_size=1, max_size=6), st.lists(ids, max_size=4), st.lists(ids, max_size=4))
@settings(max_examples=25, deadline=None)
def test_json_gives_back_what_was_written(tmp_path_factory, edges, nodes, features):
    path = tmp_path_factory.mktemp("gone") / "gone.json"
    gone = Deletion(edges=edges, nodes=nodes, features=features)
    gone.write(path)
    assert Deletion.read(path) == gone


@pytest.mark.parametrize(
    "gone",
    [
        Deletion(edges=[(4, 17), (1, 2)]),
        Deletion(edges=[("Smith, A", '"b"'), ("#c", "007")]),
        Deletion(edges=[(17, 18), ("A1", "B2")]),
        Deletion(nodes=[3, 1]),
        Deletion(nodes=["#x", "node", "3"]),
        Deletion(features=["a"]),
        Deletion(classes=["law", "2"]),
    ],
)
def test_csv_gives_back_the_same_deletion(tmp_path, gone):
    gone.write(tmp_path / "gone.csv")
    back = Deletion.read(tmp_path / "gone.csv")
    assert back.digest == gone.digest and back.kind == gone.kind and len(back) == len(gone)


def test_a_plain_csv_of_edges(tmp_path):
    path = tmp_path / "gone.csv"
    path.write_text("4,17\n5,3\n")
    assert Deletion.read(path).edges == ((4, 17), (5, 3))


@pytest.mark.parametrize(
    "text",
    [
        "17,18\nA1,B2\n",
        "source,target\nA1,B2\n17,18\n",
        "# mine\nu,v,class\nA1,B2,x\n17,18,y\n",
        "A1,18\n17,18\nA1,B2\n",
    ],
)
def test_edges_of_a_csv_may_mix_integers_and_text(tmp_path, text):
    """Ids of a graph are text when one is, and a deletion names whichever of them."""
    (tmp_path / "gone.csv").write_text(text)
    assert {(17, 18), ("A1", "B2")} <= set(Deletion.read(tmp_path / "gone.csv").edges)


def test_numpy_numbers_become_plain_ones():
    gone = Deletion(edges=np.array([[4, 17]]), nodes=np.array([3], dtype=np.int32))
    assert gone.edges == ((4, 17),) and type(gone.nodes[0]) is int
    json.dumps(gone.nodes)


@pytest.mark.parametrize(
    ("gone", "kind"),
    [
        (Deletion(edges=[(1, 2)]), "edges"),
        (Deletion(classes=[1]), "classes"),
        (Deletion(nodes=[1], features=[2]), "mixed"),
    ],
)
def test_kind(gone, kind):
    assert gone.kind == kind


def test_resolve_gives_positions_and_numbers(four):
    found = Deletion(edges=[(20, 40), (30, 20)], nodes=[40], features=[10], classes=[1]).resolve(four)
    assert found.edges.tolist() == [1, 2]
    assert (found.nodes.tolist(), found.features.tolist(), found.classes.tolist()) == ([3], [0], [1])
    assert found.notes == ()
    assert all(part.dtype == np.int64 for part in (found.edges, found.nodes, found.features, found.classes))


def test_resolve_needs_no_order_of_the_edges(four):
    turned = four.with_edges(four.edges[:, [2, 0, 1]])
    found = Deletion(edges=[(20, 30)]).resolve(turned)
    assert turned.edges[:, found.edges].T.tolist() == [[1, 2]]


def test_held_out_edges_have_the_places_behind_those_of_the_graph(people):
    """They may stand in any order; all edges of the graph may go as long as one is left beside them."""
    held_out = np.array([[1, 0, 0], [3, 2, 3]])
    named = [("dora", "ann"), ("dora", "bob"), ("ann", "bob"), ("carl", "ann")]
    assert Deletion(edges=named[:3]).resolve(people, held_out).edges.tolist() == [0, 3, 5]
    assert Deletion(edges=named[:1]).resolve(people, held_out).edges.tolist() == [5]
    assert Deletion(edges=named[3:]).resolve(people, held_out).edges.tolist() == [4]
    trained = [("ann", "bob"), ("bob", "carl"), ("carl", "dora")]
    assert Deletion(edges=trained).resolve(people, held_out).edges.tolist() == [0, 1, 2]
    with pytest.raises(DataError, match=r"names every edge \(6\); nothing is left"):
        Deletion(edges=[*trained, *named]).resolve(people, held_out)


def test_resolve_with_text_ids_and_class_names(people):
    found = Deletion(edges=[("dora", "carl")], classes=["law"]).resolve(people)
    assert people.edges[:, found.edges].T.tolist() == [[2, 3]]
    assert found.classes.tolist() == [1]


def test_a_class_has_the_place_of_its_name_whatever_the_alphabet():
    names = ["zoology", "art", "law"]
    graph = Graph.build(4, np.array([[0, 1, 2], [1, 2, 3]]), labels=np.array([0, 1, 2, 0]), class_names=names)
    assert Deletion(classes=["zoology", "law"]).resolve(graph).classes.tolist() == [0, 2]


def test_what_is_listed_twice_counts_once_and_is_noted(people):
    found = Deletion(edges=[("ann", "bob"), ("bob", "ann")], nodes=["ann", "ann"]).resolve(people)
    assert len(found.edges) == 1 and len(found.nodes) == 1
    assert len(found.notes) == 2 and "repeats" in found.notes[0]


def test_text_and_integers_name_the_same_node(four):
    assert Deletion(nodes=["30", 10]).resolve(four).nodes.tolist() == [0, 2]


def test_reading_with_a_graph_checks_the_ids(tmp_path, people):
    path = tmp_path / "gone.json"
    path.write_text('{"nodes": ["bobb"]}')
    assert Deletion.read(path).nodes == ("bobb",)
    with pytest.raises(DataError, match="Did you mean 'bob'"):
        Deletion.read(path, people)


def test_a_mixed_deletion_is_not_written_to_csv(tmp_path):
    with pytest.raises(UsageError, match="mixed"):
        Deletion(nodes=[1], classes=[2]).write(tmp_path / "gone.csv")
    assert list(tmp_path.iterdir()) == []


def test_it_is_a_frozen_value():
    gone = Deletion(nodes=[1])
    with pytest.raises(AttributeError):
        gone.nodes = (2,)
    assert gone == Deletion(nodes=(1,)) and hash(gone) == hash(Deletion(nodes=(1,)))


def test_it_is_shown_in_one_line_however_long_it_is():
    assert repr(Deletion(users=[12, 40], items=["Heat"])) == "Deletion(users=[12, 40], items=['Heat'])"
    assert repr(Deletion(nodes=range(5_000))) == "Deletion(nodes=[0, 1, 2, 3, ... 5,000 in all])"


def test_a_list_with_a_second_column_is_refused_for_it_may_be_a_pair_misspelt(tmp_path):
    file = tmp_path / "gone.csv"
    file.write_text("node,targt\n1,2\n")
    with pytest.raises(
        DataError, match="a list of nodes has one column; found 'targt' beside it. Did you mean 'target'"
    ):
        Deletion.read(file)


@pytest.mark.parametrize("wrong", ["1_0", " 7 ", None, float("inf"), np.float32(1.5)])
def test_a_plain_id_is_an_integer_as_written(wrong):
    graph = Graph.build(20, np.array([[0, 1], [1, 2]]).T)
    with pytest.raises(DataError, match="ids are integers 0 to 19"):
        graph.index_of([wrong])
