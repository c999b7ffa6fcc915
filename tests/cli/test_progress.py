"""How far a run is: bars on a terminal, lines elsewhere, nothing beside JSON; what is left, and for how long."""

from __future__ import annotations

import re
from io import StringIO

import pytest
from rich.console import Console

from graphforget.cli.progress import Count, Lines, shown
from graphforget.experiments.events import Event, epochs_to

EVENTS = [
    Event(0, "dblp", "told", note="found 3 edges"),
    Event(1, "original", "started"),
    Event(1, "original", "running", 5, 10, metrics={"loss": 0.5, "val_auc": 0.71}),
    Event(1, "original", "done", seconds=1.25),
    Event(1, "gold-1", "reused"),
    Event(1, "d2dgn", "started"),
    Event(1, "d2dgn", "running", 5, 10, metrics={"loss": 0.25}),
    Event(1, "d2dgn", "failed", note="it [diverged]."),
    Event(1, "evaluation", "started"),
    Event(1, "evaluation", "done", seconds=2.0),
]


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def told(events, total: int, terminal: bool, width: int = 120, quiet: bool = False) -> str:
    """Return what is shown of events that come a second apart, without control sequences."""
    text, clock = StringIO(), Hands()
    console = Console(file=text, force_terminal=terminal, width=width, legacy_windows=False)
    with shown(quiet, total, console, clock) as listen:
        for event in events:
            clock.now += 1
            listen(event)
            if terminal and not quiet:
                listen.progress.refresh()
    return re.sub("\x1b\\[[0-9;?]*[a-zA-Z]", "", text.getvalue())


def test_elsewhere_each_ended_stage_is_a_plain_line():
    assert told(EVENTS, 4, terminal=False).splitlines() == [
        "dblp: found 3 edges",
        "seed 1: original done in 1.2 s (val_auc 0.7100; 1 of 4 done; about 12 s left)",
        "seed 1: gold-1 taken from the folder (2 of 4 done; about 10 s left)",
        "seed 1: d2dgn failed: it [diverged]. (loss 0.2500; 3 of 4 done; about 4 s left)",
        "seed 1: evaluation done in 2.0 s",
    ]


def test_a_command_of_one_stage_counts_nothing():
    assert told(EVENTS[1:4], 1, terminal=False) == "seed 1: original done in 1.2 s (val_auc 0.7100)\n"


def test_on_a_terminal_bars_say_what_is_done_and_left_and_what_was_measured():
    seen = told(EVENTS, 4, terminal=True)
    lines = [" ".join(line.split()) for line in re.split("[\r\n]+", seen)]
    assert any(re.search(r"^runs .* 0/4 .* 4 left", line) for line in lines)
    assert any(re.search(r"^seed 1 original .* 5/10 .* val_auc 0\.7100", line) for line in lines)
    assert any(re.search(r"^runs .* 3/4 .* 1 left, about 4 s left", line) for line in lines)
    assert any(re.search(r"^seed 1 d2dgn .* 5/10 .* loss 0\.2500", line) for line in lines)
    assert (
        "seed 1: d2dgn failed: it [diverged]." in lines and "seed 1: original done in 1.2 s (val_auc 0.7100)" in lines
    )
    assert "evaluation" in seen and not any(line.startswith("runs") and "4/4" in line for line in lines)


def test_on_a_narrow_terminal_each_bar_is_one_line():
    long = "coauthor-physics gcn 5 % anywhere gnndelete-edgeprob"
    events = [Event(1, long, "started"), Event(1, long, "running", 5, 2000, metrics={"loss": 0.5, "val_auc": 0.7123})]
    seen = told(events, 160, terminal=True, width=80)
    lines = [line for line in re.split("[\r\n]+", seen) if line.strip()]
    assert all(len(line) <= 80 for line in lines)
    assert all(line.startswith(("runs", "seed 1 coau")) for line in lines), "nothing is broken into several lines"
    assert any(re.search("edgeprob .* 5/2000 .* val_auc", line) for line in lines)


def test_beside_json_there_is_nothing():
    assert told(EVENTS, 4, terminal=True, quiet=True) == told(EVENTS, 4, terminal=False, quiet=True) == ""


def test_the_time_left_is_that_of_what_was_computed_here():
    clock = Hands()
    count = Count(10, clock)
    assert count.seconds_left() is None and count.time_left() == ""
    for number in range(4):
        count.add(Event(1, f"old {number}", "reused"))
    clock.now += 60
    assert count.seconds_left() is None, "what is taken from the folder took no time"
    count.add(Event(1, "new", "done"))
    assert count.left == 5 and count.seconds_left() == 60 * 5 and count.time_left() == "about 5 min left"
    for name in ("a", "b"):
        count.add(Event(1, name, "started"))
        count.add(Event(1, name, "running", 50, 100))
    assert count.seconds_left() == pytest.approx(60 / 2 * 4), "two halves that are under way count as one"
    for name in ("a", "b", "c", "d", "e", "f"):
        count.add(Event(1, name, "done"))
    assert count.left == 0 and count.time_left() == "", "more than was expected leaves nothing"


def test_a_stage_that_takes_long_says_so_once_a_minute():
    clock, lines = Hands(), []
    listen = Lines(Count(3, clock), lines.append, clock)
    listen(Event(1, "original", "started"))
    for epoch in range(1, 101):
        clock.now += 7
        listen(Event(1, "original", "running", epoch, 100, metrics={"loss": 1.0, "val_auc": 0.5}))
    assert len(lines) == 700 // 63
    assert lines[0] == "seed 1: original at epoch 9 of 100 (val_auc 0.5000; 0 of 3 done; about 34 min left)"


def test_a_long_training_tells_about_a_hundredth_of_its_epochs_with_its_last_metrics():
    told: list[Event] = []
    progress = epochs_to(told.append, 1, "original")
    for epoch in range(1, 2001):
        progress(epoch, 2000, {"loss": float(epoch), **({"val_auc": 0.5 + epoch / 1e4} if epoch % 250 == 0 else {})})
    assert len(told) == 100
    assert told[0] == Event(1, "original", "running", 20, 2000, metrics={"loss": 20.0})
    assert told[13].metrics == {"loss": 280.0, "val_auc": 0.525}
    assert told[-1] == Event(1, "original", "running", 2000, 2000, metrics={"loss": 2000.0, "val_auc": 0.7})
