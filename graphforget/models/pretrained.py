"""Where a model's users and items start: vectors of a matrix factorisation, and how it was trained."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import numpy as np
import torch
from torch import nn

from graphforget._core.errors import DataError, UsageError
from graphforget.data.formats.arrays import Archive
from graphforget.models.mf import MF

RECORD = "sha256:"
RECORD_KEYS = ("digest", "arguments", "recipe")
NAMES = (MF.name, *MF.presets)


@dataclass(frozen=True)
class Pretraining:
    """An MF that has to be trained, on the data at hand, before a model that starts from its vectors.

    Attributes
    ----------
    arguments: of the MF. recipe: fields of its recipe; None takes the task's default.
    """

    arguments: Mapping[str, Any]
    recipe: Mapping[str, Any] | None = None


@dataclass(frozen=True, eq=False)
class Vectors:
    """Vectors that users and items start from, or the record of how they come to be.

    Attributes
    ----------
    record: what stands among a model's settings, for JSON. The name of an MF that is trained first; of an MF that was
        given trained its "digest" and "arguments" and the "recipe" it was trained by; of a file "sha256:..." of both
        arrays.
    users, items: (n_users, d) and (n_items, d) float32, or None where only the record is there.
    """

    record: str | dict[str, Any]
    users: np.ndarray | None = None
    items: np.ndarray | None = None

    @classmethod
    def of(cls, source: Any, owner: str) -> Self | None:
        """Return the vectors of a trained MF, of an .npz file (`user_embed`, `item_embed`), of a name or of a record.

        Raises DataError when the file cannot be read, UsageError for anything else.
        """
        if source is None or isinstance(source, cls):
            return source
        if isinstance(source, str) and (source in NAMES or source.startswith(RECORD)):
            return cls(source)
        if isinstance(source, dict):
            _check_record(source, owner)
            return cls(source)
        if type(source) is MF and source.sizes is not None:
            return cls._of_model(source)
        if isinstance(source, str | Path):
            archive = Archive(Path(source))
            users, items = (_matrix(archive, key) for key in ("user_embed", "item_embed"))
            return cls(_digest(users, items), users, items)
        raise UsageError(
            f"{owner}: 'pretrained' must be one of {', '.join(NAMES)}, a trained MF model, or an .npz file with "
            "user_embed and item_embed; got "
            f"{'an MF model without parameters' if type(source) is MF else type(source).__name__}."
        )

    @classmethod
    def _of_model(cls, model: MF) -> Self:
        users, items = (part.detach().cpu().numpy().copy() for part in (model.users, model.items))
        made = model.provenance
        recipe = None if made is None else asdict(made.recipe)
        return cls({"digest": _digest(users, items), "arguments": model.config(), "recipe": recipe}, users, items)

    def pretraining(self, dim: int) -> Pretraining | None:
        """Return what to train to have such vectors for other data, or None where that is not known (a file)."""
        if isinstance(self.record, dict):
            return Pretraining(self.record["arguments"], self.record["recipe"])
        return Pretraining({**MF.presets.get(self.record, {}), "dim": dim}) if self.record in NAMES else None

    def write(self, table: nn.Parameter, n_users: int, n_items: int, owner: str) -> None:
        """Write the vectors over the first rows of a table of users and entities.

        Raises UsageError when only the record is there, DataError when the shapes do not fit.
        """
        if self.users is None or self.items is None:
            named = self.record["digest"] if isinstance(self.record, dict) else self.record
            raise UsageError(
                f"{owner}: the pre-trained vectors it started from ({named[:19]}) are not kept with the "
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


def _check_record(source: dict[str, Any], owner: str) -> None:
    """Raise UsageError for a dictionary that is no record of an MF that was given trained."""
    digest, arguments, recipe = (source.get(key) for key in RECORD_KEYS)
    wrong = "keys" if set(source) != set(RECORD_KEYS) else ""
    wrong = wrong or ("" if isinstance(digest, str) and digest.startswith(RECORD) else "digest")
    wrong = wrong or ("" if isinstance(arguments, dict) and set(arguments) <= set(MF().config()) else "arguments")
    wrong = wrong or ("" if recipe is None or isinstance(recipe, dict) else "recipe")
    if wrong:
        raise UsageError(
            f"{owner}: the record of the pre-trained vectors has a wrong entry ({wrong}). It must hold "
            f"{', '.join(RECORD_KEYS)}: a text that starts with {RECORD}, options of MF, and a recipe or null."
        )
    assert arguments is not None
    MF(**arguments)


def _digest(users: np.ndarray, items: np.ndarray) -> str:
    return RECORD + hashlib.sha256(users.tobytes() + items.tobytes()).hexdigest()


def _matrix(archive: Archive, key: str) -> np.ndarray:
    values = archive.array(key)
    if values.ndim != 2 or values.dtype.kind != "f" or not np.isfinite(values).all():
        raise DataError(
            f"{archive.path}, array '{key}': expected a table of finite numbers, a row each; found {values.dtype} of "
            f"shape {values.shape}."
        )
    return np.ascontiguousarray(values, dtype=np.float32)
