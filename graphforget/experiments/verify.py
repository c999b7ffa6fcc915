"""Cells of a table computed again, from nothing, and compared: byte for byte, or within a difference."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import atomic_write, write_json
from graphforget._core.streams import Streams
from graphforget.evaluation.records import RUN_DEPENDENT
from graphforget.experiments.events import Listen, silent
from graphforget.experiments.farm import run_units
from graphforget.experiments.published import Preset, presets, read_preset
from graphforget.experiments.reproduce import GRIDS, Reproduction, prepare_reproduction, record_of
from graphforget.experiments.results import Line, read_lines
from graphforget.experiments.units import Unit
from graphforget.experiments.workers import check_jobs, check_threads

MARK = "verify.txt"
"""File among the grids of a store whose runs are computed again: it says for which table."""


@dataclass(frozen=True)
class Verified:
    """One cell computed again.

    Attributes
    ----------
    what: the cell. compared: how many numbers were compared, the digest of the weights counting as one.
    differing: name -> the number in the file and the one computed now, as text.
    within: a difference that is none, absolute; 0 for byte for byte. Above 0 digests of weights are not compared.
    """

    what: str
    run: str
    compared: int
    differing: dict[str, tuple[str, str]]
    within: float = 0.0

    @property
    def same(self) -> bool:
        """Whether everything came out the same."""
        return not self.differing

    def sentence(self) -> str:
        """Return what was found, in words."""
        if self.same:
            how = f"within {self.within:g}" if self.within else "byte for byte"
            return f"same: {self.what}: {self.compared} values, {how} (run {self.run})"
        name, (before, now) = max(self.differing.items(), key=lambda one: _difference(*one[1]))
        found = f"differs: {self.what}: {len(self.differing)} of {self.compared} values"
        return f"{found}, most of all {name} {before}, now {now}"


@dataclass(frozen=True)
class Asked:
    """Which cells (a row with one seed) of which file are to be computed again.

    Parameters
    ----------
    file: a CSV file of `reproduce`.
    sample: how many cells; all, if there are fewer. seed: of the draw.
    grid: the grid file the table was made from; by default the preset that the file names.
    data_dir: folder of the named sets.
    out: folder that keeps what is computed, so that a stopped verification can go on; else it is thrown away.
    within: a difference of a number that is none, absolute; 0 for byte for byte.
    """

    file: Path
    sample: int = 5
    seed: int = 0
    grid: Path | None = None
    data_dir: str | None = None
    out: Path | None = None
    within: float = 0.0


@dataclass(frozen=True)
class Verification:
    """Cells of a file that are computed again in a store of their own: `left` says what is to be run for them."""

    file: Path
    cells: tuple[Line, ...]
    plan: Reproduction
    within: float = 0.0

    @property
    def left(self) -> int:
        """How many units are still to be computed."""
        return len(self.plan.left())

    def carry_out(self, listen: Listen = silent, *, jobs: int = 1, threads: int | None = None) -> list[Verified]:
        """Compute them and compare them with the file's."""
        check_jobs(jobs)
        check_threads(threads)
        atomic_write(self.plan.root / GRIDS / MARK, f"Computed again for {self.file}\n")
        write_json(self.plan.record, record_of(self.plan))
        run_units(self.plan.units, self.plan.root, listen, jobs=jobs, threads=threads)
        again = {(line.run, line.row): line for line in self.plan.lines()}
        return [_compared(line, again.get((line.run, line.row)), self.within) for line in self.cells]


