"""Names of a report and its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from graphforget.unlearning.run import Result

TASKS = {"link": "Link prediction", "node": "Node classification"}
SINGLE = {"mixed": "item", "edges": "edge", "nodes": "node", "classes": "class"}


def title(result: Result) -> str:
    """Return one line on task, data, model and deletion that is the same for every seed."""
    kind, count = result.deletion.kind, len(result.deletion)
    what = SINGLE.get(kind, kind) if count == 1 else kind.replace("mixed", "items")
    amount = f"features of {count:,} node{'s' * (count != 1)}" if kind == "features" else f"{count:,} {what}"
    problem = f"{TASKS[result.task.name]} on {result.task.graph.name} ({result.task.protocol()})"
    return f"{problem}, {result.original.name}, {amount} forgotten"


def caveats(result: Result) -> list[str]:
    """Return what a reader must know of a method before comparing its row."""
    notes = ["reconstructed: no code or hyper-parameters of its authors are public."]
    notes = notes if "reconstructed" in result.method.source else []
    if "weights" not in result.method.changes:
        notes.append("weights unchanged: they still hold what they learned from the forgotten part.")
    return notes


def row_names(results: Sequence[Result]) -> list[str]:
    """Return one name per result: its label, with what sets it apart where labels repeat.

    Results with one label are told apart by the hyper-parameters they differ in, then by their seed, then by number.
    """
    names = [_with_settings(result, _twins(results, result.label)) for result in results]
    names = _told_apart(names, [f"seed={result.seed}" for result in results])
    return _told_apart(names, [f"run {number}" for number in range(1, len(names) + 1)])


def _twins(results: Sequence[Result], label: str) -> list[dict[str, Any]]:
    return [result.method.config() for result in results if result.label == label]


def _with_settings(result: Result, twins: Sequence[dict[str, Any]]) -> str:
    mine = result.method.config()
    differing = [f"{key}={mine[key]}" for key in mine if any(other.get(key) != mine[key] for other in twins)]
    return f"{result.label} ({', '.join(differing)})" if differing else result.label


def _told_apart(names: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Return the names, each followed by its mark where it is not the only one of its kind."""
    counts = Counter(names)
    return [f"{name} [{mark}]" if counts[name] > 1 else name for name, mark in zip(names, marks, strict=True)]
