"""What the model in a folder has forgotten already: its data and its task as they stand now."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import read_json
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.resolve_interactions import resolve_interactions
from graphforget.experiments.own_task import Place, check_there, read_made_for, same_task, source_of
from graphforget.experiments.retained_data import RETAINED, Arrays, arrays_of, read_retained, restored
from graphforget.experiments.setup import Source, task_digest
from graphforget.tasks.base import NO_NODES, Forgotten, Task

WANTED = {"deletion", "method", "data_digest"}


@dataclass(frozen=True)
class Standing:
    """Data and task of a model without all that it has forgotten.

    Attributes
    ----------
    records: what the folder says of every deletion, the first one first.
    deletions: the same in the user's ids; gone: in numbers. Those that the data have lost already are in neither.
    lost: numbers of the nodes that data kept in a model folder have lost; None for data of the user's files.
    """

    data: Graph | Interactions
    task: Task
    records: tuple[dict[str, Any], ...] = ()
    deletions: tuple[Deletion, ...] = ()
    gone: tuple[Forgotten, ...] = ()
    lost: np.ndarray | None = None

    def after(self, deletion: Deletion, record: dict[str, Any]) -> Standing:
        """Return how things stand after one more deletion."""
        gone = self.task.resolve(deletion)
        return replace(
            self,
            data=data_without(self.data, deletion, gone),
            task=self.task.without(gone),
            records=(*self.records, record),
            deletions=(*self.deletions, deletion),
            gone=(*self.gone, gone),
        )

    def nodes(self, name: str = "nodes") -> np.ndarray:
        """Return the numbers that all deletions have in the field `name`: nodes, features or unlabelled."""
        before = self.lost if self.lost is not None and name == "nodes" else NO_NODES
        return np.concatenate([before, *(getattr(gone, name) for gone in self.gone)])

    def retained(self) -> Arrays:
        """Return the data and the split as they stand, as a model folder keeps them."""
        return arrays_of(self.data, self.task, self.nodes())

    @contextmanager
    def looked_up(self) -> Iterator[None]:
        """Say in a DataError from within that data kept in a model folder know nothing of what is forgotten."""
        try:
            yield
        except DataError as error:
            if self.lost is None:
                raise
            raise DataError(
                f"{error} (These are the data that the model folder keeps: what the model has forgotten before is not "
                "in them, nor are its ids.)"
            ) from error

    def check_named(self, deletion: Deletion, file: Path) -> None:
        """Raise DataError when a deletion names ids that an earlier one, where it is known, has named."""
        for kind in ("users", "items", "nodes", "classes"):
            earlier = {str(key) for one in self.deletions for key in getattr(one, kind)}
            again = [key for key in getattr(deletion, kind) if str(key) in earlier]
            if again:
                raise _forgotten_already(file, len(again), kind)

    def check_new(self, gone: Forgotten, file: Path) -> None:
        """Raise DataError when a deletion names features or labels that are forgotten; `resolve` tells the rest."""
        if self.lost is not None and len(gone.features) and self.task.graph.features is not None:
            empty = int((abs(self.task.graph.features[gone.features]).sum(axis=1) == 0).sum())
            if empty:
                raise DataError(
                    f"{file}: {empty:,} of the nodes named have no features in the data that the model folder keeps: "
                    "they have been forgotten already, or there were none. Take them off the list."
                )
        again = np.intersect1d(gone.unlabelled, self.nodes("unlabelled"))
        if len(again):
            raise _forgotten_already(file, len(again), gone.kind)


def _forgotten_already(file: Path, count: int, kind: str) -> DataError:
    return DataError(
        f"{file}: {count:,} of the {kind} named have been forgotten already, by an earlier deletion from this model. "
        "Take them off the list."
    )


def read_unlearned(folder: Path) -> list[dict[str, Any]]:
    """Return what the model folder says of every deletion that the model has forgotten, the first one first."""
    description = read_json(folder / "model.json")
    records = description.get("unlearned", []) if isinstance(description, dict) else None
    if not isinstance(records, list) or not all(isinstance(one, dict) and set(one) >= WANTED for one in records):
        raise DataError(
            f"{folder}/model.json: 'unlearned' does not say what the model has forgotten. Unlearn again from the "
            "model before."
        )
    return records


def deletion_file(number: int) -> str:
    """Return the name of the file that keeps deletion `number` (from 0) beside a model."""
    return f"deletion-{number + 1}.json" if number else "deletion.json"


def standing(folder: Path, place: Place, forgotten: Sequence[Path] = ()) -> Standing:
    """Return data and task of the model in `folder` without all that it has forgotten.

    They are made from the data that the folder keeps, or, where it keeps none or `place` names others, from those that
    the model was trained on.

    Parameters
    ----------
    place: where the data are that the model was trained on, forgotten parts included.
    forgotten: deletion files, in any order; without any, those that the folder holds.

    Raises DataError when the data or the deletions are not the model's, UsageError for deletions of a model that has
    forgotten nothing, and for what says how to read files where none is read.
    """
    records, kept = read_unlearned(folder), read_json(folder / "model.json").get("retained")
    if kept is not None and place.data is None:
        _refuse_unread(place, forgotten)
        return _restored(folder, kept, records)
    if any(record.get("from_retained") for record in records):
        raise DataError(
            f"{folder}: the model forgot a part of data that a model folder kept, and answers from those that this one "
            "keeps. Leave --data out."
        )
    return _replayed(folder, source_of(folder, place), records, forgotten)


def _refuse_unread(place: Place, forgotten: Sequence[Path]) -> None:
    """Raise UsageError for options that mean nothing where the data are those that a model folder keeps."""
    given = {key: value for key, value in vars(place).items() if value is not None and key != "options"}
    stray = next(iter({**given, **{k: v for k, v in (place.options or {}).items() if k != "columns"}}), None)
    if stray is not None or forgotten:
        what = "--forgotten" if stray is None else f"{stray}="
        raise UsageError(
            f"The model folder keeps the data that are left ({RETAINED}), and they are used: {what} means nothing for "
            "them. Leave it out, or name the data that the model was trained on with --data."
        )


def _restored(folder: Path, kept: Any, records: Sequence[dict[str, Any]]) -> Standing:
    """Return how things stand by the data that a model folder keeps; raises DataError when they are not whole."""
    arrays = read_retained(folder)
    try:
        data, task = restored(arrays, read_made_for(folder))
        whole, lost = task_digest(task) == kept["task_digest"], arrays["lost"]
        classes = {"classes": arrays["lost_classes"].astype(np.int64)} if "lost_classes" in arrays else {}
    except (LookupError, TypeError, ValueError, AttributeError) as error:
        raise DataError(f"{folder / RETAINED}: not whole ({error}). Unlearn again from the model before.") from error
    if not whole:
        raise DataError(
            f"{folder / RETAINED}: not the data that the folder speaks of. Unlearn again from the model before."
        )
    task.holes, task.whole = {"nodes": lost, **classes}, False
    return Standing(data, task, tuple(records), lost=lost)


def _replayed(folder: Path, source: Source, records: Sequence[dict[str, Any]], forgotten: Sequence[Path]) -> Standing:
    """Return how things stand after every deletion, made again from the data that the model was trained on."""
    if forgotten and not records:
        raise UsageError(f"--forgotten: the model in {folder} has forgotten nothing. Leave it out.")
    deletions = _given(folder, records, forgotten, source.columns) if forgotten else _kept(folder, records)
    check_there(folder, source)
    data = source.load()
    found = Standing(data, same_task(folder, data))
    for deletion, record in zip(deletions, records, strict=True):
        found = found.after(deletion, record)
        if found.data.digest != record["data_digest"]:
            raise DataError(
                f"{folder}: the data without what was forgotten are not those that the folder speaks of. Unlearn "
                "again from the model before."
            )
    return found


def _kept(folder: Path, records: Sequence[dict[str, Any]]) -> list[Deletion]:
    """Return the deletions that the folder holds."""
    files = [folder / deletion_file(number) for number in range(len(records))]
    if not all(file.is_file() for file in files):
        raise DataError(
            f"{folder}: this model has forgotten a part of the data that it was trained on, and the folder does not "
            f"say which. Give the deletion with --forgotten FILE{' (one for each)' if len(files) > 1 else ''}; unlearn "
            f"with --keep-data, and the folder keeps the data that are left, or with --keep-deletion, and it keeps the "
            f"deletion as {files[0].name}."
        )
    found = [Deletion.read(file) for file in files]
    for file, deletion, record in zip(files, found, records, strict=True):
        if deletion.digest != record["deletion"]:
            raise DataError(f"{file}: not the deletion that the model has forgotten. Give it with --forgotten FILE.")
    return found


def _given(
    folder: Path, records: Sequence[dict[str, Any]], files: Sequence[Path], columns: Mapping[str, str] | None
) -> list[Deletion]:
    """Return the deletions in the user's files, in the order in which they were forgotten."""
    found = {}
    for file in files:
        deletion = Deletion.read(file, columns=columns)
        if deletion.digest not in [record["deletion"] for record in records]:
            raise DataError(f"{file}: not the deletion that the model in {folder} has forgotten. Give that one.")
        found[deletion.digest] = deletion
    missing = sum(record["deletion"] not in found for record in records)
    if missing:
        raise DataError(
            f"{folder}: this model has forgotten {len(records)} deletions, and {missing} of them is not given. Give "
            "every one with a --forgotten of its own."
        )
    return [found[record["deletion"]] for record in records]


def data_without(data: Graph | Interactions, deletion: Deletion, gone: Forgotten) -> Graph | Interactions:
    """Return the user's data without the forgotten part: what may be kept."""
    if isinstance(data, Interactions):
        return resolve_interactions(deletion, data).removed_from(data)
    n = np.int64(data.n_nodes)
    dead = np.concatenate([gone.edges, gone.held_out], axis=1)
    mask = np.isin(data.edges[0] * n + data.edges[1], dead[0] * n + dead[1])
    return data.without(edges=mask, nodes=gone.nodes, features=gone.features, labels=gone.unlabelled)
