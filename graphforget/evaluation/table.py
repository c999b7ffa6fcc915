"""Reports as text: Markdown and LaTeX tables."""

from __future__ import annotations

from collections.abc import Sequence

from graphforget._core.errors import UsageError, unknown
from graphforget.evaluation.metrics import METRICS, Metric
from graphforget.evaluation.records import Record, Row, metrics_of, rows_of
from graphforget.evaluation.verdict import MARK, forgetting_metric, over_forgotten, sentences

BLANK = "–"
LATEX = {
    "\\": r"\textbackslash{}",
    **{sign: f"\\{sign}" for sign in "&%$#_{}"},
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "|": r"\textbar{}",
    "<": r"\textless{}",
    ">": r"\textgreater{}",
    "±": r"$\pm$",
    "↑": r"$\uparrow$",
    "↓": r"$\downarrow$",
    "→": r"$\rightarrow$",
    "–": "--",
    MARK: r"$^\dagger$",
}


def grid(records: Sequence[Record], full: bool = False, only: Sequence[str] | None = None) -> list[list[str]]:
    """Return the table as rows of text, the first the heading.

    The short table has one line per model and the headline metrics, or those named by `only`; the full one has a
    line per metric.
    """
    metrics, rows = _chosen(records, full, only), rows_of(records)
    score, marked = forgetting_metric(records), over_forgotten(records)
    lines = [["model", *(f"{metric.label} {metric.arrow}".rstrip() for metric in metrics)]]
    for row in rows:
        cells = [_cell(row, metric, mark=row.name in marked and metric.name == score) for metric in metrics]
        lines.append([row.name, *cells])
    return [list(column) for column in zip(*lines, strict=True)] if full else lines


def _chosen(records: Sequence[Record], full: bool, only: Sequence[str] | None) -> list[Metric]:
    if only is None:
        return metrics_of(records, headline=not full)
    for name in only:
        if name not in METRICS:
            raise UsageError(unknown("metric", name, METRICS))
    return [metric for metric in metrics_of(records) if metric.name in only]


def _cell(row: Row, metric: Metric, mark: bool) -> str:
    if metric.name not in row.cells:
        return BLANK
    text = metric.show(*row.cells[metric.name])
    return f"{text} {MARK}" if mark else text


def footnotes(records: Sequence[Record]) -> list[str]:
    """Return the sentences below a table: what the numbers say, then what is missing and why."""
    rows = rows_of(records)
    notes: dict[str, list[str]] = {}
    for row in rows:
        for note in row.notes:
            notes.setdefault(note, []).append(row.name)
    whose = {note: "All rows" if len(names) == len(rows) else ", ".join(names) for note, names in notes.items()}
    return [*sentences(records), *(f"{whose[note]}: {note}" for note in notes)]


def markdown(records: Sequence[Record], title: str, full: bool = False, only: Sequence[str] | None = None) -> str:
    """Return title, a Markdown table aligned for reading as it stands, and the footnotes as a list."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in grid(records, full, only)]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    heading, *body = [[line[0].ljust(widths[0]), *map(str.rjust, line[1:], widths[1:])] for line in lines]
    rule = ["-" * widths[0], *("-" * (width - 1) + ":" for width in widths[1:])]
    table = "\n".join(f"| {' | '.join(line)} |" for line in [heading, rule, *body])
    notes = "\n".join(f"- {note}" for note in footnotes(records))
    return "\n\n".join(part for part in (title, table, notes) if part) + "\n"


def escaped(text: str) -> str:
    """Return text with everything that LaTeX would read as a command made plain."""
    return "".join(LATEX.get(sign, sign) for sign in text)


def latex(records: Sequence[Record], title: str, full: bool = False) -> str:
    """Return a LaTeX table (needs the package booktabs) with the title as caption and the footnotes below."""
    heading, *body = [" & ".join(map(escaped, line)) + r" \\" for line in grid(records, full)]
    columns = "l" + "r" * (len(grid(records, full)[0]) - 1)
    notes = [rf"\par\smallskip {escaped(note)}" for note in footnotes(records)]
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escaped(title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", heading, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", *notes, r"\end{table}"]
    return "\n".join(lines) + "\n"
