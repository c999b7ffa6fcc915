"""LightGCN."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget.data.interactions import Interactions
from graphforget.kernels.mean_propagation import mean_propagation
from graphforget.kernels.neighbours import renumbered, sample_neighbours
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.models.base import Hook
from graphforget.models.mf import MF, propagated_layers, with_entities
from graphforget.models.recommender import mean_of
from graphforget.tasks.base import as_index


class LightGCN(MF):
    """LightGCN (He et al. 2020, arXiv 2002.02126): E^(k+1) = A_hat E^(k), the final embedding is the mean of all.

    A_hat = D^-1/2 A D^-1/2 of the bipartite graph, without self-loops.

    Parameters
    ----------
    layers: number of propagations.
    init, std: of the learned embeddings; the authors' PyTorch code draws from N(0, 0.1^2), their TensorFlow code
        (lightgcn-tf) from N(0, 0.01^2), the paper says Xavier.
    loss, temperature, candidates: see `MF`.
    dim, reg, reg_form, reg_on, reg_per_batch: see `Recommender`; the official values are the defaults.
    """

    name: ClassVar[str] = "lightgcn"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "lightgcn-tf": {"std": 0.01},
        "lightgcn-recbole": {"layers": 2, "reg": 1e-5, "init": "xavier", "reg_form": "norm"},
    }

    def __init__(
        self,
        dim: int = 64,
        layers: int = 3,
        reg: float = 1e-4,
        init: str = "normal",
        std: float = 0.1,
        reg_form: str = "half_squared",
        reg_on: str = "layer0",
        reg_per_batch: bool = True,
        loss: str = "bpr",
        temperature: float = 0.2,
        candidates: int = 2048,
    ) -> None:
        super().__init__(dim, reg, init, std, reg_form, reg_on, reg_per_batch, loss, temperature, candidates)
        layers = self.check_count("layers", layers, 16)
        self.n_layers = layers

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        return {**super().config(), "layers": self.n_layers}

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return E^(0) to E^(K)."""
        return propagated_layers(self, data, self.n_layers, hook)

    def at_rows(self, data: Interactions, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """Return the rows of E^(0) and of the mean of all layers; see `Model.has_rows`."""
        learned = with_entities(self, data)
        first = learned.index_select(0, as_index(rows, learned.device))
        return [first], mean_propagation(data.normalised, learned, rows, self.n_layers)

    def sampled_rows(
        self, data: Interactions, rows: np.ndarray, hops: Sequence[tuple[int, int]]
    ) -> tuple[list[Tensor], Tensor]:
        """Return the rows of E^(0) and of the mean of all layers, each computed from drawn neighbours.

        See `Backbone.sampled_rows`; an entry of A_hat that was drawn counts for those of its row that were not.
        """
        nodes, parts, wanted = rows, [], [rows]
        for count, key in hops:
            found = sample_neighbours(data.normalised.csr, nodes, count, key)
            nodes, _, local = renumbered(found, nodes)
            parts.append(local)
            wanted.append(nodes)
        h = self._learned_rows(nodes, data.n_users)
        first = total = h.index_select(0, as_index(np.searchsorted(nodes, rows)).to(h.device))
        for local, there in zip(reversed(parts), reversed(wanted[:-1]), strict=True):
            h = propagate(Sparse(local), h)
            total = total + h.index_select(0, as_index(np.searchsorted(there, rows)).to(h.device))
        return [first], total / len(wanted)

    def _learned_rows(self, nodes: np.ndarray, n_users: int) -> Tensor:
        """Return the learned embeddings of ascending nodes; zeros for entities that are no items."""
        ends = n_users, n_users + len(self.items)
        user, item, _ = np.split(nodes, np.searchsorted(nodes, ends))
        tables = ((self.users, user), (self.items, item - n_users))
        found = torch.cat([table.index_select(0, as_index(at).to(table.device)) for table, at in tables])
        return F.pad(found, (0, 0, 0, len(nodes) - len(found)))

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return the mean of all layers."""
        return mean_of(layers)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of the propagations and the mean."""
        return self.n_layers * self.dim * (4 * graph.n_edges + graph.n_nodes) + self.dim * graph.n_nodes
