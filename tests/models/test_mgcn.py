"""MGCN beside a dense re-implementation, its item graphs, and what a deletion does to them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.mgcn import MGCN, info_nce, user_block
from graphforget.models.modality import item_graph, nearest_items, unit_rows
from graphforget.tasks.recommend import Recommendation


def made(data, **arguments) -> MGCN:
    """Return an MGCN for the data."""
    return MGCN(**{"dim": 5, "k": 3, **arguments}).initialised_for(data, Streams(3))


def sigmoid(x: np.ndarray) -> np.ndarray:
    """Return 1 / (1 + exp(-x))."""
    return 1 / (1 + np.exp(-x))


def normalised(data) -> np.ndarray:
    """Return D^-1/2 A D^-1/2 of users and items."""
    n = data.n_users + data.n_items
    a = np.zeros((n, n))
    for user, item in data.pairs("train").T:
        a[user, data.n_users + item] = a[data.n_users + item, user] = 1
    scale = np.array([1 / np.sqrt(d) if d else 0 for d in a.sum(1)])
    return scale[:, None] * a * scale


def nearest(data, name: str, k: int) -> np.ndarray:
    """Return the normalised item graph, row by row; items without features are in no row and no column."""
    known = np.flatnonzero(~data.missing[name])
    found = np.zeros((data.n_items, data.n_items))
    found[np.ix_(known, known)] = among(data.modalities[name][known], k)
    return found


def among(x: np.ndarray, k: int) -> np.ndarray:
    """Return the normalised graph of items that all have features."""
    x = x.astype(np.float64)
    unit = x / np.linalg.norm(x, axis=1, keepdims=True)
    similar = unit @ unit.T
    kept = np.zeros_like(similar)
    for row in range(len(x)):
        best = np.argsort(-np.round(similar[row], 12), kind="stable")[:k]
        kept[row, best] = similar[row, best]
    degree = kept.sum(1)
    scale = np.array([1 / np.sqrt(d) if d > 0 else 0 for d in degree])
    return scale[:, None] * kept * scale


def oracle(data, own: dict[str, np.ndarray], names: list[str], k: int, item_layers: int = 1) -> tuple:
    """Return (mean of E_ui, side), each for users and items."""
    n, a = data.n_users, normalised(data)
    found = [np.vstack([own["users"], own["items"]])]
    for _ in range(2):
        found.append(a @ found[-1])
    both, views = np.mean(found, axis=0), []
    for m, name in enumerate(names):
        raw = data.modalities[name] + own.get(f"learned.{m}", 0)
        inner = raw @ own[f"inputs.{m}.weight"] + own[f"inputs.{m}.bias"]
        pure = own["items"] * sigmoid(inner @ own[f"purifiers.{m}.weight"] + own[f"purifiers.{m}.bias"])
        for _ in range(item_layers):
            pure = nearest(data, name, k) @ pure
        views.append(np.vstack([a[:n, n:] @ pure, pure]))
    scores = np.hstack([np.tanh(h @ own["attention.weight"] + own["attention.bias"]) @ own["query"] for h in views])
    shares = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    common = sum(shares[:, [m]] * view for m, view in enumerate(views))
    gates = [sigmoid(both @ own[f"gates.{m}.weight"] + own[f"gates.{m}.bias"]) for m in range(len(views))]
    side = (sum(g * (h - common) for g, h in zip(gates, views, strict=True)) + common) / (len(views) + 1)
    return both, side


def with_modalities(data, count: int) -> Interactions:
    """Return the shop with so many modalities, "a", "b", ..."""
    rng = np.random.default_rng(count)
    named = {name: rng.normal(size=(6, 3 + at)) for at, name in enumerate("abc"[:count])}
    return Interactions.build(7, 6, data.pairs(), modalities=named, triples=data.triples)


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("trained", [True, False])
def test_embeddings_equal_the_equations(shop, values, count, trained):
    """The divisor is the number of modalities + 1: the released constant 3 for two."""
    data = with_modalities(shop, count)
    model = made(data, train_features=trained)
    assert len(model.learned) == (count if trained else 0)
    with torch.no_grad():
        for learned in model.learned:
            learned += torch.randn(learned.shape, generator=torch.Generator().manual_seed(1))
    both, side = oracle(data, values(model), sorted(data.modalities), 3)
    wanted = np.vstack([both + side, np.zeros((3, 5))])
    np.testing.assert_allclose(model.embed(data).numpy(), wanted, rtol=1e-4, atol=1e-5)
    layers = model.layers(data)
    assert len(layers) == 4
    np.testing.assert_allclose(layers[-1].detach().numpy()[:13], side, rtol=1e-4, atol=1e-5)


def test_more_layers_over_the_item_graph(shop, values):
    model = made(shop, item_layers=2)
    both, side = oracle(shop, values(model), ["image", "text"], 3, item_layers=2)
    np.testing.assert_allclose(model.embed(shop).numpy()[:13], both + side, rtol=1e-4, atol=1e-5)


def test_the_purifier_gates_the_vectors_of_the_items(shop, values):
    """With a bias of +-30 the gate of a modality is wide open (the vector itself) or shut (nothing is left)."""
    model = made(shop)
    with torch.no_grad():
        for m, bias in enumerate((30.0, -30.0)):
            model.purifiers[m].weight.zero_()
            model.purifiers[m].bias.fill_(bias)
    wide, shut = model.purified(shop, model.items)
    torch.testing.assert_close(wide, model.items)
    assert float(shut.detach().abs().max()) < 1e-9


def test_the_item_graph_of_four_items_by_hand(dense):
    """Two pairs of equal directions: similarity 1 to itself and its twin; degree 2, so all weights are 1 / 2."""
    x = np.array([[1, 0], [0, 2], [3, 0], [0, 1]], np.float32)
    data = Interactions.build(1, 4, [[0], [0]], modalities={"m": x})
    wanted = np.array([[1, 0, 1, 0], [0, 1, 0, 1], [1, 0, 1, 0], [0, 1, 0, 1]]) / 2
    np.testing.assert_allclose(dense(item_graph(data, "m", 2).csr), wanted, rtol=1e-6)


def test_the_item_graph_is_directed_and_keeps_similarities(dense):
    """Angles 0, 10, 25, 90 degrees, the nearest other: 0 -> 1, 1 -> 0, 2 -> 1 although 1 does not choose 2."""
    angles = np.deg2rad([0, 10, 25, 90])
    found = dense(nearest_items(np.stack([np.cos(angles), np.sin(angles)], axis=1).astype(np.float32), 2))
    near, far = np.cos(np.deg2rad(10)), np.cos(np.deg2rad(15))
    wanted = [[1, near, 0, 0], [near, 1, 0, 0], [0, far, 1, 0], [0, 0, np.cos(np.deg2rad(65)), 1]]
    np.testing.assert_allclose(found, wanted, atol=1e-6)


def test_the_item_graph_of_a_market(market, dense):
    for name in ("image", "text"):
        np.testing.assert_allclose(
            dense(item_graph(market, name, 10).csr), nearest(market, name, 10), rtol=1e-4, atol=1e-6
        )


def test_ties_go_to_the_lower_item_and_zero_rows_are_like_nothing(dense):
    x = np.array([[1, 0], [0, 0], [1, 0], [1, 0]], np.float32)
    found = nearest_items(x, 2)
    assert found.indices.reshape(4, 2).tolist() == [[0, 2], [0, 1], [0, 2], [0, 2]]
    assert not dense(found)[1].any() and not unit_rows(x)[1].any()


def test_fewer_items_than_neighbours(dense):
    data = Interactions.build(1, 2, [[0], [0]], modalities={"m": np.eye(2)})
    np.testing.assert_allclose(dense(item_graph(data, "m", 10).csr), np.eye(2))


def test_item_graphs_are_kept_with_the_data_and_built_anew_after_a_deletion(shop, dense):
    assert item_graph(shop, "image", 3) is item_graph(shop, "image", 3)
    for retained in (shop.without(items=np.array([1])), shop.without(modalities={"image": np.array([1])})):
        np.testing.assert_allclose(
            dense(item_graph(retained, "image", 3).csr), nearest(retained, "image", 3), rtol=1e-4, atol=1e-6
        )
        assert not np.array_equal(dense(item_graph(retained, "image", 3).csr), dense(item_graph(shop, "image", 3).csr))


def test_deletions_that_leave_features_alone_leave_the_item_graph_as_it_is(shop):
    before = item_graph(shop, "image", 3)
    users, pairs = shop.without(users=np.array([0])), shop.without(interactions=np.array([2]))
    assert item_graph(users, "image", 3) is before and item_graph(pairs, "image", 3) is before
    assert users.csr is not shop.csr and users.normalised is not shop.normalised
    assert item_graph(users.without(items=np.array([1])), "image", 3) is not before


def test_a_deleted_item_is_near_to_nothing(shop, dense):
    """Whatever its rows hold, no user and no other item is computed from them; without any features nothing is."""
    model = made(shop)
    for retained in (shop.without(items=np.array([1])), shop.without(items=np.arange(1, 6))):
        gone = np.flatnonzero(retained.missing["image"])
        graph = dense(item_graph(retained, "image", 3).csr)
        assert graph.any() and not graph[gone].any() and not graph[:, gone].any()
        before = model.embed(retained)
        with torch.no_grad():
            other = model.clone()
            for table in (other.items, *other.learned):
                table[gone] += 1.0
        rest = np.setdiff1d(np.arange(13), 7 + gone)
        assert other.embed(retained)[rest].equal(before[rest])
    assert not len(item_graph(shop.without(items=np.arange(6)), "image", 3).csr.indices)


def test_a_deletion_reaches_the_embeddings(shop, values):
    model = made(shop)
    before, retained = model.embed(shop), shop.without(items=np.array([1]))
    both, side = oracle(retained, values(model), ["image", "text"], 3)
    np.testing.assert_allclose(model.embed(retained).numpy()[:13], both + side, rtol=1e-4, atol=1e-5)
    assert model.embed(shop).equal(before) and not list(model.buffers())


def test_the_users_block_of_the_matrix(shop, dense):
    np.testing.assert_allclose(dense(user_block(shop).csr), normalised(shop)[:7, 7:], rtol=1e-6)


def test_info_nce_by_loops():
    rng = np.random.default_rng(0)
    first, second = rng.normal(size=(2, 6, 4))
    unit = [x / np.linalg.norm(x, axis=1, keepdims=True) for x in (first, second)]
    total = 0.0
    for row in range(6):
        powers = [np.exp(unit[0][row] @ unit[1][other] / 0.2) for other in range(6)]
        total -= np.log(powers[row] / sum(powers)) / 6
    found = info_nce(torch.from_numpy(first), torch.from_numpy(second), 0.2)
    assert float(found) == pytest.approx(total, rel=1e-12)


def test_the_loss_of_a_batch(shop, values, batch_of):
    """BPR, half the squared final norms over the batch, and the contrast of items and of users."""
    batch = [0, 1, 2, 2], [0, 3, 4, 0], [5, 0, 1, 3]
    model = made(shop, reg=0.3, contrast=0.7, temperature=0.5)
    loss = Recommendation(shop).batch_loss(model, batch_of(shop, *batch), 0)
    both, side = (torch.from_numpy(part) for part in oracle(shop, values(model), ["image", "text"], 3))
    u, i, j = ((both + side)[np.array(part) + (7 if at else 0)] for at, part in enumerate(batch))
    wanted = torch.nn.functional.softplus((u * (j - i)).sum(1)).mean()
    wanted += 0.3 * 0.5 * sum(part.square().sum() for part in (u, i, j)) / 4
    for rows in (np.array(batch[1]) + 7, np.array(batch[0])):
        wanted += 0.7 * info_nce(side[rows], both[rows], 0.5)
    assert float(loss.detach()) == pytest.approx(float(wanted), rel=1e-4)


def test_gradients_equal_differences(shop, batch_of, gradients_off):
    task, items = Recommendation(shop), batch_of(shop, [0, 1, 2], [0, 3, 4], [5, 0, 1])
    model = made(shop, contrast=0.5, reg=0.1).double()
    assert gradients_off(model, lambda: task.batch_loss(model, items, 0), step=1e-5) == []


def test_learned_features_start_at_the_raw_ones_and_move(shop, batch_of):
    frozen, trained = made(shop, train_features=False), made(shop)
    assert trained.embed(shop).equal(frozen.embed(shop))
    Recommendation(shop).batch_loss(trained, batch_of(shop, [0], [0], [5]), 0).backward()
    assert all(learned.grad.abs().sum() > 0 for learned in trained.learned)


def test_what_was_learned_about_features_can_be_cleared(shop, values):
    model = made(shop)
    with torch.no_grad():
        for learned in model.learned:
            learned += 1
    rows = {"image": np.arange(6) == 2, "text": np.zeros(6, bool)}
    model.clear_features(rows)
    found = values(model)
    assert not found["learned.0"][2].any() and (np.delete(found["learned.0"], 2, axis=0) == 1).all()
    assert (found["learned.1"] == 1).all()
    made(shop, train_features=False).clear_features(rows)


def test_operations_counted_by_hand(shop):
    """6 items of 4 + 3 features; 13 nodes; 13 pairs; k = 3."""
    maps = 2 * 6 * 5 * (4 + 5 + 3 + 5) + 2 * 2 * 13 * 5 * 5 * 2
    assert made(shop).flops(shop) == maps + 5 * (2 * 4 * 13 + 2 * (2 * 13 + 2 * 3 * 6))


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"layers": 0}, r"mgcn: 'layers' must be an integer in \[1, 16\]; got 0"),
        ({"item_layers": 0}, "mgcn: 'item_layers' must be an integer"),
        ({"k": 0}, r"mgcn: 'k' must be an integer in \[1, 1000\]; got 0"),
        ({"train_features": 1}, "mgcn: 'train_features' must be True or False; got 1"),
        ({"contrast": -1}, "mgcn: 'contrast' must be a number of at least 0; got -1"),
        ({"temperature": 0}, "mgcn: 'temperature' must be a number above 0; got 0"),
        ({"modalities": ","}, "mgcn: 'modalities' must list names"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        MGCN(**arguments)
