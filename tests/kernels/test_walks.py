from collections import Counter

import numpy as np
import pytest
from scipy.stats import chi2

from graphforget._core.errors import UsageError
from graphforget.kernels.csr import edges_to_csr, symmetric_csr
from graphforget.kernels.walks import random_walks, top_visited


def shop():
    """Users 0 to 2 and items 3 to 7; nobody has item 7."""
    return symmetric_csr(np.array([0, 0, 0, 1, 1, 2]), np.array([3, 4, 5, 3, 6, 6]), 8)


def hop_matrix(csr, dense, steps):
    moves = dense(csr) / np.maximum(1, np.diff(csr.indptr))[:, None]
    return np.linalg.matrix_power(moves, steps)


def fits(seen, wanted):
    assert (seen[wanted == 0] == 0).all()
    expected = wanted[wanted > 0] * seen.sum()
    return ((seen[wanted > 0] - expected) ** 2 / expected).sum() < chi2.isf(1e-4, max(1, len(expected) - 1))


@pytest.mark.parametrize("steps", [1, 2, 3])
def test_hops_follow_the_powers_of_the_transition_matrix(steps, dense):
    csr, walks, restart = shop(), 20_000, 0.3
    found = random_walks(csr, np.arange(7), 5, walks=walks, hops=3, restart=restart, steps=steps)
    hop = hop_matrix(csr, dense, steps)
    for start, visits in enumerate(found.reshape(7, walks, 3)):
        for h in range(3):
            seen = np.bincount(visits[:, h] + 1, minlength=9)
            alive = (1 - restart) ** h
            reached = np.linalg.matrix_power(hop, h + 1)[start]
            assert fits(seen, np.concatenate([[1 - alive], alive * reached]))


def test_an_ended_walk_stays_ended():
    found = random_walks(shop(), np.array([3]), 1, walks=500, hops=6, restart=0.4, steps=2).reshape(500, 6)
    assert (found[:, 0] >= 0).all()
    assert (np.diff((found < 0).astype(int), axis=1) >= 0).all()
    assert (random_walks(shop(), np.array([3]), 1, walks=9, hops=4, restart=0.0, steps=2) >= 0).all()
    always = random_walks(shop(), np.array([3]), 1, walks=9, hops=4, restart=1, steps=2).reshape(9, 4)
    assert (always[:, 0] >= 0).all() and (always[:, 1:] == -1).all()


def test_nodes_without_neighbours_go_nowhere():
    assert (random_walks(shop(), np.array([7]), 1, walks=5, hops=2) == -1).all()
    dead_end = edges_to_csr(np.array([0]), np.array([1]), 2, 2)
    assert random_walks(dead_end, np.array([0]), 1, walks=2, hops=3).tolist() == [[1, -1, -1] * 2]
    nodes, visits = top_visited(shop(), np.array([7]), 1, top=2)
    assert nodes.tolist() == [[-1, -1]] and visits.tolist() == [[0, 0]]


@pytest.mark.parametrize("include_start", [False, True])
@pytest.mark.parametrize("top", [1, 3, 40])
def test_most_visited_are_the_counted_walks(top, include_start, random_graph):
    csr = random_graph(50, 120)
    starts = np.random.default_rng(0).permutation(50)[:30]
    options = {"walks": 10, "hops": 3, "restart": 0.5, "steps": 2}
    paths = random_walks(csr, starts, 8, **options)
    nodes, visits = top_visited(csr, starts, 8, top=top, include_start=include_start, **options)
    for start, path, found, count in zip(starts, paths, nodes, visits, strict=True):
        left_out = {-1} if include_start else {-1, int(start)}
        counted = Counter(node for node in path.tolist() if node not in left_out)
        best = sorted(counted.items(), key=lambda pair: (-pair[1], pair[0]))[:top]
        best += [(-1, 0)] * (top - len(best))
        assert list(zip(found.tolist(), count.tolist(), strict=True)) == best


def test_from_items_two_steps_lead_to_items():
    nodes, _ = top_visited(shop(), np.arange(3, 7), 2, top=4, walks=200)
    assert [sorted(row[row >= 0].tolist()) for row in nodes] == [[4, 5, 6], [3, 5, 6], [3, 4, 6], [3, 4, 5]]


def test_a_start_does_not_depend_on_the_other_starts(random_graph):
    csr = random_graph(300, 900)
    every = random_walks(csr, np.arange(300), 4, walks=3, hops=2)
    some = np.array([250, 3, 99])
    assert np.array_equal(random_walks(csr, some, 4, walks=3, hops=2), every[some])
    assert not np.array_equal(random_walks(csr, some, 5, walks=3, hops=2), every[some])


def test_does_not_depend_on_the_threads(random_graph, same_for_any_threads):
    csr = random_graph(300, 900)
    assert same_for_any_threads(lambda: random_walks(csr, np.arange(300), 4, walks=5, hops=3, restart=0.2))
    assert same_for_any_threads(lambda: np.stack(top_visited(csr, np.arange(300), 4)))


@pytest.mark.parametrize("options", [{"walks": 0}, {"hops": 0}, {"steps": 0}, {"top": 0}, {"restart": 1.5}])
def test_parameters_out_of_range_are_refused(options):
    with pytest.raises(UsageError, match=f"'{next(iter(options))}' must be"):
        top_visited(shop(), np.array([3]), 1, **options)
    with pytest.raises(UsageError, match="square matrix; got 2 rows and 5"):
        top_visited(edges_to_csr(np.array([0]), np.array([4]), 2, 5), np.array([0]), 1)
