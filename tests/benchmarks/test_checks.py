"""Every benchmark's sides do the same work at a tiny size, and its check notices when one does not."""

from __future__ import annotations

from dataclasses import replace
from time import sleep

import numpy as np
import pytest

import graphforget as gf
from benchmarks import attention, inputs, limits, propagation, quality, ranking, sampling, scale, training, unlearning
from benchmarks.bench import Bench, WrongAnswer
from benchmarks.peers import pyg, scipy, torch
from benchmarks.rows import Row
from graphforget.kernels.csr import symmetric_normalise
from graphforget.kernels.row_sets import RowSets


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
    peer = sampling.pair_peer(data.train, 2 * data.train.nnz)
    assert peer.factor == 2.0
    peer.check({}, pyg.negative_pairs(arrays)())
    with pytest.raises(WrongAnswer):
        peer.check({}, {"pairs": inputs.interactions(arrays).pairs("train")})


def test_slow_peers_of_sampling_draw_a_part(data):
    rows = np.repeat(np.arange(60, dtype=np.int32), 20)
    found = sampling.peers(data.train, rows, share=4, users=3)
    few = int(data.train.indptr[3])
    drawn = pyg.structured_negatives(inputs.pairs(data), users=3)()
    assert len(drawn["negatives"]) == few
    structured, recbole = found["PyG structured_negative_sampling"], found["RecBole Sampler"]
    structured.check({}, drawn)
    assert structured.factor == len(rows) / few and f"{few:,}" in structured.note
    assert recbole.factor == 4.0 and recbole.part.options == {"count": 300}
    recbole.check({}, {"negatives": sampling.negatives({**inputs.pairs(data), "rows": rows[:300]})()["negatives"]})
    with pytest.raises(WrongAnswer, match="299 negatives for 300 rows"):
        recbole.check({}, {"negatives": np.zeros(299, np.int64)})


def test_every_item_is_known_to_a_reader_of_the_parts():
    train = inputs.random_rows(4, 30, 5)
    arrays = sampling.known_items(train)
    assert np.array_equal(inputs.part(arrays, "train").indices, train.indices)
    test = inputs.part(arrays, "test")
    assert test.n_rows == 6 and test.indices.tolist() == list(range(30))
    assert test.indptr.tolist() == [0, 0, 0, 0, 0, 15, 30], "nobody has every item: RecBole refuses such a user"


@pytest.mark.parametrize(("degree", "n_items"), [(3, 40_981), (900, 40_981), (6_000, 40_981), (95, 100)])
def test_look_ups_read_the_words_of_their_rows(degree, n_items):
    train = inputs.random_rows(4, n_items, degree)
    sets = RowSets.of(train)
    first, count = (limits.places(sets) >> np.uint64(32)).astype(int), (limits.places(sets) % 2**32).astype(int)
    assert (count > 0).all() and first[-1] + count[-1] == len(sets.words)
    rows = np.repeat(np.arange(4, dtype=np.int32), 5000)
    arrays = {**sampling.known_items(train), "rows": rows}
    for shuffle in (False, True):
        read = limits.look_ups(arrays, shuffle)()["words"].astype(np.uint32)
        for row in range(4):
            own = sets.words[first[row] : first[row] + count[row]].astype(np.uint32)
            assert set(read[rows == row].tolist()) <= set(own.tolist())
            assert count[row] > 1000 or set(read[rows == row].tolist()) == set(own.tolist())


def test_a_gather_reads_one_number_of_every_line():
    arrays = {"indptr": np.array([0, 2, 3, 3]), "indices": np.array([1, 2, 0], np.int32)}
    table = np.random.default_rng(0).standard_normal((3, 32), np.float32)
    sums = limits.gather(arrays, width=32)()["sums"]
    assert sums.sum() == pytest.approx(float(table[:, ::16].sum()), abs=1e-5)


def test_the_quickest_call_is_taken():
    assert limits.quickest([lambda: sleep(0.02), abs_of := lambda: abs(-1), lambda: sleep(0.02)], 2) is abs_of


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
    test = data.test
    own = [np.isin(test.indices[test.indptr[u] : test.indptr[u + 1]], ours["ids"][u]) for u in range(0, 60, 7)]
    recall = {"recall": np.mean([found.mean() for found in own if len(found)])}
    some = ranking.same_recall_of_some(arrays, 7)
    some(ours, recall)
    with pytest.raises(WrongAnswer, match="recall is"):
        some(ours, {"recall": recall["recall"] + 1e-3})


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
    exact = training.autograd_in_float64(arrays, **options)
    exact(ours)
    with pytest.raises(WrongAnswer, match="allowed is 1e-06"):
        exact({"gradient": ours["gradient"] * np.float32(1 + 3e-6)})
    plain = training.lightgcn(arrays, **{**options, "reg": 0.0})()
    training.without_l2(arrays, 1e-2)(ours, plain)
    with pytest.raises(WrongAnswer, match="the gradient"):
        training.without_l2(arrays, 1e-2)(ours, ours)


