"""The other end of `serve`: starts a side in an environment and asks it."""

from __future__ import annotations

import json
import os
import select
import subprocess
from pathlib import Path
from typing import Any, Self

import numpy as np

from benchmarks.environments import ROOT

PATIENCE = 900.0
"""Seconds to wait for an answer."""


class SideFailed(Exception):
    """A side could not be prepared, or stopped answering."""


class Side:
    """A process that holds one prepared work.

    Parameters
    ----------
    python: the interpreter of its environment.
    function: "module:function" of the side, see `serve`.
    log: file for what it prints; it works in the same folder, where some libraries leave files behind.
    threads: how many threads its libraries may use.
    """

    def __init__(self, python: Path, function: str, log: Path, threads: int) -> None:
        self.function, self.log, self.versions = function, log, {}
        counts = dict.fromkeys(("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"), str(threads))
        environment = {**os.environ, **counts, "NUMBA_NUM_THREADS": str(threads), "PYTHONPATH": str(ROOT)}
        with log.open("ab") as errors:
            pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": errors}
            command = [str(python), "-m", "benchmarks.serve"]
            self.process = subprocess.Popen(command, cwd=log.parent, env=environment, text=True, **pipes)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def ask(self, **request: Any) -> dict[str, Any]:
        """Send a request and return the reply; raises SideFailed with the side's own words."""
        if self.process.stdin.closed or self.process.poll() is not None:
            raise SideFailed(f"{self.function} has ended; see {self.log}")
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        ready = select.select([self.process.stdout], [], [], PATIENCE)[0]
        line = self.process.stdout.readline() if ready else ""
        if not line:
            state = "has ended" if ready else f"gave no answer in {PATIENCE:.0f} s"
            raise SideFailed(f"{self.function} {state}; see {self.log}")
        reply = json.loads(line)
        if "error" in reply:
            raise SideFailed(f"{self.function}: {reply['error']}")
        return reply

    def load(self, inputs: Path | None, options: dict[str, Any], least: float) -> None:
        """Prepare the side."""
        path = None if inputs is None else str(inputs)
        self.versions = self.ask(do="load", side=self.function, inputs=path, options=options, least=least)["versions"]

    def answer(self, path: Path) -> dict[str, np.ndarray]:
        """Return what the call gives."""
        self.ask(do="answer", path=str(path))
        with np.load(path) as file:
            return {name: file[name] for name in file}

    def close(self) -> None:
        """End the process."""
        if self.process.poll() is None:
            self.process.stdin.close()
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
