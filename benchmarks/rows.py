"""Rows of results: what was measured, beside whom, against which target. CSV in and out, and the README's tables."""

from __future__ import annotations

import csv
import io
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields, replace
from pathlib import Path
from typing import Any, Self

from graphforget._core.files import atomic_write

SIGNS = {">=": "≥", "<=": "≤"}


@dataclass(frozen=True)
class Target:
    """A promise of a row: `what` is "ratio" (peer's time over ours), "value" (ours, in the row's unit) or "share".

    `sign` is ">=" or "<=".
    """

    what: str
    sign: str
    limit: float

    def met(self, row: Row) -> str:
        """Return whether a row keeps it: "yes", "no", or "not measured"."""
        found = {"ratio": row.ratio, "value": row.ours, "share": row.share}[self.what]
        if found is None:
            return "not measured"
        return "yes" if (found >= self.limit if self.sign == ">=" else found <= self.limit) else "no"

    def words(self, unit: str) -> str:
        """Return it as in "≥ 10x", "≤ 12 ms" or "≥ 90 % of the limit"."""
        number = f"{100 * self.limit:.0f} % of the limit" if self.what == "share" else f"{self.limit:g}"
        after = {"ratio": "x", "value": f" {unit}", "share": ""}[self.what]
        return f"{SIGNS[self.sign]} {number}{after}"


@dataclass(frozen=True)
class Row:
    """One line of a table.

    Attributes
    ----------
    benchmark, work: where it belongs, and what is done.
    unit, ours, theirs: of the figures, which are medians; `theirs` is None where there is no peer.
    peer: library and function, or "" for the row of the work itself.
    ratio, low, high: the peer's time over ours: median, least and largest of one round.
    target, met: in words; both "" where nothing is promised.
    bound, share: what limits it, and how much of that limit, measured in the same run, is reached.
    rounds, discarded, contended: rounds the figures are made of, rounds thrown away, and whether too few were clean.
    note: what a reader must know, or why there are no figures.
    threads, clock, machine, versions, commit: what it was measured on; clock is "wall" or "cpu" seconds.
    """

    benchmark: str
    work: str
    unit: str
    ours: float | None
    peer: str = ""
    theirs: float | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    target: str = ""
    met: str = ""
    bound: str = ""
    share: float | None = None
    rounds: int = 0
    discarded: int = 0
    contended: bool = False
    note: str = ""
    threads: int = 0
    clock: str = "wall"
    machine: str = ""
    versions: str = ""
    commit: str = ""

    def promised(self, target: Target | None) -> Self:
        """Return the row with a target and whether it is met."""
        if target is None:
            return self
        return replace(self, target=target.words(self.unit), met=target.met(self))


def to_csv(rows: Sequence[Row]) -> str:
    """Return rows as CSV."""
    buffer = io.StringIO()
    writer = csv.DictWriter(buffer, [field.name for field in fields(Row)], lineterminator="\n")
    writer.writeheader()
    for row in rows:
        writer.writerow({key: _cell(value) for key, value in asdict(row).items()})
    return buffer.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, float):
        return f"{value:.6g}"
    return "" if value is None else value


def from_csv(text: str) -> list[Row]:
    """Return the rows of a CSV."""
    return [
        Row(**{key: _parsed(key, cell) for key, cell in line.items()}) for line in csv.DictReader(text.splitlines())
    ]


def _parsed(key: str, cell: str) -> Any:
    if key in ("ours", "theirs", "ratio", "low", "high", "share"):
        return float(cell) if cell else None
    if key in ("rounds", "discarded", "threads"):
        return int(cell)
    return cell == "True" if key == "contended" else cell


def save(folder: Path, rows: Sequence[Row]) -> None:
    """Write one CSV for each benchmark that has rows."""
    for name in dict.fromkeys(row.benchmark for row in rows):
        atomic_write(folder / f"{name}.csv", to_csv([row for row in rows if row.benchmark == name]))


def number(value: float | None) -> str:
    """Return three significant digits, with separators, or a dash."""
    if value is None:
        return "–"
    size = math.floor(math.log10(abs(value))) if value else 0
    return f"{round(value, 2 - size):,.{max(0, 2 - size)}f}"


def line(row: Row) -> list[str]:
    """Return the cells of a row in the table."""
    ratio = "–" if row.ratio is None else f"{number(row.ratio)}x ({number(row.low)} to {number(row.high)})"
    bound = row.bound if row.share is None else f"{row.bound}: {100 * row.share:.0f} %"
    ours = number(row.ours) + (" ‡" if row.contended else "")
    return [row.work, row.unit, ours, row.peer or "–", number(row.theirs), ratio, row.target, row.met, bound or "–"]


HEAD = ["work", "unit", "ours", "peer", "theirs", "ratio (spread)", "target", "met", "limit reached"]


def to_markdown(rows: Sequence[Row]) -> str:
    """Return rows as a Markdown table, with the notes and what they were measured on below it."""
    table = [HEAD, *(line(row) for row in rows)]
    widths = [max(len(cells[k]) for cells in table) for k in range(len(HEAD))]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(cells, widths, strict=True)) + " |"
        for cells in table
    ]
    lines.insert(1, "| " + " | ".join("-" * width for width in widths) + " |")
    return "\n".join([*lines, "", *(f"- {text}" for text in remarks(rows))]) + "\n"


def remarks(rows: Sequence[Row]) -> list[str]:
    """Return the notes of rows, and what they were measured on, each once."""
    found = [f"{row.work}{', ' + row.peer if row.peer else ''}: {row.note}." for row in rows if row.note]
    if any(row.contended for row in rows):
        why = "other work ran on the machine, or the time for it was up, so the figure is a rough one"
        found.append(f"‡ fewer clean rounds than wanted: {why}.")
    for place in dict.fromkeys(_place(row) for row in rows):
        same = [row for row in rows if _place(row) == place]
        found.append(f"{place}; {_all_versions(same)}.")
    return list(dict.fromkeys(found))


def _place(row: Row) -> str:
    threads = "1 thread" if row.threads == 1 else f"{row.threads} threads"
    kind = {"wall": "", "cpu": ", processor time, not wall time"}[row.clock]
    return f"{row.machine}; {threads}{kind}; commit {row.commit}"


def _all_versions(same: Sequence[Row]) -> str:
    return ", ".join(sorted({part for row in same for part in row.versions.split(", ") if part}))
