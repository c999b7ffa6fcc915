"""The frozen graph value: undirected edges, node features, node labels."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError
from graphforget._core.words import counted
from graphforget.data.checks import (
    Features,
    absolute,
    canonical_edges,
    check_edges,
    check_features,
    check_labels,
    check_masks,
    empty_classes,
    freeze_features,
    frozen,
    scale_rows,
    shared_nodes,
    with_unknown,
)
from graphforget.data.checks import (
    class_names as names_of_classes,
)
from graphforget.data.id_lookup import Id, checked_ids, id_table, ids_of, numbers_of
from graphforget.data.memo import Memo
from graphforget.kernels.csr import CSR, gcn_normalise, symmetric_csr
from graphforget.kernels.edge_lists import find_edges
from graphforget.kernels.khop import ball
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.subgraph import induced_csr


@dataclass(frozen=True, eq=False)
class Graph(Memo):
    """An undirected graph with node features and labels; a frozen value.

    Build one with `Graph.build`. Deriving a graph (`without`) gives a new value, so that nothing computed for the
    old one can survive in it.

    Attributes
    ----------
    n_nodes: number of nodes; deletions never change it (ids are frozen, a deleted node leaves a hole).
    edges: (2, E) int64, u < v, in lexicographic order, without repeats.
    features: (n_nodes, F) float32, SciPy CSR when sparse, or None.
    labels: (n_nodes,) int64, -1 where unknown, or None.
    ids: the user's own node ids in node order, or None when they are 0 .. n_nodes - 1.
    masks: published node splits by name ("train", "val", "test").
    name: what tables call it.
    notes: what `build` dropped, merged and found.
    benchmark: True for a data set with a card; its tasks default to the published protocol.
    column_order: True where published splits number the edges by (v, u) instead of (u, v).
    symmetric: whether the adjacency is; see `Neighbourhood` for one that is not.
    """

    symmetric: ClassVar[bool] = True

    n_nodes: int
    edges: np.ndarray
    features: Features | None = None
    labels: np.ndarray | None = None
    ids: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    name: str = "graph"
    notes: tuple[str, ...] = ()
    benchmark: bool = False
    column_order: bool = False

    @classmethod
    def build(
        cls,
        n_nodes: int,
        edges: Any,
        features: Any = None,
        labels: Any = None,
        ids: Any = None,
        class_names: Sequence[str] | None = None,
        masks: Mapping[str, np.ndarray] | None = None,
        name: str = "graph",
        notes: Sequence[str] = (),
        benchmark: bool = False,
        column_order: bool = False,
    ) -> Graph:
        """Return a graph from arrays: checked, symmetrised, without self-loops and repeats.

        Raises DataError when an array has the wrong shape or type, names a node that does not exist, or holds NaN.
        """
        if n_nodes < 1:
            raise DataError(f"Graph '{name}': a graph needs at least one node; got {n_nodes}.")
        canonical, dropped = canonical_edges(check_edges(edges, n_nodes, name), n_nodes)
        labels = None if labels is None else frozen(check_labels(labels, n_nodes, name))
        classes = names_of_classes(class_names, labels, name)
        masks = check_masks(masks, n_nodes, name)
        return cls(
            n_nodes=int(n_nodes),
            edges=frozen(canonical),
            features=freeze_features(check_features(features, n_nodes, name)),
            labels=labels,
            ids=checked_ids(ids, n_nodes, "node", f"Graph '{name}'"),
            class_names=classes,
            masks=masks,
            name=name,
            notes=(*notes, *dropped, *empty_classes(classes, labels), *shared_nodes(masks)),
            benchmark=benchmark,
            column_order=column_order,
        )

    @property
    def n_edges(self) -> int:
        """Number of undirected edges."""
        return self.edges.shape[1]

    @property
    def n_features(self) -> int:
        """Number of features of a node (0 without features)."""
        return 0 if self.features is None else self.features.shape[1]

    @property
    def n_classes(self) -> int:
        """Number of classes (0 without labels)."""
        return 0 if self.class_names is None else len(self.class_names)

    @property
    def csr(self) -> CSR:
        """Adjacency with both directions of every edge, values 1."""
        return self.memo("csr", lambda: symmetric_csr(self.edges[0], self.edges[1], self.n_nodes))

    @property
    def degrees(self) -> np.ndarray:
        """(n_nodes,) int64 number of neighbours."""
        return self.memo("degrees", lambda: frozen(np.diff(self.csr.indptr)))

    @property
    def normalised(self) -> Sparse:
        """D^-1/2 (A + I) D^-1/2, the propagation matrix of GCN (Kipf and Welling 2017, eq. 2)."""
        return self.memo("normalised", lambda: Sparse(gcn_normalise(self.csr), symmetric=True))

    @property
    def feature_matrix(self) -> Sparse | None:
        """The features as a `Sparse`, or None when they are dense or absent."""
        if self.features is None or isinstance(self.features, np.ndarray):
            return None
        return self.memo("feature_matrix", self._sparse_features)

    def _sparse_features(self) -> Sparse:
        x = self.features
        assert isinstance(x, sp.csr_array)
        csr = CSR(x.indptr.astype(np.int64), x.indices.astype(np.int32), np.array(x.data), x.shape[1])
        return Sparse(csr, symmetric=False)

    @property
    def digest(self) -> str:
        """sha256 of node count, edges, features, labels and ids: two graphs with one digest hold the same data."""
        return self.memo("digest", self._digest)

    def _digest(self) -> str:
        sha = hashlib.sha256(f"graph/{self.n_nodes}/{self.n_features}".encode())
        x = self.features
        parts = [self.edges, self.labels, self.ids]
        parts += [x] if x is None or isinstance(x, np.ndarray) else [x.indptr.astype(np.int64), x.indices, x.data]
        for part in parts:
            sha.update(
                b"-" if part is None else f"{part.dtype}{part.shape}".encode() + np.ascontiguousarray(part).tobytes()
            )
        return sha.hexdigest()

    def row_normalised(self) -> Graph:
        """Return the graph with the absolute values of every feature row summing to 1 (rows of zeros stay)."""
        if self.features is None:
            return self
        sums = np.asarray(absolute(self.features).sum(axis=1), dtype=np.float32).ravel()
        scale = (1.0 / np.where(sums != 0, sums, 1.0)).astype(np.float32)
        return self.with_features(scale_rows(self.features, scale))

    def with_features(self, features: Features | None) -> Graph:
        """Return the graph with other features; everything else stays."""
        return replace(self, features=freeze_features(check_features(features, self.n_nodes, self.name)))

    def with_edges(self, edges: np.ndarray) -> Graph:
        """Return the graph with other edges, given as (2, E) canonical pairs; everything else stays."""
        return replace(self, edges=frozen(edges))

    def without_edges(self, edges: np.ndarray) -> Graph:
        """Return the graph without the edges (2, k), the smaller number first, in any order; node numbers stay.

        Nothing is copied before somebody reads it (`Thinned`). Raises DataError for an edge that a search in canonical
        order does not find.
        """
        positions = find_edges(self.edges, edges)
        if positions.min(initial=0) < 0:
            raise DataError(
                f"Graph '{self.name}': {int((positions < 0).sum()):,} of {len(positions):,} edges to delete are not in "
                "it, or its edges are in no order. Build it with Graph.build, which sorts them."
            )
        from graphforget.data.thinned import Thinned

        return Thinned.of(self, np.unique(positions))

    def around(self, nodes: np.ndarray, hops: int) -> np.ndarray:
        """Return the ascending numbers of the nodes within some hops of others, these included."""
        return ball(self.csr, nodes, hops)

    def induced(self, nodes: np.ndarray) -> tuple[CSR, np.ndarray]:
        """Return the adjacency among the ascending `nodes` (k,), numbered anew, and their degrees in this graph."""
        return induced_csr(self.csr, nodes), self.degrees[nodes]

    def without(
        self,
        edges: np.ndarray | None = None,
        nodes: np.ndarray | None = None,
        features: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        zero_node_features: bool = True,
    ) -> Graph:
        """Return a new graph without the given parts; node numbers stay.

        Parameters
        ----------
        edges: positions into `edges`, or a boolean mask over them.
        nodes: nodes whose incident edges, label and (by default) features go; their rows stay as holes.
        features: nodes whose features become zero.
        labels: nodes whose label becomes unknown.
        zero_node_features: False keeps the feature rows of `nodes`.
        """
        keep = np.ones(self.n_edges, dtype=bool)
        if edges is not None:
            keep[edges] = False
        blank = [] if features is None else [features]
        unknown = [] if labels is None else [labels]
        if nodes is not None:
            gone = np.zeros(self.n_nodes, dtype=bool)
            gone[nodes] = True
            keep &= ~(gone[self.edges[0]] | gone[self.edges[1]])
            blank += [nodes] if zero_node_features else []
            unknown += [nodes]
        graph = replace(self, edges=frozen(self.edges[:, keep]), labels=with_unknown(self.labels, unknown))
        return graph._without_features(blank)

    def _without_features(self, nodes: list[np.ndarray]) -> Graph:
        if self.features is None or not any(len(part) for part in nodes):
            return self
        scale = np.ones(self.n_nodes, dtype=np.float32)
        scale[np.concatenate(nodes)] = 0.0
        return replace(self, features=freeze_features(scale_rows(self.features, scale)))

    def index_of(self, user_ids: Sequence[Any] | np.ndarray) -> np.ndarray:
        """Return node numbers of the user's own ids; raises DataError at an unknown one (a near one is suggested)."""
        table = self.memo("id_table", lambda: id_table(self.ids))
        return numbers_of(user_ids, table, self.n_nodes, "node", f"Graph '{self.name}'")

    def user_ids(self, nodes: np.ndarray) -> list[Id]:
        """Return the user's own ids of the given node numbers."""
        return ids_of(nodes, self.ids)

    def __repr__(self) -> str:
        return (
            f"Graph('{self.name}', {self.n_nodes:,} nodes, {self.n_edges:,} undirected edges, "
            f"{self.n_features:,} features, {counted(self.n_classes, 'class')})"
        )
