"""The task that a model folder was made for, made again from the data."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from graphforget._core.errors import DataError
from graphforget._core.files import read_json
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.experiments.setup import TASKS, Source, task_digest
from graphforget.tasks.base import Task

WANTED = {"data", "data_digest", "task", "task_digest", "task_options", "seed"}


@dataclass(frozen=True)
class Place:
    """Where the data of a model are, as far as they are named; the rest is as the model folder says.

    Parameters
    ----------
    data, data_dir, features, labels, options: as in `Source`.
    """

    data: str | None = None
    data_dir: str | None = None
    features: str | None = None
    labels: str | None = None
    options: Mapping[str, Any] | None = None

    def over(self, folder: Path, recorded: Mapping[str, Any] | None) -> Source:
        """Return the source with what is not named taken from the model folder's record.

        Raises DataError when neither names the data.
        """
        fields = {key: value for key, value in vars(self).items() if value is not None and key != "options"}
        if recorded is None and "data" not in fields:
            raise DataError(f"{folder}/model.json does not say where the model's data are. Name them with --data.")
        base = Source.from_dict(recorded) if recorded is not None else Source(fields["data"])
        return replace(base, **fields, options={**base.options, **(self.options or {})})


def read_made_for(folder: Path) -> dict[str, Any]:
    """Return what the model folder says of the task it was trained on; raises DataError when it does not say."""
    if not (folder / "model.json").is_file():
        raise DataError(f"{folder}: not a model folder; it must hold model.json and model.safetensors.")
    description = read_json(folder / "model.json")
    made = description.get("made_for") if isinstance(description, dict) else None
    if not isinstance(made, dict) or not WANTED <= set(made) or made["task"] not in TASKS:
        raise DataError(
            f"{folder}/model.json does not say which data and split the model was trained on ('made_for'). Train it "
            "with 'graphforget train', or save it with its task: gf.save_model(model, folder, task=task)."
        )
    return made


def source_of(folder: Path, place: Place) -> Source:
    """Return where the data of the model in `folder` are; raises DataError when that is not known."""
    return place.over(folder, read_made_for(folder).get("source")).absolute()


def check_there(folder: Path, source: Source) -> None:
    """Raise DataError when a file of the data is not where the model folder, or its user, says that it is."""

    def check(option: str, path: str) -> str:
        if not Path(path).exists():
            raise DataError(
                f"{folder}: a part of its data should be at {path}, but nothing is there. Say where it is now, with "
                f"{option}."
            )
        return path

    source.with_paths(check)


def same_task(folder: Path, graph: Graph | Interactions) -> Task:
    """Return the task that the model in `folder` was trained on; raises DataError when the data are others."""
    made = read_made_for(folder)
    if graph.digest != made["data_digest"]:
        also = "--columns and the split" if made["task"] == "recommend" else "--features and --labels"
        raise DataError(
            f"--data {graph.name}: not the data that the model in {folder} was trained on ('{made['data']}', digest "
            f"{made['data_digest'][:12]}; here {graph.digest[:12]}). Give the same files, {also} too, and with what "
            "must be forgotten (or was) still in them: it is left out here, so that the split stays as it was."
        )
    try:
        task = TASKS[made["task"]](graph, made["seed"], **made["task_options"])
    except TypeError as error:
        raise DataError(
            f"{folder}/model.json: its task cannot be made again ({error}). Train the model anew."
        ) from error
    if task_digest(task) != made["task_digest"]:
        raise DataError(
            f"--data {graph.name}: the model's data, but its split comes out differently. Name the data as they were "
            f"named in training ('{made['data']}')."
        )
    return task
