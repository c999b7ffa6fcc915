"""What ranks by likelihood: the cosine of the loss and the share of an item among the training pairs."""

from __future__ import annotations

import numpy as np
import pytest

import graphforget as gf
from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.models.ensemble import MeanEnsemble
from graphforget.models.zoo import make_backbone, save_model
from graphforget.training.model_folder import load_model

OPTIONS = {"loss": "ssm", "temperature": 0.5, "dim": 4}


def made(data, name="lightgcn", **options):
    """Return a backbone with initial weights."""
    return make_backbone(name, **{**OPTIONS, **options}).initialised_for(data, Streams(3)).eval()


def by_hand(data, z, temperature):
    """Return cos(u, i) / t + log p(i), computed in float64."""
    users, items = z[: data.n_users], z[data.n_users : data.n_users + data.n_items]
    users, items = (part / np.linalg.norm(part, axis=1, keepdims=True) for part in (users, items))
    count = np.array([(data.edges[1] == data.n_users + item).sum() for item in range(data.n_items)])
    return users @ items.T / temperature + np.log((count + 1) / (count.sum() + data.n_items))


@pytest.mark.parametrize("name", ["mf", "lightgcn"])
def test_scores_are_cosines_over_the_temperature_and_the_log_of_the_share(shop, name):
    plain, model = made(shop, name), made(shop, name, rank="likelihood")
    z, found = (one.embed(shop).double().numpy() for one in (plain, model))
    ends = shop.n_users, shop.n_users + shop.n_items
    np.testing.assert_allclose(found[: ends[0]] @ found[ends[0] : ends[1]].T, by_hand(shop, z, 0.5), atol=1e-5)
    assert found.shape == (shop.n_nodes, 5)


def test_training_reads_the_products_and_never_the_share(shop, weights):
    trained = [
        gf.train(make_backbone("lightgcn", **OPTIONS, rank=rank), gf.Recommendation(shop), epochs=2, selection="last")
        for rank in ("product", "likelihood")
    ]
    assert weights(trained[0]) == weights(trained[1])


def test_deleted_pairs_do_not_count(shop):
    """The share follows the graph that is answered from, so that the model holds nothing of who chose what."""
    task, model = gf.Recommendation(shop), made(shop, rank="likelihood")
    item = int(shop.edges[1, 0])
    user = shop.user_ids_of(shop.edges[:1, 0])[0]
    result = gf.unlearn(model, task, gf.Deletion(users=[user]), "unlink")
    before, after = model.embed(shop)[item, -1].exp(), result.model.embed(result.retained.graph)[item, -1].exp()
    pairs, left, count = shop.n_edges, result.retained.graph.n_edges, int((shop.edges[1] == item).sum())
    assert before.item() == pytest.approx((count + 1) / (pairs + shop.n_items), rel=1e-5)
    assert after.item() == pytest.approx(count / (left + shop.n_items), rel=1e-5)


def test_it_is_kept_in_a_folder(shop, tmp_path):
    model = made(shop, rank="likelihood")
    save_model(model, tmp_path / "m")
    assert load_model(tmp_path / "m").embed(shop).equal(model.embed(shop))


@pytest.mark.parametrize("method", ["mmrecun", "d2dgn:epochs=2", "gnndelete:epochs=2", "fine-tune:epochs=2"])
def test_what_methods_make_of_it_ranks_by_likelihood(shop, method):
    task = gf.Recommendation(shop)
    model = gf.train(make_backbone("lightgcn", **OPTIONS, rank="likelihood"), task, epochs=2, selection="last")
    user = shop.user_ids_of(shop.edges[:1, 0])[0]
    result = gf.unlearn(model, task, gf.Deletion(users=[user]), method)
    graph = result.retained.graph
    column = result.model.embed(graph)[graph.n_users : graph.n_users + graph.n_items, -1].double().numpy()
    count = np.bincount(graph.edges[1] - graph.n_users, minlength=graph.n_items)
    np.testing.assert_allclose(np.exp(column), (count + 1) / (count.sum() + graph.n_items), rtol=1e-5)


def test_an_ensemble_joins_what_its_shards_answer(shop):
    task = gf.Recommendation(shop)
    model = gf.train(make_backbone("mf", **OPTIONS, rank="likelihood"), task, epochs=2, selection="last")
    user = shop.user_ids_of(shop.edges[:1, 0])[0]
    result = gf.unlearn(model, task, gf.Deletion(users=[user]), "sisa:shards=2")
    assert isinstance(result.model, MeanEnsemble)
    assert result.model.embed(result.retained.graph).shape[1] == 2 * 5


def test_it_takes_the_loss_that_it_reads():
    with pytest.raises(UsageError, match="rank='likelihood' reads what loss='ssm' learns; the loss is 'bpr'"):
        make_backbone("lightgcn", rank="likelihood")
    with pytest.raises(UsageError, match="'rank' must be one of product, likelihood; got 'cos'"):
        make_backbone("mf", rank="cos", loss="ssm")
