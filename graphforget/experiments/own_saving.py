"""A model of Python's in a folder with the data of its task, which commands and other processes go on from."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import UsageError
from graphforget._core.files import atomic_folder
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.experiments.own_history import standing
from graphforget.experiments.own_task import Place
from graphforget.experiments.retained_data import arrays_of, restored, write_retained
from graphforget.experiments.setup import Source, split_of, task_defaults, task_digest
from graphforget.models import zoo
from graphforget.models.base import Model, require_model
from graphforget.tasks.base import NO_NODES, Task, check_data
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification


def save_model(model: Model, folder: Path | str, task: Task | None = None) -> None:
    """Write a model into `folder`, which appears whole; with a task, the data and the split of it as well.

    With a task the folder is what `graphforget unlearn --keep-data` leaves: `unlearn --model`, `recommend` and
    `load_task` need no file but those in it. Nothing of what was deleted is written; ids of what nothing is left of,
    or nothing ever was, are replaced. Features stand in it as the task has them, normalised if it normalises; where
    some are gone, sums over those left may go in another order, so that last digits differ.

    Parameters
    ----------
    model: of the zoo. folder: must not exist yet where a task is kept.
    task: what the model answers on: the one it was trained on, or `result.retained` after it forgot. Without it the
        folder holds the model alone, which knows nothing of what it has forgotten when it is read again.

    Raises
    ------
    UnsupportedError for an adapted module, whose code is the user's, and for a task that the model does not serve;
    DataError for data that it was not made for; UsageError for a task that still holds what it has forgotten, and for
    a folder that is there already.
    """
    if task is None:
        zoo.save_model(model, folder)
        return
    require_model(model)
    check_data("save_model", task, Task, "is no task; give the one that the model answers on.")
    zoo.check_serves(model, task.name)
    model.embed(task.graph)  # says so where the data are others than the model was made for
    if any(token is task.graph.token for token in model.refused):
        raise UsageError(
            "save_model: this task still holds what the model has forgotten, and the folder would keep it. Give the "
            "task without: result.retained."
        )
    if Path(folder).exists():
        raise UsageError(f"save_model: {folder} is there already. Name a folder that does not exist yet.")
    made = _made_for(task)
    arrays = arrays_of(_data_of(task), task, task.holes.get("nodes", NO_NODES))
    data, again = restored(arrays, made)
    made |= {"data_digest": data.digest, "task_digest": task_digest(again)}
    records = [{"data_digest": data.digest, "from_retained": True, **one} for one in task.log]
    extra = {"made_for": made, "unlearned": records, "retained": {"task_digest": made["task_digest"]}}
    with atomic_folder(folder) as path:
        zoo.save_model(model, path, extra)
        write_retained(path, arrays)


def load_task(folder: Path | str) -> Task:
    """Return the task of the model in a folder, without what it has forgotten.

    It comes from the data that the folder keeps (`save_model` with a task, `unlearn --keep-data`), or from the files
    that the model was trained on, where the folder says which.

    Raises DataError when they are not there, or not those that the folder speaks of.
    """
    found = standing(Path(folder), Place())
    found.task.log = found.records
    return found.task


def _made_for(task: Task) -> dict[str, Any]:
    """Return what a model folder says of a task whose split it keeps and whose features are as they shall be."""
    kept = {key: getattr(task, key) for key in task_defaults(task.name) if hasattr(task, key)}  # not shares to draw
    settled: dict[str, Any] = {"holdout": 0.0} if task.name == "recommend" else {"normalise": False}
    if isinstance(task, NodeClassification):
        settled["split"] = task.split_name
    name = task.graph.name
    return {
        "source": asdict(Source(name)),
        "data": name,
        "task": task.name,
        "task_options": {**kept, **settled},
        "seed": task.seed,
    }


def _data_of(task: Task) -> Graph | Interactions:
    """Return the data with what is held out."""
    if not isinstance(task, LinkPrediction):
        return task.graph
    held = [split_of(task)[part] for part in ("val", "test")]
    edges = np.unique(np.concatenate([task.graph.edges, *held], axis=1), axis=1)
    return task.graph.with_edges(edges)
