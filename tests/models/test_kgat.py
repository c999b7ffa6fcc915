"""KGAT beside a dense re-implementation of its equations, the published counts, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.models.kgat import KGAT
from graphforget.models.kgat_attention import Attention
from graphforget.models.kgat_sizes import parameter_count
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn

AGGREGATORS = ("bi", "gcn", "graphsage")


def made(data, **arguments) -> KGAT:
    """Return a KGAT for the data."""
    return KGAT(**{"dim": 5, "kg_dim": 4, "layers": "4,3", **arguments}).initialised_for(data, Streams(3))


def triples_of(data) -> set[tuple[int, int, int]]:
    """Return (head, relation, tail) of nodes, written down from the definition of the relation ids."""
    n, r = data.n_users, 0 if data.triples is None else data.triples.n_relations
    found = set()
    for u, i in data.pairs("train").T.tolist():
        found |= {(u, 0, n + i), (n + i, r + 1, u)}
    for h, k, t in [] if data.triples is None else data.triples.triples.T.tolist():
        found |= {(n + h, k + 1, n + t), (n + t, k + 2 + r, n + h)}
    return found


def static(data) -> np.ndarray:
    """Return the sum of D_r^-1 A_r over the relation matrices."""
    total = np.zeros((data.n_nodes, data.n_nodes))
    count = 2 * (1 + (0 if data.triples is None else data.triples.n_relations))
    for relation in range(count):
        a = np.zeros_like(total)
        for h, r, t in triples_of(data):
            a[h, t] += r == relation
        total += a / np.maximum(a.sum(1, keepdims=True), 1)
    return total


def attention(data, own: dict[str, np.ndarray]) -> np.ndarray:
    """Return softmax over all (r, t) of h of (e_t W_r) . tanh(e_h W_r + e_r), equal pairs added after it."""
    e, w, rel = own["nodes"], own["transforms"], own["relations"]
    raw: dict[int, list[tuple[int, float]]] = {}
    for h, r, t in triples_of(data):
        raw.setdefault(h, []).append((t, float((e[t] @ w[r]) @ np.tanh(e[h] @ w[r] + rel[r]))))
    out = np.zeros((data.n_nodes, data.n_nodes))
    for h, entries in raw.items():
        powers = np.exp([score for _, score in entries])
        for (t, _), share in zip(entries, powers / powers.sum(), strict=True):
            out[h, t] += share
    return out


def forward(a: np.ndarray, own: dict[str, np.ndarray], aggregator: str, layers: int = 2) -> list[np.ndarray]:
    """Return E and E' of each layer."""

    def leaky(x: np.ndarray, slope: float = 0.2) -> np.ndarray:
        return np.where(x > 0, x, slope * x)

    def linear(number: int, x: np.ndarray) -> np.ndarray:
        return x @ own[f"weights.{number}"] + own[f"biases.{number}"]

    found = [own["nodes"]]
    for layer in range(layers):
        h, side = found[-1], a @ found[-1]
        if aggregator == "bi":
            found.append(leaky(linear(2 * layer, h + side)) + leaky(linear(2 * layer + 1, h * side)))
        elif aggregator == "gcn":
            found.append(leaky(linear(layer, side)))
        else:
            found.append(leaky(linear(layer, np.hstack([h, side])), 0.0))
    return found


@pytest.mark.parametrize(
    ("sizes", "published"), [((23566, 106389, 9), 8_427_280), ((70679, 113487, 39), 12_146_384)], ids=["last", "book"]
)
def test_the_published_numbers_of_parameters(sizes, published):
    assert parameter_count(*sizes, unused_mlp=True) == published
    assert parameter_count(*sizes) == published - 13_424
    users, entities, relations = sizes
    matrices = 2 * (relations + 1)
    assert parameter_count(*sizes) == 64 * (users + entities) + 64 * matrices + 4096 * matrices + 13_536


@pytest.mark.parametrize("aggregator", AGGREGATORS)
@pytest.mark.parametrize("layers", ["4,3", "6", "7,7,2"])
def test_the_count_is_that_of_a_real_model(shop, aggregator, layers):
    model = made(shop, aggregator=aggregator, layers=layers)
    counted = parameter_count(7, 9, 3, 5, 4, layers, aggregator)
    assert sum(p.numel() for p in model.parameters()) == counted


