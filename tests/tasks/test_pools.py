"""Deletion pools of the published graphs, counted exactly (acceptance check A8), and what they depend on."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.tasks.link import LinkPrediction
from graphforget.unlearning.sampling import sample_deletion

SEEDS = (42, 21, 13, 87, 100)

OUT = {
    ("dblp", "directed_compat"): (18706, 18231, 18241, 18320, 18173),
    ("dblp", "undirected"): (2497, 2374, 2331, 2393, 2351),
    ("pubmed", "directed_compat"): (12950, 13316, 13286, 13257, 13217),
    ("pubmed", "undirected"): (1341, 1116, 1248, 1279, 1263),
    ("coauthor-cs", "directed_compat"): (15443, 15333, 15138, 15495, 15178),
    ("coauthor-cs", "undirected"): (535, 569, 564, 577, 629),
    ("cora", "directed_compat"): (2651, 2524, 2646, 2458, 2628),
    ("cora", "undirected"): (548, 419, 533, 452, 536),
    ("cora-ml", "directed_compat"): (2136, 2281, 2041, 2301, 2166),
    ("cora-ml", "undirected"): (315, 235, 248, 258, 288),
    ("amazon-computers", "directed_compat"): (4766, 4792, 5163, 4717, 4639),
    ("amazon-computers", "undirected"): (103, 64, 108, 72, 88),
}
"""Edges outside the 2-hop neighbourhood of the test nodes, for the five seeds; the rest is inside."""

TRAIN = {
    "dblp": 47581,
    "pubmed": 39892,
    "coauthor-cs": 73706,
    "cora": 4752,
    "cora-ml": 7344,
    "amazon-computers": 221275,
}

DELETED = {
    "dblp": (237, 1189, 2379),
    "pubmed": (199, 997, 1994),
    "coauthor-cs": (368, 1842, 3685),
    "cora": (23, 118, 237),
}
"""Number of edges deleted at 0.5, 2.5 and 5 %."""


@pytest.fixture(scope="module")
def graphs(data_dir):
    """A public graph by name, loaded once; only edges matter, so the features are dropped to one column."""

    @cache
    def get(name: str) -> Graph:
        graph = load(name, data_dir=data_dir)
        return graph.with_features(np.ones((graph.n_nodes, 1), dtype=np.float32))

    return get


@pytest.mark.parametrize(("name", "hop"), OUT)
def test_pool_counts(graphs, name, hop):
    for seed, outside in zip(SEEDS, OUT[name, hop], strict=True):
        task = LinkPrediction(graphs(name), seed=seed, hop=hop)
        assert task.graph.n_edges == TRAIN[name]
        assert (len(task.pool("out")), len(task.pool("in"))) == (outside, TRAIN[name] - outside)


@pytest.mark.parametrize("name", DELETED)
def test_deletion_sizes(graphs, name):
    task = LinkPrediction(graphs(name), seed=42)
    assert task.hop == "directed_compat"
    sizes = tuple(len(sample_deletion(task, edges=share, where="in")) for share in (0.005, 0.025, 0.05))
    assert sizes == DELETED[name]


@pytest.mark.parametrize(
    ("name", "where", "share", "directed", "undirected", "edges"),
    [
        ("dblp", "in", 0.025, (4076, 5094), (8816, 12914), 22238),
        ("dblp", "in", 0.05, (5291, 6007), (10339, 13661), 25420),
        ("dblp", "out", 0.025, (5061, 6983), (9269, 13972), 26255),
        ("pubmed", "in", 0.025, (6151, 7994), (9665, 15808), 21228),
        ("coauthor-cs", "in", 0.025, (9094, 11234), (13008, 17080), 48157),
        ("cora", "in", 0.05, (897, 1019), (1493, 2139), 1766),
    ],
)
def test_sizes_of_the_affected_neighbourhood(graphs, name, where, share, directed, undirected, edges):
    """Within a few per cent of the published ranges (which are those of other random deletions)."""
    task = LinkPrediction(graphs(name), seed=42, hop="directed_compat")
    gone = task.resolve(sample_deletion(task, edges=share, where=where))
    true_ball = LinkPrediction(graphs(name), seed=42, hop="undirected")
    for hops in (1, 2):
        assert task.affected(gone, hops).sum() == pytest.approx(directed[hops - 1], rel=0.1)
        assert true_ball.affected(gone, hops).sum() == pytest.approx(undirected[hops - 1], rel=0.1)
    assert task.affected_edges(gone, 2).shape[1] == pytest.approx(edges, rel=0.12)


def test_the_compat_pool_depends_on_the_node_numbering_and_the_true_ball_does_not(graphs):
    """A10: file order 28,875 edges inside on DBLP, 33,686 to 34,249 after relabelling."""
    graph = graphs("dblp")
    inside = {"directed_compat": [], "undirected": []}
    for trial in range(3):
        number = np.random.default_rng(trial).permutation(graph.n_nodes)
        renamed = Graph.build(graph.n_nodes, number[graph.edges], graph.features, name="renamed", benchmark=True)
        for hop, found in inside.items():
            found.append(len(LinkPrediction(renamed, seed=42, hop=hop).pool("in")))
    assert all(33000 < count < 35000 for count in inside["directed_compat"])
    assert inside["undirected"] == pytest.approx([47581 - 2400] * 3, rel=0.01)


def test_a_pool_that_is_too_small_is_named(graphs):
    """With the true ball, 2,331 edges of DBLP are outside for seed 13, but 5 % are 2,379."""
    task = LinkPrediction(graphs("dblp"), seed=13, hop="undirected")
    with pytest.raises(DataError, match=r"'out' holds 2,331 edges, but 2,379 are wanted"):
        sample_deletion(task, edges=0.05, where="out")
    assert len(sample_deletion(task, edges=0.05, where="out", on_small_pool="cap")) == 2331


def test_the_anchor_may_be_the_validation_edges(graphs):
    pools = [LinkPrediction(graphs("cora"), seed=42, pool_anchor=anchor).pool("in") for anchor in ("test", "val")]
    assert len(pools[0]) == 4752 - 2651 and not np.array_equal(*pools)
