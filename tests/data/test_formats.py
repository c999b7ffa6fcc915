"""File formats: right answers by construction, and torch_geometric's own reader as the oracle."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget.data.formats.base import GraphFormat
from graphforget.data.formats.edge_list import EdgeList
from graphforget.data.formats.node_table import read_features, read_labels
from graphforget.data.formats.npz import NumpyArchive
from graphforget.data.formats.planetoid import Planetoid
from graphforget.data.formats.table import is_integer
from graphforget.data.graph import Graph
from graphforget.data.load import FORMATS, load


def write_npz(path, adjacency, **more):
    """Write an adjacency under the key names of the published files."""
    csr = sp.csr_array(adjacency)
    np.savez(path, adj_data=csr.data, adj_indices=csr.indices, adj_indptr=csr.indptr, adj_shape=csr.shape, **more)
    return path


def test_every_format_names_itself():
    assert FORMATS.names() == ["edge-list", "npz", "planetoid"]
    assert all(issubclass(cls, GraphFormat) and cls.__doc__ for cls in FORMATS.classes())


@pytest.mark.parametrize("protocol", [2, 4])
def test_planetoid_equals_torch_geometric_with_a_skipped_test_number(planetoid_files, protocol):
    from torch_geometric.io import read_planetoid_data

    files = planetoid_files(protocol=protocol)
    raw = Planetoid().read(files)
    graph = Graph.build(**vars(raw))
    oracle = read_planetoid_data(str(files[0].parent), "citeseer")
    assert raw.n_nodes == 514
    np.testing.assert_array_equal(raw.features.toarray(), oracle.x.numpy())
    np.testing.assert_array_equal(raw.labels, oracle.y.numpy())
    for key in ("train", "val", "test"):
        np.testing.assert_array_equal(raw.masks[key], oracle[f"{key}_mask"].numpy())
    directed = {tuple(pair) for pair in oracle.edge_index.t().tolist()}
    assert {tuple(pair) for pair in graph.edges.T.tolist()} == {p for p in directed if p[0] < p[1]}
    assert raw.features[[512]].nnz == 0
    assert "1 skipped test numbers" in raw.notes[0]


def test_npz_reads_both_matrices_and_drops_explicit_zeros(tmp_path):
    adjacency = sp.csr_array((np.array([1.0, 0.0, 2.0]), ([0, 0, 2], [1, 2, 1])), shape=(3, 3))
    x = sp.csr_array(np.array([[0, 2.5], [1, 0], [0, 0]]))
    path = write_npz(
        tmp_path / "g.npz",
        adjacency,
        attr_data=x.data,
        attr_indices=x.indices,
        attr_indptr=x.indptr,
        attr_shape=x.shape,
        labels=np.array([1, 0, 1], dtype=np.int8),
    )
    raw = NumpyArchive().read([path])
    assert raw.edges.tolist() == [[0, 2], [1, 1]]
    np.testing.assert_array_equal(raw.features.toarray(), x.toarray())
    assert raw.labels.tolist() == [1, 0, 1]


def test_npz_leaves_pickled_names_untouched(tmp_path):
    names = np.array(["a", None], dtype=object)
    path = write_npz(tmp_path / "g.npz", np.array([[0, 1], [1, 0]]), node_names=names)
    assert NumpyArchive().read([path]).n_nodes == 2


def test_npz_reads_dense_attributes(tmp_path):
    path = write_npz(tmp_path / "g.npz", np.eye(2), attr_matrix=np.array([[1.0, 2.0], [3.0, 4.0]]))
    assert load(path).features.tolist() == [[1, 2], [3, 4]]


EDGE_FILES = {
    "header.csv": "source,target\n5,7\n9,5\n",
    "named.csv": "weight,v,u\n0.5,7,5\n1,5,9\n",
    "plain.csv": "5,7\n9,5\n",
    "unnamed.csv": "left,right\n5,7\n9,5\n",
    "tabs.tsv": "src\tdst\n5\t7\n9\t5\n",
    "spaces.txt": "# a comment\n5   7\n\n9 5\n",
    "windows.csv": "\ufeffsource,target\r\n5,7\r\n9,5\r\n",
    "repeats.csv": "5,7\n7,5\n9,5\n9,9\n",
}


@pytest.mark.parametrize("name", EDGE_FILES)
def test_edge_lists_with_integer_ids(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(EDGE_FILES[name].encode())
    graph = load(path)
    assert graph.ids.tolist() == [5, 7, 9]
    assert graph.edges.tolist() == [[0, 0], [1, 2]]
    assert graph.name == path.stem


def test_repeats_and_self_loops_are_counted_in_the_notes(tmp_path):
    path = tmp_path / "repeats.csv"
    path.write_text("5,7\n7,5\n5,7\n9,5\n9,9\n")
    notes = " ".join(load(path).notes)
    assert "1 self-loop dropped" in notes and "1 repeated edge merged" in notes


def test_edge_list_with_text_ids(tmp_path):
    path = tmp_path / "people.csv"
    path.write_text('source,target\n"Smith, A",bob\nbob,007\n')
    graph = load(path)
    assert graph.ids.tolist() == ["007", "Smith, A", "bob"]
    assert graph.edges.tolist() == [[0, 1], [2, 2]]


def test_ids_from_zero_are_node_numbers(tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("0 2\n2 1\n")
    assert load(path).ids is None


def test_a_text_header_that_is_not_known_becomes_a_note(tmp_path):
    path = tmp_path / "g.csv"
    path.write_text("alice,bob\nbob,carl\n")
    graph = load(path)
    assert graph.n_edges == 2 and "first line was read as an edge" in graph.notes[1]


def test_missing_features_of_a_header_say_that_it_was_read_as_an_edge(tmp_path):
    (tmp_path / "g.csv").write_text("citing,cited\nann,bob\n")
    (tmp_path / "x.csv").write_text("id,a\nann,1\nbob,2\n")
    with pytest.raises(DataError, match=r"read as an edge \(citing, cited\); if that is the header, call the columns"):
        load(tmp_path / "g.csv", features=tmp_path / "x.csv")
    (tmp_path / "g.csv").write_text("source,target\nann,bob\nann,carl\n")
    with pytest.raises(DataError, match=r"no features for node 'carl'; every node of the graph needs a row\.$"):
        load(tmp_path / "g.csv", features=tmp_path / "x.csv")


@pytest.mark.parametrize(
    ("cell", "expected"),
    [("7", True), ("-3", True), ("0", True), ("007", False), ("1.0", False), ("", False), ("+1", False)]
    + [("9223372036854775807", True), ("9223372036854775808", False), ("-0", False), ("٣", False)],
)
def test_what_counts_as_an_integer(cell, expected):
    assert is_integer(cell) is expected


@pytest.fixture
def edges(tmp_path):
    """An edge list on the ids 5, 7, 9."""
    path = tmp_path / "edges.csv"
    path.write_text("source,target\n5,7\n9,5\n")
    return path


def test_features_by_id_are_joined_and_may_add_lonely_nodes(tmp_path, edges):
    table = tmp_path / "x.csv"
    table.write_text("f1,id,f2\n1,9,2\n3,5,4\n5,7,6\n7,8,8\n")
    graph = load(edges, features=table)
    assert graph.ids.tolist() == [5, 7, 8, 9]
    assert graph.features.tolist() == [[3, 4], [5, 6], [7, 8], [1, 2]]
    assert graph.degrees.tolist() == [2, 1, 0, 1]
    assert "1 node(s)" in graph.notes[1] and "have no edges" in graph.notes[1]


def test_features_by_row_number_stand_for_nodes_from_zero(tmp_path, edges):
    np.save(tmp_path / "x.npy", np.arange(20.0).reshape(10, 2) + 1)
    graph = load(edges, features=tmp_path / "x.npy")
    assert graph.n_nodes == 10 and graph.ids is None and "7 node(s) of" in graph.notes[-1]
    assert graph.edges.tolist() == [[5, 5], [7, 9]]


def test_features_and_labels_as_pandas_writes_them(tmp_path, edges):
    """`DataFrame.to_csv` of columns without names puts 0, 1, ... above them, and nothing above the index."""
    pd.DataFrame([[1, 2], [3, 4], [5, 6]], index=[9, 5, 7]).to_csv(tmp_path / "x.csv")
    pd.Series(["b", "a", "b"], index=[9, 5, 7]).to_csv(tmp_path / "y.csv")
    graph = load(edges, features=tmp_path / "x.csv", labels=tmp_path / "y.csv")
    assert graph.features.tolist() == [[3, 4], [5, 6], [1, 2]] and graph.labels.tolist() == [0, 1, 1]


@pytest.mark.parametrize(("what", "header"), [("labels", "paper,topic"), ("features", "paper,1")])
def test_a_foreign_header_does_not_become_a_node(tmp_path, what, header):
    (tmp_path / "e.csv").write_text("source,target\nann,bob\n")
    (tmp_path / "t.csv").write_text(f"{header}\nann,0\nbob,1\n")
    with pytest.raises(DataError, match="line 1: 'paper' is a header or a node without edges.*first column 'id'"):
        load(tmp_path / "e.csv", **{what: tmp_path / "t.csv"})
    (tmp_path / "t.csv").write_text("ann,0\nbob,1\npaper,1\n")
    assert load(tmp_path / "e.csv", **{what: tmp_path / "t.csv"}).n_nodes == 3
    (tmp_path / "e.csv").write_text("source,target\n4,5\n")
    (tmp_path / "t.csv").write_text("3,0\n4,0\n5,1\n")
    assert load(tmp_path / "e.csv", **{what: tmp_path / "t.csv"}).n_nodes == 3


def test_features_from_scipy_and_numpy_archives(tmp_path):
    x = sp.csr_array(np.array([[0, 1.5, 0], [2, 0, 0]]))
    sp.save_npz(tmp_path / "sparse.npz", x)
    np.savez(tmp_path / "dense.npz", x=x.toarray())
    for name in ("sparse.npz", "dense.npz"):
        values = read_features(tmp_path / name).values
        values = values.toarray() if sp.issparse(values) else values
        np.testing.assert_array_equal(values, x.toarray())


def test_labels_by_id_with_names_and_unknown_ones(tmp_path, edges):
    table = tmp_path / "y.csv"
    table.write_text("id,label\n9,theory\n5,methods\n7,\n")
    graph = load(edges, labels=table)
    assert graph.labels.tolist() == [0, -1, 1]
    assert graph.class_names == ("methods", "theory")


def test_a_missing_label_is_unknown_and_noted(tmp_path, edges):
    table = tmp_path / "y.csv"
    table.write_text("id,label\n9,1\n5,0\n")
    graph = load(edges, labels=table)
    assert graph.labels.tolist() == [0, -1, 1]
    assert any("1 node(s) have no label" in note for note in graph.notes)


def test_integer_labels_with_gaps_become_names(tmp_path):
    table = tmp_path / "y.csv"
    table.write_text("id,label\n0,2020\n1,2003\n2,-1\n")
    found = read_labels(table)
    assert found.values.tolist() == [1, 0, -1] and found.class_names == ("2003", "2020")


def test_features_and_labels_given_as_arrays(edges):
    graph = load(edges, features=np.ones((10, 2)), labels=np.arange(10) % 2)
    assert graph.n_nodes == 10 and graph.n_classes == 2


def test_reading_an_edge_list_by_its_class(edges):
    raw = EdgeList().read([edges])
    assert raw.n_nodes == 3 and raw.edges.tolist() == [[0, 2], [1, 0]]
