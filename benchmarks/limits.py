"""What the machine can do at most: random gathers, products of small matrices, random numbers, streams."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from numba import njit, prange

from graphforget._core.streams import draw_below
from graphforget.kernels.lowlevel import prefetch_row

LIBRARIES = ("numba", "numpy", "torch")

AHEAD = 8
TILE = (512, 4096)


@njit(parallel=True, cache=True, nogil=True, fastmath=True)
def _gather(table: np.ndarray, rows: np.ndarray, out: np.ndarray) -> None:
    parts = len(out)
    for part in prange(parts):
        total = np.zeros(table.shape[1], table.dtype)
        last = len(rows) * (part + 1) // parts
        for k in range(len(rows) * part // parts, last):
            prefetch_row(table, rows[min(k + AHEAD, len(rows) - 1)])
            row = table[rows[k]]
            for j in range(len(total)):
                total[j] += row[j]
        out[part] = total


def gather(inputs: dict[str, np.ndarray], width: int = 64) -> Callable[[], dict]:
    """Read the rows of `width` float32 that a product with the matrix of the inputs reads, in its order, summing them.

    This is a stricter limit than rows drawn uniformly: popular rows stay in the cache.
    """
    at, rows = inputs["indices"], len(inputs["indptr"]) - 1
    table = np.random.default_rng(0).standard_normal((rows, width), np.float32)
    out = np.empty((64, width), np.float32)

    def call() -> dict[str, np.ndarray]:
        _gather(table, at, out)
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


@njit(parallel=True, cache=True, nogil=True)
def _draws(key: np.uint64, n: int, out: np.ndarray) -> None:
    for k in prange(len(out)):
        out[k] = draw_below(key, k, n)


def draws(inputs: dict[str, np.ndarray], count: int = 0, n: int = 1) -> Callable[[], dict]:
    """Draw `count` bounded integers and write them down: sampling without asking whether they are free."""
    del inputs
    out = np.empty(count, np.int32)

    def call() -> dict[str, np.ndarray]:
        _draws(np.uint64(1), n, out)
        return {"drawn": out}

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
