"""Models of shards that answer as one: mean scores, attention, folders."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
import torch

from graphforget._core.errors import UsageError
from graphforget._core.streams import Stream, Streams
from graphforget.data.interactions import Interactions
from graphforget.data.shard_map import ShardMap, shards_of
from graphforget.models.attention_ensemble import Attention, AttentionEnsemble
from graphforget.models.ensemble import MeanEnsemble
from graphforget.models.shifted import Shifted
from graphforget.models.zoo import make_backbone, save_model
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model

K, N_USERS, N_ITEMS = 3, 12, 9


@pytest.fixture(scope="module")
def data():
    """12 users (the last without training pairs), 9 items."""
    rng = np.random.default_rng(0)
    users, items = np.divmod(rng.choice(N_USERS * N_ITEMS - N_ITEMS, 50, replace=False), N_ITEMS)
    return Interactions.build(N_USERS, N_ITEMS, np.stack([users, items]))


def shards(data, backbone, **options):
    model = make_backbone(backbone, dim=4, **options)
    return [model.initialised_for(data, Streams(seed)) for seed in range(K)]


def maps(unit):
    """A drawn map and a table of the same unit."""
    drawn = ShardMap(K, N_ITEMS, unit, key=4)
    if unit == "user":
        return drawn, ShardMap(K, N_ITEMS, unit, None, np.arange(N_USERS) % K)
    numbers = np.arange(N_USERS * N_ITEMS)
    return drawn, ShardMap(K, N_ITEMS, unit, None, numbers % K, numbers)


def scores(z):
    return (z[:N_USERS] @ z[N_USERS : N_USERS + N_ITEMS].T).numpy()


def apart(models, data, shard_map):
    """Return the scores of every model on its own shard, (k, n_users, n_items), and who it knows."""
    parts = shards_of(data, shard_map)
    found = [scores(model.embed(part)) for model, part in zip(models, parts, strict=True)]
    return np.stack(found), np.stack([part.user_degrees > 0 for part in parts])


@pytest.mark.parametrize("votes", ["all", "known"])
@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
@pytest.mark.parametrize("unit", ["user", "interaction"])
def test_the_ensemble_scores_the_mean_of_its_models(data, backbone, unit, votes):
    """Of all of them, or of those whose shard holds pairs of the user; nothing for a user whom none knows."""
    for shard_map in maps(unit):
        models = shards(data, backbone)
        each, known = apart(models, data, shard_map)
        asked = known if votes == "known" else np.ones_like(known)
        joined = scores(MeanEnsemble(models, shard_map, votes).embed(data))
        for user in range(N_USERS):
            expected = each[asked[:, user], user].mean(axis=0) if asked[:, user].any() else np.zeros(N_ITEMS)
            np.testing.assert_allclose(joined[user], expected, rtol=1e-5, atol=1e-8)


def test_a_first_layer_that_is_given_stands_in_place_of_the_joined_one(data):
    models, shard_map = shards(data, "lightgcn"), maps("user")[0]
    for ensemble in (MeanEnsemble(models, shard_map), AttentionEnsemble(models, shard_map, streams=Streams(2)).eval()):
        given = torch.randn(ensemble.layers(data)[0].shape, generator=torch.Generator().manual_seed(0))
        wanted = ensemble.layers(data, lambda layer, h, given=given: given if layer == 1 else h)
        assert all(ours.equal(theirs) for ours, theirs in zip(ensemble.layers(data, first=given), wanted, strict=True))
        assert wanted[0] is given


def test_a_shard_passes_messages_over_its_own_pairs(data):
    models, shard_map = shards(data, "lightgcn"), maps("user")[0]
    parts = shards_of(data, shard_map)
    without_last = data.with_edges(np.concatenate([part.edges for part in parts[:-1]], axis=1))
    whole, less = (MeanEnsemble(models, shard_map, "all").embed(one) for one in (data, without_last))
    assert whole[:, :8].equal(less[:, :8]) and not whole[:, 8:].equal(less[:, 8:])


def test_attention_is_its_formula():
    attention, tables = Attention(K, 4, Streams(1)), torch.randn(K, 5, 4, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        attention.shift.copy_(torch.randn(K, 1, 4, generator=torch.Generator().manual_seed(1)))
        attention.hidden_shift.fill_(0.3)
        found = attention(tables).numpy()
    w, b, wa, ba, h = (
        getattr(attention, key).detach().numpy() for key in ("transform", "shift", "hidden", "hidden_shift", "head")
    )
    for row in range(5):
        moved = [tables[s, row].numpy() @ w[s] + b[s, 0] for s in range(K)]
        logits = np.array([(np.maximum(m @ wa + ba, 0) @ h).item() for m in moved])
        share = np.exp(logits) / np.exp(logits).sum()
        np.testing.assert_allclose(found[row], sum(a * m for a, m in zip(share, moved, strict=True)), rtol=1e-4)


def test_joined_embeddings_are_propagated_over_the_graph_that_is_given(data):
    models = shards(data, "lightgcn", layers=2)
    joined = AttentionEnsemble(models, maps("user")[0], streams=Streams(2))
    layers = [layer.detach() for layer in joined.eval().layers(data)]
    users = joined.users_attention(torch.stack([model.users for model in joined.shards])).detach()
    assert layers[0][:N_USERS].equal(users)
    a = torch.zeros(data.n_nodes, data.n_nodes)
    a[tuple(torch.from_numpy(data.edges.copy()))] = 1
    a = a + a.T
    scale = a.sum(dim=1).clamp(min=1) ** -0.5
    a = scale[:, None] * a * scale
    expected = (layers[0] + a @ layers[0] + a @ a @ layers[0]) / 3
    torch.testing.assert_close(joined.embed(data), expected)


def test_only_the_attention_learns_and_only_users_are_dropped(data):
    joined = AttentionEnsemble(shards(data, "mf"), maps("user")[0], keep=0.5)
    learning = {key.partition(".")[0] for key, value in joined.named_parameters() if value.requires_grad}
    assert learning == {"users_attention", "items_attention"}
    torch.manual_seed(0)
    table = joined.train().layers(data)[0]
    assert 0 < (table[:N_USERS] == 0).float().mean() < 1
    assert not (table[N_USERS:] == 0).any()
    assert not (joined.embed(data)[:N_USERS] == 0).any()


@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
@pytest.mark.parametrize("unit", ["user", "interaction"])
def test_an_ensemble_survives_a_folder(data, tmp_path, backbone, unit):
    for number, shard_map in enumerate(maps(unit)):
        models = shards(data, backbone)
        for made in (MeanEnsemble(models, shard_map, "all"), AttentionEnsemble(models, shard_map, keep=0.9, reg=0.1)):
            folder = tmp_path / f"{number}-{made.name}"
            save_model(made, folder)
            read = load_model(folder)
            assert type(read) is type(made) and read.config() == made.config()
            assert read.shard_map.digest == made.shard_map.digest
            assert read.embed(data).equal(made.embed(data))


def test_a_fresh_start_is_one_model(data):
    models = shards(data, "mf")
    fresh = MeanEnsemble(models, maps("user")[0]).fresh(Streams(8))
    assert type(fresh) is type(models[0]) and fresh.users.equal(models[0].fresh(Streams(8)).users)


def test_impossible_ensembles_are_refused(data):
    with pytest.raises(UsageError, match="3 shards needs as many models; got 2"):
        MeanEnsemble(shards(data, "mf")[:2], maps("user")[0])
    with pytest.raises(UsageError, match="'votes' must be one of known, all"):
        MeanEnsemble(shards(data, "mf"), maps("user")[0], "most")
    with pytest.raises(UsageError, match="ngcf learns other parameters"):
        AttentionEnsemble(shards(data, "ngcf"), maps("user")[0])


def test_votes_follow_the_device_of_the_models(data):
    """On the device "meta", which has shapes alone, a table of another device in a product is an error."""
    ensemble = MeanEnsemble(shards(data, "mf"), maps("user")[0])
    here = ensemble(data)
    there = ensemble.to("meta")(data)
    assert (here.device.type, there.device.type) == ("cpu", "meta") and there.shape == here.shape


@pytest.mark.parametrize("biases", [False, True])
def test_all_shards_are_regularised_and_no_bias_is(data, biases):
    shown = dataclasses.replace(data, modalities={"image": np.eye(N_ITEMS)}, missing={"image": np.zeros(N_ITEMS, bool)})
    models = shards(shown, "vbpr", biases=biases, reg_form="half_squared")
    ensemble, items = MeanEnsemble(models, maps("user")[0], "all"), Recommendation(shown).training_items(Stream(1))
    layers = ensemble.layers(shown)
    joined = layers[0].detach().requires_grad_()
    ensemble.extra_loss(shown, layers, joined, items, 0).backward()
    learns = joined.grad.any(dim=0).view(K, -1)
    assert learns[:, :8].all() and not learns[:, 8:].any() and learns.shape[1] == 8 + biases


def test_every_shard_forgets_what_it_learned_about_features():
    rng = np.random.default_rng(0)
    data = Interactions.build(
        6, 5, [np.repeat(np.arange(6), 2), rng.integers(0, 5, 12)], modalities={"image": np.eye(5)}
    )
    models = [make_backbone("mgcn", dim=4, k=2).initialised_for(data, Streams(seed)) for seed in range(2)]
    with torch.no_grad():
        for model in models:
            model.learned[0].fill_(1.0)
    edited = Shifted(MeanEnsemble(models, ShardMap(2, 5, "user", key=1)), torch.zeros(11, 8))
    edited.clear_features({"image": np.arange(5) == 3})
    found = [shard.learned[0].detach().numpy() for shard in edited.base.shards]
    assert [rows.any(axis=1).tolist() for rows in found] == [[True, True, True, False, True]] * 2
