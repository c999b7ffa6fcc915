"""The embeddings of a model after each layer, kept between deletions and renewed where a deletion reaches."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import numpy as np
import torch
from torch import Tensor

from graphforget._core.errors import UsageError
from graphforget._core.threads import one_torch_thread
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.thinned import Thinned
from graphforget.models.base import Model, require_model
from graphforget.models.edited import Edited, under_operators
from graphforget.tasks.base import Task, as_index, check_data
from graphforget.training.train import weights_digest
from graphforget.unlearning.region import Region

if TYPE_CHECKING:
    from graphforget.unlearning.run import Result


@dataclass(eq=False)
class KnownLayers:
    """What a model computes on the graph it serves from, kept, so that a deletion costs what it touches alone.

    Give it to `unlearn` as `known`: what methods read of the model before the deletion is looked up, not computed
    again. Nothing else changes but last digits, at widths that are no multiple of 8 and with GAT, whose attention
    scores are products of width 1: there the rounding of a dense product depends on how many rows are multiplied.
    `renew` then brings it up to date with the unlearned model.

    Attributes
    ----------
    model, graph: whose layers these are, and on which graph.
    layers: (n_nodes, width) embeddings after each layer, before the activation, where the model is; `renew` writes into
        them, wherever the unlearned model may be.

    Example
    -------
    >>> import graphforget as gf
    >>> task = gf.LinkPrediction(gf.load("sample-citations"), seed=0)
    >>> model = gf.train(gf.GCN(hidden=16, out=8), task, seed=0, epochs=20)
    >>> known = gf.KnownLayers.of(model, task)
    >>> gone = gf.sample_deletion(task, edges=2, where="any", seed=0)
    >>> result = gf.unlearn(model, task, gone, method="unlink", known=known)
    >>> len(known.renew(result)) < task.graph.n_nodes
    True
    """

    model: Model
    graph: Graph | Interactions
    layers: list[Tensor]

    @classmethod
    def of(cls, model: Model, task: Task) -> Self:
        """Compute the layers of a model on a task's graph, whole; raises UsageError for what is no model or no task."""
        require_model(model)
        check_data("KnownLayers", task, Task, "is no task; give LinkPrediction(graph) or another.")
        model = model.frozen()
        with torch.no_grad():
            return cls(model, task.graph, model.layers(task.graph))

    def readout(self) -> Tensor:
        """Return the (n_nodes, width) embeddings that the task reads."""
        return self.model.readout(self.layers)

    def check(self, model: Model, task: Task) -> None:
        """Raise UsageError unless these are the layers of this model on this task's graph."""
        if self.graph is not task.graph:
            raise UsageError(
                f"The known layers were computed on another graph than the task's ('{task.graph.name}'). Compute them "
                "with KnownLayers.of(model, task), or renew them after each deletion."
            )
        if weights_digest(self.model) != weights_digest(model):
            raise UsageError(
                "The known layers are those of a model with other weights. Compute them with KnownLayers.of(model, "
                "task), or renew them after each deletion."
            )

    def first(self, region: Region, graph: Thinned) -> Tensor:
        """Return layer 1 of the model in a region of `graph`, which lacks edges of this one: looked up, but near them.

        The model must be one without learned operators.
        """
        assert region.nodes is not None
        found = self.layers[0].index_select(0, as_index(region.nodes, self.layers[0].device))
        near = np.intersect1d(graph.next_to_dropped(), region.nodes, assume_unique=True)
        anew = Region.around(near, graph, self.model, 1)
        with torch.no_grad():
            rows = self.model.layers(anew.graph)[0].index_select(0, as_index(anew.at(near), found.device))
        return found.index_copy_(0, as_index(region.at(near), found.device), rows)

    def renew(self, result: Result) -> np.ndarray:
        """Bring the layers up to date with an unlearned model on the graph it answers from.

        Returns the ascending numbers of the nodes whose rows were computed anew: what a copy elsewhere, such as an
        index for nearest neighbours, has to take over. Rows are computed anew within as many hops of the deleted edges,
        and of the nodes that learned operators act on, as the model has layers. Where weights of the model itself
        changed, or more than edges went, or the model before had learned operators already, that is every row.
        """
        self.check(result.original, result.task)
        model, graph = result.model.frozen().to(self.model.device), result.graph
        rows = self._reached(result)
        with torch.no_grad(), one_torch_thread():
            if rows is None:
                self.layers = model.layers(graph)
            elif len(rows):
                assert isinstance(graph, Graph)
                self._write(rows, model, graph)
        self.model, self.graph = model, graph
        return np.arange(graph.n_nodes) if rows is None else rows

    def _write(self, rows: np.ndarray, model: Model, graph: Graph) -> None:
        region, first = opened(rows, graph, self.model, len(self.layers), self)
        learned = model.within(region.at) if isinstance(model, Edited) else model
        layers = learned.layers(region.graph, first=first)
        there, here = as_index(rows, model.device), as_index(region.at(rows), model.device)
        for kept, layer in zip(self.layers, layers, strict=True):
            kept.index_copy_(0, there, layer.index_select(0, here))

    def _reached(self, result: Result) -> np.ndarray | None:
        """Return the ascending nodes with a changed embedding after some layer, or None where all may have changed."""
        model, graph, depth = result.model, result.graph, len(self.layers)
        same = isinstance(model, Edited) and weights_digest(model.base) == weights_digest(self.model)
        if not (same or weights_digest(model) == weights_digest(self.model)) or not self.model.local:
            return None
        assert isinstance(self.graph, Graph)
        if graph is self.graph:
            seeds: list[tuple[np.ndarray, int]] = []
        elif isinstance(graph, Thinned) and graph.whole is self.graph:
            seeds = [(graph.dropped.ravel(), depth)]
        else:
            return None
        if same:
            assert isinstance(model, Edited)
            seeds += [(nodes, depth - layer) for layer, nodes in model.node_sets().items()]
        reached = [self.graph.around(nodes, hops) for nodes, hops in seeds if len(nodes)]
        return np.unique(np.concatenate(reached)) if reached else np.empty(0, np.int64)


def opened(
    rows: np.ndarray, graph: Graph | Interactions, model: Model, layers: int, known: KnownLayers | None
) -> tuple[Region, Tensor]:
    """Return the region that `layers` layers of a model need for the nodes `rows`, and layer 1 there, not yet edited.

    Where that layer is known of a graph that has but a few edges more, a hop less is opened.
    """
    if known is not None and isinstance(graph, Thinned) and graph.whole is known.graph and model.local and layers > 1:
        region = Region.around(rows, graph, model, layers - 1)
        return region, known.first(region, graph).to(model.device)
    region = Region.around(rows, graph, model, layers)
    with torch.no_grad():
        return region, under_operators(model).layers(region.graph)[0]
