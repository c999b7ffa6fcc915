"""The attention of KGAT: a softmax over the triples that leave a node."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

import numpy as np
import torch
from torch import Tensor

from graphforget.data.interactions import Interactions
from graphforget.kernels.pairs import PairIndex, pair_scores
from graphforget.kernels.propagate import Sparse
from graphforget.models.kgat_graph import RelationGraph

if TYPE_CHECKING:
    from graphforget.models.kgat import KGAT


def segment_softmax(indptr: np.ndarray, scores: np.ndarray) -> np.ndarray:
    """Return the softmax of `scores` within each segment `indptr[i]:indptr[i + 1]`, float64 (T,)."""
    lengths = np.diff(indptr)
    starts = indptr[:-1][lengths > 0]
    if not len(starts):
        return np.empty(0)
    scores = scores.astype(np.float64)
    powers = np.exp(scores - np.repeat(np.maximum.reduceat(scores, starts), lengths[lengths > 0]))
    return powers / np.repeat(np.add.reduceat(powers, starts), lengths[lengths > 0])


def attention_scores(graph: RelationGraph, nodes: Tensor, relations: Tensor, transforms: Tensor) -> np.ndarray:
    """Return (e_t W_r) . tanh(e_h W_r + e_r) of every triple, float32 (T,), without gradients.

    Shapes: nodes (n_nodes, d), relations (n_relations, k), transforms (n_relations, d, k).
    """
    scores = np.zeros(len(graph), np.float32)
    indptr, positions = graph.by_relation
    with torch.no_grad():
        for relation in np.flatnonzero(np.diff(indptr)):
            chosen = positions[indptr[relation] : indptr[relation + 1]]
            head_rows, heads = _distinct(graph.heads[chosen], graph.n_nodes)
            tail_rows, tails = _distinct(graph.tails[chosen], graph.n_nodes)
            weight = transforms[relation]
            left = torch.tanh(nodes.index_select(0, head_rows.to(nodes.device)) @ weight + relations[relation])
            right = nodes.index_select(0, tail_rows.to(nodes.device)) @ weight
            pairs = PairIndex(heads, tails + len(left), len(left) + len(right))
            scores[chosen] = pair_scores(torch.cat([left, right]), pairs).cpu().numpy()
    return scores


def _distinct(nodes: np.ndarray, n_nodes: int) -> tuple[Tensor, np.ndarray]:
    """Return the distinct nodes, ascending, and the place of each node among them."""
    there = np.zeros(n_nodes, bool)
    there[nodes] = True
    return torch.from_numpy(np.flatnonzero(there)), (np.cumsum(there) - 1)[nodes]


class Attention:
    """The attention matrices on one data value, constants in every gradient.

    In evaluation a model's matrix is that of its present parameters (the latest is kept beside their digest). In
    training it is that of the last refresh, or of the parameters it starts with; an evaluation in between, on whatever
    data, ends that one, so that a run that is resumed there goes on as it would have. Training refreshes it every
    epoch; a method that does not learns on from the parameters after each validation.

    Parameters
    ----------
    graph: triples of the data.
    """

    def __init__(self, graph: RelationGraph) -> None:
        self.graph = graph
        self._training: WeakKeyDictionary[KGAT, tuple[int, Sparse]] = WeakKeyDictionary()
        self._latest: tuple[str, Sparse] | None = None

    @classmethod
    def on(cls, data: Interactions) -> Attention:
        """Return the attention on a data value."""
        return data.memo("attention", lambda: cls(RelationGraph.of(data)))

    def of(self, model: KGAT) -> Sparse:
        """Return the matrix that a model works with."""
        if not model.training:
            model.evaluations += 1
            self._training.pop(model, None)
            return self._present(model)
        evaluations, matrix = self._training.get(model, (-1, None))
        return self.refresh(model) if matrix is None or evaluations != model.evaluations else matrix

    def refresh(self, model: KGAT) -> Sparse:
        """Compute the matrix of the model's present parameters, to train with from here on."""
        matrix = self._present(model)
        self._training[model] = model.evaluations, matrix
        return matrix

    def _present(self, model: KGAT) -> Sparse:
        tables = [model.nodes, model.relations, model.transforms]
        sha = hashlib.sha256()
        for table in tables:
            sha.update(table.detach().cpu().contiguous().numpy().data)
        if self._latest is None or self._latest[0] != sha.hexdigest():
            weights = segment_softmax(self.graph.indptr, attention_scores(self.graph, *tables))
            self._latest = sha.hexdigest(), self.graph.matrix(weights)
        return self._latest[1]
