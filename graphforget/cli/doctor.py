"""`graphforget doctor`: what this machine has, and what is missing."""

from __future__ import annotations

import importlib
import os
import platform
from collections.abc import Callable
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Annotated, Literal

from cyclopts import Parameter

from graphforget._core.environment import processor
from graphforget.cli.options import Flag
from graphforget.cli.output import print_json

BROKEN = 3
DGL_HINT = (
    "dgl==1.1.3 together with 'packaging' works; dgl 2.1.0 stops at import on a missing graphbolt library. "
    "Install the extra graphforget[dgl], or do without: only data exchange with DGL needs it."
)


@dataclass(frozen=True)
class Check:
    """One thing looked at: fine, missing though needed ("broken"), or missing and optional ("absent")."""

    name: str
    state: Literal["fine", "broken", "absent"]
    found: str


def doctor(
    *,
    data_dir: Annotated[Path | None, Parameter(help="Folder of the named sets to look at.")] = None,
    json: Annotated[bool, Flag, Parameter(help="Print JSON.")] = False,
) -> int:
    """Look at Python, libraries, data and cache; exit 3 when something needed is missing."""
    checks = [
        Check("python", "fine", f"{platform.python_version()} on {platform.system()} {platform.machine()}"),
        _library("numpy"),
        _library("scipy"),
        _library("torch", _torch),
        _library("numba", _numba),
        _library("torch_geometric"),
        _dgl(),
        _extra("optuna", "tune", "'graphforget tune'"),
        _extra("ray", "ray", "'graphforget reproduce --ray'"),
        _sample(),
        _data_folder(data_dir),
        _cache(),
    ]
    if json:
        print_json([vars(check) for check in checks])
    else:
        for check in checks:
            print(f"{check.state.ljust(6)}  {check.name.ljust(16)}  {check.found}")
    return BROKEN if any(check.state == "broken" for check in checks) else 0


def _library(name: str, more: Callable[[], str] | None = None) -> Check:
    """Import a needed library; a broken one can raise anything at import, and all of it is reported."""
    try:
        version = getattr(importlib.import_module(name), "__version__", "unknown version")
        return Check(name, "fine", version + (f", {more()}" if more else ""))
    except Exception as error:
        return Check(name, "broken", f"cannot be imported ({_line(error)}). Install graphforget again.")


def _line(error: Exception) -> str:
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def _torch() -> str:
    import torch

    place = "CUDA is available" if torch.cuda.is_available() else "no CUDA, runs on the CPU"
    return f"{torch.get_num_threads()} threads, {place}, {processor()}"


def _numba() -> str:
    import numba

    return f"{numba.get_num_threads()} threads"


def _dgl() -> Check:
    """DGL is optional and known to break at import, in many ways; each is reported."""
    try:
        dgl = importlib.import_module("dgl")
    except ModuleNotFoundError as error:
        missing = "not installed" if error.name == "dgl" else f"cannot be imported ({_line(error)})"
        return Check("dgl", "absent", f"{missing}. {DGL_HINT}")
    except Exception as error:
        return Check("dgl", "absent", f"cannot be imported ({_line(error)}). {DGL_HINT}")
    version = getattr(dgl, "__version__", None)
    if version is None:
        return Check("dgl", "absent", f"a folder called dgl is in the way of the library. {DGL_HINT}")
    return Check("dgl", "fine", str(version))


def _extra(name: str, extra: str, who: str) -> Check:
    """Return what is installed of an optional library; importing these takes seconds, so their metadata are read."""
    try:
        return Check(name, "fine", metadata.version(name))
    except metadata.PackageNotFoundError:
        advice = f"Install the extra graphforget[{extra}], or do without: only {who} needs it."
        return Check(name, "absent", f"not installed. {advice}")


def _sample() -> Check:
    from graphforget._core.errors import GraphforgetError
    from graphforget.data.load import load

    try:
        return Check("sample data", "fine", repr(load("sample-citations")))
    except GraphforgetError as error:
        return Check("sample data", "broken", str(error))


def _data_folder(given: Path | None) -> Check:
    """Return which named sets a data folder holds; a folder that was named must be there."""
    from graphforget.data.cards import cards
    from graphforget.data.load import DATA_VARIABLE

    place = given or os.environ.get(DATA_VARIABLE)
    if not place:
        return Check("data folder", "absent", f"none named (--data-dir or ${DATA_VARIABLE}); sets are downloaded.")
    folder = Path(place).expanduser()
    if not folder.is_dir():
        return Check("data folder", "broken", f"{folder} is not a folder. Correct --data-dir or ${DATA_VARIABLE}.")
    whole = [card.name for card in cards().values() if not card.bundled and card.is_in(folder)]
    return Check("data folder", "fine", f"{folder} holds {', '.join(whole) or 'none of the named sets'}")


def _cache() -> Check:
    from graphforget.data.download import cache_folder

    folder = cache_folder()
    held = sorted(path.name for path in folder.iterdir() if path.is_dir()) if folder.is_dir() else []
    return Check("cache folder", "fine", f"{folder} ({', '.join(held) or 'empty'})")
