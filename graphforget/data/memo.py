"""Derived values that a frozen value computes once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, TypeVar

T = TypeVar("T")


class Token:
    """Stands for one value: a copy of what holds it holds the same token."""

    def __copy__(self) -> Token:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Token:
        del memo
        return self


@dataclass(frozen=True, eq=False)
class Memo:
    """Base of the frozen data values: what is derived from one is kept in it; a new value starts without any.

    But for what it is told to `inherit`: derived from parts that it shares with the value before.
    """

    _memo: dict[str, Any] = field(default_factory=dict, repr=False, init=False)

    def memo(self, key: str, build: Callable[[], T]) -> T:
        """Return the derived value `key`, computed once per value."""
        if key not in self._memo:
            self._memo[key] = build()
        return self._memo[key]

    @property
    def token(self) -> Token:
        """What stands for this value, so that it can be known again without being kept or read."""
        return self.memo("token", Token)

    def inherit(self, before: Memo, prefix: str) -> None:
        """Take over what another value has derived, under keys that begin so, from parts that are the same here."""
        self._memo.update({key: found for key, found in before._memo.items() if key.startswith(prefix)})
