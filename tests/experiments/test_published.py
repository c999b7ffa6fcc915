"""What the authors of a backbone published is its default, and every part of it can be chosen otherwise."""

from __future__ import annotations

from dataclasses import fields

import pytest

from graphforget.data.load import load
from graphforget.experiments.prepare import original_digest
from graphforget.experiments.setup import Setup, Source, resolved_options, task_defaults
from graphforget.models.zoo import backbones, make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.recipe import LINK, NODE, RECOMMEND, Recipe, default_recipe
from graphforget.training.train import train

CLASSES = backbones().classes()
FIELDS = {field.name for field in fields(Recipe)}


def setup(backbone: str, task: str = "recommend", **changes) -> Setup:
    """Return a setup on the data that fit the task."""
    return Setup(Source("sample-shop" if task == "recommend" else "sample-citations"), backbone, task, **changes)


@pytest.mark.parametrize("cls", CLASSES, ids=lambda cls: cls.name)
def test_every_backbone_publishes_what_recipe_and_task_know(cls):
    known = FIELDS | set.union(*(set(task_defaults(task)) for task in cls.tasks))
    assert set(cls.published) <= known
    for task in cls.tasks:
        recipe = setup(cls.name, task).make_recipe()
        assert {key: getattr(recipe, key) for key in cls.published if key in FIELDS} == {
            key: value for key, value in cls.published.items() if key in FIELDS
        }


@pytest.mark.parametrize(("task", "default"), [("link", LINK), ("node", NODE)])
def test_graph_networks_are_trained_as_before(task, default):
    served = [cls.name for cls in CLASSES if task in cls.tasks]
    assert served and all(setup(name, task).make_recipe() == default for name in served)


def test_the_numbers_are_those_of_the_papers():
    found = {name: setup(name).make_recipe() for name in ("kgat", "mgcn", "ngcf", "pinsage", "lightgcn", "mf")}
    assert (found["kgat"].lr, found["kgat"].batch, found["kgat"].epochs) == (1e-4, 1024, 1000)
    assert (found["mgcn"].lr, found["mgcn"].batch, found["mgcn"].patience) == (1e-3, 2048, 20)
    assert found["mgcn"].lr_decay ** 50 == pytest.approx(0.96, abs=1e-12)
    assert (found["ngcf"].lr, found["ngcf"].batch, found["ngcf"].epochs) == (1e-4, 1024, 400)
    assert (found["pinsage"].lr, found["pinsage"].batch) == (3e-5, 32)
    assert found["lightgcn"] == found["mf"] == RECOMMEND and (RECOMMEND.lr, RECOMMEND.batch) == (1e-3, 2048)


def test_what_is_given_comes_before_what_was_published():
    given = setup("kgat", task_options={"sampler": "users"}, recipe={"lr": 0.5, "batch": 7, "patience": 3})
    recipe, published = given.make_recipe(), setup("kgat").make_recipe()
    assert (recipe.lr, recipe.batch, recipe.patience, recipe.epochs) == (0.5, 7, 3, 1000)
    data = load("sample-shop")
    assert given.make_task(data, 3).sampler == "users" and setup("kgat").make_task(data, 3).sampler == "kgat"
    assert published.batch == 1024 and setup("kgat-refresh").make_recipe() == published


def test_the_recipe_and_the_options_are_written_down_whole():
    made = setup("kgat")
    task = made.make_task(load("sample-shop"), 3)
    assert resolved_options(made, task)["sampler"] == "kgat"
    assert made.as_dict()["task_options"] == {"sampler": "kgat"}
    assert set(made.as_dict()["recipe"]) == FIELDS - {"neighbours"}  # written where neighbours are drawn
    assert set(setup("lightgcn", recipe={"neighbours": "4,3,2"}).as_dict()["recipe"]) == FIELDS
    digests = {original_digest(setup("kgat", recipe={"lr": lr}), task, 3) for lr in (1e-4, 1e-3)}
    assert len(digests) == 2 and original_digest(made, task, 3) in digests


def test_python_trains_with_the_same_recipe():
    task = Recommendation(load("sample-shop"), 3, sampler="kgat")
    model = train(make_backbone("kgat", dim=4, kg_dim=4, layers="4"), task, epochs=1)
    assert model.provenance.recipe == default_recipe(
        "recommend", {**backbones().find("kgat")[0].published, "epochs": 1}
    )
