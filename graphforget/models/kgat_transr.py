"""TransR, the knowledge-graph phase of KGAT: the energy of triples, and the loss of a batch."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget.models.kgat_graph import FactBatch


def projected_by_relation(table: Tensor, transforms: Tensor, relations: np.ndarray, *nodes: np.ndarray) -> Tensor:
    """Return e W_r for every row of nodes: (len(nodes), b, k).

    Shapes: table (n_nodes, d), transforms (n_relations, d, k), relations (b,) int64 ascending, each of nodes (b,).
    """
    ids, counts = np.unique(relations, return_counts=True)
    rows = table.index_select(0, torch.from_numpy(np.concatenate(nodes)).to(table.device))
    parts = rows.view(len(nodes), len(relations), table.shape[1]).split(counts.tolist(), dim=1)
    weights = transforms.unbind()
    return torch.cat([part @ weights[r] for r, part in zip(ids, parts, strict=True)], dim=1)


def relation_rows(relations: Tensor, ids: np.ndarray) -> Tensor:
    """Return the vectors e_r of the relations `ids`, (b, k)."""
    return relations.index_select(0, torch.from_numpy(ids).to(relations.device))


def energy(head: Tensor, relation: Tensor, tail: Tensor) -> Tensor:
    """Return g = || h W_r + e_r - t W_r ||^2 of projected heads and tails, (b,)."""
    return (head + relation - tail).square().sum(dim=1)


def transr_loss(
    table: Tensor, relations: Tensor, transforms: Tensor, batch: FactBatch, reg: float, divisor: int
) -> Tensor:
    """Return mean softplus(g(h, r, t) - g(h, r, t')) plus reg times half the squared norms over `divisor`."""
    head, tail, false = projected = projected_by_relation(table, transforms, batch.relations, *batch.nodes)
    relation = relation_rows(relations, batch.relations)
    near, far = (energy(head, relation, end) for end in (tail, false))
    squares = projected.square().sum() + relation.square().sum()
    return F.softplus(near - far).mean() + reg * 0.5 * squares / divisor


def energies(table: Tensor, relations: Tensor, transforms: Tensor, triples: np.ndarray) -> np.ndarray:
    """Return g of (3, m) triples (head node, relation, tail node) without gradients, float64 (m,): low is plausible."""
    order = np.argsort(triples[1], kind="stable")
    heads, ids, tails = triples[:, order]
    found = np.empty(len(order))
    with torch.no_grad():
        head, tail = projected_by_relation(table.double(), transforms.double(), ids, heads, tails)
        found[order] = energy(head, relation_rows(relations.double(), ids), tail).cpu().numpy()
    return found
