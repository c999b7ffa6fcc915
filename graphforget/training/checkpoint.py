"""Checkpoints: a killed run goes on from the last one and ends in the same bytes."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from safetensors.torch import load_file, save
from torch import Tensor, nn

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import atomic_write

if TYPE_CHECKING:
    from graphforget.training.loop import State


def file_of(checkpoint: Path | str | None, owner: str) -> Path | None:
    """Return the path of a checkpoint, None for none; raises UsageError for what is no path."""
    if checkpoint is None or isinstance(checkpoint, Path):
        return checkpoint
    if not isinstance(checkpoint, str) or not checkpoint:
        raise UsageError(f"{owner}: 'checkpoint' must be the path of a file; got {checkpoint!r}.")
    return Path(checkpoint)


class Checkpoint:
    """One file that holds weights, optimiser states, best weights and the loop's state of a run.

    Parameters
    ----------
    path: the file; it appears and is replaced whole.
    run: digest of everything that decides the run's bytes. A file of another run is an error, never reused.
    """

    def __init__(self, path: Path, run: str) -> None:
        self.path = path
        self.run = run

    def exists(self) -> bool:
        """Return whether there is something to resume from."""
        return self.path.exists()

    def save(
        self,
        model: nn.Module,
        optimisers: Sequence[torch.optim.Optimizer],
        state: State,
        best: dict[str, Tensor],
    ) -> None:
        """Write the run as it stands."""
        tensors = {f"model/{name}": value for name, value in model.state_dict().items()}
        tensors |= {f"best/{name}": value for name, value in best.items()}
        for phase, optimiser in enumerate(optimisers):
            for number, slots in optimiser.state_dict()["state"].items():
                tensors |= {f"adam-{phase}/{number}/{slot}": value for slot, value in slots.items()}
        copies = {name: value.detach().contiguous().clone() for name, value in tensors.items()}
        header = {"run": self.run, "libraries": _libraries(), "state": json.dumps(asdict(state))}
        atomic_write(self.path, save(copies, metadata=header))

    def load(self, model: nn.Module, optimisers: Sequence[torch.optim.Optimizer]) -> tuple[State, dict[str, Tensor]]:
        """Restore model and optimisers in place; return the loop's state and the best weights."""
        from graphforget.training.loop import State

        header = self._header()
        tensors = load_file(self.path)
        model.load_state_dict(_part(tensors, "model/"))
        for phase, optimiser in enumerate(optimisers):
            slots: dict[int, dict[str, Tensor]] = {}
            for name, value in _part(tensors, f"adam-{phase}/").items():
                number, slot = name.split("/")
                slots.setdefault(int(number), {})[slot] = value
            optimiser.load_state_dict({**optimiser.state_dict(), "state": slots})
        return State(**json.loads(header["state"])), _part(tensors, "best/")

    def _header(self) -> dict[str, str]:
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(self.path, framework="pt") as file:
                header = file.metadata() or {}
        except (SafetensorError, OSError) as error:
            raise DataError(f"{self.path}: not a readable checkpoint ({error}). Delete it to start anew.") from error
        if header.get("run") != self.run:
            raise DataError(
                f"{self.path}: this checkpoint belongs to a run with other data, settings or seed, or of "
                "another version of this package. Give another folder, or delete it to start anew."
            )
        if header.get("libraries") != _libraries():
            raise DataError(
                f"{self.path}: this checkpoint was made with {header.get('libraries', 'unknown libraries')}; with "
                f"{_libraries()} the run would end in other bytes. Install those again, or delete it to start anew."
            )
        return header


def _libraries() -> str:
    """Return the versions that decide bytes."""
    return ", ".join(f"{name} {version(name)}" for name in ("torch", "numpy", "numba"))


def _part(tensors: dict[str, Tensor], prefix: str) -> dict[str, Tensor]:
    return {name.removeprefix(prefix): value for name, value in tensors.items() if name.startswith(prefix)}
