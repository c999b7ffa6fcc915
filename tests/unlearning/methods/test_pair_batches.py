"""Batches of forgotten and retained pairs."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.pair_batches import pair_batches


def parts(items) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return users, items and others of a batch."""
    both, m = items.pairs[0], len(items)
    return both.u[:m], both.v[:m], both.v[m:]


def keys(task, pairs) -> set[int]:
    return set((pairs[0] * np.int64(task.graph.n_nodes) + pairs[1]).tolist())


@pytest.mark.parametrize(("batch", "steps"), [(100, 1), (6, 1), (4, 2), (1, 6)])
def test_an_epoch_takes_every_forgotten_pair(task, problem, trained, batch, steps):
    made = problem(trained("mf"))
    batches = list(pair_batches(made, "x", batch).forgotten(0))
    assert len(batches) == steps and len({len(b) for b in batches}) == 1
    seen = np.concatenate([np.stack(parts(b)[:2]) for b in batches], axis=1)
    assert keys(task, seen) == keys(task, made.gone.items)
    assert seen.shape[1] - 6 < len(batches[0])


def test_others_are_none_that_the_user_keeps_or_ever_chose(task, problem, trained):
    made = problem(trained("mf"), Deletion(users=[3, 4, 5]))
    batches = pair_batches(made, "x", 8, retain_per_forget=3)
    lost, kept = keys(task, made.gone.items), keys(task, made.retained.graph.edges)
    others = set()
    for epoch in range(20):
        for forgotten, retained in batches.both(epoch):
            assert len(retained) == 3 * len(forgotten)
            assert keys(task, parts(retained)[:2]) <= kept
            u, _, j = parts(retained)
            assert not keys(task, (u, j)) & (kept | lost)
            u, _, j = parts(forgotten)
            others |= keys(task, (u, j))
    assert not others & kept
    assert others & lost, "another forgotten item of the user may be drawn"


def test_epochs_differ_and_repeat(problem, trained):
    batches = pair_batches(problem(trained("mf")), "x", 4)
    one, again, two = ([np.concatenate(parts(b)) for b in batches.kept(e)] for e in (0, 0, 1))
    assert all(np.array_equal(a, b) for a, b in zip(one, again, strict=True))
    assert not all(np.array_equal(a, b) for a, b in zip(one, two, strict=True))


def test_popular_items_are_drawn_more_often(task, problem, trained):
    made = problem(trained("mf"))
    made._full = Recommendation(task.graph, seed=3, negatives="popularity")
    batches = pair_batches(made, "x", 6, retain_per_forget=20)
    drawn = np.concatenate([parts(b)[2] for e in range(30) for b in batches.kept(e)]) - task.graph.n_users
    counts = np.bincount(drawn, minlength=task.graph.n_items)
    degree = made.retained.graph.item_degrees
    assert counts[degree == degree.max()].mean() > 1.5 * counts[degree == degree.min()].mean()


def test_others_of_forgotten_pairs_follow_their_own_rule(task, problem, trained):
    made = problem(trained("mf"))
    degree = made.retained.graph.item_degrees
    means = {}
    for others in ("uniform", "popularity"):
        batches = pair_batches(made, "x", 6, min_steps=40, others=others)
        drawn = np.concatenate([parts(b)[2] for e in range(20) for b in batches.forgotten(e)]) - task.graph.n_users
        means[others] = degree[drawn].mean()
        kept = np.concatenate([parts(b)[2] for b in batches.kept(0)])
        assert np.array_equal(kept, np.concatenate([parts(b)[2] for b in pair_batches(made, "x", 6, 1, 40).kept(0)]))
    assert means["popularity"] > 1.1 * means["uniform"]


def test_few_pairs_are_walked_several_times(task, problem, trained):
    made = problem(trained("mf"))
    batches = list(pair_batches(made, "x", 4, min_steps=5).forgotten(0))
    assert [len(b) for b in batches] == [4] * 5
    seen = np.concatenate([np.stack(parts(b)[:2]) for b in batches], axis=1)
    assert keys(task, seen) == keys(task, made.gone.items)
