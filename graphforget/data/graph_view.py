"""Interactions read as a graph of users, items and further entities, joined by the train pairs."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence

import numpy as np

from graphforget.data.memo import Memo
from graphforget.data.triples import TripleGraph
from graphforget.kernels.csr import CSR, frozen, symmetric_csr, symmetric_normalise
from graphforget.kernels.propagate import Sparse


class GraphView(Memo, ABC):
    """What kernels, methods and models written for a `Graph` of edges ask for.

    Node u is user u, node n_users + i item i, node n_users + e entity e of the knowledge graph (its first entities are
    the items). An edge is a train pair. Nodes have neither features nor labels.
    """

    n_users: int
    n_items: int
    train: CSR
    triples: TripleGraph | None

    @abstractmethod
    def pairs(self, part: str = "train") -> np.ndarray:
        """Return the pairs of a part, (2, m) int64 (user, item), ascending."""

    @property
    def n_entities(self) -> int:
        """Number of items and further entities of the knowledge graph."""
        return self.n_items if self.triples is None else self.triples.n_entities

    @property
    def n_nodes(self) -> int:
        """Number of nodes of the graph view: users, then items and further entities."""
        return self.n_users + self.n_entities

    @property
    def edges(self) -> np.ndarray:
        """(2, n_edges) int64 train pairs as nodes (u, n_users + i), ascending, in the order of `pairs("train")`."""
        return self.memo("edges", lambda: frozen(self.pairs("train") + np.array([[0], [self.n_users]])))

    @property
    def n_edges(self) -> int:
        """Number of edges of the graph view, the train pairs."""
        return self.train.nnz

    @property
    def csr(self) -> CSR:
        """Adjacency of the graph view with both directions of every train pair, values 1."""
        return self.memo("csr", lambda: symmetric_csr(self.edges[0], self.edges[1], self.n_nodes))

    @property
    def degrees(self) -> np.ndarray:
        """(n_nodes,) int64 number of neighbours in the graph view."""
        return self.memo("degrees", lambda: frozen(np.diff(self.csr.indptr)))

    @property
    def normalised(self) -> Sparse:
        """D^-1/2 A D^-1/2 without self-loops (He et al. 2020, LightGCN, eq. 8); a node without edges has no entry."""
        return self.memo("normalised", lambda: Sparse(symmetric_normalise(self.csr), symmetric=True))

    @property
    def n_features(self) -> int:
        """0: nodes of the graph view have no features (`modalities` belong to items)."""
        return 0

    @property
    def features(self) -> None:
        """None, see `n_features`."""
        return None

    @property
    def feature_matrix(self) -> None:
        """None, see `n_features`."""
        return None

    @property
    def labels(self) -> None:
        """None: nodes of the graph view have no classes."""
        return None

    def nodes_of_items(self, items: np.ndarray | Sequence[int]) -> np.ndarray:
        """Return the nodes of the graph view that are the given items (or entities)."""
        return np.asarray(items, dtype=np.int64) + self.n_users
