"""The zoo: backbones by name, and models as folders of safetensors and JSON."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from graphforget._core.devices import AUTO, find_device
from graphforget._core.errors import DataError, UnsupportedError, UsageError, nearest
from graphforget._core.files import atomic_folder, atomic_write, read_json, write_json
from graphforget._core.registry import Registry
from graphforget.data.shard_map import ShardMap
from graphforget.models.attention_ensemble import AttentionEnsemble
from graphforget.models.base import Backbone, Model
from graphforget.models.edited import Edited, Operator, under_operators
from graphforget.models.ensemble import Ensemble, MeanEnsemble
from graphforget.models.recommender import Recommender
from graphforget.models.shifted import Shifted

FORMAT = "graphforget-model/1"


@cache
def backbones() -> Registry[Backbone | Recommender]:
    """Return the registry of all backbones; each says by `tasks` what it serves."""
    return Registry("graphforget.models", Backbone | Recommender, kind="backbone")


def backbones_for(task: str) -> list[str]:
    """Return the names of the backbones that serve the task of that name."""
    return [cls.name for cls in backbones().classes() if task in cls.tasks]


def make_backbone(name: str, **options: Any) -> Backbone | Recommender:
    """Return an untrained backbone; raises UsageError for an unknown name or option (the nearest is suggested)."""
    check_options(name, options)
    cls, preset = backbones().find(name)
    return cls(**{**preset, **options})


def backbone_options(name: str) -> dict[str, Any]:
    """Return the options of a backbone and their defaults."""
    cls, preset = backbones().find(name)
    return cls(**preset).config()


def check_options(name: str, options: Iterable[str]) -> None:
    """Raise UsageError for what is not an option of the backbone of that name (the nearest is suggested)."""
    known = backbone_options(name)
    stray = next((key for key in options if key not in known), None)
    if stray is not None:
        raise UsageError(
            f"{name}: '{stray}' is not an option of this backbone.{nearest(stray, known)} Options: {', '.join(known)}."
        )


def check_serves(model: Model | type[Model], task: str) -> None:
    """Raise UnsupportedError unless a model, or a class of the zoo, serves the task of that name."""
    base = under_operators(model) if isinstance(model, Model) else model
    if task not in base.tasks:
        raise UnsupportedError(
            f"{base.name} serves {' and '.join(base.tasks)} tasks; this is a {task} task. Use one of "
            f"{', '.join(backbones_for(task))}."
        )


def save_model(model: Model, folder: Path | str, extra: dict[str, Any] | None = None) -> None:
    """Write `model.safetensors` and `model.json` into `folder`, which appears whole.

    What an unlearned model keeps in memory, the retained data that it answers from, is not written: the model that is
    read again takes every task as it is. Give it the retained one.

    Raises UnsupportedError for an adapted module: its code is the user's and cannot be written down.
    """
    description = {"format": FORMAT, **describe(model), **(extra or {})}
    if model.provenance is not None:
        description["provenance"] = asdict(model.provenance)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    with atomic_folder(folder, replace=True) as path:
        atomic_write(path / "model.safetensors", save(tensors))
        write_json(path / "model.json", description)


def describe(model: Model) -> dict[str, Any]:
    """Return what is needed, beside the weights, to build the model again."""
    if isinstance(model, Edited):
        return {"operators": sorted(int(key) for key in model.operators), "base": describe(model.base)}
    if isinstance(model, Shifted):
        return {"shifted": describe(model.base)}
    if isinstance(model, Ensemble):
        made = {"ensemble": model.name, "arguments": model.config(), "plan": model.plan}
        return {**made, "origins": model.origins, "shard": describe(model.shards[0])}
    if isinstance(model, Recommender):
        if model.sizes is None:
            raise UsageError(f"{model.name} has no parameters yet; train it first.")
        return {"backbone": model.name, "arguments": model.config(), "sizes": model.sizes}
    if isinstance(model, Backbone):
        return {"backbone": model.name, "arguments": model.config(), "n_features": model.n_features}
    raise UnsupportedError(
        f"{type(model).__name__} is no model of the zoo, so its code cannot be written to a model folder; "
        "save its state_dict yourself."
    )


def read_model(folder: Path | str, device: str = AUTO) -> Model:
    """Return the model a folder holds, without its provenance (for that see `training.model_folder`), on a device.

    Raises DataError when the folder is not a whole, readable model, UsageError for a device that is not there.
    """
    folder, place = Path(folder), find_device(device)
    if not (folder / "model.json").is_file() or not (folder / "model.safetensors").is_file():
        raise DataError(f"{folder}: not a model folder; it must hold model.json and model.safetensors.")
    description = read_json(folder / "model.json")
    try:
        tensors = load((folder / "model.safetensors").read_bytes())
        model = _checked_format(description, tensors)
        model.load_state_dict(tensors)
    except (SafetensorError, UsageError, RuntimeError, LookupError, TypeError, ValueError) as error:
        raise DataError(f"{folder}: the model cannot be read ({error}). Save it again from its source.") from error
    if not all(bool(torch.isfinite(value).all()) for value in tensors.values() if value.is_floating_point()):
        raise DataError(f"{folder}: the model holds NaN or infinite weights.")
    return model.frozen().to(place)


def _checked_format(description: Any, tensors: dict[str, Tensor]) -> Model:
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else type(description).__name__
        raise ValueError(f"its format is {found!r}, this version reads {FORMAT!r}")
    _check_shapes(description, tensors)
    return _build(description, tensors, "")


def _check_shapes(description: dict[str, Any], tensors: dict[str, Tensor]) -> None:
    """Raise ValueError unless the described model has the weights of these shapes; none of it is allocated for that.

    What a description asks for is not bounded by the size of the file it stands beside.
    """
    with torch.device("meta"):
        wanted = {name: tuple(value.shape) for name, value in _build(description, tensors, "").state_dict().items()}
    found = {name: tuple(value.shape) for name, value in tensors.items()}
    for name in sorted(wanted.keys() | found.keys()):
        if wanted.get(name) != found.get(name):
            there, here = (shapes.get(name, "nothing") for shapes in (wanted, found))
            raise ValueError(f"model.json describes {there} as {name}, model.safetensors holds {here}")


def _build(description: dict[str, Any], tensors: dict[str, Tensor], prefix: str) -> Model:
    """Return the described model, whose tensors' names start with `prefix`; operators take theirs at once."""
    if "operators" in description:
        base = _build(description["base"], tensors, f"{prefix}base.")
        return Edited(base, {int(n): _operator(tensors, f"{prefix}operators.{n}.") for n in description["operators"]})
    if "shifted" in description:
        return Shifted(_build(description["shifted"], tensors, f"{prefix}base."), tensors[f"{prefix}shift"])
    if "ensemble" in description:
        return _ensemble(description, tensors, prefix)
    from graphforget._core.streams import Streams

    backbone = make_backbone(description["backbone"], **description["arguments"])
    if isinstance(backbone, Recommender):
        return backbone.with_sizes(_sizes(description["sizes"]), Streams(0))
    return backbone.initialised(int(description["n_features"]), None, Streams(0))


