"""Matrix factorisation."""

from __future__ import annotations

from typing import Any, ClassVar, Protocol, Self

import numpy as np
import torch
from torch import Tensor, nn

from graphforget._core.errors import UsageError
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.propagate import propagate
from graphforget.models.base import Hook
from graphforget.models.ranking_losses import cosine_rows, cosine_softmax, sampled_softmax, scaled_rows
from graphforget.models.recommender import Recommender, normal, xavier
from graphforget.tasks.base import Items, as_index


def embedding_table(rows: int, dim: int, init: str, std: float, generator: torch.Generator) -> nn.Parameter:
    """Return a (rows, dim) table: "xavier" (uniform), "xavier_normal", or "normal" with deviation `std`."""
    if init == "normal":
        return normal((rows, dim), std, generator)
    return xavier((rows, dim), generator, gaussian=init == "xavier_normal")


INITS = ("xavier", "xavier_normal", "normal")
LOSSES = {"bpr": None, "softmax": sampled_softmax, "ssm": cosine_softmax}
"""Ranking losses by name; BPR is the task's own."""
COMPARED = {"softmax": scaled_rows, "ssm": cosine_rows}
"""Rows whose inner products they compare."""


class Tables(Protocol):
    """A model with a learned table of users and one of items."""

    users: nn.Parameter
    items: nn.Parameter


class MF(Recommender):
    """Matrix factorisation trained with BPR (Rendle et al. 2009): s(u, i) = e_u . e_i.

    The presets are the forms of KGAT's, LightGCN's and MMRec's code; their `reg` depends on the data.

    Parameters
    ----------
    init: "xavier" (KGAT's BPR-MF), "xavier_normal" (MMRec) or "normal" (LightGCN's).
    std: deviation of "normal".
    loss: "bpr"; or each item against `candidates` others at once: "softmax" (uniform others, inner products) or "ssm"
        (others of the batch, cosines), see `ranking_losses`.
    temperature, candidates: of the last two.
    dim, reg, reg_form, reg_on, reg_per_batch: see `Recommender`.
    """

    name: ClassVar[str] = "mf"
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "mf-kgat": {"reg_per_batch": False},
        "mf-lightgcn": {"init": "normal", "std": 1.0},
        "mf-mmrec": {"init": "xavier_normal", "reg_form": "norm"},
    }
    users: nn.Parameter
    items: nn.Parameter

    def __init__(
        self,
        dim: int = 64,
        reg: float = 1e-4,
        init: str = "xavier",
        std: float = 0.1,
        reg_form: str = "half_squared",
        reg_on: str = "layer0",
        reg_per_batch: bool = True,
        loss: str = "bpr",
        temperature: float = 0.2,
        candidates: int = 2048,
    ) -> None:
        super().__init__(dim, reg, reg_form, reg_on, reg_per_batch)
        self.check_choice("init", init, INITS)
        std = self.check_number("std", std)
        self.check_choice("loss", loss, tuple(LOSSES))
        temperature = self.check_positive("temperature", temperature)
        candidates = self.check_count("candidates", candidates, 1 << 20)
        self.init, self.std, self.loss, self.temperature, self.candidates = init, std, loss, temperature, candidates

    @classmethod
    def from_tables(cls, users: Any, items: Any, **settings: Any) -> Self:
        """Return a model with tables that were trained elsewhere, copied as float32.

        Parameters
        ----------
        users, items: tensors or arrays, (n_users, d) and (n_items, d), in the order of `user_ids` and `item_ids` of
            the data.
        settings: of the constructor, without `dim`.

        Raises
        ------
        UsageError unless both hold finite numbers in two dimensions, the second of one size, and for a `dim`.
        """
        tables = {"users": _numbers(cls.name, "users", users), "items": _numbers(cls.name, "items", items)}
        shapes = [tuple(table.shape) for table in tables.values()]
        if any(len(shape) != 2 for shape in shapes) or shapes[0][1] != shapes[1][1]:
            raise UsageError(
                f"{cls.name}: tables of the shapes {shapes[0]} and {shapes[1]} are given; (users, width) and "
                "(items, width) are needed, of one width."
            )
        if "dim" in settings:
            raise UsageError(f"{cls.name}: 'dim' is the width of the tables ({shapes[0][1]}). Leave it out.")
        model = cls(dim=shapes[0][1], **settings)
        model = model.with_sizes({"n_users": shapes[0][0], "n_items": shapes[1][0]}, Streams(0))
        with torch.no_grad():
            for name, table in tables.items():
                getattr(model, name).copy_(table)
        return model

    def config(self) -> dict[str, Any]:
        """Return the constructor's arguments."""
        keys = ("init", "std", "loss", "temperature", "candidates")
        return {**super().config(), **{key: getattr(self, key) for key in keys}}

    def ranking_loss(self, data: Interactions, z: Tensor, items: Items) -> Tensor | None:
        """Return the loss of a batch; None for BPR, the task's own."""
        del data
        loss = LOSSES[self.loss]
        return None if loss is None else loss(z, items, self.temperature, self.candidates)

    def own_loss(self) -> str | None:
        """Return the name of that loss; None for BPR."""
        return None if LOSSES[self.loss] is None else self.loss

    def compared_rows(self, z: Tensor) -> Tensor:
        """Return rows whose inner products that loss compares, in the scale it learns in: z itself for BPR."""
        return z if self.own_loss() is None else COMPARED[self.loss](z, self.temperature)

    def indivisible(self) -> str | None:
        """Return why the loss of a batch is not the mean of the losses of its triples; None where it is."""
        shared = None if LOSSES[self.loss] is None else f"loss='{self.loss}' compares with others of the same batch"
        return shared or super().indivisible()

    def build(self, streams: Streams) -> None:
        """Create the tables of users and of items."""
        assert self.sizes is not None
        for part in ("users", "items"):
            generator = streams(f"init-{part}").torch()
            rows = self.sizes[f"n_{part}"]
            setattr(self, part, embedding_table(rows, self.dim, self.init, self.std, generator))

    def sizes_of(self, data: Interactions) -> dict[str, Any]:
        """Return the numbers of users and items; entities beyond the items are not embedded."""
        return {"n_users": data.n_users, "n_items": data.n_items}

    def propagated(self, data: Interactions, hook: Hook) -> list[Tensor]:
        """Return the one layer there is."""
        return [hook(1, with_entities(self, data))]

    def at_rows(self, data: Interactions, rows: np.ndarray) -> tuple[list[Tensor], Tensor]:
        """Return the rows of the learned embeddings, which are the final ones; see `Model.has_rows`."""
        del data  # nothing is propagated
        found = torch.cat([self.users, self.items]).index_select(0, as_index(rows, self.users.device))
        return [found], found

    def flops(self, graph: Interactions) -> int:
        """Return 0: nothing is computed but scores."""
        del graph
        return 0


