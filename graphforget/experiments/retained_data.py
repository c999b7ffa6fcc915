"""The retained data of an unlearned model with their split, as one file that holds nothing of what was deleted.

`retained.npz` is a NumPy archive of plain arrays (no objects), so that a model folder needs the user's files no more.

| array | holds |
|---|---|
| `format`, `name` | text: the version of this format, and what tables call the data |
| `split/<part>` | link tasks: pairs (2, m) of `val`, `val_negatives`, `test`, `test_negatives` |
| `split/<part>` | node tasks: nodes of `train`, `val`, `test` |
| graphs: `n_nodes`, `edges` | size, and all edges (2, E), those held out included |
| `features` or `features/data`, `/indices`, `/indptr`, `/shape` | rows of nodes as they came, dense or CSR |
| `labels`, `class_names`, `ids` | of the nodes; -1 where no label is known |
| `lost` | numbers of the nodes, or of the users and then the items, that are forgotten or that nothing is left of |
| `lost_classes` | numbers of the classes that are forgotten |
| interactions: `n_users`, `n_items`, `train`, `valid`, `test` | sizes, and pairs (2, m) of user and item numbers |
| `user_ids`, `item_ids` | the user's own ids |
| `modality/<name>` | features (n_items, d) of items; NaN where an item has none |
| `triples`, `n_entities`, `n_relations`, `entity_ids`, `relation_ids` | facts (3, T) and their ids |

Numbers stay, for the model knows things by them, and so do names of classes, which number its outputs; the id of a
forgotten thing is replaced by one that says nothing. A thing has no id of its own where ids are the numbers.
What is absent (labels, ids that are the numbers themselves, ...) has no array.
"""

from __future__ import annotations

import io
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget._core.files import atomic_write
from graphforget.data.formats.arrays import Archive
from graphforget.data.graph import Graph
from graphforget.data.id_lookup import PLACEHOLDER
from graphforget.data.interaction_parts import PARTS
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.experiments.setup import TASKS, split_of
from graphforget.tasks.base import Task
from graphforget.tasks.link_split import LinkSplit
from graphforget.tasks.recommend import Recommendation

RETAINED = "retained.npz"
FORMAT = "graphforget-retained/1"
Arrays = dict[str, np.ndarray]


def arrays_of(data: Graph | Interactions, task: Task, lost: np.ndarray) -> Arrays:
    """Return what the file holds.

    Parameters
    ----------
    data, task: without what was deleted. A recommender's data are those of its task, validation part included.
    lost: numbers of the nodes (users and items) that are forgotten; so is what nothing is left of: users without a
        pair, items without a pair, a fact or features, nodes without an edge, a label or features of their own. They
        are known by what was deleted alone, and a list of them would tell who had what.
    """
    if isinstance(task, Recommendation):
        found = _of_interactions(task.graph, lost)
    else:
        assert isinstance(data, Graph)
        found = {**_of_graph(data, lost), **{f"split/{part}": v for part, v in split_of(task).items()}}
        found["lost_classes"] = task.holes.get("classes")
    return {"format": np.array(FORMAT), **{key: np.asarray(v) for key, v in found.items() if v is not None}}


def _of_graph(graph: Graph, lost: np.ndarray) -> dict[str, Any]:
    x, features = graph.features, {}
    lost = np.union1d(lost, _bare(graph))
    if isinstance(x, sp.csr_array):
        features = {f"features/{key}": getattr(x, key) for key in ("data", "indices", "indptr", "shape")}
    elif x is not None:
        features = {"features": x}
    names = graph.class_names
    return {
        **{"name": graph.name, "n_nodes": graph.n_nodes, "edges": graph.edges, **features, "labels": graph.labels},
        "class_names": None if names is None else np.array(names, dtype=np.str_),
        "ids": nameless(graph.ids, lost),
        "lost": np.unique(lost),
    }


def _bare(graph: Graph) -> np.ndarray:
    """Return the nodes of which no edge, label or feature is known; one-hot features say that there is a node."""
    bare = np.ones(graph.n_nodes, dtype=bool)
    bare[graph.edges] = False
    if graph.labels is not None:
        bare &= graph.labels < 0
    x = graph.features
    if isinstance(x, sp.csr_array):
        rows = np.repeat(np.arange(graph.n_nodes), np.diff(x.indptr))
        if x.shape[0] != x.shape[1] or (rows != x.indices).any() or (x.data != 1).any():
            bare[rows[x.data != 0]] = False
    elif x is not None:
        bare &= ~x.any(axis=1)
    return np.flatnonzero(bare)


def _of_interactions(data: Interactions, lost: np.ndarray) -> dict[str, Any]:
    held = np.concatenate([data.pairs(part) for part in PARTS], axis=1)
    users = np.union1d(lost[lost < data.n_users], np.setdiff1d(np.arange(data.n_users), held[0]))
    known = [held[1], *(np.flatnonzero(~missing) for missing in data.missing.values())]
    if data.triples is not None:
        known += [data.triples.triples[0], data.triples.triples[2]]
    bare = np.setdiff1d(np.arange(data.n_items), np.concatenate(known))
    items = np.union1d(lost[lost >= data.n_users] - data.n_users, bare)
    features = {
        f"modality/{key}": np.where(data.missing[key][:, None], np.float32(np.nan), values)
        for key, values in data.modalities.items()
    }
    return {
        **{"name": data.name, "n_users": data.n_users, "n_items": data.n_items, **features},
        **{part: data.pairs(part) for part in PARTS if data.part(part) is not None},
        "user_ids": nameless(data.user_ids, users),
        "item_ids": nameless(data.item_ids, items),
        "lost": np.concatenate([users, items + data.n_users]),
        **({} if data.triples is None else _of_triples(data.triples, data.n_items, items)),
    }


