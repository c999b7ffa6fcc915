"""A grid killed with -9 goes on to the same bytes, and several processes on one store compute every run once."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from graphforget._core.toml import to_toml
from graphforget.experiments.events import silent
from graphforget.experiments.farm import work_through
from graphforget.experiments.published import read_preset
from graphforget.experiments.run_folder import comparable, run_folders
from graphforget.experiments.units import expand

ROOT = Path(__file__).resolve().parents[2]
CODE = "import sys; from graphforget.cli.main import main; sys.exit(main())"
FILES = ("model.safetensors", "model.json", "metrics.csv", "config.toml", "deletion.json")


def write_grid(folder: Path, epochs: int, deletions: int, seeds: int = 3) -> Path:
    """Write a grid of two methods, so many deletions and seeds; return its file."""
    names = [{"name": f"{5 + n} edges", "kind": "edges", "count": 5 + n} for n in range(deletions)]
    grid = {
        "data": ["sample-citations"],
        "backbones": ["gcn"],
        "seeds": list(range(seeds)),
        "attack": False,
        "gold_runs": 1,
    }
    grid |= {"recipe": {"epochs": epochs, "validate_every": 5}, "architecture": {"hidden": 8}, "deletions": names}
    grid["methods"] = ["unlink", f"fine-tune:epochs={epochs},validate_every=5"]
    (folder / "grid.toml").write_text(to_toml({"grids": [grid]}))
    return folder / "grid.toml"


def start(grid: Path, root: Path, jobs: int) -> subprocess.Popen:
    """Start `reproduce` on a store."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    words = ["reproduce", str(grid), "--out", str(root), "--jobs", str(jobs), "--resume"]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CODE, *words], env=environment, **pipes)


def whole(grid: Path, root: Path) -> dict[str, object]:
    """Return what a store holds in which this process computed the grid alone."""
    work_through(expand(read_preset(grid).grids), root, silent)
    return contents(root)


def contents(root: Path) -> dict[str, object]:
    """Return what equal stores have in common: all but costs, logs and receipts."""
    found: dict[str, object] = {}
    for folder in run_folders(root):
        found[folder.name] = comparable(folder)
        found |= {f"{folder.name}/{n}": (folder / n).read_bytes() for n in FILES if (folder / n).exists()}
    return found


def stamps(root: Path) -> dict[str, tuple[int, int]]:
    """Return run -> inode and time of its result: another pair would be another computation."""
    results = [folder / "result.json" for folder in run_folders(root)]
    return {path.parent.name: (path.stat().st_ino, path.stat().st_mtime_ns) for path in results}


def killed_again_and_again(grid: Path, root: Path, chance: random.Random, kills: int) -> Iterator[dict]:
    """Start the grid, kill it after a while at random, and yield what is finished then, so many times."""
    for _ in range(kills):
        process, before = start(grid, root, jobs=2), len(stamps(root))
        while process.poll() is None and len(stamps(root)) == before:
            time.sleep(0.01)
        time.sleep(chance.uniform(0.0, 1.0))
        process.kill()
        process.communicate(timeout=60)
        assert process.returncode in (0, -9)
        yield stamps(root)


def crash_and_resume(root: Path, grid: Path, kills: int) -> dict[str, tuple[int, int]]:
    """Kill a grid so many times, then let it end; return what of it was finished at the last kill."""
    seen: dict[str, tuple[int, int]] = {}
    for found in killed_again_and_again(grid, root, random.Random(), kills):
        assert seen.items() <= found.items(), "a finished run was computed again"
        seen |= found
    process = start(grid, root, jobs=2)
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 0, told
    assert not list((root / "work").glob("*.checkpoint")) and not list((root / "work").glob("*.json"))
    return seen


def one_store(grid: Path, root: Path, processes: int) -> None:
    """Start so many commands on one store at once; all of them end well."""
    running = [start(grid, root, jobs=1) for _ in range(processes)]
    told = [process.communicate(timeout=600)[1] for process in running]
    assert [process.returncode for process in running] == [0] * processes, told
    done = [line for text in told for line in text.splitlines() if " done in " in line]
    names = [line.partition(" done in ")[0] for line in done]
    assert len(names) == len(set(names)) == len(stamps(root)), "every run is computed by one process, once"


def test_a_killed_grid_goes_on_to_the_same_bytes(tmp_path):
    grid, root = write_grid(tmp_path, epochs=60, deletions=1, seeds=2), tmp_path / "killed"
    seen = crash_and_resume(root, grid, kills=1)
    assert contents(root) == whole(grid, tmp_path / "whole")
    assert seen.items() <= stamps(root).items(), "what was finished is not computed again"


def test_two_commands_on_one_store_compute_every_run_once(tmp_path):
    grid = write_grid(tmp_path, epochs=30, deletions=1, seeds=2)
    expected = whole(grid, tmp_path / "whole")
    one_store(grid, tmp_path / "shared", 2)
    assert contents(tmp_path / "shared") == expected


@pytest.mark.slow
@pytest.mark.parametrize("round_", range(10))
def test_a_grid_of_twelve_runs_killed_at_fifty_moments(tmp_path, round_):
    grid, root = write_grid(tmp_path, epochs=100 + 20 * round_, deletions=2), tmp_path / "killed"
    seen = crash_and_resume(root, grid, kills=5)
    assert contents(root) == whole(grid, tmp_path / "whole") and seen.items() <= stamps(root).items()


@pytest.mark.slow
def test_four_processes_on_one_store_twenty_times(tmp_path):
    grid = write_grid(tmp_path, 30, 1)
    expected = whole(grid, tmp_path / "whole")
    for number in range(20):
        one_store(grid, tmp_path / str(number), 4)
        assert contents(tmp_path / str(number)) == expected
