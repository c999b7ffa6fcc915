"""The part of a graph that the embeddings of some nodes depend on: what a local method computes on."""

from __future__ import annotations

import copy
from dataclasses import dataclass, replace
from typing import Self

import numpy as np
from torch import Tensor

from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import gcn_normalise
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.subgraph import edges_among
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Task, as_index


@dataclass(frozen=True, eq=False)
class Region:
    """Some nodes of a graph, as a graph of their own that gives the embeddings of `rows` as the whole graph does.

    A model whose layers are `local` sees the same rows there, summed in the same order: the features of the nodes, the
    entries of their rows, and the degrees of the whole graph. Rows on the rim, beyond those asked for, are wrong.

    Attributes
    ----------
    graph: the part, its nodes numbered anew; or the whole graph.
    nodes: ascending numbers that its nodes have in the whole graph; None for the whole.
    """

    graph: Graph | Interactions
    nodes: np.ndarray | None = None

    @classmethod
    def around(cls, rows: np.ndarray, graph: Graph | Interactions, model: Model, layers: int) -> Self:
        """Return what `layers` layers of `model` need for the nodes `rows`; the whole graph where it is not local."""
        if not model.local:
            return cls(graph)
        assert isinstance(graph, Graph)
        nodes = graph.around(rows, layers)
        return cls(part(graph, nodes), nodes)

    @classmethod
    def of_edges(cls, edges: np.ndarray, rows: np.ndarray, graph: Graph | Interactions, model: Model) -> Self:
        """Return the same for a graph that has the nodes of `graph` and only the (2, k) canonical `edges`.

        Every end of these edges is in it, so that all its rows are right; the whole where the model is not local.
        """
        if not model.local:
            return cls(graph.with_edges(edges))
        assert isinstance(graph, Graph)
        nodes = np.unique(np.concatenate([rows, edges.ravel()]))
        return cls(_of_nodes(graph, nodes).with_edges(np.searchsorted(nodes, edges)), nodes)

    def at(self, nodes: np.ndarray) -> np.ndarray:
        """Return the numbers in the part of nodes of the whole graph, which must be in it."""
        return nodes if self.nodes is None else np.searchsorted(self.nodes, nodes)

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return self.graph.n_nodes

    def embed(self, model: Model, rows: np.ndarray) -> Tensor:
        """Return the model's readout of `rows`, nodes of the whole graph, without gradients."""
        return model.embed(self.graph).index_select(0, as_index(self.at(rows), model.device))


def part(graph: Graph, nodes: np.ndarray) -> Graph:
    """Return the graph of some nodes, ascending (k,), and the edges among them, normalised by their whole degrees."""
    csr, degrees = graph.induced(nodes)
    found = _of_nodes(graph, nodes).with_edges(edges_among(csr, np.ones(len(nodes), dtype=bool)))
    found.memo("csr", lambda: csr)
    found.memo("degrees", lambda: degrees)
    found.memo("normalised", lambda: Sparse(gcn_normalise(csr, degrees), symmetric=True))
    return found


def among(task: Task, rows: np.ndarray) -> Task:
    """Return the task on some ascending nodes, numbered anew, and the training edges among them."""
    found = copy.copy(task)
    found.graph = part(task.graph, rows)
    if "nodes" in task.holes:
        found.holes = {**task.holes, "nodes": _numbers(task.holes["nodes"], rows)}
    return found


def renumbered(gone: Forgotten, rows: np.ndarray) -> Forgotten:
    """Return a forgotten part by the new numbers of the ascending nodes `rows`, which hold its items and edges."""
    items, edges = (np.searchsorted(rows, pairs) for pairs in (gone.items, gone.edges))
    return replace(gone, items=items, edges=edges, nodes=_numbers(gone.nodes, rows))


def _numbers(nodes: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the places of those nodes that are among the ascending `rows`."""
    return np.searchsorted(rows, np.intersect1d(nodes, rows))


def _of_nodes(graph: Graph, nodes: np.ndarray) -> Graph:
    """Return the nodes with their features, labels and ids, and no edges."""
    return Graph(
        n_nodes=len(nodes),
        edges=np.empty((2, 0), dtype=np.int64),
        features=None if graph.features is None else graph.features[nodes],
        labels=None if graph.labels is None else graph.labels[nodes],
        ids=None if graph.ids is None else graph.ids[nodes],
        class_names=graph.class_names,
        name=graph.name,
    )
