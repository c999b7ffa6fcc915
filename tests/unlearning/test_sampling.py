"""Random deletions: counts, pools, errors."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget.data.load import load
from graphforget.data.splits import whole_share
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.unlearning.sampling import sample_deletion
from graphforget.unlearning.sampling_recommend import count_of


@pytest.fixture(scope="module")
def link(random_attributed_graph):
    """A link task with 230 training edges, sparse enough that some are outside the test neighbourhood."""
    return LinkPrediction(random_attributed_graph(n=200, n_edges=255), seed=3)


@pytest.fixture(scope="module")
def node(random_attributed_graph):
    """A node task."""
    return NodeClassification(random_attributed_graph(), seed=3)


def positions(task, deletion) -> list[int]:
    """Return the positions of the deleted edges among the training edges."""
    edges = list(map(tuple, task.graph.edges.T.tolist()))
    return [edges.index((min(pair), max(pair))) for pair in deletion.edges]


@pytest.mark.parametrize("where", ["in", "out", "any"])
def test_the_first_of_a_permutation_of_the_pool(link, where):
    pool = link.pool(where)
    order = torch.randperm(len(pool), generator=torch.Generator().manual_seed(9)).numpy()
    found = positions(link, sample_deletion(link, edges=12, where=where, seed=9))
    assert sorted(found) == sorted(pool[order[:12]].tolist())


def test_a_share_is_of_all_training_edges_rounded_down(link):
    assert link.graph.n_edges == 231
    assert len(sample_deletion(link, edges=0.05, where="in")) == 11
    assert len(sample_deletion(link, edges=0.99)) == 228
    assert len(sample_deletion(link, edges=2)) == 2


@pytest.mark.parametrize(("share", "total", "count"), [(0.29, 200, 58), (0.29, 100, 29), (0.57, 100, 57), (0.1, 9, 0)])
def test_a_share_that_is_a_whole_number_is_that_number(share, total, count):
    """In floats 0.29 * 200 is 57.99999999999999."""
    if count:
        assert count_of("me", share, total, "users") == count
    assert whole_share(np.array([total]), share).tolist() == [count]


def test_pools_share_no_edge_and_cover_all(link):
    inside, outside = link.pool("in"), link.pool("out")
    assert len(inside) and len(outside)
    assert sorted(np.concatenate([inside, outside]).tolist()) == link.pool("any").tolist() == list(range(231))


def test_nodes_come_from_the_training_nodes(node):
    chosen = sample_deletion(node, nodes=20).nodes
    assert set(chosen) <= set(node.train_nodes.tolist())
    assert len(sample_deletion(node, features=0.5).features) == len(node.train_nodes) // 2
    everywhere = sample_deletion(node, nodes=39, pool="all").nodes
    assert len(set(everywhere)) == 39


def test_the_seed_decides(link):
    assert sample_deletion(link, edges=5) == sample_deletion(link, edges=5, seed=3)
    assert sample_deletion(link, edges=5) != sample_deletion(link, edges=5, seed=4)


def test_small_pools(link):
    size = len(link.pool("out"))
    with pytest.raises(DataError, match=f"'out' holds {size} edges, but {size + 1} are wanted.*on_small_pool='cap'"):
        sample_deletion(link, edges=size + 1, where="out")
    assert len(sample_deletion(link, edges=size + 1, where="out", on_small_pool="cap")) == size


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({}, "exactly one of edges, nodes, features; got none"),
        ({"edges": 3, "nodes": 2}, "got edges, nodes"),
        ({"edges": 0}, "none at all"),
        ({"edges": 0.0001}, "none at all"),
        ({"edges": 1.5}, "above 0 and below 1"),
        ({"edges": True}, "a share .float. or a count .int."),
        ({"edges": 3, "where": "near"}, "'where' must be in, out or any"),
        ({"edges": 3, "sampling": "core"}, "'sampling' is core, but has no effect on edges"),
        ({"edges": 3, "pool": "all"}, "'pool' is all, but has no effect on edges"),
        ({"nodes": 3, "where": "in"}, "'where' is in, but has no effect on nodes"),
    ],
)
def test_a_wrong_argument_is_a_sentence(link, arguments, words):
    with pytest.raises(UsageError, match=words):
        sample_deletion(link, **arguments)


def test_node_tasks_have_no_edge_pools(node):
    with pytest.raises(UsageError, match="only link tasks"):
        sample_deletion(node, edges=3, where="in")
    assert len(sample_deletion(node, edges=3)) == 3


def test_the_pool_of_all_nodes_reaches_nodes_that_were_never_trained_on():
    task = NodeClassification(load("sample-citations"), seed=3)
    drawn = {int(node) for node in sample_deletion(task, nodes=100, pool="all").nodes}
    trained = drawn & set(task.train_nodes.tolist())
    assert 60 <= len(trained) < 100


@pytest.mark.parametrize(("kind", "pool"), [("nodes", "train"), ("nodes", "all"), ("features", "train")])
@pytest.mark.parametrize("make", [LinkPrediction, NodeClassification])
def test_a_second_deletion_draws_nothing_that_is_forgotten_already(make, kind, pool):
    task = make(load("sample-citations"), seed=3)
    size = len(task.train_nodes) if make is NodeClassification and pool == "train" else task.graph.n_nodes
    for share in (0.1, 0.2, 0.1):
        deletion = sample_deletion(task, **{kind: share}, pool=pool)
        assert len(getattr(deletion, kind)) == int(share * size), "a share is a share of what is left"
        task = task.without(task.resolve(deletion))
        size -= int(share * size)
    with pytest.raises(DataError, match=f"holds {size:,} {kind}, but {size + 1:,} are wanted"):
        sample_deletion(task, **{kind: size + 1}, pool=pool)
    if kind == "nodes":
        assert len(sample_deletion(task, features=size, pool=pool).features) == size
