"""Ctrl-C, a request to end, killed workers and full disks end a grid in a state that can be resumed, at once."""

from __future__ import annotations

import os
import resource
import signal
import time
from pathlib import Path

import pytest

LONG = 200_000


def limit() -> float:
    """Return the seconds in which a command must have stopped: two, more only where others keep the machine busy."""
    return 2.0 if os.getloadavg()[0] <= (os.cpu_count() or 1) else 15.0


def wait_for(process, there) -> None:
    """Wait until `there()` is true of what a command does."""
    deadline = time.monotonic() + 600
    while not there():
        assert process.poll() is None, process.communicate()[1]
        assert time.monotonic() < deadline
        time.sleep(0.005)


def workers(journal: Path) -> list[int]:
    """Return the processes that have begun a unit, in the order in which they did."""
    lines = journal.read_text().splitlines() if journal.exists() else []
    return list(dict.fromkeys(int(line.split()[2]) for line in lines))


def gone(process: int) -> bool:
    """Return whether a process has ended."""
    stat = Path(f"/proc/{process}/stat")
    try:
        return stat.read_text().rpartition(")")[2].split()[0] in "ZX"
    except OSError:
        return True


@pytest.fixture(scope="module")
def short(stores, tmp_path_factory) -> Path:
    """A grid that takes a second."""
    return stores.write_grid(tmp_path_factory.mktemp("grid"), 60, seeds=2)


@pytest.fixture(scope="module")
def expected(stores, short, tmp_path_factory) -> dict[str, object]:
    """What a store of the short grid holds."""
    return stores.whole(short, tmp_path_factory.mktemp("whole") / "runs")


ALL = [(sign, whom) for sign in (signal.SIGINT, signal.SIGTERM) for whom in ("the command", "all", "twice")]
ALL += [(signal.SIGTERM, "a worker")]


@pytest.mark.parametrize(
    ("sign", "whom"), [(signal.SIGINT, "all"), *(pytest.param(*one, marks=pytest.mark.slow) for one in ALL)]
)
def test_a_stopped_grid_ends_with_130_within_two_seconds(stores, tmp_path, sign, whom):
    """A terminal sends Ctrl-C to all processes of a command, a batch system its request to end to all or to any."""
    grid, root, journal = stores.write_grid(tmp_path, LONG), tmp_path / "runs", tmp_path / "journal"
    process = stores.reproduce(grid, root, journal, 2)
    wait_for(process, lambda: len(workers(journal)) == 2 and len(list(root.glob("work/*.checkpoint"))) == 2)
    at_once, began = limit(), time.monotonic()
    for _ in range(2 if whom == "twice" else 1):
        target = workers(journal)[0] if whom == "a worker" else process.pid
        (os.killpg if whom == "all" else os.kill)(target, sign)
        time.sleep(0.002)
    told = process.communicate(timeout=120)[1]
    took = time.monotonic() - began
    print(f"{sign.name} to {whom}: {took:.2f} s")
    assert process.returncode == 130 and took < at_once, told
    assert "Traceback" not in told and "0 of 27 parts are finished" in told and "graphforget resume grid-" in told
    assert all(gone(worker) for worker in workers(journal))
    assert stores.contents(root) == {} and len(list(root.glob("work/*.checkpoint"))) == 2


@pytest.mark.slow
def test_ctrl_c_while_the_workers_start_is_no_error_of_theirs(stores, tmp_path):
    grid, root = stores.write_grid(tmp_path, LONG), tmp_path / "runs"
    process = stores.reproduce(grid, root, tmp_path / "journal", 2)
    wait_for(process, lambda: list(root.glob("grids/*.json")))
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    told = process.communicate(timeout=120)[1]
    assert process.returncode == 130 and "Traceback" not in told and "0 of 27 parts" in told, told


def test_a_killed_worker_is_told_and_the_others_do_its_part(stores, short, expected, tmp_path):
    """As the system does where memory is short."""
    root, journal = tmp_path / "runs", tmp_path / "journal"
    process = stores.reproduce(short, root, journal, 2)
    wait_for(process, lambda: len(workers(journal)) == 2)
    os.kill(workers(journal)[0], signal.SIGKILL)
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 0 and "was killed by signal 9" in told and "the other 1 go on" in told, told
    assert stores.contents(root) == expected
    stores.check_computed_once(journal, root, 1)


@pytest.mark.slow
def test_when_all_workers_are_killed_it_is_an_error_and_can_be_resumed(stores, short, expected, tmp_path):
    root, journal = tmp_path / "runs", tmp_path / "journal"
    process = stores.reproduce(short, root, journal, 1)
    wait_for(process, lambda: workers(journal))
    os.kill(workers(journal)[0], signal.SIGKILL)
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 1 and "ended with code -9" in told and "--resume" in told
    assert stores.ended(stores.reproduce(short, root, journal, 1)) == 0
    assert stores.contents(root) == expected and stores.leftovers(root) == []
    stores.check_computed_once(journal, root, 1)


@pytest.mark.slow
def test_workers_end_with_a_killed_command(stores, tmp_path):
    grid, root, journal = stores.write_grid(tmp_path, LONG), tmp_path / "runs", tmp_path / "journal"
    process = stores.reproduce(grid, root, journal, 2)
    wait_for(process, lambda: len(workers(journal)) == 2)
    process.kill()
    began = time.monotonic()
    while not all(gone(worker) for worker in workers(journal)):
        assert time.monotonic() - began < 15.0, "a worker goes on without its command"
        time.sleep(0.005)
    print(f"workers ended {time.monotonic() - began:.2f} s after their command")
    process.communicate()


def test_a_full_disk_is_a_sentence_and_leaves_what_can_be_resumed(stores, short, expected, tmp_path):
    """No file may grow beyond some kilobytes: logs can be written, models cannot."""
    root, journal, before = tmp_path / "runs", tmp_path / "journal", resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (8_000, before[1]))
    try:
        process = stores.reproduce(short, root, journal, 2)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    told = process.communicate(timeout=600)[1]
    assert process.returncode == 3 and "cannot be written (File too large)" in told, told
    assert stores.contents(root) == {}
    assert stores.ended(stores.reproduce(short, root, journal, 2)) == 0
    assert stores.contents(root) == expected and stores.leftovers(root) == []
