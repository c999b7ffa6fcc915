"""Train a backbone on a task."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from torch import nn

from graphforget._core.devices import AUTO, device_key, find_device
from graphforget._core.streams import Streams
from graphforget._core.threads import one_torch_thread
from graphforget.models.base import Backbone, Model, require_model
from graphforget.models.mf import MF
from graphforget.models.pretrained import Pretraining
from graphforget.models.recommender import Recommender
from graphforget.models.zoo import check_serves
from graphforget.tasks.base import Forgotten, Task, check_data, check_seed
from graphforget.training.checkpoint import Checkpoint, file_of
from graphforget.training.loop import Phase, Progress, State, fit
from graphforget.training.recipe import Recipe, changed, default_recipe
from graphforget.training.sampled import check_divisible, check_sampling, sampled_steps
from graphforget.training.workers import ALONE, Workers

REVISION = 3
"""Raised when a change of the code changes the bytes of trained models: run folders of older code are then refused."""


@dataclass(frozen=True)
class Provenance:
    """How a model came to be: recipe, seed, task and the epoch kept; saved beside the weights."""

    recipe: Recipe
    seed: int
    task: str
    best_epoch: int
    history: list[dict[str, float]] = field(default_factory=list)

    @property
    def again(self) -> Recipe:
        """The recipe for training again: a selection that had read a deletion becomes the task's own."""
        leaked = self.recipe.selection == "val_released"
        return replace(self.recipe, selection=default_recipe(self.task).selection) if leaked else self.recipe


def train(
    backbone: Model,
    task: Task,
    *,
    seed: int | None = None,
    recipe: Recipe | None = None,
    checkpoint: Path | str | None = None,
    progress: Progress | None = None,
    device: str = AUTO,
    **changes: Any,
) -> Model:
    """Return a trained copy of `backbone`; the argument itself stays as it is.

    Parameters
    ----------
    backbone: one of the zoo (`GCN()`) or an adapted module of the user's own.
    task: what to train for.
    seed: of initial weights and training negatives; by default the task's.
    recipe: hyper-parameters; by default the task's (`training.recipe`), as the backbone's authors published them.
    checkpoint: file to save to at each validation, and to resume from if it exists.
    progress: called after every epoch with the epoch, the number of epochs, and what is known of it.
    device: "cpu", "cuda", "cuda:1"; "auto" is what $GRAPHFORGET_DEVICE names, else a CUDA device where there is one,
        else the CPU. Initial weights, batches and negatives are the same everywhere; sums are rounded otherwise (and
        dropout is drawn otherwise), so results are close, not equal. On CUDA gradients of pairs are added atomically,
        in any order, unless `torch.use_deterministic_algorithms(True)` is set.
    changes: fields of the recipe to change, as in `epochs=200`.

    Raises DivergedError when the loss becomes NaN or infinite.
    """
    require_model(backbone)
    check_data("train", task, Task, "is no task; give LinkPrediction(graph) or another.")
    check_serves(backbone, task.name)
    seed = check_seed("train", task.seed if seed is None else seed)
    recipe = changed(recipe or default_recipe(task.name, backbone.published), changes, "train")
    model = start(backbone, task, Streams(seed)).to(find_device(device))
    return run_training(model, task, recipe, seed, checkpoint=file_of(checkpoint, "train"), progress=progress)


def start(backbone: Model, task: Task, streams: Streams) -> Model:
    """Return the untrained copy of `backbone` that fits the task."""
    if isinstance(backbone, Recommender):
        return backbone.initialised_for(task.graph, streams)
    if isinstance(backbone, Backbone):
        return backbone.initialised(task.graph.n_features, task.n_outputs, streams)
    return backbone.fresh(streams)


def run_training(
    model: Model,
    task: Task,
    recipe: Recipe,
    seed: int,
    *,
    gone: Forgotten | None = None,
    checkpoint: Path | None = None,
    progress: Progress | None = None,
) -> Model:
    """Train `model` in place on the task's objective and return it with its provenance.

    Where its users and items start from an MF that has to be trained first, that is done here, on the same task. With
    `neighbours` in the recipe, several processes (`torchrun`) train together, see `Workers`; without, each for itself.
    """
    streams = Streams(seed)
    if model.pretraining is not None:
        model.start_from(pretrained(model.pretraining, task, seed, str(model.device)))
    workers = ALONE if recipe.neighbours is None else Workers.joined(next(model.parameters()).device)
    check_divisible(model, workers)
    saved: Checkpoint | None = None
    if checkpoint is not None or workers.count > 1:
        digest = _run_digest(model, task, recipe, seed)
        workers.check_agree(digest, next(model.parameters()).device)
        digest = digest if workers.count == 1 else digest_of(digest, workers.count)
        saved = None if checkpoint is None else Checkpoint(checkpoint, digest)
    with one_torch_thread():
        state = fit(
            model,
            phases(model, task, recipe, streams, workers),
            validator(model, task, gone),
            recipe,
            noise=streams,
            checkpoint=saved,
            progress=progress,
            workers=workers,
        )
    model.provenance = provenance(recipe, seed, task, state)
    return model


def pretrained(first: Pretraining, task: Task, seed: int, device: str = "cpu") -> MF:
    """Return the MF that a model starts from, trained on the task."""
    given = first.recipe
    recipe = (
        default_recipe(task.name) if given is None else changed(Recipe(), given, "the record of pretrained vectors")
    )
    if not task.validates:  # a shard may hold no validation pair
        recipe = replace(recipe, selection="last")
    model = train(MF(**first.arguments), task, seed=seed, recipe=recipe, device=device)
    assert isinstance(model, MF)
    return model


def phases(model: Model, task: Task, recipe: Recipe, streams: Streams, workers: Workers = ALONE) -> list[Phase]:
    """Return the phases of an epoch: the task's objective, then what the model trains beside it."""
    if recipe.neighbours is None:
        main = Phase("main", lambda epoch: task.steps(model, streams, epoch, recipe.batch))
    else:
        check_sampling(model, recipe)
        main = Phase("main", lambda epoch: sampled_steps(model, task, recipe, streams, epoch, workers))
    return [main, *(Phase(name, steps) for name, steps in model.side_phases(task.graph, streams).items())]


def _run_digest(model: Model, task: Task, recipe: Recipe, seed: int) -> str:
    data = task.graph.digest, recipe.as_dict(), seed, *task.key()
    return digest_of("train", REVISION, *data, repr(model), weights_digest(model), *device_key(model.device))


def validator(model: Model, task: Task, gone: Forgotten | None = None) -> Callable[[], dict[str, float]]:
    """Return the function that validates `model` on `task`."""
    return lambda: task.validate(model.embed(task.graph), gone)


def provenance(recipe: Recipe, seed: int, task: Task, state: State) -> Provenance:
    """Return the record of a finished run."""
    return Provenance(recipe, seed, task.name, state.best_epoch, state.history)


def weights_digest(model: nn.Module) -> str:
    """Return a sha256 of the model's parameters and buffers, names and shapes included."""
    sha = hashlib.sha256()
    for name, value in model.state_dict().items():
        sha.update(f"{name}{tuple(value.shape)}".encode() + value.detach().cpu().contiguous().numpy().tobytes())
    return sha.hexdigest()


def digest_of(*parts: Any) -> str:
    """Return a sha256 of JSON-able parts."""
    return hashlib.sha256(json.dumps(parts, sort_keys=True, default=str).encode()).hexdigest()
