"""The frozen interactions value: parts, graph view, deletions that leave holes, ids, digests."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from graphforget._core.errors import DataError, UsageError
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph

NAN = float("nan")
IMAGE = [[1, 2], [3, 4], [NAN, NAN], [8, 0]]


def shop(**changes) -> Interactions:
    """Return three users and four items with every part filled; item 2 has no image, fact 0-0-4 leads out of the items.

    Train: ann a, ann c, bob b, bob a, carl d.
    """
    fields = {
        "n_users": 3,
        "n_items": 4,
        "train": [[0, 1, 0, 1, 2, 0], [2, 1, 0, 0, 3, 2]],
        "valid": [[0, 2], [1, 2]],
        "test": [[1, 2, 0], [2, 0, 3]],
        "user_ids": ["ann", "bob", "carl"],
        "item_ids": ["a", "b", "c", "d"],
        "name": "shop",
        "triples": TripleGraph.build(6, 2, [[0, 1, 4, 2], [0, 1, 0, 1], [4, 5, 5, 0]]),
        "modalities": {"image": IMAGE, "text": [[1], [1], [1], [5]]},
    }
    return Interactions.build(**{**fields, **changes})


def pairs(data: Interactions, part: str) -> list[list[int]]:
    """Return the pairs of a part as lists."""
    return data.pairs(part).T.tolist()


def test_pairs_become_sorted_rows_and_repeats_are_noted():
    data = shop()
    assert pairs(data, "train") == [[0, 0], [0, 2], [1, 0], [1, 1], [2, 3]]
    assert data.train.indptr.tolist() == [0, 2, 4, 5] and data.train.indices.tolist() == [0, 2, 0, 1, 3]
    assert data.train.values.tolist() == [1] * 5 and data.train.n_cols == 4
    assert pairs(data, "test") == [[0, 3], [1, 2], [2, 0]]
    assert "1 repeated train pairs merged" in data.notes
    assert "1 items without 'image' features have the mean of the others" in data.notes
    assert (data.n_pairs, data.n_edges) == (5, 5)
    assert data.user_degrees.tolist() == [2, 2, 1] and data.item_degrees.tolist() == [2, 1, 1, 1]


def test_what_stands_in_two_parts_and_who_has_no_train_pair_is_noted():
    data = Interactions.build(3, 4, [[0, 0], [1, 2]], valid=[[1], [1]], test=[[0, 0, 1], [1, 3, 1]])
    assert data.notes == (
        "1 pairs stand in train and in test; they stay in both",
        "1 pairs stand in valid and in test; they stay in both",
        "2 of 3 users have no train pair",
        "2 of 4 items have no train pair",
    )
    assert pairs(data, "test") == [[0, 1], [0, 3], [1, 1]]


def test_a_part_that_is_not_there_has_no_pairs():
    data = shop(valid=None)
    assert data.valid is None and data.pairs("valid").shape == (2, 0)
    with pytest.raises(UsageError, match="Unknown part 'validation'. Did you mean 'valid'?"):
        data.pairs("validation")


def test_nothing_of_it_can_be_changed():
    data = shop()
    arrays = [data.train.indices, data.train.indptr, data.test.values, data.edges, data.pairs("test")]
    arrays += [data.user_ids, data.modalities["image"], data.triples.triples, data.user_degrees, data.missing["image"]]
    for array in arrays:
        with pytest.raises(ValueError, match="read-only"):
            array.flat[0] = 0
    with pytest.raises(AttributeError):
        data.n_users = 9


def test_the_callers_arrays_stay_as_they_are():
    image, train = np.array(IMAGE), np.array([[1, 0], [0, 0]])
    before = image.copy(), train.copy()
    shop(train=train, modalities={"image": image}).without(items=np.array([0]))
    assert np.array_equal(image, before[0], equal_nan=True) and np.array_equal(train, before[1])
    image[0, 0] = train[0, 0] = 5  # neither is read-only


def test_the_graph_view_numbers_users_then_items_then_entities():
    data = shop()
    assert (data.n_entities, data.n_nodes) == (6, 9)
    assert data.edges.tolist() == [[0, 0, 1, 1, 2], [3, 5, 3, 4, 6]]
    assert data.nodes_of_items([0, 5]).tolist() == [3, 8]
    assert data.degrees.tolist() == [2, 2, 1, 2, 1, 1, 1, 0, 0]
    assert (data.n_features, data.features, data.labels, data.feature_matrix) == (0, None, None, None)
    assert shop(triples=None).n_nodes == 7


def test_the_adjacency_equals_that_of_scipy():
    data = shop()
    u, v = data.edges
    half = sp.coo_array((np.ones(5), (u, v)), shape=(9, 9)).toarray()
    found = sp.csr_array((data.csr.values, data.csr.indices, data.csr.indptr), shape=(9, 9)).toarray()
    assert np.array_equal(found, half + half.T)


def test_normalised_is_lightgcns_matrix_without_self_loops():
    """Three users, three items, by hand: u0-i0, u0-i1, u1-i1, u2-i1; item 2 is alone."""
    data = Interactions.build(3, 3, [[0, 0, 1, 2], [0, 1, 1, 1]])
    csr = data.normalised.csr
    found = sp.csr_array((csr.values, csr.indices, csr.indptr), shape=(6, 6)).toarray()
    expected = np.zeros((6, 6))
    expected[0, 3] = 1 / np.sqrt(2 * 1)
    expected[0, 4] = 1 / np.sqrt(2 * 3)
    expected[1, 4] = expected[2, 4] = 1 / np.sqrt(1 * 3)
    assert np.allclose(found, expected + expected.T, atol=1e-7)
    assert data.normalised.symmetric and csr.indptr[6] == csr.indptr[5] == 8


def test_missing_rows_are_the_mean_of_the_others():
    data = shop()
    assert data.modalities["image"].dtype == np.float32
    assert data.modalities["image"].tolist() == [[1, 2], [3, 4], [4, 2], [8, 0]]
    assert data.missing["image"].tolist() == [False, False, True, False]
    assert not data.missing["text"].any()


def test_half_precision_features_do_not_overflow():
    features = np.full((4, 2), 60_000, dtype=np.float16)
    data = shop(modalities={"image": np.where(np.arange(4)[:, None] == 3, np.float16(NAN), features)})
    assert data.modalities["image"][3].tolist() == [float(features[0, 0])] * 2


def test_without_users_leaves_holes():
    data = shop()
    left = data.without(users=np.array([0]))
    assert pairs(left, "train") == [[1, 0], [1, 1], [2, 3]]
    assert (pairs(left, "valid"), pairs(left, "test")) == ([[2, 2]], [[1, 2], [2, 0]])
    assert (left.n_users, left.n_items, left.n_nodes) == (3, 4, 9)
    assert left.user_ids.tolist() == ["ann", "bob", "carl"]
    assert left.modalities["image"] is data.modalities["image"] and left.triples is data.triples
    assert data.n_pairs == 5 and left.csr.nnz == 6


def test_without_items_takes_their_facts_and_features():
    left = shop().without(items=np.array([0]))
    assert pairs(left, "train") == [[0, 2], [1, 1], [2, 3]]
    assert pairs(left, "test") == [[0, 3], [1, 2]]
    assert left.triples.triples.T.tolist() == [[1, 1, 5], [4, 0, 5]]
    assert left.modalities["image"].tolist() == [[5.5, 2], [3, 4], [5.5, 2], [8, 0]]
    assert left.modalities["text"][0].tolist() == pytest.approx([7 / 3])
    assert left.missing["image"].tolist() == [True, False, True, False]


@pytest.mark.parametrize("how", [np.array([1, 4]), np.array([False, True, False, False, True])])
def test_without_interactions_by_position_or_mask(how):
    left = shop().without(interactions=how)
    assert pairs(left, "train") == [[0, 0], [1, 0], [1, 1]]
    assert pairs(left, "test") == [[0, 3], [1, 2], [2, 0]]


def test_without_held_out_pairs():
    data = shop()
    left = data.without(held_out=np.array([[0, 2], [3 + 3, 3 + 2]]))
    assert (pairs(left, "valid"), pairs(left, "test")) == ([[0, 1]], [[1, 2], [2, 0]])
    assert left.train is data.train


def test_without_triples_and_modalities():
    left = shop().without(triples=np.array([0, 2]), modalities={"text": np.array([3])})
    assert left.triples.triples.T.tolist() == [[1, 1, 5], [4, 0, 5]]
    assert left.modalities["text"].tolist() == [[1], [1], [1], [1]]
    assert left.modalities["image"].tolist() == shop().modalities["image"].tolist()
    assert left.n_pairs == 5


def test_a_modality_without_any_row_left_is_zero():
    left = shop().without(modalities={"image": np.arange(4)})
    assert left.modalities["image"].tolist() == [[0, 0]] * 4 and left.modalities["image"].shape == (4, 2)


def test_nothing_of_a_deleted_part_is_left_in_the_others():
    """Two values that differ only inside the deleted part become one."""
    other = shop(
        train=[[0, 1, 0, 1, 2, 2], [2, 1, 1, 0, 3, 1]],
        valid=[[0, 2], [3, 2]],
        test=[[1, 0], [2, 1]],
        triples=TripleGraph.build(6, 2, [[0, 1, 4, 2, 1], [1, 1, 0, 0, 0], [4, 5, 5, 1, 1]]),
        modalities={"image": [[1, 2], [-9, 70], [NAN, NAN], [8, 0]], "text": [[1], [3], [1], [5]]},
    )
    gone = {"users": np.array([0]), "items": np.array([1])}
    one = shop(
        train=[[0, 1, 1, 2], [2, 1, 0, 3]],
        test=[[1, 0], [2, 3]],
        triples=TripleGraph.build(6, 2, [[0, 4], [1, 0], [4, 5]]),
    )
    assert other.digest != one.digest
    assert other.without(**gone).digest == one.without(**gone).digest


def test_without_nothing_is_the_same_data():
    data = shop()
    assert data.without().digest == data.digest and data.without().train is data.train


def test_deletions_in_two_steps_or_one():
    data = shop()
    once = data.without(users=np.array([0]), items=np.array([3, 0]))
    twice = data.without(items=np.array([0])).without(users=np.array([0])).without(items=np.array([3]))
    assert once.digest == twice.digest


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_without_equals_a_set_of_pairs(draw):
    n_users, n_items = draw.draw(st.integers(1, 6)), draw.draw(st.integers(1, 6))
    pair = st.tuples(st.integers(0, n_users - 1), st.integers(0, n_items - 1))
    train, test = (draw.draw(st.lists(pair, min_size=low, max_size=15)) for low in (1, 0))
    as_array = [np.array(part, dtype=np.int64).reshape(-1, 2).T for part in (train, test)]
    data = Interactions.build(n_users, n_items, as_array[0], test=as_array[1])
    users = draw.draw(st.sets(st.integers(0, n_users - 1)))
    items = draw.draw(st.sets(st.integers(0, n_items - 1)))
    listed = draw.draw(st.sets(st.sampled_from(sorted(set(train)))))
    positions = np.array([sorted(set(train)).index(p) for p in listed], dtype=np.int64)
    left = data.without(interactions=positions, users=np.array(list(users), int), items=np.array(list(items), int))
    stays = {p for p in train if p[0] not in users and p[1] not in items}
    assert list(map(tuple, pairs(left, "train"))) == sorted(stays - listed)
    assert list(map(tuple, pairs(left, "test"))) == sorted({p for p in test if p[0] not in users and p[1] not in items})


def test_with_edges_takes_node_pairs_in_any_order():
    data = shop()
    left = data.with_edges(np.array([[6, 0, 1], [2, 5, 3]]))
    assert pairs(left, "train") == [[0, 2], [1, 0], [2, 3]]
    assert left.test is data.test and left.triples is data.triples and data.n_pairs == 5
    assert data.with_edges(data.edges).digest == data.digest
    assert data.with_edges(np.empty((2, 0), dtype=np.int64)).n_pairs == 0


@pytest.mark.parametrize("edge", [(0, 1), (3, 4), (0, 8), (0, -1), (0, 7)])
def test_an_edge_that_joins_no_user_and_item_is_refused(edge):
    with pytest.raises(DataError, match=r"joins no user \(0 to 2\) and item \(3 to 6\)"):
        shop().with_edges(np.array([[edge[0]], [edge[1]]]))


def test_ids_go_in_and_come_out():
    data = shop()
    assert data.index_of_users(["carl", "ann"]).tolist() == [2, 0]
    assert data.index_of_items(np.array(["d", "a"])).tolist() == [3, 0]
    assert data.user_ids_of([2, 0]) == ["carl", "ann"] and data.item_ids_of(np.array([1])) == ["b"]


def test_plain_ids_are_the_numbers():
    data = shop(user_ids=None, item_ids=np.arange(4))
    assert data.item_ids is None
    assert data.index_of_users(["2", 0]).tolist() == [2, 0] and data.user_ids_of([2]) == [2]
    assert data.digest == shop(user_ids=[0, 1, 2], item_ids=None).digest


def test_integer_ids_that_are_no_numbers_from_zero():
    data = shop(user_ids=np.array([40, 10, 7], dtype=np.int32))
    assert data.user_ids.dtype == np.int64
    assert data.index_of_users([7, "40"]).tolist() == [2, 0] and data.user_ids_of([1]) == [10]


def test_no_other_person_is_suggested_for_an_unknown_number():
    numbers = shop(user_ids=[40, 10, 171])
    with pytest.raises(DataError, match=r"no user with id '17' \(1 of 2 listed are not in it\)\. Take unknown ids"):
        numbers.index_of_users([17, 40])


def test_digests_tell_values_apart():
    values = [
        shop(),
        shop(train=[[0], [0]]),
        shop(valid=None),
        shop(test=[[1], [1]]),
        shop(valid=[[1, 2, 0], [2, 0, 3]], test=[[0, 2], [1, 2]]),
        shop(n_items=5, item_ids=None, modalities=None),
        shop(n_users=4, user_ids=None),
        shop(user_ids=None),
        shop(item_ids=["a", "b", "c", "e"]),
        shop(triples=None),
        shop(modalities={"image": IMAGE}),
        shop(modalities={"images": IMAGE, "text": [[1], [1], [1], [5]]}),
        shop(modalities={"image": [[1, 2], [3, 4], [4, 2], [8, 0]], "text": [[1], [1], [1], [5]]}),
    ]
    assert len({value.digest for value in values}) == len(values)
    assert shop(name="other").digest == shop().digest


def test_derived_values_are_computed_once_and_not_inherited():
    data = shop()
    assert data.csr is data.csr and data.normalised is data.normalised
    assert data.without(users=np.array([0])).csr is not data.csr
    assert copy.deepcopy(data).digest == data.digest


def test_it_says_what_it_is():
    assert repr(shop()) == (
        "Interactions('shop', 3 users, 4 items, 5 train + 2 valid + 3 test pairs, 4 triples, modalities image, text)"
    )


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"n_users": 0}, "at least one user and one item"),
        ({"train": [[0, 1]]}, r"train must be integers of shape \(2, m\)"),
        ({"train": [[0.5], [1.0]]}, "train must be integers"),
        ({"test": [[0, 3], [1, 1]]}, r"a pair of test names user 3, but there are users 0 to 2"),
        ({"valid": [[0, 1], [1, -2]]}, r"a pair of valid names item -2, but there are items 0 to 3"),
        ({"user_ids": ["ann", "bob"]}, r"user_ids must hold one id per user \(3\); got shape \(2,\)"),
        ({"item_ids": ["a", "b", "b", "d"]}, "the item id 'b' stands 2 times"),
        ({"item_ids": [1.5, 2, 3, 4]}, "item_ids must be all integers or all text"),
        ({"modalities": {"image": IMAGE[:3]}}, r"modality 'image' must be numbers with one row per item \(4 rows\)"),
        ({"modalities": {"image": [[1], [NAN], [2], [np.inf]]}}, "modality 'image' of item 3 is NaN or infinite"),
        ({"modalities": {"image": [[1, 1], [NAN, 1], [2, 2], [1, 1]]}}, "of item 1 is NaN or infinite in part"),
        ({"modalities": {"image": [["a"], ["b"], ["c"], ["d"]]}}, "must be numbers"),
        ({"triples": TripleGraph.build(3, 1, [[0], [0], [2]])}, "it has only 3 entities"),
    ],
)
def test_what_cannot_be_built(changes, words):
    with pytest.raises(DataError, match=words):
        shop(**changes)


def test_what_cannot_leave():
    with pytest.raises(DataError, match="has no knowledge graph"):
        shop(triples=None).without(triples=np.array([0]))
    with pytest.raises(DataError, match="Unknown modality 'imege'. Did you mean 'image'?"):
        shop().without(modalities={"imege": np.array([0])})


def test_pairs_may_be_unsigned():
    data = Interactions.build(2, 3, np.array([[0, 1], [2, 0]], dtype=np.uint64))
    assert data.pairs("train").tolist() == [[0, 1], [2, 0]]


def test_a_knowledge_graph_that_nothing_checked_is_refused():
    facts = np.array([[0, 0, 1], [1, 0, 2]])
    for wrong in (TripleGraph(3, 1, facts), TripleGraph(3, 1, facts.T), facts.T):
        with pytest.raises(DataError, match="make the knowledge graph with TripleGraph.build"):
            Interactions.build(2, 2, [[0, 1], [0, 1]], triples=wrong)
