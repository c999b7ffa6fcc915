"""What must be forgotten, in the user's own ids: one value for the API, the command line and the receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, overload

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import atomic_write
from graphforget.data.deletion_files import GRAPH_KINDS, KINDS, as_csv, column_names, json_parts, table_parts
from graphforget.data.formats.table import is_integer
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.resolve import NO_EDGES, Resolved, resolve
from graphforget.data.resolve_interactions import ResolvedInteractions, resolve_interactions

Id = int | str
_LIMIT = 1 << 63
_GROUPS = {
    "edges": (2, "pairs of node ids", "(4, 17)"),
    "interactions": (2, "pairs of a user id and an item id", "(12, 40)"),
    "triples": (3, "triples of head, relation and tail", "(40, 'directed_by', 7)"),
    "modalities": (2, "pairs of a modality and an item id (or '*', every item)", "('image', 40)"),
}
_TOGETHER = ["users", "items"]


def _plain_id(value: Any, kind: str) -> Id:
    """Return an id as a plain int or str; raises UsageError for anything else."""
    value = value.item() if isinstance(value, np.generic) else value
    fits = isinstance(value, int) and not isinstance(value, bool) and -_LIMIT <= value < _LIMIT
    if not fits and not (isinstance(value, str) and value):
        raise UsageError(
            f"Deletion: '{kind}' must hold ids that are integers (64 bits) or text; got {value!r}. Write the ids as "
            "the graph has them."
        )
    return value


def _plain_group(value: Any, kind: str) -> tuple[Id, ...]:
    """Return one edge, interaction, triple or modality as plain ids; raises UsageError for anything else."""
    size, what, example = _GROUPS[kind]
    group = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(group, Sequence) or isinstance(group, str) or len(group) != size:
        raise UsageError(f"Deletion: '{kind}' must hold {what}, as {example}; got {group!r}.")
    plain = tuple(_plain_id(part, kind) for part in group)
    if kind == "edges" and str(plain[0]) == str(plain[1]):
        raise UsageError(
            f"Deletion: the edge ({plain[0]}, {plain[1]}) joins a node to itself; graphs here have no such edge. A "
            "user with an item is no edge but one of `interactions` (in a CSV, under the header user,item)."
        )
    if kind == "modalities" and not isinstance(plain[0], str):
        raise UsageError(f"Deletion: 'modalities' must name a modality first, as {example}; got {group!r}.")
    return plain


def _listed(values: Any, kind: str) -> list[Any]:
    alone = isinstance(values, str | bytes | dict) or getattr(values, "ndim", 1) == 0
    if alone or not isinstance(values, Iterable):
        raise UsageError(f"Deletion: '{kind}' must be a list; got {values!r}. Write [{values!r}] for a single one.")
    return values.tolist() if hasattr(values, "tolist") else list(values)


def _sort_key(value: Id) -> tuple[int, int, str]:
    text = str(value)
    return (0, int(text), "") if is_integer(text) else (1, 0, text)


def _shortened(values: Sequence[Any], most: int = 4) -> str:
    shown = ", ".join(repr(value) for value in values[:most])
    return f"[{shown}]" if len(values) <= most else f"[{shown}, ... {len(values):,} in all]"


@dataclass(frozen=True, repr=False)
class Deletion:
    """What a model must forget, in the user's own ids.

    Parameters
    ----------
    edges: pairs of node ids; the order within a pair does not matter.
    nodes: node ids; a node goes with its edges, features and label.
    features: ids of nodes that lose their features and stay.
    classes: class names or numbers; what becomes of their members is the task's choice.
    users: user ids; a user goes with all interactions.
    items: item ids; an item goes with all interactions, its facts and its features.
    interactions: pairs (user, item).
    triples: facts (head, relation, tail) of a knowledge graph.
    modalities: pairs (modality, item) of item features that go; the item "*" stands for every item.

    Usually one of them is given; users and items may go together. Raises UsageError when nothing is given, or something
    that is no id.

    Example
    -------
    >>> Deletion(edges=[(4, 17)]).kind
    'edges'
    >>> Deletion(nodes=[1, 2]).digest == Deletion(nodes=["2", "1"]).digest
    True
    >>> Deletion(users=[12, 40], items=["Heat"]).kind
    'users+items'
    """

    edges: Sequence[tuple[Id, Id]] = ()
    nodes: Sequence[Id] = ()
    features: Sequence[Id] = ()
    classes: Sequence[Id] = ()
    users: Sequence[Id] = ()
    items: Sequence[Id] = ()
    interactions: Sequence[tuple[Id, Id]] = ()
    triples: Sequence[tuple[Id, Id, Id]] = ()
    modalities: Sequence[tuple[str, Id]] = ()

    def __post_init__(self) -> None:
        for kind in KINDS:
            values = _listed(getattr(self, kind), kind)
            plain = _plain_group if kind in _GROUPS else _plain_id
            object.__setattr__(self, kind, tuple(plain(value, kind) for value in values))
        if not len(self):
            raise UsageError(f"Deletion: nothing is named. Give at least one of {', '.join(KINDS)}.")

    def __len__(self) -> int:
        return sum(len(getattr(self, kind)) for kind in KINDS)

    def __repr__(self) -> str:
        filled = {kind: getattr(self, kind) for kind in KINDS if getattr(self, kind)}
        return f"Deletion({', '.join(f'{kind}={_shortened(values)}' for kind, values in filled.items())})"

    @property
    def kind(self) -> str:
        """The name of the one part that is filled, "users+items" for these two, else "mixed"."""
        filled = [kind for kind in KINDS if getattr(self, kind)]
        if filled == _TOGETHER:
            return "+".join(_TOGETHER)
        return filled[0] if len(filled) == 1 else "mixed"

    def _canonical(self) -> dict[str, list]:
        """Return the parts as text ids, sorted and without repeats; parts of recommenders only where filled."""
        return {kind: self.distinct(kind) for kind in KINDS if kind in GRAPH_KINDS or getattr(self, kind)}

    def distinct(self, kind: str) -> list:
        """Return what is named of a kind as text ids, sorted and without repeats."""
        values = getattr(self, kind)
        if kind not in _GROUPS:
            return sorted({str(value) for value in values}, key=_sort_key)
        groups = {tuple(map(str, group)) for group in values}
        if kind == "edges":
            groups = {tuple(sorted(pair, key=_sort_key)) for pair in groups}
        return [list(group) for group in sorted(groups, key=lambda group: [*map(_sort_key, group)])]

    @property
    def digest(self) -> str:
        """sha256 of what is deleted, whatever the order of ids, repeats, and whether 4 or "4" was written."""
        return hashlib.sha256(json.dumps(self._canonical(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def read(
        cls, path: str | Path, graph: Graph | Interactions | None = None, columns: Mapping[str, str | int] | None = None
    ) -> Deletion:
        """Return the deletion in a .json, .csv or .tsv file; with a graph, check that all of it is in there.

        JSON: `{"edges": [[4, 17], ...], "nodes": [...], "users": [...], "interactions": [[12, 40], ...], ...}`, each
            part optional.
        CSV: two columns (header source,target or none) name edges; columns under user,item or head,relation,tail or
            modality,item name interactions, triples or modalities, in whatever order they stand and whatever else
            stands beside them; one column under the header `node`, `feature_of`, `class`, `user` or `item` names the
            others.

        Parameters
        ----------
        columns: what the user's tables call their columns, as `load` is told: {"user": "userId", "item": "movieId"}. A
            CSV may call its own so, or as above; what is not in it is passed over, and so are numbers. JSON has the
            keys above, no columns.

        Raises DataError with the place of the first fault, UsageError for a role of `columns` that does not exist.
        """
        path = Path(path).expanduser()
        suffix = path.suffix.lower()
        if suffix not in (".json", ".csv", ".tsv"):
            raise UsageError(f"{path}: deletions are read from .json, .csv or .tsv; found the ending '{suffix}'.")
        column_names(columns)  # JSON has no columns, but what is told of tables must be right
        parts = json_parts(path) if suffix == ".json" else table_parts(path, columns)
        try:
            deletion = cls(**parts)
        except UsageError as error:
            raise DataError(f"{path}: {error}") from None
        if graph is not None:
            deletion.resolve(graph)
        return deletion

    def write(self, path: str | Path) -> None:
        """Write the deletion as JSON, or as CSV when `path` ends so and one part is filled."""
        path = Path(path).expanduser()
        suffix = path.suffix.lower()
        if suffix == ".json":
            parts = {kind: getattr(self, kind) for kind in KINDS if getattr(self, kind)}
            atomic_write(path, json.dumps(parts, indent=2, ensure_ascii=False) + "\n")
        elif suffix == ".csv" and self.kind in KINDS:
            atomic_write(path, as_csv(self.kind, getattr(self, self.kind)))
        else:
            raise UsageError(
                f"{path}: a deletion is written to .json, or to .csv when it names one kind of thing (this one: "
                f"{self.kind}). Choose another ending."
            )

    @overload
    def resolve(self, graph: Graph, held_out: np.ndarray = ...) -> Resolved: ...

    @overload
    def resolve(self, graph: Interactions) -> ResolvedInteractions: ...

    def resolve(self, graph: Graph | Interactions, held_out: np.ndarray = NO_EDGES) -> Resolved | ResolvedInteractions:
        """Return the deletion as positions and numbers of a graph or of interactions.

        `held_out`, (2, h), are edges that a task took out of the graph; their positions follow those of the graph's.
        Raises DataError for an id, edge, interaction, triple or modality that is not there, and for a deletion of
        everything; UnsupportedError for kinds of things that the data do not have.
        """
        if isinstance(graph, Interactions):
            return resolve_interactions(self, graph)
        return resolve(self, graph, held_out)
