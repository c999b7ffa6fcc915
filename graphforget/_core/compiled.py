"""Numba's `njit`, whose code on disk is that of today's sources."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any

import numba

PACKAGE = Path(__file__).parents[1]
SOURCES = ("kernels/*.py", "_core/streams.py", "_core/compiled.py")
"""Where compiled functions stand, from the package on."""


def njit(**options: Any) -> Callable[[Callable[..., Any]], Any]:
    """Return `numba.njit(**options)`; what it keeps on disk is used as long as no source of any kernel has changed.

    Numba keeps compiled code under the time and size of the function's own file alone. But what a function calls is
    compiled into it, from whichever file: after a change there (a `git pull` under an editable installation) the
    caller's old code, with the old callee in it, would go on being used, and draw other numbers than the sources say.
    """
    compiler = numba.njit(**options)

    def decorate(function: Callable[..., Any]) -> Any:
        made = compiler(function)
        if not options.get("cache") or made is function:  # nothing is kept, or numba was told not to compile
            return made
        index = getattr(made._cache, "_cache_file", None)
        if index is None:  # a numba that keeps its files in another way: better compiled each time than stale
            return numba.njit(**{**options, "cache": False})(function)
        index._source_stamp = sources_digest()
        return made

    return decorate


@cache
def sources_digest() -> str:
    """Return a digest of the text of all files with compiled functions."""
    sha = hashlib.sha256()
    for path in sorted(path for pattern in SOURCES for path in PACKAGE.glob(pattern)):
        sha.update(path.name.encode() + b"\0" + path.read_bytes() + b"\0")
    return sha.hexdigest()
