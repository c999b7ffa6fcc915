"""A grid killed with -9 goes on to the same bytes, and several processes on one store compute every run once.

In full: pytest -m slow tests/crash/test_store.py. What happened is printed (-s): kills, and how often units were begun.
"""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

SLOW = pytest.mark.slow


def told(journal: Path) -> int:
    """Return how many units have been begun and ended."""
    return journal.read_text().count("\n") if journal.exists() else 0


def kill_at_random(process, journal: Path, chance: random.Random, pace: float) -> bool:
    """Kill a command, alone or with its workers, as it starts or while they work; return whether it was in time.

    It may begin and end up to three units before, so that the kills meet all parts of a grid on machines of any speed.
    """
    if chance.random() < 0.15:
        time.sleep(chance.uniform(0.0, 2 * pace))
    else:
        enough = told(journal) + chance.randint(1, 6)
        while process.poll() is None and told(journal) < enough:
            time.sleep(0.002)
        time.sleep(chance.expovariate(1 / pace))
    with contextlib.suppress(ProcessLookupError):  # it has ended
        (os.kill if chance.random() < 0.5 else os.killpg)(process.pid, signal.SIGKILL)
    process.communicate(timeout=120)
    assert process.returncode in (0, -signal.SIGKILL)
    return process.returncode != 0


def killed_and_resumed(stores, start, journal: Path, root: Path, kills: int, pace: float) -> int:
    """Kill a command so many times, or until it is done; resume it; return the kills."""
    chance, seen, done = random.Random(), {}, 0
    while done < kills:
        in_time = kill_at_random(start(root), journal, chance, pace)
        found = stores.stamps(root)
        assert seen.items() <= found.items(), "a finished run was computed again"
        seen = found
        if not in_time:
            break
        done += 1
    process = start(root)
    sentences = process.communicate(timeout=1200)[1]
    assert process.returncode == 0, sentences
    assert seen.items() <= stores.stamps(root).items() and stores.leftovers(root) == []
    found = stores.check_computed_once(journal, root, 2 * done)
    begun, most = found.begun.total(), max(found.begun.values())
    print(f"{root.name}: {done} kills, {len(seen)} of {len(found.begun)} units finished before the last resume;")
    print(f"  units were begun {begun} times in all, one of them {most} times, and ended once at most")
    return done


def stores_after(stores, start, journal: Path, kills: int, pace: float) -> Iterator[dict[str, object]]:
    """Yield what each store holds whose commands were killed and resumed, until there were so many kills in all."""
    done, number = 0, 0
    while done < kills:
        root = journal.parent / f"killed-{number}"
        done += killed_and_resumed(stores, start, journal, root, kills - done, pace)
        yield stores.contents(root)
        number += 1


@pytest.mark.parametrize(("kills", "epochs", "seeds"), [(1, 60, 1), pytest.param(50, 100, 3, marks=SLOW)])
def test_a_grid_killed_at_random_moments_goes_on_to_the_same_bytes(stores, tmp_path, kills, epochs, seeds):
    """One grid of twelve runs after the other, until there were so many kills."""
    grid, journal = stores.write_grid(tmp_path, epochs, seeds=seeds), tmp_path / "journal"
    expected = stores.whole(grid, tmp_path / "whole")

    def start(root: Path):
        return stores.reproduce(grid, root, journal, 2)

    for found in stores_after(stores, start, journal, kills, pace=2.0):
        assert found == expected


@pytest.mark.parametrize(("kills", "epochs", "seeds"), [(4, 60, 1), pytest.param(50, 100, 3, marks=SLOW)])
def test_a_grid_killed_while_it_works_goes_on_to_the_same_bytes(stores, tmp_path, kills, epochs, seeds):
    """As above, by commands that need not load anything, so that more of the kills meet work."""
    grid, journal = stores.write_grid(tmp_path, epochs, seeds=seeds), tmp_path / "journal"
    expected = stores.whole(grid, tmp_path / "whole")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": None}
    with stores.start(journal, "--forks", grid, **pipes) as server:

        def start(root: Path):
            return stores.Fork(server, *stores.words(grid, root, 2))

        for found in stores_after(stores, start, journal, kills, pace=0.4):
            assert found == expected


def test_two_commands_on_one_store_compute_every_run_once(stores, tmp_path):
    grid, root = stores.write_grid(tmp_path, 30, deletions=1, seeds=2), tmp_path / "shared"
    expected = stores.whole(grid, tmp_path / "whole")
    running = [stores.reproduce(grid, root, tmp_path / "journal", 1) for _ in range(2)]
    told = [process.communicate(timeout=1200)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], told
    stores.check_computed_once(tmp_path / "journal", root, 0)
    assert stores.contents(root) == expected and stores.leftovers(root) == []


@pytest.mark.parametrize("rounds", [2, pytest.param(20, marks=SLOW)])
def test_four_processes_on_one_store_compute_every_run_once(stores, tmp_path, rounds):
    """The four are told the name of the next store at the same moment."""
    grid, journal = stores.write_grid(tmp_path, 10), tmp_path / "journal"
    expected = stores.whole(grid, tmp_path / "whole")
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": None}
    four = [stores.start(journal, "--rounds", grid, **pipes) for _ in range(4)]
    try:
        assert [process.stdout.readline() for process in four] == ["ready\n"] * 4
        for number in range(rounds):
            for process in four:
                print(tmp_path / f"round-{number}", file=process.stdin, flush=True)
            assert [process.stdout.readline() for process in four] == ["done\n"] * 4
    finally:
        for process in four:
            process.communicate()
    shared = Counter()
    for number in range(rounds):
        root = tmp_path / f"round-{number}"
        found = stores.check_computed_once(journal, root, 0)
        assert stores.contents(root) == expected and stores.leftovers(root) == []
        assert found.begun.total() == len(stores.stamps(root))
        shared[len(set(found.last.values()))] += 1
    print(f"{rounds} rounds; rounds by the number of processes that had units to compute: {dict(shared)}")