@pytest.mark.parametrize("attention_kind", ["static", "refresh"])
@pytest.mark.parametrize("aggregator", AGGREGATORS)
def test_embeddings_equal_the_equations(shop, values, aggregator, attention_kind):
    model = made(shop, aggregator=aggregator, attention=attention_kind).eval()
    own = values(model)
    own["nodes"] *= 3
    with torch.no_grad():
        model.nodes *= 3
    matrix = static(shop) if attention_kind == "static" else attention(shop, own)
    wanted = forward(matrix, own, aggregator)
    for ours, theirs in zip(model.layers(shop), wanted, strict=True):
        np.testing.assert_allclose(ours.detach().numpy(), theirs, rtol=1e-4, atol=1e-6)
    norms = [np.linalg.norm(h, axis=1, keepdims=True) for h in wanted[1:]]
    unit = [h / np.where(norm > 0, norm, 1) for h, norm in zip(wanted[1:], norms, strict=True)]
    np.testing.assert_allclose(model.embed(shop).numpy(), np.hstack([wanted[0], *unit]), rtol=1e-4, atol=1e-5)


def test_gradients_equal_autograd_through_dense_products(shop, batch_of, values):
    """Of BPR plus half the squared final norms over the batch, with the attention a constant."""
    batch = [0, 1, 2, 4], [0, 3, 4, 0], [5, 0, 1, 2]
    model = made(shop, attention="refresh", reg=0.05, dropout=0)
    Recommendation(shop).batch_loss(model, batch_of(shop, *batch), 0).backward()
    own = {key: torch.from_numpy(value).requires_grad_() for key, value in values(model).items()}
    a, h = torch.from_numpy(attention(shop, values(model))), own["nodes"]
    out = [h]
    for layer in range(2):
        side = a @ h
        parts = ((h + side, 2 * layer), (h * side, 2 * layer + 1))
        h = sum(torch.nn.functional.leaky_relu(x @ own[f"weights.{n}"] + own[f"biases.{n}"], 0.2) for x, n in parts)
        out.append(torch.nn.functional.normalize(h))
    z = torch.cat(out, dim=1)
    u, i, j = (z[np.array(part) + (7 if at else 0)] for at, part in enumerate(batch))
    squares = sum(part.square().sum() for part in (u, i, j))
    (torch.nn.functional.softplus((u * (j - i)).sum(1)).mean() + 0.05 * 0.5 * squares / 4).backward()
    for key, p in model.named_parameters():
        if key in ("relations", "transforms"):
            assert p.grad is None
        else:
            torch.testing.assert_close(p.grad.double(), own[key].grad, rtol=1e-3, atol=1e-6, msg=key)


def test_initial_values_are_those_of_tensorflow():
    """Xavier limits by table; W of all relations has the fans d R' and k R', not those of one matrix."""
    sizes = {"n_users": 300, "n_items": 50, "n_nodes": 700, "n_matrices": 8}
    model = KGAT(dim=32, kg_dim=16, layers="24").with_sizes(sizes, Streams(0))
    limits = {
        "users": (model.nodes[:300], (6 / (300 + 32)) ** 0.5),
        "entities": (model.nodes[300:], (6 / (400 + 32)) ** 0.5),
        "relations": (model.relations, (6 / (8 + 16)) ** 0.5),
        "transforms": (model.transforms, (6 / (8 * (32 + 16))) ** 0.5),
        "weights": (model.weights[0], (6 / (32 + 24)) ** 0.5),
        "biases": (model.biases[0], (6 / (1 + 24)) ** 0.5),
    }
    for name, (found, limit) in limits.items():
        largest = float(found.detach().abs().max())
        assert 0.85 * limit < largest <= limit, name
    torches = KGAT(dim=32, kg_dim=16, layers="24", transform_init="torch").with_sizes(sizes, Streams(0)).transforms
    limit = (6 / (32 * 16 + 8 * 16)) ** 0.5  # torch.nn.init.xavier_uniform_ of the same shape
    assert float(torches.detach().abs().max()) <= limit < float(torches.detach().abs().max()) * 1.01
    assert float(torch.nn.init.xavier_uniform_(torch.empty(8, 32, 16)).abs().max()) == pytest.approx(limit, rel=0.01)
    assert not any(bias.any() for bias in KGAT(bias_init="zeros").with_sizes(sizes, Streams(0)).biases)


