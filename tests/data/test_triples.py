"""The frozen knowledge graph."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from graphforget._core.errors import DataError
from graphforget.data.triples import TripleGraph

FACTS = [[2, 0, 2, 0], [1, 0, 1, 0], [0, 3, 0, 1]]


def films(**changes) -> TripleGraph:
    """Return Heat -by- Mann, Heat -by- Ronin, Ronin -with- Heat."""
    fields = {
        "n_entities": 4,
        "n_relations": 2,
        "triples": FACTS,
        "entity_ids": ["Heat", "Mann", "Ronin", "Noir"],
        "relation_ids": ["by", "with"],
        "name": "films",
    }
    return TripleGraph.build(**{**fields, **changes})


def test_facts_are_sorted_and_repeats_noted():
    graph = films()
    assert graph.triples.T.tolist() == [[0, 0, 1], [0, 0, 3], [2, 1, 0]] and graph.triples.dtype == np.int64
    assert graph.notes == ("1 repeated triples merged",) and graph.n_triples == 3
    with pytest.raises(ValueError, match="read-only"):
        graph.triples[0, 0] = 1


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 1), st.integers(0, 3)), max_size=30))
@settings(max_examples=30, deadline=None)
def test_canonical_order_is_that_of_sorted_sets(facts):
    given_facts = np.array(facts, dtype=np.int64).reshape(-1, 3).T
    assert films(triples=given_facts).triples.T.tolist() == [list(fact) for fact in sorted(set(facts))]


def test_without_leaves_the_sizes():
    graph = films()
    for how in (np.array([0, 2]), np.array([True, False, True])):
        left = graph.without(how)
        assert left.triples.T.tolist() == [[0, 0, 3]] and (left.n_entities, left.n_relations) == (4, 2)
    assert graph.n_triples == 3


def test_touching_finds_heads_and_tails():
    assert films().touching(np.array([0])).tolist() == [0, 1, 2]
    assert films().touching(np.array([2, 3])).tolist() == [1, 2]
    assert films().touching(np.array([], dtype=np.int64)).tolist() == []


def test_find_gives_positions():
    wanted = np.array([[2, 0, 0, 3], [1, 1, 0, 0], [0, 1, 3, 3]])
    assert films().find(wanted).tolist() == [2, -1, 1, -1]


def test_ids_go_in_and_come_out():
    graph = films()
    assert graph.index_of_entities(["Noir", "Heat"]).tolist() == [3, 0]
    assert graph.index_of_relations(["with"]).tolist() == [1]
    assert graph.entity_ids_of([2]) == ["Ronin"] and graph.relation_ids_of([0]) == ["by"]
    assert films(entity_ids=None).index_of_entities(["3", 1]).tolist() == [3, 1]


def test_digests_tell_graphs_apart():
    graphs = [
        films(),
        films(n_entities=5, entity_ids=None),
        films(entity_ids=None),
        films(relation_ids=None),
        films(relation_ids=None, n_relations=3),
        films(triples=[[2], [1], [0]]),
    ]
    assert len({graph.digest for graph in graphs}) == len(graphs)
    assert films(name="x", notes=["read from x"]).digest == films().digest


def test_it_says_what_it_is():
    assert repr(films()) == "TripleGraph('films', 4 entities, 2 relations, 3 triples)"


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_relations": 0}, "at least one entity and one relation"),
        ({"triples": [[0], [0]]}, r"integers of shape \(3, T\)"),
        ({"triples": [[0.0], [0.0], [1.0]]}, r"integers of shape \(3, T\)"),
        ({"triples": [[0, 4], [0, 0], [1, 1]]}, "the head of triple 1 is 4, but entities go from 0 to 3"),
        ({"triples": [[0], [2], [1]]}, "the relation of triple 0 is 2, but relations go from 0 to 1"),
        ({"triples": [[0], [0], [-1]]}, "the tail of triple 0 is -1"),
        ({"entity_ids": ["a", "b"]}, r"entity_ids must hold one id per entity \(4\)"),
        ({"relation_ids": ["by", "by"]}, "the relation id 'by' stands 2 times"),
    ],
)
def test_what_cannot_be_built(changes, words):
    with pytest.raises(DataError, match=words):
        films(**changes)


def test_an_unknown_entity_or_relation_is_named():
    with pytest.raises(DataError, match=r"'films' has no entity with id 'Ronim' \(1 of 2 .* Did you mean 'Ronin'?"):
        films().index_of_entities(["Heat", "Ronim"])
    with pytest.raises(DataError, match="no relation with id 'wiht'.* Did you mean 'with'?"):
        films().index_of_relations(["wiht"])
    with pytest.raises(DataError, match="no entity with id 4; ids go from 0 to 3"):
        films(entity_ids=None).index_of_entities([4])
