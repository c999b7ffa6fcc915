"""What must be forgotten, in the user's own ids: one value for the API, the command line and the receipt."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import atomic_write
from graphforget.data.deletion_files import KINDS, as_csv, json_parts, table_parts
from graphforget.data.formats.table import is_integer
from graphforget.data.graph import Graph
from graphforget.data.resolve import Resolved, resolve

Id = int | str
_LIMIT = 1 << 63


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


def _plain_edge(value: Any) -> tuple[Id, Id]:
    pair = value.tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(pair, Sequence) or isinstance(pair, str) or len(pair) != 2:
        raise UsageError(f"Deletion: 'edges' must hold pairs of node ids, as (4, 17); got {pair!r}.")
    first, second = (_plain_id(end, "edges") for end in pair)
    if str(first) == str(second):
        raise UsageError(
            f"Deletion: the edge ({first}, {second}) joins a node to itself; graphs here have no such edge."
        )
    return first, second


def _listed(values: Any, kind: str) -> list[Any]:
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise UsageError(f"Deletion: '{kind}' must be a list; got {values!r}. Write [{values!r}] for a single one.")
    return list(values)


def _sort_key(value: Id) -> tuple[int, int, str]:
    text = str(value)
    return (0, int(text), "") if is_integer(text) else (1, 0, text)


@dataclass(frozen=True)
class Deletion:
    """What a model must forget, in the user's own ids.

    Parameters
    ----------
    edges: pairs of node ids; the order within a pair does not matter.
    nodes: node ids; a node goes with its edges, features and label.
    features: ids of nodes that lose their features and stay.
    classes: class names or numbers; what becomes of their members is the task's choice.

    Usually one of them is given. Raises UsageError when nothing is given, or something that is no id.

    Example
    -------
    >>> Deletion(edges=[(4, 17)]).kind
    'edges'
    >>> Deletion(nodes=[1, 2]).digest == Deletion(nodes=["2", "1"]).digest
    True
    """

    edges: Sequence[tuple[Id, Id]] = ()
    nodes: Sequence[Id] = ()
    features: Sequence[Id] = ()
    classes: Sequence[Id] = ()

    def __post_init__(self) -> None:
        for kind in KINDS:
            values = _listed(getattr(self, kind), kind)
            plain = (_plain_edge(v) if kind == "edges" else _plain_id(v, kind) for v in values)
            object.__setattr__(self, kind, tuple(plain))
        if not len(self):
            raise UsageError(f"Deletion: nothing is named. Give at least one of {', '.join(KINDS)}.")

    def __len__(self) -> int:
        return sum(len(getattr(self, kind)) for kind in KINDS)

    @property
    def kind(self) -> str:
        """The one part that is filled ("edges", "nodes", "features", "classes"), or "mixed"."""
        filled = [field.name for field in fields(self) if getattr(self, field.name)]
        return filled[0] if len(filled) == 1 else "mixed"

    def _canonical(self) -> dict[str, list]:
        """Return the parts as text ids, sorted and without repeats."""
        edges = {tuple(sorted(map(str, pair), key=_sort_key)) for pair in self.edges}
        parts: dict[str, list] = {"edges": [list(e) for e in sorted(edges, key=lambda e: [*map(_sort_key, e)])]}
        for kind in KINDS[1:]:
            parts[kind] = sorted({str(value) for value in getattr(self, kind)}, key=_sort_key)
        return parts

    @property
    def digest(self) -> str:
        """sha256 of what is deleted, whatever the order of ids, repeats, and whether 4 or "4" was written."""
        return hashlib.sha256(json.dumps(self._canonical(), sort_keys=True).encode()).hexdigest()

    @classmethod
    def read(cls, path: str | Path, graph: Graph | None = None) -> Deletion:
        """Return the deletion in a .json, .csv or .tsv file; with a graph, check that all of it is there.

        JSON: `{"edges": [[4, 17], ...], "nodes": [...], "features": [...], "classes": [...]}`, each part
            optional.
        CSV: two columns (header source,target or none) name edges; one column under the header `node`,
            `feature_of` or
        `class` names the others. Raises DataError with the place of the first fault.
        """
        path = Path(path).expanduser()
        suffix = path.suffix.lower()
        if suffix not in (".json", ".csv", ".tsv"):
            raise UsageError(f"{path}: deletions are read from .json, .csv or .tsv; found the ending '{suffix}'.")
        parts = json_parts(path) if suffix == ".json" else table_parts(path)
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
        elif suffix == ".csv" and self.kind != "mixed":
            atomic_write(path, as_csv(self.kind, getattr(self, self.kind)))
        else:
            raise UsageError(
                f"{path}: a deletion is written to .json, or to .csv when it names one kind of thing (this one: "
                f"{self.kind}). Choose another ending."
            )

    def resolve(self, graph: Graph) -> Resolved:
        """Return the deletion as positions and numbers of `graph`.

        Raises DataError for an id or edge that is not in the graph, and for a deletion of everything.
        """
        return resolve(self, graph)
