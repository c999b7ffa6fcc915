"""The sizes of a KGAT: what its aggregators read, and how many parameters it has."""

from __future__ import annotations

from graphforget.models.recommender import layer_widths

AGGREGATORS = {"bi": (1, 2), "gcn": (1, 1), "graphsage": (2, 1)}
"""Of each aggregator: how many widths its input has, and how many weights it has."""


def parameter_count(
    n_users: int,
    n_entities: int,
    n_relations: int,
    dim: int = 64,
    kg_dim: int = 64,
    layers: str = "64,32,16",
    aggregator: str = "bi",
    unused_mlp: bool = False,
) -> int:
    """Return the number of parameters of a KGAT, from sizes alone.

    n_relations counts raw relations, without their inverses and the interactions. `unused_mlp` adds the layers (2 d x
    d' + d') that the released code creates and never uses, and its logs count.

    Example
    -------
    >>> parameter_count(23566, 106389, 9, unused_mlp=True), parameter_count(70679, 113487, 39, unused_mlp=True)
    (8427280, 12146384)
    """
    sizes = [dim, *layer_widths("kgat", layers)]
    wide, weights = AGGREGATORS[aggregator]
    steps = list(zip(sizes[:-1], sizes[1:], strict=True))
    matrices = 2 * (n_relations + 1)
    total = dim * (n_users + n_entities) + kg_dim * matrices + dim * kg_dim * matrices
    total += sum(weights * (wide * n_in + 1) * n_out for n_in, n_out in steps)
    return total + (sum((2 * n_in + 1) * n_out for n_in, n_out in steps) if unused_mlp else 0)
