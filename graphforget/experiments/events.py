"""What a run tells while it goes on."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.training.loop import Progress

STEPS = 100
"""At most about this many "running" events of one stage."""


@dataclass(frozen=True)
class Event:
    """One step of a run.

    stage: "original", "gold-1", ..., a method's label, or "evaluation".
    state: "reused" stands for a stage that an earlier run with the same folder finished, "told" for something worth
        knowing beforehand, in `note`, "refused" for a method that came with "all" and does not serve, for what it says.
    metrics: what was measured last in a stage that is running, or of one that is done, as far as it is told.
    """

    seed: int
    stage: str
    state: Literal["told", "started", "running", "done", "reused", "refused", "failed"]
    epoch: int = 0
    epochs: int = 0
    seconds: float = 0.0
    note: str = ""
    metrics: Mapping[str, float] = field(default_factory=dict)


Listen = Callable[[Event], None]


def silent(event: Event) -> None:
    """Listen and say nothing."""
    del event


def tell_of(data: Graph | Interactions, listen: Listen) -> None:
    """Tell what was found in the data and what was chosen, line by line."""
    for note in data.notes:
        listen(Event(0, data.name, "told", note=note))


def epochs_to(listen: Listen, seed: int, stage: str) -> Progress:
    """Return the progress function of a training loop that tells about every hundredth of it, with the last metrics."""
    latest: dict[str, float] = {}

    def progress(epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        latest.update(metrics)  # a validation stands between two hundredths, too
        if epoch % max(1, epochs // STEPS) == 0 or epoch == epochs:
            listen(Event(seed, stage, "running", epoch, epochs, metrics=dict(latest)))

    return progress
