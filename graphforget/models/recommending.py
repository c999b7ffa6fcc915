"""What a trained recommender tells a user: the best items, in the user's own ids."""

from __future__ import annotations

import copy
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget._core.numeric import is_integer
from graphforget._core.threads import one_torch_thread
from graphforget.data.id_lookup import Id
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.recommend import Recommendation


@dataclass(frozen=True, eq=False)
class Answers:
    """What an unlearned model answers from, in memory only: no model folder holds it.

    Attributes
    ----------
    before: digests of the data that still held a part that this model has forgotten, by now or earlier.
    retained: the task without it.
    graph: what messages pass over: the retained data, unless the weights alone forget.
    offered: (n_items,) mask of the items that were not forgotten.
    """

    before: frozenset[str]
    retained: Recommendation
    graph: Interactions
    offered: np.ndarray

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        """Return the same value: copies of the model answer from the same data."""
        del memo
        return self


def answer_from(model: Model, earlier: Answers | None, task: Task, retained: Task, graph: Any, gone: Forgotten) -> None:
    """Let an unlearned recommender answer from `graph` and hide retained pairs, also when asked on a task before.

    earlier: the answers of the model that was unlearned, which may have forgotten something itself.
    """
    if isinstance(task, Recommendation) and isinstance(retained, Recommendation):
        offered = np.ones(task.graph.n_items, dtype=bool) if earlier is None else earlier.offered.copy()
        offered[task.parted(gone.nodes)[1]] = False
        before = frozenset() if earlier is None else earlier.before
        model.answers = Answers(before | {task.graph.digest}, retained, graph, offered)


def recommend(
    model: Model, task: Recommendation, users: Sequence[Id], k: int = 20, exclude: Sequence[Id] = ()
) -> tuple[list[list[Id]], list[list[float]]]:
    """Return the best items of each user, best first, in the user's own ids, and their scores.

    Left out are the items the user has already, as the task's `mask` says. A model that came from `unlearn` offers no
    item that it has forgotten, and answers from the retained data, also when it is given a task that still holds a
    forgotten part. One that was loaded from a folder knows nothing of that: give it the retained task, and `exclude`.
    A forgotten user is answered, too, from what the method left of the row: leave such users out.

    Parameters
    ----------
    users: the user's own ids, in any order.
    k: length of each list; it is shorter where fewer items are left.
    exclude: ids of items that are not on offer.

    Raises UsageError for an impossible k, DataError for an unknown user or item, UnsupportedError for what is no
    recommender.
    """
    if not isinstance(task, Recommendation):
        raise UnsupportedError(f"A {task.name} task has no users and items; give a Recommendation task.")
    data = task.graph
    if not is_integer(k, 1):
        raise UsageError(f"recommend: 'k' must be an integer of at least 1; got {k!r}.")
    k, wanted = int(k), list(users) if isinstance(users, Iterable) and not isinstance(users, str) else []
    if not wanted:
        raise UsageError(f"recommend: 'users' must list at least one id; got {users!r}.")
    offered = np.ones(data.n_items, dtype=bool)
    offered[data.index_of_items(list(exclude))] = False
    answers, graph = model.answers, data
    if answers is not None and data.digest in answers.before:
        task, graph = _with_options(answers.retained, task), answers.graph
    if answers is not None and _same_items(data, answers.retained.graph):
        offered &= answers.offered
    if not offered.any():
        raise DataError("recommend: every item is excluded, so nothing can be recommended. Exclude fewer.")
    with one_torch_thread():
        z = model.embed(graph)
    ids, scores = task.rank(
        z, data.index_of_users(wanted), min(k, data.n_items), candidates=None if offered.all() else offered
    )
    there = [row >= 0 for row in ids]
    items = [data.item_ids_of(row[mask]) for row, mask in zip(ids, there, strict=True)]
    return items, [row[mask].tolist() for row, mask in zip(scores, there, strict=True)]


def _same_items(one: Interactions, other: Interactions) -> bool:
    """Return whether the numbers of items mean the same items."""
    if one.item_ids is None or other.item_ids is None:
        return one.item_ids is other.item_ids and one.n_items == other.n_items
    return np.array_equal(one.item_ids, other.item_ids)


def _with_options(retained: Recommendation, asked: Recommendation) -> Recommendation:
    """Return the retained task with the mask of the task that was asked."""
    task = copy.copy(retained)
    task.mask = asked.mask
    return task
