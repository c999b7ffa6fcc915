"""The command line of the benchmarks: `scripts/bench [names] [--quick] ...`."""

from __future__ import annotations

import argparse
import importlib
import os
import shutil
import sys
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.environments import REQUIREMENTS, ROOT, default_folder
from benchmarks.rows import save, to_markdown

BENCHMARKS = ("sampling", "ranking", "propagation", "attention", "training", "unlearning", "scale")
RESULTS = ROOT / "results" / "bench"


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    found = argparse.ArgumentParser(
        prog="scripts/bench", description="Speed and memory beside the peers, in one table."
    )
    # argparse checks the default of a list against `choices` as one value, so the names are checked in `main`.
    found.add_argument("names", nargs="*", metavar="|".join(BENCHMARKS), help="which benchmarks; all by default")
    found.add_argument("--quick", action="store_true", help="less of everything, nothing written: under 3 minutes")
    data = os.environ.get("GRAPHFORGET_DATA")
    found.add_argument("--data-dir", type=Path, default=data and Path(data), help="folder of the data sets")
    found.add_argument("--envs", type=Path, default=default_folder(), help="folder of the peers' environments")
    found.add_argument("--without", action="append", default=[], choices=sorted(REQUIREMENTS), help="leave peers out")
    found.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of every side (default 2)")
    found.add_argument("--rounds", type=int, default=5, help="clean rounds of each comparison, at least 5 for a median")
    found.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: for one thread on a busy machine")
    found.add_argument("--out", type=Path, default=None, help="folder for the CSVs (default results/bench, or none)")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; print one table, write the CSVs."""
    given = parser().parse_args(arguments)
    names = given.names or list(BENCHMARKS)
    wrong = [name for name in names if name not in BENCHMARKS]
    if wrong:
        parser().error(f"no benchmark is called '{wrong[0]}'; there are {', '.join(BENCHMARKS)}")
    if given.threads < 1 or given.rounds < 1:
        parser().error("--threads and --rounds must be at least 1")
    if given.clock == "cpu" and given.threads > 1:
        parser().error(
            "--clock cpu adds up the time of all threads, so it compares sides of one thread; add --threads 1"
        )
    bench = Bench(
        given.data_dir,
        given.envs,
        given.threads,
        given.quick,
        given.rounds,
        least=0.1 if given.quick else 0.3,
        without=frozenset(given.without),
        clock=given.clock,
    )
    out = given.out or (None if given.quick else RESULTS)
    rows = []
    try:
        for name in names:
            found = importlib.import_module(f"benchmarks.{name}").run(bench)
            rows += found
            if out is not None:
                save(out, found)
    finally:
        shutil.rmtree(bench.scratch)
    sys.stdout.write(to_markdown(rows))
    return 0


if __name__ == "__main__":
    sys.exit(main())
