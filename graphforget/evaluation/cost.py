"""What forgetting cost, beside gold."""

from __future__ import annotations

from graphforget._core.errors import UnsupportedError
from graphforget.evaluation.case import Findings, Subject

MEGABYTE = 1e6


def cost(subject: Subject, gold: Subject) -> Findings:
    """Return what `own_cost` knows, and the speed-up against gold.

    The speed-up of a method is to the same stopping rule: gold runs the original's recipe. Seconds of work that is
    done once, before any deletion, do not enter it.
    """
    found = own_cost(subject)
    if subject.seconds and gold.seconds is not None:
        found.values["speedup"] = gold.seconds / subject.seconds
    return found


def own_cost(subject: Subject) -> Findings:
    """Return seconds, peak memory in MB and operations of a forward pass, where known, and what making it has told.

    Peak memory is that of the whole process, libraries included.
    """
    found = Findings(dict(subject.known))
    if subject.seconds is not None:
        found.values["seconds"] = subject.seconds
    if subject.peak_memory is not None:
        found.values["peak_memory"] = subject.peak_memory / MEGABYTE
    try:
        found.values["flops"] = float(subject.model.flops(subject.graph))
    except UnsupportedError as refusal:
        found.notes.append(str(refusal))
    return found
