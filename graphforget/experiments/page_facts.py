"""What a page says beside the numbers: what was asked, what was done, with what, and where the models lie."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from graphforget._core.errors import DataError, GraphforgetError
from graphforget._core.words import counted
from graphforget.data.deletion import Deletion
from graphforget.data.deletion_files import KINDS
from graphforget.evaluation.page import NARROW, Facts, Picture
from graphforget.evaluation.plots.trajectory import metrics_in
from graphforget.experiments.figures import map_of, trajectories_of
from graphforget.experiments.request import COMMANDS
from graphforget.experiments.sources import Found

DRAWN = {"fraction": "share", "count": "number", "pool": "pool", "sampling": "sampling"}
WAY = "What was measured while each method worked, epoch by epoch; the level lines are the original and gold."
MAP = (
    "Every point is a node, laid out in the two directions in which the original's embeddings vary most; the forgotten "
    "part is marked. After unlearning it should lie as under gold."
)
WHERE = {
    "in": "inside the 2-hop neighbourhood of the anchor edges",
    "out": "outside the 2-hop neighbourhood of the anchor edges",
    "any": "all training edges",
}
ROWS_MOVED = "embedding rows of the deleted users and items moved by"
ROWS_ANEW = "0 %: they are the original's; drawn anew, as long as before, about 140 %"
FILES = {"file": "named by the file", "users_file": "users named by", "items_file": "items named by"}


def facts_of(source: Found, command: str = "", command_note: str = "", with_ids: bool = False) -> Facts:
    """Return what is known of a source besides its report.

    Parameters
    ----------
    command, command_note: what runs it again, and what to know of that.
    with_ids: also what was deleted, by id. Else no id of anything deleted is in the facts.

    Raises DataError where ids are asked for and the source does not hold them.
    """
    if source.plan is not None:
        asked, done = _asked(source.plan), _done(source.plan)
    elif source.receipt is not None:
        asked, done = _asked_once(source.receipt), _done_once(source.receipt)
    else:
        asked, done = {}, {}
    ids = {name: _listed(deletion) for name, deletion in source.ids().items()} if with_ids else {}
    known = {"command_note": command_note} if command_note else {}
    drawn, absent = _pictures(source)
    return Facts(asked, done, source.environment, command, pictures=drawn, absent=absent, ids=ids, **known)


def _asked(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return what a comparison was asked for; DataError where the plan is not whole."""
    try:
        request, setup = plan["request"], plan["setup"]
        found = {"to be forgotten": COMMANDS.get(request["kind"], request["kind"])}
        found |= {words: str(request[key]) for key, words in DRAWN.items() if request.get(key) is not None}
        if request.get("where"):
            found["drawn from"] = WHERE.get(request["where"], str(request["where"]))
        found |= {words: str(request[key]) for key, words in FILES.items() if request.get(key)}
        if request.get("classes"):
            found["classes"] = ", ".join(map(str, request["classes"]))
        if request.get("modality"):
            found["modality"] = str(request["modality"])
        found["how it was chosen"] = _chosen(request)
        return found | {"data": str(setup["source"]["data"]), "task": str(setup["task"])}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"The plan of this run is not whole ({error!r}). Repeat the comparison.") from error


def _chosen(request: Mapping[str, Any]) -> str:
    """Return how the deleted part was chosen, in words."""
    if not _is_drawn(request):
        return "named by the request"
    sampling = request.get("sampling") or "random"
    return "drawn at random" if sampling == "random" else f"by the sampling scheme '{sampling}'"


def _is_drawn(request: Mapping[str, Any]) -> bool:
    return request.get("fraction") is not None or request.get("count") is not None


