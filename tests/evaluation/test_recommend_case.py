"""What recommenders are compared on."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.evaluation.case import case_of
from graphforget.evaluation.distance import distances
from graphforget.evaluation.forgetting import delta_p
from graphforget.evaluation.recommend_case import deleted_share, everything_known
from graphforget.evaluation.report import revision_of
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.row_sets import RowSets
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import Triples


@pytest.fixture
def case(shop, shop_case):
    """The deletion of a user and two items."""
    return shop_case(shop, users=[3], items=[7, 8])


def asked(case, part) -> Triples:
    """Return users, items and other items of a part."""
    pairs, m = case.parts[part].pairs[0], len(case.parts[part])
    n = case.task.graph.n_users
    assert np.array_equal(pairs.u[:m], pairs.u[m:])
    return Triples(pairs.u[:m], pairs.v[:m] - n, pairs.v[m:] - n)


def as_set(pairs) -> set[tuple[int, int]]:
    """Return (2, m) pairs as a set."""
    return set(zip(*np.asarray(pairs).tolist(), strict=True))


def test_the_parts_hold_each_pair_once(case):
    before, data = as_set(case.task.graph.pairs("train")), case.retained.graph
    forgotten, retained, test = (asked(case, part) for part in ("forgotten", "retained", "test"))
    assert as_set([forgotten.users, forgotten.items]) == before - as_set(data.pairs("train"))
    assert as_set([retained.users, retained.items]) == as_set(data.pairs("train"))
    assert as_set([test.users, test.items]) == as_set(data.pairs("test"))
    assert len(forgotten) == case.gone.count and all(
        u == 3 or i in (7, 8) for u, i in zip(*as_lists(forgotten), strict=True)
    )


def as_lists(triples: Triples) -> tuple[list[int], list[int]]:
    """Return users and items as lists."""
    return triples.users.tolist(), triples.items.tolist()


def test_other_items_are_unknown_to_the_user(case):
    data = case.task.graph
    known = {pair for part in ("train", "valid", "test") for pair in as_set(data.pairs(part))}
    assert as_set(np.stack(np.nonzero(dense(everything_known(data))))) == known
    for part in ("forgotten", "retained", "test"):
        triples = asked(case, part)
        assert not as_set([triples.users, triples.others]) & known


def test_every_part_has_a_stream_for_its_other_items(case):
    sets, offered = RowSets.of(everything_known(case.task.graph)), case.retained.offered.astype(float)
    for part in ("forgotten", "retained", "test"):
        triples = asked(case, part)
        expected = sample_items(sets, triples.users, case.task.streams(f"{part}-others").key, offered)
        assert triples.others.tolist() == expected.tolist(), part


def test_other_items_are_still_offered(shop, shop_case):
    """A deleted item would be an easy question for a model that pushed it down, and tell nothing of the others."""
    gone = list(range(0, shop.graph.n_items, 2))
    made = shop_case(shop, items=gone)
    others = np.concatenate([asked(made, part).others for part in ("forgotten", "retained", "test")])
    assert not set(others.tolist()) & set(gone) and len(set(others.tolist())) > 3


def test_pairs_of_users_who_know_all_that_is_offered_are_left_out(shop, shop_case):
    known = dense(everything_known(shop.graph))[5]
    gone = np.flatnonzero(~known).tolist()
    made = shop_case(shop, items=gone)
    for part in made.parts:
        assert 5 not in asked(made, part).users, part


def dense(csr) -> np.ndarray:
    """Return a CSR as a mask."""
    found = np.zeros((csr.n_rows, csr.n_cols), dtype=bool)
    found[np.repeat(np.arange(csr.n_rows), np.diff(csr.indptr)), csr.indices] = True
    return found


def test_every_model_is_asked_the_same(case):
    twin = case_of(case.task, case.retained, case.gone)
    for part in case.parts:
        assert np.array_equal(asked(twin, part).others, asked(case, part).others)


def test_users_with_every_item_are_not_asked(shop, shop_case):
    pairs = np.array([[0, i] for i in range(59)] + [[1, i] for i in range(5)]).T
    data = type(shop.graph).build(2, 60, pairs, valid=np.array([[1], [7]]), test=np.array([[0, 1], [59, 9]]))
    case = shop_case(type(shop)(data), interactions=[(0, 3), (1, 3)])
    assert asked(case, "forgotten").users.tolist() == [1]
    assert asked(case, "test").users.tolist() == [1]


def test_rounds_are_those_of_the_deletion(case, shop, shop_case):
    assert set(case.rounds) == {"test", "valid", "forgotten", "train", "open"}
    assert set(shop_case(shop, users=[3]).rounds) == {"test", "valid", "forgotten", "train"}
    assert case.rounds["forgotten"].candidates is None and case.rounds["open"].candidates is None
    assert np.flatnonzero(~case.rounds["test"].candidates).tolist() == [7, 8]
    assert 3 in case.rounds["forgotten"].users and 3 not in case.rounds["open"].users


def test_what_earlier_deletions_took_is_gone(shop):
    """A model that offers items forgotten earlier would look worse for it in one table, better in another."""
    first = shop.resolve(Deletion(users=[3], items=[7, 8]))
    task = shop.without(first)
    left = [n for n in range(shop.graph.n_items) if n not in (7, 8)]
    for named in ({"users": [4]}, {"items": [9]}):
        gone = task.resolve(Deletion(**named))
        case = case_of(task, task.without(gone), gone)
        offered = [n for n in left if n not in named.get("items", ())]
        for name, one in case.rounds.items():
            expected = offered if name in ("test", "valid") else left
            assert np.flatnonzero(one.candidates).tolist() == expected, name
            assert 3 not in one.users, name
        for part in case.parts:
            assert set(asked(case, part).others.tolist()) <= set(offered), part
        assert revision_of(task, gone) > revision_of(shop, shop.resolve(Deletion(**named)))


def test_training_items_are_ranked_for_a_fixed_sample_of_users(shop, shop_case, monkeypatch):
    monkeypatch.setattr("graphforget.evaluation.recommend_case.TRAIN_USERS", 5)
    made = shop_case(shop, users=[3])
    left = np.setdiff1d(np.arange(24), [3])
    drawn = shop.streams("ranked-users").numpy().choice(left, 5, replace=False)
    assert made.rounds["train"].users.tolist() == sorted(drawn.tolist())


def test_the_share_of_interactions(case, shop, shop_case):
    assert deleted_share(shop, shop_case(shop, users=[0, 1, 2]).gone) == {"deleted_share": 30 / 240}
    assert deleted_share(shop, case.gone) == {"deleted_share": case.gone.count / 240}


def test_the_share_of_features_counts_rows_that_items_have_of_their_own():
    """Of 4 items one lacks its text: 7 rows are there, and naming items 0, 1, 3 in it takes two of them."""
    text = np.arange(8.0).reshape(4, 2)
    text[1] = np.nan
    pairs, features = np.array([[0, 0, 1, 1], [0, 1, 2, 3]]), {"image": np.ones((4, 1)), "text": text}
    task = Recommendation(Interactions.build(2, 4, pairs, modalities=features), holdout=0)
    gone = task.resolve(Deletion(modalities=[("text", item) for item in (0, 1, 3)]))
    assert deleted_share(task, gone) == {"deleted_feature_share": pytest.approx(2 / 7)}


def test_distances_are_those_of_preferences(case, scored):
    rng = np.random.default_rng(0)
    scores = rng.normal(size=(24, 60))
    gold, twin = scored(case, scores, kind="gold"), scored(case, scores + rng.normal(size=(24, 1)))
    found = distances(case, twin, gold).values
    assert found["js_test"] < 1e-9 and found["agreement_retained"] == 1.0  # a user's offset changes no preference
    opposite = scored(case, -scores)
    found = distances(case, opposite, gold).values
    assert found["agreement_forgotten"] == found["agreement_test"] == 0.0
    asked_for = asked(case, "retained")
    gap = scores[asked_for.users, asked_for.items] - scores[asked_for.users, asked_for.others]
    right = 1 / (1 + np.exp(gap)) - 1 / (1 + np.exp(-gap))
    assert delta_p(case, opposite, gold).values["delta_p"] == pytest.approx(right.mean(), abs=1e-6)
