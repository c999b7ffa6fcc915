"""How far a run is, on stderr: bars on a terminal, plain lines elsewhere, nothing beside JSON."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Callable, Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.console import Console
    from rich.progress import Progress, TaskID

    from graphforget.experiments.events import Event, Listen

BESIDES = ("evaluation", "compiling")
"""Stages that do not count: they belong to others."""
SHOWN = 2
"""Metrics that are shown of a stage, at most."""
NUMBERS = 20
"""Columns of a terminal for epochs, the time so far and the spaces between."""
QUIET = 60.0
"""Seconds without a line after which one says how far a stage is."""
Clock = Callable[[], float]


@contextlib.contextmanager
def shown(quiet: bool, total: int, console: Console | None = None, clock: Clock = time.monotonic) -> Iterator[Listen]:
    """Give a listener that shows a run.

    Parameters
    ----------
    quiet: show nothing. total: stages of the run.
    console: where to, by default stderr. clock: gives the seconds that times left are told from.
    """
    from rich.console import Console

    console = console or Console(stderr=True)
    count = Count(total, clock)
    if quiet:
        yield lambda event: None
    elif console.is_terminal:
        with _bars(console) as progress:
            yield Bars(progress, count)
    else:
        yield Lines(count, lambda text: _write(console, text), clock)


def _write(console: Console, text: str) -> None:
    """Print a plain line as it is, however long."""
    console.file.write(f"{text}\n")
    console.file.flush()


class Count:
    """Counts the stages of a run and tells the time left.

    It is the time a stage took so far, stages that are under way counting by their epochs, for those that are left.
    """

    def __init__(self, total: int, clock: Clock) -> None:
        self.total = total
        self.clock = clock
        self.start = clock()
        self.ended = self.reused = 0
        self.running: dict[tuple[int, str], float] = {}
        self.metrics: dict[tuple[int, str], Mapping[str, float]] = {}

    def add(self, event: Event) -> None:
        """Take an event into account."""
        key = event.seed, event.stage
        if event.state == "told" or event.stage in BESIDES:
            return
        if event.state in ("started", "running"):
            self.running[key] = event.epoch / event.epochs if event.epochs else 0.0
            self.metrics[key] = event.metrics or self.metrics.get(key, {})
            return
        self.running.pop(key, None)
        self.ended += 1
        self.reused += event.state == "reused"

    @property
    def left(self) -> int:
        """Stages that have not ended."""
        return max(self.total - self.ended, 0)

    def seconds_left(self) -> float | None:
        """Return the seconds that are left, or None where nothing was done that they could be told from."""
        under_way = sum(self.running.values())
        worked = self.ended - self.reused + under_way
        if worked <= 0:
            return None
        return (self.clock() - self.start) / worked * max(self.left - under_way, 0.0)

    def time_left(self) -> str:
        """Return the time left in words, or the empty text where there is none or it is not known."""
        seconds = self.seconds_left()
        return "" if seconds is None or not self.left else f"about {spoken(seconds)} left"

    def measured(self, event: Event) -> str:
        """Return the last metrics of an event's stage in words."""
        found = event.metrics or self.metrics.get((event.seed, event.stage), {})
        names = [name for name in found if name != "loss"] or list(found)
        return ", ".join(f"{name} {found[name]:.4f}" for name in names[:SHOWN])


def spoken(seconds: float) -> str:
    """Return a time as a person says it.

    Example
    -------
    >>> [spoken(seconds) for seconds in (0.2, 42, 200, 3599, 9000, 200_000)]
    ['1 s', '42 s', '3 min', '60 min', '2.5 h', '2.3 days']
    """
    if seconds < 90:
        return f"{max(round(seconds), 1)} s"
    if seconds < 5400:
        return f"{round(seconds / 60)} min"
    return f"{seconds / 3600:.1f} h" if seconds < 172_800 else f"{seconds / 86_400:.1f} days"


