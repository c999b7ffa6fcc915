"""Units become run folders that hold what they should, the same in one process and in several, each computed once."""

from __future__ import annotations

import csv
import json
import tomllib
from pathlib import Path

import pytest

from graphforget.evaluation.report import Report
from graphforget.experiments.events import silent
from graphforget.experiments.farm import claimed, run_units, work_through
from graphforget.experiments.grid import Grid
from graphforget.experiments.plan import Plan
from graphforget.experiments.results import lines_of_units
from graphforget.experiments.run_folder import comparable, read_run, run_folders
from graphforget.experiments.single import run_plan
from graphforget.experiments.store import WORK
from graphforget.experiments.units import expand
from graphforget.training.model_folder import load_model
from graphforget.training.train import weights_digest

METHODS = ("unlink", "d2dgn:epochs=4,validate_every=2")


@pytest.fixture(scope="module")
def grid(source) -> Grid:
    """Two methods, two seeds, with the attack, on the ring of 50 nodes."""
    place = {"data": (source.data,), "features": source.features, "labels": source.labels}
    small = {"recipe": {"epochs": 6, "validate_every": 2}, "architecture": {"hidden": 8}}
    return Grid(
        **place,
        **small,
        backbones=("gcn",),
        methods=METHODS,
        seeds=(5, 6),
        deletions=({"name": "seven", "kind": "edges", "count": 7},),
    )


@pytest.fixture(scope="module")
def units(grid):
    """The units of the grid."""
    return expand([grid])


@pytest.fixture(scope="module")
def store(units, tmp_path_factory) -> Path:
    """A store with all units, computed in this process."""
    root = tmp_path_factory.mktemp("store")
    work_through(units, root, silent)
    return root


def files(root: Path) -> dict[str, object]:
    """Return what must be equal in equal stores: models, evaluations, configurations, results without costs."""
    found: dict[str, object] = {}
    for folder in run_folders(root):
        found[folder.name] = comparable(folder)
        for name in ("model.safetensors", "model.json", "metrics.csv", "config.toml", "deletion.json"):
            if (folder / name).exists():
                found[f"{folder.name}/{name}"] = (folder / name).read_bytes()
    return found


def test_every_unit_is_a_whole_folder(units, store):
    whole = {"result.json", "metrics.csv", "config.toml", "log.txt"}
    model = {"model.safetensors", "model.json", "receipt.json"}
    extra = {"attacker": {"attacker.safetensors"}, "references": {"deletion.json"}}
    for unit in units:
        assert {path.name for path in (store / unit.id).iterdir()} == whole | extra.get(unit.kind, model)
    assert not [path for path in (store / WORK).iterdir() if path.suffix != ".lock"]
    assert {path.name for path in store.iterdir()} == {WORK, *(unit.id for unit in units)}


def test_grids_that_share_a_case_and_no_method_are_carried_out_in_one_process(grid, store, tmp_path):
    apart = expand([grid.model_copy(update={"methods": (method,), "seeds": (5,)}) for method in METHODS])
    work_through(apart, tmp_path, silent)
    made = files(tmp_path)
    assert {unit.id for unit in apart if unit.kind == "method"} <= made.keys()
    assert made == {name: value for name, value in files(store).items() if name in made}


def test_settings_of_two_names_are_one_run_and_a_row_in_each_table(grid, units, store):
    """The grid that comes second finds the run there, and calls it as it does itself."""
    again = expand([grid.model_copy(update={"methods": ("d2dgn:validate_every=2,epochs=4",), "seeds": (5,)})])
    (mine,) = [unit for unit in again if unit.kind == "method"]
    assert mine.id in {unit.id for unit in units} and mine.label != METHODS[1]
    rows = [{line.row for line in lines_of_units(store, part) if line.run == mine.id} for part in (units, again)]
    assert rows == [{METHODS[1]}, {"d2dgn:validate_every=2,epochs=4"}]


def test_the_numbers_are_those_of_a_comparison(grid, units, store):
    (cell,) = grid.cells()
    report = run_plan(Plan(cell.plan.setup, cell.plan.request, METHODS, (5, 6), attack=True)).report
    found = [r for u in units if u.kind in ("references", "method") for r in read_run(store / u.id).records]
    again = Report(report.task, report.title, tuple(found))
    costs = {"seconds", "speedup", "peak_memory"}
    for mine, theirs in ((again, report), (report, again)):
        for record in mine.records:
            (other,) = [r for r in theirs.records if (r.row, r.seed) == (record.row, record.seed)]
            assert {k: v for k, v in record.values.items() if k not in costs} == {
                k: v for k, v in other.values.items() if k not in costs
            }


def test_a_run_says_what_it_was_and_holds_its_model(units, store):
    unit = next(u for u in units if u.label == METHODS[1] and u.seed == 6)
    folder = store / unit.id
    run, result = read_run(folder), json.loads((folder / "result.json").read_text())
    assert (run.unit, run.fields["method"], run.fields["seed"], run.fields["count"]) == ("method", METHODS[1], 6, 7)
    assert run.weights == weights_digest(load_model(folder))
    assert "seconds" not in result["records"][0]["values"] and result["cost"]["rows"][METHODS[1]]["seconds"] > 0
    assert run.records[0].values["seconds"] == result["cost"]["rows"][METHODS[1]]["seconds"]
    with open(folder / "metrics.csv", encoding="utf-8") as lines:
        assert [row["epoch"] for row in csv.DictReader(lines)] == ["2", "4"]
    assert tomllib.loads((folder / "config.toml").read_text())["grids"][0]["methods"] == [METHODS[1]]
    assert "d2dgn" in (folder / "log.txt").read_text()


def test_two_processes_give_the_same_store(units, store, tmp_path):
    told = []
    run_units(units, tmp_path, told.append, jobs=2, threads=1)
    assert files(tmp_path) == files(store)
    done = [event.stage + str(event.seed) for event in told if event.state == "done"]
    assert sorted(done) == sorted({unit.title + str(unit.seed) for unit in units})


def test_what_another_process_holds_is_left_to_it(units, tmp_path):
    original = units[0]
    with claimed(tmp_path / WORK / original.id) as mine, claimed(tmp_path / WORK / original.id) as theirs:
        assert mine and not theirs
    with claimed(tmp_path / WORK / original.id) as mine:
        assert mine


def test_a_finished_store_is_left_as_it_is(units, store):
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*") if path.suffix != ".lock"}
    told = []
    work_through(units, store, told.append)
    assert told == [] and {path: path.stat().st_mtime_ns for path in before} == before


def test_a_method_that_fails_is_kept_as_its_sentence(grid, tmp_path):
    bad = grid.model_copy(update={"methods": ("gradient-ascent:lr=1e30", "unlink"), "seeds": (5,), "attack": False})
    told = []
    work_through(expand([bad]), tmp_path, told.append)
    (failed,) = [event for event in told if event.state == "failed"]
    runs = {u.label: read_run(tmp_path / u.id) for u in expand([bad]) if u.kind == "method"}
    assert runs["gradient-ascent:lr=1e30"].error == failed.note and not runs["gradient-ascent:lr=1e30"].records
    assert runs["unlink"].records[0].values["test_auc"] > 0


def test_an_original_that_fails_fails_what_needs_it(grid, tmp_path):
    bad = grid.model_copy(update={"recipe": {"epochs": 6, "lr": 1e30}, "seeds": (5,), "attack": False})
    work_through(expand([bad]), tmp_path, silent)
    errors = {read_run(tmp_path / u.id).error for u in expand([bad])}
    assert len(errors) > 1 and all("Lower the learning rate" in error for error in errors)
