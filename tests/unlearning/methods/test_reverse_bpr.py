"""Reverse BPR beside its look-alikes: values, and what they do to a factorisation."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DivergedError
from graphforget.data.deletion import Deletion
from graphforget.unlearning.methods.gradient_ascent import GradientAscent
from graphforget.unlearning.methods.reverse_bpr import ReverseBPR
from graphforget.unlearning.methods.rrl import RRL
from graphforget.unlearning.pair_batches import reverse_bpr
from graphforget.unlearning.run import unlearn

D = torch.tensor([-20.0, -5.0, 0.0, 5.0, 20.0])
SOFTPLUS = torch.tensor([0.0, 0.0067, 0.6931, 5.0067, 20.0])


def test_values(task):
    items = task.forgotten_items(task.resolve(_any(task)))
    torch.testing.assert_close(reverse_bpr(D), SOFTPLUS, atol=5e-5, rtol=0)
    torch.testing.assert_close(-task.item_losses(D, items), -SOFTPLUS.flip(0), atol=5e-5, rtol=0)


def _any(task):
    return Deletion(interactions=task.graph.pairs("train")[:, :5].T.tolist())


def test_the_slope_is_steep_before_and_vanishes_after():
    d = D.clone().requires_grad_(True)
    reverse_bpr(d).sum().backward()
    torch.testing.assert_close(d.grad, torch.sigmoid(D))
    assert d.grad[0] < 1e-8 and d.grad[-1] > 1 - 1e-6


def margins(task, result) -> np.ndarray:
    """Return d of the forgotten pairs."""
    gone = result.gone
    return task.responses(result.model.embed(task.graph), task.forgotten_items(gone)).numpy()


def test_it_falls_then_stays_where_ascent_runs_away(task, trained, some):
    model = trained("mf")
    before = task.responses(model.embed(task.graph), task.forgotten_items(task.resolve(some))).mean()
    runs = {}
    for epochs in (50, 200, 400):
        back = unlearn(model, task, some, ReverseBPR(epochs=epochs, lr=0.05, validate_every=epochs, min_steps=1))
        up = unlearn(model, task, some, GradientAscent(epochs=epochs, lr=0.05))
        runs[epochs] = margins(task, back).mean(), margins(task, up).mean()
    assert before > 1 and runs[50][0] < 0
    falls, flights = [first - second for first, second in zip(runs[50], runs[400], strict=True)]
    assert flights > 20 * falls > 0, "the floor of reverse BPR; ascent has none"
    late = runs[200][1] - runs[400][1]
    assert late > runs[50][1] - runs[200][1] > 0, "ascent does not even slow down"


def test_ascent_with_a_large_step_leaves_the_finite_numbers(task, trained, some):
    with pytest.raises(DivergedError, match="lr|float32"):
        unlearn(trained("mf"), task, some, GradientAscent(epochs=100, lr=1e18))


@pytest.mark.parametrize("backbone", ["mf", "lightgcn"])
def test_forgotten_items_sink_in_the_lists(task, trained, some, backbone):
    model = trained(backbone)
    result = unlearn(model, task, some, ReverseBPR(epochs=4, lr=0.05))
    before, after = (
        result.retained.metrics(m.embed(result.graph), "forgotten", result.gone, ks=(10,))["recall@10"]
        for m in (model, result.model)
    )
    assert after < before - 0.3


def test_the_original_recipe_gives_the_rate(spy, trained):
    assert spy(ReverseBPR(), trained("mf"))[-1].lr == 0.05
    assert spy(ReverseBPR(lr=1e-3), trained("mf"))[-1].lr == 1e-3


def test_the_loss_of_a_step_by_hand(task, trained, spy, streams):
    problem, model, (phase,), _ = spy(ReverseBPR(batch=100, min_steps=1), trained("mf"))
    users, items = problem.gone.items[0], problem.gone.items[1] - task.graph.n_users
    (step,) = phase.steps(0)
    others = _others(problem, streams("reverse-bpr"))
    e, f = (value.detach().double() for value in (model.users, model.items))
    order, others = others
    d = (e[users[order]] * (f[items[order]] - f[others])).sum(dim=1)
    assert float(step().detach()) == pytest.approx(float(torch.log1p(torch.exp(d)).mean()), rel=1e-5)


def _others(problem, streams):
    from graphforget.kernels.item_negatives import sample_items
    from graphforget.kernels.orders import epoch_order

    order = epoch_order(problem.gone.count, streams("forget-order", epoch=0).key)
    users = problem.gone.items[0][order]
    return order, sample_items(problem.retained.chosen, users, streams("forget-others", epoch=0).key)


@pytest.mark.parametrize("method", [ReverseBPR, RRL])
@pytest.mark.parametrize("graph", ["retained", "full"])
def test_the_epoch_is_chosen_on_the_data_it_answers_from(task, trained, method, graph):
    gone = Deletion(users=list(range(0, 12)))
    made = method(epochs=6, lr=0.02, validate_every=1, selection="auto", graph=graph)
    model = trained("lightgcn")
    result = unlearn(model, task, gone, made)
    kept = max(entry["val_recall"] for entry in result.history)
    assert result.retained.validate(result.model.embed(result.graph))["val_recall"] == kept
    if graph == "full":
        assert made.revision_on(model, task, result.gone) == method().revision_on(model, task, result.gone) + 1
