"""What recommenders forget: schemes, shares, flipped labels, and the published shares of interactions."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.interactions import Interactions
from graphforget.data.load import load
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.sampling import sample_deletion
from graphforget.unlearning.sampling_recommend import flip_labels

DEGREES = (0, 1, 5, 2, 2, 7, 3, 4)
"""Training interactions of the users a, b, ..., h."""
USERS = "abcdefgh"


def staircase(test: list | None = None) -> Interactions:
    """Return users with known degrees: user u has the items 0 to DEGREES[u] - 1 of 9."""
    pairs = np.array([(u, i) for u, degree in enumerate(DEGREES) for i in range(degree)]).T
    return Interactions.build(8, 9, pairs, test=test, user_ids=list(USERS), item_ids=[f"i{n}" for n in range(9)])


@pytest.fixture(scope="module")
def task() -> Recommendation:
    """Nothing is held out, so that degrees are those written down."""
    return Recommendation(staircase(), seed=3, holdout=0)


@pytest.fixture(scope="module")
def shop() -> Recommendation:
    """The bundled shop."""
    return Recommendation(load("sample-shop"), seed=3)


def test_core_and_edge_users_are_those_with_the_most_and_fewest_interactions(task):
    assert sample_deletion(task, users=3, sampling="core").users == ("c", "f", "h")
    assert sample_deletion(task, users=2, sampling="edge").users == ("b", "d")  # d and e tie: the lower number
    assert sample_deletion(task, users=0.45, sampling="core").users == ("c", "f", "h")  # 3.15 of 7 with interactions


def test_core_items_are_those_with_the_most_users(task):
    assert sample_deletion(task, items=2, sampling="core").items == ("i0", "i1")
    assert sample_deletion(task, items=1, sampling="edge").items == ("i5",)  # i5 and i6 have one user each


@pytest.mark.parametrize(("sampling", "half"), [("high-degree", "cfh"), ("low-degree", "bdeg")])
def test_degrees_draw_from_their_half(task, sampling, half):
    drawn = {user for seed in range(20) for user in sample_deletion(task, users=2, sampling=sampling, seed=seed).users}
    assert drawn == set(half)
    with pytest.raises(DataError, match=f"'{sampling}' holds {len(half)} users, but 5 are wanted"):
        sample_deletion(task, users=5, sampling=sampling)
    assert len(sample_deletion(task, users=5, sampling=sampling, on_small_pool="cap")) == len(half)


def test_interactions_go_by_their_user(task):
    assert {user for user, _ in sample_deletion(task, interactions=12, sampling="core").interactions} == {"f", "c"}
    assert sample_deletion(task, interactions=3, sampling="edge").interactions == (
        ("b", "i0"),
        ("d", "i0"),
        ("d", "i1"),
    )
    low = {user for user, _ in sample_deletion(task, interactions=8, sampling="low-degree").interactions}
    assert low == set("bdeg")


def test_random_draws_are_the_seeds_and_even(task):
    assert sample_deletion(task, users=3) == sample_deletion(task, users=3, seed=3)
    counts = dict.fromkeys(USERS[1:], 0)
    for seed in range(400):
        for user in sample_deletion(task, users=2, seed=seed).users:
            counts[user] += 1
    assert min(counts.values()) > 80 and max(counts.values()) < 150  # 400 * 2 / 7 = 114, deviation 9


def test_users_without_interactions_are_in_no_pool(task):
    assert "a" not in sample_deletion(task, users=7).users
    with pytest.raises(DataError, match="holds 7 users, but 8 are wanted"):
        sample_deletion(task, users=8)


def test_users_and_items_go_together(task):
    both = sample_deletion(task, users=0.3, items=2, sampling="core")
    assert both.kind == "users+items"
    assert both.users == ("c", "f") and both.items == ("i0", "i1")


def test_interactions_are_named_by_the_users_own_ids(task):
    drawn = sample_deletion(task, interactions=0.5)
    assert len(drawn) == sum(DEGREES) // 2 == len(set(drawn.interactions))
    assert all(int(item[1:]) < DEGREES[USERS.index(user)] for user, item in drawn.interactions)
    assert task.resolve(drawn).count == len(drawn)


def test_triples_are_facts_that_are_there(shop):
    drawn = sample_deletion(shop, triples=0.05)
    assert len(drawn.triples) == 24
    assert len(shop.resolve(drawn).triples) == 24
    with pytest.raises(UsageError, match="drawn at random"):
        sample_deletion(shop, triples=3, sampling="core")


def test_a_modality_goes_of_every_item_or_of_some(shop):
    assert sample_deletion(shop, modality="image").modalities == (("image", "*"),)
    some = sample_deletion(shop, modality="text", items=0.1)
    assert len(some.modalities) == 12 and {name for name, _ in some.modalities} == {"text"}
    with pytest.raises(DataError, match="Unknown modality 'imag'. Did you mean 'image'"):
        sample_deletion(shop, modality="imag")


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({}, UsageError, "exactly one of users, items, interactions, triples; got none"),
        ({"users": 1, "interactions": 1}, UsageError, "got users, interactions"),
        ({"users": 1, "modality": "text"}, UsageError, "got users, modality"),
        ({"edges": 1}, UnsupportedError, "recommend task has no edges to delete"),
        ({"users": 1, "sampling": "cores"}, UsageError, "Unknown sampling scheme 'cores'. Did you mean 'core'"),
        ({"users": 1.5}, UsageError, "above 0 and below 1"),
        ({"users": 0.01}, UsageError, "none at all"),
        ({"triples": 1}, DataError, "no knowledge graph"),
        ({"interactions": 1, "sampling": "label-flipped"}, UsageError, "flip_labels"),
        ({"users": 1, "where": "in"}, UsageError, "'where' is in, but has no effect on users"),
        ({"items": 1, "pool": "all"}, UsageError, "'pool' is all, but has no effect on items"),
        ({"modality": "text", "sampling": "core"}, UsageError, "'sampling' is core, but .* a modality of every item"),
    ],
)
def test_a_wrong_argument_is_a_sentence(task, arguments, error, words):
    with pytest.raises(error, match=words):
        sample_deletion(task, **arguments)


def test_graphs_have_no_users(random_attributed_graph):
    task = NodeClassification(random_attributed_graph(), seed=3)
    for arguments in ({"users": 1}, {"modality": "text"}, {"interactions": 0.1}):
        with pytest.raises(UnsupportedError, match="ask for edges, nodes or features"):
            sample_deletion(task, **arguments)


def test_flipped_labels_are_trained_on_and_named():
    data = staircase(test=[[1, 1, 3], [4, 5, 7]])
    task = Recommendation(data, seed=3, holdout=0)
    flipped, gone = flip_labels(task, 6)
    before = {tuple(pair) for part in ("train", "test") for pair in data.pairs(part).T.tolist()}
    added = {(USERS.index(user), int(item[1:])) for user, item in gone.interactions}
    assert len(added) == 6 and not added & before
    assert all(DEGREES[user] for user, _ in added)
    assert {tuple(p) for p in flipped.graph.pairs().T.tolist()} == added | {tuple(p) for p in data.pairs().T.tolist()}
    assert flipped.without(flipped.resolve(gone)).graph.digest == data.digest
    assert task.graph is data
    assert "6 label-flipped interactions" in repr(flipped)
    assert flip_labels(task, 0.25)[1] == flip_labels(task, 6)[1]
    assert flip_labels(task, 6, seed=4)[1] != gone


def test_labels_that_cannot_be_flipped_are_a_sentence(task):
    with pytest.raises(UsageError, match="none at all"):
        flip_labels(task, 0.01)
    with pytest.raises(UsageError, match="'interactions' as a share must be above 0 and below 1; got 1.0"):
        flip_labels(task, 1.0)
    with pytest.raises(DataError, match="60 pairs of a user and an item that the user did not choose are wanted"):
        flip_labels(task, 60)


@pytest.mark.parametrize("kind", ["users", "items", "interactions"])
def test_a_second_deletion_draws_what_is_left(shop, kind):
    first = sample_deletion(shop, **{kind: 0.5})
    left = shop.without(shop.resolve(first))
    second = sample_deletion(left, **{kind: 0.5})
    assert not set(getattr(first, kind)) & set(getattr(second, kind))
    assert left.without(left.resolve(second)).graph.n_edges < left.graph.n_edges


def test_items_that_lost_a_modality_are_not_asked_for_it_again(shop):
    first = sample_deletion(shop, modality="text", items=0.9)
    left = shop.without(shop.resolve(first))
    rest = shop.graph.n_items - len(first.modalities)
    second = sample_deletion(left, modality="text", items=rest)
    assert not set(first.modalities) & set(second.modalities)
    assert len(sample_deletion(left, modality="image", items=0.9).modalities) == len(first.modalities)
    with pytest.raises(DataError, match=f"holds {rest} items, but {rest + 1} are wanted"):
        sample_deletion(left, modality="text", items=rest + 1)


def test_no_label_is_flipped_to_a_forgotten_item(task):
    left = task.without(task.resolve(sample_deletion(task, items=4)))
    gone = set(left.parted(left.holes["nodes"])[1].tolist())
    _, flipped = flip_labels(left, 15)
    assert len(gone) == 4 and not gone & {int(item[1:]) for _, item in flipped.interactions}


PUBLISHED = [
    ("gowalla", 27.4, 1.5),
    ("yelp2018", 23.2, 2.0),
    ("ml-1m", 23.9, 0.6),
    ("amazon-book-kgat", 31.6, 2.2),
    ("tiktok", 72.4, None),
]


@pytest.mark.parametrize(("name", "core", "edge"), PUBLISHED)
def test_five_percent_of_users_are_not_five_percent_of_the_data(data_dir, name, core, edge):
    data = load(name, data_dir)
    task = Recommendation(data, holdout=0)
    for sampling, share in (("core", core), ("edge", edge)):
        if share is not None:
            gone = task.resolve(sample_deletion(task, users=0.05, sampling=sampling))
            assert 100 * gone.edges.shape[1] / data.n_pairs == pytest.approx(share, abs=0.051)
