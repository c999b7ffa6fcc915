"""What forgetting cost, beside gold."""

from __future__ import annotations

from graphforget._core.errors import UnsupportedError
from graphforget.evaluation.case import Findings, Subject

MEGABYTE = 1e6


def cost(subject: Subject, gold: Subject) -> Findings:
    """Return seconds, speed-up against gold, peak memory in MB and operations of a forward pass, where known.

    Seconds of work that is done once, before any deletion, stand apart and do not enter the speed-up.

    The speed-up of a method is to the same stopping rule: gold runs the original's recipe. Peak memory is that of
    the whole process, libraries included.
    """
    found = Findings(dict(subject.known))
    if subject.seconds is not None:
        found.values["seconds"] = subject.seconds
    if subject.seconds and gold.seconds is not None:
        found.values["speedup"] = gold.seconds / subject.seconds
    if subject.peak_memory is not None:
        found.values["peak_memory"] = subject.peak_memory / MEGABYTE
    try:
        found.values["flops"] = float(subject.model.flops(subject.graph))
    except UnsupportedError as refusal:
        found.notes.append(str(refusal))
    return found
