"""`model.recommend`: own ids, the task's mask, and forgotten things that stay forgotten."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.zoo import save_model
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn

ITEMS = [f"item {n}" for n in range(12)]
USERS = list(range(100, 120))


@pytest.fixture(scope="module")
def data() -> Interactions:
    """Users 100 to 119 and items "item 0" to "item 11": four items each in train, one in valid, two in test."""
    rng = np.random.default_rng(2)
    chosen = np.array([rng.permutation(12)[:7] for _ in USERS])
    rows = np.arange(20)
    parts = [np.stack([np.repeat(rows, part.shape[1]), part.ravel()]) for part in np.split(chosen, [4, 5], axis=1)]
    return Interactions.build(20, 12, *parts, user_ids=USERS, item_ids=ITEMS, name="tiny")


@pytest.fixture(scope="module")
def trained(data):
    """A LightGCN and its task."""
    task = Recommendation(data, seed=1)
    return train(LightGCN(dim=8, layers=2), task, epochs=4, validate_every=2), task


def by_hand(model, data, user: int, hidden: tuple[str, ...]) -> list[str]:
    """Return all items in the order of scores, ties to the lower number, without those in the hidden parts."""
    z = model.embed(data).double().numpy()
    scores = z[user] @ z[data.n_users : data.n_users + data.n_items].T
    gone = {int(item) for part in hidden for u, item in data.pairs(part).T if u == user}
    order = [item for item in np.lexsort((np.arange(12), -scores)) if item not in gone]
    return [ITEMS[item] for item in order]


@pytest.mark.parametrize(("mask", "hidden"), [("train+valid", ("train", "valid")), ("train", ("train",))])
def test_items_come_in_the_order_of_scores_without_what_the_task_masks(data, trained, mask, hidden):
    model, _ = trained
    ids, scores = model.recommend(Recommendation(data, mask=mask), users=[107, 100], k=5)
    assert [row[:5] for row in (by_hand(model, data, user, hidden) for user in (7, 0))] == ids
    assert all(row == sorted(row, reverse=True) and len(row) == 5 for row in scores)


def test_lists_are_shorter_where_items_run_out(data, trained):
    model, task = trained
    ids, scores = model.recommend(task, users=["103"], k=99)
    assert ids[0] == by_hand(model, data, 3, ("train", "valid")) and len(ids[0]) == 7 == len(scores[0])


def test_excluded_items_are_not_offered(data, trained):
    model, task = trained
    best = model.recommend(task, users=[107], k=3)[0][0]
    left = model.recommend(task, users=[107], k=2, exclude=best[:1])[0][0]
    assert left == best[1:]


def test_an_unlearned_model_answers_from_the_retained_data(data, trained):
    model, task = trained
    gone = Deletion(users=[100, 101], items=["item 3"])
    result = unlearn(model, task, gone, "unlink")
    ids, scores = result.model.recommend(task, users=[107, 115], k=4)
    assert (ids, scores) == result.model.recommend(result.retained, users=[107, 115], k=4, exclude=["item 3"])
    assert all("item 3" not in row for row in result.model.recommend(task, users=USERS, k=12)[0])
    full = [by_hand(result.model, data, user, ("train", "valid"))[:4] for user in (7, 15)]
    again = unlearn(model, task, Deletion(users=[118]), "unlink").model.clone()
    assert again.answers.before == {task.graph.digest}
    assert model.recommend(task, users=[107, 115], k=4)[0] == full


def test_what_was_forgotten_first_stays_forgotten_after_a_second_deletion(trained):
    model, task = trained
    first = unlearn(model, task, Deletion(items=["item 3"]), "unlink")
    second = unlearn(first.model, first.retained, Deletion(items=["item 5"], users=[118]), "unlink")
    wanted = second.model.recommend(second.retained, users=USERS[:10], k=12, exclude=["item 3", "item 5"])
    for asked in (task, first.retained, second.retained):
        assert second.model.recommend(asked, users=USERS[:10], k=12) == wanted
    for old in (task, first.retained):
        with pytest.raises(UsageError, match="forgotten a part of these data already"):
            unlearn(second.model, old, Deletion(users=[119]), "unlink")
    assert unlearn(second.model, second.retained, Deletion(users=[119]), "unlink").model.answers.offered.sum() == 10


def test_where_the_weights_alone_forget_it_answers_from_the_graph_before(data, trained):
    model, task = trained
    result = unlearn(model, task, Deletion(users=[100, 101]), "mmrecun-weights-only", epochs=1)
    z, users = result.model.embed(task.graph), np.array([7, 15])
    ids = result.retained.rank(z, users, 4)[0]
    found = result.model.recommend(task, users=[107, 115], k=4)[0]
    assert found == [[ITEMS[item] for item in row] for row in ids]
    assert not result.model.embed(result.retained.graph).equal(z)


def test_a_model_folder_holds_nothing_of_what_it_answers_from(trained, tmp_path):
    model, task = trained
    result = unlearn(model, task, Deletion(users=[100]), "unlink")
    save_model(result.model, tmp_path / "m")
    assert {path.name for path in (tmp_path / "m").iterdir()} == {"model.json", "model.safetensors"}
    loaded = load_model(tmp_path / "m")
    assert loaded.answers is None and not loaded.refused
    assert loaded.recommend(result.retained, users=[107]) == result.model.recommend(task, users=[107])


@pytest.mark.parametrize(
    ("arguments", "error", "words"),
    [
        ({"users": [99]}, DataError, "no user with id '99'"),
        ({"users": [100], "k": 0}, UsageError, "'k' must be an integer of at least 1; got 0"),
        ({"users": [100], "k": 2.0}, UsageError, "got 2.0"),
        ({"users": []}, UsageError, "at least one id"),
        ({"users": "100"}, UsageError, "must list at least one id; got '100'"),
        ({"users": [100], "exclude": ["Item-9"]}, DataError, "Did you mean 'item 9'"),
        ({"users": [100], "exclude": ITEMS}, DataError, "every item is excluded"),
    ],
)
def test_what_cannot_be_recommended_is_a_sentence(trained, arguments, error, words):
    model, task = trained
    with pytest.raises(error, match=words):
        model.recommend(task, **{"k": 3, **arguments})


def test_graph_models_recommend_nothing(random_attributed_graph):
    task = LinkPrediction(random_attributed_graph(), seed=1)
    model = train(GCN(hidden=4), task, epochs=1)
    with pytest.raises(UnsupportedError, match="A link task has no users and items"):
        model.recommend(task, users=[1])


def test_each_backbone_is_trained_on_its_own_tasks(data, random_attributed_graph):
    with pytest.raises(UnsupportedError, match="gcn serves link and node tasks; this is a recommend task. Use one of"):
        train(GCN(), Recommendation(data), epochs=1)
    with pytest.raises(UnsupportedError, match="mf serves recommend tasks; this is a link task. Use one of gat, gcn"):
        train(MF(), LinkPrediction(random_attributed_graph()), epochs=1)
