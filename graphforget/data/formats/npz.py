"""NumPy archives with the key names of the CitationFull, Amazon and Coauthor files.

Bojchevski and Günnemann, "Deep Gaussian embedding of graphs", ICLR 2018; Shchur et al., "Pitfalls of graph
neural network evaluation", 2018. `adj_data`, `adj_indices`, `adj_indptr`, `adj_shape` are a CSR adjacency
(one direction or both), `attr_*` a CSR feature matrix (or `attr_matrix` a dense one), `labels` the classes;
the last two may be absent. Other keys (names of nodes, attributes and classes, stored as pickled objects by
some publishers) are not touched.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats.arrays import Archive
from graphforget.data.formats.base import Features, GraphFormat, RawGraph

_CSR_PARTS = ("data", "indices", "indptr", "shape")


def _vector(archive: Archive, key: str, integers: bool) -> np.ndarray:
    array = archive.array(key)
    kinds, wanted = ("iu", "integers") if integers else ("iufb", "numbers")
    if array.ndim != 1 or array.dtype.kind not in kinds:
        raise DataError(
            f"{archive.path}, array '{key}': expected a list of {wanted}; found {array.dtype} of shape {array.shape}."
        )
    return array


def _fault(data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, shape: list[int]) -> str:
    """Return what is wrong with the parts of a CSR matrix, or the empty string."""
    if len(shape) != 2 or min(shape) < 0:
        return f"'shape' must be two counts; found {shape}"
    if len(indptr) != shape[0] + 1:
        return f"'indptr' must have {shape[0] + 1:,} entries for {shape[0]:,} rows; found {len(indptr):,}"
    if indptr[0] != 0 or (np.diff(indptr.astype(np.int64)) < 0).any() or indptr[-1] != len(indices):
        return f"'indptr' must rise from 0 to the number of entries ({len(indices):,})"
    if len(data) != len(indices):
        return f"'data' has {len(data):,} entries and 'indices' {len(indices):,}; they must agree"
    outside = (indices < 0) | (indices >= shape[1])
    if outside.any():
        return f"column {indices[outside][0]} in 'indices' is out of range 0 to {shape[1] - 1}"
    if not np.isfinite(data).all():
        row = int(np.searchsorted(indptr, np.flatnonzero(~np.isfinite(data))[0], side="right")) - 1
        return f"row {row} holds NaN or infinite values; clean that row"
    return ""


def read_csr(archive: Archive, prefix: str, by_column: bool = False) -> sp.csr_array:
    """Return the CSR matrix under `<prefix>data`, `<prefix>indices`, `<prefix>indptr`, `<prefix>shape`.

    Parameters
    ----------
    by_column: the arrays are those of a CSC matrix; its transpose is returned.

    Raises DataError with the file, the part and the first fault.
    """
    parts = [_vector(archive, prefix + part, integers=part != "data") for part in _CSR_PARTS]
    data, indices, indptr, shape = *parts[:3], parts[3].tolist()
    shape = shape[::-1] if by_column else shape
    fault = _fault(data, indices, indptr, shape)
    if fault:
        raise DataError(f"{archive.path}, matrix '{prefix}*': {fault}.")
    with np.errstate(over="ignore"):  # what is too large becomes infinite, and is refused with the value
        numbers = data.astype(np.float32)
    return sp.csr_array((numbers, indices.astype(np.int64), indptr.astype(np.int64)), shape=tuple(shape))


def _features(archive: Archive, n_nodes: int) -> Features | None:
    features: Features | None = None
    if "attr_data" in archive:
        features = read_csr(archive, "attr_")
    elif "attr_matrix" in archive:
        features = archive.array("attr_matrix")
    if features is not None and (features.ndim != 2 or features.shape[0] != n_nodes):
        raise DataError(
            f"{archive.path}: features of shape {features.shape} for {n_nodes:,} nodes; one row per node is needed."
        )
    if isinstance(features, np.ndarray) and features.dtype.kind not in "iufb":
        raise DataError(f"{archive.path}, array 'attr_matrix': expected numbers; found {features.dtype}.")
    return features


def _labels(archive: Archive, n_nodes: int) -> np.ndarray | None:
    if "labels" not in archive:
        return None
    labels = _vector(archive, "labels", integers=True)
    if len(labels) != n_nodes:
        raise DataError(f"{archive.path}, array 'labels': {len(labels):,} labels for {n_nodes:,} nodes.")
    return labels.astype(np.int64)


class NumpyArchive(GraphFormat):
    """Reader of one .npz file with `adj_*`, `attr_*` and `labels`."""

    name = "npz"
    suffixes = (".npz",)

    def read(self, files: Sequence[Path]) -> RawGraph:
        """Return the graph with raw features; non-zero entries of the adjacency are edges.

        Raises DataError for a damaged archive, a missing adjacency, shapes that disagree, numbers out of
        range, NaN.
        """
        archive = Archive(files[0])
        adjacency = read_csr(archive, "adj_")
        n_nodes = adjacency.shape[0]
        if adjacency.shape[1] != n_nodes:
            raise DataError(f"{archive.path}: the adjacency must be square; found shape {adjacency.shape}.")
        entries = adjacency.tocoo()
        kept = entries.data != 0
        edges = np.stack([entries.row[kept], entries.col[kept]]).astype(np.int64)
        return RawGraph(n_nodes, edges, _features(archive, n_nodes), _labels(archive, n_nodes))
