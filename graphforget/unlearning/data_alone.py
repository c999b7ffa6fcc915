"""Deletions of data that no model was trained on: held-out pairs and edges, and who has no others."""

from __future__ import annotations

import numpy as np

from graphforget.data.graph import Features
from graphforget.data.interactions import Interactions
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.recommend import Recommendation

NOTHING_TRAINED = "nothing that the model was trained on is named"
"""How the receipt, and a note of the report, begin to say that a deletion took data alone."""


def takes_data_alone(task: Task, gone: Forgotten, retained: Task | None = None) -> bool:
    """Return whether a deletion names nothing that a model was trained on, but takes something from the data.

    Such are pairs and edges of validation and test, and users and items without a training pair. The weights hold
    nothing of them (validation at most helped to choose the epoch), so the deletion is carried out when the data no
    longer hold them. A deletion that changes the graph in any way is none of these.

    Parameters
    ----------
    task: with the forgotten part; retained: without it, or None to make it here.
    """
    named = gone.held_out.size or (isinstance(task, Recommendation) and gone.nodes.size)
    if gone.count or gone.edges.size or not named:
        return False
    return same_graph(task, task.without(gone) if retained is None else retained)


def said_of_weights(task: Task, gone: Forgotten, changed: bool) -> str:
    """Return what the receipt says of the weights after a deletion of data alone."""
    nothing = "nothing of it"
    if len(gone.nodes) > gone.n_users:  # an item that nobody chose stands among the negatives
        nothing += " but that no user chose the items"
    now = f"held {nothing} before this method changed them" if changed else f"hold {nothing} and were not changed"
    earlier = "" if task.whole else "; what earlier deletions left in them depends on the methods of those"
    return f"{NOTHING_TRAINED} ({gone.describe()}), so the weights {now}{earlier}."


def same_graph(task: Task, retained: Task) -> bool:
    """Return whether the retained graph holds the same edges, features, triples and modalities as the graph before."""
    before, after = task.graph, retained.graph
    if isinstance(before, Interactions):
        return before.n_edges == after.n_edges and _same_side(before, after)
    return before.n_edges == after.n_edges and _same_features(before.features, after.features)


def _same_side(before: Interactions, after: Interactions) -> bool:
    facts = [None if data.triples is None else data.triples.digest for data in (before, after)]
    same = all(np.array_equal(values, after.modalities[name]) for name, values in before.modalities.items())
    return facts[0] == facts[1] and same


def _same_features(before: Features | None, after: Features | None) -> bool:
    if before is None or after is None or before is after:
        return before is after
    difference = abs(before - after)
    return not difference.max()
