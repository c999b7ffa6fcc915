"""What a Ray worker does: it computes one unit in a folder of its machine and gives the bytes of the result back.

The folder (below $TMPDIR) holds copies of what the unit needs, and its checkpoints: a unit whose worker was killed goes
on from the last one where Ray starts it on the same machine again, or where $TMPDIR is a disk that all machines share;
elsewhere it starts anew.
"""

from __future__ import annotations

import math
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache, partial
from pathlib import Path
from platform import node
from typing import Any

from graphforget._core.errors import GraphforgetError, UsageError
from graphforget._core.files import atomic_folder, atomic_write, file_lock
from graphforget._core.memory import PeakMemory
from graphforget.experiments.events import Event, silent
from graphforget.experiments.run_folder import read_run
from graphforget.experiments.runner import Runner, finished
from graphforget.experiments.store import WORK
from graphforget.experiments.units import Unit
from graphforget.experiments.warmup import warm_up
from graphforget.experiments.workers import limited_threads
from graphforget.training.loop import Progress
from graphforget.unlearning.shards.work import ShardModel, ShardWork

RETRIES = 3
"""How often Ray starts a task again whose worker was killed."""
Files = dict[str, bytes]
"""Name -> content of what a run folder holds."""


class Ear:
    """A Ray actor that workers tell what happens, until the command asks for it."""

    def __init__(self) -> None:
        self.heard: list[tuple[str, Event]] = []

    def tell(self, unit: str, event: Event) -> None:
        """Keep an event of a unit."""
        self.heard.append((unit, event))

    def ask(self) -> list[tuple[str, Event]]:
        """Return what was told since the last question."""
        heard, self.heard = self.heard, []
        return heard


@dataclass(frozen=True)
class Order:
    """A unit for a worker.

    Attributes
    ----------
    store: name of the store's folder on every machine. needs: unit -> reference to the files of its folder.
    ear: the actor that listens.
    """

    unit: Unit
    store: str
    needs: Mapping[str, Any]
    threads: int
    ear: Any


@dataclass(frozen=True)
class Answer:
    """The folder of a unit that was computed, and how that ended."""

    files: Files
    end: Event


def read_folder(folder: Path) -> Files:
    """Return what a run folder holds."""
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def write_folder(folder: Path, files: Files) -> None:
    """Put a run folder in its place; it appears whole."""
    with atomic_folder(folder) as path:
        for name, data in files.items():
            atomic_write(path / name, data)


def carry_out(order: Order) -> Answer | GraphforgetError:
    """Compute a unit on this machine; an error is returned, with the machine's name, because Ray would wrap it."""
    try:
        return _carried_out(order, place_of(order.store))
    except GraphforgetError as error:
        return type(error)(f"On the Ray node {node()}: {error}")


def place_of(store: str) -> Path:
    """Return the folder of this machine for what belongs to a store: below a folder of this user's alone.

    Raises UsageError where another user made that folder, or can write to it: its models would be taken for ours.
    """
    mine = Path(tempfile.gettempdir()) / f"graphforget-ray-{os.getuid()}"
    mine.mkdir(mode=0o700, exist_ok=True)
    facts = mine.lstat()
    if not stat.S_ISDIR(facts.st_mode) or facts.st_uid != os.getuid() or facts.st_mode & 0o022:
        raise UsageError(f"{mine} is not a folder of this user's alone. Remove it, or set $TMPDIR to another place.")
    return mine / store


def clean(store: str) -> None:
    """Remove the folder of this machine for what belongs to a store."""
    shutil.rmtree(place_of(store), ignore_errors=True)


def _carried_out(order: Order, root: Path) -> Answer:
    unit, ends = order.unit, [Event(order.unit.seed, order.unit.title, "done")]

    def listen(event: Event) -> None:
        if event.state in ("done", "failed"):
            ends.append(event)
        else:
            order.ear.tell.remote(unit.id, event)

    for name, files in order.needs.items():
        _fetch(root, name, files)
    with limited_threads(order.threads), file_lock(root / WORK / unit.id, timeout=math.inf):
        if not finished(root, unit.id):  # else the worker was killed between writing and answering
            runner = _runner(root, order.threads)
            runner.listen = listen
            runner.check(unit)
            runner.carry_out(unit)
    error = read_run(root / unit.id).error
    end = Event(unit.seed, unit.title, "failed", note=error) if error else ends[-1]
    return Answer(read_folder(root / unit.id), end)


def _fetch(root: Path, name: str, files: Any) -> None:
    """Put the folder of a unit that others need on this machine, unless it is there."""
    import ray

    with file_lock(root / WORK / name, timeout=math.inf):
        if not finished(root, name):
            write_folder(root / name, ray.get(files))


@cache
def _runner(root: Path, threads: int) -> Runner:
    """Return the runner of this process: what units have in common is kept from one to the next."""
    return Runner(root, silent, partial(map_shards, threads=threads))


def map_shards(works: Sequence[ShardWork], progress: Progress | None, *, threads: int) -> list[ShardModel]:
    """Return the trained models of shards, each a Ray task; this one's processors are free while it waits for them."""
    import ray

    task = ray.remote(num_cpus=threads, max_retries=RETRIES)(train_shard)
    given = [task.remote(work, threads) for work in works]
    made = []
    for answer in map(ray.get, given):
        if isinstance(answer, GraphforgetError):
            raise answer
        made.append(answer)
        if progress is not None:
            progress(len(made), len(works), {})
    return made


def train_shard(work: ShardWork, threads: int) -> ShardModel | GraphforgetError:
    """Train the model of a shard on this machine and say what it cost; an error is returned, as Ray would wrap it."""
    try:
        with limited_threads(threads), PeakMemory() as memory:
            warm_up("recommend", work.model.name, None, (), str(work.model.device))
            start = time.perf_counter()
            made = work.done()
    except GraphforgetError as error:
        return error
    return replace(made, seconds=time.perf_counter() - start, peak_memory=memory.peak)
