"""What can be said of the cluster without one: what a worker computes, what it refuses, and that Ray stays optional."""

from __future__ import annotations

import importlib.util
import json
import os
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.experiments.cluster import _name_of, _with_absolute_paths, check_ray, run_on_cluster
from graphforget.experiments.cluster_worker import (
    RETRIES,
    Answer,
    Order,
    carry_out,
    clean,
    place_of,
    read_folder,
    write_folder,
)
from graphforget.experiments.events import silent
from graphforget.experiments.farm import work_through
from graphforget.experiments.grid import Grid
from graphforget.experiments.run_folder import comparable
from graphforget.experiments.units import Unit, expand

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def original(source) -> Unit:
    """The original of one seed, on the ring of 50 nodes."""
    place = {"data": (source.data,), "features": source.features, "labels": source.labels, "backbones": ("gcn",)}
    grid = Grid(**place, seeds=(5,), recipe={"epochs": 6, "validate_every": 2}, architecture={"hidden": 8})
    return expand([grid])[0]


@pytest.fixture
def store(tmp_path, monkeypatch) -> Iterator[str]:
    """The name of a store; what a worker keeps for it goes below `tmp_path`."""
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    yield "store"
    clean("store")
    assert not place_of("store").exists()


@pytest.mark.parametrize("made", ["for others to write", "a link"])
def test_a_folder_that_others_may_write_to_is_not_used(tmp_path, monkeypatch, made):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    place = tmp_path / f"graphforget-ray-{os.getuid()}"
    if made == "a link":
        place.symlink_to(tmp_path)
    else:
        place.mkdir()
        place.chmod(0o777)
    with pytest.raises(UsageError, match="not a folder of this user's alone.*TMPDIR"):
        place_of("store")


def order(unit: Unit, store: str, told: list) -> Order:
    """Return an order whose events come into a list."""
    ear = SimpleNamespace(tell=SimpleNamespace(remote=lambda name, event: told.append((name, event))))
    return Order(unit, store, {}, 1, ear)


def test_a_worker_gives_the_folder_that_a_local_process_writes(original, store, tmp_path):
    work_through([original], tmp_path / "local", silent)
    told: list = []
    answer = carry_out(order(original, store, told))
    assert isinstance(answer, Answer) and answer.end.state == "done" and answer.end.seconds > 0
    write_folder(tmp_path / "here" / original.id, answer.files)
    mine, theirs = (tmp_path / name / original.id for name in ("here", "local"))
    assert comparable(mine) == comparable(theirs) and set(answer.files) == set(read_folder(theirs))
    for name in ("model.safetensors", "model.json", "metrics.csv", "config.toml"):
        assert answer.files[name] == (theirs / name).read_bytes()
    assert {name for name, _ in told} == {original.id} and told[0][1].state == "started"
    assert {event.state for _, event in told} == {"started", "running"}


def test_what_was_computed_before_its_worker_died_is_not_computed_again(original, store):
    told: list = []
    first, second = (carry_out(order(original, store, told)) for _ in range(2))
    assert second.files == first.files and sum(event.state == "started" for _, event in told) == 1


class InTurn:
    """Ray as far as a worker uses it: tasks are carried out at once, and a reference is the value itself."""

    def __init__(self) -> None:
        self.tasks: list[str] = []

    def remote(self, **options: object) -> object:
        assert options["max_retries"] == RETRIES

        def give(function: Callable) -> SimpleNamespace:
            return SimpleNamespace(remote=lambda *given: self.tasks.append(function.__name__) or function(*given))

        return give

    def get(self, value: object) -> object:
        return value


def test_a_sharded_method_gives_its_shards_out(store, tmp_path, monkeypatch):
    fields = {"recipe": {"epochs": 2, "validate_every": 1}, "architecture": {"dim": 4}, "gold_runs": 1, "seeds": (3,)}
    deletion = {"name": "two", "kind": "users", "count": 2}
    table = {"data": ("sample-shop",), "backbones": ("mf",), "task": "recommend", "methods": ("sisa:shards=3",)}
    *before, sharded = expand([Grid(**table, **fields, deletions=(deletion,))])
    work_through([*before, sharded], tmp_path / "local", silent)
    monkeypatch.setitem(sys.modules, "ray", ray := InTurn())
    needs = {unit.id: read_folder(tmp_path / "local" / unit.id) for unit in before}
    told: list = []
    answer = carry_out(replace(order(sharded, store, told), needs=needs))
    assert isinstance(answer, Answer)
    touched = json.loads(answer.files["result.json"])["receipt"]["details"]["shards_touched"]
    assert ray.tasks == ["train_shard"] * (3 + (touched if touched > 1 else 0))
    assert (3, 3) in {(event.epoch, event.epochs) for _, event in told}
    assert comparable(place_of(store) / sharded.id) == comparable(tmp_path / "local" / sharded.id)
    assert answer.files["model.safetensors"] == read_folder(tmp_path / "local" / sharded.id)["model.safetensors"]


def test_other_data_on_the_machine_is_an_error(original, store):
    found = carry_out(order(replace(original, digest="0" * 64), store, []))
    assert isinstance(found, DataError) and "On the Ray node" in str(found) and "is another run here" in str(found)
    assert not (place_of(store) / original.id).exists()


def test_a_store_keeps_its_name_and_a_new_one_has_another(tmp_path):
    assert _name_of(tmp_path / "a") == _name_of(tmp_path / "a") != _name_of(tmp_path / "b")


def test_files_are_found_from_every_folder(original, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    table = {"data": ("sample-citations",), "backbones": ("gcn",), "methods": ("unlink",), "load": {}}
    deletion = {"name": "mine", "kind": "edges", "file": "gone.csv"}
    (cell,) = Grid(**table, deletions=(deletion,)).cells("data")
    plan = _with_absolute_paths(replace(original, cell=cell)).cell.plan
    assert plan.request.file == str(tmp_path / "gone.csv") and plan.setup.source.data_dir == str(tmp_path / "data")


def test_without_ray_the_extra_is_named(monkeypatch):
    check_ray(None, 8)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == "ray" else object())
    with pytest.raises(UsageError, match=r"graphforget\[ray\]"):
        check_ray("auto")


def test_processes_and_a_cluster_do_not_go_together(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UsageError, match="--jobs is for processes of this machine"):
        check_ray("auto", 2)


@pytest.mark.parametrize("named", [True, False])
def test_an_address_where_nothing_answers_is_refused_at_once(monkeypatch, named):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f"127.0.0.1:{server.getsockname()[1]}"
        monkeypatch.setenv("RAY_ADDRESS", address)
        check_ray(address if named else "auto")
    with pytest.raises(UsageError, match=rf"--ray {address}: no Ray cluster can be used there \(.*refused\)"):
        check_ray(address if named else "auto")


def test_a_task_has_at_least_one_thread(original, tmp_path, monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    with pytest.raises(UsageError, match="--threads must be at least 1; got 0"):
        run_on_cluster([original], tmp_path, silent, threads=0)


def test_ray_is_not_imported_before_it_is_asked_for():
    code = "import sys, graphforget.cli.main, graphforget.experiments.reproduce; sys.exit('ray' in sys.modules)"
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    assert subprocess.run([sys.executable, "-c", code], env={**os.environ, "PYTHONPATH": path}).returncode == 0
