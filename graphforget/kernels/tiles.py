"""Sums of weighted table rows in vector registers: the inner loop of every sparse product."""

from __future__ import annotations

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

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
        weight = builder.load(builder.gep(array[2].data, [edge]))
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


def _request(builder, pointer) -> None:
    byte, number = ir.IntType(8), ir.IntType(32)
    kind = ir.FunctionType(ir.VoidType(), [byte.as_pointer(), number, number, number])
    prefetch = cgutils.get_or_insert_function(builder.module, kind, "llvm.prefetch.p0")
    builder.call(prefetch, [builder.bitcast(pointer, byte.as_pointer()), number(0), number(3), number(1)])


@njit(cache=True, inline="always")
def sum_rows(
    indices: np.ndarray, weights: np.ndarray, first: int, last: int, table: np.ndarray, out: np.ndarray, row: int
) -> None:
    """Set `out[row]` to the sum of `weights[e] * table[indices[e]]` over the edges `first` to `last`, in their order.

    Shapes: table (n, d) and out (m, d), contiguous and of one floating type; indices and weights (n_edges,).
    """
    width, column = table.shape[1], 0
    while column + 64 <= width:
        _sum_tile(64, indices, weights, first, last, table, column, out, row)
        column += 64
    while column + 8 <= width:
        _sum_tile(8, indices, weights, first, last, table, column, out, row)
        column += 8
    while column < width:
        _sum_tile(1, indices, weights, first, last, table, column, out, row)
        column += 1
