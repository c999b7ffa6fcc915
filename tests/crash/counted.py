"""What the store's crash tests start: the command line, or one of several processes, with every computation counted.

`python counted.py WORDS...` is the command line. `python counted.py --rounds GRID` carries the grid out in each store
that a line of standard input names, and prints a line after each. `python counted.py --forks GRID` is the command line
for each line of standard input, in a fork whose workers are forks, too: nothing is loaded anew, and kills meet work.

Whoever carries a unit out appends a line to the journal, $CRASH_JOURNAL: what happened (a unit begins or ends), which
unit, which process, and whether it was there already or another live process was at it.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import time
from pathlib import Path

from graphforget.experiments.runner import Runner, finished

JOURNAL = Path(os.environ.get("CRASH_JOURNAL", os.devnull))
DYING = 10.0
"""Seconds within which a process that was killed and has let its locks go is gone."""


def note(*words: object) -> None:
    """Append a line to the journal, whole whatever other processes append."""
    descriptor = os.open(JOURNAL, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o666)
    os.write(descriptor, (" ".join(map(str, words)) + "\n").encode())
    os.close(descriptor)


def alive(process: int) -> bool:
    """Return whether a process is there and stays; a zombie is not."""
    deadline = time.monotonic() + DYING
    while time.monotonic() < deadline:
        try:
            state = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0]
        except OSError:
            return False
        if state in "ZX":
            return False
        time.sleep(0.01)
    return True


def at_it(unit: str) -> list[int]:
    """Return the live processes that have begun a unit and not ended it."""
    lines = [line.split() for line in JOURNAL.read_text().splitlines()] if JOURNAL.exists() else []
    open_ones = {int(process) for what, name, process, *_ in lines if name == unit and what == "begin"}
    open_ones -= {int(process) for what, name, process, *_ in lines if name == unit and what == "end"}
    return [process for process in open_ones - {os.getpid()} if alive(process)]


def counted(self: Runner, unit) -> None:
    """Carry a unit out, and say so in the journal."""
    name = f"{self.root.name}/{unit.id}"
    state = "again" if finished(self.root, unit.id) else "rival" if at_it(name) else "alone"
    note("begin", name, os.getpid(), state)
    plain(self, unit)
    note("end", name, os.getpid(), state)


plain = Runner.carry_out
Runner.carry_out = counted


def rounds(grid: Path) -> None:
    """Carry the grid out in one store after the other, as they are named."""
    from graphforget.experiments.events import silent
    from graphforget.experiments.farm import work_through
    from graphforget.experiments.published import read_preset
    from graphforget.experiments.units import expand
    from graphforget.experiments.workers import limited_threads

    units = expand(read_preset(grid).grids)
    with limited_threads(1):
        print("ready", flush=True)
        for line in sys.stdin:
            work_through(units, Path(line.strip()), silent)
            print("done", flush=True)


def forks(grid: Path) -> None:
    """Be the command line in a fork for each line of words; print its process, and its exit code when it has ended."""
    import numba

    from graphforget.experiments import workers
    from graphforget.experiments.events import silent
    from graphforget.experiments.published import read_preset
    from graphforget.experiments.units import expand

    numba.config.THREADING_LAYER = "workqueue"  # OpenMP ends a process that forks after it was used
    workers.get_context = lambda method: multiprocessing.get_context("fork")
    for unit in expand(read_preset(grid).grids):
        Runner(grid.parent, silent)._warm(unit)
    for line in sys.stdin:
        process = os.fork()
        if process == 0:
            os.setsid()
            print(os.getpid(), flush=True)
            os.dup2(os.open(os.devnull, os.O_RDWR), 1)
            sys.argv[1:] = line.split()
            command()
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)


def command() -> None:
    """Be the command line."""
    from graphforget.cli.main import main

    signal.signal(signal.SIGINT, signal.default_int_handler)  # which is off where the tests run behind nohup
    code = main()
    sys.stderr.flush()
    os._exit(code)


if __name__ == "__main__":
    kinds = {"--rounds": rounds, "--forks": forks}
    if sys.argv[1] in kinds:
        kinds[sys.argv[1]](Path(sys.argv[2]))
    else:
        command()
