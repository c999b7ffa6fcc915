"""What is evaluated: a case (one deletion on one task) and its subjects (the models of the rows)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from graphforget._core.errors import DivergedError, UnsupportedError
from graphforget._core.threads import one_torch_thread
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.evaluation.lists import Ranker, Round
from graphforget.evaluation.recommend_case import preference_parts, rounds_of
from graphforget.kernels.pairs import PairIndex
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Items, Task, as_index
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation

SAMPLE = 10_000
"""Retained items that distances are measured on, at most."""

Kind = Literal["original", "gold", "floor", "baseline", "method"]


def named_parts(gone: Forgotten) -> dict[str, float]:
    """Return how many of the named edges or interactions were trained on and held out; nothing where none was."""
    if gone.kind not in ("edges", "interactions") or not gone.held_out.size:
        return {}
    return {"named_trained": float(gone.edges.shape[1]), "named_held_out": float(gone.held_out.shape[1])}


@dataclass(frozen=True, eq=False)
class Case:
    """One deletion on one task, and the items that models are compared on.

    Attributes
    ----------
    task: with the forgotten part; retained: without; gone: the forgotten part.
    parts: "forgotten", "retained" (a fixed sample) and "test" items; a part without items is absent.
        Targets of nodes are their labels before the deletion; nodes of classes that earlier deletions took are no test
        nodes.
    rounds: rankings of a recommender, by name; see `recommend_case.rounds_of`.
    """

    task: Task
    retained: Task
    gone: Forgotten
    parts: Mapping[str, Items]
    rounds: Mapping[str, Round] = field(default_factory=dict)


@dataclass(eq=False)
class Subject:
    """One model to be judged, on the graph that it answers from.

    Attributes
    ----------
    row: name in the table. kind: what the row is. caveats: what its footnotes must say.
    seconds, peak_memory: cost of making the model, None if unknown.
    known: other values of the table that come from making the model.
    """

    row: str
    kind: Kind
    model: Model
    graph: Graph | Interactions
    seconds: float | None = None
    peak_memory: int | None = None
    caveats: Sequence[str] = ()
    known: Mapping[str, float] = field(default_factory=dict)
    _responses: dict[str, np.ndarray] = field(default_factory=dict, repr=False)
    _ranker: Ranker | None = field(default=None, repr=False)

    @cached_property
    def z(self) -> Tensor:
        """Embeddings (or class logits) of all nodes; raises DivergedError when one is not finite."""
        with one_torch_thread():
            z = self.model.embed(self.graph)
        if not torch.isfinite(z).all():
            raise DivergedError(
                f"evaluate: '{self.row}' has embeddings that are not finite. Check that model's training."
            )
        return z

    def responses(self, case: Case, part: str) -> np.ndarray:
        """Return the float64 logits of a part: (m,) for pairs, (m, classes) for nodes."""
        if part not in self._responses:
            self._responses[part] = logits(case.retained, self.z, case.parts[part])
        return self._responses[part]

    def lists(self, case: Case, name: str) -> np.ndarray:
        """Return the items recommended in a round of a recommender's case, best first: (users, depth), -1 for none."""
        if self._ranker is None:
            assert isinstance(case.retained, Recommendation)
            self._ranker = Ranker(case.retained, self.z, case.rounds)
        return self._ranker.lists(name)

    def release(self) -> None:
        """Let go of what was computed: embeddings, responses, lists."""
        self._responses.clear()
        self._ranker = None
        self.__dict__.pop("z", None)


@dataclass
class Findings:
    """Values by metric name, and sentences about what is missing and why."""

    values: dict[str, float] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)

    def add(self, other: Findings) -> None:
        """Take over the values and notes of `other`."""
        self.values |= other.values
        self.notes += other.notes


def logits(task: Task, z: Tensor, items: Items) -> np.ndarray:
    """Return the responses of `items` as float64 on the CPU."""
    with torch.no_grad(), one_torch_thread():
        return task.responses(z, items).double().cpu().numpy()


def case_of(task: Task, retained: Task, gone: Forgotten) -> Case:
    """Return the case of a deletion; raises UnsupportedError for a task without evidence."""
    rounds: dict[str, Round] = {}
    if isinstance(task, LinkPrediction) and isinstance(retained, LinkPrediction):
        found = _link_parts(task, retained, gone)
    elif isinstance(task, NodeClassification) and isinstance(retained, NodeClassification):
        found = _node_parts(task, retained, gone)
    elif isinstance(task, Recommendation) and isinstance(retained, Recommendation):
        found = preference_parts(task, retained, gone, partial(_sample, task))
        rounds = rounds_of(task, retained, gone)
    else:
        raise UnsupportedError(f"Evaluation serves link, node and recommend tasks; this is a {task.name} task.")
    return Case(task, retained, gone, {part: items for part, items in found.items() if len(items)}, rounds)


def _sample(task: Task, total: int) -> np.ndarray:
    """Return sorted positions of at most SAMPLE of `total` items, by the task's seed."""
    if total <= SAMPLE:
        return np.arange(total)
    return np.sort(task.streams("retained-sample").numpy().choice(total, SAMPLE, replace=False))


def pair_items(positives: np.ndarray, negatives: np.ndarray, n_nodes: int) -> Items:
    """Return (2, m) pairs as items, the first with target 1, the second with target 0."""
    targets = torch.zeros(positives.shape[1] + negatives.shape[1])
    targets[: positives.shape[1]] = 1.0
    return Items(targets, pairs=(PairIndex.of(np.concatenate([positives, negatives], axis=1), n_nodes),))


def node_items(nodes: np.ndarray, labels: np.ndarray) -> Items:
    """Return nodes as items with the labels given for all nodes."""
    return Items(targets=as_index(labels[nodes]), nodes=as_index(nodes))


def without_pairs(edges: np.ndarray, gone: np.ndarray, n_nodes: int) -> np.ndarray:
    """Return the (2, m) edges (u < v) that are not among the pairs `gone` (u < v)."""
    keys, dead = (pairs[0] * np.int64(n_nodes) + pairs[1] for pairs in (edges, gone))
    return edges[:, ~np.isin(keys, dead)]


def _link_parts(task: LinkPrediction, retained: LinkPrediction, gone: Forgotten) -> dict[str, Items]:
    n = task.graph.n_nodes
    kept = without_pairs(retained.graph.edges, gone.items, n)
    none = kept[:, :0]
    return {
        "forgotten": pair_items(gone.items, none, n),
        "retained": pair_items(kept[:, _sample(task, kept.shape[1])], none, n),
        "test": pair_items(retained.split.test, retained.split.test_negatives, n),
    }


def _node_parts(task: NodeClassification, retained: NodeClassification, gone: Forgotten) -> dict[str, Items]:
    kept, test = np.setdiff1d(retained.train_nodes, gone.items), np.intersect1d(retained.test_nodes, task.tested)
    return {
        "forgotten": node_items(gone.items, task.labels),
        "retained": node_items(kept[_sample(task, len(kept))], task.labels),
        "test": node_items(test, task.labels),
    }