def _numbers(name: str, part: str, table: Any) -> Tensor:
    """Return a table as a tensor of float32; raises UsageError for what is none of finite numbers."""
    try:
        found = torch.as_tensor(table).detach()
    except (TypeError, ValueError, RuntimeError) as error:
        raise UsageError(f"{name}: '{part}' is no table of numbers ({error}). Give a tensor or an array.") from error
    if found.is_complex() or not bool(torch.isfinite(found).all()):
        raise UsageError(f"{name}: '{part}' holds numbers that are infinite, NaN or complex. Give finite ones.")
    return found.float()


def propagated_layers(model: Tables, data: Interactions, layers: int, hook: Hook) -> list[Tensor]:
    """Return E^(0) to E^(K) with E^(k+1) = A_hat E^(k) of LightGCN, each as it came from `hook`; E^(0) is learned."""
    found = [hook(1, with_entities(model, data))]
    for layer in range(2, layers + 2):
        found.append(hook(layer, propagate(data.normalised, found[-1])))
    return found


def with_entities(model: Tables, data: Interactions) -> Tensor:
    """Return users above items, and zero rows for entities that are no items, so that node numbers fit."""
    table = torch.cat([model.users, model.items])
    missing = data.n_nodes - table.shape[0]
    return table if not missing else torch.cat([table, table.new_zeros(missing, table.shape[1])])
