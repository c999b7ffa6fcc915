"""What a result was computed with: Python, libraries, machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version

LIBRARIES = ("graphforget", "torch", "torch-geometric", "numpy", "scipy", "numba")
ENVIRONMENT = "environment.json"
"""The file of a folder that keeps it beside results."""


def environment() -> dict[str, str]:
    """Return name -> version or description; nothing in it names a person or one machine."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    return found | {"processors": str(os.cpu_count())} | {name: _version(name) for name in LIBRARIES}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "run from its source, not installed"
