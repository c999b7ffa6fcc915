"""Tables as Markdown, LaTeX (booktabs), CSV or HTML."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence

from graphforget._core.errors import UsageError, unknown
from graphforget.evaluation.metrics import Metric
from graphforget.evaluation.table import BLANK, as_latex, as_markdown, escaped
from graphforget.evaluation.verdict import MARK
from graphforget.experiments.comparison import HEADING, Compared, comparison_frame
from graphforget.experiments.tables import Entry, Table

FORMATS = ("md", "latex", "csv", "html")
Mark = Callable[[str, str], str]
"""Text and mark ("best", "second" or none) -> marked text."""
Write = Callable[[Sequence[Sequence[str]], str, Sequence[str], int], str]
"""Rows, title, notes and how many columns are set to the left -> a table."""
LEFT = 7
"""Columns of a comparison that hold words."""


def render(table: Table, form: str = "md", title: str = "") -> str:
    """Return a table as text: the best cells bold, the second best underlined (Markdown: italic).

    Raises UsageError for an unknown format.
    """
    _check(form)
    if form == "csv":
        return table.to_frame().to_csv(index=False)
    mark = {"md": _markdown_mark, "latex": _latex_mark, "html": _html_mark}[form]
    return _written(form, _grid(table, mark), title, table.notes, len(table.rows))


def render_comparison(found: Sequence[Compared], form: str = "md", title: str = "", notes: Sequence[str] = ()) -> str:
    """Return published | ours, mean ± spread | difference | within tolerance?, one line for each published value."""
    _check(form)
    if form == "csv":
        return comparison_frame(found).to_csv(index=False)
    mark = {"md": lambda text, _: text, "latex": _latex_mark, "html": _html_mark}[form]
    rows = [HEADING, *(one.as_row() for one in found)]
    return _written(form, [[mark(cell, "") for cell in row] for row in rows], title, notes, LEFT)


def _check(form: str) -> None:
    if form not in FORMATS:
        raise UsageError(unknown("format", form, FORMATS))


def _grid(table: Table, mark: Mark) -> list[list[str]]:
    """Return heading and rows; a column for each metric of each column key."""
    places = [(col, metric) for col in table.col_keys for metric in table.metrics if _held(table, col, metric.name)]
    headings = [" ".join(filter(None, (*col, metric.label, metric.arrow))) for col, metric in places]
    rows = [[mark(text, "") for text in (*table.rows, *headings)]]
    for key in table.row_keys:
        cells = [(metric, table.entries.get((key, col, metric.name))) for col, metric in places]
        shown = [mark(_shown(metric, entry), entry.mark if entry else "") for metric, entry in cells]
        rows.append([*(mark(text, "") for text in key), *shown])
    return rows


def _held(table: Table, col: tuple[str, ...], metric: str) -> bool:
    return any((row, col, metric) in table.entries for row in table.row_keys)


def _shown(metric: Metric, entry: Entry | None) -> str:
    if entry is None:
        return BLANK
    shown = metric.show(entry.mean, entry.spread)
    return f"{shown} {MARK}" if entry.over_forgotten else shown


def _markdown_mark(text: str, mark: str) -> str:
    return {"best": f"**{text}**", "second": f"*{text}*"}.get(mark, text)


def _latex_mark(text: str, mark: str) -> str:
    plain = escaped(text)
    return {"best": rf"\textbf{{{plain}}}", "second": rf"\underline{{{plain}}}"}.get(mark, plain)


def _html_mark(text: str, mark: str) -> str:
    plain = html.escape(text)
    return {"best": f"<strong>{plain}</strong>", "second": f"<u>{plain}</u>"}.get(mark, plain)


def _written(form: str, rows: Sequence[Sequence[str]], title: str, notes: Sequence[str], left: int) -> str:
    writers: dict[str, Write] = {"md": as_markdown, "latex": as_latex, "html": _as_html}
    return writers[form](rows, title, notes, left)


def _as_html(rows: Sequence[Sequence[str]], title: str, notes: Sequence[str], left: int) -> str:
    """Return rows of HTML as a table with its notes; it needs no style sheet."""
    heading, *body = rows
    head = "".join(f'<th scope="col">{cell}</th>' for cell in heading)
    caption = f"<caption>{html.escape(title)}</caption>\n" if title else ""
    lines = [f"<tr>{''.join(_html_cell(n, cell, left) for n, cell in enumerate(row))}</tr>" for row in body]
    below = "".join(f"<li>{html.escape(note)}</li>\n" for note in notes)
    table = f"<table>\n{caption}<thead><tr>{head}</tr></thead>\n<tbody>\n" + "\n".join(lines) + "\n</tbody>\n</table>\n"
    return table + (f"<ul>\n{below}</ul>\n" if below else "")


def _html_cell(number: int, cell: str, left: int) -> str:
    return f'<th scope="row">{cell}</th>' if number < left else f"<td>{cell}</td>"
