"""One side of a comparison in a process of its own: prepares a work, keeps its first answer for the check, times it.

Lines of JSON on stdin, one line of JSON for each on stdout. Runs in the peers' environments, so it needs numpy alone.
A side that is loaded takes the place of the one before.

A side is a function `side(inputs, **options)` that prepares the work from arrays by name and returns the call that is
timed; the call returns its answer as arrays by name.
"""

from __future__ import annotations

import importlib
import json
import os
import sys
import time
import traceback
from collections.abc import Callable
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np

BUSY = (0, 1, 2, 5, 6, 7)
"""Columns of /proc/stat that count work: user, nice, system, irq, softirq, steal."""


def busy_seconds() -> float:
    """Return for how long the machine's cores have worked since it started, all together."""
    fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    return sum(int(fields[k]) for k in BUSY) / os.sysconf("SC_CLK_TCK")


def measured(call: Callable[[], Any], times: int) -> dict[str, float]:
    """Run a call some times; return wall and processor seconds of one, and the share of a core that others had."""
    busy, before, start = busy_seconds(), time.process_time(), time.perf_counter()
    for _ in range(times):
        call()
    wall, cpu = time.perf_counter() - start, time.process_time() - before
    foreign = busy_seconds() - busy - cpu
    return {"wall": wall / times, "cpu": cpu / times, "foreign": max(0.0, foreign) / wall}


def peak_bytes(call: Callable[[], Any]) -> int:
    """Return the most memory the process held during a call."""
    Path("/proc/self/clear_refs").write_text("5")
    call()
    status = Path("/proc/self/status").read_text().splitlines()
    return 1024 * next(int(line.split()[1]) for line in status if line.startswith("VmHWM:"))


class Server:
    """Keeps the call between requests."""

    call: Callable[[], Any] | None = None
    times: int

    def load(
        self, side: str, inputs: str | None, options: dict[str, Any], least: float, answer: str | None = None
    ) -> dict[str, Any]:
        """Prepare a side, warm it up, and settle how many calls make up a measurement of `least` seconds.

        What the first call returns is written to the file `answer`. Returns versions, and the seconds of a measurement.
        """
        self.call = None  # frees the arrays of the side before
        module = importlib.import_module(side.partition(":")[0])
        with np.load(inputs) if inputs else _Nothing() as file:
            arrays = {name: file[name] for name in file}
        self.call = getattr(module, side.partition(":")[2])(arrays, **options)
        self._first(answer)
        second = measured(self.call, 1)
        self.times = max(1, min(10_000, int(np.ceil(least / max(second["cpu"], 1e-6)))))
        versions = {name: _version(name) for name in module.LIBRARIES}
        return {"versions": versions, "seconds": self.times * second["wall"]}

    def _first(self, path: str | None) -> None:
        found = self.call()
        if path is not None:
            with Path(path).open("wb") as file:
                np.savez(file, **found)

    def time(self) -> dict[str, Any]:
        """Measure once."""
        return measured(self.call, self.times)

    def memory(self) -> dict[str, Any]:
        """Measure the peak of one call."""
        return {"bytes": peak_bytes(self.call)}


class _Nothing(dict):
    def __enter__(self) -> dict:
        return self

    def __exit__(self, *exception: object) -> None:
        pass


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "of this checkout"


def main() -> None:
    """Serve until stdin ends. What libraries print goes to stderr."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)
    server = Server()
    for line in sys.stdin:
        request = json.loads(line)
        try:
            reply = getattr(server, request.pop("do"))(**request)
        except Exception as error:  # the other process says it, with the name of the side
            traceback.print_exc()
            reply = {"error": f"{type(error).__name__}: {error}"}
        answers.write(json.dumps(reply) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
