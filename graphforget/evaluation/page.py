"""A report as one HTML file that needs nothing else: no network, no script, no other file."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from graphforget._core.errors import UsageError
from graphforget.evaluation.limits import limits
from graphforget.evaluation.metrics import Metric
from graphforget.evaluation.plain import judgements, summary
from graphforget.evaluation.plots.canvas import figure_bytes
from graphforget.evaluation.plots.points import draw_points
from graphforget.evaluation.records import metrics_of, rows_of
from graphforget.evaluation.table import BLANK, footnotes, grid

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from graphforget.evaluation.document import Report

TEMPLATE = "page.html.jinja"
NARROW = 4.6
"""Inches of a picture on a page: its letters stay readable on a phone."""
BESIDE = 6
"""Models that stand side by side in a full table; more would not fit on paper."""
Pairs = Mapping[str, str]
DRAWINGS = (
    (
        "Forgetting beside quality",
        ("utility", "forgetting"),
        "Up and down: how the model treats the forgotten part. Left and right: how good it is on test data. A good "
        "unlearned model lies where the black star (gold) lies, not beyond it. A grey ellipse around it, where a "
        "second gold model was trained, shows how far that lies from it by chance.",
    ),
    (
        "Time beside distance to gold",
        ("seconds", "gold_distance"),
        "Lower is closer to gold, further left is faster. Below a dashed line, which a second gold model gives, a "
        "model cannot be told from another gold model. A dotted line joins the methods that no other beats on both.",
    ),
)
"""Heading, axes and caption of the pictures that records alone allow."""


@dataclass(frozen=True)
class Picture:
    """A picture with its heading, what it shows, and how to read it."""

    heading: str
    figure: Figure
    caption: str


@dataclass(frozen=True)
class Facts:
    """What a page says besides its report.

    Attributes
    ----------
    asked, done, environment: names and values. command: what runs it again, one command a line.
    command_note: what to know of the command, or why there is none.
    pictures: further pictures. absent: a sentence for each that could not be drawn.
    ids: name -> ids of what was deleted, only where they were asked for.
    """

    asked: Pairs = field(default_factory=dict)
    done: Pairs = field(default_factory=dict)
    environment: Pairs = field(default_factory=dict)
    command: str = ""
    command_note: str = "A report alone does not keep the command that made it."
    pictures: Sequence[Picture] = ()
    absent: Sequence[str] = ()
    ids: Mapping[str, Sequence[str]] = field(default_factory=dict)


def page(report: Report, facts: Facts | None = None) -> str:
    """Return the page of a report as HTML; every name and number in it is escaped, and it holds no script."""
    from jinja2 import Environment, StrictUndefined

    facts = facts or Facts()
    source = files("graphforget.evaluation").joinpath(TEMPLATE).read_text(encoding="utf-8")
    template = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    records, metrics = report.records, metrics_of(report.records)
    drawn, absent = _pictures(report)
    pictures = [*drawn, *facts.pictures]
    return template.from_string(source).render(
        report=report,
        facts=facts,
        summary=summary(records),
        judgements=judgements(records),
        limits=limits(records),
        short=grid(records),
        notes=footnotes(records),
        full=_in_parts(grid(records, full=True)),
        by_seed=_by_seed(report, metrics_of(records, headline=True) or metrics),
        pictures=[(p.heading, _inline(p.figure, f"picture{n}"), p.caption) for n, p in enumerate(pictures, 1)],
        absent=[*absent, *facts.absent],
        metrics=metrics,
    )


def _in_parts(table: list[list[str]]) -> list[list[list[str]]]:
    """Return a table with a line for each metric as several, with at most `BESIDE` models each."""
    width = len(table[0])
    starts = range(1, width, BESIDE)
    return [[[line[0], *line[start : start + BESIDE]] for line in table] for start in starts]


def _by_seed(report: Report, metrics: Sequence[Metric]) -> list[list[str]]:
    """Return one line for each record: model, seed and metrics, the first line the heading."""
    lines = [["model", "seed", *(metric.label for metric in metrics)]]
    for row in rows_of(report.records):
        for record in sorted((r for r in report.records if r.row == row.name), key=lambda r: r.seed):
            cells = [m.show(record.values[m.name]) if m.name in record.values else BLANK for m in metrics]
            lines.append([record.row, str(record.seed), *cells])
    return lines


def _pictures(report: Report) -> tuple[list[Picture], list[str]]:
    """Return the pictures that records alone allow, and a sentence for each that they do not."""
    found, absent = [], []
    for heading, (x, y), caption in DRAWINGS:
        try:
            found.append(Picture(heading, draw_points([("", report.records)], x, y, NARROW, 3.2), caption))
        except UsageError as error:
            absent.append(f"No picture of {heading[0].lower()}{heading[1:]}: {error}")
    return found, absent


def _inline(figure: Figure, name: str) -> Any:
    """Return a figure as SVG inside HTML, its ids made its own and scaled to the page."""
    from markupsafe import Markup

    text = figure_bytes(figure, "svg").decode("utf-8")
    text = text[text.index("<svg") :]
    text = re.sub(r"<!--.*?-->|<metadata>.*?</metadata>", "", text, flags=re.DOTALL)
    text = re.sub(r' xmlns(:\w+)?="[^"]*"| version="[^"]*"', "", text)
    text = re.sub(r'(?<= id=")|(?<=href="#)|(?<=url\(#)', f"{name}-", text)
    width = float(re.search(r'width="([\d.]+)pt"', text)[1])  # type: ignore[index]
    return Markup(  # the SVG is our own: names stand in it as outlines
        re.sub(r' width="[\d.]+pt" height="[\d.]+pt"', "", text, count=1).replace(
            "<svg", f'<svg role="img" aria-labelledby="{name}-caption" style="max-width:{width / 72:.2f}in"', 1
        )
    )
