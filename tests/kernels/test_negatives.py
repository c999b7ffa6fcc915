import numpy as np
import pytest
from scipy.stats import chi2

from graphforget.kernels import negatives as module
from graphforget.kernels.csr import edges_to_csr, symmetric_csr
from graphforget.kernels.negatives import count_non_edges, sample_non_edges


def six_nodes():
    """A star around 0 with one more edge: degrees 5, 2, 2, 1, 1, 1."""
    return symmetric_csr(np.array([0, 0, 0, 0, 0, 1]), np.array([1, 2, 3, 4, 5, 2]), 6)


def free_pairs(csr, dense):
    return np.argwhere((dense(csr) == 0) & ~np.eye(csr.n_rows, dtype=bool))


@pytest.mark.parametrize("tries", [module.TRIES, 1, 0], ids=["rejection", "mixed", "rank"])
def test_uniform_over_the_free_pairs(tries, monkeypatch, dense):
    monkeypatch.setattr(module, "TRIES", tries)
    csr, draws = six_nodes(), 36_000
    pairs = sample_non_edges(csr, draws, 7)
    cells, seen = np.unique(pairs.T, axis=0, return_counts=True)
    free = free_pairs(csr, dense)
    assert np.array_equal(cells, free)
    expected = draws / len(free)
    assert ((seen - expected) ** 2 / expected).sum() < chi2.isf(1e-4, len(free) - 1)


def test_a_hub_is_drawn_less_often_than_a_leaf():
    u = sample_non_edges(six_nodes(), 20_000, 1)[0]
    assert (u == 0).sum() == 0
    assert abs((u == 3).mean() - 4 / 18) < 0.015


@pytest.mark.parametrize("n_edges", [0, 3, 40, 150, 189])
def test_no_draw_is_an_edge_or_a_loop(n_edges, random_graph, dense):
    csr = random_graph(20, n_edges)
    u, v = sample_non_edges(csr, 3000, 3)
    assert (u != v).all()
    assert (dense(csr)[u, v] == 0).all()
    assert np.array_equal(np.unique(u * 20 + v), np.unique(free_pairs(csr, dense) @ [20, 1]))


def test_the_only_free_pair_is_always_found():
    u, v = np.triu_indices(40, 1)
    keep = ~((u == 11) & (v == 30))
    pairs = sample_non_edges(symmetric_csr(u[keep], v[keep], 40), 200, 5)
    assert {tuple(pair) for pair in pairs.T.tolist()} == {(11, 30), (30, 11)}


@pytest.mark.parametrize("loops", [False, True])
def test_every_rank_names_another_free_pair(loops, random_csr, dense):
    csr = random_csr(9, 9, 45, seed=2)
    if not loops:
        rows, columns = np.nonzero(dense(csr) * (1 - np.eye(9)))
        csr = edges_to_csr(rows, columns, 9, 9)
    start = module._free_before(csr.indptr, csr.indices)
    pairs = [module._by_rank(csr.indptr, csr.indices, start, rank) for rank in range(start[-1])]
    assert pairs == [tuple(pair) for pair in free_pairs(csr, dense).tolist()]


@pytest.mark.parametrize("seed", range(3))
def test_count_is_the_dense_count(seed, random_csr, random_graph, dense):
    for csr in (random_csr(12, 12, 70, seed), random_graph(12, 20, seed)):
        assert count_non_edges(csr) == len(free_pairs(csr, dense))


def test_the_filter_changes_speed_only(monkeypatch, random_graph):
    csr = random_graph(60, 300)
    with_filter = sample_non_edges(csr, 2000, 9)
    monkeypatch.setattr(module, "_edge_filter", lambda csr, count: (np.full(1, ~np.uint64(0)), np.uint64(58)))
    assert np.array_equal(with_filter, sample_non_edges(csr, 2000, 9))


def test_a_slot_does_not_depend_on_the_count(random_graph):
    csr = random_graph(60, 300)
    assert np.array_equal(sample_non_edges(csr, 5000, 9)[:, :10], sample_non_edges(csr, 10, 9))


def test_keys_differ_and_large_keys_work(random_graph):
    csr = random_graph(60, 300)
    assert not np.array_equal(sample_non_edges(csr, 50, 1), sample_non_edges(csr, 50, 2))
    assert sample_non_edges(csr, 50, 2**64 - 1).shape == (2, 50)
    assert sample_non_edges(csr, 0, 1).shape == (2, 0)


@pytest.mark.parametrize("n_edges", [300, 1700])
def test_does_not_depend_on_the_threads(n_edges, random_graph, same_for_any_threads):
    csr = random_graph(60, n_edges)
    assert same_for_any_threads(lambda: sample_non_edges(csr, 5000, 4))