def _done(plan: Mapping[str, Any]) -> dict[str, str]:
    """Return how a comparison went about it."""
    try:
        setup, seeds = plan["setup"], plan["seeds"]
        found = {
            "model": f"{setup['backbone']} ({_settings(setup['architecture'])})",
            "training of original and gold": _settings(setup["recipe"]),
            "methods": ", ".join(plan["methods"]),
            "runs": f"{counted(len(seeds), 'seed')} ({', '.join(map(str, seeds))})",
            "gold models in each run": str(plan["gold_runs"]),
            "membership attack": "run" if plan["attack"] else "not run",
        }
        return found | {f"settings of {name}": _settings(of) for name, of in plan["methods"].items() if _settings(of)}
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"The plan of this run is not whole ({error!r}). Repeat the comparison.") from error


def _settings(of: Mapping[str, Any]) -> str:
    return ", ".join(f"{key} {value}" for key, value in of.items() if value is not None and key != "method")


def _asked_once(receipt: Mapping[str, Any]) -> dict[str, str]:
    """Return what an own model was asked to forget: how much, and its digest; the receipt names no deleted thing."""
    try:
        deletion, data = receipt["deletion"], receipt["data"]
        counts = {f"{name.replace('_', ' ')} taken": _value(n) for name, n in receipt["counts"].items() if n}
        before = enumerate(receipt.get("earlier", ()), 1)
        earlier = {f"forgotten earlier ({n})": f"{one['what']}, digest {one['deletion']}" for n, one in before}
        return {
            "to be forgotten": str(deletion["what"]),
            "digest of the request": str(deletion["digest"]),
            **counts,
            "data": str(data["name"]),
            "digest of the data before": str(data["before"]),
            **earlier,
        }
    except (KeyError, TypeError, AttributeError) as error:
        raise DataError(f"The receipt is not whole ({error!r}). Unlearn again.") from error


def _value(number: Any) -> str:
    if isinstance(number, Mapping):
        return ", ".join(f"{name} {_value(one)}" for name, one in number.items())
    return f"{number:,}" if isinstance(number, int) else f"{number:.4g}" if isinstance(number, float) else str(number)


def _done_once(receipt: Mapping[str, Any]) -> dict[str, str]:
    try:
        return {
            "method": f"{receipt['method']['method']} ({_settings(receipt['method']) or 'no settings'})",
            "task": str(receipt["task"]),
            "parameters moved by": f"{100 * receipt['parameter_change']:.3g} % of their norm",
            **_rows_moved(receipt),
            "seconds": f"{receipt['seconds']:,.2f}",
            "digest of the data after": str(receipt["data"]["after"]),
            "pairs in the data after": _value(receipt["data"]["edges_after"]),
        }
    except (KeyError, TypeError, AttributeError, ValueError) as error:
        raise DataError(f"The receipt is not whole ({error!r}). Unlearn again.") from error


def _rows_moved(receipt: Mapping[str, Any]) -> dict[str, str]:
    """Return how far the rows of deleted users and items moved, where the receipt has it."""
    moved = receipt.get("forgotten_rows_change")
    return {} if moved is None else {ROWS_MOVED: f"{100 * moved:.3g} % of their norm ({ROWS_ANEW})"}


def _listed(deletion: Deletion) -> list[str]:
    """Return every id that a deletion names, with its kind."""
    found = []
    for kind in KINDS:
        parts: Sequence[Any] = getattr(deletion, kind)
        found += [f"{kind}: {' – '.join(map(str, p)) if isinstance(p, list | tuple) else p}" for p in parts]
    return found


def _pictures(source: Found) -> tuple[list[Picture], list[str]]:
    """Return the pictures that a source allows besides those of its records, and why one is missing."""
    found, absent = [], []
    if metrics_in(source.histories):
        figure = trajectories_of(source, width=NARROW, titled=False)
        found.append(Picture("Along the way", figure, WAY))
    if source.folder is not None or source.runs:
        try:
            found.append(Picture("Where the forgotten part lies", map_of(source, width=NARROW, titled=False), MAP))
        except GraphforgetError as error:  # the data or a model may be gone: the numbers stand without the map
            absent.append(f"No map of the embeddings: {error}")
    return found, absent
