"""What counts as a number of a caller's, and NumPy's numbers as Python's. NumPy itself is not imported here."""

from __future__ import annotations

import math
from numbers import Integral, Real
from typing import Any


def plain(value: Any) -> Any:
    """Return a number of another library, as one of `np.arange`, as an int or a float; anything else as it is."""
    if type(value) not in (bool, int, float) and isinstance(value, Real):
        return int(value) if isinstance(value, Integral) else float(value)
    return value


def is_integer(value: Any, low: float = -math.inf, high: float = math.inf) -> bool:
    """Return whether `value` is an integer, True and False aside, in [low, high]."""
    return isinstance(value, Integral) and not isinstance(value, bool) and low <= int(value) <= high


def is_number(value: Any) -> bool:
    """Return whether `value` is a finite number that a float can hold, True and False aside."""
    if not isinstance(value, Real) or isinstance(value, bool):
        return False
    try:
        return math.isfinite(value)
    except OverflowError:  # an integer beyond all floats
        return False
