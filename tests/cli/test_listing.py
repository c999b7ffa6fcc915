"""`list` and `doctor` say what the registries and the machine say."""

from __future__ import annotations

import builtins
import importlib
import json
from importlib import metadata

import pytest

from graphforget.data.cards import cards
from graphforget.data.load import FORMATS
from graphforget.data.load_interactions import INTERACTION_FORMATS
from graphforget.evaluation.metrics import METRICS
from graphforget.models.zoo import backbones
from graphforget.unlearning.run import methods

NAMES = {
    "methods": lambda: [cls.name for cls in methods().classes()],
    "backbones": lambda: [cls.name for cls in backbones().classes()],
    "datasets": lambda: list(cards()),
    "formats": lambda: [cls.name for registry in (FORMATS, INTERACTION_FORMATS) for cls in registry.classes()],
    "metrics": lambda: list(METRICS),
}


@pytest.mark.parametrize("what", NAMES)
def test_a_list_holds_every_entry_of_its_registry(run, what):
    table, listed = run("list", what), run("list", what, "--json")
    assert (table.code, listed.code) == (0, 0)
    assert [entry["name"] for entry in json.loads(listed.out)] == NAMES[what]()
    assert all(name in table.out for name in NAMES[what]())


def test_the_list_of_methods_says_what_each_reads_and_its_presets(run):
    entries = {entry["name"]: entry for entry in json.loads(run("list", "methods", "--json").out)}
    assert entries["retrain"]["reads"] == ["retained"]
    assert entries["gradient-ascent"]["reads"] == ["forgotten", "retained"]
    assert entries["unlink"]["changes"] == ["graph"]
    assert "gnndelete-ni" in entries["gnndelete"]["presets"]
    assert entries["gnndelete"]["options"]["alpha"] == 0.5


def test_the_list_of_backbones_says_how_their_authors_trained_them(run):
    found = {entry["name"]: entry["recipe"] for entry in json.loads(run("list", "backbones", "--json").out)}
    assert found["kgat"]["lr"] == 1e-4 and found["gcn"] == {}
    assert "batch=1024" in run("list", "backbones").out


def test_the_list_of_formats_says_what_each_reads(run):
    found = {entry["name"]: entry for entry in json.loads(run("list", "formats", "--json").out)}
    assert found["edge-list"]["kind"] == "graph" and ".csv" in found["edge-list"]["endings"]
    assert found["scipy-pickle"]["kind"] == "interactions" and "pickled matrix" in found["scipy-pickle"]["what"]
    assert all(entry["what"] for entry in found.values())


def test_the_list_of_datasets_says_which_are_there(run, tmp_path, monkeypatch):
    monkeypatch.setenv("GRAPHFORGET_DATA", str(tmp_path))
    (tmp_path / "else/citation_full/dblp/raw").mkdir(parents=True)
    (tmp_path / "else/citation_full/dblp/raw/dblp.npz").write_bytes(b"x")
    for more, there in (
        ([], {"sample-citations", "sample-shop"}),
        (["--data-dir", tmp_path / "else"], {"dblp", "sample-citations", "sample-shop"}),
    ):
        found = json.loads(run("list", "datasets", "--json", *more).out)
        assert {entry["name"] for entry in found if entry["there"]} == there
    nowhere = run("list", "datasets", "--data-dir", tmp_path / "nowhere")
    assert nowhere.code == 2 and "nowhere is not a folder" in nowhere.err
    other = run("list", "methods", "--data-dir", tmp_path)
    assert other.code == 2 and "methods are in none" in other.err


def test_doctor_finds_a_working_installation(run, monkeypatch):
    monkeypatch.delenv("GRAPHFORGET_DATA", raising=False)
    done = run("doctor", "--json")
    checks = {check["name"]: check for check in json.loads(done.out)}
    assert done.code == 0
    assert {"python", "torch", "numba", "torch_geometric", "dgl", "sample data", "cache folder"} <= set(checks)
    assert checks["optuna"]["found"] == metadata.version("optuna") and checks["ray"]["found"]
    assert "threads" in checks["numba"]["found"]
    assert checks["data folder"]["state"] == "absent"


def test_doctor_ends_with_3_when_the_data_folder_is_not_there(run, tmp_path):
    done = run("doctor", "--data-dir", tmp_path / "nowhere")
    assert done.code == 3
    assert "nowhere is not a folder" in done.out


def test_doctor_says_which_sets_a_data_folder_holds(run, tmp_path):
    (tmp_path / "citation_full/dblp/raw").mkdir(parents=True)
    (tmp_path / "citation_full/dblp/raw/dblp.npz").write_bytes(b"x")
    assert "holds dblp\n" in run("doctor", "--data-dir", tmp_path).out


@pytest.mark.parametrize(
    ("error", "phrase"),
    [
        (ModuleNotFoundError("No module named 'dgl'", name="dgl"), "not installed"),
        (FileNotFoundError("Cannot find DGL C++ graphbolt library"), "graphbolt library"),
    ],
)
def test_doctor_says_why_dgl_does_not_work_and_which_version_does(run, monkeypatch, error, phrase):
    whole = importlib.import_module

    def broken(name: str, *rest: object) -> object:
        if name == "dgl":
            raise error
        return whole(name, *rest)

    monkeypatch.setattr(importlib, "import_module", broken)
    done = run("doctor")
    line = next(line for line in done.out.splitlines() if " dgl " in line)
    assert done.code == 0
    assert line.startswith("absent")
    assert phrase in line
    assert "dgl==1.1.3 together with 'packaging' works" in line


@pytest.mark.parametrize(("name", "extra"), [("optuna", "tune"), ("ray", "ray")])
def test_doctor_says_which_extras_are_missing(run, monkeypatch, name, extra):
    whole = metadata.version

    def without(wanted: str) -> str:
        if wanted == name:
            raise metadata.PackageNotFoundError(name)
        return whole(wanted)

    monkeypatch.setattr(metadata, "version", without)
    done = run("doctor")
    line = next(line for line in done.out.splitlines() if f" {name} " in line)
    assert done.code == 0 and line.startswith("absent") and f"Install the extra graphforget[{extra}]" in line


def test_doctor_ends_with_3_when_a_library_is_broken(run, monkeypatch):
    whole = importlib.import_module

    def broken(name: str, *rest: object) -> object:
        if name == "torch_geometric":
            raise OSError("libfoo.so is missing")
        return whole(name, *rest)

    monkeypatch.setattr(importlib, "import_module", broken)
    done = run("doctor")
    assert done.code == 3
    assert "OSError: libfoo.so is missing" in done.out
    assert builtins.__import__ is not broken
