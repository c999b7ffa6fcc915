"""What an interaction format returns and what it must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar

import numpy as np

from graphforget.data.formats.base import existing
from graphforget.data.formats.node_table import NodeTable
from graphforget.data.triples import TripleGraph

ALL = "all"
PARTS = ("train", "valid", "test")


@dataclass(frozen=True)
class Records:
    """Interactions as a file lists them, in its order, repeats included.

    Attributes
    ----------
    pairs: (2, m) int64, user and item numbers.
    ratings, times: (m,) float64, or None where the file has none.
    """

    pairs: np.ndarray
    ratings: np.ndarray | None = None
    times: np.ndarray | None = None


@dataclass(frozen=True)
class RawInteractions:
    """What interaction files hold, before it becomes `Interactions`.

    Attributes
    ----------
    parts: records by part: "train" with "valid" and "test" where the files are divided, else "all".
    user_ids, item_ids: the user's own ids in the order of the numbers, or None where the numbers are the ids.
    triples: facts whose entities 0 .. n_items - 1 are the items.
    modalities: features of items by name, rows in the order of the numbers or with ids.
    notes: what was passed over or merged, and which columns and files were read.
    """

    n_users: int
    n_items: int
    parts: Mapping[str, Records]
    user_ids: np.ndarray | None = None
    item_ids: np.ndarray | None = None
    triples: TripleGraph | None = None
    modalities: Mapping[str, NodeTable] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Reading:
    """What the user says about files where their format leaves it open; None: as the format has it.

    Attributes
    ----------
    columns: which column is the "user", "item", "rating", "time" (or "label"): its name in the header, or its number
        from 1 in a file without a header.
    ids: "text" keeps ids as text even where they look like integers; "original" takes those of the lists of ids beside
        the files.
    n_users: number of users, where a square matrix holds users and items together.
    """

    columns: Mapping[str, str | int] | None = None
    ids: str | None = None
    n_users: int | None = None


def first_line(path: Path) -> bytes:
    """Return the first line of a file that is neither blank nor a comment (#), b"" where there is none.

    It comes without its end and a byte order mark; only the first 64 KiB of the file are looked at.
    """
    if not path.is_file():
        return b""
    with path.open("rb") as file:
        lines = file.read(1 << 16).removeprefix(b"\xef\xbb\xbf").replace(b"\r", b"\n").split(b"\n")
    return next((line for line in lines if line.strip() and not line.startswith(b"#")), b"")


class InteractionFormat(ABC):
    """One format of interaction files; a module of this folder with one concrete subclass is all it takes.

    name: what a card writes after `format =`, and a user as `format=`.
    suffixes: the file name endings by which a path is recognised (none: only `format=` or a file name does it).
    heeds: the fields of `Reading` that it uses, but `ids`, and "parts" where a further file may be a part; any other is
        refused.
    ids: the choices of `Reading.ids` that mean something in it; any other is refused.
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()
    heeds: ClassVar[frozenset[str]] = frozenset()
    ids: ClassVar[tuple[str, ...]] = ()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a path that the user named is of this format, by its name or its first bytes."""
        return path.suffix.lower() in cls.suffixes

    def locate(self, path: Path) -> dict[str, Path]:
        """Return the files that belong to a path, by what they hold ("all", "train", "test", "triples", ...)."""
        return {ALL: existing(path)}

    @abstractmethod
    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return what is in `files`; raises DataError with the file and place of the first fault."""
