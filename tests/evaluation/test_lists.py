"""Lists taken from a shared ranking are those that ranking each round alone gives."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.evaluation import lists as module
from graphforget.tasks.recommend import Recommendation


def alone(case, subject, name) -> np.ndarray:
    """Return the lists of a round, ranked by themselves."""
    found = case.rounds[name]
    hidden, offered = found.hidden, found.candidates
    return case.retained.rank(subject.z, found.users, found.depth, hidden=hidden, candidates=offered)[0]


@pytest.mark.parametrize("spare", [0, 1, 3, 30])
@pytest.mark.parametrize("mask", ["train", "train+valid"])
def test_every_round(shop, shop_case, scored, monkeypatch, spare, mask):
    monkeypatch.setattr(module, "SPARE", spare)
    monkeypatch.setattr(module, "BLOCK", 7)
    case = shop_case(Recommendation(shop.graph, mask=mask), users=[3, 4], items=list(range(0, 60, 6)))
    rng = np.random.default_rng(spare)
    for scores in (rng.normal(size=(24, 60)), rng.integers(0, 3, size=(24, 60))):
        subject = scored(case, scores)
        for name in case.rounds:
            assert np.array_equal(subject.lists(case, name), alone(case, subject, name))


def test_short_lists_end_with_none(shop, shop_case, scored):
    case = shop_case(shop, items=list(range(0, 60, 2)))
    subject = scored(case, np.random.default_rng(0).normal(size=(24, 60)))
    lists = subject.lists(case, "test")
    assert lists.shape[1] == 50 and (lists[:, -1] == -1).all()
    assert np.array_equal(lists, alone(case, subject, "test"))


def test_the_shared_ranking_is_made_once(shop, shop_case, scored, monkeypatch):
    case = shop_case(shop, users=[3], items=[1])
    calls = []
    rank = Recommendation.rank
    monkeypatch.setattr(
        Recommendation, "rank", lambda self, z, users, *a, **k: calls.append(1) or rank(self, z, users, *a, **k)
    )
    subject = scored(case, np.random.default_rng(0).normal(size=(24, 60)))
    for name in ("test", "valid", "open", "forgotten", "train", "test"):
        subject.lists(case, name)
    assert len(calls) == 2  # the shared one, and the one that hides nothing
