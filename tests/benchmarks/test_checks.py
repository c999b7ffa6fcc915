"""Every benchmark's sides do the same work at a tiny size, and its check notices when one does not."""

from __future__ import annotations

import numpy as np
import pytest

import graphforget as gf
from benchmarks import attention, inputs, propagation, ranking, sampling, scale, training, unlearning
from benchmarks.bench import WrongAnswer
from benchmarks.peers import pyg, scipy, torch
from graphforget.kernels.csr import symmetric_normalise


@pytest.fixture(scope="module")
def data():
    return inputs.power_law(60, 45, 900)


@pytest.fixture(scope="module")
def citations():
    return gf.LinkPrediction(gf.load("sample-citations"), seed=0)


def spoiled(answer, name):
    """Return an answer with one wrong number."""
    array = np.array(answer[name])
    array.flat[0] += 1
    return {**answer, name: array}


def test_negatives_are_free_and_a_member_is_noticed(data):
    rows = np.repeat(np.arange(60, dtype=np.int32), 20)
    arrays = {**inputs.pairs(data), "rows": rows}
    answer, check = sampling.negatives(arrays)(), sampling.free(data.train, rows)
    check(answer)
    taken = {"negatives": answer["negatives"].copy()}
    taken["negatives"][0] = data.train.indices[data.train.indptr[0]]
    with pytest.raises(WrongAnswer, match="an item of its user"):
        check(taken)
    sampling.same_for_any_threads(arrays)


def test_an_epoch_has_every_pair_once(data):
    answer, check = sampling.epoch(inputs.pairs(data))(), sampling.free_pairs(data.train)
    check(answer)
    for name in ("users", "items"):
        answer[name][1] = answer[name][0]
    with pytest.raises(WrongAnswer, match="not every training pair|no training pair|an item of its user"):
        check(answer)


def test_peers_of_sampling_draw_free_items(data):
    arrays = inputs.pairs(data)
    sampling.free_pairs(data.train)(pyg.structured_negatives(arrays)())
    peers = sampling.peers(data.train, np.zeros(1, np.int32))
    peer = peers["PyG negative_sampling"]
    peer.check({}, pyg.negative_pairs(arrays)())
    with pytest.raises(WrongAnswer):
        peer.check({}, {"pairs": inputs.interactions(arrays).pairs("train")})


def test_lists_are_those_of_torch():
    data = inputs.power_law(60, 300, 900)  # every user has 20 items left to rank
    z = inputs.normal("test-ranking", data.n_nodes, 8)
    arrays = {**inputs.pairs(data), "users": z[:60], "items": z[60:]}
    ours = ranking.ranked(arrays)()
    check = ranking.same_lists(arrays)
    check(ours, torch.ranked(arrays, k=ranking.K, block=7)())
    wrong = ours["ids"].copy()
    wrong[:, 0] = wrong[:, -1]
    with pytest.raises(WrongAnswer):
        check(ours, {"ids": wrong})
    with pytest.raises(WrongAnswer, match="ndcg is"):
        ranking.same_metric("ndcg", 1e-6)(ours, {"ndcg": ours["ndcg"] + 1e-3})


def test_products_agree(data):
    csr = symmetric_normalise(data.csr)
    arrays = {**inputs.matrix(csr), "x": inputs.normal("test-product", data.n_nodes, 16)}
    ours = propagation.product(arrays)()
    for side in (torch.csr_product, torch.coo_product, scipy.product):
        propagation.same_product(ours, side(arrays)())
    with pytest.raises(WrongAnswer, match="the product: off by"):
        propagation.same_product(ours, spoiled(ours, "product"))


def test_adjacencies_agree(data):
    arrays = {"u": data.edges[0], "v": data.edges[1], "n": np.array(data.n_nodes), "sizes": np.array([60, 45])}
    ours = propagation.adjacency(arrays)()
    propagation.same_matrix(ours, scipy.adjacency(arrays)())
    with pytest.raises(WrongAnswer, match="columns"):
        propagation.same_matrix(ours, spoiled(ours, "indices"))


def test_attention_agrees(data):
    arrays = attention.inputs_of(data.csr)
    ours = attention.fused(arrays)()
    attention.same_gradients(ours, pyg.attention(arrays)())
    with pytest.raises(WrongAnswer, match="d_left"):
        attention.same_gradients(ours, spoiled(ours, "d_left"))


def test_gradients_of_a_lightgcn_step_agree(data, monkeypatch):
    monkeypatch.setattr(training, "BATCH", 32)
    arrays = training.step_inputs(data, count=2)
    assert arrays["batches"].shape == (2, 3, 32)
    options = {"layers": 3, "reg": 1e-2, "lr": 1e-3}
    ours = training.lightgcn(arrays, **options)()
    training.same_gradient(ours, torch.lightgcn(arrays, **options)())
    for sparse in (True, False):
        training.same_gradient(ours, pyg.lightgcn(arrays, **options, sparse=sparse)())
    with pytest.raises(WrongAnswer, match="the gradient"):
        training.same_gradient(ours, spoiled(ours, "gradient"))


def test_embeddings_of_a_link_epoch_agree(citations):
    arrays = training.link_inputs(citations, hidden=8, out=4)
    epoch = training.link_epoch_on(citations, arrays, 1e-3)
    ours, again = epoch(), epoch()
    training.same_embeddings(ours, pyg.link_epoch(arrays, 1e-3)())
    assert np.array_equal(ours["z"], again["z"])  # the answer stays that of the first weights
    with pytest.raises(WrongAnswer, match="the embeddings"):
        training.same_embeddings(ours, spoiled(ours, "z"))


@pytest.mark.parametrize("method", unlearning.EPOCHS)
def test_a_deletion_and_gold_retain_the_same(method, citations):
    ours = unlearning.deletion_on(citations, 0.05, method, epochs=2)()
    unlearning.forgot(ours)
    unlearning.same_retained(ours, unlearning.gold_on(citations, 0.05, epochs=2)())
    with pytest.raises(WrongAnswer, match="did not move"):
        unlearning.forgot({**ours, "change": np.array(0.0)})
    with pytest.raises(WrongAnswer, match="are retained here"):
        unlearning.same_retained(ours, spoiled(ours, "left"))


def test_the_epochs_of_the_methods_are_their_defaults():
    for method, epochs in unlearning.EPOCHS.items():
        assert gf.methods().get(method).epochs == epochs


def test_scale_follows_the_same_works(data, monkeypatch):
    monkeypatch.setattr(scale, "BATCH", 32)
    for part, _ in scale.works(data).values():
        module, _, name = part.function.partition(":")
        assert callable(getattr(__import__(module, fromlist=[name]), name))
    assert scale.exponent([1e5, 4e5, 16e5], [2.0, 8.0, 32.0]) == pytest.approx(1.0)
    assert scale.exponent([10, 100], [1.0, 100.0]) == pytest.approx(2.0)


def test_scale_deletes_a_fixed_number_of_edges():
    answer = scale.deletion({}, 2_000, "unlink", 1)()
    scale.all_gone(answer)
    with pytest.raises(WrongAnswer, match="101 edges"):
        scale.all_gone(spoiled(answer, "gone"))


def test_synthetic_interactions_grow_with_what_is_asked():
    small, large = inputs.power_law(60, 45, 300), inputs.power_law(600, 450, 3_000)
    assert 5 < large.n_edges / small.n_edges < 15
    assert np.sort(large.item_degrees)[-45:].sum() > 3 * 45 * large.item_degrees.mean() / 2
