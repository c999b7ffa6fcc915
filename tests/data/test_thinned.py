"""A graph without some edges: nothing is copied before it is read, and then it is the graph built without them."""

from __future__ import annotations

import copy
import pickle
from dataclasses import replace

import numpy as np
import pytest

from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.data.thinned import Thinned


@pytest.fixture(scope="module")
def whole() -> Graph:
    return load("sample-citations")


@pytest.fixture(params=[0, 1, 7, 200])
def gone(request, whole) -> np.ndarray:
    drawn = np.random.default_rng(request.param).choice(whole.n_edges, request.param, replace=False)
    return whole.edges[:, drawn]


@pytest.fixture
def wanted(whole, gone) -> Graph:
    kept = np.setdiff1d(np.arange(whole.n_edges), [whole.edges.T.tolist().index(edge) for edge in gone.T.tolist()])
    return Graph.build(whole.n_nodes, whole.edges[:, kept], whole.features, whole.labels)


def same_csr(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(one, other, strict=True))


def test_it_is_the_graph_built_without_the_edges(whole, gone, wanted):
    found = whole.without_edges(gone)
    assert found.n_edges == wanted.n_edges and np.array_equal(found.edges, wanted.edges)
    assert same_csr(found.csr, wanted.csr) and same_csr(found.normalised.csr, wanted.normalised.csr)
    assert np.array_equal(found.degrees, wanted.degrees)
    assert replace(found, ids=None).digest == replace(wanted, name="another").digest


def test_some_of_its_nodes_are_read_without_the_rest(whole, gone, wanted):
    nodes = np.unique(np.concatenate([gone[:, :3].ravel(), np.arange(0, whole.n_nodes, 5)]))
    found = whole.without_edges(gone)
    csr, degrees = found.induced(nodes)
    assert not {"csr", "degrees"} & found._memo.keys() and "edges" not in found.__dict__
    there = wanted.induced(nodes)
    assert same_csr(csr, there[0]) and np.array_equal(degrees, there[1])
    assert np.isin(wanted.around(nodes[:3], 2), found.around(nodes[:3], 2)).all()
    assert same_csr(found.csr, wanted.csr) and same_csr(found.induced(nodes)[0], there[0])


def test_no_nodes_have_no_edges(whole, gone):
    csr, degrees = whole.without_edges(gone).induced(np.empty(0, np.int64))
    assert (csr.n_rows, csr.nnz, csr.n_cols, len(degrees)) == (0, 0, 0, 0)


def test_nodes_whose_row_changed_are_next_to_what_is_missing(whole, gone, wanted):
    before, after = (graph.normalised.csr for graph in (whole, wanted))
    rows = [
        [csr.indices[csr.indptr[row] : csr.indptr[row + 1]], csr.values[csr.indptr[row] : csr.indptr[row + 1]]]
        for csr in (before, after)
        for row in range(whole.n_nodes)
    ]
    pairs = zip(rows[: whole.n_nodes], rows[whole.n_nodes :], strict=True)
    changed = [row for row, (old, new) in enumerate(pairs) if not all(map(np.array_equal, old, new))]
    assert np.array_equal(whole.without_edges(gone).next_to_dropped(), changed)


def test_what_is_derived_from_it_has_edges_of_its_own(whole, gone, wanted):
    found = replace(whole.without_edges(gone), name="derived")
    assert isinstance(found, Thinned) and found.whole is None
    assert found.n_edges == wanted.n_edges and same_csr(found.csr, wanted.csr)
    again = found.without_edges(found.edges[:, :2])
    assert again.n_edges == wanted.n_edges - 2 and np.array_equal(again.edges, wanted.edges[:, 2:])


def test_what_is_missing_does_not_travel_along(whole):
    found = whole.without_edges(whole.edges[:, [3, 40]])
    for twin in (copy.deepcopy(found), pickle.loads(pickle.dumps(found))):
        assert type(twin) is Graph and twin.digest == found.digest
        assert vars(twin).keys() == vars(whole).keys() and not np.array_equal(twin.edges, whole.edges)


def test_edges_go_one_deletion_after_the_other(whole):
    once = whole.without_edges(whole.edges[:, [3, 40]])
    twice = once.without_edges(whole.edges[:, [5, 41]])
    wanted = Graph.build(whole.n_nodes, np.delete(whole.edges, [3, 5, 40, 41], axis=1))
    assert np.array_equal(twice.edges, wanted.edges) and same_csr(twice.csr, wanted.csr)
    nodes = np.unique(whole.edges[:, [5, 41]])
    assert same_csr(twice.induced(nodes)[0], wanted.induced(nodes)[0])
