"""Reports as text: Markdown and LaTeX tables."""

from __future__ import annotations

from collections.abc import Sequence

from graphforget._core.errors import UsageError, unknown
from graphforget.evaluation.metrics import METRICS, Metric
from graphforget.evaluation.records import ON_WHOLE_GRAPH, WEIGHTS_ONLY, Record, Row, metrics_of, rows_of
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
    if any(note.startswith(WEIGHTS_ONLY) for note in notes):
        exceptions = f"{ON_WHOLE_GRAPH.removesuffix('.')}, but those of weights only."
        notes = {exceptions if note == ON_WHOLE_GRAPH else note: names for note, names in notes.items()}
    whose = {note: "All rows" if len(names) == len(rows) else ", ".join(names) for note, names in notes.items()}
    return [*sentences(records), *(f"{whose[note]}: {note}" for note in notes)]


def markdown(records: Sequence[Record], title: str, full: bool = False, only: Sequence[str] | None = None) -> str:
    """Return title, a Markdown table aligned for reading as it stands, and the footnotes as a list."""
    return as_markdown(grid(records, full, only), title, footnotes(records))


def as_markdown(table: Sequence[Sequence[str]], title: str, notes: Sequence[str], left: int = 1) -> str:
    """Return rows of text, the first the heading, as Markdown under a title; columns from `left` on are set right."""
    lines = [[cell.replace("|", r"\|") for cell in line] for line in table]
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    sides = [str.ljust if number < left else str.rjust for number in range(len(widths))]
    heading, *body = [[side(c, w) for side, c, w in zip(sides, line, widths, strict=True)] for line in lines]
    rule = ["-" * w if side is str.ljust else "-" * (w - 1) + ":" for side, w in zip(sides, widths, strict=True)]
    text = "\n".join(f"| {' | '.join(line)} |" for line in [heading, rule, *body])
    listed = "\n".join(f"- {note}" for note in notes)
    return "\n\n".join(part for part in (title, text, listed) if part) + "\n"


def escaped(text: str) -> str:
    """Return text with everything that LaTeX would read as a command made plain."""
    return "".join(LATEX.get(sign, sign) for sign in text)


def latex(records: Sequence[Record], title: str, full: bool = False) -> str:
    """Return a LaTeX table (needs the package booktabs) with the title as caption and the footnotes below."""
    return as_latex([[escaped(cell) for cell in line] for line in grid(records, full)], title, footnotes(records))


def as_latex(table: Sequence[Sequence[str]], title: str, notes: Sequence[str], left: int = 1) -> str:
    """Return rows of LaTeX, the first the heading, as a table; title and notes are plain text."""
    heading, *body = [" & ".join(line) + r" \\" for line in table]
    columns = "l" * left + "r" * (len(table[0]) - left)
    below = [rf"\par\smallskip {escaped(note)}" for note in notes]
    lines = [r"\begin{table}", r"\centering", rf"\caption{{{escaped(title)}}}", rf"\begin{{tabular}}{{{columns}}}"]
    lines += [r"\toprule", heading, r"\midrule", *body, r"\bottomrule", r"\end{tabular}", *below, r"\end{table}"]
    return "\n".join(lines) + "\n"
