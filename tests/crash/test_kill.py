"""A process killed with -9 in the middle of a run resumes, in another process, to the same bytes."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

CHILD = Path(__file__).with_name("child.py")
ROOT = CHILD.parents[2]


@pytest.fixture(scope="module")
def child(module_at):
    """The child's module, to run it here."""
    return module_at(CHILD)


def kill(what: str, folder: Path, epoch: int, wait: float) -> int:
    """Start the child and kill it `wait` seconds after an epoch has ended; return its exit status."""
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    process = subprocess.Popen(
        [sys.executable, str(CHILD), what, str(folder), str(epoch + 6)],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONPATH": path, "NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1"},
    )
    assert any(int(line) == epoch for line in process.stdout)
    time.sleep(wait)
    process.kill()
    process.stdout.close()
    return process.wait(timeout=60)


def files(folder: Path) -> dict[str, bytes]:
    """Return the files of the saved model."""
    return {path.name: path.read_bytes() for path in sorted((folder / "model").iterdir())}


def crash_and_resume(child, what: str, folder: Path, kills: int) -> tuple[list[int], dict, dict]:
    """Kill a run so many times, at moments that differ in every test, and go on with it.

    Returns the epochs that were left after the last kill, and the model's files of that run and of one never killed.
    """
    whole, killed = folder / "whole", folder / "killed"
    whole.mkdir()
    killed.mkdir()
    child.main(what, whole, lambda *_: None)
    chance = random.Random()
    for epoch in sorted(chance.sample(range(1, 54, 8), kills)):
        assert kill(what, killed, epoch, chance.uniform(0.0, 0.03)) == -9
        assert not (killed / "model").exists() and (killed / "run.safetensors").exists()
    seen: list[int] = []
    child.main(what, killed, lambda epoch, *_: seen.append(epoch))
    return seen, files(killed), files(whole)


@pytest.mark.parametrize("what", ["train", "d2dgn", "gnndelete"])
def test_a_killed_run_resumes_to_the_same_bytes(child, tmp_path, what):
    left, killed, whole = crash_and_resume(child, what, tmp_path, kills=1)
    assert left[0] > 1 and left == list(range(left[0], child.EPOCHS + 1)), "it goes on where it was, not from the start"
    assert killed == whole


@pytest.mark.slow
@pytest.mark.parametrize("what", ["train", "d2dgn", "gnndelete", "fine-tune"])
def test_a_run_killed_again_and_again_resumes_to_the_same_bytes(child, tmp_path, what):
    left, killed, whole = crash_and_resume(child, what, tmp_path, kills=5)
    assert left[0] > 1 and left == list(range(left[0], child.EPOCHS + 1))
    assert killed == whole
