"""VBPR beside a dense re-implementation, and what happens to features that are deleted."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.modality import standard_features, unit_features
from graphforget.models.vbpr import VBPR
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train


def made(data, **arguments) -> VBPR:
    """Return a VBPR for the data."""
    return VBPR(**{"dim": 5, "scale": "raw", **arguments}).initialised_for(data, Streams(3))


def oracle(data, own: dict[str, np.ndarray], names: tuple[str, ...]) -> np.ndarray:
    """Return users above [e_i | x_i W + b] above zeros."""
    x = np.hstack([data.modalities[name] for name in names]).astype(np.float64)
    items = np.hstack([own["items"], x @ own["weight"] + own["bias"]])
    return np.vstack([own["users"], items, np.zeros((data.n_nodes - 13, 10))])


@pytest.mark.parametrize(
    ("named", "names"), [(None, ("image", "text")), ("text,image", ("image", "text")), ("text", ("text",))]
)
def test_embeddings_equal_the_equation(shop, values, named, names):
    model = made(shop, modalities=named)
    wanted = oracle(shop, values(model), names)
    np.testing.assert_allclose(model.embed(shop).numpy(), wanted, rtol=1e-5, atol=1e-6)
    assert model.weight.shape == (sum({"image": 4, "text": 3}[name] for name in names), 5)


def test_standard_features_are_centred_and_of_one_size(shop, values):
    model = made(shop, scale="standard")
    own, blocks = values(model), []
    for name in ("image", "text"):
        x = shop.modalities[name].astype(np.float64)
        x = x - x.mean(axis=0)
        blocks.append(x / np.sqrt((x**2).mean()))
    items = np.hstack([own["items"], np.hstack(blocks) @ own["weight"] + own["bias"]])
    np.testing.assert_allclose(model.embed(shop).numpy()[7:13], items, rtol=1e-4, atol=1e-5)


def test_rows_of_unit_features_have_a_squared_norm_of_one_on_average(shop):
    for name, width in (("image", 4), ("text", 3)):
        found, like = unit_features(shop, name, torch.zeros(1)), standard_features(shop, name, torch.zeros(1))
        torch.testing.assert_close(found * width**0.5, like)
        assert found.square().sum(dim=1).mean().item() == pytest.approx(1.0, rel=1e-5)
    assert (
        made(shop, scale="unit").embed(shop)[7:13, 5:].norm()
        < made(shop, scale="standard").embed(shop)[7:13, 5:].norm()
    )


def test_biases_of_items_and_of_features_are_added_to_scores_and_not_regularised(shop, values, batch_of):
    model = made(shop, biases=True, reg=0.3, reg_form="half_squared")
    with torch.no_grad():
        model.item_bias.normal_(generator=torch.Generator().manual_seed(1))
        model.feature_bias.normal_(generator=torch.Generator().manual_seed(2))
    plain, own = made(shop, reg=0.3, reg_form="half_squared"), values(model)
    x = np.hstack([shop.modalities[name] for name in ("image", "text")]).astype(np.float64)
    z, z0 = model.embed(shop).double().numpy(), plain.embed(shop).double().numpy()
    bias = own["item_bias"] + x @ own["feature_bias"]
    np.testing.assert_allclose(z[:7] @ z[7:13].T, z0[:7] @ z0[7:13].T + bias.T, rtol=1e-5, atol=1e-5)
    items = batch_of(shop, [0, 1, 2], [0, 3, 4], [5, 0, 1])
    assert model.penalty(model.embed(shop), items).item() == pytest.approx(
        plain.penalty(plain.embed(shop), items).item()
    )


@pytest.mark.parametrize("form", ["norm", "half_squared"])
def test_both_places_of_the_regulariser_are_one(shop, batch_of, form):
    task, items = Recommendation(shop), batch_of(shop, [0, 1, 2], [0, 3, 4], [5, 0, 1])
    models = [made(shop, reg=0.3, reg_form=form, reg_on=place) for place in ("layer0", "final")]
    losses = [task.batch_loss(model, items, 0).item() for model in (*models, made(shop, reg=0.0))]
    assert losses[0] == losses[1] > losses[2] + 1e-3


def test_gradients_equal_autograd_through_dense_operations(shop, values, batch_of):
    """BPR and, by default, the un-squared norms of the three blocks of final vectors over the batch."""
    batch = [0, 1, 2, 2], [0, 3, 4, 0], [5, 0, 1, 3]
    model = made(shop, reg=0.3)
    Recommendation(shop).batch_loss(model, batch_of(shop, *batch), 0).backward()
    own = {key: torch.from_numpy(value).requires_grad_() for key, value in values(model).items()}
    x = torch.from_numpy(np.hstack([shop.modalities[name] for name in ("image", "text")])).double()
    items = torch.cat([own["items"], x @ own["weight"] + own["bias"]], dim=1)
    u, i, j = own["users"][batch[0]], items[batch[1]], items[batch[2]]
    loss = torch.nn.functional.softplus((u * (j - i)).sum(1)).mean()
    (loss + 0.3 * (u.norm() + i.norm() + j.norm()) / 4).backward()
    for key, p in model.named_parameters():
        torch.testing.assert_close(p.grad.double(), own[key].grad, rtol=1e-4, atol=1e-6, msg=key)


def test_deleted_features_are_out_of_the_scores_at_once(shop, values):
    """The item's row becomes the mean of the others; the model itself holds no feature."""
    model, before = made(shop), made(shop).embed(shop)
    retained = shop.without(modalities={"image": np.array([2])})
    others = np.delete(shop.modalities["image"], 2, axis=0)
    np.testing.assert_allclose(retained.modalities["image"][2], others.mean(0), rtol=1e-6)
    found = model.embed(retained)
    np.testing.assert_allclose(found.numpy(), oracle(retained, values(model), ("image", "text")), rtol=1e-5, atol=1e-6)
    changed = (found != before).any(dim=1)
    assert np.flatnonzero(changed.numpy()).tolist() == [7 + 2]
    assert sorted(dict(model.named_parameters())) == ["bias", "items", "users", "weight"]
    assert not list(model.buffers())


