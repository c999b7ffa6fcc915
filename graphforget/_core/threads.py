"""One torch thread where bytes must not depend on the number of threads."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def one_torch_thread() -> Iterator[None]:
    """Run torch's own operations on one thread inside the block.

    Several of torch's CPU operations (matrix products with a long inner dimension, full sums) add in an order that
    depends on the number of threads. The numba kernels, which do the heavy work, do not, and keep all threads.
    """
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
