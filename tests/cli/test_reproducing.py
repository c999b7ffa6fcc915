"""reproduce, status, resume, table and verify, end to end on bundled data, stopped and gone on."""

from __future__ import annotations

import csv
import importlib.util
import io
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.toml import to_toml
from graphforget.experiments import published
from graphforget.experiments.published import Preset, find_preset, read_preset
from graphforget.experiments.reproduce import carry_out, prepare_reproduction
from graphforget.experiments.run_folder import comparable, read_history
from graphforget.experiments.sources import read_source, read_sources

ROOT = Path(__file__).resolve().parents[2]
CODE = "import sys; from graphforget.cli.main import main; sys.exit(main())"
GRID = {
    "data": ["sample-citations"],
    "backbones": ["gcn"],
    "methods": ["unlink"],
    "seeds": [1, 2],
    "gold_runs": 2,
    "attack": False,
    "recipe": {"epochs": 6, "validate_every": 3},
    "architecture": {"hidden": 8},
    "deletions": [{"name": "9 edges", "kind": "edges", "count": 9}],
}
VERIFY = ["verify", "{store}/tables/mine.csv", "--grid", "{mine}"]
PUBLISHED = {
    "data": "sample-citations",
    "backbone": "gcn",
    "deletion": "9 edges",
    "source": "third party",
    "where": "nowhere",
    "rows": {"Gold": {"test_auc": 0.7}, "GIF": {"test_auc": 0.1}},
}


@pytest.fixture(scope="module")
def mine(tmp_path_factory) -> Path:
    """A grid file with a published value."""
    file = tmp_path_factory.mktemp("grid") / "mine.toml"
    file.write_text(
        to_toml({"metrics": ["test_auc"], "tolerance": {"test_auc": 0.2}, "grids": [GRID], "published": [PUBLISHED]})
    )
    return file


@pytest.fixture(scope="module")
def store(mine, tmp_path_factory) -> Path:
    """A folder of runs in which the grid is finished."""
    root = tmp_path_factory.mktemp("runs")
    carry_out(prepare_reproduction(find_preset(str(mine)), root))
    return root


def results(root: Path) -> dict[str, object]:
    """Return every result without what depends on the machine, and the bytes of every model."""
    found: dict[str, object] = {path.parent.name: comparable(path.parent) for path in root.glob("*/result.json")}
    return found | {str(p.relative_to(root)): p.read_bytes() for p in root.glob("*/model.safetensors")}


def test_the_published_value_stands_beside_ours(run, mine, store):
    done = run("reproduce", mine, "--out", store)
    assert done.code == 0, "a finished table is printed again without --resume"
    assert "| Gold " in done.out and "| Noise floor " in done.out and "| Original " in done.out
    assert "third party: nowhere" in done.out and "|    yes |" in done.out and "not run" in done.out
    assert done.err == "", "nothing was computed"


def test_json_has_the_same(run, mine, store):
    found = json.loads(run("reproduce", mine, "--out", store, "--json").out)
    assert [one["within"] for one in found["published"]] == [True, None]
    assert {one["method"] for one in found["ours"]} == {"Original", "Gold", "Noise floor", "unlink"}
    assert Path(found["csv"]).is_file() and found["failed"] == {}


def test_a_dry_run_says_what_is_left_and_writes_nothing(run, mine, store, tmp_path):
    found = json.loads(run("reproduce", mine, "--out", tmp_path / "new", "--dry-run", "--json").out)
    assert [unit["part"] for unit in found["units"][:5]] == ["original", "gold", "gold", "references", "method"]
    assert not any(unit["finished"] for unit in found["units"]) and not (tmp_path / "new").exists()
    assert "0 of 10 parts to run" in run("reproduce", mine, "--out", store, "--dry-run").out


def test_a_part_of_the_table_is_run_alone(run, mine, store):
    words = ["--only", "method=unlink", "--only", "data=sample-citations", "--seeds", "2", "--out", store, "--dry-run"]
    units = json.loads(run("reproduce", mine, *words, "--json").out)["units"]
    assert len(units) == 5 and all(unit["finished"] and unit["seed"] == 2 for unit in units)


