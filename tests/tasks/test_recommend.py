"""Recommendation: what is held out, what an epoch trains on, losses, and what a deletion means."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.lightgcn import LightGCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import epoch_triples
from graphforget.training.train import train

N_USERS, N_ITEMS = 14, 18
BATCH = 5


@pytest.fixture(scope="module")
def task(store):
    """The task on the store, which has a validation part of its own."""
    return Recommendation(store, seed=4)


def as_set(pairs) -> set[tuple[int, int]]:
    """Return (2, m) pairs as a set."""
    return set(map(tuple, np.asarray(pairs).T.tolist()))


def chosen_by(data) -> dict[int, set[int]]:
    """Return the training items of every user, from the pairs."""
    found: dict[int, set[int]] = {user: set() for user in range(data.n_users)}
    for user, item in data.pairs("train").T.tolist():
        found[user].add(item)
    return found


def drawn(task, epoch: int, batch: int | None = BATCH):
    """Return the triples of an epoch."""
    return epoch_triples(task.graph, task.chosen, task.sampler, task.negatives, Streams(8), epoch, batch)


def epochs(task, count: int) -> np.ndarray:
    """Return the triples of many epochs, (3, m)."""
    found = [drawn(task, epoch) for epoch in range(count)]
    return np.concatenate([[one.users, one.items, one.others] for one in found], axis=1)


# --- what is held out -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("share", [0.1, 0.3, 0.9])
def test_a_share_of_every_users_pairs_is_held_out_where_there_is_no_valid_part(store, share):
    data = replace(store, valid=None)
    held = Recommendation(data, seed=3, holdout=share)
    before, after, valid = (as_set(one) for one in (data.pairs(), held.graph.pairs(), held.graph.pairs("valid")))
    assert after | valid == before and not after & valid
    assert as_set(held.graph.pairs("test")) == as_set(data.pairs("test"))
    for user, items in chosen_by(data).items():
        wanted = min(int(np.floor(share * len(items) + 0.5)), max(len(items) - 1, 0))
        assert sum(u == user for u, _ in valid) == wanted
    other = Recommendation(data, seed=5, holdout=share)
    assert share == 0.9 or as_set(other.graph.pairs("valid")) != valid
    assert as_set(Recommendation(data, seed=3, holdout=share).graph.pairs("valid")) == valid


def test_nothing_is_held_out_where_it_is_not_wanted(store):
    bare = replace(store, valid=None)
    assert Recommendation(store).graph is store
    for task in (Recommendation(bare, holdout=0), Recommendation(bare, select_on="test")):
        assert task.graph is bare
    assert Recommendation(bare, select_on="test").validates and not Recommendation(bare, holdout=0).validates
    assert Recommendation(bare, holdout=0).validate(torch.randn(34, 3)) == {}
    emptied = Recommendation(store.without(held_out=store.pairs("valid") + [[0], [store.n_users]]))
    assert emptied.graph.valid is not None and not emptied.validates
    assert emptied.validate(torch.randn(34, 3)) == {}


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        ({"sampler": "user"}, "'sampler' must be one of edges, users, each-user, kgat; got 'user'"),
        ({"negatives": "hard"}, "'negatives' must be one of uniform, trained, popularity; got 'hard'"),
        ({"mask": "valid"}, "'mask' must be one of"),
        ({"ndcg": "true"}, "'ndcg' must be one of standard, kgat, full_truth"),
        ({"map_at": "k"}, "'map_at' must be one of min_mk, m, full"),
        ({"select_on": "train"}, "'select_on' must be one of valid, test"),
        ({"holdout": 1.0}, "'holdout' must be at least 0 and below 1; got 1.0"),
        ({"holdout": "a"}, "'holdout' must be at least 0 and below 1; got 'a'"),
        ({"seed": "a"}, "'seed' must be an integer; got 'a'"),
    ],
)
def test_a_wrong_option_is_a_sentence(store, options, sentence):
    with pytest.raises(UsageError, match=f"Recommendation: {sentence}"):
        Recommendation(store, **options)


def test_data_that_cannot_serve_are_refused(store):
    with pytest.raises(UsageError, match="Recommendation: 'g' .type Graph. holds no users and items"):
        Recommendation(Graph.build(3, [[0], [1]], name="g"))
    for task in (LinkPrediction, NodeClassification):
        with pytest.raises(UsageError, match="'store' .type Interactions. .*; give a Graph"):
            task(store)
    with pytest.raises(UsageError, match="train: 'shop' .type str. is no task"):
        train(LightGCN(), "shop")
    with pytest.raises(UsageError, match="train: Unknown field of the recipe 'epoch'. Did you mean 'epochs'"):
        train(LightGCN(), Recommendation(store), epoch=3)
    with pytest.raises(DataError, match="has no test pairs to select on; use select_on='valid'"):
        Recommendation(replace(store, test=None), select_on="test")


# --- what an epoch trains on ------------------------------------------------------------------------------------------


def test_edges_are_each_taken_once_in_another_order_every_epoch(task):
    found = drawn(task, 0, None)
    assert Counter(zip(found.users.tolist(), found.items.tolist(), strict=True)) == Counter(as_set(task.graph.pairs()))
    again, later = drawn(task, 0), drawn(task, 1)
    assert np.array_equal(found.users, again.users) and np.array_equal(found.others, again.others)
    assert not np.array_equal(found.users, later.users)


def test_users_are_drawn_uniformly_whatever_their_number_of_items(store):
    """As many draws as there are pairs; over many epochs every user with items as often, and each item of a user."""
    task = Recommendation(store, sampler="users")
    assert len(drawn(task, 0)) == store.n_edges
    users, items, _ = epochs(task, 600)
    shares = np.bincount(users, minlength=N_USERS) / len(users) * (N_USERS - 1)
    assert shares[-1] == 0 and np.abs(shares[:-1] - 1).max() < 0.1
    assert as_set([users, items]) == as_set(store.pairs())
    for user, own in chosen_by(store).items():
        counts = np.bincount(items[users == user], minlength=N_ITEMS)[sorted(own)]
        assert not len(own) or np.abs(counts / counts.mean() - 1).max() < 0.25


def test_each_user_is_taken_equally_often(store):
    """LightGCN's compiled sampler: pairs // users draws of each."""
    task = Recommendation(store, sampler="each-user")
    found = drawn(task, 0)
    wanted = store.n_edges // (N_USERS - 1)
    assert wanted > 1
    assert np.bincount(found.users, minlength=N_USERS).tolist() == [wanted] * (N_USERS - 1) + [0]
    assert as_set([found.users, found.items]) < as_set(store.pairs())
    assert not np.array_equal(np.sort(found.users), found.users)
    users, items, _ = epochs(task, 300)
    assert as_set([users, items]) == as_set(store.pairs())
    counts = np.bincount(items[users == 0], minlength=N_ITEMS)[sorted(chosen_by(store)[0])]
    assert np.abs(counts / counts.mean() - 1).max() < 0.25


