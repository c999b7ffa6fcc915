"""What a model is trained on and how: data, task, backbone and recipe, as plain values."""

from __future__ import annotations

import hashlib
import inspect
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, fields, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.devices import find_device
from graphforget._core.errors import UsageError, nearest, unknown
from graphforget.data.cards import is_card
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.load import ONE_HOT, load
from graphforget.data.splits import add_parts
from graphforget.experiments.architecture import read_backbone
from graphforget.models.base import Backbone
from graphforget.models.recommender import Recommender
from graphforget.models.zoo import backbones, check_serves, make_backbone
from graphforget.tasks.base import Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.recipe import Recipe, changed, default_recipe

TASKS: dict[str, Callable[..., Task]] = {
    "link": LinkPrediction,
    "node": NodeClassification,
    "recommend": Recommendation,
}


@dataclass(frozen=True)
class Source:
    """Where data come from: the arguments of `load`.

    Parameters
    ----------
    options: what `load` is told about interactions, as {"columns": {"user": "userId", ...}, "min_rating": 4}.
    """

    data: str
    data_dir: str | None = None
    features: str | None = None
    labels: str | None = None
    options: Mapping[str, Any] = field(default_factory=dict)

    def load(self) -> Graph | Interactions:
        """Return the graph or the interactions; raises UsageError for a folder of named sets beside a file."""
        if self.data_dir is not None and not is_card(self.data) and Path(self.data).expanduser().exists():
            raise UsageError(f"--data-dir is where named sets are, but {self.data} is a file of its own. Leave it out.")
        return load(self.data, self.data_dir, self.features, self.labels, **self.options)

    @property
    def columns(self) -> Mapping[str, str] | None:
        """What the user's files call their columns; a deletion file may call them so, too."""
        return self.options.get("columns")

    def with_paths(self, change: Callable[[str, str], str]) -> Source:
        """Return the source with every path replaced by `change(option of the command line, path)`."""
        options = dict(self.options)
        if options.get("triples") is not None:
            options["triples"] = change("--triples-file FILE", options["triples"])
        for key, option in (("modalities", "--modality-file {}=FILE"), ("parts", "--{}-file FILE")):
            if options.get(key):
                options[key] = {name: change(option.format(name), path) for name, path in options[key].items()}
        found = {"data": None if is_card(self.data) else self.data, "data_dir": self.data_dir, "labels": self.labels}
        found["features"] = None if self.features == ONE_HOT else self.features
        named = {"data_dir": "--data-dir FOLDER"}
        paths = {k: change(named.get(k, f"--{k} FILE"), path) for k, path in found.items() if path is not None}
        return replace(self, **paths, options=options)

    def absolute(self) -> Source:
        """Return the source with absolute paths, so that it is found from every working directory."""
        return self.with_paths(lambda option, path: str(Path(path).expanduser().absolute()))

    @classmethod
    def from_dict(cls, fields: Mapping[str, Any]) -> Source:
        """Return the source that `asdict` made a dictionary of, also after a way through JSON."""
        options = {key: tuple(v) if isinstance(v, list) else v for key, v in fields.get("options", {}).items()}
        return cls(**{**fields, "options": options})


