"""How commands speak: tables and JSON on stdout, warnings on stderr; `progress` tells how far a run is."""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from graphforget.evaluation.document import Report

WIDE = 200
"""Columns of a table that goes to a file or a pipe."""


def say(sentence: str) -> None:
    """Print a sentence on stderr."""
    print(f"graphforget: {sentence}", file=sys.stderr)


def print_json(value: Any) -> None:
    """Print a value as JSON on stdout; NaN has no JSON form and would be a defect."""
    print(json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False, default=str))


def print_pairs(pairs: Mapping[str, Any]) -> None:
    """Print names and values in two columns."""
    width = max(len(name) for name in pairs)
    for name, value in pairs.items():
        print(f"{name.replace('_', ' ').ljust(width)}  {_plain(value)}")


def _plain(value: Any) -> str:
    """Return a value as a person writes it: 1,200, yes, a=1, b=2; several sentences are parted by semicolons."""
    if value is None or isinstance(value, bool):
        return {None: "none", True: "yes", False: "no"}[value]
    if isinstance(value, dict):
        return ", ".join(f"{key}={item}" for key, item in value.items()) or "none"
    if isinstance(value, list):
        return "; ".join(map(str, value)) or "none"
    return f"{value:,}" if isinstance(value, int) else f"{value:.4f}" if isinstance(value, float) else str(value)


def print_table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]], left: int = 99) -> None:
    """Print a table that fits the terminal; columns from the number `left` on are set to the right."""
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=box.SIMPLE_HEAD, pad_edge=False)
    for number, column in enumerate(columns):
        side: Literal["left", "right"] = "left" if number < left else "right"
        word = max(map(len, column.split()), default=1)
        table.add_column(Text(column), no_wrap=number == 0, overflow="fold", justify=side, min_width=word)
    for row in rows:
        table.add_row(*(Text(cell) for cell in row))
    console = Console()
    console = console if console.is_terminal else Console(width=WIDE)
    console.print(Text(title, style="table.title"), soft_wrap=True)
    console.print(table)


def print_report(report: Report) -> None:
    """Print a report: as a table that fits on a terminal, as Markdown elsewhere."""
    if not sys.stdout.isatty():
        print(report, end="")
        return
    from graphforget.evaluation.table import grid

    heading, *rows = grid(report.records)
    print_table(report.heading(), heading, rows, left=1)
    for note in report.notes:
        print(f"- {note}")
