"""The sample shop: the files are what their generator says, and a factor model beats the best sellers in it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from graphforget.data.load import load

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "datasets" / "sample" / "shop"


@pytest.fixture(scope="module")
def shop():
    """The shop, which needs no folder and no network."""
    return load("sample-shop")


def test_the_files_are_what_the_generator_writes(generator):
    made = generator.shop()
    assert set(made) == {path.name for path in FOLDER.iterdir()}
    for name, data in made.items():
        assert (FOLDER / name).read_bytes() == data, name


def test_it_is_small():
    assert sum(path.stat().st_size for path in FOLDER.iterdir()) < 100_000


def test_it_has_every_part(shop):
    assert (shop.n_users, shop.n_items) == (200, 120)
    assert (shop.triples.n_entities, shop.triples.n_relations) == (180, 4)
    assert {name: values.shape for name, values in shop.modalities.items()} == {"image": (120, 16), "text": (120, 24)}
    assert shop.user_degrees.min() >= 8 and shop.item_degrees.min() >= 1
    assert all(len(np.unique(shop.pairs(part)[0])) == 200 for part in ("valid", "test"))


def dense(shop, part: str) -> np.ndarray:
    """Return the pairs of a part as a (users, items) matrix of 0 and 1."""
    matrix = np.zeros((shop.n_users, shop.n_items))
    matrix[tuple(shop.pairs(part))] = 1.0
    return matrix


def recall(shop, scores: np.ndarray, k: int = 10) -> float:
    """Return the mean recall of the test items among the k best that are neither in train nor in valid."""
    seen = dense(shop, "train") + dense(shop, "valid")
    top = np.argsort(np.where(seen > 0, np.inf, -scores), axis=1, kind="stable")[:, :k]
    test = dense(shop, "test")
    return float(np.mean(np.take_along_axis(test, top, axis=1).sum(axis=1) / test.sum(axis=1)))


def test_factors_beat_popularity(shop):
    train = dense(shop, "train")
    scaled = train / np.sqrt(train.sum(axis=1, keepdims=True)) / np.sqrt(train.sum(axis=0))
    left, values, right = np.linalg.svd(scaled, full_matrices=False)
    popularity = recall(shop, np.tile(train.sum(axis=0), (shop.n_users, 1)))
    factors = recall(shop, (left[:, :8] * values[:8]) @ right[:8])
    assert popularity < 0.25 and factors > 0.6


@pytest.mark.parametrize("modality", ["image", "text"])
def test_features_tell_which_items_go_together(shop, modality):
    values = shop.modalities[modality] - shop.modalities[modality].mean(axis=0)
    values = values / np.linalg.norm(values, axis=1, keepdims=True)
    assert recall(shop, dense(shop, "train") @ (values @ values.T)) > 0.5


def test_facts_tell_brands_from_colours(shop):
    """Items of one brand are bought together more often than items of one colour."""
    train = dense(shop, "train")
    together = train.T @ train
    heads, kinds, tails = shop.triples.triples

    def mean_of(relation: int) -> float:
        of = {int(h): int(t) for h, r, t in zip(heads, kinds, tails, strict=True) if r == relation}
        pairs = [(i, j) for i in range(120) for j in range(i) if of[i] == of[j]]
        return float(np.mean([together[pair] for pair in pairs]))

    assert mean_of(0) > 1.5 * mean_of(2)
