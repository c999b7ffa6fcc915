"""What killed processes left behind in a store or a run folder, removed when nobody works there.

A killed process leaves a folder half written, a temporary file, or, when it is killed right after a unit's folder
appeared, the checkpoint of a finished unit. None of them is ever read. Who works on a store holds one lock together
with all others who do; who gets it alone knows, on any host and by any clock, that nobody is writing.
"""

from __future__ import annotations

import contextlib
import shutil
from collections.abc import Iterator
from pathlib import Path

from graphforget._core.errors import UsageError
from graphforget._core.files import file_lock
from graphforget.experiments.run_folder import run_folders
from graphforget.experiments.store import WORK

TEMPORARY = ".graphforget-*.tmp"
SWEEPING = 60.0
"""Seconds to wait for a process that removes leftovers."""


@contextlib.contextmanager
def at_work(root: Path) -> Iterator[None]:
    """Keep others from taking what is being written inside the block for a leftover."""
    with file_lock(_everyone(root), timeout=SWEEPING, shared=True):
        yield


def sweep(root: Path) -> None:
    """Remove leftovers, unless a process works on the store: then a later sweep does."""
    if not (root / WORK).is_dir():
        return
    with contextlib.suppress(UsageError), file_lock(_everyone(root), timeout=0.0):  # held by those at work
        _remove(_leftovers(root))


def sweep_held(folder: Path) -> None:
    """Remove what was half written in a run folder that the caller holds alone."""
    _remove(_half_written(folder))


def _remove(paths: list[Path]) -> None:
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path, ignore_errors=True)
        else:
            with contextlib.suppress(OSError):  # another user's, say: it is in nobody's way
                path.unlink()


def _everyone(root: Path) -> Path:
    return root / WORK / "store"


def _leftovers(root: Path) -> list[Path]:
    """Return what nobody needs: half written folders and files, and what belonged to units that are finished since."""
    done = {folder.name for folder in run_folders(root)}
    work = [path for path in (root / WORK).iterdir() if path.suffix != ".lock" and path.name.partition(".")[0] in done]
    return [*work, *_half_written(root)]


def _half_written(root: Path) -> list[Path]:
    return [*root.glob(TEMPORARY), *root.glob(f"*/{TEMPORARY}")]
