"""Start-up: what an import takes, what a first command compiles, and what later ones load of it."""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import redirect_stdout
from dataclasses import replace
from importlib.metadata import version

from benchmarks.bench import LEFT_OUT, Bench
from benchmarks.client import SideFailed
from benchmarks.environments import ROOT
from benchmarks.rows import Row, Target

LIBRARIES = ("torch", "numba", "numpy")

COMMANDS = {
    "a recommender": "users sample-shop lightgcn --count 2 --method mmrecun --epochs 2 --seeds 1",
    "a graph": "edges sample-citations gcn --count 2 --method d2dgn:epochs=2 --epochs 2 --seeds 1",
}
"""One command each, on the data that come with the package: what they take beside compiling is little."""
IMPORT, COMPILED, LOADED = (Target("value", "<=", limit) for limit in (1.5, 20.0, 1.0))
IMPORTS = {
    "import graphforget": ("import graphforget", IMPORT),
    "the same with every public name, torch included": (
        "import graphforget; [getattr(graphforget, name) for name in graphforget.__all__]",
        None,
    ),
}
"""Names are imported when they are first used, so an import alone waits for nothing."""


class Kernels:
    """Counts the processor time in which numba compiles functions or loads them from disk."""

    def __init__(self) -> None:
        self.seconds, self.count, self._depth = 0.0, 0, 0

    def watch(self) -> None:
        """Begin to count, for the rest of the process."""
        from numba.core.dispatcher import Dispatcher

        compiled = Dispatcher.compile

        def counted(dispatcher: Dispatcher, signature: object) -> object:
            self._depth += 1
            began = time.process_time()
            try:
                return compiled(dispatcher, signature)
            finally:
                self._depth -= 1
                if not self._depth:  # what a kernel calls is compiled within its own time
                    self.seconds += time.process_time() - began
                    self.count += 1

        Dispatcher.compile = counted


def one_command(words: Sequence[str]) -> dict[str, float]:
    """Run a command in this process; return seconds in kernels, all processor seconds, and how many kernels."""
    from graphforget.cli.main import main

    kernels = Kernels()
    kernels.watch()
    with open(os.devnull, "w") as nowhere, redirect_stdout(nowhere):
        code = main(list(words))
    if code:
        raise RuntimeError(f"graphforget {' '.join(words)} ended with {code}")
    return {"kernels": kernels.seconds, "all": time.process_time(), "count": kernels.count}


def run(bench: Bench) -> list[Row]:
    """Measure."""
    versions = {name: version(name) for name in LIBRARIES}
    like = Row("startup", "", "s", None, **bench.provenance(versions))
    rows = [_import_row(bench, like, work, code, target) for work, (code, target) in IMPORTS.items()]
    for what, command in COMMANDS.items():
        works = (f"kernels of a first command of {what}", f"the same, later commands of {what}")
        if bench.quick:
            rows += [replace(like, work=work, note=LEFT_OUT) for work in works]
            continue
        first, later = _compiled(bench, command)
        for work, found, target in zip(works, (first, later), (COMPILED, LOADED), strict=True):
            rows.append(_kernel_row(replace(like, work=work, clock="cpu"), found).promised(target))
    return rows


def _import_row(bench: Bench, like: Row, work: str, code: str, target: Target | None) -> Row:
    timed = f"import time; began = time.perf_counter(); {code}; print(time.perf_counter() - began)"
    found = [float(_python(bench, "-c", timed)) for _ in range(bench.rounds)]
    row = replace(like, work=work, clock="wall", ours=statistics.median(found), rounds=len(found))
    return row.promised(target)


def _compiled(bench: Bench, command: str) -> tuple[list[dict[str, float]], list[dict[str, float]]]:
    """Return what first commands, each with an empty cache, and a second one after each had to do."""
    first, later = [], []
    for _ in range(bench.rounds):
        with tempfile.TemporaryDirectory(dir=bench.scratch) as cache:
            for found in (first, later):
                told = _python(bench, "-m", "benchmarks.startup", *command.split(), NUMBA_CACHE_DIR=cache)
                found.append(json.loads(told))
    return first, later


def _kernel_row(like: Row, found: Sequence[dict[str, float]]) -> Row:
    seconds, whole = (statistics.median(one[name] for one in found) for name in ("kernels", "all"))
    note = f"{found[0]['count']:.0f} kernels, of {whole:.1f} s of processor time in all"
    return replace(like, ours=seconds, rounds=len(found), note=note)


def _python(bench: Bench, *arguments: str, **environment: str) -> str:
    """Return what a fresh process prints; raises SideFailed with its last words where it fails."""
    counts = {name: str(bench.threads) for name in ("OMP_NUM_THREADS", "NUMBA_NUM_THREADS")}
    settings = {**os.environ, **counts, "PYTHONPATH": str(ROOT), **environment}
    command = [sys.executable, *arguments]
    done = subprocess.run(command, cwd=bench.scratch, env=settings, check=False, capture_output=True, text=True)
    if done.returncode:
        raise SideFailed(f"{' '.join(arguments)} ended with {done.returncode}: {done.stderr[-500:].strip()}")
    return done.stdout


if __name__ == "__main__":
    print(json.dumps(one_command(sys.argv[1:])))
