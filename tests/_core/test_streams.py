"""The same draws from Python, numpy and numba, on any number of threads, for ever."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from numba import njit, prange

from graphforget._core.streams import Stream, Streams, draw_below, draw_u64, draw_unit

MASK = (1 << 64) - 1
KEYS = [0, 1, 1234567, 2**63, MASK, Streams(0)("negatives", epoch=3).key]


def splitmix64(key: int, counter: int) -> int:
    """Return the draw by the definition of splitmix64, in Python's own integers."""
    z = (key + (counter + 1) * 0x9E3779B97F4A7C15) & MASK
    z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & MASK
    z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & MASK
    return z ^ (z >> 31)


@njit
def kernel_draws(key, size, n):
    bits, below, unit = np.empty(size, np.uint64), np.empty(size, np.int64), np.empty(size, np.float64)
    for i in range(size):
        bits[i], below[i], unit[i] = draw_u64(key, i), draw_below(key, i, n), draw_unit(key, i)
    return bits, below, unit


@njit(parallel=True)
def parallel_draws(key, size):
    bits = np.empty(size, np.uint64)
    for i in prange(size):
        bits[i] = draw_u64(key, i)
    return bits


@pytest.mark.parametrize("key", KEYS)
def test_numpy_and_numba_draw_what_the_definition_says(key):
    stream, size, n = Stream(key), 200, 1_000_003
    bits = [splitmix64(key, i) for i in range(size)]
    in_kernel = kernel_draws(np.uint64(key), size, n)
    assert stream.bits(size).tolist() == in_kernel[0].tolist() == bits
    assert stream.integers(n, size).tolist() == in_kernel[1].tolist() == [((b >> 32) * n) >> 32 for b in bits]
    assert stream.integers_at(np.array([150, 3]), n).tolist() == in_kernel[1][[150, 3]].tolist()
    assert stream.uniform(size).tolist() == in_kernel[2].tolist() == [(b >> 11) / 2**53 for b in bits]


def test_draws_are_the_published_splitmix64_numbers():
    assert Stream(1234567).bits(5).tolist() == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_draws_do_not_depend_on_the_number_of_threads(with_threads):
    key = np.uint64(KEYS[-1])
    one, two = (with_threads(count, lambda: parallel_draws(key, 100_003).tobytes()) for count in (1, 2))
    assert one == two == Stream(int(key)).bits(100_003).tobytes()


def test_integers_stay_in_range_at_its_ends():
    assert set(Stream(5).integers(1, 100).tolist()) == {0}
    draws = Stream(5).integers(2**32 - 1, 10_000)
    assert 0 <= draws.min() and draws.max() < 2**32 - 1
    assert set(Stream(5).integers(3, 1000).tolist()) == {0, 1, 2}


def test_uniform_is_uniform():
    draws = Stream(11).uniform(100_000)
    assert 0 <= draws.min() and draws.max() < 1
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert np.sum((counts - 5000.0) ** 2 / 5000) < 43.8  # the 0.1 % point of chi squared with 19 degrees


def test_every_seed_name_and_counter_is_a_stream_of_its_own():
    streams = [
        Streams(seed)(name, epoch=epoch, step=step)
        for seed in range(5)
        for name in ("negatives", "dropout", "init")
        for epoch in range(10)
        for step in range(10)
    ]
    assert len({stream.key for stream in streams}) == len(streams)
    assert len({stream.bits(1)[0] for stream in streams}) == len(streams)


def test_the_order_of_counters_does_not_matter():
    assert Streams(3)("x", epoch=1, step=2) == Streams(3)("x", step=2, epoch=1)
    assert Streams(3)("x", epoch=1, step=2) != Streams(3)("x", epoch=2, step=1)


def test_numbers_are_frozen():
    stream = Streams(0)("negatives", epoch=3)
    assert stream.key == 9806578947633257515
    assert stream.bits(2).tolist() == [4018450054240748259, 7422222980785213408]
    assert stream.integers(10, 6).tolist() == [2, 4, 1, 2, 7, 8]
    assert stream.uniform(2).round(8).tolist() == [0.21784061, 0.40235951]
    assert Streams(7)("init").key == 8074371402499776402


def test_library_generators_start_in_the_same_state_each_time():
    stream = Streams(0)("negatives", epoch=3)
    assert stream.numpy().integers(0, 1000, 4).tolist() == [662, 744, 772, 529]
    assert stream.numpy().integers(0, 1000, 4).tolist() == [662, 744, 772, 529]
    assert stream.torch().initial_seed() == stream.key >> 1
    first, second = (torch.randint(0, 1000, (4,), generator=stream.torch()).tolist() for _ in range(2))
    assert first == second == [595, 156, 65, 161]


def test_global_random_state_is_left_alone():
    torch.manual_seed(0)
    expected = torch.rand(1).item()
    torch.manual_seed(0)
    Streams(1)("a").torch()
    assert torch.rand(1).item() == expected


def test_draws_at_counters_are_those_in_a_row():
    stream = Streams(0)("name")
    counters = np.array([5, 0, 5, 2])
    assert np.array_equal(stream.at(counters), stream.bits(6)[counters])
    assert stream.at(np.array([2**62])).dtype == np.uint64
