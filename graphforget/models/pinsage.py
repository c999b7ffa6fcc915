"""PinSage: items described by the items that random walks visit."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import edges_to_csr, mean_normalise
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.kernels.walks import top_visited
from graphforget.models.base import Hook, fan_in
from graphforget.models.modality import check_names, features, modality_widths
from graphforget.models.recommender import Recommender, triple_rows, xavier
from graphforget.tasks.base import Items


def user_means(data: Interactions) -> Sparse:
    """Return D^-1 of the training pairs, (n_users, n_items): a user's row averages over the items of the user."""
    return data.memo("user-means", lambda: Sparse(mean_normalise(data.train)))


class PinSage(Recommender):
    """PinSage (Ying et al. 2018, arXiv 1806.01973) in the form of DGL's example, fitted to users.

        n = sum_w w relu(Q h_src) / max(sum w, 1),   h' = relu(W [n | h]) / || . ||,   h_i = x_i + h'_i

    x_i is a learned vector plus, where the data has modalities, linear maps of the item's features; w is how often
    random walks from i over users and items visit a neighbour. A user is the mean of the items chosen, a score the
    inner product with the item plus the item's bias: z_u = [mean h | 1], z_i = [h_i | b_i].

    The ranking loss is the example's max(0, s(q, j) - s(q, i) + margin) of a query q, an item i of the same user and
    another one j. Our deviations: the query is the mean of the user's other items instead of one of them (a user with
    a single item teaches the biases alone), and all items are computed in every step from one table of neighbours per
    data value, in which an item is not its own neighbour, instead of from new walks for each batch. A user without
    training items is ranked by the biases.

    Layers: x, h' after each convolution (zero rows for users), then z.

    Parameters
    ----------
    dim: width of all item vectors.
    layers: convolutions.
    neighbours, walks, hops, restart: of a table of neighbours: how many are kept, walks per item, item-to-item hops of
        a walk, and probability that it ends before another hop.
    walk_seed: decides the walks.
    dropout: share of entries dropped from the inputs of Q and W while training.
    margin: of the ranking loss.
    modalities: names joined by commas; None reads all that the data has, and it may have none.
    reg, reg_form, reg_on, reg_per_batch: see `Recommender`; the example has no regulariser.
    """

    name: ClassVar[str] = "pinsage"
    reads_side: ClassVar[tuple[str, ...]] = ("modalities",)
    published: ClassVar[dict[str, Any]] = {"lr": 3e-5, "batch": 32}
    items: nn.Parameter
    item_bias: nn.Parameter
    inputs: nn.ParameterList
    shift: nn.Parameter
    queries: nn.ParameterList
    weights: nn.ParameterList
    query_shifts: nn.ParameterList
    weight_shifts: nn.ParameterList

    def __init__(
        self,
        dim: int = 16,
        layers: int = 2,
        neighbours: int = 3,
        walks: int = 10,
        hops: int = 2,
        restart: float = 0.5,
        walk_seed: int = 0,
        dropout: float = 0.5,
        margin: float = 1.0,
        modalities: str | None = None,
        reg: float = 0.0,
        reg_form: str = "half_squared",
        reg_on: str = "layer0",
        reg_per_batch: bool = True,
    ) -> None:
        super().__init__(dim, reg, reg_form, reg_on, reg_per_batch)
        counts = (("layers", layers, 16), ("neighbours", neighbours, 1000), ("walks", walks, 100_000))
        layers, neighbours, walks = (self.check_count(*given) for given in counts)
        hops = self.check_count("hops", hops, 1000)
        restart = self.check_number("restart", restart, below=1)
        walk_seed = self.check_integer("walk_seed", walk_seed)
        dropout = self.check_number("dropout", dropout, below=1)
        margin = self.check_number("margin", margin)
        check_names(self.name, modalities)
        self.n_layers, self.neighbours, self.walks, self.hops = layers, neighbours, walks, hops
        self.restart, self.walk_seed, self.dropout, self.margin = restart, walk_seed, dropout, margin
        self.modalities = modalities

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keys = ("neighbours", "walks", "hops", "restart", "walk_seed", "dropout", "margin", "modalities")
        return {**super().config(), "layers": self.n_layers, **{key: getattr(self, key) for key in keys}}

    def sizes_of(self, data: Interactions) -> dict[str, Any]:
        """Return the number of items and the widths of the modalities."""
        some = data.modalities or self.modalities is not None
        widths = modality_widths(self.name, self.modalities, data) if some else {}
        return {"n_items": data.n_items, "modalities": widths}

    def build(self, streams: Streams) -> None:
        """Create vectors and weights (Xavier), maps of the features (as torch linear layers start), zero biases."""
        assert self.sizes is not None
        n_items, widths, d = self.sizes["n_items"], self.sizes["modalities"], self.dim
        self.items = xavier((n_items, d), streams("init-items").torch())
        self.item_bias = nn.Parameter(torch.zeros(n_items, 1))
        self.inputs = nn.ParameterList(
            fan_in(wide, (wide, d), streams("init-input", modality=m).torch()) for m, wide in enumerate(widths.values())
        )
        self.shift = nn.Parameter(torch.zeros(d))
        self.queries, self.weights = (
            nn.ParameterList(xavier((wide, d), streams(f"init-{part}", layer=n).torch()) for n in range(self.n_layers))
            for part, wide in (("query", d), ("weight", 2 * d))
        )
        self.query_shifts, self.weight_shifts = (
            nn.ParameterList(torch.zeros(d) for _ in range(self.n_layers)) for _ in range(2)
        )

    def neighbour_means(self, data: Interactions) -> Sparse:
        """Return the (n_items, n_items) weights of every item's neighbours; rows sum to 1, or 0 without neighbours."""
        plan: dict[str, Any] = {"top": self.neighbours, "walks": self.walks, "hops": self.hops, "restart": self.restart}

        def build() -> Sparse:
            starts = data.nodes_of_items(np.arange(data.n_items))
            nodes, visits = top_visited(data.csr, starts, Streams(self.walk_seed)("walks").key, **plan)
            there = nodes >= 0
            rows, columns = np.nonzero(there)[0], nodes[there].astype(np.int64) - data.n_users
            return Sparse(mean_normalise(edges_to_csr(rows, columns, data.n_items, data.n_items, visits[there])))

        return data.memo(f"neighbours/{self.walk_seed}/{plan}", build)

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return x, the output of each convolution, and z."""
        first, last = data.n_users, data.n_users + data.n_items

        def hooked(layer: int, h: Tensor) -> Tensor:
            return hook(layer, F.pad(h, (0, 0, first, data.n_nodes - last)))

        found = [hooked(1, self._inputs(data))]
        x = h = found[0][first:last]
        for layer in range(self.n_layers):
            found.append(hooked(layer + 2, self._convolved(layer, self.neighbour_means(data), h)))
            h = found[-1][first:last]
        items = x + h
        users = propagate(user_means(data), items)
        z = torch.cat([F.pad(users, (0, 1), value=1.0), torch.cat([items, self.item_bias], dim=1)])
        return [*found, hook(self.n_layers + 2, F.pad(z, (0, 0, 0, data.n_nodes - last)))]

    def _inputs(self, data: Interactions) -> Tensor:
        assert self.sizes is not None
        parts = zip(self.sizes["modalities"], self.inputs, strict=True)
        return sum((features(data, name, part) @ part for name, part in parts), self.items + self.shift)

    def _convolved(self, layer: int, means: Sparse, h: Tensor) -> Tensor:
        dropped = F.dropout(h, self.dropout, self.training)
        near = propagate(means, F.relu(dropped @ self.queries[layer] + self.query_shifts[layer]))
        both = F.dropout(torch.cat([near, h], dim=1), self.dropout, self.training)
        return F.normalize(F.relu(both @ self.weights[layer] + self.weight_shifts[layer]))

    def ranking_loss(self, data: Interactions, z: Tensor, items: Items) -> Tensor:
        """Return the mean hinge loss of a batch, each user queried without the item that is ranked."""
        users, chosen, others = (z.index_select(0, rows) for rows in triple_rows(items, z.device))
        counts = data.user_degrees[items.pairs[0].u[: len(items)]]
        count = torch.from_numpy(counts).to(z).unsqueeze(1)
        rest = (users[:, :-1] * count - chosen[:, :-1]) / (count - 1).clamp(min=1)
        margin = (rest * (others - chosen)[:, :-1]).sum(dim=1) + others[:, -1] - chosen[:, -1] + self.margin
        return F.relu(margin).mean()

    def own_loss(self) -> str:
        """Return the name of that loss."""
        return "hinge"

    def flops(self, graph: Interactions) -> int:
        """Return the operations of maps, convolutions and the users' means."""
        assert self.sizes is not None
        n, d = self.sizes["n_items"], self.dim
        layer = 2 * n * d * (d + 2 * d) + 2 * self.neighbours * n * d
        return 2 * n * d * sum(self.sizes["modalities"].values()) + self.n_layers * layer + 2 * graph.n_edges * d
