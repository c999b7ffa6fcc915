"""What `load` can be told about interaction files: one value, checked once."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from pathlib import Path
from typing import Any

from graphforget._core.errors import UsageError, unknown
from graphforget._core.numeric import is_integer, is_number
from graphforget.data.formats.raw_interactions import Reading
from graphforget.data.splits import RULES

SPLIT, VALID, TEST, SEED = "user", 0.1, 0.1, 0
"""How undivided records are divided when nothing is said: 80, 10 and 10 % of every user's pairs, at random."""
IDS = ("text", "original")
PARTS = ("valid", "test")


@dataclass(frozen=True)
class LoadOptions:
    """Options of `load` for interactions; None leaves the choice to the card, the format or the files.

    Attributes
    ----------
    format: name of the file format; else it is recognised by the path.
    columns: column names or numbers by role, as {"user": "userId", "item": "movieId", "rating": "rating"}.
    ids: "text" keeps the ids of a table as text; "original" takes those of the lists beside files of numbers
        (`user_list.txt` and so on). A format without such a choice refuses it.
    n_users: rows that are users, in a square matrix.
    parts: further files of a divided set, as {"test": "u1.test"}; the path itself is the train part.
    min_rating: only records rated so or higher count.
    core: users and items need at least so many pairs, to a fixed point; one number, or (users, items).
    split: rule by which records are divided (`graphforget.data.splits`); divided files are joined first.
    valid, test: shares of the rules that have them.
    seed: of the random rules, and of ties in time.
    modalities: item features by name, each a path or an array.
    triples: file of facts about items.
    """

    format: str | None = None
    columns: Mapping[str, str | int] | None = None
    ids: str | None = None
    n_users: int | None = None
    parts: Mapping[str, str | Path] | None = None
    min_rating: float | None = None
    core: int | tuple[int, int] | None = None
    split: str | None = None
    valid: float | None = None
    test: float | None = None
    seed: int | None = None
    modalities: Mapping[str, Any] | None = None
    triples: str | Path | None = None

    def given(self) -> dict[str, Any]:
        """Return the options that are not None."""
        return {field.name: value for field in fields(self) if (value := getattr(self, field.name)) is not None}

    def over(self, defaults: Mapping[str, Any]) -> LoadOptions:
        """Return these options, with those of `defaults` where none is given."""
        return replace(self, **{key: value for key, value in defaults.items() if getattr(self, key) is None})

    @property
    def reading(self) -> Reading:
        """The options that a file format heeds."""
        return Reading(self.columns, self.ids, self.n_users)

    def check(self) -> LoadOptions:
        """Return the options if each can be one; raises UsageError with the first that cannot."""
        if self.format is not None and not isinstance(self.format, str):
            raise UsageError(f"'format' must be the name of a file format; got {self.format!r}.")
        if self.ids is not None and self.ids not in IDS:
            raise UsageError(unknown("choice of 'ids'", self.ids, IDS))
        if self.split is not None and self.split not in RULES:
            raise UsageError(unknown("split", self.split, RULES))
        for name in ("columns", "parts", "modalities"):
            value = getattr(self, name)
            if value is not None and (not isinstance(value, Mapping) or not value):
                raise UsageError(
                    f"'{name}' must be a mapping with at least one entry, as {{'user': ...}}; got {value!r}."
                )
        stray = next((part for part in self.parts or {} if part not in PARTS), None)
        if stray is not None:
            raise UsageError(f"parts: {unknown('part', stray, PARTS)} The path itself is the train part.")
        if self.triples is not None and not isinstance(self.triples, str | os.PathLike):
            raise UsageError(f"'triples' must be the path of a file of facts; got {type(self.triples).__name__}.")
        for name in ("seed", "n_users"):
            value = getattr(self, name)
            if value is not None and not is_integer(value, 0):
                raise UsageError(f"'{name}' must be a whole number from 0; got {value!r}.")
        for name in ("min_rating", "valid", "test"):
            value = getattr(self, name)
            if value is not None and not is_number(value):
                raise UsageError(f"'{name}' must be a number; got {value!r}.")
        return self


def load_options(options: Mapping[str, Any]) -> LoadOptions:
    """Return options given by name; raises UsageError for one that does not exist, with the nearest that does."""
    names = [field.name for field in fields(LoadOptions)]
    stray = next((name for name in options if name not in names), None)
    if stray is not None:
        raise UsageError(unknown("option of load", stray, names))
    return LoadOptions(**options).check()
