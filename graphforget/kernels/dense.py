"""Products of dense matrices on several threads, whose bytes do not depend on how many there are."""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import numba
import torch
from torch import Tensor

MULTIPLICATIONS = 2**24
"""What a part of a product has at least: some tenths of a millisecond, against some microseconds to hand it out."""

LINES = 32
"""Parts begin at multiples of this many rows, or columns, of the product, and have at least so many."""


def product(a: Tensor, b: Tensor) -> Tensor:
    """Return `a @ b`, differentiable in both any number of times.

    Torch's own product of two threads adds in another order than that of one, at some shapes, so all work runs with
    one torch thread (`one_torch_thread`). This one hands out parts of the product instead: rows, or columns where
    there are more of them. Where parts begin depends on the shapes alone; the threads are as many as the numba kernels
    have. Small products, and those on other devices than the CPU, are torch's.

    Shapes: a (n, k), b (k, m) -> (n, m).
    """
    return _Product.apply(a, b)


class _Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, a: Tensor, b: Tensor) -> Tensor:
        ctx.save_for_backward(a, b)
        return plain_product(a, b)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor | None, Tensor | None]:
        a, b = ctx.saved_tensors
        return (
            product(grads[0], b.t()) if ctx.needs_input_grad[0] else None,
            product(a.t(), grads[0]) if ctx.needs_input_grad[1] else None,
        )


def plain_product(a: Tensor, b: Tensor) -> Tensor:
    """Return `a @ b` as `product` does, without a gradient: for gradients that are written by hand."""
    n, (k, m) = len(a), b.shape
    parts = min(n * k * m // MULTIPLICATIONS, max(n, m) // LINES)
    if parts < 2 or a.device.type != "cpu":
        return torch.mm(a, b)
    a, b, out = a.detach(), b.detach(), a.new_empty(n, m)
    lines = -(-max(n, m) // (parts * LINES)) * LINES

    def multiply(part: int) -> None:
        some = slice(part * lines, (part + 1) * lines)
        if n < m:
            torch.mm(a, b[:, some], out=out[:, some])
        else:
            torch.mm(a[some], b, out=out[some])

    _on_threads(multiply, -(-max(n, m) // lines))
    return out


def _on_threads(work: Callable[[int], None], count: int) -> None:
    """Call `work` with each number below `count`, once, on as many threads as the numba kernels have."""
    left = iter(range(count))

    def drain() -> None:
        for part in left:  # one step of a range's iterator is one step of the interpreter: no number comes twice
            work(part)

    helpers = min(numba.get_num_threads(), count) - 1
    found = [_pool(os.getpid()).submit(drain) for _ in range(helpers)]
    drain()
    for future in found:
        future.result()


@lru_cache(maxsize=1)
def _pool(process: int) -> ThreadPoolExecutor:
    """Return the helping threads of a process; one that was forked has none of its parent's."""
    del process
    return ThreadPoolExecutor(max(1, numba.config.NUMBA_NUM_THREADS - 1), "graphforget-product")