def test_kgat_draws_different_users_for_every_batch(store):
    task = Recommendation(store, sampler="kgat")
    found = drawn(task, 0)
    assert len(found) == BATCH * (store.n_edges // BATCH + 1)
    for at in range(0, len(found), BATCH):
        assert len(set(found.users[at : at + BATCH].tolist())) == BATCH
    assert as_set([found.users, found.items]) <= as_set(store.pairs())
    assert len(drawn(task, 0, 100)) == 100 * (store.n_edges // 100 + 1)
    with pytest.raises(UsageError, match="sampler 'kgat' draws batches of users; give the recipe a 'batch'"):
        drawn(task, 0, None)


@pytest.mark.parametrize("sampler", ["edges", "users", "each-user", "kgat"])
def test_others_are_exactly_the_items_outside_a_users_own(store, sampler):
    """Never a training item, every other one, the last item and those nobody chose included, all equally often."""
    users, _, others = epochs(Recommendation(store, sampler=sampler), 500)
    for user, own in chosen_by(store).items():
        counts = np.bincount(others[users == user], minlength=N_ITEMS)
        assert not counts[sorted(own)].any()
        free = sorted(set(range(N_ITEMS)) - own)
        mean = counts[free].mean()
        assert np.abs(counts[free] - mean).max() <= 5 * mean**0.5 and (mean > 20) == (user < N_USERS - 1)


@pytest.mark.parametrize("negatives", ["trained", "popularity"])
def test_others_by_weight(store, negatives):
    """Items nobody chose are never drawn; the rest equally often, or by their number of training pairs."""
    task = Recommendation(store, negatives=negatives)
    users, _, others = epochs(task, 800)
    items = np.bincount(store.pairs()[1], minlength=N_ITEMS)
    assert not items[16:].any()
    weights = (items > 0).astype(float) if negatives == "trained" else items.astype(float)
    own = chosen_by(store)[3]
    counts = np.bincount(others[users == 3], minlength=N_ITEMS)
    wanted = np.where(np.isin(np.arange(N_ITEMS), sorted(own)), 0, weights)
    np.testing.assert_allclose(counts / counts.sum(), wanted / wanted.sum(), atol=0.02)
    assert not counts[wanted == 0].any()
    pairs = task.training_items(Streams(0)("any"), negatives=20).pairs[0]
    assert not np.isin(pairs.v[len(pairs.v) // 2 :] - N_USERS, [16, 17]).any()


def test_a_user_without_an_item_to_draw_is_named(store):
    full = Recommendation(store.with_edges(np.stack([np.zeros(18, int), N_USERS + np.arange(18)])), holdout=0)
    with pytest.raises(DataError, match="Row 0 holds all 18 columns"):
        drawn(full, 0)


def test_steps_are_the_batches_of_an_epoch_in_order(task):
    """The losses of steps equal those of the triples cut by hand, the last one smaller."""
    model = LightGCN(dim=4, layers=1).initialised_for(task.graph, Streams(1))
    steps, triples = task.steps(model, Streams(8), 2, BATCH), drawn(task, 2)
    assert len(steps) == -(-len(triples) // BATCH)
    for number, step in enumerate(steps):
        part = task.items(triples.part(number * BATCH, (number + 1) * BATCH))
        assert step().item() == task.batch_loss(model, part, 2).item()
    assert len(task.steps(model, Streams(8), 2, None)) == 1


# --- losses -----------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def z(store):
    """Random embeddings of all nodes."""
    return torch.randn(store.n_nodes, 6, generator=torch.Generator().manual_seed(2))


def by_hand(z, items) -> np.ndarray:
    """Return s(u, i) - s(u, j) of triples."""
    table, m = z.double().numpy(), len(items)
    u, v = items.pairs[0].u, items.pairs[0].v
    return np.array([table[u[k]] @ (table[v[k]] - table[v[m + k]]) for k in range(m)])


def test_responses_losses_and_divergence_are_their_formulas(task, z):
    items = task.items(drawn(task, 0, None))
    found, d = task.responses(z, items), by_hand(z, items)
    np.testing.assert_allclose(found.numpy(), d, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(task.item_losses(found, items).numpy(), np.log1p(np.exp(-d)), rtol=1e-4, atol=1e-6)
    student, heat = 0.3 * found.flip(0), 2.0
    p, q = (1 / (1 + np.exp(-part.double().numpy() / heat)) for part in (found, student))
    wanted = p * np.log(p / q) + (1 - p) * np.log((1 - p) / (1 - q))
    np.testing.assert_allclose(task.divergence(found, student, heat).numpy(), wanted, rtol=1e-3, atol=1e-5)


def test_certainty_costs_no_gradient_and_makes_no_nan(task):
    sure = torch.tensor([500.0, -500.0], requires_grad=True)
    losses = task.item_losses(sure, None)
    assert losses.tolist() == [0.0, 500.0]
    divergence = task.divergence(torch.tensor([-500.0, 500.0]), sure)
    assert divergence.tolist() == [500.0, 500.0]
    divergence.sum().backward()
    assert sure.grad.abs().tolist() == [1.0, 1.0]


# --- deletions --------------------------------------------------------------------------------------------------------


def test_what_goes_with_users_items_and_interactions(task):
    train = as_set(task.graph.pairs())
    pair = next(pair for pair in sorted(train) if pair[0] == 5)
    gone = task.resolve(Deletion(users=[2], items=[7]))
    lost = {(u, i) for u, i in train if u == 2 or i == 7}
    assert as_set(gone.items - np.array([[0], [N_USERS]])) == lost and gone.nodes.tolist() == [2, N_USERS + 7]
    retained = task.without(gone).graph
    assert as_set(retained.pairs()) == train - lost
    for part in ("valid", "test"):
        left = {(u, i) for u, i in as_set(task.graph.pairs(part)) if u != 2 and i != 7}
        assert as_set(retained.pairs(part)) == left
    one = task.without(task.resolve(Deletion(interactions=[pair])))
    assert as_set(one.graph.pairs()) == train - {pair}
    everything = Deletion(users=list(range(N_USERS - 1)))
    with pytest.raises(DataError, match="the deletion takes every train interaction .61.; nothing is left"):
        task.without(task.resolve(everything))


def test_items_of_methods_stand_beside_what_was_never_chosen(task):
    gone = task.resolve(Deletion(users=[2]))
    own = chosen_by(task.graph)
    kept = task.training_items(Streams(0)("any"), gone, negatives=3)
    forgotten = task.forgotten_items(gone)
    for items, pairs, times in (
        (forgotten, as_set(gone.items), 1),
        (kept, as_set(task.graph.edges) - as_set(gone.items), 3),
    ):
        both, m = items.pairs[0], len(items)
        assert Counter(zip(both.u[:m].tolist(), both.v[:m].tolist(), strict=True)) == {pair: times for pair in pairs}
        assert all(int(v) - N_USERS not in own[int(u)] for u, v in zip(both.u[m:], both.v[m:], strict=True))
    again = task.forgotten_items(gone).pairs[0]
    assert np.array_equal(again.v, forgotten.pairs[0].v)
    unrelated = task.unrelated_items(gone, Streams(0)("any"))
    assert len(unrelated) == gone.count
    both = unrelated.pairs[0]
    assert all(int(v) - N_USERS not in own[int(u)] for u, v in zip(both.u, both.v, strict=True))
