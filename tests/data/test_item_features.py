"""Item features by row and by id, from arrays and files."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget.data.load import load


@pytest.fixture
def table(tmp_path):
    """Three items with the ids 10, 20 and 30."""
    path = tmp_path / "r.csv"
    path.write_text("user,item\n1,10\n1,20\n2,30\n2,10\n")
    return path


@pytest.fixture
def lists(tmp_path):
    """Three items, numbered."""
    path = tmp_path / "lists"
    path.mkdir()
    (path / "train.txt").write_text("0 0 1\n1 2\n")
    return path


def test_rows_by_id_with_a_missing_one(tmp_path, table):
    (tmp_path / "x.csv").write_text("item,f1,f2\n30,1,2\n10,3,4\n99,5,6\n".replace("item", "id"))
    data = load(table, modalities={"image": tmp_path / "x.csv"})
    assert data.modalities["image"].tolist() == [[3, 4], [2, 3], [1, 2]]
    assert data.missing["image"].tolist() == [False, True, False]
    assert "1 items without 'image' features have the mean of the others" in data.notes
    assert "x.csv: 1 row(s) of 'image' belong to no item" in data.notes


@pytest.mark.parametrize(
    "kind", [np.asarray, sp.csr_array, lambda x: x.astype(np.float16), lambda x: x.astype(np.int8)]
)
def test_rows_of_numbered_items(lists, kind):
    values = np.array([[1.0, 0.0], [0.0, 2.0], [3.0, 4.0]])
    data = load(lists, modalities={"image": kind(values)})
    assert data.modalities["image"].dtype == np.float32
    np.testing.assert_array_equal(data.modalities["image"], values)


def test_several_modalities_from_files(tmp_path, lists):
    np.save(tmp_path / "a.npy", np.eye(3))
    sp.save_npz(tmp_path / "b.npz", sp.csr_array(np.ones((3, 2))))
    data = load(lists, modalities={"image": tmp_path / "a.npy", "text": str(tmp_path / "b.npz")})
    assert {name: values.shape for name, values in data.modalities.items()} == {"image": (3, 3), "text": (3, 2)}


def test_rows_beside_a_table_of_ids_for_numbered_items(tmp_path, lists):
    (tmp_path / "x.csv").write_text("id,f\n0,1\n3,2\n")
    data = load(lists, modalities={"image": np.ones((4, 1)), "text": tmp_path / "x.csv"})
    assert data.n_items == 4 and data.modalities["text"].ravel().tolist() == [1, 1.5, 1.5, 2]