def test_a_part_leaves_the_file_of_the_whole_table_alone(run, mine, store):
    whole = (store / "tables/mine.csv").read_bytes()
    found = json.loads(run("reproduce", mine, "--seeds", "2", "--out", store, "--json").out)
    part = Path(found["csv"])
    assert part.name.startswith("mine-") and (store / "tables/mine.csv").read_bytes() == whole
    assert {row["seed"] for row in csv.DictReader(io.StringIO(part.read_text()))} == {"2"}
    assert part.read_bytes().splitlines()[0] == whole.splitlines()[0]
    assert run("resume", part.stem, "--store", store, "--json").code == 0 and part.is_file()
    for leftover in (part, store / "grids" / f"{part.stem}.json"):
        leftover.unlink()


def test_tables_from_the_folder_and_from_its_file_are_the_same(run, store):
    words = ["--rows", "method", "--cols", "dataset,fraction", "--metric", "test_auc,forgotten_auc", "--test", "none"]
    for form in ("md", "latex", "csv", "html"):
        (folder, file) = (run("table", place, *words, "--format", form) for place in (store, store / "tables/mine.csv"))
        assert folder.code == file.code == 0
        assert folder.out == file.out and "unlink" in folder.out


def test_status_and_resume_know_the_table(run, store):
    (found,) = json.loads(run("status", "--store", store, "--json").out)
    assert (found["finished"], found["total"], found["failed"], found["waiting"]) == (10, 10, 0, 0)
    assert run("resume", found["id"][:6], "--store", store).code == 0
    assert "10 of 10" in run("status", "--store", store).out
    assert run("status", "--out", store).out == run("status", "--store", store).out, "either word names the folder"


def test_verify_computes_cells_again(run, mine, store, tmp_path):
    file = store / "tables/mine.csv"
    done = run("verify", file, "--sample", 2, "--grid", mine, "--out", tmp_path / "again", "--json")
    found = json.loads(done.out)
    assert done.code == 0 and len(found) == 2 and all(one["same"] and one["compared"] >= 5 for one in found)
    told = run("verify", file, "--sample", 1, "--grid", mine)
    (units,) = {total for _, total in re.findall(r"(\d+) of (\d+) done", told.err)}
    assert f"({units} of {units} done)" in told.err and int(units) > 1  # what one cell needs, too
    rows = list(csv.DictReader(io.StringIO(file.read_text())))
    for row in rows:
        row["test_auc"] = row["test_auc"][:-1] + str((int(row["test_auc"][-1]) + 1) % 10)
    (tmp_path / "changed.csv").write_text(
        "\n".join([",".join(rows[0]), *(",".join(row.values()) for row in rows)]) + "\n"
    )
    done = run("verify", tmp_path / "changed.csv", "--sample", 2, "--grid", mine, "--out", tmp_path / "again")
    assert done.code == 5 and "test_auc" in done.out and "2 of 2 cells came out differently" in done.err
    assert "depend on the kind of processor" in done.err
    again = ["--sample", 2, "--grid", mine, "--out", tmp_path / "again", "--within"]
    done = run("verify", tmp_path / "changed.csv", *again, "0.001")
    assert done.code == 0 and done.out.count("within 0.001") == 2
    assert "--within is a difference" in run("verify", tmp_path / "changed.csv", *again, "-1").err


def test_verify_refuses_runs_of_other_settings(run, mine, store, tmp_path):
    text = (store / "tables/mine.csv").read_text()
    first = text.splitlines()[1].split(",")
    (tmp_path / "other.csv").write_text(text.replace(first[text.splitlines()[0].split(",").index("run")], "0" * 16))
    done = run("verify", tmp_path / "other.csv", "--sample", 99, "--grid", mine)
    assert done.code == 3 and "is none that its preset gives here" in done.err
    done = run("verify", tmp_path / "other.csv")
    assert done.code == 2 and "is a grid of your own. Give its file with --grid, as --grid mine.toml" in done.err


