"""How commands speak: tables that fit a terminal, Markdown elsewhere, JSON alone when asked."""

from __future__ import annotations

import json
import math
import os
import pty
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from graphforget.cli.output import print_json, print_report
from graphforget.evaluation.document import Report
from graphforget.evaluation.records import Record

CODE = "import sys; from graphforget.cli.main import main; sys.exit(main(sys.argv[1:]))"


@pytest.fixture
def report() -> Report:
    """Return a report with two rows."""
    values = {"test_auc": 0.9, "seconds": 1.0}
    rows = (Record("Original", 1, values, "original"), Record("d2dgn", 1, values, "method", "a note."))
    return Report("link", "Link prediction on x", rows)


def test_json_has_no_nan(capsys):
    print_json({"b": 1, "a": None})
    assert json.loads(capsys.readouterr().out) == {"a": None, "b": 1}
    with pytest.raises(ValueError, match="JSON"):
        print_json({"a": math.nan})


def test_elsewhere_a_report_is_markdown(report, capsys):
    print_report(report)
    assert capsys.readouterr().out == str(report)


def test_on_a_terminal_a_report_fits_and_keeps_its_notes(report, capsys, monkeypatch):
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True, raising=False)
    monkeypatch.setenv("COLUMNS", "60")
    print_report(report)
    printed = re.sub("\x1b\\[[0-9;]*m", "", capsys.readouterr().out)
    assert max(map(len, printed.splitlines())) <= 60
    assert "test AUC" in printed
    assert "- d2dgn: a note." in printed


def test_on_a_terminal_there_are_bars(own, data):
    words = ["edges", str(own / "edges.csv"), "gcn", "--count", "9", *data, "--epochs", "4", "--no-attack"]
    parent, child = pty.openpty()
    command = [sys.executable, "-c", CODE, *words, "--method", "d2dgn:epochs=4"]
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": "120", "NUMBA_NUM_THREADS": "1"}
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=child, env=environment)
    os.close(child)
    shown_bytes = b""
    while chunk := _read(parent):
        shown_bytes += chunk
    out, _ = process.communicate()
    assert process.returncode == 0
    assert b"4/4" in shown_bytes  # stages: original, two gold models, one method
    assert b"d2dgn:epochs=4 done" in shown_bytes
    assert b"| Original" in out


def _read(descriptor: int) -> bytes:
    """Return what a terminal shows next; at its end Linux raises instead of giving nothing."""
    try:
        return os.read(descriptor, 65536)
    except OSError:
        return b""


def test_ctrl_c_ends_every_process_with_130(own, data, tmp_path):
    words = ["edges", str(own / "edges.csv"), "gcn", "--count", "9", *data, "--epochs", "100000", "--no-attack"]
    words += ["--validate-every", "10", "--seeds", "1,2", "--jobs", "2", "--out", str(tmp_path / "out")]
    command = [sys.executable, "-c", CODE, *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True) as process:
        try:
            _wait_for_checkpoints(process, tmp_path / "out")
            os.killpg(process.pid, signal.SIGINT)
            _, err = process.communicate(timeout=60)
        except BaseException:
            os.killpg(process.pid, signal.SIGKILL)
            raise
    assert process.returncode == 130
    assert "Traceback" not in err
    assert "Repeat the same command to go on" in err
    assert _all_end(process.pid)


def _wait_for_checkpoints(process: subprocess.Popen, out: Path) -> None:
    """Wait until both seeds wrote a checkpoint; a busy machine may take minutes to start the processes."""
    deadline = time.monotonic() + 300
    while len(list(out.glob("seed-*/*.checkpoint"))) < 2:
        assert process.poll() is None, "the run ended by itself"
        assert time.monotonic() < deadline
        time.sleep(0.02)


def _all_end(group: int) -> bool:
    """Return whether no process of a group is left after a while (the standard library's tracker ends last)."""
    for _ in range(200):
        try:
            os.killpg(group, 0)
        except ProcessLookupError:
            return True
        time.sleep(0.05)
    return False
