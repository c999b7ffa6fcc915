"""Units of one store carried out as tasks of a Ray cluster; the command that gives them out is the only one to write.

A task gets the folders that its unit needs as bytes and gives the unit's folder back as bytes. So nothing but Ray has
to join the machines: no shared disk, whose locks and renames are not everywhere those of a local one. The command holds
the lock of every unit it has given out, as a local process does of the one it works on: commands with and without Ray
may work on one store, and when one is killed, the next takes its units up. The task of a killed worker is started anew
by Ray.

Every machine needs this package with the extra `ray`, at the same versions, and the data, at the same path or where its
own $GRAPHFORGET_DATA says; a unit whose digest comes out differently there is refused. Bytes are equal on processors of
one kind; others may round differently.
"""

from __future__ import annotations

import contextlib
import importlib.util
import logging
import os
import secrets
import signal
import socket
import threading
import time
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from graphforget._core.errors import GraphforgetError, UsageError
from graphforget._core.files import file_lock, read_json, write_json
from graphforget.experiments.cluster_worker import (
    RETRIES,
    Answer,
    Ear,
    Order,
    carry_out,
    clean,
    read_folder,
    write_folder,
)
from graphforget.experiments.events import Event, Listen
from graphforget.experiments.farm import PATIENCE, claimed
from graphforget.experiments.leftovers import at_work, sweep
from graphforget.experiments.runner import finished
from graphforget.experiments.store import WORK
from graphforget.experiments.units import Unit

AHEAD = 2
"""Units given out for each that can run at once: a free processor finds one waiting, an autoscaler sees the demand."""
MOMENT = 10.0
"""Seconds that machines have to answer at first, and to remove what they kept for a finished store at last."""


def check_ray(address: str | None, jobs: int = 1, threads: int | None = None) -> None:
    """Raise UsageError for a Ray cluster that cannot be used: no Ray, no answer, --jobs beside it, too few threads."""
    if address is None:
        return
    if importlib.util.find_spec("ray") is None:
        raise UsageError("--ray needs Ray, which is not installed. Install the extra: pip install 'graphforget[ray]'.")
    if jobs != 1:
        raise UsageError("--jobs is for processes of this machine; with --ray the cluster's processors say how many.")
    if threads is not None and threads < 1:
        raise UsageError(f"--threads must be at least 1; got {threads}.")
    _check_answers(address)


def _check_answers(address: str) -> None:
    """Raise UsageError when nothing answers at HOST:PORT; Ray itself would try for many minutes."""
    named = os.environ.get("RAY_ADDRESS", address) if address == "auto" else address
    host, _, port = named.rpartition("//")[2].rpartition(":")
    if host and port.isdecimal():
        try:
            socket.create_connection((host.strip("[]"), int(port)), timeout=MOMENT).close()
        except (OSError, OverflowError) as error:
            raise _no_cluster(named, error) from error


def _no_cluster(address: str, error: Exception) -> UsageError:
    return UsageError(
        f"--ray {address}: no Ray cluster can be used there ({' '.join(str(error).split())}). Start one with "
        "'ray start --head' and join machines to it with 'ray start --address HEAD:6379', or use --jobs."
    )


def run_on_cluster(
    units: Sequence[Unit],
    root: Path,
    listen: Listen,
    *,
    address: str = "auto",
    threads: int | None = None,
    begin: Callable[[], None] = lambda: None,
) -> None:
    """Carry out units as tasks of a Ray cluster and wait until every one is there.

    Parameters
    ----------
    address: of the cluster, as `ray.init` takes it; "auto" is the one that runs on this machine or that $RAY_ADDRESS
        names.
    threads: of each task, which asks Ray for as many processors; 1 unless given.
    begin: called once it is sure that the work begins: the cluster is there, or nothing is left to do.

    Raises UsageError without Ray or such a cluster, and the first error of a task other than a method's failure.
    """
    check_ray(address, threads=threads)
    each = 1 if threads is None else threads
    missing = [unit for unit in units if not finished(root, unit.id)]
    if not missing:
        begin()
        return
    sweep(root)
    with at_work(root), _connected(address) as ray:
        begin()
        _Dispatcher(ray, missing, root, listen, each).run()


@contextlib.contextmanager
def _connected(address: str) -> Iterator[Any]:
    """Give Ray, connected to a cluster inside the block; a request to end stays what it was before."""
    import ray

    main = threading.current_thread() is threading.main_thread()
    before = signal.getsignal(signal.SIGTERM)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", FutureWarning)  # of Ray, about GPUs, which no task asks for
            ray.init(address=address, logging_level=logging.ERROR, log_to_driver=False)
    except (ConnectionError, RuntimeError, ValueError) as error:
        raise _no_cluster(address, error) from error
    if main and before is not None:
        signal.signal(signal.SIGTERM, before)
    try:
        yield ray
    finally:
        ray.shutdown()


