"""Tables over many runs: fields of the runs as rows and columns, means over seeds, and what differs significantly."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, product
from typing import TYPE_CHECKING, Any

import numpy as np

from graphforget._core.errors import UsageError, unknown
from graphforget.evaluation.metrics import METRICS, Metric
from graphforget.evaluation.records import KINDS, Record
from graphforget.evaluation.verdict import MARK, forgetting_metric, over_forgotten
from graphforget.experiments.results import FIELDS, Line
from graphforget.experiments.significance import LEVEL, TESTS, best_two, least_p

if TYPE_CHECKING:
    import pandas as pd

KNOWN = ("method", "dataset", *FIELDS, "seed")
ROW = ("method", "row")
Key = tuple[str, ...]


@dataclass(frozen=True)
class Entry:
    """One cell: mean and standard deviation (n - 1) over seeds, and a mark: "best", "second" or none.

    over_forgotten: it lies beyond gold's by more than the noise floor (`verdict.over_forgotten`).
    """

    mean: float
    spread: float | None
    seeds: int
    mark: str = ""
    over_forgotten: bool = False


@dataclass(frozen=True)
class Table:
    """Rows by columns by metrics.

    Attributes
    ----------
    rows, cols: names of the fields. row_keys, col_keys: their values, in table order.
    entries: (row key, column key, metric) -> cell; one that is missing was not measured.
    notes: sentences below the table.
    """

    rows: Key
    cols: Key
    metrics: tuple[Metric, ...]
    row_keys: tuple[Key, ...]
    col_keys: tuple[Key, ...]
    entries: dict[tuple[Key, Key, str], Entry]
    notes: tuple[str, ...] = field(default=())

    def to_frame(self) -> pd.DataFrame:
        """Return one line for each cell: the fields, metric, mean, standard deviation, seeds, marks."""
        import pandas as pd

        names = [*self.rows, *self.cols, "metric", "mean", "spread", "seeds", "mark", "over_forgotten"]
        places = product(self.row_keys, self.col_keys, (metric.name for metric in self.metrics))
        found = [(*place, self.entries[place]) for place in places if place in self.entries]
        cells = [
            [*row, *col, metric, e.mean, e.spread, e.seeds, e.mark, e.over_forgotten] for row, col, metric, e in found
        ]
        return pd.DataFrame(cells, columns=names)


def table_of(
    lines: Sequence[Line],
    rows: Sequence[str] = ("method",),
    cols: Sequence[str] = ("dataset", "deletion"),
    metrics: Sequence[str] = (),
    test: str | None = "wilcoxon",
) -> Table:
    """Return a table of lines; original, gold, noise floor and popularity stand above the methods.

    Best and second best are looked for among the methods of each column; a metric whose target is gold's value counts
    by its distance to gold of the same seed. What over-forgets is marked in any case, and methods of one cell whose
    weights are the same byte for byte are named below.

    Parameters
    ----------
    rows, cols: fields, see KNOWN; "method" must be among them. A field of the rows divides no columns again.
    metrics: names; by default those that all rows of some kind have in short tables.
    test: paired test over seeds, "wilcoxon" or "t"; None marks nothing.

    Raises UsageError for an unknown field, metric or test, and when a cell would mix runs of different settings.
    """
    _check(rows, cols, metrics, test)
    cols = tuple(name for name in cols if name not in rows)
    groups: dict[tuple[Key, Key], dict[int, Line]] = {}
    for line in lines:
        place = _key(line, rows), _key(line, cols)
        _add(groups.setdefault(place, {}), line, place)
    chosen = tuple(METRICS[name] for name in metrics) or _headline(lines)
    entries = {
        (row, col, metric.name): entry
        for (row, col), found in groups.items()
        for metric in chosen
        if (entry := _entry([line.values.get(metric.name) for line in found.values()])) is not None
    }
    row_keys = _ordered(groups, rows)
    col_keys = tuple(dict.fromkeys(col for _, col in groups))
    notes = [_floor_note(groups, rows, test)] if test is not None else []
    marked = entries if test is None else entries | _marks(groups, entries, chosen, rows, test)
    marked, beyond = _over_forgetting(groups, marked, rows)
    notes += [*beyond, *_twins(groups, rows)]
    return Table(tuple(rows), tuple(cols), chosen, row_keys, col_keys, marked, tuple(filter(None, notes)))


def _check(rows: Sequence[str], cols: Sequence[str], metrics: Sequence[str], test: str | None) -> None:
    for name in (*rows, *cols):
        if name not in (*KNOWN, "row"):
            raise UsageError(unknown("field", name, KNOWN))
    for name in metrics:
        if name not in METRICS:
            raise UsageError(unknown("metric", name, METRICS))
    if test is not None and test not in TESTS:
        raise UsageError(unknown("test", test, TESTS))
    if not set(ROW) & {*rows, *cols}:
        raise UsageError("A table needs 'method' among its rows or columns: means over methods say nothing.")


def _key(line: Line, names: Sequence[str]) -> Key:
    return tuple(str(line.field(name)) for name in names)


def _add(found: dict[int, Line], line: Line, place: tuple[Key, Key]) -> None:
    """Add a line to its cell; raises UsageError when the cell holds another run of that seed."""
    other = found.setdefault(line.seed, line)
    if (other.run, other.row) == (line.run, line.row):
        return
    differ = [name for name in FIELDS if other.fields.get(name) != line.fields.get(name)]
    where = " / ".join(part for key in place for part in key if part)
    raise UsageError(
        f"The cell {where} would mix runs that differ in {', '.join(differ) or 'their settings'}. Add that to --rows "
        "or --cols, or name what holds one of them alone, as a .csv in the folder's tables/."
    )


def _headline(lines: Sequence[Line]) -> tuple[Metric, ...]:
    tasks = {str(line.fields.get("task", "")) for line in lines}
    held = {name for line in lines for name in line.values}
    return tuple(m for m in METRICS.values() if m.name in held and tasks & set(m.headline))


def _entry(values: Sequence[float | None]) -> Entry | None:
    known = [value for value in values if value is not None]
    if not known:
        return None
    return Entry(float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else None, len(known))


Groups = dict[tuple[Key, Key], dict[int, Line]]


def _beside(key: Key, rows: Sequence[str]) -> Key:
    """Return a row's key without the method: rows that are equal there are compared."""
    return tuple(part for part, name in zip(key, rows, strict=True) if name not in ROW)


