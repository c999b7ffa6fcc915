"""A grid on a cluster of two Ray nodes ends as it does locally, also when a worker or the command itself is killed."""

from __future__ import annotations

import importlib.util
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from graphforget._core.files import read_json
from graphforget._core.toml import to_toml
from graphforget.experiments.cluster_worker import place_of
from graphforget.experiments.events import silent
from graphforget.experiments.farm import work_through
from graphforget.experiments.published import read_preset
from graphforget.experiments.run_folder import comparable, run_folders
from graphforget.experiments.units import expand

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="Ray is not installed (the extra 'ray')"),
]

ROOT = Path(__file__).resolve().parents[2]
CODE = "import sys; from graphforget.cli.main import main; sys.exit(main())"
FILES = ("model.safetensors", "model.json", "metrics.csv", "config.toml", "deletion.json", "attacker.safetensors")
PATIENCE = 300.0
GRID = {
    "data": ["sample-citations"],
    "backbones": ["gcn"],
    "methods": ["unlink", "d2dgn:epochs=4,validate_every=2"],
    "seeds": [1, 2],
    "recipe": {"epochs": 400, "validate_every": 5},
    "architecture": {"hidden": 8},
    "deletions": [{"name": "9 edges", "kind": "edges", "count": 9}],
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Any]:
    """Two nodes of one processor each, on this machine."""
    patch = pytest.MonkeyPatch()
    patch.setenv("PYTHONPATH", os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")]))
    patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
    from ray.cluster_utils import Cluster

    small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
    made = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
    made.add_node(**small)
    yield made
    made.shutdown()
    patch.undo()


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    """The file of a grid of 14 runs."""
    file = tmp_path_factory.mktemp("grid") / "mine.toml"
    file.write_text(to_toml({"grids": [GRID]}))
    return file


@pytest.fixture(scope="module")
def local(grid, tmp_path_factory) -> dict[str, object]:
    """What a store holds that this process computed."""
    root = tmp_path_factory.mktemp("local")
    work_through(expand(read_preset(grid).grids), root, silent)
    return contents(root)


def contents(root: Path) -> dict[str, object]:
    """Return what equal stores have in common: all but costs, logs and receipts."""
    found: dict[str, object] = {}
    for folder in run_folders(root):
        found[folder.name] = comparable(folder)
        found |= {f"{folder.name}/{n}": (folder / n).read_bytes() for n in FILES if (folder / n).exists()}
    return found


def start(cluster: Any, grid: Path, root: Path, *more: str) -> subprocess.Popen:
    """Start `reproduce` on the cluster."""
    words = ["reproduce", str(grid), "--out", str(root), "--ray", cluster.address, *more]
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CODE, *words], **pipes)


def wait_for(found: Callable[[], Any], process: subprocess.Popen) -> Any:
    """Return what is found as soon as there is something, while a process runs."""
    deadline = time.monotonic() + PATIENCE
    while not (value := found()):
        assert process.poll() is None and time.monotonic() < deadline, "it ended, or nothing came"
        time.sleep(0.01)
    return value


def checkpoints(root: Path) -> list[Path]:
    """Return the checkpoints of units that workers are at."""
    name = root / "work" / "cluster.json"
    return list((place_of(read_json(name)) / "work").glob("*.checkpoint")) if name.exists() else []


def busy_workers(cluster: Any) -> list[Any]:
    """Return the processes of the cluster's workers that carry out a unit: Ray calls them as the unit is called."""
    import psutil

    nodes = [psutil.Process(node.all_processes["raylet"][0].process.pid) for node in cluster.list_all_nodes()]
    children = [child for node in nodes for child in node.children()]
    return [child for child in children if " ".join(child.cmdline()).startswith("ray::sample-citations")]


def ended(process: subprocess.Popen) -> str:
    """Return what a command that ends well told."""
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 0, told
    return told


def test_two_nodes_give_what_one_process_gives(cluster, grid, local, tmp_path):
    told = ended(start(cluster, grid, tmp_path))
    assert contents(tmp_path) == local
    assert sum(" done in " in line for line in told.splitlines()) == len(run_folders(tmp_path)) == 14
    assert not place_of(read_json(tmp_path / "work" / "cluster.json")).exists(), "the machines are left clean"


def test_a_killed_worker_loses_nothing(cluster, grid, local, tmp_path):
    process = start(cluster, grid, tmp_path)
    wait_for(lambda: checkpoints(tmp_path), process)
    for worker in wait_for(lambda: busy_workers(cluster), process):
        worker.kill()
    told = ended(process)
    assert contents(tmp_path) == local
    assert sum(" done in " in line for line in told.splitlines()) == 14, "each ends once"
    logs = [(folder / "log.txt").read_text() for folder in run_folders(tmp_path)]
    assert any("resumed" in log for log in logs), "a killed unit goes on from its checkpoint"


def test_a_killed_command_goes_on_where_it_was(cluster, grid, local, tmp_path):
    process = start(cluster, grid, tmp_path)
    wait_for(lambda: len(run_folders(tmp_path)) >= 3, process)
    process.kill()
    process.communicate(timeout=PATIENCE)
    before = {folder: (folder / "result.json").stat().st_mtime_ns for folder in run_folders(tmp_path)}
    assert 3 <= len(before) < 14
    told = ended(start(cluster, grid, tmp_path, "--resume"))
    assert contents(tmp_path) == local
    assert {folder: (folder / "result.json").stat().st_mtime_ns for folder in before} == before
    assert sum(" done" in line for line in told.splitlines()) == 14 - len(before)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_command_says_how_to_go_on(cluster, grid, tmp_path, sign):
    process = start(cluster, grid, tmp_path)
    wait_for(lambda: checkpoints(tmp_path), process)
    began = time.monotonic()
    process.send_signal(sign)
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 130 and time.monotonic() - began < 10.0
    assert f"--store {tmp_path} --ray {cluster.address}'" in told


def test_an_address_without_a_cluster_is_a_sentence(cluster, grid, tmp_path):
    process = start(cluster, grid, tmp_path, "--ray", "127.0.0.1:1")
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2 and "--ray 127.0.0.1:1: no Ray cluster can be used there" in told
