"""SISA: exact, only touched shards trained anew, mean scores, costs apart."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest

from graphforget._core.errors import DataError, UnsupportedError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.models.ensemble import MeanEnsemble
from graphforget.models.mf import MF
from graphforget.models.zoo import save_model
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.train import train
from graphforget.unlearning.methods.sisa import SISA
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.shards.training import expected_touched

GONE = 5


def other_pairs(parts, user=GONE):
    """Return the parts with other pairs of one user, in training and validation."""
    found = []
    for shift, part in zip((1, 2, 1), parts, strict=True):
        items = (part[1] + np.where(part[0] == user, shift, 0)) % 24
        found.append(np.stack([part[0], items]))
    return found


def test_ten_deletions_touch_six_and_a_half_of_ten_shards():
    assert round(expected_touched(10, 10), 2) == 6.51
    assert expected_touched(10, 0) == 0 and math.isclose(expected_touched(4, 1), 1)


@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
@pytest.mark.parametrize("partition", ["user", "interaction"])
def test_data_that_differ_in_the_deleted_user_give_the_same_bytes(
    parts, task_of, trained, weights, backbone, partition
):
    results = []
    for pairs in (parts, other_pairs(parts)):
        task = task_of(pairs)
        model = trained(backbone, task)
        results.append(unlearn(model, task, Deletion(users=[GONE]), SISA(3, partition), seed=7))
    one, two = results
    assert weights(one.original) != weights(two.original)
    assert weights(one.model) == weights(two.model)
    assert one.model.embed(one.retained.graph).equal(two.model.embed(two.retained.graph))


@pytest.mark.parametrize("partition", ["user", "interaction"])
def test_other_deleted_interactions_give_the_same_bytes(parts, task_of, trained, weights, partition):
    train_pairs, valid, test = parts
    taken = {tuple(pair) for part in parts for pair in part.T.tolist()}
    free = [(u, i) for u in (2, 9, 20) for i in range(24) if (u, i) not in taken][:3]
    old = [tuple(pair) for pair in train_pairs[:, [0, 40, 77]].T.tolist()]
    kept = [pair for pair in map(tuple, train_pairs.T.tolist()) if pair not in old]
    found = []
    for gone in (old, free):
        task = task_of([np.array([*kept, *gone]).T, valid, test])
        result = unlearn(trained("mf", task), task, Deletion(interactions=gone), SISA(4, partition), seed=7)
        found.append(result)
    assert found[0].details["touched"] != found[1].details["touched"]
    assert weights(found[0].model) == weights(found[1].model)


def test_shards_that_lost_nothing_do_not_learn_which_item_went(weights):
    """Their epochs are chosen on lists in which the deleted item may stand."""
    n_users, gone = 60, 24
    pairs = np.array([(user, (7 * user + 5 * k) % gone) for user in range(n_users) for k in range(8)]).T
    held_out = (pairs[0] + 3 * pairs[1]) % 5 == 0
    parts = pairs[:, ~held_out], pairs[:, held_out], pairs[:, held_out]
    found = []
    for first in (0, 1):  # its pairs stand in other shards
        buyers = np.arange(first, n_users, 7)[:4]
        train_pairs = np.concatenate([parts[0], [buyers, np.full(4, gone)]], axis=1)
        task = Recommendation(Interactions.build(n_users, gone + 1, train_pairs, *parts[1:]), seed=0)
        model = train(MF(dim=8), task, epochs=60, lr=1e-2, validate_every=1, batch=64)
        found.append(unlearn(model, task, Deletion(items=[gone]), SISA(6)))
    assert found[0].details["touched"] != found[1].details["touched"]
    assert weights(found[0].model) == weights(found[1].model)


@pytest.mark.parametrize("backbone", ["mf", "lightgcn", "ngcf"])
def test_only_touched_shards_are_trained_anew(task, trained, weights, backbone):
    first = unlearn(trained(backbone), task, Deletion(users=[GONE]), SISA(4))
    second = unlearn(first.model, first.retained, Deletion(users=[11, 12]), SISA(4))
    touched = second.details["touched"]
    assert touched == sorted(set(first.model.shard_map.shards(np.array([11, 12]), np.zeros(2, int)).tolist()))
    assert 0 < len(touched) < 4
    for number in range(4):
        same = weights(first.model.shards[number]) == weights(second.model.shards[number])
        assert same == (number not in touched)
    assert (first.preparation_seconds > 0, second.preparation_seconds) == (True, 0)


def test_two_deletions_in_turn_are_one_deletion_of_both(task, trained, weights):
    model = trained("lightgcn")
    first = unlearn(model, task, Deletion(users=[GONE]), SISA(3))
    turn = unlearn(first.model, first.retained, Deletion(users=[11]), SISA(3))
    both = unlearn(model, task, Deletion(users=[GONE, 11]), SISA(3))
    assert weights(turn.model) == weights(both.model)


def test_an_ensemble_from_a_folder_goes_on_forgetting(task, trained, weights, tmp_path):
    first = unlearn(trained("mf"), task, Deletion(users=[GONE]), SISA(3))
    save_model(first.model, tmp_path / "m")
    read = load_model(tmp_path / "m")
    read.provenance = first.model.provenance
    here, there = (unlearn(m, first.retained, Deletion(users=[11]), SISA(3)) for m in (first.model, read))
    assert weights(here.model) == weights(there.model)
    assert there.preparation_seconds == 0


@pytest.mark.parametrize("between", ["fine-tune:epochs=2", "unlink"])
def test_shards_that_another_method_left_behind_are_trained_anew(task, trained, weights, between, tmp_path):
    """What the other method forgot may be in their weights still, and theirs are of more than their own data."""
    model, exact = trained("lightgcn"), SISA(3)
    first = unlearn(model, task, Deletion(users=[GONE]), exact, seed=0)
    other = unlearn(first.model, first.retained, Deletion(users=[11]), between)
    save_model(other.model, tmp_path / "m")
    for before in (other.model, load_model(tmp_path / "m")):
        last = unlearn(before, other.retained, Deletion(users=[12]), exact, seed=0)
        plain = unlearn(model, task, Deletion(users=[GONE, 11, 12]), exact, seed=0)
        assert weights(last.model) == weights(plain.model)
        left_behind = last.model.shard_map.shards(np.array([11]), np.zeros(1, int)).tolist()
        every = between != "unlink"
        assert last.details["not_of_their_data_alone"] == ([0, 1, 2] if every else left_behind)


@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
def test_layers_of_shards_are_not_compared_with_those_of_one_model(task, trained, backbone):
    first = unlearn(trained(backbone), task, Deletion(users=[GONE]), SISA(3))
    with pytest.raises(UnsupportedError, match="d2dgn: no single random model has the layers of these shards"):
        unlearn(first.model, first.retained, Deletion(users=[11]), "d2dgn-feature:epochs=2")


def test_items_touch_the_shards_that_hold_them(task, trained):
    data = task.graph
    result = unlearn(trained("mf"), task, Deletion(items=[4]), SISA(4))
    users = np.concatenate([data.pairs(part)[0][data.pairs(part)[1] == 4] for part in ("train", "valid")])
    shards = result.model.shard_map.shards(users, np.full(len(users), 4))
    assert result.details["touched"] == sorted(set(shards.tolist()))
    assert result.details["units_deleted"] == len(np.unique(users))


def test_a_receipt_tells_shards_and_costs(task, trained):
    result = unlearn(trained("mf"), task, Deletion(users=[GONE]), SISA(3))
    receipt = result.receipt()
    assert receipt["seconds"] > 0 and receipt["preparation_seconds"] > receipt["seconds"]
    told = {key: receipt["details"][key] for key in ("shards", "unit", "units_deleted", "shards_touched")}
    assert told == {"shards": 3, "unit": "user", "units_deleted": 1, "shards_touched": 1}
    assert receipt["details"]["shards_expected"] == pytest.approx(1)


def test_same_seed_same_bytes_and_another_seed_other_shards(task, trained, weights, with_threads):
    def once(seed=1):
        return unlearn(trained("lightgcn"), task, Deletion(users=[GONE]), SISA(3), seed=seed).model

    one, two = (with_threads(count, once) for count in (1, 2))
    assert weights(one) == weights(two)
    assert once(2).shard_map.digest != one.shard_map.digest


def test_a_shard_that_lost_everything_answers_nothing(task, trained):
    shard_map = unlearn(trained("mf"), task, Deletion(users=[GONE]), SISA(4)).model.shard_map
    everyone = np.arange(36)
    gone = everyone[shard_map.shards(everyone, np.zeros(36, int)) == 2]
    result = unlearn(trained("mf"), task, Deletion(users=gone.tolist()), SISA(4))
    assert not any(bool(value.any()) for value in result.model.shards[2].parameters())


def test_a_killed_run_goes_on_where_it_stood(task, trained, weights, tmp_path):
    model, file, told = trained("mf"), tmp_path / "run.checkpoint", []

    def stop(epoch, epochs, metrics):
        told.append(epoch)
        if len(told) == 7:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        unlearn(model, task, Deletion(users=[GONE]), SISA(3), checkpoint=file, progress=stop)
    assert len(list(tmp_path.glob("run.checkpoint.part-before-*"))) == 2
    resumed = unlearn(model, task, Deletion(users=[GONE]), SISA(3), checkpoint=file)
    whole = unlearn(model, task, Deletion(users=[GONE]), SISA(3))
    assert weights(resumed.model) == weights(whole.model)
    assert resumed.details["shards_resumed"] == 2 and "shards_resumed" not in whole.details


def test_models_of_shards_rank_better_than_chance(task, trained):
    model = train(trained("mf").fresh(task.streams), task, epochs=40, validate_every=10, batch=32, lr=0.02)
    result = unlearn(model, task, Deletion(users=[GONE]), SISA(2))
    assert isinstance(result.model, MeanEnsemble)
    found = result.retained.metrics(result.model.embed(result.retained.graph), "test", ks=(5,))
    assert found["recall@5"] > 1.2 * 5 / 24


@pytest.mark.parametrize("origins", [["x"], "xyz", {"0": "x"}])
def test_a_folder_whose_origins_fit_no_shards_is_refused(task, trained, origins, tmp_path):
    save_model(unlearn(trained("mf"), task, Deletion(users=[GONE]), SISA(3)).model, tmp_path / "m")
    described = json.loads((tmp_path / "m" / "model.json").read_text())
    (tmp_path / "m" / "model.json").write_text(json.dumps(described | {"origins": origins}))
    with pytest.raises(DataError, match="origins must be a list of 3, one for each shard, or empty"):
        load_model(tmp_path / "m")
