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
from typing import Any, NamedTuple

import pytest

from graphforget._core.files import read_json
from graphforget._core.toml import to_toml
from graphforget.experiments.cluster_worker import clean, place_of
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
PATIENCE = 600.0
GRID = {
    "data": ["sample-citations"],
    "backbones": ["gcn"],
    "methods": ["unlink", "d2dgn:epochs=4,validate_every=2"],
    "seeds": [1, 2],
    "recipe": {"epochs": 400, "validate_every": 5},
    "architecture": {"hidden": 8},
    "deletions": [{"name": "9 edges", "kind": "edges", "count": 9}],
}


CLUSTER = """
import sys
from ray.cluster_utils import Cluster
small = {"num_cpus": 1, "object_store_memory": 80 * 2**20}
cluster = Cluster(initialize_head=True, head_node_args={**small, "include_dashboard": False})
cluster.add_node(**small)
sys.stdout.write(cluster.address + "\\n")
sys.stdout.flush()
sys.stdin.read()
cluster.shutdown()
"""


class Cluster(NamedTuple):
    """A cluster: its address, and the process that started it and ends it."""

    address: str
    process: subprocess.Popen


@pytest.fixture(scope="module")
def cluster() -> Iterator[Cluster]:
    """Two nodes of one processor each, on this machine."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", path)
        patch.setenv("RAY_USAGE_STATS_ENABLED", "0")
        patch.setenv("RAY_worker_niceness", "0")  # 15 by default: on a busy machine nothing would move
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL, "text": True}
        with subprocess.Popen([sys.executable, "-c", CLUSTER], **pipes) as process:
            yield Cluster(process.stdout.readline().strip(), process)
            process.communicate(timeout=PATIENCE)


@pytest.fixture(scope="module")
def grid(tmp_path_factory) -> Path:
    """The file of a grid of 14 runs."""
    file = tmp_path_factory.mktemp("grid") / "mine.toml"
    file.write_text(to_toml({"grids": [GRID]}))
    return file


@pytest.fixture(scope="module")
def sharded(tmp_path_factory) -> Path:
    """The file of a grid of two sharded methods."""
    file = tmp_path_factory.mktemp("sharded") / "shards.toml"
    some = {"recipe": {"epochs": 20, "validate_every": 5}, "architecture": {"dim": 8}, "gold_runs": 1, "seeds": [1]}
    deletion = {"name": "3 users", "kind": "users", "count": 3}
    methods = ["sisa:shards=3", "receraser:shards=3,epochs=4"]
    table = {"data": ["sample-shop"], "backbones": ["lightgcn"], "task": "recommend", "methods": methods}
    file.write_text(to_toml({"grids": [{**table, **some, "deletions": [deletion]}]}))
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


def start(cluster: Cluster, grid: Path, root: Path, *more: str) -> subprocess.Popen:
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


def busy_workers(cluster: Cluster) -> list[Any]:
    """Return the processes of the cluster's workers that carry out a unit: Ray calls them as the unit is called."""
    import psutil

    children = psutil.Process(cluster.process.pid).children(recursive=True)
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


def test_shards_are_trained_on_the_cluster_and_cost_what_they_cost(cluster, sharded, tmp_path):
    work_through(expand(read_preset(sharded).grids), tmp_path / "local", silent)
    ended(start(cluster, sharded, tmp_path / "ray"))
    assert contents(tmp_path / "ray") == contents(tmp_path / "local")
    runs = [read_json(folder / "result.json") for folder in run_folders(tmp_path / "ray")]
    spent = {run["method"]["method"]: run["cost"] for run in runs if run["unit"] == "method"}
    assert set(spent) == {"sisa", "receraser"}
    assert all(0 < cost["preparation_seconds"] and 0 < cost["seconds"] for cost in spent.values())


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
    clean(read_json(tmp_path / "work" / "cluster.json"))


def test_an_address_without_a_cluster_is_a_sentence(cluster, grid, tmp_path):
    process = start(cluster._replace(address="127.0.0.1:1"), grid, tmp_path)
    told = process.communicate(timeout=PATIENCE)[1]
    assert process.returncode == 2 and "--ray 127.0.0.1:1: no Ray cluster can be used there" in told
