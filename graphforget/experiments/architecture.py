"""Backbones as text: `gcn`, `lightgcn:layers=2,std=0.01`, `ngcf:layers=64,64`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Union, get_args, get_type_hints

from graphforget._core.errors import UsageError
from graphforget.models.zoo import backbone_options, backbones, check_options
from graphforget.unlearning.specs import read_value


def read_backbone(text: str, given: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    """Return name and options of the backbone that `name[:option=value,...]` and further options stand for.

    Text is read as the type of the option's default; an option that is text itself may hold commas.
    Raises UsageError for an unknown name or option (the nearest is suggested), for a value of another type, and for an
    option given twice.
    """
    name, _, rest = (part.strip() for part in text.partition(":"))
    known = backbone_options(name)
    written = _pieces(text, name, rest)
    twice = next((key for key in written if key in given), None)
    if twice is not None:
        raise UsageError(f"Backbone '{text}': '{twice}' is given as an option of its own, too. Leave one of them out.")
    options = {**given, **written}
    check_options(name, options)
    return name, {key: _value(name, key, known[key], value) for key, value in options.items()}


def _pieces(text: str, name: str, rest: str) -> dict[str, str]:
    """Return option -> text; a piece without "=" goes on with the value before it."""
    found: dict[str, str] = {}
    last = ""
    for piece in filter(None, (piece.strip() for piece in rest.split(","))):
        key, equals, value = (part.strip() for part in piece.partition("="))
        if not equals and not last:
            raise UsageError(f"Backbone '{text}': '{piece}' is no option=value. Write it as {name}:layers=2.")
        if equals and key in found:
            raise UsageError(f"Backbone '{text}': '{key}' is given twice. Leave one of them out.")
        found[key if equals else last] = value if equals else f"{found[last]},{piece}"
        last = key if equals else last
    return found


def _value(name: str, key: str, default: Any, value: Any) -> Any:
    return read_value(name, key, _type_of(name, key, default), value) if isinstance(value, str) else value


def _type_of(name: str, key: str, default: Any) -> Any:
    """Return the type of an option: its default's, or what the constructor says of one without a default."""
    if default is not None:
        return type(default)
    for cls in backbones().find(name)[0].__mro__:
        hint = get_type_hints(vars(cls).get("__init__")).get(key) if "__init__" in vars(cls) else None
        if hint is not None:
            return Union[None, *(kind for kind in get_args(hint) if kind in (int, float, bool, str))]
    return str
