"""MovieLens ratings: `u.data` (tabs), `ratings.dat` (`::`) and `ratings.csv` (commas, with a header).

Harper and Konstan, "The MovieLens datasets: history and context", ACM TiiS 2015. Columns are user, movie, rating and
time in seconds; ids are those of MovieLens.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

from graphforget._core.errors import DataError
from graphforget.data.formats.delimited import COLONS, COMMA, TAB, Delimited
from graphforget.data.formats.interaction_table import ROLES, Table, joined_tables, record_files
from graphforget.data.formats.raw_interactions import InteractionFormat, RawInteractions, Reading, first_line

HEADER = ["userId", "movieId", "rating", "timestamp"]
_TABS = re.compile(r"u\.data|u[1-5ab]\.(base|test)")


def _table(path: Path) -> Table:
    header = path.suffix.lower() == ".csv"
    text = Delimited(path, COMMA if header else TAB if _TABS.fullmatch(path.name) else COLONS)
    if len(text.first) != len(HEADER) or (header and text.first != HEADER):
        wanted = ",".join(HEADER) if header else "user, movie, rating and time"
        raise DataError(
            f"{path} line 1: MovieLens ratings have the columns {wanted}; found {', '.join(text.first[:8])}. For "
            "another table name its columns, as columns={'user': ..., 'item': ...}."
        )
    return Table.of(text.sheet([0, 1, 2, 3], header), ROLES, as_text=False)


class MovieLens(InteractionFormat):
    """Reader of MovieLens ratings in their three published forms."""

    name = "movielens"
    heeds: ClassVar[frozenset[str]] = frozenset({"parts"})

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a file is called as GroupLens calls it (a ratings.csv must have the header, too)."""
        if path.name == "ratings.csv":
            return first_line(path) == ",".join(HEADER).encode()
        return path.name == "ratings.dat" or _TABS.fullmatch(path.name) is not None

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the ratings; raises DataError with file, line and column of the first fault."""
        del how
        found = record_files(files, "MovieLens ratings")
        return joined_tables({part: _table(path) for part, path in found.items()}, str(list(found.values())[0]), [])
