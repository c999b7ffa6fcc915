"""The methods of a comparison: named one by one, or `all` that serve."""

from __future__ import annotations

from collections.abc import Iterable

from graphforget._core.errors import UsageError
from graphforget.evaluation.report import GOLD
from graphforget.unlearning.method import SIDE_KINDS
from graphforget.unlearning.specs import Spec, methods, parse_method


def chosen_methods(texts: Iterable[str], task: str, kind: str, same_graph: bool = False) -> tuple[Spec, ...]:
    """Return the methods named, in order; "all" is every method (no presets) that serves the task and the kind.

    Which backbones a method serves, it says itself: one of "all" that refuses is left out of the table, not failed. The
    gold model stands in every table by itself, so "all" leaves the method `retrain` out; and where the deletion
    leaves the graph as it is (`same_graph`), methods that change nothing but the graph.
    Raises UsageError when nothing is named, or the same text twice.
    """
    specs: list[Spec] = []
    for text in texts:
        specs += all_methods(task, kind, same_graph) if text.strip() == "all" else [parse_method(text)]
    labels = [spec.label for spec in specs]
    twice = next((label for label in labels if labels.count(label) > 1), None)
    if twice is not None:
        raise UsageError(f"Method '{twice}' is named twice ('all' names every one). Name each method once.")
    if not specs:
        raise UsageError(f"No method is named. Name one of {', '.join(methods().names())}, or 'all'.")
    return tuple(specs)


def default_method(task: str, kind: str) -> str:
    """Return the method that is run where none is named; each kind of deletion has one that serves it."""
    if task != "recommend":
        return "d2dgn"
    return "fine-tune" if kind in SIDE_KINDS else "mmrecun"


def all_methods(task: str, kind: str, same_graph: bool = False) -> list[Spec]:
    """Return every method that serves the task and the kind of deletion, with its defaults."""
    served = [cls for cls in methods().classes() if task in cls.tasks and kind in cls.kinds and cls.name != GOLD]
    return [Spec(cls.name, cls()) for cls in served if not (same_graph and cls.changes == {"graph"})]
