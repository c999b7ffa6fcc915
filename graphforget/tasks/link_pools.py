"""Neighbourhoods of a link task: what hops reach, and the pools that deletions are drawn from."""

from __future__ import annotations

from typing import Literal

import numpy as np

from graphforget._core.errors import UsageError
from graphforget.data.graph import Graph
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.khop import k_hop_nodes

Hop = Literal["directed_compat", "undirected"]


def reached(graph: Graph, seeds: np.ndarray, hops: int, hop: str) -> np.ndarray:
    """Return the (n_nodes,) mask of nodes within `hops` hops of the nodes `seeds`.

    "undirected" walks both ways; "directed_compat" from the higher to the lower node number only.
    """
    mask = np.zeros(graph.n_nodes, dtype=bool)
    mask[seeds] = True
    return k_hop_nodes(graph.csr if hop == "undirected" else _downward(graph), mask, hops)


def _downward(graph: Graph) -> CSR:
    """Adjacency from each node to its lower-numbered neighbours only."""
    u, v = graph.edges
    return graph.memo("downward", lambda: edges_to_csr(v, u, graph.n_nodes, graph.n_nodes))


def pool(graph: Graph, anchor: np.ndarray, where: str, hop: str) -> np.ndarray:
    """Return positions of the edges of `graph` inside or outside the 2-hop neighbourhood of the (2, m) anchor edges.

    Inside is an edge with both ends in it; where "any", all edges count.
    """
    if where not in ("in", "out", "any"):
        raise UsageError(f"'where' must be in, out or any; got '{where}'.")
    if where == "any":
        return np.arange(graph.n_edges)
    near = reached(graph, np.unique(anchor), 2, hop)
    inside = near[graph.edges[0]] & near[graph.edges[1]]
    return np.flatnonzero(inside if where == "in" else ~inside)
