"""RecEraser and UltraRE: partitions kept, attention trained anew, refusals."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.models.attention_ensemble import AttentionEnsemble
from graphforget.models.ensemble import MeanEnsemble
from graphforget.models.zoo import save_model
from graphforget.training.model_folder import load_model
from graphforget.unlearning.methods.receraser import RecEraser
from graphforget.unlearning.methods.ultrare import UltraRE
from graphforget.unlearning.run import unlearn

FEW = {"dim": 6, "epochs": 3, "lr": 0.02}
DRAWN = {key: value for key, value in FEW.items() if key != "dim"}
CHOICES = ["inbp", "ubp", "ibp", "random"]


@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
@pytest.mark.parametrize("partition", CHOICES)
def test_the_touched_shards_and_the_attention_are_trained_anew(task, trained, weights, backbone, partition):
    method = RecEraser(3, partition, **(FEW if partition != "random" else DRAWN))
    first = unlearn(trained(backbone), task, Deletion(users=[5]), method)
    assert isinstance(first.model, AttentionEnsemble) and first.parameter_change > 1e-3
    second = unlearn(first.model, first.retained, Deletion(interactions=[pair_of(first, 3)]), method)
    for number in range(3):
        same = weights(first.model.shards[number]) == weights(second.model.shards[number])
        assert same == (number not in second.details["touched"])
    assert weights(first.model.users_attention) != weights(second.model.users_attention)
    assert second.preparation_seconds == 0 < first.preparation_seconds


def pair_of(result, position):
    return tuple(result.retained.graph.pairs("train")[:, position].tolist())


def test_a_deleted_interaction_touches_one_shard(task, trained):
    gone = tuple(task.graph.pairs("train")[:, 10].tolist())
    result = unlearn(trained("mf"), task, Deletion(interactions=[gone]), RecEraser(3, **FEW))
    assert result.details["units_deleted"] == 1 and result.details["shards_touched"] == 1


@pytest.mark.parametrize("method", [RecEraser(3, **FEW), RecEraser(3, "ubp", **FEW), UltraRE(3, dim=6)])
def test_the_partition_forgets_who_left(task, trained, method):
    model = unlearn(trained("mf"), task, Deletion(users=[5]), method).model
    users, items = (np.concatenate([task.graph.pairs(p)[row] for p in ("train", "valid")]) for row in (0, 1))
    shards = model.shard_map.shards(users, items)
    assert (shards[users == 5] == -1).all() and (shards[users != 5] >= 0).any()


@pytest.mark.parametrize("method", ["fine-tune:epochs=1", "reverse-bpr:epochs=1", "unlink"])
def test_the_partition_forgets_what_another_method_forgets(task, trained, method, tmp_path):
    """Its list of interactions is a list of the data, on disk as well."""
    first = unlearn(trained("mf"), task, Deletion(users=[5]), RecEraser(3, **FEW))
    gone = task.graph.pairs("train")[:, task.graph.pairs("train")[0] == 7]
    named = Deletion(interactions=[tuple(pair) for pair in gone.T.tolist()])
    result = unlearn(first.model, first.retained, named, method)
    save_model(result.model, tmp_path / "m")
    keys = gone[0] * task.graph.n_items + gone[1]
    for model in (result.model, load_model(tmp_path / "m")):
        assert len(keys) and not np.isin(keys, model.numbers.numpy()).any()
        assert (model.shard_map.shards(*gone) == -1).all()
    assert np.isin(keys, first.model.numbers.numpy()).all()


def test_two_runs_have_the_same_bytes_on_one_and_two_threads(task, trained, weights, with_threads):
    for method in (RecEraser(3, iterations=3, **FEW), UltraRE(3, dim=6, rounds=2, iterations=5)):
        one, two = (
            with_threads(n, lambda m=method: weights(unlearn(trained("lightgcn"), task, Deletion(users=[5]), m).model))
            for n in (1, 2)
        )
        assert one == two


def test_ultrare_serves_each_user_by_his_own_shard(task, trained):
    result = unlearn(trained("mf"), task, Deletion(users=[5]), UltraRE(3, dim=6))
    model, data = result.model, result.retained.graph
    assert isinstance(model, MeanEnsemble) and model.votes == "known"
    z = model.embed(data)
    for user in (0, 8, 30):
        shard = int(model.shard_map.table[user])
        own = model.shards[shard]
        scores = (z[36:60] @ z[user]).numpy()
        np.testing.assert_allclose(scores, (own.items @ own.users[user]).numpy(), rtol=1e-5, atol=1e-7)


def clusters(model) -> list[int]:
    return model.shard_map.table.tolist()


def test_clusters_of_another_method_are_not_taken_for_its_own(task, trained):
    """RecEraser's and UltraRE's users in three shards look alike; the options of one say nothing of the other's."""
    ours, gone = UltraRE(3, dim=6, weight=0.5), Deletion(users=[5])
    theirs = unlearn(trained("mf"), task, gone, RecEraser(3, "ubp", **FEW))
    own = unlearn(trained("mf"), theirs.retained, Deletion(users=[6]), ours)
    mixed = unlearn(theirs.model, theirs.retained, Deletion(users=[6]), ours)
    assert mixed.details["divided_anew"] and mixed.preparation_seconds > 0
    assert clusters(mixed.model) == clusters(own.model) != clusters(theirs.model)
    back = unlearn(mixed.model, mixed.retained, Deletion(users=[7]), RecEraser(3, "ubp", **FEW))
    assert back.details["divided_anew"] and back.preparation_seconds > 0
    again = unlearn(mixed.model, mixed.retained, Deletion(users=[7]), ours)
    assert "divided_anew" not in again.details and again.preparation_seconds == 0


def test_attention_does_not_join_other_parameters(task, trained):
    with pytest.raises(UnsupportedError, match="ngcf learns other parameters"):
        unlearn(trained("ngcf"), task, Deletion(users=[5]), RecEraser(3, **FEW))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: RecEraser(1), "'shards' must be an integer of at least 2; got 1"),
        (lambda: RecEraser(partition="ubq"), "'partition' must be one of inbp, ubp, ibp, random"),
        (lambda: RecEraser(slack=0.9), "'slack' must be a number of at least 1"),
        (lambda: RecEraser(selection="last", patience=3), "receraser: 'patience' has no effect with selection=last"),
        (lambda: RecEraser(partition="random", slack=1.5), "receraser: 'slack' has no effect with partition=random"),
        (lambda: UltraRE(eps=0.0), "'eps' must be a number above 0"),
        (lambda: UltraRE(weight=0.0), "'weight' must be a number above 0 and at most 1"),
    ],
)
def test_impossible_settings_are_refused(make, words):
    with pytest.raises(UsageError, match=words):
        make()


def test_more_shards_than_users_are_refused(task, trained):
    with pytest.raises(DataError, match="cannot fill 40 shards"):
        unlearn(trained("mf"), task, Deletion(users=[5]), UltraRE(40, dim=6))


def test_only_sisa_is_declared_exact():
    assert not RecEraser.exact and not UltraRE.exact
