"""Units of one store carried out by one or many processes, of one command or of several.

Every process walks the same list: it takes the first unit that is not there yet, whose needs are there, and whose lock
no other process holds. Locks end with their holders, and a folder appears whole, so that a process may be killed at
any moment: another one, or the next command, takes the unit up at its last checkpoint.
"""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator, Sequence
from multiprocessing.connection import Connection
from pathlib import Path

from graphforget._core.errors import GraphforgetError, UsageError
from graphforget._core.files import file_lock
from graphforget.experiments.events import Event, Listen
from graphforget.experiments.leftovers import sweep
from graphforget.experiments.runner import Runner, finished
from graphforget.experiments.store import WORK
from graphforget.experiments.units import Unit
from graphforget.experiments.workers import (
    Worker,
    check_jobs,
    check_threads,
    end_with_parent,
    limited_threads,
    ready,
    received,
    started,
    threads_each,
)

PATIENCE = 0.1
"""Seconds between two looks at a store in which other processes hold all that could be done."""
LAST_MOMENT = 1.0
"""Seconds that stopped processes have to end."""


@contextlib.contextmanager
def claimed(path: Path) -> Iterator[bool]:
    """Hold the lock of `path` inside the block; give False, at once, where another process holds it."""
    with contextlib.ExitStack() as stack:
        try:
            stack.enter_context(file_lock(path, timeout=0.0))
        except UsageError:
            mine = False
        else:
            mine = True
        yield mine


def work_through(units: Sequence[Unit], root: Path, listen: Listen) -> None:
    """Carry out, in this process, all units that are not there and that no other process carries out.

    Returns when every unit is there. Raises the first error other than a method's failure.
    """
    runner, case = Runner(root, listen), ""
    waiting = {unit.id: unit for unit in units}
    while waiting:
        for name in [name for name in waiting if finished(root, name)]:
            del waiting[name]
        open_now = [u for u in waiting.values() if not any(need in waiting for need in u.needs)]
        done = next((u for u in sorted(open_now, key=lambda u: u.case != case) if _taken(u, root, runner)), None)
        if done is not None:
            case = done.case
        elif waiting:
            time.sleep(PATIENCE)


def _taken(unit: Unit, root: Path, runner: Runner) -> bool:
    """Carry out a unit unless another process holds it or has done it."""
    with claimed(root / WORK / unit.id) as mine:
        if not mine or finished(root, unit.id):
            return False
        runner.carry_out(unit)
        return True


def run_units(units: Sequence[Unit], root: Path, listen: Listen, *, jobs: int = 1, threads: int | None = None) -> None:
    """Carry out units in `jobs` processes and wait until every one is there.

    The processes are started even for one job, so that this one can stop at once when it is told to; whatever ends it,
    kill -9 included, ends them. When one of several is killed (as the system does where memory is short), that is told,
    and the others do its part, too. Results do not depend on `jobs` and `threads`.

    Raises UsageError for jobs or threads that cannot be, the first error of a process other than a method's failure,
    that of the last one when all were killed, and KeyboardInterrupt when one was asked to end (SIGTERM), which is meant
    for all.
    """
    check_jobs(jobs)
    check_threads(threads)
    sweep(root)
    missing = [unit for unit in units if not finished(root, unit.id)]
    if not missing:
        return
    jobs = min(jobs, len(missing))
    each = threads_each(threads, jobs)
    running: list[Worker] = []
    try:
        for number in range(jobs):
            running.append(started(_work, (missing, root, each), f"job {number + 1}"))
        _listen_to(running, listen)
    finally:
        _stop(running)


def _listen_to(running: list[Worker], listen: Listen) -> None:
    """Pass on what the processes tell until all have ended."""
    going = list(running)
    while going:
        for worker in ready(going):
            answer = received(worker)
            if isinstance(answer, Event):
                listen(answer)
                continue
            going.remove(worker)
            if isinstance(answer, GraphforgetError):
                listen(_loss(worker, answer, len(going)))


def _loss(worker: Worker, error: GraphforgetError, left: int) -> Event:
    """Return what is told of a process that was killed while others are left to do its part; else raise its error."""
    code = worker.process.exitcode
    if code == -signal.SIGTERM:
        raise KeyboardInterrupt
    if code is None or code >= 0 or not left:
        raise error
    note = f"was killed by signal {-code} (9 usually means too little memory); the other {left} go on and do its part."
    return Event(0, worker.name, "told", note=note)


def _stop(running: list[Worker]) -> None:
    """End the processes: asked first, then by force."""
    for worker in running:
        worker.process.terminate()
    deadline = time.monotonic() + LAST_MOMENT
    for worker in running:
        worker.process.join(max(0.0, deadline - time.monotonic()))
        if worker.process.is_alive():
            worker.process.kill()
            worker.process.join()


def _work(units: Sequence[Unit], root: Path, threads: int, pipe: Connection) -> None:
    """Carry out units in a process of its own; what happens goes through the pipe, and None at the end."""
    end_with_parent(lambda: os._exit(1))
    try:
        with limited_threads(threads):
            work_through(units, root, pipe.send)
        pipe.send(None)
    except GraphforgetError as error:
        pipe.send(error)
    finally:
        pipe.close()
