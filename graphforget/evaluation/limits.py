"""What the evidence of a report does not show, in plain sentences."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from graphforget.evaluation.plain import ATTACKS, has_gold
from graphforget.evaluation.records import OTHER_START, OWN_RECIPE, Record, rows_of
from graphforget.evaluation.verdict import listed

QUALITIES = ("mi_attacker_quality", "pair_mi_quality")


def limits(records: Sequence[Record]) -> list[str]:
    """Return what the evidence does not show."""
    seeds = sorted({record.seed for record in records})
    found = [
        "Measured is how models answer, on the data at hand. Answers like gold's do not prove that no trace is left in "
        "the weights; only training again without the forgotten part rules that out by construction.",
        "This page speaks of a model. The data themselves, copies, logs and earlier models, the original among them, "
        "still hold the forgotten part until they are erased, too.",
    ]
    if len(seeds) == 1:
        found.append("One run was made (one seed), so how far chance moves these numbers is not known.")
    else:
        found.append(f"Numbers are means over {len(seeds)} runs that differ in their random seed; ± is their spread.")
        found += _fewer_runs(records, len(seeds))
    if has_gold(records) and not any(record.kind == "floor" and record.values for record in records):
        found.append("One gold model was trained, so how far two gold models lie apart (the noise floor) is not known.")
    if _noted(records, "gold", OWN_RECIPE):
        found.append(
            "How the original was trained is not known, so gold was trained by the default recipe. Where that is not "
            "the original's, a distance to gold measures this difference, too, and a verdict on it says little."
        )
    if _noted(records, "floor", OTHER_START):
        found.append(
            "The second gold model started from other initial weights than the first, so that the noise floor is wide: "
            "a model that stays near the original can lie within it more easily than gold trained again."
        )
    return [*found, _attack_limits(records)]


def _noted(records: Sequence[Record], kind: str, beginning: str) -> bool:
    """Return whether a note of the rows of a kind begins so."""
    notes = [line for record in records if record.kind == kind for line in record.note.splitlines()]
    return any(note.startswith(beginning) for note in notes)


def _fewer_runs(records: Sequence[Record], seeds: int) -> list[str]:
    """Return which rows are means over fewer runs than there are: a method may give no model with some seeds."""
    runs = {row.name: sum(r.row == row.name and bool(r.values) for r in records) for row in rows_of(records)}
    fewer = [f"{name} ({count} of {seeds})" for name, count in runs.items() if 0 < count < seeds]
    return [f"Fewer runs stand behind {listed(fewer)}: beside rows of other runs, chance counts more."] if fewer else []


def _attack_limits(records: Sequence[Record]) -> str:
    if not any(name in record.values for record in records for name in ATTACKS):
        return "No membership attack was run."
    found = [record.values[name] for record in records for name in QUALITIES if name in record.values]
    quality = ""
    if found:
        quality = (
            " On answers it was not fitted on, the attack tells members from others with an AUC of "
            f"{np.mean(found):.2f} (0.5 is guessing)."
        )
    return f"One kind of membership attack was run; a stronger one may find more.{quality}"
