"""Ranking evidence about planted recommenders: ideal ones, popularity, random ones, masks and candidates."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.data.load import load
from graphforget.evaluation.case import Subject, case_of
from graphforget.evaluation.forgetting import forgetting
from graphforget.evaluation.popularity import Popularity
from graphforget.evaluation.ranking import CUT_OFF, FAMILY, NOT_RANKED, ranked, ranking_quality
from graphforget.evaluation.utility import utility
from graphforget.tasks.recommend import Recommendation


def dense(data, *parts) -> np.ndarray:
    """Return the (n_users, n_items) mask of the pairs of some parts."""
    found = np.zeros((data.n_users, data.n_items), dtype=bool)
    for part in parts:
        found[tuple(data.pairs(part))] = True
    return found


def by_hand(scores, truth, hidden, candidates, users) -> dict[str, float]:
    """Return the ranking metrics at their cutoffs, from sorted lists of Python."""
    found: dict[str, list[float]] = {name: [] for name in FAMILY}
    for u in users:
        wanted = set(np.flatnonzero(truth[u]).tolist())
        allowed = [i for i in range(scores.shape[1]) if candidates[i] and not hidden[u, i]]
        order = sorted(allowed, key=lambda i: (-float(np.float32(scores[u, i])), i))
        hits = [i in wanted for i in order]
        for k in (10, 20, 50):
            found[f"recall@{k}"].append(sum(hits[:k]) / len(wanted))
        places = [place for place, hit in enumerate(hits[:20], start=1) if hit]
        best = range(1, min(len(wanted), 20) + 1)
        found["ndcg@20"].append(sum(1 / np.log2(1 + p) for p in places) / sum(1 / np.log2(1 + p) for p in best))
        found["precision@20"].append(len(places) / 20)
        found["hit@20"].append(float(bool(places)))
        found["map@20"].append(sum((n + 1) / p for n, p in enumerate(places)) / min(len(wanted), 20))
        found["mrr@20"].append(1 / places[0] if places else 0.0)
    return {name: float(np.mean(values)) for name, values in found.items()}


@pytest.fixture
def users_case(shop, shop_case):
    """The deletion of two users."""
    return shop_case(shop, users=[0, 5])


@pytest.fixture
def items_case(shop, shop_case):
    """The deletion of three items."""
    return shop_case(shop, items=[0, 1, 2])


@pytest.fixture
def random_scores():
    """Scores of 24 users and 60 items, drawn at random."""
    return np.random.default_rng(4).normal(size=(24, 60))


def test_the_ideal_model_finds_every_test_item(users_case, scored):
    values = utility(users_case, scored(users_case, dense(users_case.task.graph, "test"))).values
    assert {values[f"test_{name}"] for name in FAMILY if not name.startswith("precision")} == {1.0}
    assert values["test_precision@20"] == pytest.approx(3 / 20)
    assert values["train_recall@20"] < 0.6


def test_a_model_that_ranks_test_items_last_finds_none(users_case, scored):
    values = utility(users_case, scored(users_case, -dense(users_case.task.graph, "test").astype(float))).values
    assert values["test_recall@20"] == values["test_mrr@20"] == values["test_ndcg@20"] == 0.0


def test_random_scores_agree_with_lists_sorted_by_hand(items_case, scored, random_scores):
    data, subject = items_case.retained.graph, scored(items_case, random_scores)
    offered = np.arange(60) > 2
    truth = dense(data, "test")
    expected = by_hand(random_scores, truth, dense(data, "train", "valid"), offered, np.flatnonzero(truth.any(1)))
    assert {name: ranked(items_case, subject, "test")[name] for name in FAMILY} == pytest.approx(expected)
    truth = dense(data, "valid")
    expected = by_hand(random_scores, truth, dense(data, "train"), offered, np.flatnonzero(truth.any(1)))
    assert {name: ranked(items_case, subject, "valid")[name] for name in FAMILY} == pytest.approx(expected)


def test_forgotten_pairs_are_never_hidden(users_case, items_case, scored, random_scores):
    for case in (users_case, items_case):
        before, after = dense(case.task.graph, "train"), dense(case.retained.graph, "train")
        truth = before & ~after
        users = np.flatnonzero(truth.any(axis=1))
        expected = by_hand(random_scores, truth, after, np.ones(60, dtype=bool), users)
        found = forgetting(case, scored(case, random_scores, kind="gold"), scored(case, random_scores)).values
        assert {name: found[f"forgotten_{name}"] for name in FAMILY} == pytest.approx(expected)
        remembering = forgetting(case, scored(case, before), scored(case, before)).values
        assert remembering["forgotten_recall@20"] == 1.0
        forgetful = forgetting(case, scored(case, -truth.astype(float)), scored(case, before)).values
        assert forgetful["forgotten_recall@20"] == 0.0


def test_deleted_users_and_items_are_neither_asked_nor_offered(users_case, items_case, scored):
    assert not np.isin([0, 5], users_case.rounds["test"].users).any()
    wants_deleted = np.zeros((24, 60))
    wants_deleted[:, :3] = 9.0
    lists = scored(items_case, wants_deleted).lists(items_case, "test")
    assert not np.isin(lists, [0, 1, 2]).any()
    assert not items_case.rounds["test"].truth.indices[:].tolist().count(0)


def test_popularity_ranks_by_retained_training_pairs(users_case):
    data = users_case.retained.graph
    subject = Subject("Popularity", "baseline", Popularity(), data)
    counts = np.bincount(data.pairs("train")[1], minlength=60)
    truth = dense(data, "test")
    scores = np.tile(counts, (24, 1))
    hidden, everything = dense(data, "train", "valid"), np.ones(60, dtype=bool)
    expected = by_hand(scores, truth, hidden, everything, np.flatnonzero(truth.any(1)))
    assert {name: ranked(users_case, subject, "test")[name] for name in FAMILY} == pytest.approx(expected)
    assert Popularity().flops(data) == 0 and not list(Popularity().parameters())


def test_the_whole_test_part_is_measured_for_the_original_alone(users_case, scored, random_scores):
    data = users_case.task.graph
    truth = dense(data, "test")
    expected = by_hand(random_scores, truth, dense(data, "train", "valid"), np.ones(60, dtype=bool), range(24))
    values = utility(users_case, scored(users_case, random_scores, kind="original")).values
    assert values["whole_recall@20"] == pytest.approx(expected["recall@20"])
    assert values["whole_ndcg@20"] == pytest.approx(expected["ndcg@20"])
    assert "whole_recall@20" not in utility(users_case, scored(users_case, random_scores)).values


def test_training_items_are_ranked_with_nothing_hidden(users_case, scored):
    data = users_case.retained.graph
    values = utility(users_case, scored(users_case, dense(data, "train"))).values
    assert values["train_recall@20"] == 1.0


def test_the_recall_of_training_items_and_the_coverage_by_hand(items_case, scored, random_scores):
    """Deleted items are no candidates on test, so the share of items shown is one of the others."""
    data, everything = items_case.retained.graph, np.ones(60, dtype=bool)
    truth, nothing, subject = dense(data, "train"), np.zeros((24, 60), dtype=bool), scored(items_case, random_scores)
    values = utility(items_case, subject).values
    expected = by_hand(random_scores, truth, nothing, everything, np.flatnonzero(truth.any(1)))
    assert values["train_recall@20"] == pytest.approx(expected["recall@20"])
    narrow = random_scores + 5 * (np.arange(60) < 30)
    shown = np.unique(scored(items_case, narrow).lists(items_case, "test")[:, :20])
    assert len(shown) < 57
    assert utility(items_case, scored(items_case, narrow)).values["test_coverage@20"] == pytest.approx(len(shown) / 57)


def test_the_task_decides_what_is_hidden_and_how_ndcg_counts(shop, shop_case, scored):
    data = shop.graph
    likes_valid = dense(data, "valid").astype(float) + 0.5 * dense(data, "test")
    hides_train = Recommendation(data, mask="train")
    assert ranked(shop_case(shop, users=[0]), scored(shop_case(shop, users=[0]), likes_valid), "test")["mrr@20"] == 1
    case = shop_case(hides_train, users=[0])
    assert ranked(case, scored(case, likes_valid), "test")["mrr@20"] == pytest.approx(1 / 3)
    kgat = shop_case(Recommendation(data, ndcg="kgat"), users=[0])
    assert kgat.rounds["test"].depth == 100 and case.rounds["test"].depth == 50
    assert ranked(kgat, scored(kgat, likes_valid), "test")["ndcg@20"] == 1.0


def test_users_who_never_had_a_training_pair_have_a_list(shop_case):
    data = Interactions.build(3, 9, train=np.array([[0, 1], [0, 0]]), test=np.array([[1, 2], [3, 4]]))
    case = shop_case(Recommendation(data, holdout=0), users=[0])
    assert case.rounds["test"].users.tolist() == [1, 2]


@pytest.mark.parametrize(("ndcg", "value"), [("kgat", 1.0), ("standard", 1 / (1 + 1 / np.log2(3)))])
def test_the_ndcg_of_kgat_knows_a_hundred_places(ndcg, value, shop_case, scored):
    """Of the two test items of user 1 one stands first, the other at place 129."""
    data = Interactions.build(2, 130, train=np.array([[0, 1], [0, 0]]), test=np.array([[1, 1], [1, 129]]))
    case = shop_case(Recommendation(data, ndcg=ndcg, holdout=0), users=[0])
    falling = scored(case, np.tile(-np.arange(130.0), (2, 1)))
    assert ranked(case, falling, "test")["ndcg@20"] == pytest.approx(value)


def test_the_task_decides_how_map_counts(shop, shop_case, scored, random_scores):
    """Convention "full" goes on to the end of the list: every test item is found at last."""
    case = shop_case(Recommendation(shop.graph, map_at="full"), users=[0])
    data, wanted, expected = case.retained.graph, dense(case.retained.graph, "test"), []
    for u in np.flatnonzero(wanted.any(1)):
        hidden = dense(data, "train", "valid")[u]
        hits = wanted[u][[i for i in np.argsort(-random_scores[u]) if not hidden[i]]]
        expected.append((hits * np.cumsum(hits) / np.arange(1, len(hits) + 1)).sum() / hits.sum())
    assert ranked(case, scored(case, random_scores), "test")["map@20"] == pytest.approx(np.mean(expected))


def test_users_who_lose_their_last_training_pair_are_left_out_and_it_is_said(shop, shop_case, scored):
    pairs = [(4, int(i)) for u, i in shop.graph.pairs("train").T if u == 4]
    case = shop_case(shop, interactions=pairs)
    assert 4 not in case.rounds["test"].users and 4 in case.rounds["forgotten"].users
    assert CUT_OFF in ranking_quality(case, scored(case, np.ones((24, 60)))).notes
    assert CUT_OFF not in ranking_quality(shop_case(shop, users=[4]), scored(case, np.ones((24, 60)))).notes


def test_data_without_test_pairs_says_so(shop_without_test, shop_case, scored, random_scores):
    case = shop_case(shop_without_test, users=[0])
    found = utility(case, scored(case, random_scores, kind="original"))
    assert NOT_RANKED in found.notes
    assert "valid_recall@20" in found.values and "test_recall@20" not in found.values
    assert "update_auc" not in forgetting(case, scored(case, random_scores), scored(case, random_scores)).values


def test_lists_are_made_once_and_let_go(users_case, scored, random_scores):
    subject = scored(users_case, random_scores)
    first = subject.lists(users_case, "test")
    assert subject.lists(users_case, "test") is first
    subject.release()
    again = subject.lists(users_case, "test")
    assert again is not first and np.array_equal(again, first)


@pytest.mark.parametrize(
    ("name", "recall", "ndcg"),
    [("ml-1m", 0.109538, 0.176721), ("tiktok", 0.059706, 0.025488), ("gowalla", 0.041631, 0.031690)],
)
def test_popularity_rows_of_public_sets(name, recall, ndcg, data_dir):
    """Counted by hand: ties to the lower item, training pairs hidden, standard ndcg."""
    task = Recommendation(load(name, data_dir=data_dir), mask="train", holdout=0)
    gone = task.resolve(Deletion(interactions=[first_pair(task.graph)]))
    case = case_of(task, task, gone)
    values = ranked(case, Subject("Popularity", "baseline", Popularity(), task.graph), "test")
    assert values["recall@20"] == pytest.approx(recall, abs=1e-6)
    assert values["ndcg@20"] == pytest.approx(ndcg, abs=1e-6)


def first_pair(data) -> tuple:
    """Return the first training pair in the data's own ids."""
    user, item = data.pairs("train")[:, 0]
    return data.user_ids_of([user])[0], data.item_ids_of([item])[0]
