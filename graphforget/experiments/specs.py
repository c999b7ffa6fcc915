"""Methods as text: `d2dgn`, `gnndelete-ni`, `d2dgn:alpha=0.9,epochs=400`, or `all`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from types import UnionType
from typing import Any, Union, get_args, get_origin, get_type_hints

from graphforget._core.errors import UsageError, nearest
from graphforget.unlearning.method import Method
from graphforget.unlearning.run import methods

GOLD = "retrain"
_WORDS = {"true": True, "yes": True, "false": False, "no": False}


@dataclass(frozen=True)
class Spec:
    """A method and the text it was asked for by, which becomes its row in a table."""

    label: str
    method: Method


def parse_method(text: str) -> Spec:
    """Return the method that `name[:option=value,...]` stands for; values are read as the option's type.

    Raises UsageError for an unknown name or option (the nearest is suggested) and for a value of another type.
    """
    name, _, rest = text.strip().partition(":")
    cls, _ = methods().find(name)
    values: dict[str, Any] = {}
    for part in filter(None, (part.strip() for part in rest.split(","))):
        key, equals, value = (piece.strip() for piece in part.partition("="))
        if not equals:
            raise UsageError(f"Method '{text}': '{part}' is no option=value. Write it as {name}:alpha=0.9,epochs=400.")
        if key in values:
            raise UsageError(f"Method '{text}': '{key}' is given twice. Leave one of them out.")
        if key not in cls.options():
            known = ", ".join(cls.options()) or "none"
            raise UsageError(f"{name}: '{key}' is not an option.{nearest(key, cls.options())} Options: {known}.")
        values[key] = read_value(cls, key, value)
    return Spec(text.strip(), methods().get(name, **values))


def read_value(cls: type[Method], key: str, text: str) -> Any:
    """Return `text` as the type of the method's field `key`; raises UsageError when it is not of that type."""
    hint = get_type_hints(cls)[key]
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        found = _as(kind, text)
        if found is not _NOT:
            return found
    raise UsageError(f"{cls.name}: '{key}' must be {_describe(kinds)}; got '{text}'.")


_NOT = object()


def _as(kind: type, text: str) -> Any:
    """Return `text` as a `kind`, or the mark for "it is none"."""
    if kind is type(None):
        return None if text.lower() == "none" else _NOT
    if kind is bool:
        return _WORDS.get(text.lower(), _NOT)
    try:
        return kind(text)
    except ValueError:
        return _NOT


def _describe(kinds: Iterable[type]) -> str:
    names = {int: "an integer", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    return " or ".join(names.get(kind, kind.__name__) for kind in kinds)


def chosen_methods(texts: Iterable[str], task: str, kind: str, same_graph: bool = False) -> tuple[Spec, ...]:
    """Return the methods named, in order; "all" is every method (no presets) that serves the task and the kind.

    The gold model stands in every table by itself, so "all" leaves the method `retrain` out; and where the deletion
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


def all_methods(task: str, kind: str, same_graph: bool = False) -> list[Spec]:
    """Return every method that serves the task and the kind of deletion, with its defaults."""
    served = [cls for cls in methods().classes() if task in cls.tasks and kind in cls.kinds and cls.name != GOLD]
    return [Spec(cls.name, cls()) for cls in served if not (same_graph and cls.changes == {"graph"})]
