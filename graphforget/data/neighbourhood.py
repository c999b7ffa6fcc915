"""Some rows of a graph as a graph of their own: what a layer computes for the nodes of a mini-batch or a block."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar, Self

import numpy as np

from graphforget.data.graph import Graph
from graphforget.kernels.csr import CSR, gcn_normalise
from graphforget.kernels.neighbours import renumbered, sample_neighbours
from graphforget.kernels.propagate import Sparse


@dataclass(frozen=True, eq=False)
class Neighbourhood(Graph):
    """Nodes with all or some of their neighbours; a neighbour that is not asked for itself has none.

    A layer computed on it gives right rows for `rows` alone. Where neighbours were drawn, an entry of the adjacency
    counts for those that were not (see `kernels.neighbours`), so that sums over neighbours, means and products with
    D^-1/2 (A + I) D^-1/2, D the degrees of the whole graph, are right on average. A softmax over neighbours is one over
    the drawn ones. There are no `edges`: the adjacency is not symmetric.

    Attributes
    ----------
    nodes: ascending numbers that its nodes have in the whole graph.
    rows: the numbers here of the nodes that were asked for.
    """

    symmetric: ClassVar[bool] = False

    nodes: np.ndarray = field(kw_only=True)
    rows: np.ndarray = field(kw_only=True)

    @classmethod
    def of(cls, graph: Graph, rows: np.ndarray, count: int | None = None, key: int = 0, features: bool = True) -> Self:
        """Return the ascending nodes `rows` with at most `count` random neighbours each, or all of them.

        key: of the random stream. features: whether to take the features of the nodes along.
        """
        nodes, where, local = renumbered(sample_neighbours(graph.csr, rows, count, key), rows)
        held = graph.features if features else None
        found = cls(
            n_nodes=len(nodes),
            edges=np.empty((2, 0), dtype=np.int64),
            features=None if held is None else held[nodes],
            name=graph.name,
            nodes=nodes,
            rows=where,
        )
        found.memo("csr", lambda: _square(local, where))
        found.memo("degrees", lambda: graph.degrees[nodes])
        return found

    @property
    def normalised(self) -> Sparse:
        """D^-1/2 (A + I) D^-1/2, D the degrees of the whole graph."""
        return self.memo("normalised", lambda: Sparse(gcn_normalise(self.csr, self.degrees)))


def _square(local: CSR, where: np.ndarray) -> CSR:
    """Return the rows at their places in a square matrix whose other rows are empty."""
    lengths = np.zeros(local.n_cols + 1, np.int64)
    lengths[where + 1] = np.diff(local.indptr)
    return local._replace(indptr=np.cumsum(lengths))
