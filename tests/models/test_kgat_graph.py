"""The relation graph of KGAT, its attention, and the batches and the loss of its TransR phase."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
import torch

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.models.kgat import KGAT
from graphforget.models.kgat_attention import segment_softmax
from graphforget.models.kgat_graph import (
    FactBatch,
    RelationGraph,
    count_batches,
    count_heads,
    count_matrices,
    fact_batches,
    forward_of,
    inverse_of,
    inverse_of_interact,
)


def made(data, **arguments) -> KGAT:
    """Return a KGAT for the data."""
    return KGAT(**{"dim": 5, "kg_dim": 4, "layers": "4,3", **arguments}).initialised_for(data, Streams(3))


def test_the_relation_ids_of_two_raw_relations():
    """interact 0, its inverse R + 1 = 3; r forward r + 1: 1, 2; r inverse r + 2 + R: 4, 5. Contiguous, 2 (R + 1)."""
    assert inverse_of_interact(2) == 3
    assert [forward_of(r) for r in (0, 1)] == [1, 2] and [inverse_of(r, 2) for r in (0, 1)] == [4, 5]
    data = Interactions.build(2, 1, [[1], [0]], triples=TripleGraph.build(2, 2, [[0, 0], [0, 1], [1, 0]]))
    graph = RelationGraph.of(data)
    assert count_matrices(data) == graph.n_relations == 6
    found = list(zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist(), strict=True))
    assert found == [(1, 0, 2), (2, 3, 1), (2, 2, 2), (2, 5, 2), (2, 1, 3), (3, 4, 2)]


def test_a_row_sums_to_the_number_of_relations_that_leave_its_node(shop, dense):
    graph = RelationGraph.of(shop)
    types = Counter(head for head, _ in set(zip(graph.heads.tolist(), graph.relations.tolist(), strict=True)))
    sums = dense(graph.static.csr).sum(1)
    np.testing.assert_allclose(sums, [types[node] for node in range(16)], rtol=1e-6)
    assert graph.static.csr.nnz == len(graph) == 2 * (13 + 10)


def test_every_relation_matrix_is_row_normalised(shop, dense):
    graph = RelationGraph.of(shop)
    for relation in range(8):
        chosen = np.where(graph.relations == relation, graph.static.csr.values, 0)
        sums = dense(graph.matrix(chosen).csr).sum(1)
        assert set(np.round(sums, 5)) <= {0.0, 1.0}


def test_the_graph_belongs_to_the_data_value(shop):
    assert RelationGraph.of(shop) is RelationGraph.of(shop)
    retained = RelationGraph.of(shop.without(users=np.array([2]), triples=np.array([0])))
    assert len(retained) == len(RelationGraph.of(shop)) - 2 * 3 - 2 and retained.n_nodes == 16


def test_segment_softmax_keeps_equal_pairs_apart():
    """Two entries of one pair with scores 1 and 2 beside one of 0: e + e^2 of the share, not e^3."""
    indptr, scores = np.array([0, 3, 3, 5]), np.array([1.0, 2.0, 0.0, 300.0, 301.0])
    found = segment_softmax(indptr, scores)
    first = np.exp([1.0, 2.0, 0.0])
    np.testing.assert_allclose(found[:3], first / first.sum(), rtol=1e-14)
    np.testing.assert_allclose(found[3:], [1 / (1 + np.e), np.e / (1 + np.e)], rtol=1e-14)
    added_before = np.exp([3.0, 0.0])
    assert abs(found[:2].sum() - (added_before / added_before.sum())[0]) > 0.03


def test_segment_softmax_of_nothing_and_of_large_scores():
    assert segment_softmax(np.zeros(4, np.int64), np.empty(0, np.float32)).shape == (0,)
    found = segment_softmax(np.array([0, 0, 2, 2]), np.array([-1e30, 1e30], np.float32))
    assert found.tolist() == [0.0, 1.0]


def test_the_numbers_of_the_released_code():
    """Batches of an epoch, and heads of a batch, as its logs of last-fm (batch 10,240) and amazon-book (1,024) show."""
    assert count_batches(3_507_140, 2048) == 1713 and count_batches(6_420_520, 2048) == 3136
    assert count_heads(464_567, 1_289_003, 10_240) == 3716 and count_heads(2_557_746, 652_514, 1024) == 4015
    assert 3_507_140 == 2 * (464_567 + 1_289_003) and 6_420_520 == 2 * (2_557_746 + 652_514)


def test_the_heads_of_a_batch(shop):
    assert made(shop).heads_per_batch(shop) == 10 and made(shop, kg_heads=3).heads_per_batch(shop) == 3
    plain = Interactions.build(7, 6, shop.pairs("train"))
    assert made(plain, kg_batch=77).heads_per_batch(plain) == 77


def test_batches_hold_true_triples_with_false_tails(market):
    graph = RelationGraph.of(market)
    true = set(zip(graph.heads.tolist(), graph.relations.tolist(), graph.tails.tolist(), strict=True))
    batches = fact_batches(graph, 40, 7, 1, 2)
    assert len(batches) == 7
    for batch in batches:
        heads, tails, false = batch.nodes
        assert len(set(heads.tolist())) == 40 and (np.diff(batch.relations) >= 0).all()
        assert set(zip(heads.tolist(), batch.relations.tolist(), tails.tolist(), strict=True)) <= true
        assert not set(zip(heads.tolist(), batch.relations.tolist(), false.tolist(), strict=True)) & true


def test_heads_triples_and_false_tails_are_uniform(shop):
    """Over 4,000 batches of 5: heads over the 15 nodes with a triple, triples of a head, and all tails that are false.

    Node 13 (entity 6) is the tail of (7, 1): the pair has one tail, so 15 nodes are false, users among them.
    """
    graph = RelationGraph.of(shop)
    nodes, relations = zip(*((b.nodes, b.relations) for b in fact_batches(graph, 5, 4000, 3, 4)), strict=True)
    heads, tails, false = np.concatenate(nodes, axis=1)
    relations = np.concatenate(relations)
    counts = np.bincount(heads, minlength=16)
    assert np.flatnonzero(counts == 0).tolist() == [6]
    assert np.abs(counts[counts > 0] / 20_000 * 15 - 1).max() < 0.12
    at = heads == 0
    assert np.abs(np.bincount(tails[at], minlength=10)[7:10] / at.sum() * 3 - 1).max() < 0.12
    at = (heads == 7) & (relations == 1)
    shares = np.bincount(false[at], minlength=16) / at.sum()
    assert shares[13] == 0 and np.abs(np.delete(shares, 13) * 15 - 1).max() < 0.6


def test_more_heads_than_nodes_are_drawn_with_replacement(shop):
    (batch,) = fact_batches(RelationGraph.of(shop), 100, 1, 1, 2)
    assert batch.nodes.shape == (3, 100)


def test_batches_do_not_depend_on_the_number_of_threads(market, with_threads):
    def draw() -> bytes:
        batches = fact_batches(RelationGraph.of(market), 40, 300, 1, 2)
        return b"".join(batch.nodes.tobytes() + batch.relations.tobytes() for batch in batches)

    assert with_threads(1, draw) == with_threads(2, draw)


def test_the_transr_loss_and_its_gradient(shop, values):
    """softplus(g(h, r, t) - g(h, r, t')) + weight / 2 of the squares of h W, r, t W, t' W over the configured batch."""
    model = made(shop, kg_reg=0.1, kg_batch=64)
    nodes = np.array([[0, 0, 9, 13, 2], [7, 8, 13, 9, 9], [11, 3, 2, 4, 9]])
    relations = np.array([0, 0, 1, 5, 6])
    loss = model.kg_loss(FactBatch(nodes, relations))
    loss.backward()
    own = {key: torch.from_numpy(value).requires_grad_() for key, value in values(model).items()}
    total = squares = 0
    for (h, t, f), r in zip(nodes.T, relations, strict=True):
        w, rel = own["transforms"][r], own["relations"][r]
        head, tail, false = (own["nodes"][n] @ w for n in (h, t, f))
        near, far = ((head + rel - end).square().sum() for end in (tail, false))
        total = total + torch.nn.functional.softplus(near - far) / 5
        squares = squares + sum(part.square().sum() for part in (head, rel, tail, false))
    wanted = total + 0.1 * 0.5 * squares / 64
    wanted.backward()
    assert float(loss.detach()) == pytest.approx(float(wanted.detach()), rel=1e-5)
    for key in ("nodes", "relations", "transforms"):
        torch.testing.assert_close(getattr(model, key).grad.double(), own[key].grad, rtol=1e-4, atol=1e-6)
    assert all(weight.grad is None for weight in model.weights)


def test_the_steps_of_an_epoch(shop):
    """46 triples: 46 // 16 + 1 batches; the same epoch gives the same batches, another one others."""
    steps = made(shop, kg_batch=16).side_phases(shop, Streams(0))["kg"]
    first, again, other = ([float(loss().detach()) for loss in steps(epoch)] for epoch in (0, 0, 1))
    assert len(first) == 3 and first == again != other
