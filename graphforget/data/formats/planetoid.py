"""The Planetoid format: `ind.<name>.{x,tx,allx,y,ty,ally,graph,test.index}`.

Yang, Cohen and Salakhutdinov, "Revisiting semi-supervised learning with graph embeddings", ICML 2016. `allx`
and `ally` are the rows of all nodes but the test nodes, row i of `tx` and `ty` belongs to node
`test.index[i]`, and `graph` maps a node to its neighbours. The public split trains on the rows of `x`,
validates on the 500 rows after them and tests on `test.index`. Test numbers that are skipped (CiteSeer has
15) are nodes without edges; as in torch_geometric their feature rows are zero and their class is 0.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats.base import GraphFormat, RawGraph, existing
from graphforget.data.formats.numbers import largest_number
from graphforget.data.formats.pickled_arrays import read_pickled

PARTS = ("x", "tx", "allx", "y", "ty", "ally", "graph", "test.index")
_VALIDATION = 500


def _by_part(files: Sequence[Path]) -> dict[str, Path]:
    """Return the eight files by what follows `ind.<name>.`."""
    found = {part: path for path in files for part in PARTS if path.name.endswith(f".{part}")}
    missing = [part for part in PARTS if part not in found]
    if missing:
        raise DataError(
            f"Planetoid files: part(s) {', '.join(missing)} are not listed; a set has the eight parts "
            f"{', '.join(PARTS)}."
        )
    return {part: existing(path) for part, path in found.items()}


def _matrix(path: Path, columns: int | None = None, rows: int | None = None) -> sp.csr_array:
    value = read_pickled(path)
    if isinstance(value, np.ndarray) and value.ndim == 2:
        value = sp.csr_array(value)
    if not isinstance(value, sp.csr_array):
        raise DataError(f"{path}: expected a matrix; found {_described(value)}.")
    value.sum_duplicates()
    value.eliminate_zeros()
    for what, side, wanted in (("rows", value.shape[0], rows), ("columns", value.shape[1], columns)):
        if wanted is not None and side != wanted:
            raise DataError(f"{path}: {side:,} {what}, but the other files of the set have {wanted:,}.")
    if max(value.shape) > largest_number(value.nnz):
        raise DataError(
            f"{path}: the matrix is {value.shape[0]:,} x {value.shape[1]:,}, and {value.nnz:,} of its entries are not "
            f"zero; with so few, at most {largest_number(value.nnz):,} rows or columns are read."
        )
    if not np.isfinite(value.data).all():
        raise DataError(f"{path}: holds NaN or infinite values; every value must be a finite number.")
    return value


def _described(value: Any) -> str:
    return f"an array of shape {value.shape}" if hasattr(value, "shape") else f"a {type(value).__name__}"


def _classes(path: Path, matrix: sp.csr_array) -> np.ndarray:
    """Return the class of each one-hot row; a row without a one is class 0, as in torch_geometric."""
    if matrix.nnz and (np.diff(matrix.indptr).max() > 1 or (matrix.data != 1).any()):
        raise DataError(f"{path}: labels must be one-hot rows (a single 1 in each).")
    classes = np.zeros(matrix.shape[0], dtype=np.int64)
    classes[np.diff(matrix.indptr) > 0] = matrix.indices
    return classes


def _test_index(path: Path, first: int, rows: int) -> np.ndarray:
    try:
        numbers = [int(line) for line in path.read_text(encoding="ascii").split()]
    except ValueError as error:
        raise DataError(f"{path}: expected one node number per line ({error}).") from None
    if len(numbers) != rows or len(set(numbers)) != rows:
        raise DataError(f"{path}: {len(set(numbers)):,} different test nodes, but 'tx' has {rows:,} rows.")
    limit = 2 * (first + rows)
    bad = next((n for n in numbers if not first <= n < limit), None)
    if bad is not None:
        raise DataError(
            f"{path}: test node {bad} is out of range; with {first:,} rows in 'allx' and {rows:,} in 'tx', test nodes "
            f"are numbers from {first} to {limit - 1}."
        )
    return np.array(numbers, dtype=np.int64)


def _edges(path: Path, n_nodes: int) -> np.ndarray:
    graph = read_pickled(path)
    if not isinstance(graph, dict) or not all(isinstance(near, list) for near in graph.values()):
        raise DataError(
            f"{path}: expected a dict from a node to the list of its neighbours; found {_described(graph)}."
        )
    both = chain(graph, chain.from_iterable(graph.values()))
    bad = next((n for n in both if type(n) is not int or not 0 <= n < n_nodes), None)
    if bad is not None:
        raise DataError(f"{path}: node {bad!r} is not an integer from 0 to {n_nodes - 1}.")
    counts = [len(near) for near in graph.values()]
    source = np.repeat(np.fromiter(graph, dtype=np.int64, count=len(graph)), counts)
    target = np.fromiter(chain.from_iterable(graph.values()), dtype=np.int64, count=len(source))
    return np.stack([source, target])


def _placed(top: sp.csr_array, rest: sp.csr_array, index: np.ndarray, n_nodes: int) -> sp.csr_array:
    """Return the (n_nodes, columns) matrix with `top` first and row i of `rest` at row `index[i]`."""
    head, tail = top.tocoo(), rest.tocoo()
    row = np.concatenate([head.row, index[tail.row]])
    column = np.concatenate([head.col, tail.col])
    return sp.csr_array((np.concatenate([head.data, tail.data]), (row, column)), shape=(n_nodes, top.shape[1]))


def _split(n_nodes: int, n_train: int, index: np.ndarray) -> dict[str, np.ndarray]:
    masks = {name: np.zeros(n_nodes, dtype=bool) for name in ("train", "val", "test")}
    masks["train"][:n_train] = True
    masks["val"][n_train : n_train + _VALIDATION] = True
    masks["test"][index] = True
    return masks


class Planetoid(GraphFormat):
    """Reader of the eight `ind.*` files: pickles by format, read without running them."""

    name = "planetoid"

    def read(self, files: Sequence[Path]) -> RawGraph:
        """Return the graph with raw features, classes and the public split.

        Raises DataError for a missing part, parts that disagree in shape, numbers out of range, or a file
        that asks for anything but arrays.
        """
        part = _by_part(files)
        allx = _matrix(part["allx"])
        x = _matrix(part["x"], columns=allx.shape[1])
        tx = _matrix(part["tx"], columns=allx.shape[1])
        ally = _matrix(part["ally"], rows=allx.shape[0])
        y = _matrix(part["y"], rows=x.shape[0], columns=ally.shape[1])
        ty = _matrix(part["ty"], rows=tx.shape[0], columns=ally.shape[1])
        index = _test_index(part["test.index"], first=allx.shape[0], rows=tx.shape[0])
        n_nodes = int(index.max(initial=allx.shape[0] - 1)) + 1
        missing = n_nodes - allx.shape[0] - tx.shape[0]
        notes = (f"{missing:,} skipped test numbers kept as nodes without features (class 0)",) if missing else ()
        return RawGraph(
            n_nodes=n_nodes,
            edges=_edges(part["graph"], n_nodes),
            features=_placed(allx, tx, index, n_nodes),
            labels=_classes(part["ally"], _placed(ally, ty, index, n_nodes)),
            masks=_split(n_nodes, y.shape[0], index),
            notes=notes,
            column_order=True,
        )