@contextmanager
def verification(asked: Asked, listen: Listen = silent) -> Iterator[Verification]:
    """Give what computes cells of a CSV file of `reproduce` again; without `out`, its store lasts as long as this.

    Raises DataError when the file's runs are not those of its preset any more: settings, data or code have changed;
    UsageError for an `out` whose runs were not computed again: the file may be of them.
    """
    if asked.sample < 1:
        raise UsageError(f"--sample must be at least 1; got {asked.sample}.")
    if not 0 <= asked.within < math.inf:
        raise UsageError(f"--within is a difference, 0 or more; got {asked.within:g}.")
    if asked.out is not None and (asked.out / GRIDS).is_dir() and not (asked.out / GRIDS / MARK).is_file():
        raise UsageError(
            f"--out {asked.out}: holds runs that no 'verify' computed, and they would be compared with themselves. "
            "Name a folder that is new, empty, or of an earlier verify."
        )
    lines = read_lines(asked.file)
    chosen = drawn(lines, asked.sample, asked.seed)
    preset = _preset(asked.file, lines, asked.grid)
    with tempfile.TemporaryDirectory() if asked.out is None else nullcontext(asked.out) as folder:
        plan = prepare_reproduction(preset, Path(folder), asked.data_dir, listen)
        needed = _needed(plan.units, {line.run for line in chosen}, asked.file)
        yield Verification(asked.file, tuple(chosen), replace(plan, units=needed), asked.within)


def drawn(lines: Sequence[Line], sample: int, seed: int) -> list[Line]:
    """Return so many of the lines that hold something to compare, drawn without replacement.

    A noise floor of one gold run, say, holds nothing.
    """
    order = Streams(seed)("verify").numpy().permutation(len(lines))
    filled = [number for number in order if _texts(lines[number])]
    return [lines[number] for number in sorted(filled[:sample])]


def _preset(file: Path, lines: Sequence[Line], grid: Path | None) -> Preset:
    names = {str(line.fields.get("preset", "")) for line in lines}
    if grid is not None:
        return read_preset(grid)
    if len(names) != 1 or "" in names:
        raise DataError(f"{file}: it names no preset, or several. Give the grid it was made from with --grid.")
    (name,) = names
    if name not in presets():
        raise UsageError(f"{file}: '{name}' is a grid of your own. Give its file with --grid, as --grid {name}.toml.")
    return presets()[name]


def _needed(units: Iterable[Unit], runs: set[str], file: Path) -> tuple[Unit, ...]:
    """Return the units of the runs and all that they need; raises DataError when one is not among them."""
    known = {unit.id: unit for unit in units}
    lost = next((run for run in sorted(runs) if run not in known), None)
    if lost is not None:
        raise DataError(
            f"{file}: run {lost} is none that its preset gives here: the data, the settings, the code or torch's "
            "version are others than when the file was made. Make it anew with 'graphforget reproduce'."
        )
    wanted = set(runs)
    for unit in reversed(list(known.values())):
        if unit.id in wanted:
            wanted |= set(unit.needs)
    return tuple(unit for unit in known.values() if unit.id in wanted)


def _compared(before: Line, now: Line | None, within: float) -> Verified:
    place = " ".join(str(before.field(name)) for name in ("data", "backbone", "deletion"))
    what = f"{place} {before.row}, seed {before.seed}"
    mine, theirs = _texts(before), {} if now is None else _texts(now)
    if within:
        mine.pop("weights", None)
    pairs = {name: (text, theirs.get(name, "missing")) for name, text in mine.items()}
    other = {name: two for name, two in pairs.items() if two[0] != two[1]}
    differing = {name: two for name, two in other.items() if not within or _difference(*two) > within}
    return Verified(what, before.run, len(mine), differing, within)


def _difference(before: str, now: str) -> float:
    """Return by how much two numbers differ; infinity for a missing one and for two that are not both numbers."""
    try:
        difference = abs(float(before) - float(now))
    except ValueError:  # "missing"
        return math.inf
    return math.inf if math.isnan(difference) else difference


def _texts(line: Line) -> dict[str, str]:
    """Return everything of a line that must be the same again, as text."""
    numbers = {name: repr(value) for name, value in line.values.items() if name not in RUN_DEPENDENT}
    return numbers | ({"weights": line.weights} if line.weights else {})
