"""What optuna suggests: the same after the same trials, and better with time."""

from __future__ import annotations

import sys

import pytest

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.experiments.tuning_sampler import optuna, suggested
from graphforget.unlearning.search import Axis

AXES = (Axis.over("alpha", (0.1, 0.9), False), Axis.over("epochs", (1, 40), True))


def trials(number: int, seed: int = 1) -> list[tuple[dict, float]]:
    """Search the top of a hill at alpha .7, 30 epochs."""
    streams, told = Streams(seed), []
    for count in range(number):
        fields = suggested(AXES, told, streams("trial", number=count))
        told.append((fields, -((fields["alpha"] - 0.7) ** 2) - ((fields["epochs"] - 30) / 40) ** 2))
    return told


def test_the_same_stream_suggests_the_same_and_the_later_ones_are_better():
    pytest.importorskip("optuna", reason="the extra graphforget[tune] is not installed")
    found = trials(40)
    assert found == trials(40) and found[:12] == trials(12) and found[0] != trials(1, seed=2)[0]
    assert all(0.1 <= fields["alpha"] <= 0.9 and fields["epochs"] in range(1, 41) for fields, _ in found)
    first, last = (sum(score for _, score in part) / 10 for part in (found[:10], found[-10:]))
    assert last > 0.5 * first, "the mean of the last ten is nearer to the top, 0, than that of the random first ten"


def test_without_optuna_there_is_a_sentence(monkeypatch):
    monkeypatch.setitem(sys.modules, "optuna", None)
    with pytest.raises(UsageError, match=r"needs optuna.*pip install 'graphforget\[tune\]'"):
        optuna()
