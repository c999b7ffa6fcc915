"""A graph without some edges of another one, whose arrays are made when somebody reads them."""

from __future__ import annotations

from dataclasses import fields
from functools import cached_property
from typing import Any, Self

import numpy as np

from graphforget.data.graph import Graph
from graphforget.kernels.csr import CSR, frozen, symmetric_csr
from graphforget.kernels.edge_lists import csr_without, drop_positions
from graphforget.kernels.khop import ball


class Thinned(Graph):
    """A graph that lacks edges of another: what concerns some of its nodes is read from the other and corrected.

    Dropping 100 edges of ten million takes no copy of the rest, and neither does opening the neighbourhood of a few
    nodes (`around`, `induced`). Whoever asks for `edges` or `csr` gets the arrays that `Graph` would have.

    Attributes
    ----------
    whole: the graph with the edges; None in a value that was derived from this one and has edges of its own.
    dropped: (2, k) the edges that are missing, in canonical order; positions: where they stand in `whole.edges`.
    """

    whole: Graph | None = None
    dropped: np.ndarray
    positions: np.ndarray

    @classmethod
    def of(cls, graph: Graph, positions: np.ndarray) -> Self:
        """Return the graph without the edges at ascending positions."""
        found = object.__new__(cls)
        kept = {item.name: getattr(graph, item.name) for item in fields(Graph) if item.name not in ("edges", "_memo")}
        own = {"whole": graph, "positions": positions, "dropped": graph.edges[:, positions]}
        for name, value in {**kept, **own, "_memo": {}}.items():
            object.__setattr__(found, name, value)
        return found

    @cached_property
    def edges(self) -> np.ndarray:  # a value of its own takes the place of this one: `Graph.__init__` writes it
        """(2, E) int64: pieces of the whole graph's edges, which are copied and neither tested nor sorted."""
        assert self.whole is not None
        return frozen(drop_positions(self.whole.edges, self.positions))

    @property
    def n_edges(self) -> int:
        """Number of undirected edges."""
        return self.edges.shape[1] if self.whole is None else self.whole.n_edges - len(self.positions)

    @property
    def csr(self) -> CSR:
        """Adjacency with both directions of every edge, values 1."""
        return self.memo("csr", self._csr)

    def _csr(self) -> CSR:
        if self.whole is None:
            return symmetric_csr(self.edges[0], self.edges[1], self.n_nodes)
        return csr_without(self.whole.csr, self.dropped)

    def around(self, nodes: np.ndarray, hops: int) -> np.ndarray:
        """Return the ascending nodes within some hops of others in the whole graph: a few more, perhaps, than here."""
        return super().around(nodes, hops) if self.whole is None else self.whole.around(nodes, hops)

    def induced(self, nodes: np.ndarray) -> tuple[CSR, np.ndarray]:
        """Return the adjacency among the ascending `nodes` (k,), numbered anew, and their degrees in this graph."""
        if self.whole is None or "csr" in self._memo:
            return super().induced(nodes)
        csr, degrees = self.whole.induced(nodes)
        if not len(nodes):
            return csr, degrees
        places = np.minimum(np.searchsorted(nodes, self.dropped), len(nodes) - 1)
        here = nodes[places] == self.dropped
        lost = np.bincount(places[here], minlength=len(nodes))
        return csr_without(csr, places[:, here.all(axis=0)]), degrees - lost

    def __reduce__(self) -> tuple[type[Graph], tuple[Any, ...]]:
        """Copy and pickle a plain graph: what is missing here must not travel along."""
        return Graph, tuple(getattr(self, item.name) for item in fields(Graph) if item.init)

    def next_to_dropped(self) -> np.ndarray:
        """Return the ascending nodes whose row of a normalised adjacency changed: ends of what is missing, and theirs.

        Their neighbours are among them, since an end's degree stands in its neighbours' rows.
        """
        assert self.whole is not None
        return ball(self.whole.csr, self.dropped.ravel(), 1)
