"""Vectors that a model's users and items start from."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from graphforget._core.errors import DataError, UsageError
from graphforget.data.formats.arrays import Archive
from graphforget.models.mf import MF

RECORD = "sha256:"


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors of users and items, learned elsewhere; or, of a model read from a folder, their record.

    Attributes
    ----------
    digest: "sha256:..." of both arrays.
    users, items: (n_users, d) and (n_items, d) float32, or None.
    """

    digest: str
    users: np.ndarray | None = None
    items: np.ndarray | None = None

    @classmethod
    def of(cls, source: Any, owner: str) -> Self | None:
        """Return the vectors of a trained MF, of an .npz file (`user_embed`, `item_embed`) or of a record.

        Raises DataError when the file cannot be read, UsageError for anything else.
        """
        if source is None:
            return None
        if isinstance(source, str) and source.startswith(RECORD):
            return cls(source)
        if type(source) is MF and source.sizes is not None:
            users, items = (part.detach().cpu().numpy().copy() for part in (source.users, source.items))
        elif isinstance(source, str | Path):
            archive = Archive(Path(source))
            users, items = (_matrix(archive, key) for key in ("user_embed", "item_embed"))
        else:
            raise UsageError(
                f"{owner}: 'pretrained' must be a trained MF model or an .npz file with user_embed and item_embed; got "
                f"{'an MF model without parameters' if type(source) is MF else type(source).__name__}."
            )
        return cls(RECORD + hashlib.sha256(users.tobytes() + items.tobytes()).hexdigest(), users, items)

    def write(self, table: nn.Parameter, n_users: int, n_items: int, owner: str) -> None:
        """Write the vectors over the first rows of a table of users and entities.

        Raises UsageError when only the record is there, DataError when the shapes do not fit.
        """
        if self.users is None or self.items is None:
            raise UsageError(
                f"{owner}: the pre-trained vectors it started from ({self.digest[:19]}...) are not kept with the "
                "model; give them again (pretrained=...)."
            )
        found = self.users.shape, self.items.shape
        wanted = (n_users, table.shape[1]), (n_items, table.shape[1])
        if found != wanted:
            raise DataError(
                f"{owner}: the pre-trained vectors have shapes {found[0]} and {found[1]}; {wanted[0]} and {wanted[1]} "
                "are needed. Pre-train on the same users and items, with the same 'dim'."
            )
        with torch.no_grad():
            table[: n_users + n_items] = torch.from_numpy(np.concatenate([self.users, self.items]))


def _matrix(archive: Archive, key: str) -> np.ndarray:
    values = archive.array(key)
    if values.ndim != 2 or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise DataError(
            f"{archive.path}, array '{key}': expected a table of finite numbers, a row each; found {values.dtype} of "
            f"shape {values.shape}."
        )
    return np.ascontiguousarray(values, dtype=np.float32)
