"""The peers' environments: one virtual environment each, made with venv and pip outside the repository."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from graphforget._core.files import atomic_write

ROOT = Path(__file__).resolve().parent.parent
CONSTRAINTS = ROOT / "constraints.txt"

REQUIREMENTS = {
    "pyg": ("torch", "torch-geometric", "implicit==0.7.3", "scipy", "numpy"),
    "recbole": ("recbole==1.2.1", "torch==2.13.0", "numpy<2", "scipy<1.12", "pandas<3", "setuptools<81"),
    "dgl": ("dgl==1.1.3", "packaging", "torch", "numpy", "scipy<1.18"),
}
"""What is installed where. RecBole 1.2.1 needs older numpy, SciPy and pandas than this package."""

PINNED = frozenset({"pyg", "dgl"})
"""Environments that take their versions from constraints.txt."""


class EnvironmentFailed(Exception):
    """A peer's environment could not be made."""


def default_folder() -> Path:
    """Return the user's cache folder for the environments."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "graphforget" / "bench"


def wanted(name: str) -> str:
    """Return a digest of what an environment should hold."""
    text = "\n".join(REQUIREMENTS[name]) + (CONSTRAINTS.read_text(encoding="utf-8") if name in PINNED else "")
    return hashlib.sha256(f"{sys.version}\n{text}".encode()).hexdigest()


def _run(name: str, command: list[str]) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr or done.stdout).strip().splitlines()[-1:] or ["no message"]
        raise EnvironmentFailed(f"the environment '{name}' could not be made: {last[0]}")


def environment(name: str, folder: Path, make: bool = True) -> Path:
    """Return the interpreter of a peer's environment; make the environment where it is missing or out of date.

    Raises EnvironmentFailed, with pip's last line, where that does not work (no network, no wheel), or where it would
    have to be made without `make`.
    """
    home, digest = folder / name, wanted(name)
    python, stamp = home / "bin" / "python", home / "installed.sha256"
    if python.exists() and stamp.exists() and stamp.read_text().strip() == digest:
        return python
    if not make:
        raise EnvironmentFailed(f"there is no environment '{name}' in {folder} yet; a run without --quick makes it")
    print(f"making the environment '{name}' in {home} (some minutes the first time)", file=sys.stderr)
    folder.mkdir(parents=True, exist_ok=True)
    _run(name, [sys.executable, "-m", "venv", "--clear", "--without-pip", str(home)])
    pins = ["-c", str(CONSTRAINTS)] if name in PINNED else []
    _run(name, [*pip(), "--python", str(python), "install", "--quiet", *pins, *REQUIREMENTS[name]])
    atomic_write(stamp, digest + "\n")
    return python


def pip() -> list[str]:
    """Return the command of a pip that installs into other environments: this environment's, or the base's."""
    for python in (sys.executable, getattr(sys, "_base_executable", sys.executable)):
        command = [python, "-m", "pip"]
        if not subprocess.run([*command, "--version"], capture_output=True, check=False).returncode:
            return command
    raise EnvironmentFailed("there is no pip to make environments with; install pip for this Python")
