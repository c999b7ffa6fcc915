"""DiffMM's pickled matrices: every form of SciPy, the published files, and the same bytes as their lists."""

from __future__ import annotations

import pickle
import shutil

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget.data.load import load

MATRIX = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [1, 0, 0, 0.5]])
WHOLE = {"split": "user", "valid": 0, "test": 0}


@pytest.mark.parametrize("protocol", [2, 3, 4, 5])
@pytest.mark.parametrize("kind", [sp.coo_matrix, sp.coo_array, sp.csr_matrix, sp.csr_array])
def test_users_by_items(tmp_path, kind, protocol):
    path = tmp_path / "r.pkl"
    path.write_bytes(pickle.dumps(kind(MATRIX), protocol=protocol))
    data = load(path, **WHOLE)
    assert (data.n_users, data.n_items) == (3, 4)
    assert data.pairs("train").tolist() == np.stack(np.nonzero(MATRIX)).tolist()


def test_repeated_entries_are_counted(tmp_path):
    folder = tmp_path / "mine"
    folder.mkdir()
    twice = sp.coo_matrix((np.array([1.0, -1.0, 1.0]), ([0, 0, 1], [1, 1, 2])), shape=(2, 3))
    (folder / "trnMat.pkl").write_bytes(pickle.dumps(twice))
    data = load(folder)
    assert data.pairs("train").tolist() == [[0, 1], [1, 2]]
    assert "1 repeated train pairs merged" in data.notes


def test_a_folder_of_parts_with_features(tmp_path):
    for name, part in (("trnMat", MATRIX), ("tstMat", np.eye(3, 4))):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(sp.coo_matrix(part)))
    np.save(tmp_path / "image_feat.npy", np.ones((4, 2), dtype=np.float16))
    data = load(tmp_path)
    assert (data.train.nnz, data.valid, data.test.nnz) == (4, None, 3)
    assert data.modalities["image"].shape == (4, 2)


def test_one_file_per_part_by_name(tmp_path):
    for name, part in (("a", MATRIX), ("b", np.eye(3, 4))):
        (tmp_path / f"{name}.pkl").write_bytes(pickle.dumps(sp.csr_matrix(part)))
    data = load(tmp_path / "a.pkl", parts={"test": tmp_path / "b.pkl"})
    assert (data.train.nnz, data.test.nnz) == (4, 3)


def test_the_published_matrices_are_the_published_lists(tmp_path, data_dir):
    folder = data_dir / "multimodal/tiktok"
    if not (folder / "trnMat.pkl").is_file():
        pytest.skip("tiktok is not in the data folder")
    for name in ("trnMat.pkl", "valMat.pkl", "tstMat.pkl", "image_feat.npy", "audio_feat.npy"):
        shutil.copy(folder / name, tmp_path / name)
    assert load(tmp_path).digest == load("tiktok", data_dir).digest
