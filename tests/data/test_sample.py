"""The sample graph: the file is what its generator says, and there is something in it to learn."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from sklearn.metrics import roc_auc_score

from graphforget._core.streams import Streams
from graphforget.data.load import load

ROOT = Path(__file__).resolve().parents[2]
FILE = ROOT / "datasets" / "sample" / "citations.npz"


def test_the_file_is_what_the_generator_writes(generator):
    with np.load(FILE, allow_pickle=False) as stored:
        made = generator.sample()
        assert set(stored.files) == set(made)
        for key in stored.files:
            np.testing.assert_array_equal(stored[key], made[key])


def test_it_is_small():
    assert FILE.stat().st_size < 100_000


def test_its_structure_is_that_of_citations():
    graph = load("sample-citations")
    same = graph.labels[graph.edges[0]] == graph.labels[graph.edges[1]]
    assert 0.85 < same.mean() < 0.95
    assert graph.degrees.min() >= 1 and graph.degrees.max() > 40
    assert np.bincount(graph.labels).min() > 50


def test_two_smoothings_of_the_features_tell_edges_from_pairs():
    """What a GCN can use, without training one: smoothed features of other edges score a held-out edge."""
    graph = load("sample-citations")
    held = Streams(0)("held-out").numpy().permutation(graph.n_edges)[:240]
    rest = graph.without(edges=held)
    degree = np.maximum(rest.degrees, 1)
    h = graph.features.toarray()
    for _ in range(2):
        h = h + _sums(rest, h) / degree[:, None]
    h /= np.linalg.norm(h, axis=1, keepdims=True)
    pairs = Streams(0)("pairs").integers(graph.n_nodes, 480).reshape(2, 240)
    scores = [(h[u] * h[v]).sum(axis=1) for u, v in (graph.edges[:, held], pairs)]
    assert roc_auc_score(np.repeat([1, 0], 240), np.concatenate(scores)) > 0.8


def _sums(graph, h):
    """Return the sum over the neighbours of each node."""
    sums = np.zeros_like(h)
    np.add.at(sums, graph.edges[0], h[graph.edges[1]])
    np.add.at(sums, graph.edges[1], h[graph.edges[0]])
    return sums
