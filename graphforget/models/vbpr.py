"""Visual Bayesian personalised ranking."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.base import Hook, fan_in
from graphforget.models.mf import INITS, embedding_table
from graphforget.models.modality import check_names, features, modality_widths, standard_features
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import as_index

SCALES = {"standard": standard_features, "raw": features}


class VBPR(Recommender):
    """VBPR (He and McAuley 2016, arXiv 1510.01784) in MMRec's form: s(u, i) = e_u . [e_i | X_i W + b].

    X_i is the concatenation of the item's features, which stay fixed; a user's vector is twice as wide as an item's
    own. Deviations of that form from the paper, which we follow: several modalities, one linear map with a
    bias, no bias of an item and no visual bias. Ours from its code: the ranking loss is softplus, which does not
    saturate; its log(1e-10 + sigmoid) does.

    Parameters
    ----------
    modalities: names joined by commas, as "image,text"; None reads all of the data.
    scale: "standard" centres the features of each modality and divides them by their root mean square (ours); "raw"
        reads them as they are (MMRec: preset vbpr-mmrec).
    init, std: of the vectors of users and items, see `MF`; W and b start as in a torch linear layer.
    dim: width of an item's own vector and of its projected features; a user's is 2 dim.
    reg, reg_form, reg_on, reg_per_batch: see `Recommender`; MMRec's un-squared norm of the final vectors is the
        default. The published grid of `reg` goes from 1e-5 to 2.
    """

    name: ClassVar[str] = "vbpr"
    reads_side: ClassVar[tuple[str, ...]] = ("modalities",)
    published: ClassVar[dict[str, Any]] = {"batch": 2048, "epochs": 1000, "validate_every": 1, "patience": 20}
    presets: ClassVar[dict[str, dict[str, Any]]] = {"vbpr-mmrec": {"scale": "raw"}}

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
    ) -> None:
        super().__init__(dim, reg, reg_form, reg_on, reg_per_batch)
        check_names(self.name, modalities)
        self.check_choice("scale", scale, tuple(SCALES))
        self.check_choice("init", init, INITS)
        self.check_number("std", std)
        self.modalities, self.init, self.std, self.scale = modalities, init, std, scale

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keys = ("modalities", "init", "std", "scale")
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

    def projected(self, data: Interactions, items: Tensor | None = None) -> Tensor:
        """Return X W + b, (n_items, dim), or the rows of some items alone."""
        assert self.sizes is not None
        widths = self.sizes["modalities"]
        blocks = self.weight.split(list(widths.values()))
        read = [SCALES[self.scale](data, name, block) for name, block in zip(widths, blocks, strict=True)]
        chosen = read if items is None else [part.index_select(0, items) for part in read]
        parts = [part @ block for part, block in zip(chosen, blocks, strict=True)]
        return sum(parts[1:], parts[0]) + self.bias

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return the one layer there is: users above items, zero rows for entities that are no items."""
        items = torch.cat([self.items, self.projected(data)], dim=1)
        empty = items.new_zeros(data.n_nodes - len(self.users) - len(items), 2 * self.dim)
        return [hook(1, torch.cat([self.users, items, empty]))]

    def at_rows(self, data: Interactions, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """Return the rows of the one layer there is, users before items; see `Model.has_rows`."""
        parts = rows[rows < data.n_users], rows[rows >= data.n_users] - data.n_users
        users, items = (as_index(part).to(self.bias.device) for part in parts)
        mine = torch.cat([self.items.index_select(0, items), self.projected(data, items)], dim=1)
        found = torch.cat([self.users.index_select(0, users), mine])
        return [found], found

    def flops(self, graph: Interactions) -> int:
        """Return the operations of the projection."""
        del graph
        assert self.sizes is not None
        return 2 * self.sizes["n_items"] * sum(self.sizes["modalities"].values()) * self.dim
