"""The training loop: steps, selection, patience, divergence."""

from __future__ import annotations

import math
from dataclasses import fields
from functools import partial

import numpy as np
import pytest
import torch
from torch import nn

from graphforget._core.errors import DivergedError, UsageError
from graphforget._core.streams import Streams
from graphforget.training import loop
from graphforget.training.checkpoint import Checkpoint
from graphforget.training.recipe import Recipe

fit = partial(loop.fit, noise=Streams(0))


class Point(nn.Module):
    """One number, w, starting at 1."""

    def __init__(self) -> None:
        super().__init__()
        self.w = nn.Parameter(torch.ones(1))


def scripted(values):
    """Return a `validate` that gives "score" = values[0], values[1], ... and the list of calls."""
    calls = []

    def validate():
        calls.append(len(calls))
        return {"score": values[len(calls) - 1]}

    return validate, calls


def run(values, record=None, **changes):
    """Minimise (w - epoch)^2 with scripted validation scores; return (model, state, w after each epoch)."""
    model, trail = Point(), []
    validate, _ = scripted(values)
    recipe = Recipe(**{"epochs": 6, "validate_every": 1, "selection": "score", "lr": 0.1, **changes})
    progress = lambda epoch, epochs, metrics: trail.append(float(model.w.detach()))  # noqa: E731
    state = fit(model, lambda epoch: (model.w - epoch).square().sum(), validate, recipe, progress=progress)
    return model, state, trail


def test_a_metric_that_is_never_a_number_keeps_no_epoch():
    with pytest.raises(DivergedError, match="'score' was NaN in all 6 validations.*selection='last'"):
        run([math.nan] * 6)
    assert run([math.nan] * 5 + [0.0])[1].best_epoch == 6


def test_it_is_adam():
    model, twin = Point(), Point()
    recipe = Recipe(epochs=5, validate_every=5, selection="last", lr=0.1, weight_decay=0.3)
    fit(model, lambda epoch: (model.w.sin() * (epoch + 1)).sum(), lambda: {}, recipe)
    optimiser = torch.optim.Adam(twin.parameters(), lr=0.1, weight_decay=0.3)
    for epoch in range(5):
        optimiser.zero_grad()
        (twin.w.sin() * (epoch + 1)).sum().backward()
        optimiser.step()
    torch.testing.assert_close(model.w, twin.w)


def test_the_rate_falls_after_each_epoch_as_torchs_exponential_one():
    model, twin = Point(), Point()
    recipe = Recipe(epochs=4, validate_every=4, selection="last", lr=0.1, lr_decay=0.5)
    fit(model, lambda epoch: (model.w.sin() * (epoch + 1)).sum(), lambda: {}, recipe)
    optimiser = torch.optim.Adam(twin.parameters(), lr=0.1)
    schedule = torch.optim.lr_scheduler.ExponentialLR(optimiser, 0.5)
    for epoch in range(4):
        optimiser.zero_grad()
        (twin.w.sin() * (epoch + 1)).sum().backward()
        optimiser.step()
        schedule.step()
    torch.testing.assert_close(model.w, twin.w)


def test_every_phase_has_an_adam_of_its_own_and_the_loss_told_is_the_mean_of_the_first():
    model, twin = Point(), Point()
    large = loop.Phase("large", lambda epoch: [lambda: (model.w * 5).sum(), lambda: (model.w * 7).sum()])
    small = loop.Phase("small", lambda epoch: [lambda: -model.w.sum() / 100])
    state = fit(model, [large, small], lambda: {}, Recipe(epochs=2, validate_every=1, selection="last", lr=0.1))
    told = []
    first, second = (torch.optim.Adam(twin.parameters(), lr=0.1) for _ in range(2))
    for _ in range(2):
        losses = []
        for optimiser, slope in ((first, 5.0), (first, 7.0), (second, -0.01)):
            optimiser.zero_grad()
            loss = twin.w.sum() * slope
            losses.append(float(loss.detach()))
            loss.backward()
            optimiser.step()
        told.append((losses[0] + losses[1]) / 2)
    torch.testing.assert_close(model.w, twin.w)
    assert [entry["loss"] for entry in state.history] == pytest.approx(told, rel=1e-6)


