"""Runs a comparison: starts the sides, checks their answers, times them in interleaved rounds, makes rows."""

from __future__ import annotations

import math
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.client import OutOfTime, Side, SideFailed
from benchmarks.environments import EnvironmentFailed, environment
from benchmarks.machine import commit, machine
from benchmarks.rounds import Rounds, interleaved
from benchmarks.rows import Row, Target

Answer = dict[str, np.ndarray]


LEFT_OUT = "a quick run leaves it out"
SERVED = "the process held other works before, which counts: no target"


class WrongAnswer(AssertionError):
    """Two sides of a comparison do not do the same work."""


@dataclass(frozen=True)
class Part:
    """A side of a comparison: "module:function", its options, and the peer's environment (None is this one)."""

    function: str
    options: Mapping[str, Any] = field(default_factory=dict)
    environment: str | None = None


@dataclass(frozen=True)
class Peer:
    """A side that is not ours. `check(ours, theirs)` raises WrongAnswer; `factor` is how often it would run per call
    of ours (2 when it does half the work); `slow`: a quick run leaves it out, and says so."""

    part: Part
    target: Target | None = None
    check: Callable[[Answer, Answer], None] | None = None
    note: str = ""
    factor: float = 1.0
    slow: bool = False


@dataclass(frozen=True)
class Bound:
    """What limits a work: a side that does nothing else, and how many of its calls a call of ours needs at least."""

    what: str
    part: Part
    calls: float = 1.0


@dataclass(frozen=True)
class Work:
    """Something that is measured.

    Attributes
    ----------
    name, unit: for the table.
    ours: our side. value: seconds of one call -> the figure in the unit.
    peers: by the name the table shows. target: for our own figure, or the share of the bound.
    bound: what limits it. memory: measure our side's peak as well (GB, under its own row) against this target.
    check: raises WrongAnswer for an answer of ours that is wrong by itself. slow: a quick run leaves it out.
    """

    name: str
    unit: str
    ours: Part
    value: Callable[[float], float]
    peers: Mapping[str, Peer] = field(default_factory=dict)
    target: Target | None = None
    bound: Bound | None = None
    memory: Target | None = None
    check: Callable[[Answer], None] | None = None
    note: str = ""
    slow: bool = False


def per_second(amount: float) -> Callable[[float], float]:
    """Return seconds -> amount per second."""
    return lambda seconds: amount / seconds


def times(factor: float) -> Callable[[float], float]:
    """Return seconds -> seconds times a factor (1e3 for milliseconds)."""
    return lambda seconds: factor * seconds