@dataclass(frozen=True)
class Setup:
    """Data, task, backbone and recipe.

    Parameters
    ----------
    source: where the data come from.
    backbone: a name of the zoo, with or without options, as "lightgcn:layers=2,std=0.01".
    task: "link", "node" or "recommend".
    task_options: keyword arguments of the task; what is left out has the default of the backbone's authors, or of the
        task.
    architecture: further options of the backbone.
    recipe: fields of the recipe; what is left out has the same defaults.
    device: where all models are trained, as `train` names it; kept as what it was found to be. The CPU unless said
        otherwise: published numbers are of the CPU, and a CUDA device rounds in another way.

    Raises UsageError at once for a name, an option, a device or a value that does not exist, UnsupportedError for a
    backbone that does not serve the task.
    """

    source: Source
    backbone: str
    task: str = "link"
    task_options: Mapping[str, Any] = field(default_factory=dict)
    architecture: Mapping[str, Any] = field(default_factory=dict)
    recipe: Mapping[str, Any] = field(default_factory=dict)
    device: str = "cpu"

    def __post_init__(self) -> None:
        object.__setattr__(self, "device", str(find_device(self.device)))
        if self.task not in TASKS:
            raise UsageError(unknown("task", self.task, TASKS))
        known = task_defaults(self.task)
        for key in self.task_options:
            if key not in known:
                raise UsageError(
                    f"'{key}' is not an option of the {self.task} task.{nearest(key, known)} It has {', '.join(known)}."
                )
        check_serves(backbones().find(self.name)[0], self.task)
        self.make_backbone()
        self.make_recipe()

    @property
    def name(self) -> str:
        """The backbone's name, without options."""
        return self.backbone.partition(":")[0].strip()

    @property
    def published(self) -> Mapping[str, Any]:
        """How the backbone's authors trained it, see `Model.published`."""
        return backbones().find(self.name)[0].published

    def options(self) -> dict[str, Any]:
        """Return the arguments of the task: those given, and those that the backbone's authors published."""
        known = task_defaults(self.task)
        return {**{key: value for key, value in self.published.items() if key in known}, **self.task_options}

    def make_task(self, data: Graph | Interactions, seed: int) -> Task:
        """Return the task on `data`.

        Raises UsageError when it is of another kind than the task, or holds out pairs already and more are asked for.
        """
        if isinstance(data, Interactions) and self.task != "recommend":
            raise UsageError(
                f"'{data.name}' holds users and items, so this is no {self.task} task. Delete users, items or "
                "interactions, with a recommender."
            )
        if not isinstance(data, Interactions) and self.task == "recommend":
            raise UsageError(
                f"'{data.name}' is a graph without users and items, so nothing can be recommended. Delete edges, nodes "
                "or features; for a file of interactions, name its columns."
            )
        options = self.options()
        if isinstance(data, Interactions) and "holdout" in options:
            _check_holdout(data, options.get("select_on"))
        return TASKS[self.task](data, seed, **options)

    def make_backbone(self) -> Backbone | Recommender:
        """Return the untrained backbone."""
        name, options = read_backbone(self.backbone, self.architecture)
        return make_backbone(name, **options)

    def make_recipe(self) -> Recipe:
        """Return the recipe of the original and the gold model."""
        return changed(default_recipe(self.task, self.published), self.recipe, "Recipe")

    def as_dict(self) -> dict[str, Any]:
        """Return the fields, for JSON, with the whole architecture and recipe; the device where it is not the CPU."""
        architecture, recipe = self.make_backbone().config(), self.make_recipe().as_dict()
        found = {**asdict(self), "task_options": self.options(), "architecture": architecture, "recipe": recipe}
        return {key: value for key, value in found.items() if (key, value) != ("device", "cpu")}


def _check_holdout(data: Interactions, select_on: str | None) -> None:
    """Raise UsageError when a share is to be held out though nothing will be."""
    why = "no epoch is selected on it (--select-on test)" if select_on == "test" else ""
    why = why or (f"'{data.name}' has a validation part" if data.valid is not None else "")
    if why:
        raise UsageError(f"--holdout is the share of the validation part, but {why}. Leave it out.")


def task_defaults(name: str) -> dict[str, Any]:
    """Return the options of a task and their defaults."""
    parameters = inspect.signature(TASKS[name]).parameters.values()
    return {p.name: p.default for p in parameters if p.kind is p.KEYWORD_ONLY}


def resolved_options(setup: Setup, task: Task) -> dict[str, Any]:
    """Return every option of a task as it stands, defaults resolved: what decides its split and its scores."""
    options = {**task_defaults(setup.task), **setup.options()}
    return {key: getattr(task, key) if value is None else value for key, value in options.items()}


def split_of(task: Task) -> dict[str, np.ndarray]:
    """Return the split that a task keeps beside its data, held-out negatives included, by part."""
    if isinstance(task, LinkPrediction):
        return {part.name: getattr(task.split, part.name) for part in fields(task.split)}
    if isinstance(task, NodeClassification):
        return {"train": task.train_nodes, "val": task.val_nodes, "test": task.test_nodes}
    if isinstance(task, Recommendation):
        return {}  # interactions hold their parts themselves
    raise UsageError(f"A {task.name} task has no split that is known here.")


def task_digest(task: Task) -> str:
    """Return a digest of the data of a task and of its whole split, held-out negatives included."""
    sha = hashlib.sha256(task.graph.digest.encode())
    add_parts(sha, split_of(task).values())
    return sha.hexdigest()
