"""What a result was computed with: Python, libraries, machine."""

from __future__ import annotations

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

LIBRARIES = ("graphforget", "torch", "torch-geometric", "numpy", "scipy", "numba")
ENVIRONMENT = "environment.json"
"""The file of a folder that keeps it beside results."""


def environment() -> dict[str, str]:
    """Return name -> version or description; nothing in it names a person or one machine."""
    found = {"python": platform.python_version(), "system": f"{platform.system()} {platform.machine()}"}
    found |= {"processor": processor(), "processors": str(os.cpu_count())}
    return found | {name: _version(name) for name in LIBRARIES}


def processor() -> str:
    """Return the kind of this machine's processors: last digits depend on it.

    Model names alone do not tell kinds apart on rented machines, so family, model and what torch makes of it follow.
    """
    import torch

    known = listed_first()
    name = known.get("model name") or platform.processor() or platform.machine()
    numbers = [f"{word} {known[key]}" for word, key in (("family", "cpu family"), ("model", "model")) if key in known]
    return ", ".join([name, *numbers, torch.backends.cpu.get_cpu_capability()])


def listed_first(path: Path = Path("/proc/cpuinfo")) -> dict[str, str]:
    """Return what Linux's list says of the first processor; nothing where there is no list."""
    try:
        text = path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return {}
    lines = (line.partition(":") for line in text.split("\n\n")[0].splitlines())
    return {key.strip(): value.strip() for key, _, value in lines}


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "run from its source, not installed"
