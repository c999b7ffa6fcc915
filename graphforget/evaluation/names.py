"""Names of a report and its rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

import numpy as np

from graphforget._core.words import counted
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.resolve_interactions import EVERY_ITEM
from graphforget.evaluation.records import EXACT, HELD_NOTHING, KNOWN_WEIGHTS, OWN_RECIPE, WEIGHTS_ONLY
from graphforget.models.adapter import Adapter
from graphforget.models.edited import Edited, under_operators
from graphforget.models.shifted import Shifted
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.embedding_rows import TABLES, table_rows
from graphforget.unlearning.run import Result

TASKS = {"link": "Link prediction", "node": "Node classification", "recommend": "Recommendation"}
SINGLE = {
    **{"edges": "edge", "nodes": "node", "classes": "class", "features": "node"},
    **{"users": "user", "items": "item", "interactions": "interaction", "triples": "triple", "modalities": "item"},
}


def title(result: Result) -> str:
    """Return one line on task, data, model and deletion that is the same for every seed."""
    problem = f"{TASKS[result.task.name]} on {result.task.graph.name} ({result.task.protocol()})"
    return f"{problem}, {result.original.name}, {amount(result.deletion)} forgotten"


def amount(deletion: Deletion) -> str:
    """Return how much of each kind a deletion names; what is listed twice counts once.

    Example
    -------
    >>> amount(Deletion(users=[3, 4], items=["a"]))
    '2 users and 1 item'
    """
    named = {kind: deletion.distinct(kind) for kind in SINGLE}
    return " and ".join(_amount(kind, parts) for kind, parts in named.items() if parts)


def _amount(kind: str, parts: Sequence[Any]) -> str:
    if kind == "modalities":
        return " and ".join(_modality(name, parts) for name in sorted({name for name, _ in parts}))
    return f"{'features of ' if kind == 'features' else ''}{counted(len(parts), SINGLE[kind])}"


def _modality(name: str, parts: Sequence[tuple[str, Any]]) -> str:
    items = {item for modality, item in parts if modality == name}
    return f"modality {name} of {'every item' if EVERY_ITEM in items else counted(len(items), 'item')}"


def caveats(result: Result) -> list[str]:
    """Return what a reader must know of a method before comparing its row."""
    notes = [
        "reconstructed: what its authors made public does not settle it in full; its description says what is ours."
    ]
    notes = notes if "reconstructed" in result.method.source else []
    if "ours" in result.method.source:
        notes.append(f"in part our own design ({result.method.source}).")
    if result.graph is not result.retained.graph:
        notes.append(f"{WEIGHTS_ONLY}: it answers from the graph before the deletion, forgotten part included.")
    if result.details.get("shards") and result.details["shards_touched"] == result.details["shards"]:
        notes.append("every shard lost data and was trained anew, so shards save no time here.")
    if result.method.exact and not result.method.leaks:
        notes.append(f"{EXACT}: what the forgotten part had a hand in was trained again without it.")
    if result.data_alone:
        notes.append(result.data_alone)
    elif result.held_nothing:
        notes.append(HELD_NOTHING)
    elif "weights" not in result.method.changes:
        notes.append(f"{KNOWN_WEIGHTS}: they still hold what they learned from the forgotten part.")
    elif isinstance(result.model, Edited | Shifted):
        notes.append(
            f"{KNOWN_WEIGHTS} beneath what was learned: the folder holds the original's, forgotten rows included."
        )
    elif kept := _kept_rows(result):
        notes.append(f"{KNOWN_WEIGHTS} for {kept} of the deleted users and items: their rows are the original's.")
    elif kept := _kept_inputs(result):
        notes.append(
            f"{KNOWN_WEIGHTS} for {kept:,} of the input features that no retained node has: their rows are the "
            "original's."
        )
    return notes


def gold_caveats(gold: Result) -> list[str]:
    """Return what a reader must know of a gold run: that it is the original, or trained by another recipe."""
    return [*([HELD_NOTHING] if gold.held_nothing else []), *_recipe_caveats(gold)]


def _recipe_caveats(gold: Result) -> list[str]:
    """Return what there is to say where the original was trained elsewhere, by an unknown recipe."""
    if gold.original.provenance is not None or gold.model.provenance is None:
        return []
    made = gold.model.provenance.recipe
    return [
        f"{OWN_RECIPE} (epochs={made.epochs}, lr={made.lr:g}), for the original does not say by which it "
        "was: what differs for that reason is no forgetting."
    ]


def _kept_rows(result: Result) -> int:
    """Return how many deleted users and items have an embedding row that is the original's, byte for byte."""
    before, after = under_operators(result.original), under_operators(result.model)
    if not len(result.gone.nodes) or not isinstance(result.task, Recommendation) or type(before) is not type(after):
        return 0
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    kept: set[int] = set()
    for name, rows in table_rows(before, result.gone.nodes, result.task.graph.n_users, TABLES).items():
        if name in new and new[name].shape == old[name].shape:
            same = (old[name].cpu()[rows.cpu()] == new[name].cpu()[rows.cpu()]).all(dim=1)
            first = TABLES[name] * result.task.graph.n_users
            kept |= {first + int(row) for row in rows.cpu()[same]}
    return len(kept)