def test_torchs_own_randomness_is_that_of_the_stream_of_noise_in_every_epoch():
    model, drawn = Point(), []

    def objective(epoch):
        drawn.append(float(torch.rand(())))
        return model.w.sum()

    before = torch.get_rng_state()
    fit(model, objective, lambda: {}, Recipe(epochs=3, validate_every=3, selection="last"))
    assert torch.equal(torch.get_rng_state(), before)
    seeds = [Streams(0)("noise", epoch=epoch).key >> 1 for epoch in range(3)]
    assert drawn == [float(torch.rand((), generator=torch.Generator().manual_seed(seed))) for seed in seeds]
    assert len(set(drawn)) == 3


def test_the_best_validated_epoch_is_kept():
    model, state, trail = run([0.1, 0.5, 0.9, 0.3, 0.8, 0.7])
    assert (state.best_epoch, state.best_value, state.epoch) == (3, 0.9, 6)
    assert float(model.w.detach()) == trail[2] != trail[5]


def test_of_equal_epochs_the_first_is_kept():
    model, state, trail = run([0.1, 0.5, 0.5, 0.5, 0.2, 0.5])
    assert state.best_epoch == 2 and float(model.w.detach()) == trail[1]


def test_last_keeps_the_last_epoch():
    model, state, trail = run([0.9, 0.5, 0.4, 0.3, 0.2, 0.1], selection="last")
    assert state.best_epoch == 6 and float(model.w.detach()) == trail[5]


def test_validation_comes_every_few_epochs_and_after_the_last():
    _, state, _ = run([0.1, 0.2, 0.3], epochs=7, validate_every=3)
    assert [entry["epoch"] for entry in state.history] == [3, 6, 7]
    assert [entry["score"] for entry in state.history] == [0.1, 0.2, 0.3]


def test_patience_counts_validations_without_improvement():
    model, state, trail = run([0.5, 0.6, 0.6, 0.1, 0.9, 0.9], patience=2)
    assert (state.epoch, state.best_epoch, len(trail)) == (4, 2, 4)
    assert float(model.w.detach()) == trail[1]
    assert run([0.5, 0.6, 0.6, 0.7, 0.1, 0.1], patience=2)[1].epoch == 6
    assert run([0.5, 0.4, 0.3, 0.2, 0.1, 0.0])[1].epoch == 6


def test_a_validation_that_is_nan_is_never_the_best():
    _, state, _ = run([math.nan, 0.2, math.nan, 0.1, math.nan, math.nan])
    assert (state.best_epoch, state.best_value) == (2, 0.2)


@pytest.mark.parametrize("bad", [math.nan, math.inf, -math.inf])
def test_a_loss_without_bounds_stops_the_run_with_a_sentence(bad):
    model = Point()
    with pytest.raises(DivergedError, match=rf"The loss became {bad} in epoch 3\. Lower the learning rate") as caught:
        fit(
            model,
            lambda epoch: model.w.sum() * (bad if epoch == 2 else 1.0),
            lambda: {"score": 1.0},
            Recipe(epochs=9, selection="score"),
        )
    assert caught.value.exit_code == 5


def test_an_unknown_selection_names_what_there_is():
    with pytest.raises(UsageError, match="selection 'auc' is not a validation metric.*use score or last"):
        run([0.1], selection="auc")


def test_gradients_are_clipped():
    """With SGD the step would shrink; Adam divides by the norm, so the second step shows it."""
    found = []
    for limit in (None, 1e-3):
        model = Point()
        recipe = Recipe(epochs=2, selection="last", lr=0.1, max_grad_norm=limit)
        fit(model, lambda epoch, m=model: m.w.sum() * (1000.0 if epoch else 1e-3), lambda: {}, recipe)
        found.append(float(model.w.detach()))
    assert found[1] == pytest.approx(0.8, abs=1e-3) and found[0] != pytest.approx(0.8, abs=1e-3)


def test_gradients_are_clipped_by_the_norm_of_all_together():
    """Of slopes 3 and 4 times 100 the norm is 500: both become a hundredth, and not 1 each."""
    model, twin = (nn.ModuleList([Point(), Point()]) for _ in range(2))
    slopes = [(0.3, -0.1), (300.0, 400.0), (0.2, 0.5)]
    recipe = Recipe(epochs=3, validate_every=3, selection="last", lr=0.1, max_grad_norm=5.0)
    fit(model, lambda epoch: sum((p.w * s).sum() for p, s in zip(model, slopes[epoch], strict=True)), dict, recipe)
    optimiser = torch.optim.Adam(twin.parameters(), lr=0.1)
    for epoch in range(3):
        for point, slope in zip(twin, slopes[epoch], strict=True):
            point.w.grad = torch.full((1,), slope / (100.0 if epoch == 1 else 1.0))
        optimiser.step()
    for one, other in zip(model, twin, strict=True):
        torch.testing.assert_close(one.w, other.w)