def _ordered(groups: Groups, rows: Sequence[str]) -> tuple[Key, ...]:
    """Return the keys of the rows: what is compared stands together, by kind, then as it came."""
    came = list(dict.fromkeys(row for row, _ in groups))
    blocks = list(dict.fromkeys(_beside(row, rows) for row in came))
    kinds = {row: next(iter(found.values())).row_kind for (row, _), found in groups.items()}
    return tuple(sorted(came, key=lambda row: (blocks.index(_beside(row, rows)), KINDS.index(kinds[row]))))


def _marks(
    groups: Groups, entries: dict[Any, Entry], metrics: Sequence[Metric], rows: Sequence[str], test: str
) -> dict[Any, Entry]:
    """Return the cells of the best and second best methods of each column and block of rows, marked."""
    marked = {}
    for col, column in _columns(groups, rows):
        for metric in metrics:
            losses = {row: found for row, found in _losses(column, metric).items() if found}
            for row, mark in zip(best_two(losses, test), ("best", "second"), strict=False):
                entry = entries[row, col, metric.name]
                marked[row, col, metric.name] = replace(entry, mark=mark)
    return marked


def _columns(groups: Groups, rows: Sequence[str]) -> Iterator[tuple[Key, dict[Key, dict[int, Line]]]]:
    """Yield, for each column and block of rows that are compared, the column and its rows."""
    for block, col in dict.fromkeys((_beside(row, rows), col) for row, col in groups):
        yield col, {r: found for (r, other), found in groups.items() if other == col and _beside(r, rows) == block}