def test_initial_vectors_are_xavier():
    sizes = {"n_users": 400, "n_items": 300, "modalities": {"image": 90}}
    model = VBPR(dim=16).with_sizes(sizes, Streams(1))
    for part, limit in ((model.users, (6 / 432) ** 0.5), (model.items, (6 / 316) ** 0.5), (model.weight, 90**-0.5)):
        assert 0.95 * limit < float(part.detach().abs().max()) <= limit
    assert model.users.shape == (400, 32)


def test_operations_counted_by_hand(shop):
    assert made(shop).flops(shop) == 2 * 6 * 7 * 5


def test_data_without_features_is_refused():
    plain = Interactions.build(2, 2, [[0], [1]], name="plain")
    with pytest.raises(DataError, match="vbpr reads item features, and 'plain' has none.*lightgcn"):
        VBPR().initialised_for(plain, Streams(0))


def test_an_unknown_modality_is_a_sentence(shop):
    with pytest.raises(DataError, match="vbpr: 'shop': Unknown modality 'imag'. Did you mean 'image'"):
        made(shop, modalities="imag")


def test_other_features_than_trained_on_are_refused(shop):
    with pytest.raises(DataError, match="vbpr was made for .*'text': 3.*'shop' has .*'image': 4"):
        made(Interactions.build(7, 6, shop.pairs(), modalities={"text": shop.modalities["text"]}))(shop)


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        ({"modalities": ""}, "vbpr: 'modalities' must list names once each, as image,text; got ''"),
        ({"modalities": "text,text"}, "vbpr: 'modalities' must list names once each"),
        ({"modalities": ["text"]}, "vbpr: 'modalities' must list names"),
        ({"scale": "units"}, "vbpr: 'scale' must be one of standard, unit, raw; got 'units'"),
        ({"init": "ones"}, "vbpr: 'init' must be one of"),
        ({"dim": -1}, "vbpr: 'dim' must be an integer"),
    ],
)
def test_a_wrong_argument_is_a_sentence(arguments, sentence):
    with pytest.raises(UsageError, match=sentence):
        VBPR(**arguments)


def test_an_item_nobody_chose_is_found_by_its_features(market):
    """Item 0 loses all its users; its picture still says which group it belongs to."""
    cold = market.without(interactions=market.edges[1] == 60)
    model = train(VBPR(dim=8, reg=0.1), Recommendation(cold), epochs=30, lr=0.02, batch=64, validate_every=10)
    z = model.embed(cold).numpy()
    fans = np.unique(np.concatenate([market.pairs(part)[0][market.pairs(part)[1] % 3 == 0] for part in ("train",)]))
    rest = np.setdiff1d(np.arange(60), fans)
    scores = z[:60] @ z[60]
    assert scores[fans].mean() > scores[rest].mean() + 1


def test_a_deletion_leaves_the_features_of_the_others_their_size(shop):
    """Filled rows are the mean and have no spread: counted in, they would make all others larger."""
    gone = np.array([1, 3])
    there = np.setdiff1d(np.arange(shop.n_items), gone)
    found = standard_features(shop.without(items=gone), "image", torch.zeros(1)).double().numpy()
    left = shop.modalities["image"][there].astype(np.float64)
    left = left - left.mean(axis=0)
    np.testing.assert_allclose(found[there], left / np.sqrt(np.square(left).mean()), rtol=1e-4, atol=1e-6)
    assert np.sqrt(np.square(found[there]).mean()) == pytest.approx(1.0) and np.abs(found[gone]).max() < 1e-6
