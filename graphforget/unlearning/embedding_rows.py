"""Some rows of a recommender's embedding tables as one vector, and derivatives of its ranking loss in them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.func import functional_call

from graphforget._core.errors import UnsupportedError
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.tasks.base import Items, as_index
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.pair_batches import regulariser

TABLES = {"users": 0, "nodes": 0, "items": 1, "entities": 1}
"""Names of the parameters that are embedding tables: 0 where their first row is user 0, 1 where it is item 0."""


def rows_change(before: Model, after: Model, nodes: np.ndarray, n_users: int) -> float | None:
    """Return how far the embedding rows of some users and items moved, over their norm before.

    Rows beneath operators and shifts are compared. None where the models have no such rows of both, as PinSage of
    users.
    """
    base, other = under_operators(before), under_operators(after)
    old, new = dict(base.named_parameters()), dict(other.named_parameters())
    moved = norm = 0.0
    for name, rows in table_rows(base, nodes, n_users, TABLES).items():
        if name in new and new[name].shape == old[name].shape:
            first, then = (table[name].detach().cpu()[rows.cpu()].double() for table in (old, new))
            moved += float((then - first).square().sum())
            norm += float(first.square().sum())
    return (moved / norm) ** 0.5 if norm else None


def table_rows(model: Model, nodes: np.ndarray, n_users: int, tables: Mapping[str, int]) -> dict[str, Tensor]:
    """Return name of a parameter -> the rows it has for some of the nodes; those without any are left out.

    tables: names as in `TABLES`.
    """
    found = {}
    for name, value in model.named_parameters(recurse=False):
        if name in tables:
            local = nodes - tables[name] * n_users
            inside = local[(local >= 0) & (local < value.shape[0])]
            if len(inside):
                found[name] = as_index(inside, value.device)
    return found


class EmbeddingRows:
    """The rows of chosen nodes in a model's embedding tables.

    Parameters
    ----------
    model: a recommender whose tables are parameters called `users`, `items`, `entities` or `nodes`.
    nodes: numbers of the chosen nodes.
    n_users: number of users.

    Raises UnsupportedError for a model that has no such row for any of them.
    """

    def __init__(self, model: Model, nodes: np.ndarray, n_users: int) -> None:
        self.model = model
        self.rows: dict[str, Tensor] = {}
        self.first: dict[str, int] = {}
        base = under_operators(model)
        names = {id(value): name for name, value in model.named_parameters()}
        for name, rows in table_rows(base, nodes, n_users, TABLES).items():
            full = names[id(getattr(base, name))]
            self.rows[full], self.first[full] = rows, TABLES[name] * n_users
        if not self.rows:
            raise UnsupportedError(
                f"A {type(base).__name__} has no embedding row (in tables called {', '.join(TABLES)}) for any user or "
                "item that an influence step would move here. Let the step move users and items, or use a method that "
                "trains."
            )

    @property
    def shapes(self) -> dict[str, tuple[int, int]]:
        """Name of a table -> (chosen rows, width)."""
        named = dict(self.model.named_parameters())
        return {name: (len(rows), named[name].shape[1]) for name, rows in self.rows.items()}

    @property
    def size(self) -> int:
        """Numbers in the vector."""
        return sum(rows * width for rows, width in self.shapes.values())

    def moved(self, delta: Tensor) -> dict[str, Tensor]:
        """Return name -> table with the rows moved by `delta` (size,)."""
        named = dict(self.model.named_parameters())
        parts = delta.split([rows * width for rows, width in self.shapes.values()])
        found = {}
        for (name, rows), part in zip(self.rows.items(), parts, strict=True):
            table = named[name].detach()
            found[name] = table.index_add(0, rows, part.view(len(rows), -1).to(table))
        return found

    def spread_over(self, per_node: Tensor) -> Tensor:
        """Return a value per node, (n_nodes,), as one per number of the vector, (size,) float64."""
        parts = [per_node[self.first[name] + rows] for name, rows in self.rows.items()]
        widths = [width for _, width in self.shapes.values()]
        return torch.cat([part.repeat_interleave(width) for part, width in zip(parts, widths, strict=True)]).double()

    def write(self, delta: Tensor) -> Model:
        """Return a copy of the model whose rows are moved by `delta`."""
        model = self.model.clone()
        named = dict(model.named_parameters())
        with torch.no_grad():
            for name, table in self.moved(delta).items():
                named[name].copy_(table)
        return model


class _Scored(nn.Module):
    """Preference logits and regulariser of items, as a function of a model's parameters."""

    def __init__(self, model: Model, task: Recommendation) -> None:
        super().__init__()
        self.model, self.task = model, task

    def forward(self, data: Interactions, items: Items) -> tuple[Tensor, Tensor]:
        layers = self.model.layers(data)
        z = self.model.readout(layers)
        return self.task.responses(z, items), regulariser(self.model, layers, z, items)


