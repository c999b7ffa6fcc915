"""Scores of a few users for a few dozen items, in vector registers: the inner loop of the ranking."""

from __future__ import annotations

import llvmlite.binding
import numpy as np
from llvmlite import ir
from numba import prange, types
from numba.core import cgutils
from numba.extending import intrinsic

from graphforget._core.compiled import njit


def _shape() -> tuple[int, int, int]:
    """Return (users, vectors, numbers per vector) of a tile: what the registers of this processor hold.

    A score is the same sum in the same order whatever the shape, so results do not depend on it.
    """
    features = llvmlite.binding.get_host_cpu_features()
    if features.get("avx512f"):
        return 8, 3, 16
    return (4, 3, 8) if features.get("avx2") else (8, 2, 4)


ROWS, VECTORS, WIDTH = _shape()

LANES = VECTORS * WIDTH
"""Items of a tile."""

_I1, _I8, _I32, _I64 = (ir.IntType(bits) for bits in (1, 8, 32, 64))
_FLOAT = ir.FloatType()
_VECTOR = ir.VectorType(_FLOAT, WIDTH)


def _splat(builder, value):
    undefined = ir.Constant(_VECTOR, ir.Undefined)
    single = builder.insert_element(undefined, value, _I32(0))
    return builder.shuffle_vector(single, undefined, ir.Constant(ir.VectorType(_I32, WIDTH), [0] * WIDTH))


def _vector_at(builder, pointer, offset: int):
    return builder.bitcast(builder.gep(pointer, [_I64(offset)]), _VECTOR.as_pointer())


def _load(builder, pointer, offset: int):
    vector = builder.load(_vector_at(builder, pointer, offset))
    vector.align = 4
    return vector


def _products(builder, rows, tile, depth):
    """Emit the loop over the `depth` dimensions; return the ROWS x VECTORS sums."""
    fma = cgutils.get_or_insert_function(
        builder.module, ir.FunctionType(_VECTOR, [_VECTOR] * 3), f"llvm.fma.v{WIDTH}f32"
    )
    start = builder.block
    loop, done = builder.append_basic_block("dimensions"), builder.append_basic_block("done")
    builder.branch(loop)
    builder.position_at_end(loop)
    k = builder.phi(_I64)
    sums = [builder.phi(_VECTOR) for _ in range(ROWS * VECTORS)]
    line = builder.gep(tile, [builder.mul(k, _I64(LANES))])
    columns = [_load(builder, line, v * WIDTH) for v in range(VECTORS)]
    added = []
    for r in range(ROWS):
        weight = _splat(builder, builder.load(builder.gep(rows[r], [k])))
        added += [builder.call(fma, [weight, columns[v], sums[r * VECTORS + v]]) for v in range(VECTORS)]
    following = builder.add(k, _I64(1))
    k.add_incoming(_I64(0), start)
    k.add_incoming(following, loop)
    for total, new in zip(sums, added, strict=True):
        total.add_incoming(ir.Constant(_VECTOR, [0.0] * WIDTH), start)
        total.add_incoming(new, loop)
    builder.cbranch(builder.icmp_signed("<", following, depth), loop, done)
    builder.position_at_end(done)
    return [added[r * VECTORS : (r + 1) * VECTORS] for r in range(ROWS)]


def _marks(builder, sums, limit, ties):
    """Return 64 bits: bit j is set where column j is above the limit (where `ties`, also where it is equal)."""
    bits, spread = _I64(0), _splat(builder, limit)
    for v, total in enumerate(sums):
        above, equal = (builder.fcmp_ordered(sign, total, spread) for sign in (">", "=="))
        both = builder.or_(above, equal)
        packed = builder.select(ties, *(builder.bitcast(part, ir.IntType(WIDTH)) for part in (both, above)))
        bits = builder.or_(bits, builder.shl(builder.zext(packed, _I64), _I64(v * WIDTH)))
    return bits


@intrinsic
def score_tile(typing_context, users, first, panels, panel, limits, offset, ties, values, marks):
    """Score users `first` to `first + ROWS - 1` for the items of a panel.

    Sets `marks[r]` to the columns j whose score is above `limits[offset + r]` (with `ties`, or equal to it), as bits,
    and, where there is one, `values[r]` to all scores of the row. The score is the sum over k, ascending, of
    `users[first + r, k] * panels[panel, k, j]`, rounded once per step (fused multiply-add). Rows past the last user
    repeat it.

    Shapes: users float32 (n, d), panels float32 (n_panels, d, LANES), limits float32, values float32 (ROWS, LANES),
    marks uint64 (ROWS,), all contiguous; d >= 1.
    """
    signature = types.void(users, types.int64, panels, types.int64, limits, types.int64, types.boolean, values, marks)

    def build(context, builder, sig, args):
        array = {k: cgutils.create_struct_proxy(sig.args[k])(context, builder, value=args[k]) for k in (0, 2, 4, 7, 8)}
        first, panel, offset, ties = args[1], args[3], args[5], builder.trunc(args[6], _I1)
        depth = builder.extract_value(array[0].shape, 1)
        final = builder.sub(builder.extract_value(array[0].shape, 0), _I64(1))
        rows = []
        for r in range(ROWS):
            row = builder.add(first, _I64(r))
            row = builder.select(builder.icmp_signed("<", row, final), row, final)
            rows.append(builder.gep(array[0].data, [builder.mul(row, depth)]))
        tile = builder.gep(array[2].data, [builder.mul(panel, builder.mul(depth, _I64(LANES)))])
        for r, sums in enumerate(_products(builder, rows, tile, depth)):
            limit = builder.load(builder.gep(array[4].data, [builder.add(offset, _I64(r))]))
            bits = _marks(builder, sums, limit, ties)
            builder.store(bits, builder.gep(array[8].data, [_I64(r)]))
            with builder.if_then(builder.icmp_unsigned("!=", bits, _I64(0)), likely=False):
                target = builder.gep(array[7].data, [_I64(r * LANES)])
                for v, total in enumerate(sums):
                    builder.store(total, _vector_at(builder, target, v * WIDTH)).align = 4
        return context.get_dummy_value()

    return signature, build


@intrinsic
def lowest_bit(typing_context, bits):
    """Return the position of the lowest set bit of a uint64 that is not 0."""
    del typing_context

    def build(context, builder, sig, args):
        return builder.cttz(args[0], _I1(1))

    return types.int64(types.uint64), build


@njit(parallel=True, cache=True, nogil=True)
def fill_panels(items: np.ndarray, order: np.ndarray, panels: np.ndarray, numbers: np.ndarray) -> None:
    """Lay out rows `order` of `items` as panels of LANES columns; unused columns get zeros and number -1.

    Shapes: items float32 (n, d), order (m,), panels float32 (ceil(m / LANES), d, LANES), numbers int32 (.., LANES).
    """
    for panel in prange(len(panels)):
        for lane in range(LANES):
            at = panel * LANES + lane
            item = order[at] if at < len(order) else -1
            numbers[panel, lane] = item
            for k in range(items.shape[1]):  # assigning the whole column would compile for twice as long
                panels[panel, k, lane] = items[item, k] if item >= 0 else 0.0
