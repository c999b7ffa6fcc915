"""Plain values as TOML text; the standard library only reads it."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any

from graphforget._core.errors import DataError


def to_toml(values: Mapping[str, Any]) -> str:
    """Return text, numbers, truth values, lists and tables of them as TOML; None is left out.

    Tables come after the plain values, a list of tables as `[[name]]`, tables inside tables inline.
    Raises DataError for any other value, and for numbers that are not finite.

    Example
    -------
    >>> print(to_toml({"seeds": [1, 2], "recipe": {"lr": 0.001}}), end="")
    seeds = [1, 2]
    <BLANKLINE>
    [recipe]
    lr = 0.001
    """
    given = {key: value for key, value in values.items() if value is not None}
    plain = {key: value for key, value in given.items() if not _is_table(value) and not _are_tables(value)}
    parts = [_lines(plain)] if plain else []
    for key, value in given.items():
        if _is_table(value):
            parts.append(f"[{_key(key)}]\n{_lines(value)}")
        elif _are_tables(value):
            parts += [f"[[{_key(key)}]]\n{_lines(table)}" for table in value]
    return "\n".join(parts)


def _is_table(value: Any) -> bool:
    return isinstance(value, Mapping)


def _are_tables(value: Any) -> bool:
    listed = isinstance(value, list | tuple)
    return listed and len(value) > 0 and all(isinstance(item, Mapping) for item in value)


def _lines(table: Mapping[str, Any]) -> str:
    return "".join(f"{_key(key)} = {_value(value)}\n" for key, value in table.items() if value is not None)


def _key(key: str) -> str:
    bare = key.isascii() and key.replace("-", "").replace("_", "").isalnum()
    return key if bare else _value(key)


def _value(value: Any) -> str:
    if isinstance(value, Mapping):
        return "{" + ", ".join(f"{_key(k)} = {_value(v)}" for k, v in value.items() if v is not None) + "}"
    if isinstance(value, list | tuple):
        return "[" + ", ".join(map(_value, value)) + "]"
    if isinstance(value, float) and not math.isfinite(value):
        raise DataError(f"{value} cannot be written down. Give a finite number.")
    if isinstance(value, str | bool | int | float):
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007f")
    raise DataError(f"A {type(value).__name__} has no form in TOML; give text, numbers, truth values or lists.")
