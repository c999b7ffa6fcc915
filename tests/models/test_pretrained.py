"""Users and items that start from the vectors of a matrix factorisation, and its gold, which learns them again."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.models.kgat import KGAT
from graphforget.models.mf import MF
from graphforget.models.pretrained import Vectors
from graphforget.models.zoo import save_model
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.recipe import RECOMMEND
from graphforget.training.train import start, train
from graphforget.unlearning.run import unlearn

FEW = {"epochs": 3, "batch": 64, "validate_every": 1, "lr": 0.02}
SMALL = {"dim": 5, "kg_dim": 4, "layers": "4", "kg_batch": 256}


def made(data, **arguments) -> KGAT:
    """Return a KGAT for the data."""
    return KGAT(**{**SMALL, "layers": "4,3", **arguments}).initialised_for(data, Streams(3))


@pytest.fixture(scope="module")
def task(market):
    """The market's task."""
    return Recommendation(market, seed=2)


@pytest.fixture(scope="module")
def mf(task):
    """An MF trained for some epochs of its own recipe, with a seed of its own."""
    return train(MF(dim=5, reg=0.01), task, seed=9, epochs=4, batch=32, lr=0.05, validate_every=2)


def test_vectors_of_an_mf_are_where_users_and_items_start(shop):
    mf = MF(dim=5).initialised_for(shop, Streams(8))
    model, plain = made(shop, pretrained=mf), made(shop)
    assert model.nodes[:7].equal(mf.users) and model.nodes[7:13].equal(mf.items)
    assert model.nodes[13:].equal(plain.nodes[13:]) and model.transforms.equal(plain.transforms)
    assert not any(value.equal(mf.users) for value in plain.parameters())


def test_vectors_from_a_file(shop, tmp_path):
    rng = np.random.default_rng(0)
    users, items = rng.normal(size=(7, 5)), rng.normal(size=(6, 5)).astype(np.float32)
    np.savez(tmp_path / "mf.npz", user_embed=users, item_embed=items)
    for path in (tmp_path / "mf.npz", str(tmp_path / "mf.npz")):
        nodes = made(shop, pretrained=path).nodes.detach().numpy()
        assert np.array_equal(nodes[:13], np.vstack([users.astype(np.float32), items]))


@pytest.mark.parametrize(
    ("arrays", "sentence"),
    [
        ({"user_embed": np.ones((7, 5))}, "array 'item_embed': not in the file, which holds user_embed"),
        ({"user_embed": np.ones((7, 5)), "item_embed": np.ones(6)}, "'item_embed': expected a table of finite numbers"),
        ({"user_embed": np.full((7, 5), np.nan), "item_embed": np.ones((6, 5))}, "'user_embed': expected a table"),
        ({"user_embed": np.ones((7, 4)), "item_embed": np.ones((6, 4))}, r"shapes \(7, 4\) and \(6, 4\); \(7, 5\)"),
        ({"user_embed": np.ones((8, 5)), "item_embed": np.ones((6, 5))}, "Pre-train on the same users and items"),
        ({"user_embed": np.array([[None]]), "item_embed": np.ones((6, 5))}, "Python objects"),
    ],
)
def test_unfit_vectors_are_refused(shop, tmp_path, arrays, sentence):
    np.savez(tmp_path / "mf.npz", **arrays)
    with pytest.raises(DataError, match=sentence):
        made(shop, pretrained=tmp_path / "mf.npz")


def test_a_missing_file_of_vectors_is_an_error_at_once():
    with pytest.raises(DataError, match="nowhere.npz"):
        KGAT(pretrained=Path("nowhere.npz"))


def test_an_mf_by_name_is_trained_first_on_the_same_task(task, weights):
    """The same bytes as from an MF of that form trained by hand: seed and default recipe are the task's."""
    by_hand = train(MF(dim=5, reg_per_batch=False), task)
    wanted = train(KGAT(**SMALL, pretrained=by_hand), task, **FEW)
    found = train(KGAT(**SMALL, pretrained="mf-kgat"), task, **FEW)
    assert weights(found) == weights(wanted) != weights(train(KGAT(**SMALL), task, **FEW))
    assert found.config()["pretrained"] == "mf-kgat" and found.pretraining is None


