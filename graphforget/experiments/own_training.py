"""Train a model into a folder that says what it was trained on."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from graphforget._core.errors import UsageError
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.experiments.events import Event, Listen, epochs_to, silent, tell_of
from graphforget.experiments.evidence import values_of
from graphforget.experiments.plan import check_seeds
from graphforget.experiments.prepare import check_backbone, check_recipe, original_digest
from graphforget.experiments.setup import Setup, resolved_options, task_digest
from graphforget.experiments.store import Clock, check_place, drop_checkpoint, write_model
from graphforget.experiments.workers import check_threads, limited_threads, suited_threads
from graphforget.tasks.base import Task
from graphforget.training.train import train


@dataclass(frozen=True)
class Trained:
    """A trained model's task and its validation and test metrics."""

    task: Task
    metrics: dict[str, float]
    seconds: float


def check_new_folder(out: Path) -> None:
    """Raise UsageError unless `out` is absent or an empty folder, at a place to write to."""
    check_place(out)
    if out.exists() and not (out.is_dir() and not any(out.iterdir())):
        raise UsageError(f"--out {out}: something is there already. Name a folder that does not exist yet.")


def prepare_training(setup: Setup, seed: int, out: Path | None) -> tuple[Graph | Interactions, Task]:
    """Return the data and the task of a model; whatever is wrong is raised before anything is written."""
    check_seeds((seed,))
    if out is not None:
        check_new_folder(out)
    graph = setup.source.load()
    task = setup.make_task(graph, seed)
    check_backbone(setup, task)
    check_recipe(setup, task)
    return graph, task


def train_model(setup: Setup, seed: int, out: Path, listen: Listen = silent, *, threads: int | None = None) -> Trained:
    """Train a model and write it to the folder `out`, with all that is needed to make its task again.

    A checkpoint stands beside `out` meanwhile: a run that was stopped goes on from it.
    """
    check_threads(threads)
    graph, task = prepare_training(setup, seed, out)
    tell_of(graph, listen)
    digest = original_digest(setup, task, seed)
    checkpoint = checkpoint_beside(out, digest)
    listen(Event(seed, "training", "started"))
    clock, start = Clock(checkpoint, epochs_to(listen, seed, "training")), time.perf_counter()
    recipe = setup.make_recipe()
    with limited_threads(suited_threads(threads, graph)):
        model = train(
            setup.make_backbone(),
            task,
            seed=seed,
            recipe=recipe,
            checkpoint=checkpoint,
            progress=clock.progress,
            device=setup.device,
        )
    seconds = clock.before + time.perf_counter() - start
    write_model(out, model, {"digest": digest, "seconds": seconds}, {"made_for": made_for(setup, graph, task, seed)})
    drop_checkpoint(checkpoint)
    listen(Event(seed, "training", "done", seconds=seconds))
    return Trained(task, values_of(task, model), seconds)


def checkpoint_beside(out: Path, digest: str) -> Path:
    """Return the file, beside the folder to come, that an unfinished run goes on from."""
    whole = out.resolve()  # "." has no name, and what is beside it would be inside
    return whole.with_name(f"{whole.name}-{digest[:16]}.checkpoint")


def made_for(setup: Setup, graph: Graph | Interactions, task: Task, seed: int) -> dict[str, Any]:
    """Return what a model folder says of its task."""
    return {
        "source": asdict(setup.source.absolute()),
        "data": graph.name,
        "data_digest": graph.digest,
        "task": setup.task,
        "task_digest": task_digest(task),
        "task_options": resolved_options(setup, task),
        "seed": seed,
    }
