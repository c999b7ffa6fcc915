"""What a report says, in plain sentences for a reader who does not know the field."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from graphforget.evaluation.difference import Difference, difference
from graphforget.evaluation.metrics import METRICS
from graphforget.evaluation.plots.axes import UTILITY
from graphforget.evaluation.records import EXACT, HOLES, KNOWN_WEIGHTS, LABELS_KEPT, Record, Row, rows_of
from graphforget.evaluation.verdict import (
    FORGETTING,
    Closest,
    blind,
    closest,
    forgetting_metric,
    gold_distances,
)
from graphforget.unlearning.data_alone import NOTHING_TRAINED

ATTACKS = ("mi_attack_auc", "pair_mi_auc")
AGAINST = ("too much", "too little", "other than gold")
"""Words that speak against a row."""
AS_ORIGINAL = "like the original"
"""What is added to words that hold for the original, too, which has forgotten nothing: they tell little then."""


@dataclass(frozen=True)
class Judgement:
    """One method in words.

    Attributes
    ----------
    forgetting, quality, closeness, time: a few words each, for a table to look at once; "not known" where they are not.
    sentences: the same with its evidence.
    """

    name: str
    forgetting: str
    quality: str
    closeness: str
    time: str
    sentences: tuple[str, ...]


def has_gold(records: Sequence[Record]) -> bool:
    """Return whether there is a gold model to compare with."""
    return any(record.kind == "gold" for record in records)


def summary(records: Sequence[Record]) -> list[str]:
    """Return the verdict: what is closest to a model that never saw the forgotten part, and what that means."""
    rows = [row for row in rows_of(records) if row.kind == "method"]
    best = closest(records)
    if rows and all(any(note.startswith(NOTHING_TRAINED) for note in row.notes) for row in rows):
        return [
            "Nothing that the model was trained on is among what had to go: it was held out, to choose an epoch or to "
            "test. So the weights learned nothing of it, and the request is done when the data hold it no longer."
        ]
    if has_gold(records) and not rows:
        return [
            "Beside the original stands the gold model alone: a model trained again from scratch without the forgotten "
            "part. So nothing of that part can be in its weights, and no comparison is needed to show that."
        ]
    if best is None and rows and all(_is_exact(row) for row in rows):
        return [
            "What the forgotten part had a hand in was trained again from scratch without it, as a gold model is. So "
            "nothing of that part can be in the weights, and no comparison is needed to show that."
        ]
    if not has_gold(records) or best is None:
        return [
            "No model was trained again without the forgotten part (no gold model), or nothing can be compared with "
            "it. So this page can say what was done and how good the model still is, but not whether it forgot enough."
        ]
    count = len(rows) - len(best.left_out)
    whole = f"Of the {count} methods compared, {best.row}" if count > 1 else f"The unlearned model ({best.row})"
    verb = "answers most like" if count > 1 else "was compared with"
    found = [f"{whole} {verb} the gold model: a model trained again from scratch without the forgotten part."]
    row = next(row for row in rows if row.name == best.row)
    found.append(_beside_floor(best, _is_exact(row)))
    return [*found, *_no_power(records, best), *_cautions(records, row)]


def _is_exact(row: Row) -> bool:
    """Return whether the method of a row is exact by construction."""
    return any(note.startswith(EXACT) for note in row.notes)


def _beside_floor(best: Closest, exact: bool) -> str:
    floor, never = best.floor, "a model that never saw the forgotten part"
    mine = f"Its {best.measure}"
    if floor is None:
        return f"{mine} cannot be judged: a second gold model, which says how much is chance, was not trained."
    if best.divergence <= floor:
        told = f"on this measure it cannot be told from {never}"
        return f"{mine} is no larger than that between two gold models ({floor:.4f}): {told}."
    told = f"it answers otherwise than gold, but is {never}, too" if exact else f"it can still be told from {never}"
    return f"{mine} is larger than that between two gold models ({floor:.4f}): {told}."


def _no_power(records: Sequence[Record], best: Closest) -> list[str]:
    """Return that the measure cannot show forgetting, where both best and original are as near as another gold is."""
    original = _original_far(records)
    if best.floor is None or original is None or max(best.divergence, original) > best.floor:
        return []
    return [
        "But this measure cannot show whether anything was forgotten: the original, which has not forgotten this part, "
        f"is no further from gold than another gold model ({original:.4f}). Too little is deleted, or chance is too "
        "large."
    ]


def _original_far(records: Sequence[Record]) -> float | None:
    """Return how far the original lies from gold, as rows are compared; None where that is not known."""
    far = gold_distances(records)
    return next((far[row.name][0] for row in rows_of(records) if row.kind == "original" and row.name in far), None)


def _cautions(records: Sequence[Record], row: Row) -> list[str]:
    """Return what speaks against taking the closest row as it is."""
    found = []
    for words, sentence in (_forgetting(records, row), _attack(records, row)):
        if words in AGAINST:
            found.append(f"But: {sentence}")
    if any(note.startswith(KNOWN_WEIGHTS) for note in row.notes):
        found.append(
            "But: this method leaves weights of the model as they were, and they still hold what they learned from the "
            "forgotten part; see its note. For a request to erase, choose a method that changes the weights."
        )
    return found


def judgements(records: Sequence[Record]) -> list[Judgement]:
    """Return every method in words, in table order."""
    return [_judgement(records, row) for row in rows_of(records) if row.kind == "method"]


def _judgement(records: Sequence[Record], row: Row) -> Judgement:
    forgetting, quality = _forgetting(records, row), _quality(records, row.name)
    closeness, time = _closeness(records, row.name), _time(records, row)
    told = [forgetting[1], quality[1], _attack(records, row)[1], closeness[1], time[1]]
    notes = [note[0].upper() + note[1:] for note in row.notes]
    sentences = tuple(sentence for sentence in (*told, *notes) if sentence)
    return Judgement(row.name, forgetting[0], quality[0], closeness[0], time[0], sentences)


def _forgetting(records: Sequence[Record], row: Row) -> tuple[str, str]:
    metric = forgetting_metric(records)
    found = None if metric is None else difference(records, row.name, metric)
    if metric is None or found is None:
        return "not known", ""
    beyond = FORGETTING[metric] * found.by
    holes = metric in ("forgotten_accuracy", "forgotten_auc") and any(note.startswith(HOLES) for note in row.notes)
    if any(note.startswith(LABELS_KEPT) for note in row.notes):
        return _of_labelled(found)
    if found.as_gold and holes:
        return "as gold, as holes do", (
            f"On the forgotten part it behaves as gold does ({found.figures()}; {found.apart()}), but deleted nodes "
            "are holes by now, without features and edges, for which a model that still knows them answers so, too."
        )
    if found.as_gold and _original_as_gold(records, metric):
        return f"as gold, {AS_ORIGINAL}", (
            f"On the forgotten part it behaves as gold does ({found.figures()}; {found.apart()}), but so does the "
            "original, which has not forgotten it: this score cannot show whether that part was forgotten."
        )
    if found.as_gold and blind(records):
        return "not too little", (
            f"On the forgotten part it behaves as gold does ({found.figures()}; {found.apart()}), but a model "
            "that went much further could not be told from gold there."
        )
    if found.as_gold:
        return "as gold", f"On the forgotten part it behaves as gold does ({found.figures()}; {found.apart()})."
    if found.on_both_sides:
        return "now more, now less", (
            "On the forgotten part it behaves as gold does on average, but single runs go further than gold, or less "
            f"far, by more than another gold model would ({found.figures()}; {found.apart()})."
        )
    if _is_exact(row):
        return "not known" if found.noise is None else "unlike gold", (
            f"On the forgotten part it behaves otherwise than gold ({found.figures()}; {found.apart()}), but was "
            "trained without that part, too."
        )
    if found.noise is None:
        side = "more" if beyond > 0 else "less"
        return "not known", f"It forgot {side} than gold ({found.figures()}), but {found.apart()}."
    if beyond > 0:
        return "too much", (
            f"It went further than gold on the forgotten part ({found.figures()}; {found.apart()}). Such "
            "over-forgetting can itself give away that something was deleted."
        )
    return "too little", (
        f"It still treats the forgotten part more like something it knows than gold does ({found.figures()}; "
        f"{found.apart()})."
    )


def _of_labelled(found: Difference) -> tuple[str, str]:
    """Return what the accuracy on nodes says of which edges or features alone are forgotten."""
    nodes = "The nodes whose edges or features are forgotten"
    if found.as_gold:
        return "as gold, as kept nodes do", (
            f"{nodes} are recognised as by gold ({found.figures()}; {found.apart()}), but they keep their labels: this "
            "shows little of whether the edges or features are forgotten."
        )
    if found.noise is None:
        return "not known", f"{nodes} are recognised otherwise than by gold ({found.figures()}), but {found.apart()}."
    return "other than gold", (
        f"{nodes} are recognised otherwise than by gold ({found.figures()}; {found.apart()}). They keep their labels, "
        "so this does not say whether the edges or features are known still."
    )


def _original_as_gold(records: Sequence[Record], metric: str) -> bool:
    originals = [row.name for row in rows_of(records) if row.kind == "original"]
    found = [difference(records, name, metric) for name in originals]
    return any(one is not None and one.as_gold for one in found)


def _quality(records: Sequence[Record], row: str) -> tuple[str, str]:
    metric = next((name for name in UTILITY if any(name in r.values for r in records if r.row == row)), None)
    found = None if metric is None else difference(records, row, metric)
    if metric is None or found is None:
        return "not known", "" if metric is None else _beside_original(records, row, metric)
    if found.as_gold:
        return "as gold", f"It is as good as gold on test data ({found.figures()}; {found.apart()})."
    if found.on_both_sides:
        return "as gold on average", (
            f"It is as good as gold on test data on average, in single runs better or worse ({found.figures()}; "
            f"{found.apart()})."
        )
    side = "better" if found.by > 0 else "worse"
    words = side if found.noise is not None else "not known"
    return words, f"It is {side} than gold on test data ({found.figures()}; {found.apart()})."


def _beside_original(records: Sequence[Record], row: str, metric: str) -> str:
    """Return how good a row is where there is no gold to say how good it should be."""
    shown_rows = [one for one in rows_of(records) if one.name == row or one.kind == "original"]
    means = {one.name: one.mean(metric) for one in shown_rows}
    shown = [f"{name} {METRICS[metric].show(mean)}" for name, mean in means.items() if mean is not None]
    return f"On test data: {METRICS[metric].label} {', '.join(shown)}."


def _attack(records: Sequence[Record], row: Row) -> tuple[str, str]:
    found = next((d for d in (difference(records, row.name, name) for name in ATTACKS) if d is not None), None)
    if found is None:
        return "not known", ""
    same = "as gold does" if found.as_gold else "other than gold does"
    sentence = (
        "Against an attacker who guesses from its answers what it was trained on, it stands "
        f"{same} ({found.figures()}; {found.apart()})."
    )
    unsure = found.noise is None or found.on_both_sides or _is_exact(row)
    return "as gold" if found.as_gold else "not known" if unsure else "other than gold", sentence


def _closeness(records: Sequence[Record], row: str) -> tuple[str, str]:
    far = gold_distances(records)
    if row not in far:
        return "not known", ""
    floors = [far[r.name][0] for r in rows_of(records) if r.kind == "floor" and r.name in far]
    mine = f"Its answers lie {far[row][0]:.4f} from gold's"
    if not floors:
        return "not known", f"{mine}; how far two gold models lie apart is not known."
    apart = f"two gold models lie {floors[0]:.4f} apart"
    if far[row][0] > floors[0]:
        return "further than noise", f"{mine}; {apart}."
    original = _original_far(records)
    if original is None or original > floors[0]:
        return "within noise", f"{mine}; {apart}."
    return f"within noise, {AS_ORIGINAL}", f"{mine}; {apart}, and the original lies {original:.4f} from gold."


def _time(records: Sequence[Record], row: Row) -> tuple[str, str]:
    mine = row.mean("seconds")
    gold = next((r.mean("seconds") for r in rows_of(records) if r.kind == "gold"), None)
    if mine is None:
        return "not known", ""
    took = f"It took {_seconds(mine)}"
    if not gold:
        return _seconds(mine), f"{took}."
    return f"{_share(mine / gold)} of gold's", f"{took}; training gold took {_seconds(gold)}."


def _seconds(value: float) -> str:
    return "less than 0.01 seconds" if value < 0.01 else f"{value:,.2f} seconds"


def _share(value: float) -> str:
    return "under 0.1 %" if value < 0.001 else f"{100 * value:.1f} %" if value < 0.1 else f"{100 * value:,.0f} %"
