"""The other end of `serve`: starts a side in an environment and asks it."""

from __future__ import annotations

import json
import os
import select
import subprocess
from contextlib import suppress
from pathlib import Path
from typing import Any, Self

from benchmarks.environments import ROOT

PATIENCE = 900.0
"""Seconds to wait for an answer, unless less is said."""


class SideFailed(Exception):
    """A side could not be prepared, or stopped answering."""


class OutOfTime(SideFailed):
    """A side took longer than it may."""


class Side:
    """A process that holds one prepared work.

    Parameters
    ----------
    python: the interpreter of its environment.
    function: "module:function" of the side, see `serve`.
    log: file for what it prints; it works in the same folder, where some libraries leave files behind.
    threads: how many threads its libraries may use.

    Attributes
    ----------
    versions: of the libraries that the side names. seconds: of one measurement, as far as two calls can tell.
    loads: how many works it has held.
    """

    def __init__(self, python: Path, function: str, log: Path, threads: int) -> None:
        self.function, self.log, self.versions, self.seconds = function, log, {}, 0.0
        self.loads = 0
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

    @property
    def alive(self) -> bool:
        """Whether the process still takes requests."""
        return not self.process.stdin.closed and self.process.poll() is None

    def ask(self, *, patience: float = PATIENCE, **request: Any) -> dict[str, Any]:
        """Send a request and return the reply; raises SideFailed with the side's own words.

        A side that gives no answer in `patience` seconds is ended: OutOfTime.
        """
        if not self.alive:
            raise SideFailed(f"{self.function} has ended: {self._last_words()}")
        self.process.stdin.write(json.dumps(request) + "\n")
        self.process.stdin.flush()
        if not select.select([self.process.stdout], [], [], patience)[0]:
            self.process.kill()
            self.process.wait()
            raise OutOfTime(f"{self.function} gave no answer in {patience:.0f} s")
        line = self.process.stdout.readline()
        if not line:
            raise SideFailed(f"{self.function} has ended: {self._last_words()}")
        reply = json.loads(line)
        if "error" in reply:
            raise SideFailed(f"{self.function}: {reply['error']}")
        return reply

    def _last_words(self) -> str:
        lines = self.log.read_text(encoding="utf-8", errors="replace").split("\n")
        return next((line for line in reversed(lines) if line.strip()), "it said nothing")

    def load(
        self,
        inputs: Path | None,
        options: dict[str, Any],
        least: float,
        answer: Path | None = None,
        patience: float = PATIENCE,
    ) -> None:
        """Prepare the side, and let it write its first answer to a file."""
        paths = {"inputs": inputs and str(inputs), "answer": answer and str(answer)}
        self.loads += 1
        reply = self.ask(do="load", side=self.function, options=options, least=least, **paths, patience=patience)
        self.versions, self.seconds = reply["versions"], reply["seconds"]

    def close(self) -> None:
        """End the process."""
        with suppress(BrokenPipeError):  # what a side that was ended did not read
            self.process.stdin.close()
        if self.process.poll() is None:
            try:
                self.process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
        self.process.stdout.close()
