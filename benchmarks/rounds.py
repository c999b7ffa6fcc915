"""Interleaved rounds, A B C A B C ..., without those in which something else ran on the machine."""

from __future__ import annotations

import math
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from statistics import median
from typing import Protocol

LIMIT = 0.08
"""Share of a core that others may have during a measurement."""


class Timed(Protocol):
    """What can be measured: `ask(do="time")` gives "wall" and "cpu" seconds of one call, and the "foreign" share."""

    def ask(self, *, do: str) -> dict[str, float]: ...


@dataclass
class Rounds:
    """Seconds of each side, round by round: `clean` ones, and those that others `disturbed`."""

    wanted: int
    clean: list[dict[str, float]] = field(default_factory=list)
    disturbed: list[dict[str, float]] = field(default_factory=list)

    @property
    def contended(self) -> bool:
        """Whether there are too few clean rounds, so that the disturbed ones are used as well."""
        return len(self.clean) < self.wanted

    @property
    def used(self) -> list[dict[str, float]]:
        """The rounds that figures are made of."""
        return self.clean + self.disturbed if self.contended else self.clean

    def seconds(self, side: str) -> float:
        """Return the median seconds of a side."""
        return median(times[side] for times in self.used)

    def ratio(self, slow: str, fast: str) -> tuple[float, float, float]:
        """Return median, least and largest of slow / fast, each of one round."""
        ratios = [times[slow] / times[fast] for times in self.used]
        return median(ratios), min(ratios), max(ratios)


def interleaved(
    sides: Mapping[str, Timed], wanted: int, attempts: int, clock: str = "wall", seconds: float = math.inf
) -> Rounds:
    """Measure every side once in each round until `wanted` rounds are clean, or `attempts` were made.

    No round begins after `seconds`, but for the first.

    A round is clean when others had at most `LIMIT` of a core during every one of its measurements. `clock` is "wall",
    or "cpu": processor time, which says something on a busy machine where every side has one thread.
    """
    rounds, ends = Rounds(wanted), time.monotonic() + seconds
    for _ in range(attempts):
        found = {name: side.ask(do="time") for name, side in sides.items()}
        disturbed = any(measurement["foreign"] > LIMIT for measurement in found.values())
        times = {name: measurement[clock] for name, measurement in found.items()}
        (rounds.disturbed if disturbed else rounds.clean).append(times)
        if not rounds.contended or time.monotonic() >= ends:
            break
    return rounds