def sentence(event: Event) -> str:
    """Return what an event other than progress says, or the empty text."""
    name = f"seed {event.seed}: {event.stage}"
    if event.state == "told":
        return f"{event.stage}: {event.note}"
    if event.state == "done":
        return f"{name} done" + (f" in {event.seconds:.1f} s" if event.seconds else "")
    if event.state == "reused":
        return f"{name} taken from the folder"
    if event.state == "refused":
        return f"{name} left out: {event.note}"
    return f"{name} failed: {event.note}" if event.state == "failed" else ""


class Lines:
    """Writes a line for each stage that ended, and one for a stage that is under way when a minute passed without.

    Parameters
    ----------
    count: of the stages. write: takes a line. clock: gives the time in seconds.
    """

    def __init__(self, count: Count, write: Callable[[str], None], clock: Clock) -> None:
        self.count = count
        self.write = write
        self.clock = clock
        self.last = clock()

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self.count.add(event)
        text = sentence(event)
        if event.state == "running" and self.clock() - self.last >= QUIET:
            text = f"seed {event.seed}: {event.stage} at epoch {event.epoch:,} of {event.epochs:,}"
        if text:
            self.last = self.clock()
            self.write(text + self._more(event))

    def _more(self, event: Event) -> str:
        if event.state == "told" or event.stage in BESIDES:
            return ""
        done = f"{self.count.ended} of {self.count.total} done" if 1 < self.count.total >= self.count.ended else ""
        found = filter(None, (self.count.measured(event), done, self.count.time_left() if done else ""))
        return f" ({'; '.join(found)})".replace(" ()", "")


def _bars(console: Console) -> Progress:
    """Return the bars: what, how far, the rest in words."""
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn
    from rich.table import Column

    bar = max(min(16, console.width // 10), 4)
    room = max(console.width - _name_width(console) - bar - NUMBERS, 12)
    what, how_far, more = (
        TextColumn(f"{{task.{name}}}", markup=False, table_column=Column(no_wrap=True, max_width=most))
        for name, most in (("description", None), ("fields[at]", None), ("fields[more]", room))
    )
    return Progress(what, BarColumn(bar), how_far, TimeElapsedColumn(), more, console=console, transient=True)


def _name_width(console: Console) -> int:
    """Return the columns for the name of a stage."""
    return max(console.width // 3, 12)


def shortened(text: str, width: int) -> str:
    """Return a text with its middle left out where it is longer than `width`: both its ends tell it from others.

    Example
    -------
    >>> shortened("pubmed gcn 5 % anywhere unlink", 20)
    'pubmed gc…ere unlink'
    """
    if len(text) <= width:
        return text
    first = (width - 1) // 2
    return f"{text[:first]}…{text[len(text) - (width - 1 - first) :]}"


class Bars:
    """One bar for the whole run, with what is done and left, and one for each stage under way, with its metrics."""

    def __init__(self, progress: Progress, count: Count) -> None:
        self.progress = progress
        self.count = count
        self.whole = progress.add_task("runs", **self._whole())
        self.stages: dict[tuple[int, str], TaskID] = {}

    def _whole(self) -> dict[str, Any]:
        count = self.count
        left = ", ".join(filter(None, (f"{count.left} left", count.time_left())))
        total = max(count.total, count.ended)
        return {"completed": count.ended, "total": total, "at": f"{count.ended}/{total}", "more": left}

    def __call__(self, event: Event) -> None:
        """Show an event."""
        self.count.add(event)
        key = event.seed, event.stage
        if event.state == "started":
            name = shortened(f"seed {event.seed} {event.stage}", _name_width(self.progress.console))
            self.stages[key] = self.progress.add_task(name, total=None, at="", more="")
        elif event.state == "running" and key in self.stages:
            at, more = f"{event.epoch}/{event.epochs}", self.count.measured(event)
            self.progress.update(self.stages[key], completed=event.epoch, total=event.epochs, at=at, more=more)
        elif event.state != "running":
            self._say(event)
        self.progress.update(self.whole, **self._whole())

    def _say(self, event: Event) -> None:
        bar = self.stages.pop((event.seed, event.stage), None)
        if bar is not None:
            self.progress.remove_task(bar)
        measured = self.count.measured(event)
        text = sentence(event) + (f" ({measured})" if measured and event.state == "done" else "")
        self.progress.console.print(text, markup=False, highlight=False)
