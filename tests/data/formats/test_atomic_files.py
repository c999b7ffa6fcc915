"""RecBole's atomic files and MMRec's labelled ones."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.load import load
from graphforget.data.load_interactions import recognised

WHOLE = {"split": "user", "valid": 0, "test": 0}
INTER = "user_id:token\titem_id:token\trating:float\ttimestamp:float\nu9\t30\t4.5\t100\nu1\t10\t2\t50\nu9\t10\t5\t200\n"


@pytest.fixture
def atomic(tmp_path):
    """A set with facts: item 10 is entity m.1, item 30 is not linked."""
    (tmp_path / "shop.inter").write_text(INTER)
    (tmp_path / "shop.link").write_text("item_id:token\tentity_id:token\n10\tm.1\n77\tm.7\n")
    (tmp_path / "shop.kg").write_text(
        "head_id:token\trelation_id:token\ttail_id:token\nm.1\tmade\tm.5\nm.5\tpart\tm.7\n"
    )
    return tmp_path


def test_one_file(tmp_path):
    path = tmp_path / "shop.inter"
    path.write_text(INTER)
    data = load(path, **WHOLE)
    assert data.user_ids.tolist() == ["u1", "u9"] and data.item_ids.tolist() == [10, 30]
    assert data.pairs("train").tolist() == [[0, 1, 1], [0, 0, 1]] and data.triples is None
    assert load(path, min_rating=4, **WHOLE).n_pairs == 2


def test_facts_and_links(atomic):
    data = load(atomic / "shop.inter", **WHOLE)
    graph = data.triples
    assert graph.entity_ids.tolist() == ["m.1", "item:30", "m.5", "m.7"]
    facts = {(graph.entity_ids[h], graph.relation_ids[r], graph.entity_ids[t]) for h, r, t in graph.triples.T.tolist()}
    assert facts == {("m.1", "made", "m.5"), ("m.5", "part", "m.7")}
    assert "1 item(s) have no link to an entity and so no facts" in data.notes


def test_an_entity_of_two_items_stays_with_the_first(atomic):
    (atomic / "shop.link").write_text("item_id:token\tentity_id:token\n30\tm.1\n10\tm.1\n")
    data = load(atomic / "shop.inter", **WHOLE)
    assert data.triples.entity_ids.tolist()[:2] == ["m.1", "item:30"]
    assert "1 item(s) are linked to the entity of another item; they have no facts" in data.notes


def test_parts_by_their_names(tmp_path):
    header, *rows = INTER.splitlines()
    for part, row in zip(("train", "valid", "test"), rows, strict=True):
        (tmp_path / f"shop.{part}.inter").write_text(f"{header}\n{row}\n")
    data = load(tmp_path / "shop.train.inter")
    assert [data.pairs(part).tolist() for part in ("train", "valid", "test")] == [[[1], [1]], [[0], [0]], [[1], [0]]]


def test_parts_of_other_names(tmp_path):
    header, *rows = INTER.splitlines()
    for part, row in zip("abc", rows, strict=True):
        (tmp_path / f"shop.{part}.inter").write_text(f"{header}\n{row}\n")
    more = {"valid": tmp_path / "shop.b.inter", "test": tmp_path / "shop.c.inter"}
    assert load(tmp_path / "shop.a.inter", parts=more).test.nnz == 1


def test_other_field_names(tmp_path):
    path = tmp_path / "shop.inter"
    path.write_text("reader:token\tbook:token\tage:float\n1\t2\t3\n")
    data = load(path, columns={"user": "reader", "item": "book"})
    assert (data.n_users, data.n_items) == (1, 1)
    assert any("1 further field(s) not read" in note for note in data.notes)


def test_tokens_may_mix_numbers_and_words(tmp_path):
    path = tmp_path / "shop.inter"
    path.write_text("user_id:token\titem_id:token\n1\t2\nx\t3\n")
    assert load(path).user_ids.tolist() == ["1", "x"]


def test_mmrec(tmp_path):
    path = tmp_path / "baby.inter"
    path.write_text(
        "userID\titemID\trating\ttimestamp\tx_label\n0\t2\t5\t1\t0\n1\t0\t5\t1\t1\n1\t3\t4\t1\t2\n1\t1\t4\t1\t0\n"
    )
    np.save(tmp_path / "image_feat.npy", np.arange(8.0).reshape(4, 2))
    assert recognised(path) == "mmrec"
    data = load(path)
    assert data.pairs("train").tolist() == [[0, 1], [2, 1]]
    assert data.pairs("valid").tolist() == [[1], [0]] and data.pairs("test").tolist() == [[1], [3]]
    assert data.modalities["image"][3].tolist() == [6, 7]


def test_mmrec_without_held_out_rows(tmp_path):
    path = tmp_path / "baby.inter"
    path.write_text("userID\titemID\tx_label\n0\t2\t0\n")
    data = load(path)
    assert data.valid is None and data.test is None and data.n_items == 3
