"""The one training loop: original models, gold models and every method that learns use it."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial

import torch
from torch import Tensor, nn

from graphforget._core.errors import DivergedError, UsageError
from graphforget._core.memory import keep_freed_memory
from graphforget._core.streams import Streams
from graphforget.models.base import Steps
from graphforget.training.checkpoint import Checkpoint
from graphforget.training.recipe import Recipe
from graphforget.training.workers import ALONE, Workers

Objective = Callable[[int], Tensor]
Validate = Callable[[], dict[str, float]]
Enough = Callable[[dict[str, float]], bool]
Progress = Callable[[int, int, dict[str, float]], None]


@dataclass(frozen=True)
class Phase:
    """A part of every epoch with an Adam of its own.

    Attributes
    ----------
    name: what messages call it.
    steps: epoch -> the losses to minimise in that epoch, one step each, computed when called. All their randomness
        must be a function of the epoch, so that a run resumes exactly.
    """

    name: str
    steps: Steps


@dataclass
class State:
    """Everything a run needs to go on: a checkpoint holds exactly this, beside the weights and the optimiser."""

    epoch: int = 0
    best_epoch: int = 0
    best_value: float = -math.inf
    stale: int = 0
    finished: bool = False
    history: list[dict[str, float]] = field(default_factory=list)


def fit(
    model: nn.Module,
    work: Objective | Sequence[Phase],
    validate: Validate,
    recipe: Recipe,
    *,
    noise: Streams,
    checkpoint: Checkpoint | None = None,
    progress: Progress | None = None,
    enough: Enough | None = None,
    workers: Workers = ALONE,
) -> State:
    """Minimise the losses of each epoch with Adam and leave the model at the selected epoch.

    Parameters
    ----------
    model: its parameters that require gradients are trained, in place.
    work: one loss for each epoch (full batch), or the phases of an epoch, which run one after the other.
    validate: metrics of the current model, larger is better; called every `recipe.validate_every` epochs.
    noise: streams of torch's own randomness (dropout in an adapted module), set anew in every epoch.
    checkpoint: where the run is saved at each validation and resumed from; None keeps it in memory.
    progress: called with (epoch, epochs, metrics) after each epoch.
    enough: says of the metrics of a validation whether training may end there; None trains on.
    workers: processes that run this together, each with its part of every loss; the first writes the checkpoint.

    Raises DivergedError when the loss is NaN or infinite, and when every validation was NaN.
    """
    keep_freed_memory()
    phases = [_one_step(work)] if callable(work) else list(work)
    optimisers = [_adam(model, recipe) for _ in phases]
    state, best = State(), snapshot(model)
    if checkpoint is not None and checkpoint.exists():
        state, best = checkpoint.load(model, optimisers)
    device = next(model.parameters()).device
    workers.check_agree(f"{state.epoch:08x}", device, "the checkpoint to go on from")
    while state.epoch < recipe.epochs and not _exhausted(state, recipe):
        with torch.random.fork_rng(devices=_generators()):
            _seed(noise("noise", epoch=state.epoch).key >> 1)
            loss = _epoch(model, phases, optimisers, state.epoch, recipe, workers)
        state.epoch += 1
        metrics: dict[str, float] = {}
        if state.epoch % recipe.validate_every == 0 or state.epoch == recipe.epochs:
            metrics = workers.of_first(validate(), device)
            state.history.append({"epoch": state.epoch, "loss": loss, **metrics})
            if _improved(state, metrics, recipe):
                best = snapshot(model)
            state.finished = enough is not None and enough(metrics)
            if checkpoint is not None and workers.rank == 0:
                checkpoint.save(model, optimisers, state, best)
        if progress is not None:
            progress(state.epoch, recipe.epochs, {"loss": loss, **metrics})
    if not state.best_epoch:
        raise DivergedError(
            f"Training: the validation metric '{recipe.selection}' was NaN in all {len(state.history)} validations, so "
            "no epoch can be kept. Check that there is something to validate on, or use selection='last'."
        )
    model.load_state_dict(best)
    return state


def _generators() -> list[int]:
    """Return the CUDA devices whose generators seeding touches; none where CUDA is not in use."""
    return list(range(torch.cuda.device_count())) if torch.cuda.is_initialized() else []


def _seed(seed: int) -> None:
    """Seed torch as `torch.manual_seed` does, but no device that is not in use: that costs 2 ms and queues a call."""
    torch.default_generator.manual_seed(seed)
    if torch.cuda.is_initialized():
        torch.cuda.manual_seed_all(seed)


def _one_step(objective: Objective) -> Phase:
    return Phase("main", lambda epoch: (lambda: objective(epoch),))


def _adam(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    parameters = [p for p in model.parameters() if p.requires_grad]
    return torch.optim.Adam(parameters, lr=recipe.lr, weight_decay=recipe.weight_decay, fused=True)


def _epoch(
    model: nn.Module,
    phases: list[Phase],
    optimisers: list[torch.optim.Optimizer],
    epoch: int,
    recipe: Recipe,
    workers: Workers,
) -> float:
    """Run all steps of an epoch and return their mean loss (the first phase's)."""
    model.train()
    means = []
    for phase, optimiser in zip(phases, optimisers, strict=True):
        for group in optimiser.param_groups:
            group["lr"] = recipe.lr * recipe.lr_decay**epoch
        step = partial(_step, model, optimiser, epoch=epoch, max_norm=recipe.max_grad_norm, workers=workers)
        losses = [step(loss) for loss in phase.steps(epoch)]
        if not losses:
            raise UsageError(f"Training: phase '{phase.name}' has no step in epoch {epoch + 1}: it has no data.")
        means.append(math.fsum(losses) / len(losses))
    model.eval()
    return means[0]


def _step(
    model: nn.Module,
    optimiser: torch.optim.Optimizer,
    objective: Callable[[], Tensor],
    epoch: int,
    max_norm: float | None,
    workers: Workers,
) -> float:
    optimiser.zero_grad(set_to_none=True)
    loss = objective()
    value = workers.total(loss.item(), loss)
    if not math.isfinite(value):
        raise DivergedError(f"The loss became {value} in epoch {epoch + 1}. Lower the learning rate ('lr').")
    loss.backward()
    workers.add_gradients(model)
    if max_norm is not None:
        nn.utils.clip_grad_norm_(model.parameters(), max_norm)
    optimiser.step()
    return value


def _improved(state: State, metrics: dict[str, float], recipe: Recipe) -> bool:
    """Record a validation in the state; return whether this epoch is the one to keep."""
    if recipe.selection != "last" and recipe.selection not in metrics:
        name = f"Recipe: selection '{recipe.selection}'"
        if not metrics:
            raise UsageError(f"{name} needs a validation part, and this one is empty. Hold out more, or use last.")
        raise UsageError(f"{name} is not a validation metric of this run; use {' or '.join([*metrics, 'last'])}.")
    value = state.epoch if recipe.selection == "last" else metrics[recipe.selection]
    state.stale += 1
    if not value > state.best_value:
        return False
    state.best_value, state.best_epoch, state.stale = float(value), state.epoch, 0
    return True


def _exhausted(state: State, recipe: Recipe) -> bool:
    return state.finished or (recipe.patience is not None and state.stale >= recipe.patience)


def snapshot(model: nn.Module) -> dict[str, Tensor]:
    """Return a copy of the model's parameters and buffers."""
    return {name: value.detach().clone() for name, value in model.state_dict().items()}
