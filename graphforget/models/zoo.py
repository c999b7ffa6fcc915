"""The zoo: backbones by name, and models as folders of safetensors and JSON."""

from __future__ import annotations

from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from safetensors.torch import load, save
from torch import Tensor

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget._core.files import atomic_folder, atomic_write, read_json, write_json
from graphforget._core.registry import Registry
from graphforget.models.base import Backbone, Model
from graphforget.models.edited import Edited, Operator

FORMAT = "graphforget-model/1"


@cache
def backbones() -> Registry:
    """Return the registry of backbones."""
    return Registry("graphforget.models", Backbone, kind="backbone")


def save_model(model: Model, folder: Path, extra: dict[str, Any] | None = None) -> None:
    """Write `model.safetensors` and `model.json` into `folder`, which appears whole.

    Raises UnsupportedError for an adapted module: its code is the user's and cannot be written down.
    """
    description = {"format": FORMAT, **describe(model), **(extra or {})}
    if getattr(model, "provenance", None) is not None:
        description["provenance"] = asdict(model.provenance)
    tensors = {name: value.detach().cpu().contiguous().clone() for name, value in model.state_dict().items()}
    with atomic_folder(folder, replace=True) as path:
        atomic_write(path / "model.safetensors", save(tensors))
        write_json(path / "model.json", description)


def describe(model: Model) -> dict[str, Any]:
    """Return what is needed, beside the weights, to build the model again."""
    if isinstance(model, Edited):
        return {"operators": sorted(int(key) for key in model.operators), "base": describe(model.base)}
    if isinstance(model, Backbone):
        return {"backbone": model.name, "arguments": model.config(), "n_features": model.n_features}
    raise UnsupportedError(
        f"A {type(model).__name__} is not of the zoo, so its code cannot be written to a model folder; "
        "save its state_dict yourself."
    )


def load_model(folder: Path) -> Model:
    """Return the model a folder holds; raises DataError when the folder is not a whole, readable model."""
    folder = Path(folder)
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
    return model.frozen()


def _checked_format(description: Any, tensors: dict[str, Tensor]) -> Model:
    if not isinstance(description, dict) or description.get("format") != FORMAT:
        found = description.get("format") if isinstance(description, dict) else type(description).__name__
        raise ValueError(f"its format is {found!r}, this version reads {FORMAT!r}")
    return _build(description, tensors, "")


def _build(description: dict[str, Any], tensors: dict[str, Tensor], prefix: str) -> Model:
    """Return the described model, whose tensors' names start with `prefix`; operators take theirs at once."""
    if "operators" in description:
        base = _build(description["base"], tensors, f"{prefix}base.")
        return Edited(base, {int(n): _operator(tensors, f"{prefix}operators.{n}.") for n in description["operators"]})
    from graphforget._core.streams import Streams

    backbone = backbones().get(description["backbone"], **description["arguments"])
    return backbone.initialised(int(description["n_features"]), None, Streams(0))


def _operator(tensors: dict[str, Tensor], prefix: str) -> Operator:
    nodes, weight = tensors[f"{prefix}nodes"], tensors[f"{prefix}weight"]
    if nodes.dtype != torch.int64 or nodes.ndim != 1 or bool((nodes < 0).any()):
        raise ValueError(f"{prefix}nodes must be a list of node numbers")
    return Operator(nodes, weight)
