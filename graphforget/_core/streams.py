"""Named random streams: (seed, name, counters) is the whole random state.

A stream is a 64-bit key. Draw number `i` of a stream is `mix64(key + (i + 1) * GOLDEN)` (splitmix64), so any draw
can be computed alone: the same numbers come out of Python, of numpy and of a parallel numba kernel, whatever the
number of threads.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from graphforget._core.compiled import njit

if TYPE_CHECKING:
    from torch import Generator

GOLDEN = np.uint64(0x9E3779B97F4A7C15)
_MIX_A = np.uint64(0xBF58476D1CE4E5B9)
_MIX_B = np.uint64(0x94D049BB133111EB)
_S27, _S30, _S31, _S32, _S11 = (np.uint64(n) for n in (27, 30, 31, 32, 11))
_ONE = np.uint64(1)


@njit(cache=True, inline="always")
def draw_u64(key: np.uint64, counter: int) -> np.uint64:
    """Return draw number `counter` of the stream `key` as 64 random bits."""
    z = np.uint64(key) + (np.uint64(counter) + _ONE) * GOLDEN
    z = (z ^ (z >> _S30)) * _MIX_A
    z = (z ^ (z >> _S27)) * _MIX_B
    return z ^ (z >> _S31)


@njit(cache=True, inline="always")
def draw_below(key: np.uint64, counter: int, n: int) -> np.int64:
    """Return an integer in [0, n), n < 2^32: the high half of random32 * n (bias below n / 2^32)."""
    return np.int64(((draw_u64(key, counter) >> _S32) * np.uint64(n)) >> _S32)


@njit(cache=True, inline="always")
def draw_unit(key: np.uint64, counter: int) -> float:
    """Return a float64 in [0, 1) with 53 random bits."""
    return np.float64(draw_u64(key, counter) >> _S11) * (1.0 / 9007199254740992.0)


@dataclass(frozen=True)
class Stream:
    """One named stream of random numbers.

    `key` goes into kernels; `numpy()` and `torch()` give generators for libraries that want one (a fresh generator
    per call, always in the same state).
    """

    key: int

    @cached_property
    def _base(self) -> np.uint64:
        return np.uint64(self.key)

    def at(self, counters: np.ndarray) -> np.ndarray:
        """Return the draws with these numbers as uint64, equal to `draw_u64(key, counter)`."""
        z = self._base + (counters.astype(np.uint64) + _ONE) * GOLDEN
        z = (z ^ (z >> _S30)) * _MIX_A
        z = (z ^ (z >> _S27)) * _MIX_B
        return z ^ (z >> _S31)

    def bits(self, size: int) -> np.ndarray:
        """Return draws 0 .. size-1 as uint64, equal to `draw_u64(key, i)`."""
        return self.at(np.arange(size, dtype=np.uint64))

    def integers(self, n: int, size: int) -> np.ndarray:
        """Return `size` int64 in [0, n), equal to `draw_below(key, i, n)`."""
        return self.integers_at(np.arange(size, dtype=np.uint64), n)

    def integers_at(self, counters: np.ndarray, n: int) -> np.ndarray:
        """Return the draws with these numbers as int64 in [0, n), equal to `draw_below(key, counter, n)`."""
        return (((self.at(counters) >> _S32) * np.uint64(n)) >> _S32).astype(np.int64)

    def uniform(self, size: int) -> np.ndarray:
        """Return `size` float64 in [0, 1), equal to `draw_unit(key, i)`."""
        return (self.bits(size) >> _S11).astype(np.float64) * (1.0 / 9007199254740992.0)

    def numpy(self) -> np.random.Generator:
        """Return a fresh numpy generator of this stream."""
        return np.random.Generator(np.random.Philox(key=self.key))

    def torch(self) -> Generator:
        """Return a fresh CPU torch generator of this stream."""
        import torch

        return torch.Generator().manual_seed(self.key >> 1)


@dataclass(frozen=True)
class Streams:
    """The family of streams of one seed: `Streams(0)("negatives", epoch=3)`.

    Example
    -------
    >>> Streams(0)("negatives", epoch=3) == Streams(0)("negatives", epoch=3)
    True
    >>> Streams(0)("negatives", epoch=3).key != Streams(0)("negatives", epoch=4).key
    True
    """

    seed: int

    def child(self, name: str) -> Streams:
        """Return a family of its own, so that equal names below it give other numbers."""
        return Streams(self(f"child/{name}").key)

    def __call__(self, name: str, **counters: int) -> Stream:
        """Return the stream called `name` at the given counters."""
        text = f"{self.seed}/{name}/" + ",".join(f"{key}={counters[key]}" for key in sorted(counters))
        return Stream(int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "little"))
