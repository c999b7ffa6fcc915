"""Visual Bayesian personalised ranking."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.dense import product
from graphforget.models.base import Hook, fan_in
from graphforget.models.mf import INITS, embedding_table
from graphforget.models.modality import (
    check_names,
    features,
    modality_widths,
    standard_features,
    unit_features,
)
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import Items, as_index

SCALES = {"standard": standard_features, "unit": unit_features, "raw": features}


class VBPR(Recommender):
    """VBPR (He and McAuley 2016, arXiv 1510.01784) in MMRec's form: s(u, i) = e_u . [e_i | X_i W + b].

    X_i is the concatenation of the item's features, which stay fixed; a user's vector is twice as wide as an item's
    own. Deviations of that form from the paper, which we follow: several modalities, one linear map with a bias, no
    bias of an item and no visual bias; with `biases` they stand as in the paper, s(u, i) + beta_i + X_i v. Ours from
    its code: the ranking loss is softplus, which does not saturate; its log(1e-10 + sigmoid) does.

    Parameters
    ----------
    modalities: names joined by commas, as "image,text"; None reads all of the data.
    scale: "standard" centres the features of each modality and divides them by their root mean square, "unit" those by
        the root of their number, so that rows have a norm of about 1 and W learns no faster than e_i (both ours); "raw"
        reads them as they are (MMRec: preset vbpr-mmrec).
    biases: every item has a bias beta_i, and its features one, X_i v; both start at 0 and are not regularised (the
        paper's weight of them is a hyper-parameter of its own). The paper has them, MMRec's form does not.
    init, std: of the vectors of users and items, see `MF`; W and b start as in a torch linear layer.
    dim: width of an item's own vector and of its projected features; a user's is 2 dim.
    reg, reg_form, reg_on, reg_per_batch: see `Recommender`; MMRec's un-squared norm of the final vectors is the
        default. There is one layer, so that `reg_on` "layer0" and "final" mean the same: both regularise the projected
        features, too. The published grid of `reg` goes from 1e-5 to 2.
    """

    name: ClassVar[str] = "vbpr"
    reads_side: ClassVar[tuple[str, ...]] = ("modalities",)
    published: ClassVar[dict[str, Any]] = {"batch": 2048, "epochs": 1000, "validate_every": 1, "patience": 20}
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "vbpr-mmrec": {"scale": "raw"},
        "vbpr-paper": {"biases": True, "reg_form": "half_squared"},
    }
    users: nn.Parameter
    items: nn.Parameter
    weight: nn.Parameter
    bias: nn.Parameter
    item_bias: nn.Parameter
    feature_bias: nn.Parameter

    def __init__(
        self,
        dim: int = 64,
        modalities: str | None = None,
        reg: float = 1e-3,
        init: str = "xavier",
        std: float = 0.1,
        reg_form: str = "norm",
        reg_on: str = "final",
        reg_per_batch: bool = True,
        scale: str = "standard",
        biases: bool = False,
    ) -> None:
        super().__init__(dim, reg, reg_form, reg_on, reg_per_batch)
        check_names(self.name, modalities)
        self.check_choice("scale", scale, tuple(SCALES))
        self.check_choice("init", init, INITS)
        std = self.check_number("std", std)
        self.check_flag("biases", biases)
        self.modalities, self.init, self.std, self.scale, self.biases = modalities, init, std, scale, biases

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keys = ("modalities", "init", "std", "scale", "biases")
        return {**super().config(), **{key: getattr(self, key) for key in keys}}

    def sizes_of(self, data: Interactions) -> dict[str, Any]:
        """Return the numbers of users and items and the widths of the modalities."""
        widths = modality_widths(self.name, self.modalities, data)
        return {"n_users": data.n_users, "n_items": data.n_items, "modalities": widths}

    def build(self, streams: Streams) -> None:
        """Create the tables of users and items and the projection."""
        assert self.sizes is not None
        for part, width in (("users", 2 * self.dim), ("items", self.dim)):
            generator = streams(f"init-{part}").torch()
            setattr(self, part, embedding_table(self.sizes[f"n_{part}"], width, self.init, self.std, generator))
        wide, generator = sum(self.sizes["modalities"].values()), streams("init-projection").torch()
        self.weight = fan_in(wide, (wide, self.dim), generator)
        self.bias = fan_in(wide, (self.dim,), generator)
        if self.biases:
            self.item_bias = nn.Parameter(torch.zeros(self.sizes["n_items"], 1))
            self.feature_bias = nn.Parameter(torch.zeros(wide, 1))

    def of_items(self, data: Interactions, items: Tensor | None = None) -> Tensor:
        """Return [e_i | X_i W + b] and, where there are biases, beta_i + X_i v, of all items or of some."""
        assert self.sizes is not None
        widths = self.sizes["modalities"]
        weight = torch.cat([self.weight, self.feature_bias], dim=1) if self.biases else self.weight
        blocks = weight.split(list(widths.values()))
        read = [SCALES[self.scale](data, name, block) for name, block in zip(widths, blocks, strict=True)]
        tables = [self.items, *read, *([self.item_bias] if self.biases else [])]
        own, *rest = tables if items is None else [table.index_select(0, items) for table in tables]
        parts = [product(part, block) for part, block in zip(rest, blocks, strict=False)]
        seen = sum(parts[1:], parts[0])
        if not self.biases:
            return torch.cat([own, seen + self.bias], dim=1)
        return torch.cat([own, seen[:, : self.dim] + self.bias, seen[:, self.dim :] + rest[-1]], dim=1)

    def of_users(self, users: Tensor) -> Tensor:
        """Return the vectors of users, with a 1 for the bias of an item where there is one."""
        return F.pad(users, (0, 1), value=1.0) if self.biases else users

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return the one layer there is: users above items, zero rows for entities that are no items."""
        items = self.of_items(data)
        empty = items.new_zeros(data.n_nodes - len(self.users) - len(items), items.shape[1])
        return [hook(1, torch.cat([self.of_users(self.users), items, empty]))]

    def at_rows(self, data: Interactions, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """Return the rows of the one layer there is, users before items; see `Model.has_rows`."""
        parts = rows[rows < data.n_users], rows[rows >= data.n_users] - data.n_users
        users, items = (as_index(part, self.bias.device) for part in parts)
        found = torch.cat([self.of_users(self.users.index_select(0, users)), self.of_items(data, items)])
        return [found], found

    def penalty(self, table: Tensor, items: Items) -> Tensor:
        """Return the regulariser of a batch's vectors, biases left out; the rows may join those of several models."""
        models = table.unflatten(1, (-1, 2 * self.dim + self.biases))
        return super().penalty(models[:, :, : 2 * self.dim].flatten(1), items)

    def flops(self, graph: Interactions) -> int:
        """Return the operations of the projection."""
        del graph
        assert self.sizes is not None
        return 2 * self.sizes["n_items"] * sum(self.sizes["modalities"].values()) * self.dim
