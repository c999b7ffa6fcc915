"""Ask the recommender in a folder for items."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.id_lookup import Id
from graphforget.experiments.own_task import Place, read_unlearned, same_task, source_of
from graphforget.experiments.own_unlearning import DELETION
from graphforget.experiments.store import read_model
from graphforget.models.recommending import recommend
from graphforget.tasks.base import Forgotten
from graphforget.tasks.recommend import Recommendation


@dataclass(frozen=True)
class Advice:
    """The items for one user, best first; note says what is to be known of the user."""

    user: Id
    items: list[Id]
    scores: list[float]
    note: str = ""


def advise(folder: Path, place: Place, users: list[str], k: int, delete: Path | None = None) -> list[Advice]:
    """Return the best `k` items for each user, in the user's own ids.

    An unlearned model answers from the data without the forgotten part and offers no forgotten item.

    Parameters
    ----------
    folder: model folder, as `train_model` or `unlearn_model` writes it.
    place: where its data are, if not where they were in training.
    delete: what an unlearned model forgot, unless its folder holds the deletion.

    Raises DataError when the data or the deletion are not the model's, or a user is unknown; UnsupportedError for a
    model that is no recommender.
    """
    model = read_model(folder)
    source = source_of(folder, place)
    task = same_task(folder, source.load())
    if not isinstance(task, Recommendation):
        raise UnsupportedError(f"{folder}: a {model.name} of a {task.name} task has no items to recommend.")
    gone = _forgotten(folder, task, delete, source.columns)
    retained = task if gone is None else task.without(gone)
    exclude = [] if gone is None else task.graph.item_ids_of(task.parted(gone.nodes)[1])
    items, scores = recommend(model, retained, users, k, exclude)
    data = retained.graph
    numbers = data.index_of_users(users)
    notes = [_note(task, gone, number, data.user_degrees[number]) for number in numbers]
    return [Advice(*row) for row in zip(data.user_ids_of(numbers), items, scores, notes, strict=True)]


def _forgotten(
    folder: Path, task: Recommendation, delete: Path | None, columns: Mapping[str, str] | None
) -> Forgotten | None:
    """Return what the model forgot, or None; raises DataError when that is not known, or is something else."""
    facts = read_unlearned(folder)
    if facts is None:
        if delete is not None:
            raise UsageError(f"--delete: the model in {folder} has forgotten nothing. Leave it out.")
        return None
    file = delete or folder / DELETION
    if delete is None and not file.is_file():
        raise DataError(
            f"{folder}: this model has forgotten something that its data still hold, and the folder does not say what. "
            f"Give the deletion with --delete FILE (or unlearn with --keep-deletion, which keeps it as {DELETION})."
        )
    gone = task.resolve(Deletion.read(file, columns=columns))
    if gone.digest != facts.get("deletion"):
        raise DataError(f"{file}: not the deletion that the model in {folder} has forgotten. Give that one.")
    return gone


def _note(task: Recommendation, gone: Forgotten | None, number: int, left: int) -> str:
    if gone is not None and number in task.parted(gone.nodes)[0]:
        return "forgotten: the model knows nothing of this user"
    return "" if left else "no interactions: the model knows nothing of this user"


def listed_users(text: str) -> list[str]:
    """Return the ids in a text like "12,40"; raises UsageError for an empty one."""
    users = [part.strip() for part in text.split(",")]
    if not all(users):
        raise UsageError(f"--users must list ids with commas between, as 12,40; got '{text}'.")
    return users
