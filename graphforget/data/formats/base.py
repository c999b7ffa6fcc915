"""What a file format returns and what it must say of itself."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, TypeAlias

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError

Features: TypeAlias = sp.csr_array | np.ndarray
MAX_IDS = 4 << 30
"""Bytes that the ids of one kind may take."""
_GZIP = b"\x1f\x8b"


@dataclass(frozen=True)
class RawGraph:
    """Arrays as a file holds them, before they become a `Graph`.

    edges are (2, E) int64 node numbers in the file's order, self-loops and repeats included. ids are None
    when the node numbers are the user's own ids. column_order is True where torch_geometric, whose order published
    splits permute, sorts the edges of this format by (v, u) instead of (u, v).
    """

    n_nodes: int
    edges: np.ndarray
    features: Features | None = None
    labels: np.ndarray | None = None
    ids: np.ndarray | None = None
    class_names: tuple[str, ...] | None = None
    masks: Mapping[str, np.ndarray] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    column_order: bool = False


class GraphFormat(ABC):
    """One file format; a module of this folder with one concrete subclass is all it takes to add one.

    name: what a card writes after `format =`.
    suffixes: the file name endings by which a path is recognised (none: only cards name it).
    """

    name: ClassVar[str]
    suffixes: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def read(self, files: Sequence[Path]) -> RawGraph:
        """Return the arrays in `files`; raises DataError with the file and place of the first fault."""


def existing(path: Path) -> Path:
    """Return `path` if it is a readable, non-empty and unpacked file; raises DataError otherwise."""
    if path.is_dir():
        raise DataError(f"{path} is a folder; name a file in it.")
    if not path.is_file():
        raise DataError(f"{path}: no such file. Check the path.")
    if path.stat().st_size == 0:
        raise DataError(f"{path}: the file is empty. It may be an unfinished copy; fetch or write it again.")
    with path.open("rb") as file:
        if file.read(len(_GZIP)) == _GZIP:
            raise DataError(f"{path}: packed by gzip, which is not read. Unpack it (gunzip), and name what it held.")
    return path


def text_ids(ids: Sequence[str], place: str) -> np.ndarray:
    """Return ids as an array of text; each takes as much room in it as the longest.

    Raises DataError when that is more than MAX_IDS bytes in all.
    """
    longest = max(ids, key=len, default="")
    claimed = 4 * len(longest) * len(ids)
    if claimed > MAX_IDS:
        raise DataError(
            f"{place}: an id of {len(longest):,} characters ('{longest[:20]}...') is too long among {len(ids):,} ids; "
            f"together they would take {claimed:,} bytes, and at most {MAX_IDS:,} are. Shorten it."
        )
    return np.array(ids, dtype=np.str_)