@dataclass
class Bench:
    """Settings of a run.

    Attributes
    ----------
    data_dir: folder laid out as the data sets are. envs: folder of the peers' environments.
    threads: of every side. quick: less of everything, by processes that serve one work after the other.
    rounds: clean rounds wanted. least: seconds of a measurement.
    without: names of peers' environments that are left out. clock: see `interleaved`.
    start: seconds that a side may take up to its first answer. longest: seconds of a measurement of a peer, above which
    the peer is left out. seconds: of the rounds of a work. until: when the benchmark has to end, by time.monotonic().
    factors, edges: what sizes `scale` follows: times Gowalla, and edges of graphs.
    """

    data_dir: Path | None
    envs: Path
    threads: int = 2
    quick: bool = False
    rounds: int = 5
    least: float = 0.3
    without: frozenset[str] = frozenset()
    clock: str = "wall"
    start: float = 600.0
    longest: float = 60.0
    seconds: float = 180.0
    until: float = math.inf
    factors: tuple[float, ...] = (1.0, 4.0, 16.0)
    edges: tuple[int, ...] = (100_000, 1_000_000, 10_000_000)
    scratch: Path = field(default_factory=lambda: Path(tempfile.mkdtemp(prefix="graphforget-bench-")))
    idle: dict[str | None, list[Side]] = field(default_factory=dict, repr=False)

    def close(self) -> None:
        """End the processes that wait for another work, and remove what they wrote."""
        for sides in self.idle.values():
            for side in sides:
                side.close()
        shutil.rmtree(self.scratch)

    @property
    def left(self) -> float:
        """Seconds until the benchmark has to end."""
        return self.until - time.monotonic()

    def python(self, name: str | None) -> Path:
        """Return the interpreter of an environment."""
        return Path(sys.executable) if name is None else environment(name, self.envs, make=not self.quick)

    def side(self, part: Part, inputs: Path | None, stack: ExitStack, answer: Path | None = None) -> Side:
        """Start and prepare a side, whose first answer goes to a file; raises SideFailed or EnvironmentFailed."""
        if part.environment in self.without:
            raise EnvironmentFailed(f"the environment '{part.environment}' was left out")
        if self.left <= 0:
            raise OutOfTime("the time of the benchmark was up")
        side = self._process(part, stack)
        side.load(inputs, dict(part.options), self.least, answer, min(self.start, self.left))
        return side

    def _process(self, part: Part, stack: ExitStack) -> Side:
        """Return a process that ends with the stack, or, in a quick run, goes back to those that wait."""
        idle = self.idle.setdefault(part.environment, [])
        side = idle.pop() if idle else None
        if side is None:
            log = self.scratch / f"log-{time.monotonic_ns()}"
            side = Side(self.python(part.environment), part.function, log, self.threads)
        side.function = part.function
        stack.callback(lambda: idle.append(side) if self.quick and side.alive else side.close())
        return side

    def run(self, benchmark: str, work: Work, arrays: Answer | None = None) -> list[Row]:
        """Measure a work and return its rows: our own, then one for each peer.

        Without figures where time was up, or where a quick run leaves it out.
        """
        if self.quick and work.slow:
            return self._unmeasured(benchmark, work, LEFT_OUT)
        print(f"{benchmark}: {work.name}", file=sys.stderr)
        inputs = None if arrays is None else self.stored("inputs", arrays)
        with ExitStack() as stack:
            try:
                sides = self._ours(work, inputs, stack)
            except OutOfTime as error:
                return self._unmeasured(benchmark, work, str(error))
            ours = self.read("ours")
            if work.check is not None:
                work.check(ours)
            peers, failed = self._peers(work, inputs, stack, ours)
            memory = sides[""].ask(do="memory")["bytes"] if work.memory is not None else None
            alone = sides[""].loads == 1
            sides = {"": sides.pop(""), **peers, **sides}
            seconds = min(self.seconds, self.left)
            rounds = interleaved(sides, self.rounds, 3 * self.rounds, self.clock, seconds)
            versions = {name: side.versions for name, side in sides.items()}
        rows = self.rows(benchmark, work, rounds, versions, failed, memory)
        return rows if alone or memory is None else [*rows[:-1], replace(rows[-1], target="", met="", note=SERVED)]

    def _ours(self, work: Work, inputs: Path | None, stack: ExitStack) -> dict[str, Side]:
        """Start our side, and the limit where there is one."""
        sides = {"": self.side(work.ours, inputs, stack, self.scratch / "ours.npz")}
        if work.bound is not None:
            sides["limit"] = self.side(work.bound.part, inputs, stack)
        return sides

    def _peers(
        self, work: Work, inputs: Path | None, stack: ExitStack, ours: Answer
    ) -> tuple[dict[str, Side], dict[str, str]]:
        """Start the peers and check their answers; return those that can be timed, and why others cannot."""
        sides, failed = {}, {}
        for name, peer in work.peers.items():
            if self.quick and peer.slow:
                failed[name] = LEFT_OUT
                continue
            try:
                side = self.side(peer.part, inputs, stack, self.scratch / "theirs.npz")
            except (SideFailed, EnvironmentFailed) as error:
                failed[name] = str(error)
                continue
            if peer.check is not None:
                peer.check(ours, self.read("theirs"))
            if side.seconds > self.longest:
                failed[name] = f"a call takes {side.seconds:.0f} s, and {self.longest:.0f} s are allowed"
            else:
                sides[name] = side
        return sides, failed

    def stored(self, name: str, arrays: Answer) -> Path:
        """Write arrays for the sides to read."""
        path = self.scratch / f"{name}.npz"
        with path.open("wb") as file:
            np.savez(file, **arrays)
        return path

    def read(self, name: str) -> Answer:
        """Return the arrays that a side wrote."""
        with np.load(self.scratch / f"{name}.npz") as file:
            return {key: file[key] for key in file}

    def rows(
        self,
        benchmark: str,
        work: Work,
        rounds: Rounds,
        versions: Mapping[str, Mapping[str, str]],
        failed: Mapping[str, str],
        memory: int | None,
    ) -> list[Row]:
        """Return the rows of a work that was measured."""
        like = Row(
            benchmark,
            work.name,
            work.unit,
            work.value(rounds.seconds("")),
            rounds=len(rounds.used),
            discarded=0 if rounds.contended else len(rounds.disturbed),
            contended=rounds.contended,
            **self.provenance(versions[""]),
        )
        found = [self._own(like, work, rounds)]
        for name, peer in work.peers.items():
            if name in failed:
                found.append(replace(like, peer=name, note=f"not measured ({failed[name]})").promised(peer.target))
            else:
                found.append(self._beside(like, work, name, peer, rounds, versions[name]))
        if memory is not None:
            row = replace(like, work=memory_name(work.name), unit="GB", ours=memory / 1e9)
            found.append(row.promised(work.memory))
        return found

    def _unmeasured(self, benchmark: str, work: Work, why: str) -> list[Row]:
        """Return the rows of a work that was not measured."""
        note = f"not measured ({why})"
        like = Row(benchmark, work.name, work.unit, None, note=note, **self.provenance({}))
        rows = [like.promised(work.target)]
        rows += [replace(like, peer=name).promised(peer.target) for name, peer in work.peers.items()]
        if work.memory is not None:
            rows.append(replace(like, work=memory_name(work.name), unit="GB").promised(work.memory))
        return rows

    def provenance(self, versions: Mapping[str, str]) -> dict[str, Any]:
        """Return threads, machine, versions and commit for a row."""
        words = ", ".join(f"{name} {number}" for name, number in versions.items())
        found = {"threads": self.threads, "clock": self.clock, "machine": machine()}
        return {**found, "versions": words, "commit": commit()}

    def _own(self, like: Row, work: Work, rounds: Rounds) -> Row:
        row = replace(like, note=work.note)
        if work.bound is not None:
            share = work.bound.calls * rounds.ratio("limit", "")[0]
            row = replace(row, bound=work.bound.what, share=share)
        return row.promised(work.target)

    def _beside(self, like: Row, work: Work, name: str, peer: Peer, rounds: Rounds, versions: Mapping[str, str]) -> Row:
        ratio, low, high = (peer.factor * value for value in rounds.ratio(name, ""))
        theirs = work.value(peer.factor * rounds.seconds(name))
        row = replace(like, peer=name, theirs=theirs, ratio=ratio, low=low, high=high, note=peer.note)
        return replace(row, versions=self.provenance(versions)["versions"]).promised(peer.target)


def memory_name(work: str) -> str:
    """Return the name of the row for the memory of a work."""
    return f"{work}, peak memory"


def require(condition: bool, what: str) -> None:
    """Raise WrongAnswer unless the condition holds."""
    if not condition:
        raise WrongAnswer(what)


def require_close(ours: np.ndarray, theirs: np.ndarray, tolerance: float, what: str) -> None:
    """Raise WrongAnswer unless two arrays agree within `tolerance` of the largest number."""
    require(ours.shape == theirs.shape, f"{what}: shapes {ours.shape} and {theirs.shape} differ")
    scale = max(float(np.abs(theirs).max(initial=0.0)), 1e-30)
    off = float(np.abs(ours.astype(np.float64) - theirs.astype(np.float64)).max(initial=0.0)) / scale
    require(off <= tolerance, f"{what}: off by {off:.2e} of the largest number; allowed is {tolerance:.0e}")
