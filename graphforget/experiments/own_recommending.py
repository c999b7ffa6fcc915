"""Ask the recommender in a folder for items."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from graphforget._core.devices import AUTO
from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.id_lookup import Id
from graphforget.data.interactions import Interactions
from graphforget.experiments.own_history import Standing, standing
from graphforget.experiments.own_task import Place
from graphforget.models.recommending import recommend
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.unlearning.specs import methods


@dataclass(frozen=True)
class Advice:
    """The items for one user, best first; note says what is to be known of the user."""

    user: Id
    items: list[Id]
    scores: list[float]
    note: str = ""


def advise(
    folder: Path, place: Place, users: list[str], k: int, forgotten: Sequence[Path] = (), device: str = AUTO
) -> list[Advice]:
    """Return the best `k` items for each user, in the user's own ids.

    An unlearned model answers from the data without the forgotten part and offers no forgotten item.

    Parameters
    ----------
    folder: model folder, as `train_model` or `unlearn_model` writes it.
    place: where its data are, if they are neither kept in the folder nor where they were in training.
    forgotten: what an unlearned model forgot, unless its folder holds it.
    device: where embeddings and scores are computed, as `train` names it.

    Raises DataError when the data or the deletion are not the model's, or a user is unknown; UnsupportedError for a
    model that is no recommender.
    """
    model = load_model(folder, device)
    before = standing(folder, place, forgotten)
    task = before.task
    if not isinstance(task, Recommendation):
        raise UnsupportedError(
            f"{folder}: its model ({model.name}) is of a {task.name} task and has no items to recommend."
        )
    data = task.graph
    with before.looked_up():
        numbers = data.index_of_users(users)
        _refuse_placeholders(before, data, users, numbers)
    items, scores = recommend(model, task, users, k, data.item_ids_of(task.parted(before.nodes())[1]))
    notes = [_note(before, number, data.user_degrees[number]) for number in numbers]
    return [Advice(*row) for row in zip(data.user_ids_of(numbers), items, scores, notes, strict=True)]


def _refuse_placeholders(before: Standing, data: Interactions, users: Sequence[Id], numbers: np.ndarray) -> None:
    """Raise DataError for the id that stands for a forgotten user in kept data: it is nobody's."""
    lost = None if data.user_ids is None else before.lost
    for user, number in zip(users, numbers.tolist(), strict=True):
        if lost is not None and number in lost:
            raise DataError(
                f"Interactions '{data.name}' has no user with id '{user}': it stands for one who is forgotten. Take it "
                "off the list."
            )


def _note(before: Standing, number: int, left: int) -> str:
    if number in before.nodes():
        made = {str(record["method"].get("method")) for record in before.records}
        if made <= {cls.name for cls in methods().classes() if cls.exact}:
            return "forgotten: the model was trained without this user"
        return (
            f"deleted by {' and '.join(sorted(made))}: what the model still holds of this user depends on that method"
        )
    if left:
        return ""
    if not before.records:
        return "no interactions: the model knows nothing of this user"
    return "no interactions are left: what the model still holds of this user depends on the deletions before"


def listed_users(text: str) -> list[str]:
    """Return the ids in a text like `12,40`, those with a comma in quotes as in a CSV; raises UsageError for others."""
    try:
        lines = list(csv.reader([text], skipinitialspace=True, strict=True))
    except csv.Error:
        lines = []
    users = [part.strip() for part in lines[0]] if lines else []
    if not users or not all(users):
        raise UsageError(
            f"--users must list ids with commas between, as 12,40, one with a comma in quotes, as '\"Doe, J\",40'; got "
            f"'{text}'."
        )
    return users
