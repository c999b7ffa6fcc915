"""Non-interference on recommenders: data that differ only in what is deleted give byte-identical unlearned models."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.run import methods, unlearn

USERS, ITEMS = 30, 20
GONE_USERS, GONE_ITEMS = np.array([4, 17]), np.array([2, 9])
OPTIONS = {"shards": 3, "epochs": 2, "validate_every": 1, "lr": 0.02}
BACKBONES = {"mf": {"dim": 4}, "lightgcn": {"dim": 4, "layers": 2}, "mgcn": {"dim": 4, "layers": 1, "k": 3}}
EXACT = [cls.name for cls in methods().classes() if cls.exact and "recommend" in cls.tasks]
BY_CONSTRUCTION = ["sisa-interaction", "receraser-random"]
"""Presets whose shards are drawn by numbers alone."""

Pairs = list[np.ndarray]


def parts() -> Pairs:
    """Return the training, validation and test pairs."""
    rng = np.random.default_rng(1)
    same = (np.arange(USERS) % 3)[:, None] == (np.arange(ITEMS) % 3)
    pairs = np.stack(np.nonzero(rng.random((USERS, ITEMS)) < np.where(same, 0.7, 0.15)))
    part = rng.permutation(pairs.shape[1]) % 10
    return [pairs[:, part < 7], pairs[:, part == 7], pairs[:, part > 7]]


def image() -> np.ndarray:
    """Return features of the items."""
    return np.random.default_rng(2).normal(size=(ITEMS, 5)).astype(np.float32)


def task_of(pairs: Pairs, features: np.ndarray) -> Recommendation:
    """Return the task on pairs of each part and features of the items."""
    return Recommendation(Interactions.build(USERS, ITEMS, *pairs, name="shop", modalities={"image": features}), seed=3)


def moved(pairs: Pairs, row: int, chosen: np.ndarray) -> Pairs:
    """Return the parts with other pairs of the chosen users (row 0) or items (row 1): the other ends are shifted."""
    found = []
    for shift, part in zip((1, 2, 1), pairs, strict=True):
        other, size = part.copy(), (ITEMS, USERS)[row]
        other[1 - row] = (part[1 - row] + np.where(np.isin(part[row], chosen), shift, 0)) % size
        found.append(other)
    return found


def swapped(pairs: Pairs, old: list[tuple[int, int]], new: list[tuple[int, int]]) -> Pairs:
    """Return the parts with the training pairs `old` replaced by `new`."""
    kept = [pair for pair in map(tuple, pairs[0].T.tolist()) if pair not in old]
    return [np.array([*kept, *new]).T, *pairs[1:]]


def cases() -> dict[str, list[tuple[Recommendation, Deletion]]]:
    """Return, by kind, two tasks that differ in the deleted part only, each with its deletion."""
    pairs, features, other = parts(), image(), image()
    other[GONE_ITEMS] = other[GONE_ITEMS][:, ::-1] * 3 + 1
    users, items = Deletion(users=GONE_USERS.tolist()), Deletion(items=GONE_ITEMS.tolist())
    taken = {pair for part in pairs for pair in map(tuple, part.T.tolist())}
    old = [pair for pair in map(tuple, pairs[0][:, [0, 33, 60, 95]].T.tolist())]
    new = [(user, next(i for i in range(ITEMS) if (user, i) not in taken)) for user in (1, 8, 20, 27)]
    return {
        "users": [(task_of(p, features), users) for p in (pairs, moved(pairs, 0, GONE_USERS))],
        "items": [(task_of(pairs, features), items), (task_of(moved(pairs, 1, GONE_ITEMS), other), items)],
        "interactions": [
            (task_of(pairs, features), Deletion(interactions=old)),
            (task_of(swapped(pairs, old, new), features), Deletion(interactions=new)),
        ],
    }


@pytest.fixture(scope="module")
def forget(weights) -> Callable[..., tuple[bytes, bytes, bytes]]:
    """forget(backbone, task, deletion, name) -> bytes of the original, the unlearned model and its embeddings."""

    def run(backbone: str, task: Recommendation, deletion: Deletion, name: str) -> tuple[bytes, bytes, bytes]:
        model = train(make_backbone(backbone, **BACKBONES[backbone]), task, epochs=3, batch=32, lr=0.05)
        known = methods().find(name)[0].options()
        options = {key: value for key, value in OPTIONS.items() if key in known}
        result = unlearn(model, task, deletion, methods().get(name, **options), seed=5)
        return weights(model), weights(result.model), result.model.embed(result.graph).numpy().tobytes()

    return run


def served(name: str, backbone: str) -> bool:
    """Attention joins tables of embeddings and nothing else."""
    return not (name.startswith("receraser") and backbone == "mgcn")


@pytest.mark.parametrize("kind", ["users", "items", "interactions"])
@pytest.mark.parametrize(
    ("name", "backbone"), [(n, b) for n in [*EXACT, *BY_CONSTRUCTION] for b in BACKBONES if served(n, b)]
)
def test_the_unlearned_model_does_not_depend_on_what_was_deleted(forget, name, backbone, kind):
    first, second = (forget(backbone, *case, name) for case in cases()[kind])
    assert first[0] != second[0], "the originals must differ, or the test shows nothing"
    assert first[1:] == second[1:]


@pytest.mark.parametrize("name", ["fine-tune", "receraser", "ultrare"])
def test_the_test_has_teeth(forget, name):
    first, second = (forget("mf", *case, name) for case in cases()["users"])
    assert first[1:] != second[1:]


def test_the_retained_data_of_both_are_one():
    for kind, pair in cases().items():
        kept = [task.without(task.resolve(deletion)).graph for task, deletion in pair]
        assert len({replace(data, name="").digest for data in kept}) == 1, kind


def test_what_is_declared_exact():
    assert set(EXACT) == {"retrain", "sisa"}
