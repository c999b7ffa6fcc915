"""Named data sets: the published counts, torch_geometric as the oracle, and where files are looked for."""

from __future__ import annotations

import shutil

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.cards import cards
from graphforget.data.load import load

NAMED = sorted(name for name, card in cards().items() if card.kind == "graph" and not card.bundled)


@pytest.mark.parametrize("name", NAMED)
def test_published_counts(data_dir, name):
    card = cards()[name]
    if not (data_dir / card.files[0].path).exists():
        pytest.skip(f"{name} is not in the data folder")
    graph = load(name, data_dir=data_dir)
    found = (graph.n_nodes, 2 * graph.n_edges, graph.n_features, graph.n_classes)
    assert found == tuple(card.expected.model_dump().values())
    assert graph.benchmark and graph.name == name
    assert (graph.edges[0] < graph.edges[1]).all()


@pytest.mark.parametrize(("name", "split"), [("cora", (140, 500, 1000)), ("pubmed", (60, 500, 1000))])
def test_public_split(data_dir, name, split):
    masks = load(name, data_dir=data_dir).masks
    assert tuple(int(masks[key].sum()) for key in ("train", "val", "test")) == split
    assert not (masks["train"] & masks["val"] | masks["val"] & masks["test"]).any()


@pytest.mark.parametrize("name", ["cora", "cora-ml"])
def test_equals_torch_geometric(data_dir, tmp_path, name):
    from torch_geometric.datasets import CitationFull, Planetoid

    folder, kind, key = {
        "cora": ("planetoid/Cora", Planetoid, "Cora"),
        "cora-ml": ("citation_full/cora_ml", CitationFull, "Cora_ML"),
    }[name]
    copy = tmp_path / folder.split("/")[1]
    shutil.copytree(data_dir / folder / "raw", copy / "raw")
    oracle = kind(str(tmp_path), key)[0]
    graph = load(name, data_dir=data_dir)
    u, v = oracle.edge_index.numpy()
    pairs = np.stack([u, v])[:, u < v]
    np.testing.assert_array_equal(graph.edges, pairs[:, np.lexsort((pairs[1], pairs[0]))])
    np.testing.assert_array_equal(graph.features.toarray(), oracle.x.numpy())
    np.testing.assert_array_equal(graph.labels, oracle.y.numpy())
    for key in graph.masks:
        np.testing.assert_array_equal(graph.masks[key], oracle[f"{key}_mask"].numpy())


def test_the_sample_needs_no_folder_and_no_network(monkeypatch):
    monkeypatch.setenv("GRAPHFORGET_DATA", "/nowhere")
    graph = load("sample-citations")
    assert (graph.n_nodes, graph.n_edges, graph.n_features, graph.n_classes) == (800, 2400, 200, 5)
    assert load("sample").digest == graph.digest


def test_the_folder_of_the_environment_is_used(monkeypatch, tmp_path):
    monkeypatch.setenv("GRAPHFORGET_DATA", str(tmp_path))
    with pytest.raises(DataError, match="GRAPHFORGET_DATA"):
        load("cora")


@pytest.mark.parametrize("name", ["Sample-Citations", "sample_citations", " sample "])
def test_names_forgive_case_and_underscores(name):
    assert load(name).name == "sample-citations"


def test_a_file_or_folder_called_like_a_set_does_not_hide_it(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "sample-citations").mkdir()
    (tmp_path / "sample").write_text("0,1")
    assert load("sample-citations").digest == load("sample").digest


def test_own_features_replace_those_of_a_card():
    graph = load("sample-citations", features=np.ones((800, 3)))
    assert graph.n_features == 3 and not graph.benchmark


def test_values_above_zero_become_one_only_for_named_sets(tmp_path):
    path = tmp_path / "own.npz"
    np.savez(
        path,
        adj_data=[1.0],
        adj_indices=[1],
        adj_indptr=[0, 1, 1],
        adj_shape=[2, 2],
        attr_matrix=[[0.5, 3.0], [2.0, 1.0]],
    )
    assert load(path).features.tolist() == [[0.5, 3.0], [2.0, 1.0]]


def test_an_unknown_name_suggests_the_nearest():
    with pytest.raises(UsageError, match="Did you mean 'pubmed'"):
        load("pubmd")
