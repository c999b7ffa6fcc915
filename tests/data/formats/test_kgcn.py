"""KGCN's raw and preprocessed files: by construction, and the public set in both forms is the same."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.load import load


@pytest.fixture
def raw(tmp_path):
    """Artists 50, 40, 60 are entities 900, 901, 905; artist 70 is not linked; user 8 has only that one."""
    (tmp_path / "user_artists.dat").write_text("userID\tartistID\tweight\n2\t50\t10\n2\t60\t1\n8\t70\t5\n5\t40\t7\n")
    (tmp_path / "item_index2entity_id.txt").write_bytes(b"50\t900\r\n40\t901\r\n60\t905\r\n")
    (tmp_path / "kg.txt").write_text("905\tby\t33\n900\tby\t12\n12\tin\t33\n901\tlike\t900\n")
    return tmp_path


def test_the_raw_form(raw):
    data = load(raw, split="user", valid=0, test=0)
    assert data.user_ids.tolist() == [2, 5] and data.item_ids.tolist() == [50, 40, 60]
    assert data.pairs("train").tolist() == [[0, 0, 1], [0, 2, 1]]
    graph = data.triples
    assert graph.entity_ids.tolist() == [900, 901, 905, 33, 12]
    assert graph.relation_ids.tolist() == ["by", "in", "like"]
    facts = {(graph.entity_ids[h], graph.relation_ids[r], graph.entity_ids[t]) for h, r, t in graph.triples.T.tolist()}
    assert facts == {(905, "by", 33), (900, "by", 12), (12, "in", 33), (901, "like", 900)}
    assert "user_artists.dat: 1 records of items without an entity not read" in data.notes


def test_the_weight_is_the_rating_of_lastfm(raw):
    data = load(raw, min_rating=5, split="user", valid=0, test=0)
    assert data.item_ids.tolist() == [50, 40]
    assert data.triples.entity_ids.tolist() == [900, 901, 905, 33, 12]  # 905 is a plain entity now
    assert data.triples.n_triples == 4


def test_ratings_beside_the_links(raw):
    (raw / "ratings.csv").write_text("userId,movieId,rating,timestamp\n1,50,5,1\n")
    data = load(raw / "ratings.csv", format="kgcn", split="user", valid=0, test=0)
    assert data.n_items == 3 and data.n_pairs == 1


def test_the_preprocessed_form(tmp_path):
    (tmp_path / "ratings_final.txt").write_text("0\t1\t1\n0\t3\t0\n1\t0\t1\n")
    (tmp_path / "kg_final.txt").write_text("0\t0\t5\n")
    data = load(tmp_path / "ratings_final.txt", split="user", valid=0, test=0)
    assert (data.n_users, data.n_items, data.n_pairs) == (2, 4, 2)
    assert data.triples.n_entities == 6
    assert "ratings_final.txt: 1 rows with label 0 (sampled negatives) not read" in data.notes


def test_the_public_set_is_the_same_in_both_forms(data_dir):
    folder = data_dir / "kgrec" / "music"
    if not (folder / "user_artists.dat").is_file():
        pytest.skip("kgrec/music is not in the data folder")
    whole = {"split": "user", "valid": 0, "test": 0}
    raw, final = load(folder, **whole), load(folder / "ratings_final.txt", **whole)
    np.testing.assert_array_equal(raw.pairs("train"), final.pairs("train"))
    assert raw.triples.n_triples == final.triples.n_triples == 15_518
    np.testing.assert_array_equal(
        np.unique(raw.triples.triples[[0, 2]], axis=1), np.unique(final.triples.triples[[0, 2]], axis=1)
    )
    counts = [np.sort(np.bincount(graph.triples.triples[1])).tolist() for graph in (raw, final)]
    assert counts[0] == counts[1]