class _Dispatcher:
    """Gives units to a cluster, each as soon as what it needs is there, and writes what comes back."""

    def __init__(self, ray: Any, units: Sequence[Unit], root: Path, listen: Listen, threads: int) -> None:
        self.ray, self.root, self.listen, self.threads = ray, root, listen, threads
        self.waiting = {unit.id: unit for unit in units}
        self.running: dict[Any, tuple[Unit, contextlib.ExitStack]] = {}
        self.begun: set[str] = set()
        self.folders: dict[str, Any] = {}
        self.store = _name_of(root)
        here = self._on(ray.get_runtime_context().get_node_id())
        self.ear = ray.remote(Ear).options(num_cpus=0, max_restarts=-1, scheduling_strategy=here).remote()
        self.task = ray.remote(num_cpus=threads, max_retries=RETRIES)(carry_out)

    def run(self) -> None:
        """Work until every unit is there."""
        most = max(self._processors())
        if most < self.threads:
            told = f"no machine has {self.threads} processors (the largest has {most}); waiting for one"
            self.listen(Event(0, "ray", "told", note=told))
        try:
            while self._left():
                self._give_out()
                self._take_in()
        finally:
            for task, (_, lock) in self.running.items():
                self.ray.cancel(task, force=True)
                lock.close()
        self._clean()

    def _left(self) -> bool:
        """Return whether units are missing; what is not needed any more is dropped."""
        given = {unit.id for unit, _ in self.running.values()}
        for name in [name for name in self.waiting if name not in given and finished(self.root, name)]:
            del self.waiting[name]
        needed = {need for unit in self.waiting.values() for need in unit.needs}
        self.folders = {name: files for name, files in self.folders.items() if name in needed}
        return bool(self.waiting)

    def _give_out(self) -> None:
        given = {unit.id for unit, _ in self.running.values()}
        ready = [u for u in self.waiting.values() if u.id not in given and not any(n in self.waiting for n in u.needs)]
        most = AHEAD * max(1, sum(count // self.threads for count in self._processors()))
        for unit in ready:
            if len(self.running) >= most:
                return
            lock = contextlib.ExitStack()
            mine = lock.enter_context(claimed(self.root / WORK / unit.id))
            if not mine or finished(self.root, unit.id):
                lock.close()
                continue
            needs = {need: self._folder(need) for need in unit.needs}
            order = Order(_with_absolute_paths(unit), self.store, needs, self.threads, self.ear)
            self.running[self.task.options(name=f"{unit.title}, seed {unit.seed}").remote(order)] = unit, lock

    def _folder(self, name: str) -> Any:
        """Return a reference to the files of a finished unit."""
        if name not in self.folders:
            self.folders[name] = self.ray.put(read_folder(self.root / name))
        return self.folders[name]

    def _take_in(self) -> None:
        """Wait a moment for tasks to end, write what they give, and pass on what is told meanwhile."""
        if not self.running:
            time.sleep(PATIENCE)
            return
        ended, _ = self.ray.wait(list(self.running), timeout=PATIENCE)
        self._pass_on()
        for task in ended:
            unit, lock = self.running.pop(task)
            with lock:
                answer = self._answer(unit, task)
                write_folder(self.root / unit.id, answer.files)
            self.listen(answer.end)

    def _answer(self, unit: Unit, task: Any) -> Answer:
        try:
            answer = self.ray.get(task)
        except self.ray.exceptions.RayError as error:
            reason = " ".join(str(error).split())
            raise GraphforgetError(
                f"The Ray task of '{unit.title}', seed {unit.seed}, ended before it was done ({reason}). Every machine "
                "needs graphforget[ray] at the same versions, and enough memory: more --threads mean fewer tasks at "
                "once. What is finished is kept."
            ) from error
        if isinstance(answer, GraphforgetError):
            raise answer
        return answer

    def _pass_on(self) -> None:
        """Pass on what the units that run have told; one that Ray started again begins once."""
        given = {unit.id for unit, _ in self.running.values()}
        with contextlib.suppress(self.ray.exceptions.RayActorError):  # it is started again, and hears what comes then
            for name, event in self.ray.get(self.ear.ask.remote()):
                if name in given and not (event.state == "started" and name in self.begun):
                    self.begun.add(name)
                    self.listen(event)

    def _processors(self) -> list[int]:
        return [int(node["Resources"].get("CPU", 0)) for node in self.ray.nodes() if node["Alive"]]

    def _on(self, node: str) -> Any:
        return self.ray.util.scheduling_strategies.NodeAffinitySchedulingStrategy(node, soft=True)

    def _clean(self) -> None:
        """Remove what the machines kept for the store; one that does not answer keeps it."""
        task = self.ray.remote(num_cpus=0)(clean)
        nodes = [node["NodeID"] for node in self.ray.nodes() if node["Alive"]]
        asked = [task.options(scheduling_strategy=self._on(node)).remote(self.store) for node in nodes]
        self.ray.wait(asked, num_returns=len(asked), timeout=MOMENT)


def _name_of(root: Path) -> str:
    """Return the name of a store on the machines of a cluster; a store that is made anew has another."""
    file = root / WORK / "cluster.json"
    with file_lock(file):
        if not file.exists():
            write_json(file, secrets.token_hex(16))
        return read_json(file)


def _with_absolute_paths(unit: Unit) -> Unit:
    """Return a unit whose files are found from every working directory."""
    plan = unit.cell.plan
    setup, request = replace(plan.setup, source=plan.setup.source.absolute()), plan.request
    if request is not None:
        files = {key: getattr(request, key) for key in ("file", "users_file", "items_file")}
        found: dict[str, Any] = {
            key: str(Path(file).expanduser().absolute()) for key, file in files.items() if file is not None
        }
        request = replace(request, **found)
    return replace(unit, cell=replace(unit.cell, plan=replace(plan, setup=setup, request=request)))
