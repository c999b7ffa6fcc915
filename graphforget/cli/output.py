"""How commands speak: tables and JSON on stdout, progress and warnings on stderr."""

from __future__ import annotations

import contextlib
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

    from graphforget.evaluation.document import Report
    from graphforget.experiments.events import Event, Listen

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
        side = "left" if number < left else "right"
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


@contextlib.contextmanager
def shown(quiet: bool, total: int) -> Iterator[Listen]:
    """Give a listener that shows a run on stderr: bars on a terminal, lines elsewhere, nothing when `quiet`."""
    from rich.console import Console

    console = Console(stderr=True)
    if quiet:
        yield lambda event: None
    elif console.is_terminal:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        with Progress(*columns, console=console, transient=True) as progress:
            yield Bars(progress, total)
    else:
        yield lines


def lines(event: Event) -> None:
    """Print one line for each stage that ended."""
    sentence = _sentence(event)
    if sentence:
        print(sentence, file=sys.stderr, flush=True)


def _sentence(event: Event) -> str:
    name = f"seed {event.seed}: {event.stage}"
    if event.state == "told":
        return f"{event.stage}: {event.note}"
    if event.state == "done":
        return f"{name} done" + (f" in {event.seconds:.1f} s" if event.seconds else "")
    if event.state == "reused":
        return f"{name} taken from the folder"
    return f"{name} failed: {event.note}" if event.state == "failed" else ""


class Bars:
    """One bar for the whole run, and one for each stage that is going on."""

    def __init__(self, progress: Progress, total: int) -> None:
        self.progress = progress
        self.whole = progress.add_task("stages", total=total)
        self.stages: dict[tuple[int, str], TaskID] = {}

    def __call__(self, event: Event) -> None:
        """Show an event."""
        key = event.seed, event.stage
        if event.state == "started":
            self.stages[key] = self.progress.add_task(f"seed {event.seed} {event.stage}", total=None)
        elif event.state == "running" and key in self.stages:
            self.progress.update(self.stages[key], completed=event.epoch, total=event.epochs)
        elif event.state == "told":
            self._say(event)
        elif event.state != "running":
            self._end(event)

    def _end(self, event: Event) -> None:
        bar = self.stages.pop((event.seed, event.stage), None)
        if bar is not None:
            self.progress.remove_task(bar)
        if event.stage not in ("evaluation", "compiling"):
            self.progress.advance(self.whole)
        self._say(event)

    def _say(self, event: Event) -> None:
        self.progress.console.print(_sentence(event), markup=False, highlight=False)
