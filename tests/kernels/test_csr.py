import numpy as np
import pytest
import scipy.sparse as sp
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch_geometric.nn.conv.gcn_conv import gcn_norm

from graphforget.kernels.csr import (
    edges_to_csr,
    gcn_normalise,
    group,
    mean_normalise,
    row_ids,
    symmetric_csr,
    transpose_csr,
    transpose_order,
    with_self_loops,
)

pairs = st.lists(st.tuples(st.integers(0, 6), st.integers(0, 4)), max_size=40)


def as_arrays(cells):
    array = np.array(cells, np.int64).reshape(-1, 2)
    return array[:, 0], array[:, 1]


def test_path_of_four_nodes():
    csr = symmetric_csr(np.array([2, 0, 1]), np.array([3, 1, 2]), 4)
    assert csr.indptr.tolist() == [0, 1, 3, 5, 6]
    assert csr.indices.tolist() == [1, 0, 2, 1, 3, 2]
    assert (csr.indptr.dtype, csr.indices.dtype, csr.values.dtype) == (np.int64, np.int32, np.float32)
    assert (csr.n_rows, csr.n_cols, csr.nnz) == (4, 4, 6)


def test_group_is_stable():
    indptr, order = group(np.array([2, 0, 2, 0, 3]), 4)
    assert indptr.tolist() == [0, 2, 2, 4, 5]
    assert order.tolist() == [1, 3, 0, 2, 4]


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_round_trip_keeps_every_entry(cells):
    u, v = as_arrays(cells)
    values = np.arange(1, len(u) + 1, dtype=np.float32)
    csr = edges_to_csr(u, v, 7, 5, values)
    back = sorted(zip(row_ids(csr).tolist(), csr.indices.tolist(), csr.values.tolist(), strict=True))
    assert back == sorted(zip(u.tolist(), v.tolist(), values.tolist(), strict=True))
    for i in range(7):
        assert (np.diff(csr.indices[csr.indptr[i] : csr.indptr[i + 1]]) >= 0).all()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 6), st.integers(0, 6)).filter(lambda e: e[0] != e[1]), max_size=40))
def test_sorted_and_unsorted_edges_give_the_same_adjacency(edges):
    """Canonical edges take the pass without sorting: the same bytes as sorting both directions, repeats included."""
    canonical = sorted((min(edge), max(edge)) for edge in edges)
    u, v = as_arrays(canonical)
    wanted = edges_to_csr(np.concatenate((u, v)), np.concatenate((v, u)), 7, 7)
    for order in (canonical, canonical[::-1], edges):
        ours = symmetric_csr(*as_arrays(order), 7)
        assert all(np.array_equal(a, b) for a, b in zip(ours, wanted, strict=True))
        assert [part.dtype for part in ours[:3]] == [part.dtype for part in wanted[:3]]


@settings(max_examples=60, deadline=None)
@given(pairs)
def test_transposing_twice_returns_the_matrix(cells):
    csr = edges_to_csr(*as_arrays(cells), 7, 5, np.arange(len(cells), dtype=np.float32))
    twice = transpose_csr(transpose_csr(csr))
    assert all(np.array_equal(a, b) for a, b in zip(csr, twice, strict=True))


@settings(max_examples=40, deadline=None)
@given(pairs)
def test_equal_pairs_stay_separate_and_in_order(cells):
    u, v = as_arrays(cells)
    csr = edges_to_csr(u, v, 7, 5, np.arange(len(u), dtype=np.float32))
    order = np.lexsort((np.arange(len(u)), v, u))
    assert csr.values.tolist() == order.tolist()


def test_transpose_agrees_with_scipy(random_csr):
    csr = random_csr(30, 17, 120)
    ours = transpose_csr(csr)
    theirs = sp.csr_matrix(csr[2:0:-1] + (csr.indptr,), shape=(30, 17)).T.tocsr()
    theirs.sort_indices()
    assert np.array_equal(ours.indptr, theirs.indptr)
    assert np.array_equal(ours.indices, theirs.indices)
    assert np.array_equal(ours.values, theirs.data)


def test_transpose_order_lists_entries_by_column(random_csr):
    csr = random_csr(9, 6, 25)
    indptr, order = transpose_order(csr)
    assert np.array_equal(csr.indices[order], np.repeat(np.arange(6), np.diff(indptr)))
    assert np.array_equal(np.sort(order), np.arange(25))


def test_self_loops_stand_in_their_sorted_place_and_existing_ones_stay():
    csr = edges_to_csr(np.array([0, 1, 1, 2]), np.array([2, 0, 1, 0]), 4, 4, np.array([5, 6, 7, 8], np.float32))
    looped = with_self_loops(csr)
    assert looped.indptr.tolist() == [0, 2, 4, 6, 7]
    assert looped.indices.tolist() == [0, 2, 0, 1, 0, 2, 3]
    assert looped.values.tolist() == [1, 5, 6, 7, 8, 1, 1]


@pytest.mark.parametrize("symmetric", [True, False])
def test_gcn_normalise_agrees_with_pyg(symmetric, random_csr, random_graph, dense):
    csr = random_graph(25, 40) if symmetric else random_csr(25, 25, 60)
    csr = csr._replace(values=np.abs(csr.values))
    edges = torch.from_numpy(np.stack((csr.indices.astype(np.int64), row_ids(csr))))
    index, weight = gcn_norm(edges, torch.from_numpy(csr.values), 25)
    theirs = np.zeros((25, 25))
    np.add.at(theirs, (index[1].numpy(), index[0].numpy()), weight.numpy())
    np.testing.assert_allclose(dense(gcn_normalise(csr)), theirs, atol=1e-6)


def test_gcn_normalise_of_a_pair_and_a_lone_node(dense):
    ours = dense(gcn_normalise(symmetric_csr(np.array([0]), np.array([1]), 3)))
    np.testing.assert_allclose(ours, [[0.5, 0.5, 0], [0.5, 0.5, 0], [0, 0, 1]], atol=1e-7)


def test_mean_normalise_averages_and_leaves_empty_rows_empty(dense):
    csr = edges_to_csr(np.array([0, 0, 2]), np.array([1, 2, 0]), 4, 3)
    assert dense(mean_normalise(csr)).tolist() == [[0, 0.5, 0.5], [0, 0, 0], [1, 0, 0], [0, 0, 0]]


def test_a_part_is_normalised_by_the_degrees_of_the_whole(random_graph, dense):
    """Of nodes 0 to 11 among themselves, the entries are those that they have in the whole graph's matrix."""
    csr = random_graph(20, 70)
    whole, degrees = dense(gcn_normalise(csr)), np.diff(csr.indptr)
    rows, columns = np.nonzero(dense(csr)[:12, :12])
    part = edges_to_csr(rows, columns, 12, 12)
    np.testing.assert_allclose(dense(gcn_normalise(part, degrees[:12])), whole[:12, :12], rtol=1e-6)
    assert not np.allclose(dense(gcn_normalise(part)), whole[:12, :12])