def _over_forgetting(
    groups: Groups, entries: dict[Any, Entry], rows: Sequence[str]
) -> tuple[dict[Any, Entry], list[str]]:
    """Return the cells with those marked that lie beyond gold's by more than the noise floor, and what the mark is."""
    marked: dict[Any, Entry] = {}
    for col, column in _columns(groups, rows):
        names = {str(number): row for number, row in enumerate(column)}
        records = [
            Record(name, line.seed, line.values, line.row_kind)
            for name, row in names.items()
            for line in column[row].values()
        ]
        for name in over_forgotten(records):
            place = names[name], col, forgetting_metric(records)
            if place in entries:
                marked[place] = replace(entries[place], over_forgotten=True)
    note = f"{MARK} over-forgetting: beyond gold's by more than the noise floor (by anything, where none is known)."
    return entries | marked, [note] if marked else []


def _twins(groups: Groups, rows: Sequence[str]) -> list[str]:
    """Return sentences on methods whose weights are the same, byte for byte, with every seed."""
    found: dict[str, None] = {}
    for _, column in _columns(groups, rows):
        methods = [row for row, lines in column.items() if all(one.row_kind == "method" for one in lines.values())]
        for one, other in combinations(methods, 2):
            first, second = ({s: line.weights for s, line in column[row].items()} for row in (one, other))
            if first == second and all(first.values()):
                names = (next(iter(column[row].values())).row for row in (one, other))
                found[" and ".join(names)] = None
    return [f"The same weights, byte for byte: {pair}." for pair in found]


def _losses(column: dict[Key, dict[int, Line]], metric: Metric) -> dict[Key, dict[int, float]]:
    """Return method's row -> seed -> what is better when smaller; nothing for a metric that has no best row."""
    if metric.aim == "none":
        return {}
    gold = {s: line.values for found in column.values() for s, line in found.items() if line.row_kind == "gold"}

    def loss(line: Line) -> float | None:
        value, target = line.values.get(metric.name), gold.get(line.seed, {}).get(metric.name)
        if value is None or (metric.aim == "gold" and target is None):
            return None
        return {"higher": -value, "lower": value}.get(metric.aim, abs(value - (target or 0.0)))

    return {
        row: {s: value for s, line in found.items() if (value := loss(line)) is not None}
        for row, found in column.items()
        if all(line.row_kind == "method" for line in found.values())
    }


def _floor_note(groups: Groups, rows: Sequence[str], test: str) -> str:
    """Return what is marked, or why nothing is: the seeds that the methods of a column share may be too few."""
    found = [_paired(column) for _, column in _columns(groups, rows)]
    compared = [one for one in found if one[1]] or [max(found, default=(0, 0))]
    seeds, rivals = max(compared, key=lambda one: (-_least(one[0], one[1], test), one[0]))
    if seeds < 2:
        return "One seed: nothing is tested, so nothing is marked."
    if _least(seeds, rivals, test) > LEVEL:
        holm = f" by Holm's method for {rivals + 1} methods" if least_p(seeds, test) <= LEVEL else ""
        return (
            f"With {seeds} seeds, the p of {test} is at least {_least(seeds, rivals if holm else 1, test):.3g}{holm}: "
            "nothing can be marked at 5 %. Run more seeds, or use the t-test."
        )
    note = f"Best and second best: marked where they differ from every row behind ({test}, paired by seed, Holm, 5 %)"
    few = sum(one[0] < 2 or _least(*one, test) > LEVEL for one in compared)
    return f"{note}; in {few} of {len(compared)} comparisons the seeds are too few for a mark." if few else f"{note}."


def _paired(column: dict[Key, dict[int, Line]]) -> tuple[int, int]:
    """Return how many seeds all methods of a column share, and how many methods the best stands before."""
    methods = [lines for lines in column.values() if all(one.row_kind == "method" for one in lines.values())]
    shared = set.intersection(*map(set, methods or column.values()))
    return len(shared), max(len(methods) - 1, 0)


def _least(seeds: int, rivals: int, test: str) -> float:
    """Return the smallest p that the best of a column can have: Holm multiplies the smallest by all rivals."""
    return least_p(seeds, test) * max(rivals, 1)
