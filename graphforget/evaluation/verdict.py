"""What the numbers say beside gold: which rows over-forget, and which is closest."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from graphforget.evaluation.metrics import METRICS, PARTS
from graphforget.evaluation.records import Record, Row, rows_of

MARK = "†"
FORGETTING = {
    "class_test_accuracy": -1,
    "forgotten_auc": 1,
    "forgotten_accuracy": -1,
    "forgotten_recall@20": -1,
    "forgotten_triple_auc": -1,
}
"""The score that over-forgetting is read from, and on which side of gold's it lies; the first that gold has.

Deleted classes are judged on their test nodes: training nodes that left the graph are holes, which no model recognises.
"""


@dataclass(frozen=True)
class Measure:
    """Distances to gold that are averaged to find the closest row.

    words: what the mean is; `{value}` stands for it, `{parts}` for the parts that it is over.
    columns: part in words -> column. needed: the part without which the mean would say little.
    """

    words: str
    columns: Mapping[str, str]
    needed: str


LISTS = Measure(
    "mean distance {value} of {parts} recall@20 to gold's",
    {part: f"{part}_recall@20_gap" for part in ("forgotten", "test")},
    needed="forgotten",
)
ANSWERS = Measure(
    "mean JS divergence {value} over {parts} items", {part: f"js_{part}" for part in PARTS}, needed="test"
)
MEASURES = (LISTS, ANSWERS)
"""What the closest row is found by: the first that has what it needs.

Divergences of a recommender's preferences depend on the scale of its scores, so that its lists come first.
"""


@dataclass(frozen=True)
class Closest:
    """The method closest to gold.

    Attributes
    ----------
    row: its name. divergence: its mean distance to gold. floor: that of gold with another seed.
    relative_time: its time divided by gold's. measure: the distance in words, with the parts that it is over.
    left_out: methods that have runs of other seeds, fewer or not the same: their means are over other models and gold.
    """

    row: str
    divergence: float
    floor: float | None
    relative_time: float | None
    measure: str
    left_out: tuple[str, ...] = ()


def noise_floor(records: Sequence[Record], metric: str) -> float | None:
    """Return the mean over seeds of how far gold with another seed lies from gold, or None without such a run.

    Where a record has its distance to gold, that counts: several runs of one seed may lie on both sides of gold.
    """
    gold, gap = gold_values(records, metric), f"{metric}_gap"
    found = [
        r.values[gap] if gap in r.values else abs(r.values[metric] - gold[r.seed])
        for r in records
        if r.kind == "floor" and (gap in r.values or (metric in r.values and r.seed in gold))
    ]
    return float(np.mean(found)) if found else None


def gold_values(records: Sequence[Record], metric: str) -> dict[int, float]:
    """Return seed -> gold's value of a metric."""
    return {r.seed: r.values[metric] for r in records if r.kind == "gold" and metric in r.values}


def forgetting_metric(records: Sequence[Record]) -> str | None:
    """Return the metric that over-forgetting is read from, or None where gold has none."""
    gold = [record for record in records if record.kind == "gold"]
    return next((name for name in FORGETTING if any(name in record.values for record in gold)), None)


def blind(records: Sequence[Record]) -> bool:
    """Return whether over-forgetting could not show: gold's score is so near the end of its scale that none is beyond.

    Gold often finds nothing at all of deleted users and items: then no model can find less.
    """
    metric = forgetting_metric(records)
    if metric is None:
        return False
    return _room(records, metric) <= (noise_floor(records, metric) or 0.0)


def _room(records: Sequence[Record], metric: str) -> float:
    """Return how far gold's forgetting score is from the end of its scale on the side of over-forgetting."""
    gold = float(np.mean(list(gold_values(records, metric).values())))
    return gold if FORGETTING[metric] < 0 else 1.0 - gold


def over_forgotten(records: Sequence[Record]) -> dict[str, float]:
    """Return method -> how far its forgetting score lies beyond gold's, for those beyond by more than the floor.

    Both are means over the seeds that the method and gold share. Without a known floor any excess counts.
    """
    metric = forgetting_metric(records)
    if metric is None:
        return {}
    gold = gold_values(records, metric)
    found = {
        row: _excess(records, row, metric, gold) for row in dict.fromkeys(r.row for r in records if r.kind == "method")
    }
    floor = noise_floor(records, metric) or 0.0
    return {row: excess for row, excess in found.items() if excess is not None and excess > floor}


def _excess(records: Sequence[Record], row: str, metric: str, gold: dict[int, float]) -> float | None:
    mine = [r for r in records if r.row == row and r.seed in gold and metric in r.values]
    if not mine:
        return None
    return FORGETTING[metric] * float(np.mean([r.values[metric] - gold[r.seed] for r in mine]))


