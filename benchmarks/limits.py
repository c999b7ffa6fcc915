"""What the machine can do at most: random gathers, products of small matrices, look-ups, streams."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from functools import partial

import numpy as np
import torch
from numba import njit, prange

from benchmarks.inputs import part
from graphforget._core.streams import GOLDEN
from graphforget.kernels.lowlevel import prefetch_row
from graphforget.kernels.row_sets import DENSE, RowSets

LIBRARIES = ("numba", "numpy", "torch")

DISTANCES = (4, 8, 16, 24, 32)
"""How many rows ahead a row is asked for: what is best depends on the machine."""

BLOCKS = (1024, 8192, 65536)
"""Look-ups of one parallel task."""

LINE, PARTS = 64, 64
"""Bytes of a cache line, and parallel tasks of a gather."""

TILE = (512, 4096)

_S32, _LOW = np.uint64(32), np.uint64(0xFFFFFFFF)


@njit(parallel=True, cache=True, nogil=True, fastmath=True)
def _fetch(table: np.ndarray, rows: np.ndarray, ahead: int, out: np.ndarray) -> None:
    parts, width, step = len(out), table.shape[1], LINE // table.itemsize
    for own in prange(parts):
        total, last = np.float32(0), len(rows) * (own + 1) // parts
        for k in range(len(rows) * own // parts, last):
            prefetch_row(table, rows[min(k + ahead, last - 1)])
            for column in range(0, width, step):
                total += table[rows[k], column]
        out[own] = total


def quickest(calls: Sequence[Callable[[], object]], repeats: int = 5) -> Callable[[], object]:
    """Return the call that took the least time in any of some turns."""
    best = [math.inf] * len(calls)
    for _ in range(repeats + 1):  # the first turn compiles
        for k, call in enumerate(calls):
            start = time.perf_counter()
            call()
            best[k] = min(best[k], time.perf_counter() - start)
    return calls[int(np.argmin(best))]


def gather(inputs: dict[str, np.ndarray], width: int = 64) -> Callable[[], dict]:
    """Fetch the rows of `width` float32 that a product with the matrix of the inputs needs, in its order.

    Of every cache line one number is read and added, with the best of several prefetch distances: no product can do
    without these lines, and this does hardly anything else. It is a stricter limit than a gather that reads the lines
    whole, and than rows drawn uniformly: popular rows stay in the cache.
    """
    at, rows = inputs["indices"], len(inputs["indptr"]) - 1
    table = np.random.default_rng(0).standard_normal((rows, width), np.float32)
    out = np.empty(PARTS, np.float32)
    fetch = quickest([partial(_fetch, table, at, ahead, out) for ahead in DISTANCES])

    def call() -> dict[str, np.ndarray]:
        fetch()
        return {"sums": out}

    return call


def gemm(inputs: dict[str, np.ndarray], tiles: int = 1, depth: int = 64) -> Callable[[], dict]:
    """Multiply `tiles` times 512 by 4,096 scores of a given depth, in float32, into the same 8 MB."""
    del inputs
    generator = torch.Generator().manual_seed(0)
    left = torch.randn(TILE[0], depth, generator=generator)
    right = torch.randn(depth, TILE[1], generator=generator)
    out = torch.empty(TILE)

    def call() -> dict[str, np.ndarray]:
        for _ in range(tiles):
            torch.mm(left, right, out=out)
        return {"scores": out.numpy()[:1]}

    return call


def places(sets: RowSets) -> np.ndarray:
    """Return for every row where the words stand of which a draw reads one: first word times 2^32, plus how many."""
    first, kind = (sets.heads >> np.uint64(8)).astype(np.int64), (sets.heads & np.uint64(255)).astype(np.int64)
    bitmap, free = -(-sets.n_cols // 64), sets.n_cols - np.diff(sets.indptr)
    counts = np.where(kind > int(DENSE), 1 << np.maximum(0, 58 - kind), bitmap)
    dense = kind == int(DENSE)
    first, counts = np.where(dense, first + bitmap, first), np.where(dense, (free + 1) // 2, counts)
    return (first.astype(np.uint64) << _S32) | counts.astype(np.uint64)


@njit(parallel=True, cache=True, nogil=True)
def _look_up(places: np.ndarray, words: np.ndarray, rows: np.ndarray, size: int, out: np.ndarray) -> None:
    for block in prange((len(rows) + size - 1) // size):
        last = min(len(rows), (block + 1) * size)
        for slot in range(block * size, last):
            place = places[rows[slot]]
            spread = ((np.uint64(slot) * GOLDEN) >> _S32) * (place & _LOW)
            out[slot] = words[(place >> _S32) + (spread >> _S32)] & _LOW


@njit(parallel=True, cache=True, nogil=True)
def _scatter(order: np.ndarray, pairs: np.ndarray, out: np.ndarray) -> None:
    for k in prange(len(order)):
        out[order[k]] = pairs[k]


def look_ups(inputs: dict[str, np.ndarray], shuffle: bool = False) -> Callable[[], dict]:
    """Read for each entry of `rows` one word, anywhere in what tells the members of that row, and write one number.

    No draw outside a set kept as bits can do without that read; hashing, comparing and drawing again are left out.
    With `shuffle` each training pair is written to a place of a random order as well, which is given.
    """
    train, rows = part(inputs, "train"), inputs["rows"]
    sets, out = RowSets.of(train), np.empty(len(rows), np.int32)
    at = places(sets)
    look = quickest([partial(_look_up, at, sets.words, rows, block, out) for block in BLOCKS])
    pairs, moved = np.arange(train.nnz), np.empty(train.nnz, np.int64)
    order = np.random.default_rng(0).permutation(train.nnz)

    def call() -> dict[str, np.ndarray]:
        look()
        if shuffle:
            _scatter(order, pairs, moved)
        return {"words": out}

    return call


@njit(parallel=True, cache=True, nogil=True)
def _add(a: np.ndarray, b: np.ndarray, out: np.ndarray) -> None:
    for k in prange(len(a)):
        out[k] = a[k] + b[k]


def stream(inputs: dict[str, np.ndarray], numbers: int = 0) -> Callable[[], dict]:
    """Read two arrays of float32 and write a third."""
    del inputs
    a, b, out = (np.zeros(numbers, np.float32) for _ in range(3))

    def call() -> dict[str, np.ndarray]:
        _add(a, b, out)
        return {"sum": out[:1]}

    return call
