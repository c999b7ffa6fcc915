"""Multi-view graph convolutional network."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from graphforget._core.streams import Stream, Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR
from graphforget.kernels.dense import plain_product, product
from graphforget.kernels.mean_propagation import mean_propagation
from graphforget.kernels.propagate import Sparse, propagate
from graphforget.models.base import Hook, fan_in
from graphforget.models.containers import ModuleList
from graphforget.models.mf import propagated_layers, with_entities
from graphforget.models.modality import check_names, features, item_graph, modality_widths
from graphforget.models.recommender import Recommender, triple_rows, xavier
from graphforget.tasks.base import Items, as_index


def user_block(data: Interactions) -> Sparse:
    """Return the (n_users, n_items) block of the normalised adjacency."""

    def build() -> Sparse:
        csr, n = data.normalised.csr, data.n_users
        end = csr.indptr[n]
        return Sparse(CSR(csr.indptr[: n + 1], csr.indices[:end] - n, csr.values[:end], data.n_items))

    return data.memo("user-block", build)


class _InfoNCE(torch.autograd.Function):
    """The loss of normalised rows; one (b, b) matrix serves value and gradient, where autograd makes ten."""

    @staticmethod
    def forward(ctx, first: Tensor, second: Tensor, temperature: float) -> Tensor:
        shares = plain_product(first / temperature, second.T)
        own, highest = shares.diagonal().clone(), shares.amax(dim=1, keepdim=True)
        total = shares.sub_(highest).exp_().sum(dim=1, keepdim=True)
        ctx.save_for_backward(first, second, shares.div_(total))
        ctx.scale = 1.0 / (temperature * len(first))
        return (total.log() + highest).squeeze(1).sub(own).mean()

    @staticmethod
    @once_differentiable
    def backward(ctx, grad: Tensor) -> tuple[Tensor, Tensor, None]:
        first, second, shares = ctx.saved_tensors
        scale = grad * ctx.scale
        of_first, of_second = plain_product(shares, second) - second, plain_product(shares.T, first) - first
        return scale * of_first, scale * of_second, None


def info_nce(first: Tensor, second: Tensor, temperature: float) -> Tensor:
    """Return -log of the softmax, over the rows of `second`, of the cosine similarity at the row's own place; a mean.

    Shapes: first, second (b, d).
    """
    return _InfoNCE.apply(F.normalize(first), F.normalize(second), temperature)


class MGCN(Recommender):
    """MGCN (Yu et al. 2023, arXiv 2308.03588): behaviour-guided purifier, item graphs, behaviour-aware fusion.

        E_ui = mean_k A_hat^k [E_u ; E_i],   F_m = X_m W_m + b_m,   P_m = S_m (E_i * sigmoid(F_m W'_m + b'_m))
        H_m  = [R P_m ; P_m],   a = softmax_m( q^T tanh(W H_m + b) ),   C = sum_m a_m H_m
        side = ( sum_m sigmoid(E_ui W^g_m + b^g_m) * (H_m - C) + C ) / (M + 1),   E = E_ui + side

    M is the number of modalities (the released code's constant is 3, for two of them), R the users' block of A_hat,
    S_m the graph of the k nearest items by cosine similarity of the raw features. To the ranking loss come
    `contrast` times InfoNCE(side, E_ui) of the items and of the users of the batch, and `reg`.

    Our deviations: S_m is built from the data value at hand, so it follows every deletion (the released one is a file
    beside the data set), and items without features, deleted ones among them, are near to nothing; what training adds
    to the raw features is a table of its own that starts at zero, so that no raw feature is stored in the model; the
    regulariser is divided by the triples of a batch, the last and smaller one included, not always by 2048.

    Layers: E_ui after each propagation, then `side`.

    Parameters
    ----------
    layers, item_layers: propagations of E and of P_m.
    k: nearest items in S_m, the item itself among them.
    modalities: names joined by commas, as "image,text"; None reads all of the data.
    train_features: learn changes of the raw features, as the released code does (a leak channel of item requests).
    contrast: weight of the contrastive losses; the published grid is 0.001, 0.01, 0.1.
    temperature: of the contrastive losses.
    dim, reg, reg_form, reg_on, reg_per_batch: see `Recommender`.

    The published patience of 20 ends training here after the twentieth validation without progress, in MMRec after the
    twenty-first; likewise for `VBPR`.
    """

    name: ClassVar[str] = "mgcn"
    reads_side: ClassVar[tuple[str, ...]] = ("modalities",)
    published: ClassVar[dict[str, Any]] = {
        "lr": 1e-3,
        "lr_decay": 0.96 ** (1 / 50),
        "batch": 2048,
        "epochs": 1000,
        "validate_every": 1,
        "patience": 20,
    }
    users: nn.Parameter
    items: nn.Parameter
    learned: nn.ParameterList
    inputs: ModuleList[Linear]
    purifiers: ModuleList[Linear]
    gates: ModuleList[Linear]
    attention: Linear
    query: nn.Parameter

    def __init__(
        self,
        dim: int = 64,
        layers: int = 2,
        item_layers: int = 1,
        k: int = 10,
        modalities: str | None = None,
        train_features: bool = True,
        contrast: float = 0.01,
        temperature: float = 0.2,
        reg: float = 1e-4,
        reg_form: str = "half_squared",
        reg_on: str = "final",
        reg_per_batch: bool = True,
    ) -> None:
        super().__init__(dim, reg, reg_form, reg_on, reg_per_batch)
        counts = (("layers", layers, 16), ("item_layers", item_layers, 16), ("k", k, 1000))
        layers, item_layers, k = (self.check_count(*given) for given in counts)
        check_names(self.name, modalities)
        self.check_flag("train_features", train_features)
        contrast = self.check_number("contrast", contrast)
        temperature = self.check_positive("temperature", temperature)
        self.n_layers, self.item_layers, self.k, self.modalities = layers, item_layers, k, modalities
        self.train_features, self.contrast, self.temperature = train_features, contrast, temperature

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keys = ("item_layers", "k", "modalities", "train_features", "contrast", "temperature")
        return {**super().config(), "layers": self.n_layers, **{key: getattr(self, key) for key in keys}}

    def sizes_of(self, data: Interactions) -> dict[str, Any]:
        """Return the numbers of users and items and the widths of the modalities."""
        widths = modality_widths(self.name, self.modalities, data)
        return {"n_users": data.n_users, "n_items": data.n_items, "modalities": widths}

    def build(self, streams: Streams) -> None:
        """Create the tables of users and items (Xavier) and the maps (as torch linear layers start)."""
        assert self.sizes is not None
        n_items, widths = self.sizes["n_items"], list(self.sizes["modalities"].values())
        self.users = xavier((self.sizes["n_users"], self.dim), streams("init-users").torch())
        self.items = xavier((n_items, self.dim), streams("init-items").torch())
        count = len(widths)
        self.learned = nn.ParameterList(torch.zeros(n_items, width) for width in widths if self.train_features)
        self.inputs = ModuleList(
            Linear(wide, self.dim, streams("init-input", modality=m)) for m, wide in enumerate(widths)
        )
        self.purifiers, self.gates = (
            ModuleList(Linear(self.dim, self.dim, streams(f"init-{part}", modality=m)) for m in range(count))
            for part in ("purifier", "gate")
        )
        self.attention = Linear(self.dim, self.dim, streams("init-attention"))
        self.query = fan_in(self.dim, (self.dim, 1), streams("init-query").torch())

    def purified(self, data: Interactions, items: Tensor) -> list[Tensor]:
        """Return P_m of every modality, (n_items, dim), before the item graph."""
        assert self.sizes is not None
        found = []
        for m, name in enumerate(self.sizes["modalities"]):
            raw = features(data, name, items)
            raw = raw + self.learned[m] if self.train_features else raw
            found.append(items * torch.sigmoid(self.purifiers[m](self.inputs[m](raw))))
        return found

    def views(self, data: Interactions, items: Tensor) -> list[Tensor]:
        """Return H_m of every modality, (n_users + n_items, dim)."""
        assert self.sizes is not None
        found = []
        for name, view in zip(self.sizes["modalities"], self.purified(data, items), strict=True):
            for _ in range(self.item_layers):
                view = propagate(item_graph(data, name, self.k), view)
            found.append(torch.cat([propagate(user_block(data), view), view]))
        return found

    def side(self, views: list[Tensor], both: Tensor) -> Tensor:
        """Return the fused side information for E_ui of users and items, (n_users + n_items, dim)."""
        scores = torch.cat([torch.tanh(self.attention(view)) @ self.query for view in views], dim=1)
        shares = torch.softmax(scores, dim=1).split(1, dim=1)
        common = sum(share * view for share, view in zip(shares, views, strict=True))
        gated = [torch.sigmoid(gate(both)) * (view - common) for gate, view in zip(self.gates, views, strict=True)]
        return (sum(gated) + common) / (len(views) + 1)

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return E_ui after each propagation, then the side information."""
        found = propagated_layers(self, data, self.n_layers, hook)
        first, last = data.n_users, data.n_users + data.n_items
        both = torch.stack(found).mean(dim=0)[:last]
        side = self.side(self.views(data, found[0][first:last]), both)
        return [*found, hook(self.n_layers + 2, F.pad(side, (0, 0, 0, data.n_nodes - last)))]

    def at_rows(self, data: Interactions, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """Return the learned rows and their side information, and the final rows; gates see these rows alone."""
        learned, index = with_entities(self, data), as_index(rows, self.device)
        both = mean_propagation(data.normalised, learned, rows, self.n_layers)
        views = self.views(data, learned[data.n_users : data.n_users + data.n_items])
        side = self.side([view.index_select(0, index) for view in views], both)
        return [learned.index_select(0, index), side], both + side

    def readout(self, layers: list[Tensor]) -> Tensor:
        """Return the mean of the propagated embeddings plus the side information."""
        return torch.stack(layers[:-1]).mean(dim=0) + layers[-1]

    def extra_loss(self, data: Interactions, layers: list[Tensor], z: Tensor, items: Items, epoch: int) -> Tensor:
        """Return the regulariser and the contrastive losses of a batch."""
        loss = super().extra_loss(data, layers, z, items, epoch)
        if self.contrast == 0:
            return loss
        users, chosen, _ = triple_rows(items, z.device)
        behaviour = z - layers[-1]
        views = [(layers[-1].index_select(0, rows), behaviour.index_select(0, rows)) for rows in (chosen, users)]
        return loss + self.contrast * sum(info_nce(side, both, self.temperature) for side, both in views)

    def clear_features(self, rows: Mapping[str, np.ndarray]) -> None:
        """Set what training added to the raw features of some items to zero, where it starts."""
        assert self.sizes is not None
        with torch.no_grad():
            for name, table in zip(self.sizes["modalities"], self.learned, strict=False):
                table[as_index(np.flatnonzero(rows[name]), table.device)] = 0.0

    def flops(self, graph: Interactions) -> int:
        """Return the operations of propagations and maps."""
        assert self.sizes is not None
        n, items, widths = graph.n_users + graph.n_items, graph.n_items, self.sizes["modalities"].values()
        maps = 2 * items * self.dim * sum(wide + self.dim for wide in widths) + 4 * n * self.dim**2 * len(widths)
        views = len(widths) * (2 * graph.n_edges + 2 * self.item_layers * self.k * items)
        return maps + self.dim * (4 * self.n_layers * graph.n_edges + views)


class Linear(nn.Module):
    """x W + b, W (n_in, n_out) and b drawn from a stream as a torch linear layer starts."""

    def __init__(self, n_in: int, n_out: int, stream: Stream) -> None:
        super().__init__()
        generator = stream.torch()
        self.weight = fan_in(n_in, (n_in, n_out), generator)
        self.bias = fan_in(n_in, (n_out,), generator)

    def forward(self, x: Tensor) -> Tensor:
        """Return (rows, n_out)."""
        return product(x, self.weight) + self.bias
