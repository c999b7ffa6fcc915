"""What MMRecUn stops by, and how often it ranks for that."""

from __future__ import annotations

from dataclasses import replace

import pytest

from graphforget.unlearning.forgetting_watch import ForgettingWatch
from graphforget.unlearning.methods.mmrecun import MMRecUn
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.unseen_pairs import unseen_recall


@pytest.fixture
def watch(problem, trained):
    def make(**options) -> ForgettingWatch:
        made, model = problem(trained("mf")), trained("mf")
        gone = options.pop("gone", made.gone)
        return ForgettingWatch(model, made.original, made.full, made.retained, gone, made.retained.graph, **options)

    return make


@pytest.fixture
def rankings(task, monkeypatch) -> list[str]:
    """The parts that were ranked, in order."""
    parts: list[str] = []
    plain = type(task).metrics

    def metrics(self, z, part, *rest, **options):
        parts.append(part)
        return plain(self, z, part, *rest, **options)

    monkeypatch.setattr(type(task), "metrics", metrics)
    return parts


def test_what_is_watched(task, problem, trained, watch):
    made, z = problem(trained("mf")), trained("mf").embed(task.graph)
    seen = watch()()
    assert seen["forgotten_recall"] == made.retained.metrics(z, "forgotten", made.gone, ks=(20,))["recall@20"]
    assert seen["val_recall"] == made.retained.validate(z)["val_recall"]
    left = seen["forgotten_recall"] - unseen_recall(z, made.full, made.retained, made.gone.items, 20)
    assert left > 0, "the original learned them"
    assert seen["margin"] == -1 - left


def test_less_left_is_progress_whatever_it_costs(watch, monkeypatch):
    one, found = watch(gold_recall=0.1), []
    for kept, forgotten in ((0.5, 0.9), (0.4, 0.89), (0.3, 0.1), (0.4, 0.05)):
        monkeypatch.setattr(one.retained, "validate", lambda z, kept=kept: {"val_recall": kept})
        monkeypatch.setattr(one, "_recall", lambda z, forgotten=forgotten: forgotten)
        found.append(one()["margin"])
    assert found == sorted(found) and found[2:] == [0.3, 0.4] and found[1] == pytest.approx(-1.79)


def test_enough_is_the_recall_expected_of_gold_or_its_own_with_validation_kept(watch):
    one = watch()
    one.target, one._kept = 0.3, 0.5
    assert one.enough({"val_recall": 0.49, "forgotten_recall": 0.3})
    assert not one.enough({"val_recall": 0.48, "forgotten_recall": 0.3})
    assert not one.enough({"val_recall": 0.5, "forgotten_recall": 0.31})
    assert not watch(gold_recall=0.99).forgotten(), "it ranks all it learned at the top"
    assert watch(gold_recall=1.0).forgotten()


def test_without_pairs_nothing_is_left_and_nothing_is_ranked_for_it(problem, trained, watch, rankings):
    gone = problem(trained("mf")).gone
    one = watch(gone=replace(gone, items=gone.items[:, :0]))
    assert one.forgotten() and rankings == []
    seen = one()
    assert rankings == ["valid"] and seen["margin"] == seen["val_recall"] and "forgotten_recall" not in seen
    assert one.enough(seen)


def test_an_epoch_ranks_the_forgotten_pairs_once(task, trained, some, rankings):
    result = unlearn(trained("mf"), task, some, MMRecUn(epochs=4, patience=None, tolerance=1.0, lr=1e-4))
    assert len(result.history) == 4
    assert rankings.count("forgotten") == 5, "before the first epoch, and after each"


def test_a_measurement_serves_one_epoch(watch):
    one = watch(gold_recall=1.0)
    one()
    one._last = 0.5
    assert not one.forgotten(), "what was measured"
    assert one.forgotten(), "measured anew"