@pytest.mark.parametrize("adjacency", ["bi", "symmetric"])
def test_matrices_that_vanish_are_refused(adjacency):
    with pytest.raises(UsageError, match=rf"'adjacency' {adjacency} is refused: .*all values are zero. Use si"):
        KGAT(adjacency=adjacency)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"adjacency": "none"}, "kgat: 'adjacency' must be one of si; got 'none'"),
        ({"attention": "on"}, "kgat: 'attention' must be one of static, refresh; got 'on'"),
        ({"aggregator": "mean"}, "kgat: 'aggregator' must be one of bi, gcn, graphsage; got 'mean'"),
        ({"layers": "64;32"}, "kgat: 'layers' must list the widths"),
        ({"kg_dim": 0}, r"kgat: 'kg_dim' must be an integer in \[1, 65536\]; got 0"),
        ({"dropout": 1}, "kgat: 'dropout' must be a number of at least 0 and below 1; got 1"),
        ({"slope": None}, "kgat: 'slope' must be a number of at least 0; got None"),
        ({"bias_init": "ones"}, "kgat: 'bias_init' must be one of xavier, zeros; got 'ones'"),
        ({"transform_init": "jax"}, "kgat: 'transform_init' must be one of tensorflow, torch; got 'jax'"),
        ({"kg_batch": 0}, "kgat: 'kg_batch' must be an integer"),
        ({"kg_heads": 2.5}, "kgat: 'kg_heads' must be an integer"),
        ({"kg_reg": -1}, "kgat: 'kg_reg' must be a number of at least 0; got -1"),
        (
            {"pretrained": 3},
            "kgat: 'pretrained' must be one of mf, .*, a trained MF model, or an .npz .*; got int",
        ),
        ({"pretrained": MF()}, "kgat: 'pretrained' must be .*; got an MF model without parameters"),
        ({"pretrained": LightGCN()}, "kgat: 'pretrained' must be .*; got LightGCN"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        KGAT(**arguments)


def test_data_without_a_knowledge_graph_has_two_relations(shop, values):
    plain = Interactions.build(7, 6, shop.pairs("train"), name="plain")
    model = made(plain).eval()
    assert len(model.relations) == 2 and len(model.nodes) == 13
    wanted = forward(static(plain), values(model), "bi")
    np.testing.assert_allclose(model.layers(plain)[2].detach().numpy(), wanted[2], rtol=1e-4, atol=1e-6)
    with pytest.raises(DataError, match="kgat was made for .*'shop' has .*8 matrices"):
        model(shop)


def test_deleting_a_fact_changes_the_matrices_and_no_shape(shop, values):
    model = made(shop, attention="refresh").eval()
    before, retained = model.embed(shop), shop.without(triples=np.array([0, 4]))
    wanted = forward(attention(retained, values(model)), values(model), "bi")
    np.testing.assert_allclose(model.layers(retained)[2].detach().numpy(), wanted[2], rtol=1e-4, atol=1e-6)
    assert not model.embed(retained).equal(before) and model.embed(shop).equal(before)


def test_attention_in_training_is_that_of_the_last_refresh(shop, dense, values):
    model = made(shop, attention="refresh").train()
    start = attention(shop, values(model))
    np.testing.assert_allclose(dense(model.matrix(shop).csr), start, rtol=1e-4, atol=1e-7)
    with torch.no_grad():
        model.nodes *= 4
    np.testing.assert_allclose(dense(model.matrix(shop).csr), start, rtol=1e-4, atol=1e-7)
    assert model.clone().matrix(shop) is not model.matrix(shop)
    now = attention(shop, values(model))
    assert np.abs(now - start).max() > 0.01
    np.testing.assert_allclose(dense(Attention.on(shop).refresh(model).csr), now, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(dense(model.matrix(shop).csr), now, rtol=1e-4, atol=1e-6)


def test_attention_in_evaluation_follows_every_change_of_the_parameters(shop, dense, values):
    model = made(shop, attention="refresh").eval()
    first = model.matrix(shop)
    assert model.matrix(shop) is first and model.frozen().matrix(shop) is first
    model.transforms.data *= 5
    np.testing.assert_allclose(dense(model.matrix(shop).csr), attention(shop, values(model)), rtol=1e-4, atol=1e-6)
    model.train()
    np.testing.assert_allclose(dense(model.matrix(shop).csr), attention(shop, values(model)), rtol=1e-4, atol=1e-6)


def test_the_knowledge_phase_ends_with_a_refresh(shop, dense, values):
    model = made(shop, attention="refresh", kg_batch=16).train()
    before = model.matrix(shop)
    steps = model.side_phases(shop, Streams(0))["kg"](0)
    for loss in steps:
        loss().backward()
        with torch.no_grad():
            for p in (model.nodes, model.relations, model.transforms):
                p -= p.grad
                p.grad = None
        assert model.matrix(shop) is before or next(steps, None) is None
    np.testing.assert_allclose(dense(model.matrix(shop).csr), attention(shop, values(model)), rtol=1e-4, atol=1e-6)
    assert model.matrix(shop) is not before


def test_a_run_that_is_taken_up_again_ends_the_same(shop, weights, tmp_path):
    """After two epochs in a file, another process continues with the attention that those epochs ended with."""
    task = Recommendation(shop, sampler="kgat")
    model = KGAT(dim=5, kg_dim=4, layers="4", attention="refresh", kg_batch=32)
    keys = {"lr": 0.05, "batch": 4, "validate_every": 1, "selection": "last"}
    whole = train(model, task, epochs=4, **keys)

    def stop(epoch: int, epochs: int, metrics: dict) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, task, epochs=4, checkpoint=tmp_path / "run", progress=stop, **keys)
    again = train(model, task, epochs=4, checkpoint=tmp_path / "run", **keys)
    assert weights(again) == weights(whole)


@pytest.mark.parametrize("method", ["gradient-ascent", "neg-grad-plus", "recur"])
def test_a_method_on_the_full_data_that_is_taken_up_again_ends_the_same(shop, weights, tmp_path, method):
    """It learns on the full data and validates on the retained: a validation ends the attention of both."""
    task = Recommendation(shop, sampler="kgat")
    model = train(KGAT(dim=5, kg_dim=4, layers="4", attention="refresh"), task, epochs=2, lr=0.05, batch=4)
    users, items = shop.pairs("train")
    gone = Deletion(interactions=[(int(users[0]), int(items[0])), (int(users[4]), int(items[4]))])
    keys = {"epochs": 4, "lr": 0.05}
    whole = unlearn(model, task, gone, method, **keys).model

    def stop(epoch: int, epochs: int, metrics: dict) -> None:
        if epoch == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unlearn(model, task, gone, method, checkpoint=tmp_path / "run", progress=stop, **keys)
    again = unlearn(model, task, gone, method, checkpoint=tmp_path / "run", **keys).model
    assert weights(again) == weights(whole)


def test_operations_counted_by_hand(shop):
    """46 triples, two operations each and column; two products of 16 rows with a weight per layer."""
    wanted = 2 * 46 * (5 + 4) + 2 * 2 * 16 * (5 * 4 + 4 * 3)
    assert len(triples_of(shop)) == 46 and made(shop).flops(shop) == wanted


def test_presets_and_defaults():
    assert KGAT().config()["attention"] == "static" and KGAT().reg_on == "final" and KGAT().reg == 1e-5
    assert make_backbone("kgat-refresh").attention == "refresh"
    port = make_backbone("kgat-pytorch")
    assert (port.attention, port.aggregator, port.slope, port.transform_init) == ("refresh", "bi", 0.01, "torch")
    assert make_backbone("kgat-gcn").aggregator == "gcn" and make_backbone("kgat-sage").aggregator == "graphsage"
