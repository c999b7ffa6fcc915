"""The fields of a method that can be tuned: each is an axis, and a place on it a position from 0 to 1."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args, get_type_hints

from graphforget._core.errors import UnsupportedError, UsageError, nearest
from graphforget.unlearning.method import Method
from graphforget.unlearning.specs import parse_method

Scale = Literal["linear", "log", "log-to-one"]
DECADE = 10 * (1 - 1e-9)
"""Ratio of the ends from which on an axis is logarithmic; 0.1 / 0.01 is a little less than 10 in floating point."""


@dataclass(frozen=True)
class Axis:
    """The numbers that a field may take, from `low` to `high`.

    Attributes
    ----------
    whole: integers alone.
    scale: "log" where the ends differ by a factor of ten or more (learning rates, epochs), "log-to-one" where their
        distances to 1 do (a weight of .5 to .998); else "linear".
    """

    name: str
    low: float
    high: float
    whole: bool
    scale: Scale

    @classmethod
    def over(cls, name: str, values: Sequence[float], whole: bool) -> Axis:
        """Return the axis from the smallest to the largest of some values."""
        low, high = min(values), max(values)
        return cls(name, low, high, whole, _scale(low, high, whole))

    def value(self, position: float) -> int | float:
        """Return the number at a position, with three digits (of its distance to 1, where that is what varies)."""
        if self.scale == "log-to-one":
            rest = (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** position
            return round(1 - float(f"{rest:.3g}"), 12)
        if self.whole and self.scale == "linear":
            return int(min(self.low + int(position * (self.high - self.low + 1)), self.high))
        if self.scale == "log":
            found = self.low * (self.high / self.low) ** position
        else:
            found = self.low + position * (self.high - self.low)
        return round(found) if self.whole else float(f"{found:.3g}")

    def position(self, value: float) -> float:
        """Return where a number stands, from 0 to 1."""
        if self.scale == "log-to-one":
            found = math.log((1 - value) / (1 - self.low)) / math.log((1 - self.high) / (1 - self.low))
        elif self.scale == "log":
            found = math.log(value / self.low) / math.log(self.high / self.low)
        elif self.whole:
            found = (value - self.low + 0.5) / (self.high - self.low + 1)
        else:
            found = (value - self.low) / (self.high - self.low)
        return min(max(found, 0.0), 1.0)

    def describe(self) -> str:
        """Return the range in words."""
        how = {"linear": "", "log": ", logarithmic", "log-to-one": ", logarithmic in the distance to 1"}[self.scale]
        return f"{self.low:g} to {self.high:g}{', integers' if self.whole else ''}{how}"


def _scale(low: float, high: float, whole: bool) -> Scale:
    below = high / low if low > 0 else 1.0
    above = (1 - low) / (1 - high) if not whole and low >= 0 and high < 1 else 1.0
    if max(below, above) < DECADE:
        return "linear"
    return "log" if below >= above else "log-to-one"


def axes_of(text: str, ranges: Mapping[str, str] | None = None) -> tuple[Axis, ...]:
    """Return what of a method, as `parse_method` reads it, is to be tuned: `Method.search`, without what is written.

    Parameters
    ----------
    ranges: field -> numbers with commas between, searched from the smallest to the largest in place of what the method
        declares, or besides it.

    Raises UsageError for a range that is none, of a field that is not there, is no number or is written in the text;
    UnsupportedError for a method without anything to tune.
    """
    method = parse_method(text).method
    held = {piece.partition("=")[0].strip() for piece in text.partition(":")[2].split(",")}
    given = {name: _read(method, name, numbers, held) for name, numbers in (ranges or {}).items()}
    declared = {
        name: Axis.over(name, values, all(isinstance(value, int) for value in values))
        for name, values in method.search.items()
        if name not in held
    }
    found = {**declared, **given}
    if not found:
        why = "every field that it declares for that is given" if method.search else "it declares no field for that"
        others = [name for name in method.options() if _kinds(method, name) and name not in held]
        way = f"Name one with --range ({', '.join(others)})." if others else "Compare it as it is."
        raise UnsupportedError(f"{method.name} has nothing to tune: {why}. {way}")
    return tuple(found.values())


def with_fields(text: str, values: Mapping[str, Any]) -> str:
    """Return a method as text with more fields: `d2dgn:epochs=9` and alpha give `d2dgn:epochs=9,alpha=0.9`."""
    written = ",".join(f"{key}={value}" for key, value in values.items())
    return ",".join(filter(None, (text, written))) if ":" in text else ":".join(filter(None, (text, written)))


def _kinds(method: Method, name: str) -> set[type]:
    """Return which numbers a field takes: int, float or both; none for a field that is no number."""
    hint = get_type_hints(type(method))[name]
    return {kind for kind in (get_args(hint) or (hint,)) if kind in (int, float)}


def _read(method: Method, name: str, text: str, held: set[str]) -> Axis:
    if name not in method.options():
        raise UsageError(f"--range: {method.name} has no field '{name}'.{nearest(name, method.options())}")
    if name in held:
        raise UsageError(f"--range: '{name}' is given in --method, too, which holds it. Leave one of them out.")
    kinds = _kinds(method, name)
    if not kinds:
        raise UsageError(f"--range: '{name}' of {method.name} is no number, so it has no range. Give it in --method.")
    whole = kinds == {int}
    try:
        values = [(int if whole else float)(piece) for piece in text.split(",")]
    except ValueError:
        values = []
    if not all(map(math.isfinite, values)) or len(set(values)) < 2:
        kind = "integers" if whole else "numbers"
        raise UsageError(f"--range {name}={text}: give two different {kind}, smallest and largest, as {name}=1,5.")
    for value in (min(values), max(values)):
        parse_method(with_fields(method.name, {name: value}))
    return Axis.over(name, values, whole)
