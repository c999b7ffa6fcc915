"""Shards trained elsewhere, from a copy and in another order, give the same bytes, and their costs are counted."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from graphforget._core.errors import DivergedError
from graphforget.data.deletion import Deletion
from graphforget.unlearning.methods.receraser import RecEraser
from graphforget.unlearning.methods.sisa import SISA
from graphforget.unlearning.run import unlearn

SECONDS, MEMORY = 1000.0, 1 << 50
METHODS = [SISA(3), SISA(3, "interaction"), RecEraser(3, epochs=2)]


def elsewhere(works, progress):
    """Train copies of the shards, the last first, at a cost that nothing here can have."""
    del progress
    done = [pickle.loads(pickle.dumps(work)).done() for work in reversed(works)]
    return [replace(one, seconds=SECONDS, peak_memory=MEMORY) for one in reversed(done)]


@pytest.mark.parametrize("method", METHODS, ids=str)
@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
def test_shards_trained_elsewhere_are_the_same(task, trained, weights, method, backbone):
    model, gone = trained(backbone, task), Deletion(users=[5, 6, 7])
    here = unlearn(model, task, gone, method, seed=7)
    there = unlearn(model, task, gone, method, seed=7, map_shards=elsewhere)
    assert weights(there.model) == weights(here.model)
    assert there.details == here.details and there.history == here.history
    touched = len(here.details["touched"])
    assert 3 * SECONDS - 60 < there.preparation_seconds < 3 * SECONDS + 60
    expected = touched * SECONDS if touched > 1 else 0.0
    assert expected - 60 < there.seconds < expected + 60 and here.seconds < 60
    assert there.peak_memory == MEMORY > here.peak_memory


def test_an_error_elsewhere_is_one_here(task, trained):
    def broken(works, progress):
        raise DivergedError("The loss became NaN.")

    with pytest.raises(DivergedError, match="NaN"):
        unlearn(trained("mf", task), task, Deletion(users=[5]), SISA(3), seed=7, map_shards=broken)


def test_one_touched_shard_is_trained_here(task, trained):
    counts = []

    def counted(works, progress):
        counts.append(len(works))
        return elsewhere(works, progress)

    unlearn(trained("mf", task), task, Deletion(users=[5]), SISA(3), seed=7, map_shards=counted)
    assert counts == [3], "the preparation alone has several"
