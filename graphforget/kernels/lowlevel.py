"""Pieces shared by the parallel kernels: fixed chunks of rows, a software prefetch, a vectorisable exp."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from graphforget._core.compiled import njit

MAX_PARTS = 256
"""Largest number of row chunks of a parallel loop; a chunk belongs to one thread."""

ROW_COST = 8
"""What starting a row costs, in edges."""


@intrinsic
def prefetch_at(typing_context, table, position):
    """Ask for the cache line of `table.data[position]` (a hint: no value, no fault)."""
    signature = types.void(table, types.intp)

    def build(context, builder, sig, args):
        data = cgutils.create_struct_proxy(sig.args[0])(context, builder, value=args[0]).data
        byte, number = ir.IntType(8), ir.IntType(32)
        address = builder.bitcast(builder.gep(data, [args[1]]), byte.as_pointer())
        function_type = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
        function = cgutils.get_or_insert_function(builder.module, function_type, "llvm.prefetch.p0")
        builder.call(function, [address, number(0), number(3), number(1)])
        return context.get_dummy_value()

    return signature, build


@njit(cache=True, inline="always")
def prefetch_row(table: np.ndarray, row: int) -> None:
    """Prefetch one row of a contiguous 2-d table, one request per 64 bytes."""
    width = table.shape[1]
    for column in range(0, width, 64 // table.itemsize):
        prefetch_at(table, row * width + column)


@njit(cache=True, nogil=True)
def count_parts(n_rows: int) -> int:
    """Return into how many chunks `n_rows` rows are cut (from the size alone, never from the threads)."""
    return min(MAX_PARTS, n_rows // 4 + 1)


@njit(cache=True, nogil=True)
def chunk_start(indptr: np.ndarray, part: int, parts: int) -> int:
    """Return the first row of chunk `part`: chunks have equal `edges + ROW_COST * rows`."""
    n_rows = len(indptr) - 1
    if part >= parts:
        return n_rows
    goal = (indptr[n_rows] + ROW_COST * n_rows) * part // parts
    low, high = 0, n_rows
    while low < high:
        middle = (low + high) // 2
        if indptr[middle] + ROW_COST * middle < goal:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True, inline="always")
def exp_below(x: float) -> float:
    """Return exp(x) for x <= 0 in float64 by arithmetic alone, so that a loop over it becomes vector code.

    exp(x) = exp(x / 1024)^1024: a Taylor polynomial of degree 8 and ten squarings. Relative error below 1e-11
    for x >= -100; below x = -700 the result stays at exp(-700); NaN stays NaN.
    """
    r = (-700.0 if x < -700.0 else np.float64(x)) * (1.0 / 1024.0)
    y = 1.0 + r / 8.0
    for n in (7.0, 6.0, 5.0, 4.0, 3.0, 2.0, 1.0):
        y = 1.0 + y * r * (1.0 / n)
    for _ in range(10):
        y = y * y
    return y
