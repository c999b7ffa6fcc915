"""Deleted items in the lists of retained users."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.evaluation.case import Subject
from graphforget.evaluation.exposure import exposure, places
from graphforget.evaluation.popularity import Popularity
from graphforget.evaluation.ranking import ranked


@pytest.fixture
def case(shop, shop_case):
    """The deletion of a user and three items."""
    return shop_case(shop, users=[2], items=[10, 20, 30])


def test_places_ignore_where_a_list_has_ended():
    assert places(np.array([[-1, -1], [3, 3]]), np.array([3]), 4).tolist() == [0, 2]
    assert places(np.array([[-1]]), np.array([], dtype=np.int64), 4).tolist() == [0]


def test_a_model_that_wants_deleted_items_shows_them_to_everybody(case, scored):
    wants = np.zeros((24, 60))
    wants[:, [10, 20, 30]] = 1.0
    found = exposure(case, scored(case, wants)).values
    assert found["exposure@20"] == 3 * 23  # user 2 is gone, nothing that was deleted is hidden
    assert found["exposed_users@20"] == 1.0


def test_a_model_that_shuns_them_shows_none_and_loses_nothing(case, scored):
    shuns = np.zeros((24, 60))
    shuns[tuple(case.retained.graph.pairs("test"))] = 1.0
    shuns[:, [10, 20, 30]] = -1.0
    found = exposure(case, scored(case, shuns)).values
    assert found == {"exposure@20": 0.0, "exposed_users@20": 0.0, "open_recall@20": 1.0}


def test_one_user_who_is_shown_them_is_counted(case, scored):
    mixed = np.ones((24, 60))
    mixed[:, [10, 20, 30]] = 0.0
    mixed[5, [10, 20, 30]] = 2.0
    found = exposure(case, scored(case, mixed)).values
    assert found["exposure@20"] == 3.0 and found["exposed_users@20"] == pytest.approx(1 / 23)


def test_places_of_deleted_items_cost_recall(case, scored):
    scores = np.random.default_rng(0).normal(size=(24, 60))
    scores[tuple(case.retained.graph.pairs("valid"))] += 5.0  # hidden, or they would take places as well
    scores[:, [10, 20, 30]] = 9.0
    data, recalls = case.retained.graph, []
    users, items = data.pairs("test")
    for user in np.unique(users):
        hidden = [items[users == user] for users, items in (data.pairs("train"), data.pairs("valid"))]
        order = [i for i in np.argsort(-scores[user]) if i not in np.concatenate(hidden)][:20]
        recalls.append(np.isin(items[users == user], order).mean())
    found = exposure(case, scored(case, scores)).values
    assert found["exposure@20"] == 3 * 23
    assert found["open_recall@20"] == pytest.approx(np.mean(recalls))
    assert found["open_recall@20"] < ranked(case, scored(case, scores), "test")["recall@20"]


def test_without_deleted_items_there_is_nothing_to_count(shop, shop_case, scored):
    case = shop_case(shop, users=[2])
    assert exposure(case, scored(case, np.ones((24, 60)))).values == {}


def test_data_without_a_test_part_show_deleted_items_all_the_same(shop_without_test, shop_case, scored):
    case, wants = shop_case(shop_without_test, items=[10, 20, 30]), np.zeros((24, 60))
    wants[:, [10, 20, 30]] = 1.0
    assert exposure(case, scored(case, wants)).values == {"exposure@20": 3 * 24, "exposed_users@20": 1.0}


def test_popularity_counts_retained_pairs_and_so_puts_deleted_items_last(case):
    subject = Subject("Popularity", "baseline", Popularity(), case.retained.graph)
    assert exposure(case, subject).values["exposure@20"] == 0.0
