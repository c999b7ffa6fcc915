"""Grids, stores and what is counted of them, for the tests that kill commands."""

from __future__ import annotations

import os
import re
import select
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

from graphforget._core.toml import to_toml
from graphforget.experiments.events import silent
from graphforget.experiments.farm import work_through
from graphforget.experiments.published import read_preset
from graphforget.experiments.run_folder import comparable, run_folders
from graphforget.experiments.units import Unit, expand

ROOT = Path(__file__).resolve().parents[2]
COUNTED = Path(__file__).with_name("counted.py")
TIMED = {"result.json", "log.txt", "receipt.json"}
"""Files that hold times; the first is compared without them, and what the last says of the model is in the first."""


def write_grid(folder: Path, epochs: int, deletions: int = 2, seeds: int = 3) -> Path:
    """Write a grid of two methods, so many deletions and seeds (of twelve runs, if not said); return its file."""
    names = [{"name": f"{5 + n} edges", "kind": "edges", "count": 5 + n} for n in range(deletions)]
    grid = {"data": ["sample-citations"], "backbones": ["gcn"], "seeds": list(range(seeds))}
    grid |= {"recipe": {"epochs": epochs, "validate_every": 5}, "architecture": {"hidden": 8}, "deletions": names}
    grid |= {"methods": ["unlink", f"fine-tune:epochs={epochs},validate_every=5"], "attack": False, "gold_runs": 1}
    (folder / "grid.toml").write_text(to_toml({"grids": [grid]}))
    return folder / "grid.toml"


def start(journal: Path, *words: object, **pipes: int) -> subprocess.Popen:
    """Start `counted.py` in a session of its own, which can be killed as one."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    environment["CRASH_JOURNAL"] = str(journal)
    given = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True, "start_new_session": True}
    return subprocess.Popen([sys.executable, str(COUNTED), *map(str, words)], env=environment, **(given | pipes))


def reproduce(grid: Path, root: Path, journal: Path, jobs: int) -> subprocess.Popen:
    """Start the command on a store."""
    return start(journal, *words(grid, root, jobs))


def words(grid: Path, root: Path, jobs: int) -> tuple[object, ...]:
    """Return the words of the command."""
    return "reproduce", grid, "--out", root, "--jobs", jobs, "--resume"


def ended(process: subprocess.Popen) -> int:
    """Return the exit code of a command when it has ended."""
    process.communicate(timeout=1200)
    return process.returncode


class Fork:
    """A command that is a fork of a process in which all is loaded, `start(journal, "--forks", grid, ...)`."""

    def __init__(self, server: subprocess.Popen, *words: object) -> None:
        self.server = server
        self.returncode: int | None = None
        print(*words, file=server.stdin, flush=True)
        self.pid = int(server.stdout.readline())

    def poll(self) -> int | None:
        """Return the exit code of a command that has ended."""
        if self.returncode is None and select.select([self.server.stdout], [], [], 0)[0]:
            self.communicate()
        return self.returncode

    def communicate(self, timeout: float = 0.0) -> tuple[str, str]:
        """Wait for its end."""
        if self.returncode is None:
            self.returncode = int(self.server.stdout.readline())
        return "", ""


def units_of(grid: Path) -> tuple[Unit, ...]:
    """Return the units of a grid."""
    return expand(read_preset(grid).grids)


def whole(grid: Path, root: Path) -> dict[str, object]:
    """Return what a store holds in which this process computed the grid alone."""
    work_through(units_of(grid), root, silent)
    return contents(root)


def contents(root: Path) -> dict[str, object]:
    """Return all that equal stores have in common: every file of every run, times aside."""
    found: dict[str, object] = {}
    for folder in run_folders(root):
        found[folder.name] = comparable(folder), sorted(path.name for path in folder.iterdir())
        found |= {f"{folder.name}/{p.name}": p.read_bytes() for p in folder.iterdir() if p.name not in TIMED}
    return found


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Return run -> inode and time of its result: another pair would be another computation."""
    results = [folder / "result.json" for folder in run_folders(root)]
    return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in results}


def leftovers(root: Path) -> list[str]:
    """Return the names of what is in a store beside runs, records, tables and locks."""
    other = [path for path in root.rglob("*") if path.name.startswith(".") or ".tmp" in str(path)]
    return sorted(path.name for path in (*other, *(root / "work").iterdir()) if path.suffix != ".lock")


@dataclass
class Count:
    """What the journal says of one store: how often each unit was begun and ended, by whom, and beside whom."""

    begun: Counter = field(default_factory=Counter)
    ended: Counter = field(default_factory=Counter)
    states: Counter = field(default_factory=Counter)
    last: dict[str, str] = field(default_factory=dict)


def count(journal: Path, root: Path) -> Count:
    """Read the journal."""
    found = Count()
    lines = [line.split() for line in journal.read_text().splitlines()] if journal.exists() else []
    for what, name, process, state in lines:
        store, _, unit = name.partition("/")
        if store != root.name:
            continue
        (found.begun if what == "begin" else found.ended)[unit] += 1
        if what == "begin":
            found.states[state] += 1
            found.last[unit] = process
    return found


def check_computed_once(journal: Path, root: Path, stopped: int) -> Count:
    """Check that no unit was begun where it was there or others were at it, and that each log tells the same.

    stopped: processes that were killed while they could have been at a unit.
    """
    found, units = count(journal, root), stamps(root)
    assert set(found.states) == {"alone"}, f"computed again or by two at once: {found.states}"
    assert set(found.begun) == set(units) and max(found.ended.values()) == 1
    assert found.begun.total() <= len(units) + stopped
    for unit in units:
        log = (root / unit / "log.txt").read_text()
        begun = re.findall(r"Z (?:started .*|resumed), by process (\d+) on \S+$", log, re.MULTILINE)
        assert begun[-1] == found.last[unit] and len(begun) <= found.begun[unit]
        assert log.count("Z started ") == 1 and log.count("Z written\n") == 1 and log.endswith("written\n")
    return found
