"""A killed run goes on to the same bytes; a folder is never mixed up; processes do not change results."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

CODE = "import sys; from graphforget.cli.main import main; sys.exit(main(sys.argv[1:]))"
COSTS = {"seconds", "speedup", "peak_memory"}
SHORT = ["--epochs", "6", "--validate-every", "3", "--hidden", "8", "--no-attack", "--method", "d2dgn:epochs=4"]


def models(out: Path) -> dict[str, bytes]:
    """Return the bytes of every model of a run folder."""
    files = [path for path in out.rglob("*") if path.name in ("model.json", "model.safetensors", "deletion.json")]
    return {str(path.relative_to(out)): path.read_bytes() for path in files}


def numbers(out: Path) -> list[dict]:
    """Return the records of a run's report without what time and memory it took."""
    records = json.loads((out / "report/report.json").read_text())["records"]
    for record in records:
        record["values"] = {name: value for name, value in record["values"].items() if name not in COSTS}
    return records


def start(words: list[str]) -> subprocess.Popen:
    """Start the command line in a process of its own."""
    environment = {**os.environ, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"}
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen([sys.executable, "-c", CODE, *words], env=environment, **quiet)


def kill_when(process: subprocess.Popen, out: Path, pattern: str) -> None:
    """Kill a process as soon as a file like `pattern` is there."""
    deadline = time.monotonic() + 300
    try:
        while not list(out.glob(pattern)):
            assert process.poll() is None, "the run ended before it could be killed"
            assert time.monotonic() < deadline, f"no {pattern} in {out}"
            time.sleep(0.005)
    finally:
        process.kill()
        status = process.wait()
    assert status == -signal.SIGKILL


def test_a_run_killed_twice_goes_on_to_the_same_bytes(run, own, data, tmp_path):
    words = ["edges", str(own / "edges.csv"), "gcn", "--count", "9", *data, "--epochs", "800", "--hidden", "8"]
    words += ["--validate-every", "20", "--no-attack", "--method", "d2dgn:epochs=800,validate_every=20"]
    killed, whole = tmp_path / "killed", tmp_path / "whole"
    kill_when(start([*words, "--out", str(killed)]), killed, "seed-42/original-*.checkpoint")
    assert not (killed / "seed-42/original").exists()
    kill_when(start([*words, "--out", str(killed)]), killed, "seed-42/method-*.checkpoint")
    original = (killed / "seed-42/original/receipt.json").stat().st_mtime_ns
    assert run(*words, "--out", killed).code == 0
    assert run(*words, "--out", whole).code == 0
    assert models(killed) == models(whole)
    assert numbers(killed) == numbers(whole)
    assert (killed / "seed-42/original/receipt.json").stat().st_mtime_ns == original
    assert not list(killed.rglob("*.checkpoint"))
    assert not list(killed.rglob("*.seconds.json"))


def test_a_finished_run_is_reused_and_more_methods_are_added(run, own, data, tmp_path):
    words = ["edges", own / "edges.csv", "gcn", "--count", 9, *data, *SHORT, "--out", tmp_path / "out"]
    assert run(*words).code == 0
    before = models(tmp_path / "out")
    done = run(*words, "--method", "unlink")
    assert done.code == 0
    assert done.err.count("taken from the folder") == 4
    assert "seed 42: unlink done" in done.err
    after = models(tmp_path / "out")
    assert {name: after[name] for name in before} == before
    assert set(after) - set(before) == {f"seed-42/method-unlink/{n}" for n in ("model.json", "model.safetensors")}
    again = run(*words, "--method", "unlink")
    assert again.err.count("taken from the folder") == 6


@pytest.mark.parametrize(
    "change",
    [["--weight-decay", "0.1"], ["--lr", "0.02"], ["--layers", "3"], ["--count", "8"], ["--hop", "directed_compat"]],
    ids=lambda change: change[0].strip("-"),
)
def test_a_folder_made_from_something_else_is_refused_and_stays(run, own, data, tmp_path, change):
    words = ["edges", own / "edges.csv", "gcn", *data, *SHORT, "--out", tmp_path / "out"]
    assert run(*words, "--count", 9).code == 0
    before = {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()}
    done = run(*words, *([] if change[0] == "--count" else ["--count", 9]), *change)
    assert done.code == 2
    assert "made from other data, options or seed" in done.err
    assert {path: path.read_bytes() for path in (tmp_path / "out").rglob("*") if path.is_file()} == before


def test_a_damaged_stage_is_refused(run, own, data, tmp_path):
    words = ["edges", own / "edges.csv", "gcn", "--count", 9, *data, *SHORT, "--out", tmp_path / "out"]
    assert run(*words).code == 0
    model = tmp_path / "out/seed-42/original/model.safetensors"
    model.write_bytes(model.read_bytes()[:-5])
    done = run(*words, "--method", "unlink")
    assert done.code == 3
    assert "the model cannot be read" in done.err


def test_two_processes_give_what_one_gives(run, own, data, tmp_path):
    words = ["edges", own / "edges.csv", "gcn", "--count", 9, *data, *SHORT, "--seeds", "1,2"]
    for jobs in (1, 2):
        assert run(*words, "--jobs", jobs, "--out", tmp_path / str(jobs)).code == 0
    assert models(tmp_path / "1") == models(tmp_path / "2")
    assert numbers(tmp_path / "1") == numbers(tmp_path / "2")


def test_an_error_in_a_process_becomes_its_sentence(run, own, data, tmp_path):
    words = ["edges", own / "edges.csv", "gcn", "--count", 9, *data, *SHORT, "--seeds", "1,2"]
    done = run(*words, "--lr", "1e30", "--jobs", 2, "--out", tmp_path / "out")
    assert done.code == 5
    assert "Lower the learning rate" in done.err


def test_a_training_that_was_killed_goes_on_to_the_same_bytes(run, own, data, tmp_path):
    words = ["train", str(own / "edges.csv"), "gcn", *data, "--epochs", "1000", "--validate-every", "20"]
    kill_when(start([*words, "--out", str(tmp_path / "killed")]), tmp_path, "killed-*.checkpoint")
    for name in ("killed", "whole"):
        assert run(*words, "--out", tmp_path / name).code == 0
    assert models(tmp_path / "killed") == models(tmp_path / "whole")
    kept = sorted(
        path.name for path in tmp_path.iterdir() if path.suffix != ".tmp"
    )  # a kill leaves what was half written
    assert kept == ["killed", "whole"]