def test_a_table_without_its_data_names_the_files(run, tmp_path):
    done = run("reproduce", "gnndelete-dblp", "--data-dir", tmp_path, "--out", tmp_path / "runs")
    assert done.code == 3 and "dblp needs citation_full/dblp/raw/dblp.npz" in done.err
    assert not (tmp_path / "runs").exists()
    done = run("reproduce", "all", "--data-dir", tmp_path, "--out", tmp_path / "runs")
    assert done.code == 0 and "utu-link is left out: pubmed needs" in done.err


def preset(folder: Path, name: str, change: dict) -> Preset:
    """Return the grid, changed, as a table of that name."""
    (folder / f"{name}.toml").write_text(to_toml({"grids": [{**GRID, "seeds": [1], **change}]}))
    return read_preset(folder / f"{name}.toml")


def test_all_goes_on_after_a_table_that_cannot_be_run(run, tmp_path, monkeypatch):
    many = {"deletions": [{"name": "too many", "kind": "edges", "count": 99_999}]}
    tables = {name: preset(tmp_path, name, change) for name, change in (("first", many), ("second", {}))}
    monkeypatch.setattr(published, "presets", lambda: tables)
    done = run("reproduce", "all", "--out", tmp_path / "runs")
    assert done.code == 3 and "first could not be run: " in done.err and "99,999" in done.err
    assert "| unlink" in done.out and (tmp_path / "runs/tables/second.csv").is_file()


def test_a_table_with_a_part_that_failed_is_printed_and_ends_with_one(run, tmp_path):
    bad = {"methods": ["unlink", "gradient-ascent:lr=1e30"]}
    preset(tmp_path, "bad", bad)
    words = ["reproduce", tmp_path / "bad.toml", "--out", tmp_path / "runs"]
    done = run(*words)
    assert done.code == 1 and "| unlink" in done.out and "gradient-ascent:lr=1e30, seed 1 failed: " in done.err
    assert run(*words, "--json").code == 1


def test_a_folder_without_published_values_says_so(run, mine, store, tmp_path):
    file = store / "tables/mine.csv"
    words = ["--test", "none", "--metric", "test_auc", "--published"]
    assert "third party: nowhere" in run("table", store, *words).out
    done = run("table", file, *words)
    assert done.code == 0 and f"{file}: nothing is published for these runs" in done.err


@pytest.mark.parametrize(
    ("words", "code", "sentence"),
    [
        (["reproduce", "utu-lnk"], 2, "Did you mean 'utu-link'"),
        (["reproduce", "{mine}", "--jobs", "0", "--out", "{tmp}/x"], 2, "--jobs must be at least 1"),
        (["reproduce", "{mine}", "--out", "{tmp}"], 2, "holds other things"),
        (["reproduce", "{mine}", "--out", "{tmp}/other.txt"], 2, "a file is in the way"),
        (["reproduce", "all", "--json"], 2, "prints one table"),
        (["reproduce", "all", "--seeds", "1"], 2, "choose a part of one table"),
        (["reproduce", "{mine}", "--only", "data"], 2, "no name=value"),
        (["reproduce", "{mine}", "--only", "data=x"], 2, "Unknown data 'x'"),
        (["reproduce", "{mine}", "--seeds", "x"], 2, "--seeds must be integers"),
        (["status", "--store", "{tmp}"], 2, "no folder of runs"),
        (["resume", "nothing", "--store", "{store}"], 2, "'nothing' is no run of"),
        (["table", "{tmp}"], 2, "no folder of runs"),
        (["table", "{store}", "--rows", "methd"], 2, "Did you mean 'method'"),
        (["table", "{store}", "--metric", "test_acu"], 2, "Did you mean 'test_auc'"),
        (["verify", "{tmp}/none.csv"], 3, "cannot be read"),
        (["verify", "{store}/tables/mine.csv", "--sample", "0"], 2, "--sample must be at least 1"),
        ([*VERIFY, "--threads", "0"], 2, "--threads must be from 1"),
        ([*VERIFY, "--jobs", "0", "--out", "{tmp}/x"], 2, "--jobs must be at least 1"),
        ([*VERIFY, "--out", "{store}"], 2, "would be compared with themselves"),
    ],
)
def test_what_cannot_be_is_a_sentence(run, mine, store, tmp_path, words, code, sentence):
    (tmp_path / "other.txt").write_text("x")
    done = run(*(word.format(mine=mine, store=store, tmp=tmp_path) for word in words))
    assert done.code == code and sentence in done.err
    assert not (tmp_path / "x").exists()  # what is given right the next time is a first time


