"""Adjacency lists: what LightGCN's and KGAT's files hold, with all that is odd in them."""

from __future__ import annotations

import time
import zipfile

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.data.formats.adjacency_list import AdjacencyList, read_lists
from graphforget.data.formats.id_lists import read_id_list
from graphforget.data.formats.raw_interactions import Reading
from graphforget.data.load import load


@pytest.fixture
def folder(tmp_path):
    """Two parts: user 1 on two lines, user 2 without items and with a blank, user 3 missing, 4 twice the same item."""
    (tmp_path / "train.txt").write_text("0 5 1\n1 2\n2 \n1 3  \r\n\n4 0 0 6\n")
    (tmp_path / "test.txt").write_text("0 2\n5 1 \n")
    return tmp_path


def test_a_folder_of_lists(folder):
    data = load(folder)
    assert (data.n_users, data.n_items, data.name) == (6, 7, folder.name)
    assert data.pairs("train").tolist() == [[0, 0, 1, 1, 4, 4], [1, 5, 2, 3, 0, 6]]
    assert data.pairs("test").tolist() == [[0, 5], [2, 1]]
    assert data.valid is None and data.user_ids is None


def test_what_was_found_is_noted(folder):
    notes = load(folder).notes
    assert notes[0] == "found 6 users, 7 items, 7 train + 2 test"
    assert "train.txt: 1 user(s) without items" in notes
    assert "train.txt: 1 user(s) stand on more than one line; their lines were joined" in notes
    assert "2 user(s) have no line in the train part" in notes
    assert "1 repeated train pairs merged" in notes


def test_a_valid_part_and_features_and_facts_beside_the_lists(folder):
    (folder / "valid.txt").write_text("4 6\n")
    (folder / "kg_final.txt").write_text("0 0 7\n7 1 1\n0 0 7\n")
    np.save(folder / "image_feat.npy", np.arange(14, dtype=np.float16).reshape(7, 2))
    data = load(folder)
    assert data.pairs("valid").tolist() == [[4], [6]]
    assert (data.triples.n_entities, data.triples.n_relations, data.triples.n_triples) == (8, 2, 2)
    assert data.modalities["image"].dtype == np.float32 and data.modalities["image"][6].tolist() == [12, 13]
    assert "1 repeated triples merged" in data.notes


def test_more_feature_rows_than_items_named_are_more_items(folder):
    np.save(folder / "image_feat.npy", np.ones((9, 2)))
    data = load(folder)
    assert data.n_items == 9 and "image_feat.npy: 2 item(s) more than the interactions name" in data.notes


def test_a_single_file_is_the_train_part(tmp_path):
    path = tmp_path / "mine.txt"
    path.write_text("0 1 2\n1 0")
    (tmp_path / "held.txt").write_text("1 1\n")
    data = load(path, format="adjacency-list", parts={"test": tmp_path / "held.txt"})
    assert data.pairs("train").tolist() == [[0, 0, 1], [1, 2, 0]] and data.pairs("test").tolist() == [[1], [1]]


def test_a_byte_order_mark_is_passed_over(tmp_path):
    (tmp_path / "train.txt").write_bytes(b"\xef\xbb\xbf0 1\n")
    assert load(tmp_path).pairs("train").tolist() == [[0], [1]]


def test_original_ids_come_from_the_lists(folder):
    (folder / "user_list.txt").write_text("org_id remap_id\n" + "".join(f"{90 + n} {n}\n" for n in range(6)))
    (folder / "item_list.txt").write_text(
        "org_id remap_id freebase_id\n" + "".join(f"A{n} {n} m.{n}\n" for n in range(7))
    )
    assert load(folder).user_ids is None
    data = load(folder, ids="original")
    assert data.user_ids.tolist() == [90, 91, 92, 93, 94, 95]
    assert data.item_ids.tolist() == ["A0", "A1", "A2", "A3", "A4", "A5", "A6"]
    assert data.index_of_users([94]).tolist() == [4]


def test_one_list_alone_gives_its_ids(folder):
    (folder / "item_list.txt").write_text("org_id remap_id\n" + "".join(f"{10 * n} {n}\n" for n in range(7)))
    data = load(folder, ids="original")
    assert data.user_ids is None and data.item_ids.tolist() == [0, 10, 20, 30, 40, 50, 60]


