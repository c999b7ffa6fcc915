"""Matrices of SciPy: rectangular ones, square ones, both orders of storage; SciPy itself is the oracle."""

from __future__ import annotations

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget.data.load import load

MATRIX = np.array([[0, 1, 0, 2], [0, 0, 0, 0], [1, 0, 0, 0.5]])
WHOLE = {"split": "user", "valid": 0, "test": 0}


@pytest.mark.parametrize("kind", [sp.csr_array, sp.csc_array, sp.csr_matrix])
def test_users_by_items(tmp_path, kind):
    path = tmp_path / "r.npz"
    sp.save_npz(path, kind(MATRIX))
    data = load(path, **WHOLE)
    assert (data.n_users, data.n_items) == (3, 4)
    assert data.pairs("train").tolist() == np.stack(np.nonzero(MATRIX)).tolist()


def test_explicit_zeros_are_no_interactions(tmp_path):
    path = tmp_path / "r.npz"
    sp.save_npz(path, sp.csr_array((np.array([1.0, 0.0]), ([0, 1], [1, 2])), shape=(2, 3)))
    assert load(path, **WHOLE).n_pairs == 1


def test_all_nodes_by_all_nodes(tmp_path):
    path = tmp_path / "s_pre_adj_mat.npz"
    square = sp.block_array([[None, sp.csr_array(MATRIX)], [sp.csr_array(MATRIX.T), None]], format="csr")
    sp.save_npz(path, square)
    data = load(path, n_users=3, **WHOLE)
    assert (data.n_users, data.n_items) == (3, 4)
    assert data.pairs("train").tolist() == np.stack(np.nonzero(MATRIX)).tolist()


def test_one_matrix_per_part(tmp_path):
    sp.save_npz(tmp_path / "a.npz", sp.csr_array(MATRIX))
    sp.save_npz(tmp_path / "b.npz", sp.csr_array(np.eye(3, 4)))
    data = load(tmp_path / "a.npz", parts={"test": tmp_path / "b.npz"})
    assert data.test.nnz == 3 and data.train.nnz == 4