def test_embeddings_of_a_link_epoch_agree(citations):
    arrays = training.link_inputs(citations, hidden=8, out=4)
    epoch = training.link_epoch_on(citations, arrays, 1e-3)
    ours, again = epoch(), epoch()
    for sparse in (False, True):
        peer = pyg.link_epoch(arrays, 1e-3, sparse=sparse)
        training.same_embeddings(ours, peer())
        training.same_embeddings(ours, peer())
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


def test_works_on_graphs_do_something():
    arrays = {"weight1": inputs.normal("a", scale.FEATURES, scale.HIDDEN)}
    arrays["weight2"] = inputs.normal("b", scale.HIDDEN, scale.OUT)
    answers = {name: getattr(scale, side)(arrays, edges=2_000)() for name, side in scale.GRAPH_WORKS.items()}
    epoch, step, evaluation = answers.values()
    assert np.isfinite(epoch["z"]).all() and epoch["z"].shape == (200, scale.OUT) and np.ptp(epoch["z"]) > 0
    assert int(step["steps"]) == 1
    assert 0.2 < float(evaluation["auc"]) < 0.9


def test_exponents_and_growth_need_every_size():
    row = Row("scale", "product, 10 edges", "s", 2.0)
    later, lost = replace(row, ours=8.0, contended=True), replace(row, ours=None, note="not measured (time)")
    found = scale.fitted("product: time against edges", [(100, row), (400, later)])
    assert found.ours == pytest.approx(1.0) and (found.unit, found.met, found.contended) == ("exponent", "yes", True)
    assert scale.fitted("steep", [(100, row), (200, later)]).met == "no"
    found = scale.fitted("lost", [(100, row), (400, lost)])
    assert (found.ours, found.met, found.note) == (None, "not measured", "not measured (time)")
    assert scale.growth("grows", [row, later]).ours == 4.0 and scale.growth("grows", [row, later]).met == "no"
    assert scale.growth("lost", [row, lost]).met == "not measured"


@pytest.mark.parametrize(("method", "epochs"), [("unlink", None), ("d2dgn-operators", 2)])
def test_scale_deletes_a_fixed_number_of_edges(method, epochs):
    call = scale.deletion({}, 20_000, method, epochs)
    answer, again = call(), call()
    scale.all_gone(answer)
    assert again["rows"] == answer["rows"]
    for key, value in (("gone", answer["gone"] + 1), ("rows", answer["nodes"]), ("rows", np.array(0))):
        with pytest.raises(WrongAnswer):
            scale.all_gone({**answer, key: value})


def test_synthetic_interactions_grow_with_what_is_asked():
    small, large = inputs.power_law(60, 45, 300), inputs.power_law(600, 450, 3_000)
    assert 5 < large.n_edges / small.n_edges < 15
    assert np.sort(large.item_degrees)[-45:].sum() > 3 * 45 * large.item_degrees.mean() / 2


def test_quality_is_timed_until_it_is_reached(monkeypatch):
    monkeypatch.setattr(quality, "MODEL", {"dim": 8})
    monkeypatch.setattr(quality, "RECIPE", {"lr": 0.01, "batch": 512, "selection": "last"})
    task = gf.Recommendation(gf.load("sample-shop"), mask="train", select_on="test")
    soon, never = (quality.time_to_on(task, recall, 6)() for recall in (0.0, 1.1))
    assert (int(soon["epoch"]), int(never["epoch"])) == (3, 6) and soon["seconds"] > 0


def test_quality_beside_gold(tmp_path):
    task = gf.Recommendation(gf.load("sample-shop"), seed=0)
    model = gf.train(gf.MF(dim=8), task, seed=0, epochs=3, validate_every=3, selection="last")
    answer = quality.beside_gold_on(model, task, 0.05)()
    bench = Bench(None, tmp_path)
    rows = quality.gold_rows(bench, answer, "torch 2", "")
    assert [row.work.split(",")[0] for row in rows] == list(quality.METHODS)
    assert all("what was forgotten" in row.note for row in rows)
    assert all(row.ratio == pytest.approx(row.theirs / row.ours) and row.met in ("yes", "no") for row in rows)
    reached = {"seconds": np.array(120.0), "epoch": np.array(24), "recall": np.array(0.181)}
    assert quality.time_row(bench, reached, "", "").ours == 2.0
    short = quality.time_row(bench, {**reached, "recall": np.array(0.17)}, "", "")
    assert short.met == "not measured" and "0.1700" in short.note
    quick = quality.run(Bench(None, tmp_path, quick=True))
    assert len(quick) == 3 and all(row.met == "not measured" and "minutes" in row.note for row in quick)
    bench.close()