def test_a_list_may_name_more_than_the_files(folder):
    (folder / "item_list.txt").write_text("org_id remap_id\n" + "".join(f"{10 * n} {n}\n" for n in range(9)))
    assert load(folder, ids="original").n_items == 9


@pytest.mark.parametrize("ids", [[f"A{n}" for n in range(7)], [3, 2, 1, 0, 6, 5, 4]])
def test_rows_of_features_follow_the_numbers_not_the_own_ids(folder, ids):
    (folder / "item_list.txt").write_text("org_id remap_id\n" + "".join(f"{key} {n}\n" for n, key in enumerate(ids)))
    np.save(folder / "image_feat.npy", np.arange(7.0)[:, None])
    data = load(folder, ids="original")
    assert data.item_ids.tolist() == ids
    assert data.modalities["image"][:, 0].tolist() == load(folder).modalities["image"][:, 0].tolist() == list(range(7))
    np.save(folder / "image_feat.npy", np.ones((9, 1)))
    with pytest.raises(DataError, match="9 rows of 'image' for 7 items with ids of their own"):
        load(folder, ids="original")


def test_ids_of_entities_and_relations(folder):
    (folder / "kg_final.txt").write_text("0 0 7\n7 1 1\n")
    (folder / "item_list.txt").write_text("org_id remap_id\n" + "".join(f"A{n} {n}\n" for n in range(7)))
    (folder / "entity_list.txt").write_text("org_id remap_id\n" + "".join(f"m.{n} {n}\n" for n in range(9)))
    (folder / "relation_list.txt").write_text("org_id remap_id\nwriter 0\ngenre 1\n")
    graph = load(folder, ids="original").triples
    assert (graph.n_entities, graph.n_relations) == (9, 2)
    assert graph.triples.tolist() == [[0, 7], [0, 1], [7, 1]]
    assert graph.index_of_entities(["m.7"]).tolist() == [7] and graph.relation_ids.tolist() == ["writer", "genre"]
    assert load(folder).triples.entity_ids is None
    (folder / "entity_list.txt").write_text("org_id remap_id\nm.0 0\n")
    with pytest.raises(DataError, match="entity_list.txt: 1 ids, but the files name entity number 7"):
        load(folder, ids="original")


def test_lists_in_any_order_and_kgats_glued_rows(tmp_path):
    path = tmp_path / "item_list.txt"
    path.write_text("org_id remap_id freebase_id\nx1 1 m.1\nx0 0 m.0\n")
    assert read_id_list(path).tolist() == ["x0", "x1"]
    path.write_text("org_id remap_id freebase_id\nydUq 0ydUq\n2PlD 12PlD\n")
    assert read_id_list(path).tolist() == ["ydUq", "2PlD"]


@pytest.mark.parametrize("name", ["kg_final.txt", "kg_final.txt.zip", "kg_final.zip"])
def test_facts_plain_or_zipped(folder, name):
    text = "0 0 7\n7 1 1\n"
    if name.endswith(".txt"):
        (folder / name).write_text(text)
    else:
        with zipfile.ZipFile(folder / name, "w") as archive:
            archive.writestr("__MACOSX/kg_final.txt", "x")
            archive.writestr("kg/kg_final.txt", text)
    assert load(folder).triples.triples.tolist() == [[0, 7], [0, 1], [7, 1]]


@pytest.mark.parametrize(("name", "pairs"), [("gowalla", 810_128), ("yelp2018", 1_237_259)])
def test_a_large_file_is_read_in_well_below_a_second(data_dir, name, pairs):
    path = data_dir / "lightgcn" / name / "train.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not in the data folder")
    read_lists(path)
    start = time.process_time()
    assert read_lists(path)[0].shape == (2, pairs)
    assert time.process_time() - start < 0.5


def test_the_reader_equals_a_plain_one(data_dir):
    path = data_dir / "multimodal" / "tiktok" / "train.txt"
    if not path.is_file():
        pytest.skip(f"{path} is not in the data folder")
    rows = [list(map(int, line.split())) for line in path.read_text().splitlines()]
    expected = [(row[0], item) for row in rows for item in row[1:]]
    raw = AdjacencyList().read({"train": path}, Reading())
    assert [tuple(pair) for pair in raw.parts["train"].pairs.T.tolist()] == expected