def _ensemble(description: dict[str, Any], tensors: dict[str, Tensor], prefix: str) -> Ensemble:
    """Return an ensemble; it takes its map of shards at once."""
    kinds = {cls.name: cls for cls in (MeanEnsemble, AttentionEnsemble)}
    plan = description["plan"]
    tables: dict[str, Any] = {
        key: tensors[prefix + key].numpy() for key in ("table", "numbers") if prefix + key in tensors
    }
    count = range(min(int(plan["n_shards"]), len(tensors) + 1))  # one more than there can be is enough to be refused
    if any(table.dtype != "int64" or table.ndim != 1 for table in tables.values()):
        raise ValueError(f"{prefix}table and {prefix}numbers must be lists of integers")
    shards = [_build(description["shard"], tensors, f"{prefix}shards.{number}.") for number in count]
    model = kinds[description["ensemble"]](shards, ShardMap(**plan, **tables), **description["arguments"])
    origins = description.get("origins", [])
    if not isinstance(origins, list) or len(origins) not in (0, len(shards)):
        raise ValueError(f"its origins must be a list of {len(shards)}, one for each shard, or empty")
    model.origins = [None if origin is None else str(origin) for origin in origins]
    return model


def _sizes(sizes: Any) -> dict[str, Any]:
    if not isinstance(sizes, dict):
        raise ValueError(f"its sizes are a {type(sizes).__name__}, not an object")
    return sizes


def _operator(tensors: dict[str, Tensor], prefix: str) -> Operator:
    nodes, weight = tensors[f"{prefix}nodes"], tensors[f"{prefix}weight"]
    if nodes.dtype != torch.int64 or nodes.ndim != 1 or bool((nodes < 0).any()):
        raise ValueError(f"{prefix}nodes must be a list of node numbers")
    return Operator(nodes, weight)
