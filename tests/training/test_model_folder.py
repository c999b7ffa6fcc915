"""A model folder read with its provenance, which decides how gold is trained."""

from __future__ import annotations

import json

import pytest

import graphforget as gf
from graphforget._core.errors import DataError
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.recommend import Recommendation
from graphforget.training.recipe import Recipe
from graphforget.unlearning.run import unlearn


@pytest.fixture(scope="module")
def task(random_attributed_graph):
    """A small link task."""
    return LinkPrediction(random_attributed_graph(n=80, n_edges=200), seed=6)


@pytest.fixture
def model(task, tmp_path):
    """A GCN trained in a way of its own, saved and read again."""
    made = gf.train(GCN(hidden=8), task, seed=7, epochs=3, validate_every=2, lr=0.05)
    gf.save_model(made, tmp_path / "m")
    read = gf.load_model(tmp_path / "m")
    assert read.provenance == made.provenance
    return read


def test_gold_follows_recipe_and_seed_of_the_original(model, task):
    deletion = gf.sample_deletion(task, edges=5)
    gold = unlearn(model, task, deletion, "retrain")
    made = gold.model.provenance
    assert (made.recipe, made.seed, gold.seed) == (model.provenance.recipe, 7, 7) and made.recipe.epochs == 3
    asked = unlearn(model, task, deletion, "retrain", seed=8)
    assert (asked.seed, asked.model.provenance.seed) == (8, 8)


@pytest.mark.parametrize("method", ["gnndelete", "unlink", "fine-tune"])
def test_a_later_gold_knows_the_recipe_too(model, task, method):
    deletion = gf.sample_deletion(task, edges=5)
    first = unlearn(model, task, deletion, method, **({} if method == "unlink" else {"epochs": 2}))
    second = gf.sample_deletion(first.retained, edges=4)
    again = unlearn(first.model, first.retained, second, "retrain")
    assert again.model.provenance.recipe == model.provenance.recipe and again.seed == 7
    assert "recipe" not in again.receipt().get("details", {})


def test_the_report_trains_gold_from_the_originals_seed(model, task):
    """A gold made by `unlearn` is taken for it; what remains to be trained is the noise floor."""
    deletion = gf.sample_deletion(task, edges=5)
    results = [unlearn(model, task, deletion, method) for method in ("unlink", "retrain")]
    told = []
    report = gf.evaluate(results, attack=False, progress=lambda epoch, epochs, metrics: told.append((epoch, epochs)))
    assert [row.name for row in report.rows] == ["Original", "Gold", "Noise floor", "unlink"]
    whole = []
    gf.evaluate(results[:1], attack=False, progress=lambda epoch, epochs, metrics: whole.append((epoch, epochs)))
    assert {epochs for _, epochs in whole} == {3} and len(whole) == 2 * len(told) > 0


def test_what_the_model_does_not_know_is_said_in_the_receipt(model, task):
    del model.provenance
    result = unlearn(model, task, gf.sample_deletion(task, edges=5), "unlink")
    assert "unknown to the model" in result.receipt()["details"]["recipe"] and result.seed == task.seed
    shop = Recommendation(gf.load("sample-shop"), seed=0)
    plain = gf.train(LightGCN(dim=4), shop, epochs=1)
    recipe = plain.provenance.recipe
    del plain.provenance
    gone = gf.Deletion(users=[shop.graph.user_ids_of([0])[0]])
    told = unlearn(plain, shop, gone, "unlink").details["recipe"]
    assert f"batch={recipe.batch}" in told and f"lr={recipe.lr}" in told


WHOLE = {"recipe": {}, "seed": 1, "task": "t", "best_epoch": 1, "history": []}


@pytest.mark.parametrize(
    "damage",
    [{"seed": 1}, [], {**WHOLE, "recipe": {"lrr": 1}}, {**WHOLE, "recipe": {"epochs": -3}}, {**WHOLE, "seed": "a"}],
)
def test_a_broken_provenance_is_a_sentence(model, tmp_path, damage):
    path = tmp_path / "m" / "model.json"
    text = json.loads(path.read_text())
    path.write_text(json.dumps({**text, "provenance": damage}))
    with pytest.raises(DataError, match="provenance is not whole"):
        gf.load_model(tmp_path / "m")
    assert Recipe(**text["provenance"]["recipe"]) == model.provenance.recipe
