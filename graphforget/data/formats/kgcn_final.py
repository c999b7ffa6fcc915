"""The preprocessed form of KGCN and RippleNet: `ratings_final.txt` (user item label) and `kg_final.txt`.

Wang et al., "Knowledge graph convolutional networks for recommender systems", WWW 2019. Half of the labelled rows are
sampled negatives (label 0): they are no interactions and are passed over, counted in a note. All numbers start at 0.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.integer_triples import LAYOUTS, read_integer_triples
from graphforget.data.formats.numbers import check_range, number_rows, number_table, read_text
from graphforget.data.formats.raw_interactions import ALL, InteractionFormat, RawInteractions, Reading, Records

RATINGS = "ratings_final.txt"
LAYOUT = "A line is 'user item label', two whole numbers from 0 and 1 or 0"


def _ratings(path: Path) -> np.ndarray:
    """Return (3, m) int64 users, items, labels; raises DataError with file and line."""
    rows = number_rows(read_text(path), str(path), LAYOUT)
    table = number_table(rows, 3, LAYOUT)
    kind = np.arange(len(rows.values)) % 3
    wrong = np.flatnonzero((rows.values > 1) & (kind == 2))
    if len(wrong):
        raise DataError(
            f"{path} line {rows.line(int(wrong[0]))}: label {rows.values[wrong[0]]} is not 1 or 0. {LAYOUT}; fix the "
            "line."
        )
    for column, what in enumerate(("user", "item")):
        check_range(rows, np.flatnonzero(kind == column), what)
    return table


class KgcnFinal(InteractionFormat):
    """Reader of labelled pairs and integer facts."""

    name = "kgcn-final"
    heeds: ClassVar[frozenset[str]] = frozenset()

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a path is `ratings_final.txt`."""
        return path.name == RATINGS

    def locate(self, path: Path) -> dict[str, Path]:
        """Return the file and the facts beside it."""
        facts = [path.with_name(name) for name in LAYOUTS if path.with_name(name).is_file()]
        return super().locate(path) | ({"triples": facts[0]} if facts else {})

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the pairs with label 1; raises DataError with file and line of the first fault.

        Users and items count over all rows: an item that only a negative names is an item, too.
        """
        del how
        table = _ratings(files[ALL])
        positive = table[2] == 1
        if not positive.any():
            raise DataError(f"{files[ALL]}: no row has label 1, so there is no interaction in it. Check the file.")
        n_users, n_items = (1 + int(row.max()) for row in table[:2])
        dropped = int((~positive).sum())
        notes = (f"{files[ALL].name}: {dropped:,} rows with label 0 (sampled negatives) not read",) if dropped else ()
        triples = read_integer_triples(files["triples"], n_items) if "triples" in files else None
        return RawInteractions(n_users, n_items, {ALL: Records(table[:2, positive])}, triples=triples, notes=notes)