def test_a_table_that_found_no_cluster_is_not_begun(mine, tmp_path, monkeypatch):
    """Repeating the command, with a cluster or without, needs no --resume."""

    def init(**_):
        raise ConnectionError("nothing answers")

    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: object())
    monkeypatch.setitem(sys.modules, "ray", SimpleNamespace(init=init))
    plan = prepare_reproduction(find_preset(str(mine)), tmp_path)
    for _ in range(2):
        with pytest.raises(UsageError, match=r"--ray auto: no Ray cluster can be used there \(nothing answers\)"):
            carry_out(plan, ray="auto")
    assert not plan.record.exists()


def start(*words: object) -> subprocess.Popen:
    """Start the command line in a process of its own."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    environment = {**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    pipes = {"stdout": subprocess.DEVNULL, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen([sys.executable, "-c", CODE, *map(str, words)], env=environment, **pipes)


@pytest.mark.parametrize("sign", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_table_ends_at_once_and_can_be_resumed(run, mine, store, tmp_path, sign):
    slow = tmp_path / "slow.toml"
    long = {**GRID, "recipe": {"epochs": 200_000, "validate_every": 5}, "seeds": [1]}
    slow.write_text(to_toml({"grids": [long]}))
    process = start("reproduce", slow, "--out", tmp_path / "runs")
    try:
        deadline = time.monotonic() + 300
        while not list(tmp_path.glob("runs/work/*.checkpoint")):
            assert process.poll() is None and time.monotonic() < deadline
            time.sleep(0.02)
        began = time.monotonic()
        process.send_signal(sign)
        told = process.communicate(timeout=60)[1]
    finally:
        process.kill()
        process.communicate()
    assert process.returncode == 130 and time.monotonic() - began < 10.0  # half a second on an idle machine
    assert "0 of 5 parts are finished" in told and "graphforget resume slow-" in told
    done = run("reproduce", slow, "--out", tmp_path / "runs")
    assert done.code == 2 and "Add --resume" in done.err
    assert run("reproduce", slow, "--store", tmp_path / "runs").err == done.err
    assert json.loads(run("status", "--store", tmp_path / "runs", "--json").out)[0]["running"] == []


def test_a_run_of_a_store_is_drawn_and_reported_with_its_table(run, store, tmp_path):
    """Any run of the table leads to it: the references of both seeds, and the one method."""
    judged = next(path.parent for path in store.glob("*/result.json") if '"unlink"' in path.read_text())
    found = read_source(judged)
    assert {(r.row, r.seed) for r in found.report.records} == {
        (row, seed) for row in ("Original", "Gold", "Noise floor", "unlink") for seed in (1, 2)
    }
    assert found.report.title == "Link prediction on sample-citations, gcn, 9 edges"
    levels = {(h.row, h.seed): (len(h.entries), h.kept) for h in found.histories}
    assert {key[0] for key in levels} == {"Original", "Gold", "unlink"} and levels["Gold", 1][0] == 2
    assert levels["Original", 2][1] in (3, 6)
    assert [one.report for one in read_sources(store)] == [found.report]
    page = tmp_path / "page.html"
    assert run("report", judged, "--out", page).code == 0 and "unlink" in page.read_text()
    assert run("plot", store, "--out", tmp_path / "points.svg").code == 0


def test_a_run_with_a_damaged_history_is_refused_with_its_line(store, tmp_path):
    copy = tmp_path / "runs"
    shutil.copytree(store, copy)
    judged = next(path.parent for path in copy.glob("*/result.json") if json.loads(path.read_text())["unit"] == "gold")
    (judged / "metrics.csv").write_text("epoch,loss\n3,many\n")
    with pytest.raises(DataError, match=r"metrics.csv line 2: .*many"):
        read_history(judged)
