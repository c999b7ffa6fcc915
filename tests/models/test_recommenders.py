"""What holds for every recommender of the zoo: a new one gets these tests by existing."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.recommender import Recommender
from graphforget.models.zoo import backbones, make_backbone, save_model
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.recipe import Recipe
from graphforget.training.train import run_training, train

NAMES = [name for name in backbones().names() if issubclass(backbones().find(name)[0], Recommender)]
SMALL = {"kgat": {"dim": 6, "layers": "5,4", "kg_dim": 4, "kg_batch": 16}, "ngcf": {"dim": 6, "layers": "5,4"}}


@pytest.fixture(params=NAMES)
def backbone(request) -> Recommender:
    """Each recommender and preset, small."""
    cls, _ = backbones().find(request.param)
    return make_backbone(request.param, **SMALL.get(cls.name, {"dim": 6}))


def test_there_are_the_backbones_of_the_issue():
    assert {"mf", "lightgcn", "ngcf", "kgat", "vbpr", "mgcn", "pinsage"} <= set(NAMES)


def test_its_arguments_are_its_config(backbone):
    again = type(backbone)(**backbone.config())
    assert again.config() == backbone.config() and repr(backbone) == repr(again)
    assert all(f"{key}={value!r}" in repr(backbone) for key, value in backbone.config().items())


def test_embeddings_cover_every_node_and_are_finite(shop, backbone):
    z = backbone.initialised_for(shop, Streams(0)).embed(shop)
    assert z.shape[0] == shop.n_nodes == 16 and bool(torch.isfinite(z).all())


def test_the_hook_is_called_after_each_layer_and_its_result_is_used(shop, backbone):
    model = backbone.initialised_for(shop, Streams(0)).eval()
    plain, calls = model.layers(shop), []

    def note(number, h):
        calls.append(number)
        return h

    assert all(ours.equal(theirs) for ours, theirs in zip(model.layers(shop, note), plain, strict=True))
    assert calls == list(range(1, len(plain) + 1))
    for changed in calls:
        hooked = model.layers(shop, lambda number, h, at=changed: h + 1 if number == at else h)
        assert all(ours.equal(theirs) for ours, theirs in zip(hooked[: changed - 1], plain, strict=False))
        torch.testing.assert_close(hooked[changed - 1], plain[changed - 1] + 1)
        if changed < len(plain):
            assert not hooked[changed].equal(plain[changed])
        assert not model.readout(hooked).equal(model.readout(plain))


def test_every_parameter_learns(market, backbone):
    """The gradients of an epoch, all phases together, leave no parameter out."""
    task, model = Recommendation(market, holdout=0), backbone.initialised_for(market, Streams(0)).train()
    streams = Streams(1)
    for loss in [*task.steps(model, streams, 0, 64), *model.side_phases(market, streams).get("kg", lambda e: [])(0)]:
        loss().backward()
    assert {key for key, p in model.named_parameters() if p.grad is None or not p.grad.any()} == set()


def test_trained_bytes_do_not_depend_on_the_number_of_threads(market, backbone, weights, with_threads):
    task = Recommendation(market, sampler="kgat")
    run = lambda: train(backbone, task, epochs=2, batch=64, validate_every=1)  # noqa: E731
    one, two = with_threads(1, run), with_threads(2, run)
    assert weights(one) == weights(two) == weights(run())
    assert one.provenance.history == two.provenance.history


def test_training_twice_in_place_starts_from_what_there_is(market, backbone, weights):
    """Nothing of a first run but its weights reaches a second one."""
    task, recipe = Recommendation(market, sampler="kgat"), Recipe(2, 0.01, 0.0, 1, "val_recall", batch=64)
    model = run_training(backbone.initialised_for(market, Streams(0)), task, recipe, 3)
    copy = model.clone()
    assert weights(run_training(model, task, recipe, 4)) == weights(run_training(copy, task, recipe, 4))


def test_a_folder_gives_it_back(shop, backbone, weights, tmp_path):
    model = backbone.initialised_for(shop, Streams(0))
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert weights(loaded) == weights(model) and loaded.config() == model.config() and loaded.sizes == model.sizes
    assert loaded.embed(shop).equal(model.embed(shop))
    assert weights(loaded.fresh(Streams(5))) == weights(model.fresh(Streams(5))) != weights(model)


def test_a_deletion_keeps_every_shape_and_leaves_the_model_alone(shop, backbone, weights):
    model = backbone.initialised_for(shop, Streams(0))
    before = weights(model)
    retained = shop.without(users=np.array([0]), items=np.array([4]), triples=np.array([2]))
    z = model.embed(retained)
    assert z.shape == model.embed(shop).shape and bool(torch.isfinite(z).all())
    assert weights(model) == before and model.sizes_of(retained) == model.sizes


def test_a_model_holds_no_data(shop, backbone):
    """The same model on two data values, in any order, gives what each gives alone; nothing of them stays in it."""
    model = backbone.initialised_for(shop, Streams(0))
    other = shop.without(interactions=np.arange(5))
    alone = model.embed(other)
    model.embed(shop)
    assert model.embed(other).equal(alone)
    assert not [key for module in model.modules() for key, value in vars(module).items() if holds_data(value)]
    assert not list(model.buffers())


def holds_data(value) -> bool:
    """Return whether a value is data or a numpy array."""
    return isinstance(value, Interactions | np.ndarray)


def test_what_is_counted_as_work_grows_with_the_data(shop, market, backbone):
    small, large = (backbone.initialised_for(data, Streams(0)).flops(data) for data in (shop, market))
    assert isinstance(small, int) and (0 < small < large or backbone.name == "mf")


def test_a_graph_is_refused(backbone, random_attributed_graph):
    with pytest.raises(UsageError, match=f"{backbone.name} recommends items to users"):
        backbone.initialised_for(random_attributed_graph(), Streams(0))


def test_a_first_layer_that_is_given_stands_in_place_of_its_own(shop, backbone):
    """With and without a hook, which sees the given layer; and through an editor around the model."""
    model = backbone.initialised_for(shop, Streams(0)).eval()
    given = torch.randn(model.layers(shop)[0].shape, generator=torch.Generator().manual_seed(0))
    wanted = model.layers(shop, lambda layer, h: given if layer == 1 else h)
    assert all(ours.equal(theirs) for ours, theirs in zip(model.layers(shop, first=given), wanted, strict=True))
    seen = []
    model.layers(shop, lambda layer, h: seen.append(h) or h, given)
    assert seen[0] is given and len(seen) == len(wanted)
    edited = Edited(model, {1: identity_operator(np.arange(2), given.shape[1])})
    assert all(torch.allclose(a, b) for a, b in zip(edited.layers(shop, first=given), wanted, strict=True))


LEARNERS = {
    "mf": {"dim": 8},
    "lightgcn": {"dim": 8},
    "ngcf": {"dim": 8, "layers": "8"},
    "kgat": {"dim": 8, "kg_dim": 8, "layers": "8", "kg_batch": 256},
    "kgat-refresh": {"dim": 8, "kg_dim": 8, "layers": "8", "kg_batch": 256},
    "vbpr": {"dim": 8},
    "mgcn": {"dim": 8},
    "pinsage": {"dim": 8, "dropout": 0.1},
}


def test_every_backbone_is_asked_to_learn():
    assert {backbones().find(name)[0].name for name in LEARNERS} == {backbones().find(name)[0].name for name in NAMES}


@pytest.mark.parametrize("name", LEARNERS)
def test_it_learns_the_groups(market, name):
    """Three groups of items; a user of one never chose of another, so what is ranked first is of the own group."""
    task = Recommendation(market, sampler="kgat" if name.startswith("kgat") else "edges")
    model = train(make_backbone(name, **LEARNERS[name]), task, epochs=30, lr=0.02, batch=64, validate_every=10)
    assert task.metrics(model.embed(market), "test", ks=(10,))["recall@10"] > 0.9


@pytest.mark.parametrize(
    ("backbone", "options"),
    [
        ("mf", {}),
        ("lightgcn", {}),
        ("lightgcn", {"reg_on": "final"}),
        ("mf", {"loss": "softmax"}),
        ("mf", {"loss": "ssm"}),
        ("lightgcn", {"loss": "softmax", "layers": 1}),
        ("vbpr", {"biases": True}),
    ],
)
def test_the_shorter_way_to_a_batchs_rows_gives_the_same_loss_and_gradient(market, backbone, options):
    task = Recommendation(market, seed=1)
    model = make_backbone(backbone, dim=8, reg=0.1, **options).initialised_for(task.graph, task.streams)
    found = []
    for shorter in (True, False):
        model.zero_grad()
        if not shorter:
            model.has_rows = lambda: False
        loss = task.steps(model, task.streams, 0, 64)[1]()
        loss.backward()
        found.append([loss.detach(), *(p.grad.clone() for p in model.parameters() if p.grad is not None)])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("name", ["mf", "lightgcn"])
def test_a_batch_of_a_model_made_for_other_data_is_refused(market, shop, name):
    task = Recommendation(market, seed=1)
    model = make_backbone(name, dim=8).initialised_for(shop, task.streams)
    with pytest.raises(DataError, match="was made for"):
        task.steps(model, task.streams, 0, 64)[0]()


@pytest.mark.parametrize("name", ["mf", "lightgcn", "vbpr", "mgcn"])
@pytest.mark.parametrize("changed", ["readout", "propagated"])
def test_a_subclass_that_propagates_otherwise_has_no_shorter_way(shop, name, changed):
    cls, _ = backbones().find(name)
    other = type("Other", (cls,), {changed: lambda self, *given: getattr(cls, changed)(self, *given)})
    written = type("Written", (other,), {"at_rows": lambda self, data, rows: cls.at_rows(self, data, rows)})
    made = [kind(dim=4).initialised_for(shop, Streams(0)) for kind in (cls, type("Same", (cls,), {}), other, written)]
    assert [model.has_rows() for model in made] == [True, True, False, True]


def test_the_rows_of_a_batch_are_looked_for_only_where_they_are_read(market, monkeypatch):
    task = Recommendation(market, seed=1)
    monkeypatch.setattr("graphforget.tasks.recommend.near_items", lambda items: pytest.fail("nobody reads them"))
    for name in ("ngcf", "pinsage"):
        model = make_backbone(name, dim=8).initialised_for(task.graph, task.streams)
        assert torch.isfinite(task.steps(model, task.streams, 0, 64)[0]())
    with pytest.raises(pytest.fail.Exception):
        task.steps(make_backbone("mf", dim=8).initialised_for(task.graph, task.streams), task.streams, 0, 64)[0]()
