"""Neighbours of a node are drawn uniformly, exactly as many as asked for, and alike for any number of threads."""

from __future__ import annotations

from collections import Counter
from itertools import combinations

import numpy as np
import pytest
from scipy.stats import chi2

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.neighbours import renumbered, sample_neighbours


def ladder(n: int = 40, seed: int = 0) -> CSR:
    """Row i has i entries at random columns, with values 1 to i."""
    rng = np.random.default_rng(seed)
    columns = [np.sort(rng.choice(n, i, replace=False)) for i in range(n)]
    rows = np.repeat(np.arange(n), np.arange(n))
    return edges_to_csr(rows, np.concatenate(columns), n, n, np.concatenate([np.arange(i) + 1.0 for i in range(n)]))


def row(csr: CSR, k: int) -> tuple[np.ndarray, np.ndarray]:
    return tuple(part[csr.indptr[k] : csr.indptr[k + 1]] for part in (csr.indices, csr.values))


@pytest.mark.parametrize("count", [1, 7, 39, 1000])
def test_a_row_gives_distinct_entries_of_its_own_exactly_as_many_as_asked(count):
    csr, rows = ladder(), np.array([39, 0, 3, 7, 8, 20])
    found = sample_neighbours(csr, rows, count, 5)
    for k, number in enumerate(rows):
        columns, values = row(found, k)
        whole = dict(zip(*row(csr, number), strict=True))
        assert len(columns) == min(count, number) and np.all(np.diff(columns) > 0)
        wanted = np.array([whole[column] for column in columns]) * (number / max(1, len(columns)))
        np.testing.assert_allclose(values, wanted, rtol=1e-6)


def test_with_replacement_there_are_as_many_as_asked_and_repeats():
    csr = ladder()
    found = sample_neighbours(csr, np.array([0, 3]), 50, 5, replace=True)
    columns, values = row(found, 1)
    whole = dict(zip(*row(csr, 3), strict=True))
    assert found.indptr.tolist() == [0, 0, 50] and set(columns) == set(whole) and np.all(np.diff(columns) >= 0)
    np.testing.assert_allclose(values, [whole[column] * 3 / 50 for column in columns], rtol=1e-6)


def test_all_neighbours_are_the_rows_themselves():
    csr, rows = ladder(), np.array([30, 2])
    found = sample_neighbours(csr, rows, None, 5)
    for k, number in enumerate(rows):
        assert all(np.array_equal(*pair) for pair in zip(row(found, k), row(csr, number), strict=True))


def test_every_subset_is_as_likely():
    csr, draws, streams = ladder(), 12_000, Streams(1)
    columns = row(csr, 5)[0].tolist()
    keys = streams("keys").bits(draws)
    seen = Counter(tuple(sample_neighbours(csr, np.array([5]), 3, int(key)).indices.tolist()) for key in keys)
    subsets = list(combinations(columns, 3))
    assert set(seen) == set(subsets)
    expected = draws / len(subsets)
    assert sum((seen[one] - expected) ** 2 / expected for one in subsets) < chi2.isf(1e-4, len(subsets) - 1)


def test_draws_with_replacement_are_uniform():
    csr = ladder()
    drawn = sample_neighbours(csr, np.array([7]), 20_000, 3, replace=True).indices
    seen = np.bincount(np.searchsorted(row(csr, 7)[0], drawn), minlength=7)
    expected = 20_000 / 7
    assert ((seen - expected) ** 2 / expected).sum() < chi2.isf(1e-4, 6)


def test_rows_do_not_depend_on_each_other_or_on_threads(with_threads):
    csr = ladder(600)
    rows = np.arange(600)
    one, two = (with_threads(count, lambda: sample_neighbours(csr, rows, 20, 9)) for count in (1, 2))
    assert one.indices.tobytes() == two.indices.tobytes() and one.values.tobytes() == two.values.tobytes()
    few = sample_neighbours(csr, np.array([500, 30]), 20, 9)
    assert np.array_equal(row(few, 0)[0], row(one, 500)[0]) and np.array_equal(row(few, 1)[0], row(one, 30)[0])
    assert not np.array_equal(sample_neighbours(csr, rows, 20, 10).indices, one.indices)


def test_renumbered_rows_are_the_same_rows(dense):
    csr, rows = ladder(), np.array([4, 9, 20])
    part = sample_neighbours(csr, rows, 3, 2)
    nodes, where, local = renumbered(part, rows)
    assert np.array_equal(nodes, np.unique(np.concatenate([rows, part.indices]))) and np.array_equal(nodes[where], rows)
    assert np.array_equal(dense(local), dense(part)[:, nodes])


@pytest.mark.parametrize("count", [0, -3])
def test_a_count_below_one_is_refused(count):
    with pytest.raises(UsageError, match=f"'count' must be at least 1, or None for all; got {count}"):
        sample_neighbours(ladder(), np.array([3]), count, 1)