def _kept_inputs(result: Result) -> int:
    """Return how many features that only deleted nodes had still have the original's weights, byte for byte.

    The weights are those of the first matrix of which one side is as long as the features are many.
    """
    before, after = under_operators(result.original), under_operators(result.model)
    gone = len(result.gone.nodes) + len(result.gone.features)
    if not gone or not isinstance(result.task.graph, Graph) or type(before) is not type(after):
        return 0
    n = result.task.graph.n_features
    only_theirs = _had(result.task.graph) & ~_had(result.retained.graph)
    name = next((name for name, value in before.named_parameters() if value.dim() == 2 and n in value.shape), None)
    new = dict(after.named_parameters()).get(name or "")
    if name is None or new is None or not only_theirs.any():
        return 0
    old = before.get_parameter(name)
    if new.shape != old.shape:
        return 0
    same = (old.detach().cpu() == new.detach().cpu()).numpy()
    ours = same.shape[0] == n and not (same.shape[1] == n and isinstance(before, Adapter))
    return int((same if ours else same.T)[only_theirs].all(axis=1).sum())


def _had(graph: Graph) -> np.ndarray:
    """Return the (n_features,) mask of the features that some node has."""
    x = graph.features
    if x is None or isinstance(x, np.ndarray):
        return np.zeros(0, dtype=bool) if x is None else (x != 0).any(axis=0)
    return np.bincount(x.indices[x.data != 0], minlength=x.shape[1]) > 0


def known(result: Result) -> dict[str, float]:
    """Return what making the model has told: seconds spent once, before any deletion, and shards trained anew."""
    found = {"preparation": result.preparation_seconds} if result.preparation_seconds else {}
    if result.details.get("shards"):
        found["shards_touched"] = result.details["shards_touched"] / result.details["shards"]
    return found


def row_names(results: Sequence[Result]) -> list[str]:
    """Return one name per result: its label, with what sets it apart where labels repeat.

    Results with one label are told apart by the hyper-parameters they differ in, then by their seed, then by number.
    """
    names = [_with_settings(result, _twins(results, result.label)) for result in results]
    names = _told_apart(names, [f"seed={result.seed}" for result in results])
    return _told_apart(names, [f"run {number}" for number in range(1, len(names) + 1)])


def _twins(results: Sequence[Result], label: str) -> list[dict[str, Any]]:
    return [result.method.config() for result in results if result.label == label]


def _with_settings(result: Result, twins: Sequence[dict[str, Any]]) -> str:
    mine = result.method.config()
    differing = [f"{key}={mine[key]}" for key in mine if any(other.get(key) != mine[key] for other in twins)]
    return f"{result.label} ({', '.join(differing)})" if differing else result.label


def _told_apart(names: Sequence[str], marks: Sequence[str]) -> list[str]:
    """Return the names, each followed by its mark where it is not the only one of its kind."""
    counts = Counter(names)
    return [f"{name} [{mark}]" if counts[name] > 1 else name for name, mark in zip(names, marks, strict=True)]
