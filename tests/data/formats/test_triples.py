"""Facts beside interactions: in numbers, or in the user's own ids."""

from __future__ import annotations

import pytest

from graphforget.data.load import load

WHOLE = {"split": "user", "valid": 0, "test": 0}


@pytest.fixture
def table(tmp_path):
    """Users 1 and 2; items a, b, c."""
    path = tmp_path / "r.csv"
    path.write_text("user,item\n1,b\n2,a\n2,c\n")
    return path


@pytest.mark.parametrize("header", ["", "head,relation,tail\n"])
def test_facts_in_own_ids(tmp_path, table, header):
    path = tmp_path / "facts.csv"
    path.write_text(f"{header}a,made by,Acme\nc,made by,Acme\nAcme,in,a\n")
    data = load(table, triples=path, **WHOLE)
    graph = data.triples
    assert graph.entity_ids.tolist() == ["a", "b", "c", "Acme"] and graph.relation_ids.tolist() == ["in", "made by"]
    assert graph.triples.tolist() == [[0, 2, 3], [1, 1, 0], [3, 3, 0]]
    assert "facts.csv: 1 item(s) are in no fact" in data.notes


def test_facts_in_numbers(tmp_path):
    (tmp_path / "train.txt").write_text("0 0 1\n1 2\n")
    (tmp_path / "facts.txt").write_text("0 1 4\n")
    graph = load(tmp_path, triples=tmp_path / "facts.txt").triples
    assert (graph.n_entities, graph.n_relations) == (5, 2) and graph.entity_ids is None


def test_items_that_leave_become_plain_entities(tmp_path, table):
    path = tmp_path / "facts.csv"
    path.write_text("a,like,b\nc,like,b\n")
    (tmp_path / "more.csv").write_text("user,item\n1,b\n2,b\n1,c\n2,c\n2,a\n")
    data = load(tmp_path / "more.csv", triples=path, core=2, **WHOLE)
    graph = data.triples
    assert data.item_ids.tolist() == ["b", "c"] and graph.entity_ids.tolist() == ["b", "c", "a"]
    facts = {(graph.entity_ids[h], graph.entity_ids[t]) for h, _, t in graph.triples.T.tolist()}
    assert facts == {("a", "b"), ("c", "b")}
