"""Processes of this one: started, listened to, ended with it; seeds shared among them."""

from __future__ import annotations

import contextlib
import os
import signal
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import get_context, parent_process, resource_tracker
from multiprocessing.connection import Connection, wait
from typing import Any

import numba
import scipy.sparse as sp

from graphforget._core.errors import GraphforgetError, UsageError
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.experiments.events import Event, Listen
from graphforget.experiments.plan import Plan

SMALL = 100_000
"""Stored numbers of a graph (nodes, both directions of edges, features) below which one thread is the fastest."""


def check_jobs(jobs: int) -> None:
    """Raise UsageError for less than one process."""
    if jobs < 1:
        raise UsageError(f"--jobs must be at least 1; got {jobs}.")


def check_threads(threads: int | None) -> None:
    """Raise UsageError unless the machine can give so many threads."""
    most = numba.config.NUMBA_NUM_THREADS
    if threads is not None and not 1 <= threads <= most:
        raise UsageError(f"--threads must be from 1 to {most} on this machine; got {threads}.")


def suited_threads(threads: int | None, graph: Graph | Interactions) -> int | None:
    """Return `threads`, or 1 where nothing is said and the graph is so small that threads only wait for each other."""
    x = graph.features
    stored = x.nnz if isinstance(x, sp.csr_array) else graph.n_nodes * graph.n_features
    small = graph.n_nodes + 2 * graph.n_edges + stored < SMALL
    return 1 if threads is None and small else threads


@contextlib.contextmanager
def limited_threads(threads: int | None) -> Iterator[None]:
    """Use at most `threads` threads inside the block; None changes nothing. Results do not depend on it."""
    check_threads(threads)
    if threads is None:
        yield
        return
    import torch

    before = numba.get_num_threads(), torch.get_num_threads()
    numba.set_num_threads(threads)
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        numba.set_num_threads(before[0])
        torch.set_num_threads(before[1])


@dataclass
class Worker:
    """A process of its own, and the pipe it talks through."""

    name: str
    process: Any
    pipe: Connection


def _work(plan: Plan, seed: int, threads: int, pipe: Connection) -> None:
    """Run one seed in a process of its own; everything that happens goes through the pipe."""
    from graphforget.experiments.single import run_seed

    end_with_parent(lambda: os._exit(1))
    try:
        graph = plan.setup.source.load()
        with limited_threads(threads):
            pipe.send(run_seed(plan, seed, graph, pipe.send))
    except GraphforgetError as error:
        pipe.send(error)
    finally:
        pipe.close()


def threads_each(threads: int | None, jobs: int) -> int:
    """Return the threads of each of `jobs` processes: those given, or an equal share of what the machine has."""
    return threads or max(1, min(os.cpu_count() or 1, numba.config.NUMBA_NUM_THREADS) // jobs)


def run_in_processes(plan: Plan, listen: Listen, jobs: int, threads: int | None) -> list[Any]:
    """Return what `run_seed` gives for each seed, in the order of the seeds, with `jobs` processes at a time.

    Raises the first error of a seed; the other processes are ended then.
    """
    jobs = min(jobs, len(plan.seeds))
    each = threads_each(threads, jobs)
    waiting = list(plan.seeds)
    running: list[Worker] = []
    done: dict[int, Any] = {}
    try:
        while waiting or running:
            while waiting and len(running) < jobs:
                seed = waiting.pop(0)
                running.append(started(_work, (plan, seed, each), str(seed)))
            for worker in ready(running):
                answer = received(worker)
                if isinstance(answer, Event):
                    listen(answer)
                    continue
                running.remove(worker)
                worker.process.join()
                if isinstance(answer, GraphforgetError):
                    raise answer
                done[int(worker.name)] = answer
    finally:
        for worker in running:
            worker.process.terminate()
            worker.process.join()
    return [done[seed] for seed in plan.seeds]


@contextlib.contextmanager
def _unheard() -> Iterator[None]:
    """Block Ctrl-C, which a terminal sends to all processes: those started inside never get it, this one afterwards."""
    resource_tracker.ensure_running()  # its start, in the middle of that of a process, would let the signal through
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


def started(work: Callable[..., None], arguments: tuple[Any, ...], name: str) -> Worker:
    """Start `work(*arguments, pipe)` in a process of its own, which Ctrl-C does not reach: this one ends it."""
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=work, args=(*arguments, theirs), name=name)
    with _unheard():
        process.start()
    theirs.close()
    return Worker(name, process, ours)


def end_with_parent(end: Callable[[], None]) -> None:
    """Call `end` as soon as the process that started this one is no more, kill -9 included."""
    parent = parent_process()
    assert parent is not None

    def watch() -> None:
        wait([parent.sentinel])
        end()

    threading.Thread(target=watch, daemon=True).start()


def ready(running: list[Worker]) -> list[Worker]:
    """Return, as soon as there are some, the processes that have something to say or have ended."""
    speaking = wait([worker.pipe for worker in running])
    return [worker for worker in running if worker.pipe in speaking]


def received(worker: Worker) -> Any:
    """Return the next message; a process that ended without one becomes an error."""
    try:
        return worker.pipe.recv()
    except (EOFError, OSError):  # nothing, or a part of a message
        worker.process.join()
        return GraphforgetError(
            f"The process '{worker.name}' ended with code {worker.process.exitcode} before it was done (a code "
            "of -9 usually means too little memory). Use fewer --jobs; with --out the finished parts are reused "
            "(reproduce: with --resume)."
        )
