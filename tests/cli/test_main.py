"""The front of the command line: quick help, exit codes, sentences."""

from __future__ import annotations

import subprocess
import sys

import pytest

from graphforget._core.errors import DataError, DivergedError, UnsupportedError, UsageError
from graphforget.cli import main as front

RUNS = (
    *("edges", "nodes", "features", "node-class", "train", "unlearn"),
    *("users", "items", "users+items", "interactions", "triples", "modality"),
)
HEAVY = ("torch", "numba", "scipy", "pandas", "torch_geometric", "numpy")


def test_the_command_line_imports_nothing_heavy():
    code = f"import sys, graphforget.cli.main; print([m for m in {HEAVY} if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


def test_help_names_every_command_and_imports_nothing_heavy():
    code = (
        "import sys; from graphforget.cli.main import main; code = main(['--help']);"
        f"sys.exit(code or sum(m in sys.modules for m in {HEAVY}))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    for command in (*RUNS, "recommend", "list", "doctor"):
        assert f" {command} " in done.stdout


@pytest.mark.parametrize("command", RUNS)
def test_every_run_has_json_dry_run_and_out(run, command):
    done = run(command, "--help")
    assert done.code == 0
    for option in ("--json", "--dry-run", "--out"):
        assert option in done.out


def test_the_version_is_printed(run):
    assert run("--version").out.strip() == "0.1.0"


@pytest.mark.parametrize(
    ("error", "code"), [(UsageError, 2), (DataError, 3), (UnsupportedError, 4), (DivergedError, 5)]
)
def test_an_error_becomes_a_sentence_and_its_exit_code(run, monkeypatch, error, code):
    def fail(*_: object, **__: object) -> None:
        raise error("edges.csv line 3: two columns are missing. Add them.")

    monkeypatch.setattr("graphforget.cli.deletions.compare", fail)
    done = run("edges", "cora", "gcn")
    assert (done.code, done.out) == (code, "")
    assert done.err == "graphforget: edges.csv line 3: two columns are missing. Add them.\n"


@pytest.mark.parametrize(
    ("error", "sentence"),
    [
        (PermissionError(13, "Permission denied", "/ann/x"), "/ann/x: the system refuses (Permission denied)."),
        (OSError(28, "No space left on device"), "the system refuses (No space left on device)."),
    ],
)
def test_what_the_system_refuses_is_a_sentence(run, monkeypatch, error, sentence):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("graphforget.cli.deletions.compare", fail)
    done = run("edges", "cora", "gcn")
    assert done.code == 3 and done.err.startswith(f"graphforget: {sentence} Choose another place")


@pytest.mark.parametrize(
    ("options", "phrase"), [([], "give --out FOLDER"), (["--out", "x"], "Repeat the same command")]
)
def test_an_interruption_ends_with_130_and_says_how_to_go_on(run, monkeypatch, options, phrase):
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graphforget.cli.deletions.compare", interrupt)
    done = run("edges", "cora", "gcn", *options)
    assert done.code == 130
    assert phrase in done.err


@pytest.mark.parametrize("words", [["reproduce", "gnndelete-dblp"], ["resume", "x"]])
def test_stopping_a_command_that_keeps_its_parts_says_so(run, monkeypatch, words):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("graphforget.experiments.published.find_preset", stop)
    monkeypatch.setattr("graphforget.experiments.reproduce.find_record", stop)
    done = run(*words)
    assert done.code == 130 and "Finished parts are kept" in done.err and "Nothing was kept" not in done.err


def test_main_reads_the_arguments_of_the_process(monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["graphforget", "--version"])
    assert front.main() == 0
    assert capsys.readouterr().out.strip() == "0.1.0"


def test_the_package_runs_as_a_module():
    done = subprocess.run(
        [sys.executable, "-m", "graphforget", "--version"], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "0.1.0"