def test_without_validation_pairs_the_mf_keeps_its_last_epoch(market, weights):
    task = Recommendation(replace(market, valid=None), holdout=0)
    few = {**FEW, "selection": "last"}
    by_hand = train(MF(dim=5), task, selection="last")
    found = train(KGAT(**SMALL, pretrained="mf"), task, **few)
    assert weights(found) == weights(train(KGAT(**SMALL, pretrained=by_hand), task, **few))


@pytest.mark.parametrize("given", ["mf-kgat", "trained"])
def test_gold_learns_the_vectors_again_from_what_is_retained(task, mf, weights, given):
    """By hand: MF by its recipe on the retained task, with gold's seed, then KGAT from its vectors."""
    model = train(KGAT(**SMALL, pretrained=mf if given == "trained" else given), task, **FEW)
    user = task.graph.user_ids_of([int(task.graph.edges[0, 0])])[0]
    result = unlearn(model, task, Deletion(users=[user]), "retrain")
    first, recipe = (MF(dim=5, reg=0.01), mf.provenance.recipe)
    if given != "trained":
        first, recipe = MF(dim=5, reg_per_batch=False), RECOMMEND
    again = train(first, result.retained, recipe=recipe)
    wanted = train(KGAT(**SMALL, pretrained=again), result.retained, **FEW)
    assert weights(result.model) == weights(wanted)
    assert not result.model.nodes[:5].equal(model.nodes[:5])


def test_gold_of_a_model_from_a_folder_is_the_same(task, mf, weights, tmp_path):
    model = train(KGAT(**SMALL, pretrained=mf), task, **FEW)
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert weights(loaded) == weights(model) and loaded.config() == model.config() and loaded.pretraining is None
    one, two = (start(m, task, Streams(5)) for m in (KGAT(**model.config()), KGAT(**loaded.config())))
    assert one.pretraining == two.pretraining == loaded.fresh(Streams(0)).pretraining
    assert one.pretraining.arguments == mf.config() and one.pretraining.recipe["lr"] == 0.05


def test_vectors_of_a_file_cannot_be_learned_again(shop, tmp_path, weights):
    """They know the interactions, so a fresh start must not silently take or drop them; a folder reads back."""
    np.savez(tmp_path / "mf.npz", user_embed=np.ones((7, 5)), item_embed=np.ones((6, 5)))
    model = made(shop, pretrained=tmp_path / "mf.npz")
    with pytest.raises(UsageError, match="kgat: users and items started from a file .*no gold.*pretrained=mf-kgat"):
        model.fresh(Streams(0))
    save_model(model, tmp_path / "m")
    loaded = load_model(tmp_path / "m")
    assert weights(loaded) == weights(model) and loaded.config() == model.config()
    for use in (lambda: loaded.fresh(Streams(0)), lambda: loaded.initialised_for(shop, Streams(0))):
        with pytest.raises(UsageError, match="pre-trained vectors"):
            use()


RECORD = {"digest": "sha256:12", "arguments": {"dim": 5}, "recipe": {"epochs": 3}}


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"digest": 4}, r"a wrong entry \(digest\)"),
        ({"arguments": {"dims": 5}}, r"a wrong entry \(arguments\)"),
        ({"arguments": {"dim": 0}}, "mf: 'dim' must be an integer"),
        ({"recipe": 3}, r"a wrong entry \(recipe\)"),
        ({"other": 3}, r"kgat: .* a wrong entry \(keys\). It must hold digest, arguments, recipe"),
    ],
)
def test_a_wrong_record_of_vectors_is_refused(change, sentence):
    assert KGAT(pretrained=RECORD).pretraining is None  # until there are data to train it on
    with pytest.raises(UsageError, match=sentence):
        KGAT(pretrained={**RECORD, **change})


@pytest.mark.parametrize(
    ("recipe", "sentence"),
    [
        ({"epoch": 3}, "record of pretrained vectors: Unknown field of the recipe 'epoch'"),
        ({"lr": "x"}, "'lr' must be"),
    ],
)
def test_a_wrong_recipe_in_a_record_is_a_sentence(task, recipe, sentence):
    with pytest.raises(UsageError, match=sentence):
        train(KGAT(**SMALL, pretrained={**RECORD, "recipe": recipe}), task, **FEW)


def test_vectors_of_which_the_record_alone_is_left_are_asked_for(shop):
    with pytest.raises(UsageError, match=r"vectors it started from \(sha256:12\) are not kept"):
        Vectors.of(RECORD, "kgat").write(made(shop).nodes, 7, 6, "kgat")