def _of_triples(facts: TripleGraph, n_items: int, items: np.ndarray) -> dict[str, Any]:
    """Return the arrays of the facts; entities beside the items, and relations, are nameless without a fact."""
    heads, relations, tails = facts.triples
    others = np.setdiff1d(np.arange(n_items, facts.n_entities), np.concatenate([heads, tails]))
    unused = np.setdiff1d(np.arange(facts.n_relations), relations)
    return {
        **{"triples": facts.triples, "n_entities": facts.n_entities, "n_relations": facts.n_relations},
        "entity_ids": nameless(facts.entity_ids, np.concatenate([items, others])),
        "relation_ids": nameless(facts.relation_ids, unused),
        "triples_name": facts.name,
    }


def nameless(ids: np.ndarray | None, lost: np.ndarray) -> np.ndarray | None:
    """Return ids with those of the lost numbers replaced: "(forgotten 7)", or numbers below all others, in order.

    In order, because ids often are their row and one: minus that would be the forgotten id with another sign.

    Example
    -------
    >>> nameless(np.array(["ann", "bob"]), np.array([1])).tolist()
    ['ann', '(forgotten 1)']
    >>> nameless(np.array([1, 2, 3, 4]), np.array([2, 3])).tolist()
    [1, 2, -1, -2]
    """
    if ids is None or not len(lost):
        return ids
    if ids.dtype.kind == "i":
        lost = np.unique(lost)
        stay = np.delete(ids, lost)
        new = ids.copy()
        new[lost] = int(stay.min(initial=0)) - 1 - np.arange(len(lost))
        return new
    new = ids.astype(object)
    new[lost] = [f"{PLACEHOLDER}{number})" for number in lost.tolist()]
    return new.astype(np.str_)


def write_retained(folder: Path, arrays: Arrays) -> None:
    """Write the file into a model folder."""
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)  # type: ignore[arg-type]  # no array is called allow_pickle
    atomic_write(folder / RETAINED, buffer.getvalue())


def read_retained(folder: Path) -> Arrays:
    """Return the arrays of the file in a model folder; raises DataError when it is not there, or not whole."""
    if not (folder / RETAINED).is_file():
        raise DataError(
            f"{folder}: the folder keeps the data that are left, but {RETAINED} is not there. Put it back, or name the "
            "data that the model was trained on with --data."
        )
    archive = Archive(folder / RETAINED)
    found = {key: archive.array(key) for key in archive.keys}
    if "format" not in found or found["format"].item() != FORMAT:
        raise DataError(f"{folder / RETAINED}: its format is not {FORMAT}. Unlearn again with this version.")
    return found


def restored(arrays: Arrays, made: Mapping[str, Any]) -> tuple[Graph | Interactions, Task]:
    """Return data and task; made: what the model folder says of the task.

    Raises DataError, or what a missing array or one of another shape leads to.
    """
    kind, seed, options = TASKS[made["task"]], made["seed"], made["task_options"]
    if kind is Recommendation:
        data = _interactions(arrays)
        return data, Recommendation(data, seed, **options)
    graph, parts = _graph(arrays), _below(arrays, "split/")
    return graph, kind(graph, seed, LinkSplit(**parts) if made["task"] == "link" else parts, **options)


def _below(arrays: Arrays, prefix: str) -> Arrays:
    return {key.removeprefix(prefix): value for key, value in arrays.items() if key.startswith(prefix)}


def _graph(arrays: Arrays) -> Graph:
    sparse = _below(arrays, "features/")
    features = arrays.get("features")
    if sparse:
        parts = sparse["data"], sparse["indices"], sparse["indptr"]
        features = sp.csr_array(parts, shape=tuple(sparse["shape"].tolist()))
    return Graph.build(
        int(arrays["n_nodes"]),
        arrays["edges"],
        features,
        arrays.get("labels"),
        arrays.get("ids"),
        arrays["class_names"].tolist() if "class_names" in arrays else None,
        name=arrays["name"].item(),
    )


def _interactions(arrays: Arrays) -> Interactions:
    facts = None
    if "triples" in arrays:
        sizes = int(arrays["n_entities"]), int(arrays["n_relations"])
        ids = arrays.get("entity_ids"), arrays.get("relation_ids")
        facts = TripleGraph.build(*sizes, arrays["triples"], *ids, name=arrays["triples_name"].item())
    train, valid, test = (arrays.get(part) for part in PARTS)
    return Interactions.build(
        int(arrays["n_users"]),
        int(arrays["n_items"]),
        train,
        valid,
        test,
        user_ids=arrays.get("user_ids"),
        item_ids=arrays.get("item_ids"),
        name=arrays["name"].item(),
        triples=facts,
        modalities=_below(arrays, "modality/"),
    )
