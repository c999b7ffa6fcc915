"""The relation matrices of KGAT: facts, interactions and the inverses of both, one matrix per relation direction."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR, edges_to_csr, group
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.orders import users_without_replacement
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.row_sets import RowSets

INTERACT = 0


def inverse_of_interact(n_relations: int) -> int:
    """Return the number of the relation item -> user for R raw relations, R + 1."""
    return n_relations + 1


def forward_of(relation: np.ndarray | int) -> np.ndarray | int:
    """Return the number of a raw relation in its own direction, r + 1."""
    return relation + 1


def inverse_of(relation: np.ndarray | int, n_relations: int) -> np.ndarray | int:
    """Return the number of the inverse of a raw relation, r + 2 + R."""
    return relation + 2 + n_relations


def count_matrices(data: Interactions) -> int:
    """Return the number of relation matrices, 2 (R + 1) for R raw relations; without a knowledge graph R is 0."""
    return 2 * (1 + (0 if data.triples is None else data.triples.n_relations))


@dataclass(frozen=True, eq=False)
class RelationGraph:
    """All triples (head, relation, tail) of nodes, by head; equal pairs under two relations are two triples.

    Attributes
    ----------
    n_relations: number of relation matrices.
    heads, relations, tails: (T,) int64, ascending by head, then tail, then relation.
    indptr: (n_nodes + 1,) the triples of head h are `indptr[h]` to `indptr[h + 1]`.
    edge_types: (T,) int64, number of the distinct pair (head, relation) of each triple.
    type_counts: (n_types,) triples of each such pair.
    """

    n_relations: int
    heads: np.ndarray
    relations: np.ndarray
    tails: np.ndarray
    indptr: np.ndarray
    edge_types: np.ndarray
    type_counts: np.ndarray
    _memo: dict = field(default_factory=dict, repr=False)

    @classmethod
    def of(cls, data: Interactions) -> RelationGraph:
        """Return the relation graph of a data value, built once per value."""
        return data.memo("relation-graph", lambda: _built(data))

    @property
    def n_nodes(self) -> int:
        """Number of nodes."""
        return len(self.indptr) - 1

    def __len__(self) -> int:
        return len(self.heads)

    def matrix(self, values: np.ndarray) -> Sparse:
        """Return the (n_nodes, n_nodes) matrix with a value for each triple; a product sums those of equal pairs."""
        return Sparse(CSR(self.indptr, self.tails.astype(np.int32), values.astype(np.float32), self.n_nodes))

    @property
    def static(self) -> Sparse:
        """Sum of the row-normalised relation matrices: a row sums to the number of relations that leave its node."""
        if "static" not in self._memo:
            self._memo["static"] = self.matrix(1.0 / self.type_counts[self.edge_types])
        return self._memo["static"]

    @property
    def by_head(self) -> CSR:
        """The numbers of the triples of every head, (n_nodes, T)."""
        return CSR(self.indptr, np.arange(len(self), dtype=np.int32), np.ones(len(self), np.float32), len(self))

    @property
    def tail_sets(self) -> RowSets:
        """For every distinct pair (head, relation) the set of its tails."""
        if "tail-sets" not in self._memo:
            csr = edges_to_csr(self.edge_types, self.tails, len(self.type_counts), self.n_nodes)
            self._memo["tail-sets"] = RowSets.of(csr)
        return self._memo["tail-sets"]

    @property
    def by_relation(self) -> tuple[np.ndarray, np.ndarray]:
        """(indptr, positions): the triples of relation r are `positions[indptr[r]:indptr[r + 1]]`."""
        if "by-relation" not in self._memo:
            self._memo["by-relation"] = group(self.relations, self.n_relations)
        return self._memo["by-relation"]


def _built(data: Interactions) -> RelationGraph:
    heads, relations, tails = _all_triples(data)
    order = np.lexsort((relations, tails, heads))
    heads, relations, tails = heads[order], relations[order], tails[order]
    n_relations = count_matrices(data)
    indptr = np.concatenate([[0], np.cumsum(np.bincount(heads, minlength=data.n_nodes))]).astype(np.int64)
    _, types, counts = np.unique(heads * n_relations + relations, return_inverse=True, return_counts=True)
    return RelationGraph(n_relations, heads, relations, tails, indptr, types.astype(np.int64), counts)


def _all_triples(data: Interactions) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return heads, relations and tails (as nodes) of interactions and facts, each in both directions."""
    users, items = data.edges
    n = 0 if data.triples is None else data.triples.n_relations
    facts = np.empty((3, 0), np.int64) if data.triples is None else data.triples.triples
    heads, raw, tails = facts[0] + data.n_users, facts[1], facts[2] + data.n_users
    ids = [np.full(len(users), INTERACT), np.full(len(users), inverse_of_interact(n)), forward_of(raw)]
    relations = np.concatenate([*ids, inverse_of(raw, n)])
    return np.concatenate([users, items, heads, tails]), relations, np.concatenate([items, users, tails, heads])


@dataclass(frozen=True, eq=False)
class FactBatch:
    """Triples of a step of the knowledge-graph phase with a false tail each, ordered by relation.

    Attributes
    ----------
    nodes: (3, b) int64 heads, tails and false tails.
    relations: (b,) int64, ascending.
    """

    nodes: np.ndarray
    relations: np.ndarray


def count_batches(n_triples: int, batch: int) -> int:
    """Return the number of batches of an epoch: all triples, interactions and inverses included, // batch + 1."""
    return n_triples // batch + 1


def count_heads(n_facts: int, n_pairs: int, ranking_batch: int) -> int:
    """Return the heads of a batch in the released code: facts // (interactions // ranking batch)."""
    return n_facts // max(1, n_pairs // ranking_batch)


def fact_batches(graph: RelationGraph, heads: int, batches: int, order_key: int, tails_key: int) -> list[FactBatch]:
    """Return `batches` batches of `heads` triples each.

    The heads of a batch are uniform over all nodes that have a triple, users included, without replacement (with,
    where there are fewer of them); each comes with one of its triples, uniformly, and with a tail that is uniform
    over all nodes which are no tail of that head and relation.
    """
    chosen, positions = users_without_replacement(graph.by_head, heads, batches, order_key)
    false = sample_items(graph.tail_sets, graph.edge_types[positions], tails_key)
    triples = np.stack([chosen, graph.tails[positions], false]).astype(np.int64)
    relations = graph.relations[positions]
    size = len(positions) // batches
    return [
        _by_relation(triples[:, at : at + size], relations[at : at + size]) for at in range(0, len(positions), size)
    ]


def _by_relation(nodes: np.ndarray, relations: np.ndarray) -> FactBatch:
    order = np.argsort(relations, kind="stable")
    return FactBatch(np.ascontiguousarray(nodes[:, order]), relations[order])