class RankingLoss:
    """The summed loss of triples as a function of chosen embedding rows, at the model's parameters.

        J(delta) = sum_k c_k [ w_k l(d_k, y_k) + the backbone's regulariser of triple k ]
        l(d, y) = y softplus(-d) + (1 - y) softplus(d),   BPR for y = 1

    Everything is exact: gradients and products come from (repeated) differentiation of the model itself. A regulariser
    that is not divided by the batch (`reg_per_batch`) counts as it did in the original's batches. So does an un-squared
    norm: B of m triples, drawn at random, have sqrt(B / m) of the norm of all, and m / B batches add up.

    Parameters
    ----------
    rows: which rows `delta` moves. data: what messages pass over.
    items: m triples. weights, labels, counts: w, y and c, (m,) each; None is 1 for all. A triple that stands for c of
        them counts c times; w weighs its ranking loss alone.
    batch: triples of a batch in the original's training; None for all of them.
    """

    def __init__(
        self,
        rows: EmbeddingRows,
        task: Recommendation,
        data: Interactions,
        items: Items,
        weights: Tensor | None = None,
        labels: Tensor | None = None,
        batch: int | None = None,
        counts: Tensor | None = None,
    ) -> None:
        own = rows.model.own_loss()
        if own is not None:
            raise UnsupportedError(
                f"An influence step needs the loss that trained the model; this one is computed for BPR, and the model "
                f"was trained with another ({own}). Train with BPR, or use a method that trains."
            )
        self.rows, self.data, self.items = rows, data, items
        self.scored = _Scored(rows.model, task).eval()
        if counts is not None:
            self.items = replace(items, weights=counts)
            weights = counts if weights is None else counts * weights
        ones = torch.ones(len(items))
        self.weights, self.labels = (ones if given is None else given for given in (weights, labels))
        self.delta = next(rows.model.parameters()).detach().new_zeros(rows.size).requires_grad_()
        self.d, penalty = self._scores()
        base, times = under_operators(rows.model), 1.0
        if batch is not None:
            divided = getattr(base, "reg_per_batch", True)
            times = 1.0 if divided else batch / len(items)
            if getattr(base, "reg_form", None) == "norm":
                triples = float(len(items) if counts is None else counts.sum())
                times *= (triples / batch) ** 0.5
        self.penalty = float(len(items)) * times * penalty

    def _scores(self) -> tuple[Tensor, Tensor]:
        tables = {f"model.{name}": table for name, table in self.rows.moved(self.delta).items()}
        return functional_call(self.scored, tables, (self.data, self.items))

    def value(self) -> Tensor:
        """Return J at delta = 0, with its graph."""
        losses = F.softplus(-self.d) + (1 - self.labels.to(self.d)) * self.d
        return (self.weights.to(self.d) * losses).sum() + self.penalty

    def gradient(self) -> Tensor:
        """Return dJ/d delta, (size,)."""
        return _grad(self.value(), self.delta)

    def gradient_along(self, slopes: Tensor) -> Tensor:
        """Return the gradient (size,) of sum_k slopes_k d_k."""
        return _grad(self.d, self.delta, slopes.to(self.d))

    def hessian(self) -> Callable[[Tensor], Tensor]:
        """Return v -> H v, H the Hessian of J."""
        first = _grad(self.value(), self.delta, create_graph=True)
        return lambda v: _grad(first, self.delta, v.to(first))

    def gauss_newton(self) -> Callable[[Tensor], Tensor]:
        """Return v -> G v, G = D^T diag(w s (1 - s)) D with D = dd/d delta and s = sigma(d), plus the regulariser's.

        G is the Hessian without the curvature of d itself; it is positive semi-definite, as H often is not.
        """
        ones = torch.ones_like(self.d, requires_grad=True)
        through = _grad(self.d, self.delta, ones, create_graph=True)
        p = torch.sigmoid(self.d.detach())
        curvature = self.weights.to(p) * p * (1 - p)
        reg = _grad(self.penalty, self.delta, create_graph=True) if self.penalty.requires_grad else None

        def product(v: Tensor) -> Tensor:
            v = v.to(through)
            found = _grad(self.d, self.delta, curvature * _grad(through, ones, v))
            return found if reg is None else found + _grad(reg, self.delta, v)

        return product


def _grad(output: Tensor, at: Tensor, along: Tensor | None = None, create_graph: bool = False) -> Tensor:
    """Return the gradient of a scalar, or of <output, along>, keeping the graph for the next product."""
    try:
        found = torch.autograd.grad(
            output, at, along, retain_graph=True, create_graph=create_graph, allow_unused=True, materialize_grads=True
        )
    except RuntimeError as error:
        if "once_differentiable" not in str(error):
            raise
        raise UnsupportedError(
            "An influence step needs second derivatives, which a part of this backbone does not have. Use another "
            "backbone, or a method that trains."
        ) from error
    return found[0]
