"""Methods as text: `d2dgn`, `gnndelete-ni`, `d2dgn:alpha=0.9,epochs=400`."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cache
from types import UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from graphforget._core.errors import UsageError, nearest
from graphforget._core.registry import Registry
from graphforget.unlearning.method import Method

_WORDS = {"true": True, "yes": True, "false": False, "no": False}
_NOT = object()


@cache
def methods() -> Registry[Method]:
    """Return the registry of unlearning methods and presets."""
    return Registry("graphforget.unlearning.methods", Method, kind="method")


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
        values[key] = read_value(cls.name, key, get_type_hints(cls)[key], value)
    return Spec(text.strip(), methods().get(name, **values))


def read_value(owner: str, key: str, hint: Any, text: str) -> Any:
    """Return `text` as a value of the type `hint`; raises UsageError, in the owner's name, when it is none."""
    kinds = get_args(hint) if get_origin(hint) in (Union, UnionType) else (hint,)
    for kind in kinds:
        found = _as(kind, text)
        if found is not _NOT:
            return found
    raise UsageError(f"{owner}: '{key}' must be {_describe(kinds)}; got '{text}'.")


def _as(kind: type, text: str) -> Any:
    """Return `text` as a `kind`, or the mark for "it is none"."""
    if kind is type(None):
        return None if text.lower() == "none" else _NOT
    if kind is bool:
        return _WORDS.get(text.lower(), _NOT)
    if get_origin(kind) is Literal:
        return next((choice for choice in get_args(kind) if str(choice) == text), _NOT)
    try:
        return kind(text)
    except ValueError:
        return _NOT


def _describe(kinds: Iterable[type]) -> str:
    names = {int: "an integer", float: "a number", bool: "true or false", str: "text", type(None): "none"}
    return " or ".join(_choices(kind) if get_origin(kind) is Literal else names[kind] for kind in kinds)


def _choices(kind: Any) -> str:
    return f"one of {', '.join(map(str, get_args(kind)))}"
