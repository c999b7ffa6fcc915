"""Matrix factorisation, and what every recommender takes from `Recommender`: regularisers, checks, sizes."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation

BATCH = [0, 2, 2, 5], [1, 0, 4, 1], [3, 5, 1, 0]


def made(data, **arguments) -> MF:
    """Return an MF for the data."""
    return MF(dim=5, **arguments).initialised_for(data, Streams(3))


def test_a_score_is_the_inner_product_of_user_and_item(shop, values):
    model = made(shop)
    task, own = Recommendation(shop), values(model)
    ids, scores = task.rank(model.embed(shop), np.arange(7), 6, hidden=[])
    wanted = own["users"] @ own["items"].T
    for user in range(7):
        assert ids[user].tolist() == np.argsort(-wanted[user], kind="stable").tolist()
        np.testing.assert_allclose(scores[user], wanted[user, ids[user]], rtol=1e-5, atol=1e-7)


def test_nodes_are_users_then_items_then_entities_without_a_vector(shop):
    model = made(shop)
    z = model.embed(shop)
    assert z.shape == (7 + 9, 5)
    assert z[:7].equal(model.users) and z[7:13].equal(model.items) and not z[13:].any()


@pytest.mark.parametrize(("form", "place"), [(f, p) for f in ("half_squared", "norm") for p in ("layer0", "final")])
@pytest.mark.parametrize("per_batch", [True, False])
def test_the_regulariser_in_its_four_forms(shop, batch_of, form, place, per_batch):
    """Each by hand from the rows of users, items and others; a row that stands twice counts twice."""
    model = LightGCN(dim=5, layers=1, reg=0.3, reg_form=form, reg_on=place, reg_per_batch=per_batch)
    model = model.initialised_for(shop, Streams(0))
    layers = model.layers(shop)
    z = model.readout(layers)
    table = (layers[0] if place == "layer0" else z).detach().double().numpy()
    blocks = [table[np.array(BATCH[0])], table[7 + np.array(BATCH[1])], table[7 + np.array(BATCH[2])]]
    half = sum(0.5 * (block**2).sum() for block in blocks)
    total = half if form == "half_squared" else sum(np.sqrt((block**2).sum()) for block in blocks)
    loss = model.extra_loss(shop, layers, z, batch_of(shop, *BATCH), 0)
    assert float(loss.detach()) == pytest.approx(0.3 * total / (4 if per_batch else 1), rel=1e-5)


def test_without_weight_there_is_no_regulariser(shop, batch_of):
    model = made(shop, reg=0)
    layers = model.layers(shop)
    assert float(model.extra_loss(shop, layers, layers[-1], batch_of(shop, *BATCH), 0)) == 0


def test_the_loss_of_a_batch_and_its_gradient(shop, batch_of):
    """softplus(s(u, j) - s(u, i)) and half the squared norms, differentiated by torch through dense operations."""
    model = made(shop, reg=0.1)
    task = Recommendation(shop)
    task.batch_loss(model, batch_of(shop, *BATCH), 0).backward()
    users, items = (part.detach().double().requires_grad_() for part in (model.users, model.items))
    u, i, j = users[list(BATCH[0])], items[list(BATCH[1])], items[list(BATCH[2])]
    wanted = torch.nn.functional.softplus((u * (j - i)).sum(1)).mean()
    wanted = wanted + 0.1 * 0.5 * (u.square().sum() + i.square().sum() + j.square().sum()) / 4
    wanted.backward()
    torch.testing.assert_close(model.users.grad.double(), users.grad, rtol=1e-5, atol=1e-7)
    torch.testing.assert_close(model.items.grad.double(), items.grad, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize(
    ("init", "std", "wanted"),
    [
        ("xavier", 0.1, (2 / (400 + 50)) ** 0.5),
        ("xavier_normal", 0.1, (2 / (400 + 50)) ** 0.5),
        ("normal", 0.7, 0.7),
    ],
)
def test_initial_vectors_have_the_deviation_asked_for(init, std, wanted):
    model = MF(dim=50, init=init, std=std).with_sizes({"n_users": 400, "n_items": 300}, Streams(1))
    found = model.users.detach().numpy()
    assert found.std() == pytest.approx(wanted, rel=0.03) and abs(found.mean()) < 0.02
    if init == "xavier":
        assert np.abs(found).max() <= (6 / 450) ** 0.5 < np.abs(found).max() * 1.01
    else:
        assert np.abs(found).max() > 3 * wanted


def test_initial_vectors_come_from_the_seed(shop, weights):
    first, again, other = (MF(dim=3).initialised_for(shop, Streams(seed)) for seed in (0, 0, 1))
    assert weights(first) == weights(again) != weights(other)
    assert weights(other.fresh(Streams(0))) == weights(first)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"dim": 0}, r"mf: 'dim' must be an integer in \[1, 65536\]; got 0"),
        ({"reg": -1.0}, "mf: 'reg' must be a number of at least 0; got -1.0"),
        ({"reg": float("nan")}, "mf: 'reg' must be a number"),
        ({"std": "wide"}, "mf: 'std' must be a number of at least 0; got 'wide'"),
        ({"init": "zeros"}, "mf: 'init' must be one of xavier, xavier_normal, normal; got 'zeros'"),
        ({"reg_form": "l1"}, "mf: 'reg_form' must be one of half_squared, norm; got 'l1'"),
        ({"reg_on": "all"}, "mf: 'reg_on' must be one of layer0, final; got 'all'"),
        ({"reg_per_batch": "yes"}, "mf: 'reg_per_batch' must be True or False; got 'yes'"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        MF(**arguments)


def test_other_data_than_it_was_made_for_is_refused(shop, market):
    with pytest.raises(DataError, match="mf was made for 7 users, 6 items; 'market' has 60 users, 30 items"):
        made(shop)(market)


def test_a_graph_is_refused(shop, random_attributed_graph):
    for use in (lambda graph: made(graph), lambda graph: made(shop).layers(graph)):
        with pytest.raises(UsageError, match="mf recommends items to users; graph 'random' has neither"):
            use(random_attributed_graph())


def test_a_model_without_parameters_says_so():
    with pytest.raises(UsageError, match="mf has no parameters yet"):
        MF().fresh(Streams(0))


def test_the_presets_are_the_forms_of_the_published_codes():
    assert make_backbone("mf-mmrec").config() | {"dim": 64} == MF(init="xavier_normal", reg_form="norm").config()
    assert make_backbone("mf-kgat").reg_per_batch is False and make_backbone("mf-lightgcn").std == 1.0
    assert (make_backbone("lightgcn-tf").std, LightGCN().std) == (0.01, 0.1)
    recbole = make_backbone("lightgcn-recbole")
    assert (recbole.n_layers, recbole.reg_form, recbole.init, recbole.reg) == (2, "norm", "xavier", 1e-5)


@pytest.mark.parametrize("backbone", [MF, LightGCN])
def test_tables_trained_elsewhere_are_the_model(shop, backbone):
    rng = np.random.default_rng(4)
    users, items = rng.normal(size=(7, 4)), torch.tensor(rng.normal(size=(6, 4)), requires_grad=True)
    model = backbone.from_tables(users, items, reg=0.5)
    np.testing.assert_allclose(model.users.detach(), users, rtol=1e-6)
    np.testing.assert_allclose(model.items.detach(), items.detach(), rtol=1e-6)
    assert model.config() == backbone(dim=4, reg=0.5).config() and model.users.requires_grad
    with torch.no_grad():
        items.zero_()
    assert bool(model.items.any())  # copied
    same = backbone(dim=4).initialised_for(shop, Streams(3))
    same.load_state_dict(model.state_dict())
    assert model.embed(shop).equal(same.embed(shop)) and model.sizes == same.sizes
    assert not model.fresh(Streams(1)).users.equal(model.users)


@pytest.mark.parametrize(
    ("users", "items", "words"),
    [
        (np.zeros((3, 2)), np.zeros((4, 3)), r"\(3, 2\) and \(4, 3\).*of one width"),
        (np.zeros(3), np.zeros((4, 3)), r"\(users, width\)"),
        (np.zeros((3, 2)), np.full((4, 2), np.nan), "'items' holds numbers that are infinite"),
        (np.full((3, 2), "a"), np.zeros((4, 2)), "'users' is no table of numbers"),
        ([[1.0], [1.0, 2.0]], np.zeros((4, 2)), "'users' is no table of numbers"),
    ],
)
def test_tables_that_are_none_are_refused(users, items, words):
    with pytest.raises(UsageError, match=words):
        MF.from_tables(users, items)


def test_the_width_of_tables_is_not_given_twice():
    with pytest.raises(UsageError, match="'dim' is the width of the tables"):
        MF.from_tables(np.zeros((3, 2)), np.zeros((4, 2)), dim=3)


def test_a_model_without_parameters_says_so_of_any_data(shop):
    with pytest.raises(UsageError, match="has no parameters yet; train it first"):
        MF(dim=3).embed(shop)
