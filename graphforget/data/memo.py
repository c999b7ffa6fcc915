"""Derived values that a frozen value computes once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TypeVar

T = TypeVar("T")


@dataclass(frozen=True, eq=False)
class Memo:
    """Base of the frozen data values: what is derived from one is kept in it, and a new value starts without any."""

    _memo: dict = field(default_factory=dict, repr=False, init=False)

    def memo(self, key: str, build: Callable[[], T]) -> T:
        """Return the derived value `key`, computed once per value."""
        if key not in self._memo:
            self._memo[key] = build()
        return self._memo[key]