def compared(records: Sequence[Record]) -> tuple[Measure, tuple[str, ...]] | None:
    """Return the measure that rows are compared with gold by, and its parts: those that all rows compared have.

    Without a method that has distances there is none.
    """
    rows = rows_of(records)
    for measure in MEASURES:
        having = [row for row in rows if measure.columns[measure.needed] in row.cells]
        judged = [row for row in having if row.kind in ("method", "floor")]
        if any(row.kind == "method" for row in judged):
            return measure, tuple(p for p, name in measure.columns.items() if all(name in r.cells for r in judged))
    return None


def _columns(records: Sequence[Record]) -> list[str]:
    chosen = compared(records)
    return [] if chosen is None else [chosen[0].columns[part] for part in chosen[1]]


def gold_distances(records: Sequence[Record]) -> dict[str, tuple[float, float | None]]:
    """Return row -> mean distance to gold over the parts compared, and its standard deviation over seeds.

    Rows that lack one of the parts are left out; so is gold itself. Every mean is over the seeds that the row has.
    """
    columns = _columns(records)
    if not columns:
        return {}
    found: dict[str, tuple[float, float | None]] = {}
    for row in rows_of(records):
        if not all(column in row.cells for column in columns):
            continue
        mine = [r.values for r in records if r.row == row.name and all(column in r.values for column in columns)]
        each = [float(np.mean([values[column] for column in columns])) for values in mine]
        spread = float(np.std(each, ddof=1)) if len(each) > 1 else None
        found[row.name] = float(np.mean([row.cells[column][0] for column in columns])), spread
    return found


def closest(records: Sequence[Record]) -> Closest | None:
    """Return the method closest to gold, or None when no method has distances.

    Every row's mean is over the same parts: those that all methods compared, and the noise floor, have; and over the
    same seeds: those of the method with the most. Methods that have other seeds are left out.
    """
    seeds = _seeds(records, _columns(records))
    most = max(seeds.values(), key=len, default=set())
    records = [record for record in records if record.seed in most]
    chosen = compared(records)
    if chosen is None:
        return None
    measure, parts = chosen
    rows, means = rows_of(records), gold_distances(records)
    name = min((row for row in seeds if seeds[row] == most), key=lambda row: means[row][0])
    floor = next((means[row.name][0] for row in rows if row.kind == "floor" and row.name in means), None)
    words = measure.words.format(value=f"{means[name][0]:.4f}", parts=listed(parts))
    left_out = tuple(row for row in seeds if seeds[row] != most)
    return Closest(name, means[name][0], floor, _relative_time(rows, name), words, left_out)


def _seeds(records: Sequence[Record], columns: Sequence[str]) -> dict[str, set[int]]:
    """Return method -> the seeds with which it has all of the columns, for those that have them."""
    found: dict[str, set[int]] = {}
    for record in records:
        if record.kind == "method" and all(column in record.values for column in columns):
            found.setdefault(record.row, set()).add(record.seed)
    return found


def listed(parts: Sequence[str]) -> str:
    """Return words as a person lists them: a, b and c."""
    return " and ".join(filter(None, (", ".join(parts[:-1]), parts[-1])))


def _relative_time(rows: Sequence[Row], name: str) -> float | None:
    mine = next(row.mean("seconds") for row in rows if row.name == name)
    gold = next((row.mean("seconds") for row in rows if row.kind == "gold"), None)
    return None if mine is None or not gold else mine / gold


def sentences(records: Sequence[Record]) -> list[str]:
    """Return what is to be read below a table."""
    metric, marked, best = forgetting_metric(records), over_forgotten(records), closest(records)
    found = []
    if metric is not None and marked:
        found.append(_over_forgetting_sentence(records, metric))
    elif metric is not None and blind(records):
        found.append(_blindness(records, metric))
    if best is not None:
        floor = "" if best.floor is None else f"; noise floor {best.floor:.4f}"
        time = "" if best.relative_time is None else f" It took {best.relative_time:.3g} times gold's time."
        others = f" Not ranked, for runs of other seeds: {listed(best.left_out)}." if best.left_out else ""
        found.append(f"Closest to gold: {best.row} ({best.measure}{floor}).{time}{others}")
    return found


def _blindness(records: Sequence[Record], metric: str) -> str:
    room, end = _room(records, metric), 0.0 if FORGETTING[metric] < 0 else 1.0
    gold = METRICS[metric].show(abs(end - room))
    near = "is the end of the scale" if room == 0 else f"is no further from {end:g} than another gold model may be"
    return f"Over-forgetting would not show in {METRICS[metric].label}: gold's ({gold}) {near}."


def _over_forgetting_sentence(records: Sequence[Record], metric: str) -> str:
    side = "above" if FORGETTING[metric] > 0 else "below"
    floor = noise_floor(records, metric)
    known = "(no noise floor is known)" if floor is None else f"by more than the noise floor ({floor:.4f})"
    return f"{MARK} over-forgetting: {METRICS[metric].label} {side} gold's {known}."
