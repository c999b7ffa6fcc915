"""A run folder: finished stages appear whole, are reused only when they fit, and are never mixed up."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from graphforget._core.errors import UsageError
from graphforget._core.files import atomic_folder, read_json, write_json
from graphforget.models.base import Model
from graphforget.models.zoo import save_model
from graphforget.training.loop import Progress
from graphforget.training.model_folder import load_model

RECEIPT = "receipt.json"
PLAN = "plan.json"
WORK = "work"
More = Callable[[Path, Model, dict[str, Any]], None]
"""Writes what else belongs into the folder of a finished stage, from its model and receipt."""


def check_place(out: Path) -> None:
    """Raise UsageError unless a folder can be made at `out`: what is there of its path must be a folder to write to."""
    there = next(folder for folder in (out.absolute(), *out.absolute().parents) if folder.exists())
    if there != out.absolute() and not (there.is_dir() and os.access(there, os.W_OK)):
        why = "cannot be written to" if there.is_dir() else "is no folder"
        raise UsageError(f"--out {out}: {there} {why}. Name a folder somewhere else.")


def check_run_folder(out: Path) -> None:
    """Raise UsageError unless `out` is absent, empty, or the folder of an earlier run, at a place to write to."""
    check_place(out)
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: a file is in the way. Name a folder that is new, empty, or of an earlier run.")
    begun = {f"{PLAN}.lock"}  # all there is of a run that was stopped, or found no room, before it wrote its plan
    if out.is_dir() and any(path.name not in begun for path in out.iterdir()) and not (out / PLAN).is_file():
        raise UsageError(f"--out {out}: the folder holds other things (no {PLAN}). Name a new or empty folder.")


@dataclass(frozen=True)
class Store:
    """The stages of one seed below `folder`, or nothing kept when it is None.

    A stage is a model folder with a receipt that carries the digest of all that decides the model: graph, split,
    deletion, method, recipe and seed.

    Parameters
    ----------
    names: folder of each stage, where many plans share one store and stages are found by their digests; unfinished
        stages then stand in a folder of their own, `work`. By default a stage's folder has its own name.
    """

    folder: Path | None
    names: Mapping[str, str] | None = None

    def place(self, stage: str) -> Path:
        """Return the folder of a stage."""
        assert self.folder is not None
        return self.folder / (stage if self.names is None else self.names[stage])

    def finished(self, stage: str, digest: str) -> bool:
        """Return whether the stage is there; raises UsageError when it was made from something else."""
        if self.folder is None or not self.place(stage).exists():
            return False
        receipt = read_json(self.place(stage) / RECEIPT)
        if not isinstance(receipt, dict) or receipt.get("digest") != digest:
            raise UsageError(
                f"{self.place(stage)}: made from other data, options or seed than this run has, so it is not reused. "
                "Repeat the command that made it, or give another --out."
            )
        return True

    def checkpoint(self, stage: str, digest: str) -> Path | None:
        """Return the file an unfinished stage is resumed from; its name holds the digest."""
        if self.folder is None:
            return None
        if self.names is not None:
            return self.folder / WORK / f"{self.names[stage]}.checkpoint"
        return self.folder / f"{stage}-{digest[:16]}.checkpoint"

    def save(
        self,
        stage: str,
        digest: str,
        model: Model,
        receipt: dict[str, Any],
        more: More = lambda folder, model, receipt: None,
    ) -> None:
        """Keep a finished stage, with what `more` adds to its folder, and drop its checkpoint."""
        if self.folder is None:
            return
        whole = {"digest": digest, **receipt}
        write_model(self.place(stage), model, whole, more=lambda folder: more(folder, model, whole))
        checkpoint = self.checkpoint(stage, digest)
        assert checkpoint is not None
        drop_checkpoint(checkpoint)

    def load(self, stage: str, device: str) -> tuple[Model, dict[str, Any]]:
        """Return the model, on a device, and the receipt of a finished stage."""
        return load_model(self.place(stage), device), read_json(self.place(stage) / RECEIPT)


def write_model(
    folder: Path,
    model: Model,
    receipt: dict[str, Any],
    extra: dict[str, Any] | None = None,
    more: Callable[[Path], None] = lambda folder: None,
) -> None:
    """Write model and receipt into `folder`, which appears whole; `more` writes what else belongs in it."""
    with atomic_folder(folder) as path:
        save_model(model, path, extra)
        write_json(path / RECEIPT, receipt)
        more(path)


def clock_file(checkpoint: Path) -> Path:
    """Return the file that keeps how long a checkpointed stage ran before it was stopped."""
    return checkpoint.with_suffix(".seconds.json")


def drop_checkpoint(checkpoint: Path) -> None:
    """Remove the checkpoint of a finished stage, and those of its parts."""
    for path in (checkpoint, clock_file(checkpoint), *checkpoint.parent.glob(f"{checkpoint.name}.part-*")):
        path.unlink(missing_ok=True)


class Clock:
    """Seconds of a stage over all its interruptions.

    The time is written whenever the checkpoint changed, so that the cost of a resumed stage is not understated.
    """

    def __init__(self, checkpoint: Path | None, progress: Progress) -> None:
        self.checkpoint = checkpoint
        self.told = progress
        self.before = self._read()
        self.start = time.perf_counter()
        self.seen: int | None = None

    def _read(self) -> float:
        if self.checkpoint is None or not self.checkpoint.exists() or not clock_file(self.checkpoint).exists():
            return 0.0
        return float(read_json(clock_file(self.checkpoint)))

    def progress(self, epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        """Pass an epoch on, and write the time when there is a new checkpoint."""
        self.told(epoch, epochs, metrics)
        if self.checkpoint is None or not self.checkpoint.exists():
            return
        changed = self.checkpoint.stat().st_mtime_ns
        if changed != self.seen:
            self.seen = changed
            write_json(clock_file(self.checkpoint), self.before + time.perf_counter() - self.start)
