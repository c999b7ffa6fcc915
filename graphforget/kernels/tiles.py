"""Sums and inner products of table rows in vector registers: the inner loops of sparse products and of attention."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from graphforget._core.compiled import njit

AHEAD = 8
"""How many edges ahead of the one being added its row is prefetched."""

LINE = 64
"""Bytes of a cache line."""


@intrinsic
def _sum_tile(typing_context, width, indices, weights, first, last, table, column, out, row):
    """Write `sum over first <= e < last of weights[e] * table[indices[e], column : column + width]` to `out[row]`.

    The sum stays in registers and is rounded once per edge (fused multiply-add), in the order of the edges: a loop
    over `out[row]` would store and load it for each edge, which halves the speed. `width` is a literal.
    """
    if not isinstance(width, types.IntegerLiteral):
        return None
    signature = types.void(width, indices, weights, first, last, table, column, out, row)
    lanes = width.literal_value

    def build(context, builder, sig, args):
        array = {k: cgutils.create_struct_proxy(sig.args[k])(context, builder, value=args[k]) for k in (1, 2, 5, 7)}
        number, integer = context.get_value_type(sig.args[5].dtype), context.get_value_type(types.intp)
        size = sig.args[5].dtype.bitwidth // 8
        vector = ir.VectorType(number, lanes)
        name = f"llvm.fma.v{lanes}f{8 * size}"
        fma = cgutils.get_or_insert_function(builder.module, ir.FunctionType(vector, [vector] * 3), name)
        stride = builder.extract_value(array[5].shape, 1)
        first, last, column, row = args[3], args[4], args[6], args[8]
        start = builder.block
        loop, done = builder.append_basic_block("edges"), builder.append_basic_block("done")
        nothing = ir.Constant(vector, [0.0] * lanes)
        builder.cbranch(builder.icmp_signed("<", first, last), loop, done)

        builder.position_at_end(loop)
        edge, total = builder.phi(integer), builder.phi(vector)
        edge.add_incoming(first, start)
        total.add_incoming(nothing, start)

        def position(at, of):
            found = builder.load(builder.gep(array[1].data, [at]))
            found = builder.sext(found, integer) if found.type.width < integer.width else found
            return builder.gep(array[5].data, [builder.add(builder.mul(found, stride), of)])

        if lanes * size >= LINE:
            final = builder.sub(builder.extract_value(array[1].shape, 0), integer(1))
            ahead = builder.add(edge, integer(AHEAD))
            ahead = builder.select(builder.icmp_signed("<", ahead, final), ahead, final)
            for offset in range(0, lanes, LINE // size):
                _request(builder, position(ahead, builder.add(column, integer(offset))))
        source = builder.load(builder.bitcast(position(edge, column), vector.as_pointer()))
        source.align = size
        weight = builder.load(_entry(builder, array[2], edge, sig.args[2]))
        if weight.type != number:
            weight = builder.fpext(weight, number) if size == 8 else builder.fptrunc(weight, number)
        undefined = ir.Constant(vector, ir.Undefined)
        single = builder.insert_element(undefined, weight, ir.IntType(32)(0))
        spread = builder.shuffle_vector(
            single, undefined, ir.Constant(ir.VectorType(ir.IntType(32), lanes), [0] * lanes)
        )
        added = builder.call(fma, [spread, source, total])
        following = builder.add(edge, integer(1))
        edge.add_incoming(following, loop)
        total.add_incoming(added, loop)
        builder.cbranch(builder.icmp_signed("<", following, last), loop, done)

        builder.position_at_end(done)
        result = builder.phi(vector)
        result.add_incoming(nothing, start)
        result.add_incoming(added, loop)
        target = builder.gep(array[7].data, [builder.add(builder.mul(row, stride), column)])
        builder.store(result, builder.bitcast(target, vector.as_pointer())).align = size
        return context.get_dummy_value()

    return signature, build


def _entry(builder, array, position, kind):
    """Return where entry `position` of a vector stands, whatever the distance between its entries."""
    if kind.layout == "C":
        return builder.gep(array.data, [position])
    byte = ir.IntType(8).as_pointer()
    offset = builder.mul(position, builder.extract_value(array.strides, 0))
    return builder.bitcast(builder.gep(builder.bitcast(array.data, byte), [offset]), array.data.type)


def _request(builder, pointer) -> None:
    byte, number = ir.IntType(8), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(prefetch, [builder.bitcast(pointer, byte.as_pointer()), number(0), number(3), number(1)])


@njit(cache=True, inline="always")
def sum_columns(
    indices: np.ndarray,
    weights: np.ndarray,
    first: int,
    last: int,
    table: np.ndarray,
    out: np.ndarray,
    row: int,
    column: int,
    end: int,
) -> None:
    """Do what `sum_rows` does for the columns `column` to `end` alone; the weights may be a column of a table."""
    while column + 64 <= end:
        _sum_tile(64, indices, weights, first, last, table, column, out, row)
        column += 64
    while column + 8 <= end:
        _sum_tile(8, indices, weights, first, last, table, column, out, row)
        column += 8
    while column < end:
        _sum_tile(1, indices, weights, first, last, table, column, out, row)
        column += 1


@njit(cache=True, inline="always")
def sum_rows(
    indices: np.ndarray, weights: np.ndarray, first: int, last: int, table: np.ndarray, out: np.ndarray, row: int
) -> None:
    """Set `out[row]` to the sum of `weights[e] * table[indices[e]]` over the edges `first` to `last`, in their order.

    Shapes: table (n, d) and out (m, d), contiguous and of one floating type; indices and weights (n_edges,).
    """
    sum_columns(indices, weights, first, last, table, out, row, 0, table.shape[1])


@intrinsic
def _dot_tile(typing_context, lanes, a, i, b, j, column, chunks, start):
    """Return `start` plus the inner product of `a[i]` and `b[j]` over `chunks * lanes` columns from `column` on.

    Each lane adds every `lanes`-th product, rounded once (fused multiply-add), lane 0 from `start` on; then the lanes
    are added in a fixed tree. A loop left to the compiler adds in the order of the vector width of the machine.
    """
    if not isinstance(lanes, types.IntegerLiteral):
        return None
    signature = a.dtype(lanes, a, types.intp, b, types.intp, types.intp, types.intp, a.dtype)
    width = lanes.literal_value

    def build(context, builder, sig, args):
        left, right = (cgutils.create_struct_proxy(sig.args[k])(context, builder, value=args[k]) for k in (1, 3))
        number, integer = context.get_value_type(sig.return_type), context.get_value_type(types.intp)
        size = sig.return_type.bitwidth // 8
        vector = ir.VectorType(number, width)
        kind = ir.FunctionType(vector, [vector] * 3)
        fma = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fma.v{width}f{8 * size}")
        firsts = [
            builder.gep(of.data, [builder.add(builder.mul(args[row], builder.extract_value(of.shape, 1)), args[5])])
            for of, row in ((left, 2), (right, 4))
        ]
        begin = builder.insert_element(ir.Constant(vector, [0.0] * width), args[7], ir.IntType(32)(0))
        before, loop, done = builder.block, builder.append_basic_block("chunks"), builder.append_basic_block("added")
        builder.cbranch(builder.icmp_signed("<", integer(0), args[6]), loop, done)

        builder.position_at_end(loop)
        chunk, total = builder.phi(integer), builder.phi(vector)
        chunk.add_incoming(integer(0), before)
        total.add_incoming(begin, before)
        offset = builder.mul(chunk, integer(width))
        parts = [builder.load(builder.bitcast(builder.gep(at, [offset]), vector.as_pointer())) for at in firsts]
        for part in parts:
            part.align = size
        added = builder.call(fma, [*parts, total])
        following = builder.add(chunk, integer(1))
        chunk.add_incoming(following, loop)
        total.add_incoming(added, loop)
        builder.cbranch(builder.icmp_signed("<", following, args[6]), loop, done)

        builder.position_at_end(done)
        result = builder.phi(vector)
        result.add_incoming(begin, before)
        result.add_incoming(added, loop)
        return _sum_lanes(builder, result, width)

    return signature, build


def _sum_lanes(builder, vector, lanes):
    """Add the lanes: in four quarters one after the other above 16 lanes, in halves below."""
    undefined = ir.Constant(vector.type, ir.Undefined)

    def part(first, count):
        mask = ir.Constant(ir.VectorType(ir.IntType(32), count), list(range(first, first + count)))
        return builder.shuffle_vector(vector, undefined, mask)

    if lanes == 1:
        return builder.extract_element(vector, ir.IntType(32)(0))
    count = lanes // 4 if lanes > 16 else lanes // 2
    total = part(0, count)
    for first in range(count, lanes, count):
        total = builder.fadd(part(first, count), total)
    return _sum_lanes(builder, total, count)


@njit(cache=True, inline="always")
def dot_rows(a: np.ndarray, i: int, b: np.ndarray, j: int, low: int, high: int) -> float:
    """Return the inner product of `a[i]` and `b[j]` over the columns low .. high - 1, in an order of its own.

    Shapes: a (n, d) and b (m, d), contiguous and of one floating type.
    """
    width, total = high - low, a.dtype.type(0)
    if width == 64:
        return _dot_tile(64, a, i, b, j, low, 1, total)
    if width > 64:
        total = _dot_tile(64, a, i, b, j, low, width // 64, total)
    if width % 64 >= 8:
        total = _dot_tile(8, a, i, b, j, low + width // 64 * 64, width % 64 // 8, total)
    if width % 8 > 0:
        total = _dot_tile(1, a, i, b, j, high - width % 8, width % 8, total)
    return total
