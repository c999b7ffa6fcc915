"""Matrices that `scipy.sparse.save_npz` wrote: users x items, or all nodes by all nodes as LightGCN caches them.

Every stored entry that is not zero is an interaction, whatever its value (`s_pre_adj_mat.npz` holds normalised ones).
A square matrix of users and items together needs the number of users; its two diagonal blocks must be empty and it
must be symmetric. Nothing pickled is read.
"""

from __future__ import annotations

import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats.arrays import Archive
from graphforget.data.formats.interaction_table import record_files
from graphforget.data.formats.npz import read_csr
from graphforget.data.formats.numbers import largest_number
from graphforget.data.formats.raw_interactions import InteractionFormat, RawInteractions, Reading, Records

_KEYS = {"data.npy", "shape.npy", "format.npy"}
"""What is in every file of `save_npz`, whatever the form of its matrix."""


def read_matrix(path: Path) -> sp.csr_array:
    """Return a sparse matrix in CSR or CSC form; raises DataError for another form or damaged parts."""
    archive = Archive(path)
    form = archive.array("format").tobytes().decode("ascii", "replace").replace("\0", "")
    if form not in ("csr", "csc"):
        raise DataError(f"{path}: a sparse matrix in '{form[:20]}' form; save it as CSR (matrix.tocsr()).")
    if form == "csr":
        return read_csr(archive, "")
    return sp.csr_array(read_csr(archive, "", by_column=True).T)


def _entries(path: Path, matrix: Any) -> tuple[np.ndarray, tuple[int, int]]:
    matrix = sp.coo_array(matrix)
    kept = matrix.data != 0
    if not kept.any():
        raise DataError(f"{path}: every entry of the matrix is zero, so there is no interaction in it. Check the file.")
    count = int(kept.sum())
    if max(matrix.shape) > largest_number(count):
        raise DataError(
            f"{path}: the matrix is {matrix.shape[0]:,} x {matrix.shape[1]:,}, and {count:,} of its entries are not "
            f"zero; with so few, at most {largest_number(count):,} rows or columns are read. Leave out those without "
            "any."
        )
    return np.stack([matrix.row[kept], matrix.col[kept]]).astype(np.int64), matrix.shape


def _bipartite(path: Path, entries: np.ndarray, n_nodes: int, n_users: int) -> np.ndarray:
    """Return the user-item pairs of a square matrix."""
    if not 0 < n_users < n_nodes:
        raise DataError(f"{path}: n_users is {n_users:,}, but the matrix has {n_nodes:,} rows; it must be between.")
    row_user, column_user = entries < n_users
    within = np.flatnonzero(row_user == column_user)
    if len(within):
        row, column = entries[:, within[0]]
        raise DataError(
            f"{path}: the entry ({row}, {column}) joins two {'users' if row < n_users else 'items'} when the first "
            f"{n_users:,} rows are users. Check n_users."
        )
    pairs = entries[:, row_user]
    back = entries[::-1, ~row_user]
    order, other = np.lexsort((pairs[1], pairs[0])), np.lexsort((back[1], back[0]))
    if not np.array_equal(pairs[:, order], back[:, other]):
        raise DataError(f"{path}: the matrix is not symmetric, so users and items do not agree. Check the file.")
    return pairs - np.array([[0], [n_users]])


def _pairs(path: Path, matrix: Any, n_users: int | None) -> tuple[np.ndarray, tuple[int, int]]:
    entries, shape = _entries(path, matrix)
    if n_users is not None:
        if shape[0] != shape[1]:
            raise DataError(
                f"{path}: the matrix is {shape[0]:,} x {shape[1]:,}; n_users is for square ones. Leave it out."
            )
        return _bipartite(path, entries, shape[0], n_users), (n_users, shape[0] - n_users)
    if shape[0] == shape[1]:
        raise DataError(
            f"{path}: a square matrix of {shape[0]:,} rows, of users and items together or of as many users as items. "
            "Say which rows are users, as n_users=29858. The adjacency of a graph is read by "
            "graphforget.data.bridges.from_scipy(scipy.sparse.load_npz(...))."
        )
    return entries, shape


def matrix_interactions(files: Mapping[str, Path], read: Callable[[Path], Any], n_users: int | None) -> RawInteractions:
    """Return the entries of the matrices in `files`, one undivided or one for each part, as interactions.

    Parameters
    ----------
    read: returns the sparse matrix in a file.
    n_users: rows that are users, in a square matrix of users and items together.

    Raises DataError when a matrix is empty or square without `n_users`, or parts differ in shape.
    """
    records = record_files(files, "SciPy matrix")
    found = {part: _pairs(path, read(path), n_users) for part, path in records.items()}
    shapes = {shape for _, shape in found.values()}
    if len(shapes) > 1:
        named = ", ".join(f"{part} {shape[0]:,} x {shape[1]:,}" for part, (_, shape) in found.items())
        raise DataError(f"{next(iter(records.values()))}: the parts differ in shape ({named}); they must agree.")
    rows, columns = shapes.pop()
    return RawInteractions(rows, columns, {part: Records(pairs) for part, (pairs, _) in found.items()})


class ScipyMatrix(InteractionFormat):
    """Reader of one sparse matrix, or one per part."""

    name = "scipy-npz"
    heeds: ClassVar[frozenset[str]] = frozenset({"n_users", "parts"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether an .npz archive holds the arrays of one sparse matrix."""
        if path.suffix.lower() != ".npz" or not path.is_file() or not zipfile.is_zipfile(path):
            return False
        try:
            with zipfile.ZipFile(path) as archive:
                return set(archive.namelist()) >= _KEYS
        except (zipfile.BadZipFile, OSError, ValueError):
            return False

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the entries as interactions; raises DataError for damaged files or parts of different shape."""
        return matrix_interactions(files, read_matrix, how.n_users)
