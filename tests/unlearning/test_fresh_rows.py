"""Rows that nothing retained speaks of: which they are, and that they come out as gold has them."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.models.mf import MF
from graphforget.models.shifted import Shifted
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.fresh_rows import ENOUGH, loose_nodes, renew_rows

USERS, SOLD, UNSOLD = 40, 50, 60
OWN = np.arange(30, 40)
"""Items that the last ten users alone have chosen, one each."""


@pytest.fixture(scope="module")
def shop() -> Recommendation:
    """40 users, 50 items with pairs and 60 without any."""
    rng = np.random.default_rng(1)
    users, items = np.nonzero(rng.random((USERS, 30)) < 0.3)
    pairs = np.concatenate([[users, items], [OWN, OWN], [np.arange(10), np.arange(40, 50)]], axis=1)
    return Recommendation(Interactions.build(USERS, SOLD + UNSOLD, pairs, name="half sold"), seed=0, holdout=0)


def test_rows_come_from_mean_and_spread_of_those_without_pairs(shop):
    model = MF(dim=4).with_sizes({"n_users": USERS, "n_items": SOLD + UNSOLD}, Streams(0))
    unsold = slice(SOLD, None)
    with torch.no_grad():
        model.items[unsold] = torch.linspace(-1, 1, UNSOLD)[:, None] * torch.tensor([0.0, 1.0, 2.0, 4.0]) + 7
    old = {name: value.detach().clone() for name, value in model.named_parameters()}
    chosen = np.arange(SOLD)
    renew_rows(model, USERS + chosen, shop, Streams(3))
    found = model.items.detach()[chosen]
    spread = old["items"][unsold].std(dim=0, correction=0)
    assert (found[:, 0] == 7).all(), "no spread there"
    assert found.mean(dim=0).sub(7).abs().le(4 * spread / SOLD**0.5 + 1e-6).all()
    assert torch.allclose(found.std(dim=0)[1:], spread[1:], rtol=0.4)
    assert abs(np.corrcoef(found[:, 1], found[:, 3])[0, 1]) < 0.4, "each dimension by itself"
    assert model.items[unsold].equal(old["items"][unsold]) and model.users.equal(old["users"])
    again, other = (MF(dim=4).with_sizes({"n_users": USERS, "n_items": SOLD + UNSOLD}, Streams(0)) for _ in range(2))
    for copy, seed in ((again, 3), (other, 4)):
        copy.load_state_dict(old)
        renew_rows(copy, USERS + chosen, shop, Streams(seed))
    assert again.items.equal(model.items) and not other.items[:SOLD].eq(found)[:, 1:].any()


def test_with_too_few_of_them_rows_start_as_training_does(shop):
    sizes = {"n_users": USERS, "n_items": SOLD + UNSOLD}
    model, untrained = (MF(dim=4).with_sizes(sizes, Streams(seed)) for seed in (0, 3))
    few, enough = (Recommendation(shop.graph.without(users=np.arange(n)), holdout=0) for n in (ENOUGH - 1, ENOUGH))
    assert (few.graph.user_degrees == 0).sum() == ENOUGH - 1
    renew_rows(model, np.array([35, 36]), few, Streams(3))
    assert model.users[[35, 36]].equal(untrained.users[[35, 36]])
    renew_rows(model, np.array([35, 36]), enough, Streams(3))
    assert not model.users[[35, 36]].eq(untrained.users[[35, 36]]).any()


def test_after_an_earlier_deletion_those_without_pairs_are_no_pattern(shop):
    """The model may still know them: new rows would be drawn as theirs."""
    sizes = {"n_users": USERS, "n_items": SOLD + UNSOLD}
    model, untrained = (MF(dim=4).with_sizes(sizes, Streams(seed)) for seed in (0, 3))
    later = shop.without(shop.resolve(Deletion(users=list(range(ENOUGH)))))
    assert shop.whole and not later.whole and (later.graph.user_degrees == 0).sum() >= ENOUGH
    renew_rows(model, np.array([35, 36, USERS + 2]), later, Streams(3))
    assert model.users[[35, 36]].equal(untrained.users[[35, 36]]) and model.items[2].equal(untrained.items[2])


def test_what_an_earlier_method_added_to_their_embeddings_goes(shop):
    model = MF(dim=4).with_sizes({"n_users": USERS, "n_items": SOLD + UNSOLD}, Streams(0))
    shifted = Shifted(model, torch.ones(shop.graph.n_nodes, 4))
    renew_rows(shifted, np.array([35, USERS + 2]), shop, Streams(3))
    assert np.flatnonzero(~shifted.shift.detach().bool().any(dim=1)).tolist() == [35, USERS + 2]


@pytest.mark.parametrize(("backbone", "table"), [("mf", "items"), ("lightgcn", "items"), ("kgat", "nodes")])
def test_items_of_forgotten_users_alone_rank_as_under_gold(shop, backbone, table):
    """Gold has learned that nobody takes them; rows as where training starts have not."""
    data = shop.graph if backbone != "kgat" else _with_facts(shop.graph)
    task = Recommendation(data, seed=0, holdout=0)
    made = make_backbone(backbone, dim=8, **({"layers": "8", "kg_dim": 4} if backbone == "kgat" else {}))
    recipe = {"epochs": 80, "batch": 64, "lr": 0.02, "selection": "last"}
    deletion = Deletion(users=OWN.tolist())
    gone = task.resolve(deletion)
    retained = task.without(gone)
    original = train(made, task, **recipe)
    gold = train(original.fresh(Streams(0)), retained, **recipe)
    loose = loose_nodes(retained, gone)
    assert loose.tolist() == [*OWN.tolist(), *(USERS + OWN).tolist()]

    def mean_score(model) -> float:
        z = model.embed(retained.graph).detach()
        return float((z[: OWN[0]] @ z[USERS + OWN].T).mean())

    renewed, started = original.clone(), original.clone()
    renew_rows(renewed, loose, task, Streams(1))
    fresh = dict(original.fresh(Streams(1)).named_parameters())
    at = torch.as_tensor(USERS + OWN if table == "nodes" else OWN)
    with torch.no_grad():
        dict(started.named_parameters())[table][at] = fresh[table].detach()[at]
    wanted = mean_score(gold)
    assert abs(mean_score(renewed) - wanted) < 0.5 * abs(mean_score(started) - wanted)


def _with_facts(data: Interactions) -> Interactions:
    facts = np.stack([np.arange(SOLD), np.zeros(SOLD, int), np.arange(1, SOLD + 1)])
    graph = TripleGraph.build(SOLD + UNSOLD, 1, facts)
    return Interactions.build(data.n_users, data.n_items, data.pairs(), name=data.name, triples=graph)


def test_items_that_go_with_their_facts_alone_are_drawn_anew(shop):
    """A deleted item need not have a pair: what was learned from its facts is in its row."""
    task = Recommendation(_with_facts(shop.graph), seed=0, holdout=0)
    gone = task.resolve(Deletion(items=[SOLD, 0]))
    assert USERS + SOLD in loose_nodes(task.without(gone), gone)