def test_frozen_parameters_stay():
    model = nn.ModuleDict({"a": Point(), "b": Point()})
    model["a"].requires_grad_(False)
    fit(model, lambda epoch: (model["a"].w * model["b"].w).sum(), lambda: {}, Recipe(epochs=3, selection="last"))
    assert float(model["a"].w.detach()) == 1.0 != float(model["b"].w.detach())


def test_it_validates_in_evaluation_mode_and_trains_in_training_mode():
    model, seen = Point(), []

    def objective(epoch):
        seen.append(("train", model.training))
        return model.w.square().sum()

    def validate():
        seen.append(("validate", model.training))
        return {"score": 1.0}

    fit(model, objective, validate, Recipe(epochs=2, validate_every=1, selection="score"))
    assert seen == [("train", True), ("validate", False)] * 2
    assert not model.training


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"epochs": 0}, "'epochs' must be an integer of at least 1; got 0"),
        ({"epochs": 1.5}, "'epochs' must be an integer"),
        ({"validate_every": 0}, "'validate_every' must be"),
        ({"lr": 0.0}, "'lr' must be above 0"),
        ({"lr": math.nan}, "'lr' must be above 0"),
        ({"lr": "x"}, "'lr' must be above 0 and finite; got 'x'"),
        ({"lr": None}, "'lr' must be above 0 and finite; got None"),
        ({"lr": True}, "'lr' must be above 0 and finite; got True"),
        ({"weight_decay": -1.0}, "'weight_decay' must be at least 0 and finite; got -1.0"),
        ({"weight_decay": "x"}, "'weight_decay' must be at least 0 and finite; got 'x'"),
        ({"patience": 0}, "'patience' must be an integer of at least 1 or left out; got 0"),
        ({"patience": 2.5}, "'patience' must be an integer"),
        ({"epochs": True}, "'epochs' must be an integer"),
        ({"batch": True}, "'batch' must be an integer of at least 1 or left out; got True"),
        ({"max_grad_norm": 0.0}, "'max_grad_norm' must be above 0 and finite, or left out; got 0.0"),
        ({"max_grad_norm": [1]}, "'max_grad_norm' must be above 0"),
        ({"lr_decay": 1.5}, "'lr_decay' must be above 0 and at most 1; got 1.5"),
        ({"lr_decay": "1"}, "'lr_decay' must be above 0"),
        ({"selection": None}, "'selection' must be the name of a validation metric, or 'last'; got None"),
    ],
)
def test_a_wrong_recipe_is_a_sentence(changes, words):
    with pytest.raises(UsageError, match=words):
        Recipe(**changes)


def test_numbers_of_numpy_are_plain_ones_in_a_recipe():
    made = Recipe(epochs=np.int64(7), lr=np.float64(0.5), batch=np.arange(9)[8])
    assert made == Recipe(epochs=7, lr=0.5, batch=8)
    assert [type(value) for value in (made.epochs, made.lr, made.batch)] == [int, float, int]


def test_enough_ends_a_run_and_a_resumed_one_stays_ended(tmp_path):
    def run(checkpoint):
        model = nn.Linear(2, 1)
        nn.init.zeros_(model.weight)
        values = iter(range(100))
        return fit(
            model,
            lambda epoch: (model(torch.ones(3, 2)) - 1).square().mean(),
            lambda: {"score": float(next(values))},
            Recipe(epochs=20, validate_every=1, selection="last"),
            noise=Streams(0),
            checkpoint=checkpoint,
            enough=lambda metrics: metrics["score"] >= 4,
        )

    first = run(Checkpoint(tmp_path / "run", "digest"))
    assert (first.epoch, first.finished) == (5, True)
    assert run(Checkpoint(tmp_path / "run", "digest")).epoch == 5
    assert run(None).epoch == 5


def test_every_field_of_a_recipe_is_checked():
    assert Recipe(weight_decay=0, patience=None, batch=None, max_grad_norm=None, lr=1).lr == 1
    for field in fields(Recipe):
        with pytest.raises(UsageError, match=f"'{field.name}' must be"):
            Recipe(**{field.name: object()})
