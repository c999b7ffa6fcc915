"""What recall gold is expected to have, on data where it is known."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.unseen_pairs import mean_of_users, nearest_means, unseen_recall


def test_the_nearest_by_hand():
    seen = np.array([[1, 1], [1, 1], [1, 3], [7, 7]])
    values = np.array([1.0, 0.0, 1.0, 0.25])
    asked = np.array([[1, 1], [1, 2], [15, 7], [1, 1]])
    assert nearest_means(seen, values, asked, 1).tolist() == [0.5, 1.0, 0.25, 0.5]
    assert nearest_means(seen, values, asked, 2).tolist() == [0.5, 0.75, 0.625, 0.5], "one of two equals is their mean"
    assert nearest_means(seen, values, asked, 3) == pytest.approx([2 / 3, 2 / 3, 1.75 / 3, 2 / 3])
    assert nearest_means(seen, values, asked, 10) == pytest.approx([2.25 / 4] * 4), "all there are"


def test_a_user_counts_once():
    assert mean_of_users(np.array([1.0, 0.0, 0.0, 1.0]), np.array([4, 4, 4, 9])) == pytest.approx((1 / 3 + 1) / 2)


@pytest.fixture(scope="module")
def shop() -> Recommendation:
    """40 users; item 0 is chosen by most, items 1 to 40 by one user each; a few validation pairs are popular.

    Scores follow popularity alone, so that any model at a cutoff of 1 finds item 0 and nothing else.
    """
    users = np.arange(40)
    train = np.concatenate([np.stack([users, users + 1]), np.stack([users[12:], np.zeros(28, int)])], axis=1)
    rare = np.stack([users[12:], 1 + (users[12:] + 7) % 40])
    valid = np.concatenate([np.stack([users[:12], np.zeros(12, int)]), rare], axis=1)
    return Recommendation(Interactions.build(40, 41, train, valid, name="popular"), seed=0)


def popularity(task) -> torch.Tensor:
    z = torch.zeros(task.graph.n_nodes, 1)
    z[: task.graph.n_users] = 1.0
    z[task.graph.n_users :, 0] = torch.from_numpy(task.graph.item_degrees.astype(np.float32))
    return z


def test_popular_pairs_are_expected_to_be_found_and_rare_ones_not(shop):
    """Forgotten are the popular pairs of eight users and the rare pairs of eight others: half will be found."""
    gone = shop.resolve(Deletion(interactions=[(u, 0) for u in range(12, 20)] + [(u, u + 1) for u in range(20, 28)]))
    retained = shop.without(gone)
    z = popularity(retained)
    plain = retained.metrics(z, "valid", ks=(1,))["recall@1"]
    gold = retained.metrics(z, "forgotten", gone, ks=(1,))["recall@1"]
    expected = unseen_recall(popularity(shop), shop, retained, gone.items, 1)
    assert plain == pytest.approx(13 / 40) and gold == pytest.approx(0.5)
    assert abs(expected - gold) < 0.05 < abs(plain - gold)


def test_pairs_of_which_nothing_is_retained_are_ranked_by_fresh_rows(shop):
    """A user who leaves is a stranger: by fresh rows that prefer item 5, he finds it and not the popular one."""
    gone = shop.resolve(Deletion(users=[14, 15]))
    retained = shop.without(gone)
    fresh = popularity(retained)
    fresh[shop.graph.n_users + 15, 0] = 100.0
    plain = unseen_recall(popularity(shop), shop, retained, gone.items, 1)
    strangers = unseen_recall(popularity(shop), shop, retained, gone.items, 1, fresh)
    assert strangers == pytest.approx((1 / 2 + 0) / 2), "item 15 of user 14, nothing of user 15"
    assert abs(plain - strangers) > 0.05


def test_without_held_out_pairs_there_is_nothing_to_compare_with(shop):
    gone = shop.resolve(Deletion(interactions=[(12, 0)]))
    retained = shop.without(gone)
    retained.graph = retained.graph.without(users=np.arange(1, 40), held_out=np.array([[0], [40]]))
    with pytest.raises(DataError, match="no valid pair is retained"):
        unseen_recall(popularity(shop), shop, retained, gone.items, 1)
