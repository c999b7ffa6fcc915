"""The command line of the benchmarks: `scripts/bench [names] [--quick] ...`."""

from __future__ import annotations

import argparse
import importlib
import math
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks.bench import Bench
from benchmarks.environments import REQUIREMENTS, ROOT, default_folder
from benchmarks.rows import Row, save, to_markdown
from graphforget._core.errors import GraphforgetError

BENCHMARKS = (
    *("sampling", "ranking", "propagation", "attention", "training", "unlearning"),
    *("startup", "scale", "quality"),
)
RESULTS = ROOT / "results" / "bench"

QUICK_SECONDS = 165.0
"""Seconds of a quick run, shared out among its benchmarks: what does not fit is not measured. The rest to three minutes
is for loading data between the measurements and for the one that runs when time is up."""

QUICK = {"rounds": 3, "least": 0.1, "start": 20.0, "longest": 2.5, "seconds": 4.0}
QUICK_SIZES = {"factors": (0.25, 1.0), "edges": (10_000, 100_000)}

MEDIAN = 5
"""Least number of rounds of figures that are kept."""


def sizes(kind: type) -> Callable[[str], tuple]:
    """Return the parser of two or more ascending sizes, separated by commas."""

    def parse(text: str) -> tuple:
        try:
            found = tuple(kind(float(word)) for word in text.split(","))
        except (ValueError, OverflowError):
            found = ()
        if len(found) < 2 or list(found) != sorted(set(found)) or not 0 < found[0] <= found[-1] < math.inf:
            raise argparse.ArgumentTypeError(f"'{text}' are not two or more ascending numbers, such as 1,4 or 1e5,1e6")
        return found

    return parse


def parser() -> argparse.ArgumentParser:
    """Return the parser."""
    found = argparse.ArgumentParser(
        prog="scripts/bench", description="Speed and memory beside the peers, in one table."
    )
    # argparse checks the default of a list against `choices` as one value, so the names are checked in `main`.
    found.add_argument("names", nargs="*", metavar="|".join(BENCHMARKS), help="which benchmarks; all by default")
    found.add_argument("--quick", action="store_true", help="less of everything, in 3 minutes; nothing written")
    data = os.environ.get("GRAPHFORGET_DATA")
    found.add_argument("--data-dir", type=Path, default=Path(data) if data else None, help="folder of the data sets")
    found.add_argument("--envs", type=Path, default=default_folder(), help="folder of the peers' environments")
    found.add_argument("--without", action="append", default=[], choices=sorted(REQUIREMENTS), help="leave peers out")
    found.add_argument("--threads", type=int, default=min(2, os.cpu_count() or 1), help="of every side (default 2)")
    found.add_argument("--rounds", type=int, help="clean rounds of each comparison (default 5; 3 where --quick)")
    found.add_argument("--clock", choices=("wall", "cpu"), default="wall", help="cpu: for one thread on a busy machine")
    found.add_argument("--out", type=Path, default=None, help="folder for the CSVs (default results/bench, or none)")
    found.add_argument("--factors", type=sizes(float), help="scale: times Gowalla (default 1,4,16; quick .25,1)")
    found.add_argument("--edges", type=sizes(int), help="scale: edges of graphs (default 1e5,1e6,1e7; quick 1e4,1e5)")
    return found


def main(arguments: list[str] | None = None) -> int:
    """Run what was asked for; print one table, write the CSVs."""
    given = checked(parser(), arguments)
    given_sizes = {name: getattr(given, name) for name in QUICK_SIZES if getattr(given, name)}
    settings = {**(QUICK | QUICK_SIZES if given.quick else {}), **given_sizes}
    if given.rounds is not None:
        settings["rounds"] = given.rounds
    bench = Bench(
        given.data_dir,
        given.envs,
        given.threads,
        given.quick,
        without=frozenset(given.without),
        clock=given.clock,
        **settings,
    )
    try:
        measure(bench, given.names or list(BENCHMARKS), given.out or (None if given.quick else RESULTS))
    except GraphforgetError as error:
        sys.stderr.write(f"scripts/bench: {error}\n")
        return 2
    finally:
        bench.close()
    return 0


def checked(found: argparse.ArgumentParser, arguments: list[str] | None) -> argparse.Namespace:
    """Return the arguments; ends the program with a sentence where they do not fit together."""
    given = found.parse_args(arguments)
    wrong = [name for name in given.names if name not in BENCHMARKS]
    if wrong:
        found.error(f"no benchmark is called '{wrong[0]}'; there are {', '.join(BENCHMARKS)}")
    if given.threads < 1 or (given.rounds is not None and given.rounds < 1):
        found.error("--threads and --rounds must be at least 1")
    if given.rounds is not None and given.rounds < MEDIAN and not (given.quick or given.out):
        found.error(
            f"figures that are kept are medians of at least {MEDIAN} rounds; add --quick, or --out with another folder"
        )
    if given.clock == "cpu" and given.threads > 1:
        found.error("--clock cpu adds up the time of all threads, so it compares sides of one thread; add --threads 1")
    return given


def measure(bench: Bench, names: list[str], out: Path | None) -> None:
    """Run benchmarks; write each one's CSV when it has ended, and print the table of all that ended."""
    rows: list[Row] = []
    begin = time.monotonic()
    try:
        for k, name in enumerate(names):
            if bench.quick:
                left = begin + QUICK_SECONDS - time.monotonic()
                bench.until = time.monotonic() + left / (len(names) - k)
            started = time.monotonic()
            found = importlib.import_module(f"benchmarks.{name}").run(bench)
            print(f"{name}: {time.monotonic() - started:.0f} s", file=sys.stderr)
            rows += found
            if out is not None:
                save(out, found)
    finally:
        sys.stdout.write(to_markdown(rows))


if __name__ == "__main__":
    sys.exit(main())
