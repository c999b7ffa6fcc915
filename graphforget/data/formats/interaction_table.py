"""Tables of interactions: CSV, TSV or white-space separated text with a user and an item on each row.

Columns are named by their header, or by their number from 1 in a file without a header. Records carry a rating and a
time where those columns are named. Ids are integers or text, decided by the first row; numbers follow their ascending
order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import ClassVar, NamedTuple

import numpy as np

from graphforget._core.errors import DataError, UsageError, nearest, unknown
from graphforget.data.formats.base import existing
from graphforget.data.formats.delimited import QUOTED, Delimited, Ids, Sheet, mark_of, numbered
from graphforget.data.formats.raw_interactions import (
    ALL,
    PARTS,
    InteractionFormat,
    RawInteractions,
    Reading,
    Records,
    first_line,
)
from graphforget.data.formats.table import is_integer, text_note

ROLES = ("user", "item", "rating", "time")
KNOWN = {
    "user": ("user", "user_id", "userid", "uid"),
    "item": ("item", "item_id", "itemid", "iid", "movieid", "artistid"),
    "rating": ("rating",),
    "time": ("time", "timestamp"),
}


class Columns(NamedTuple):
    """Positions (from 0) of the columns by role, and whether the first row is a header."""

    at: dict[str, int]
    header: bool


def _check_roles(columns: Mapping[str, str | int]) -> None:
    stray = next((role for role in columns if role not in ROLES), None)
    if stray is not None:
        raise UsageError(f"columns: {unknown('role', stray, ROLES)}")
    missing = next((role for role in ROLES[:2] if role not in columns), None)
    if missing is not None:
        raise UsageError(f"columns: the '{missing}' column is not named; give it, as columns={{'{missing}': ...}}.")
    if len(set(columns.values())) < len(columns):
        raise UsageError("columns: two roles name the same column; each role needs a column of its own.")


def named_columns(place: str, first: Sequence[str], columns: Mapping[str, str | int]) -> dict[str, int]:
    """Return where the columns stand that the user names by role.

    Parameters
    ----------
    place: the file and line of the names, for messages.
    first: the names that there are.

    Raises UsageError for a role that does not exist or lacks, DataError for a name that is not there.
    """
    _check_roles(columns)
    at = {}
    for role, name in columns.items():
        wanted = str(name)
        if wanted not in first:
            raise DataError(
                f"{place}: there is no column '{wanted}' for the {role}.{nearest(wanted, first)} Columns: "
                f"{', '.join(first)}."
            )
        at[role] = first.index(wanted)
    return at


def chosen_columns(place: str, first: Sequence[str], columns: Mapping[str, str | int]) -> Columns:
    """Return where the columns stand that the user names by their header, or all by their number from 1.

    Raises UsageError for a role that does not exist or lacks, or names mixed with numbers; DataError for a column that
    the file does not have.
    """
    counted = {role for role, name in columns.items() if is_number(name)}
    if not counted:
        return Columns(named_columns(place, first, columns), header=True)
    _check_roles(columns)
    if counted != set(columns):
        raise UsageError("columns: name all columns by their header, or all by their number from 1; not both.")
    for role, number in columns.items():
        if not 1 <= int(number) <= len(first):
            raise DataError(
                f"{place}: there is no column {number} for the {role}; the row has {len(first)} column(s), counted "
                "from 1."
            )
    return Columns({role: int(number) - 1 for role, number in columns.items()}, header=False)


def renamed_fields(
    fields: Mapping[str, str], columns: Mapping[str, str | int] | None, header: Sequence[str], place: str
) -> dict[str, str]:
    """Return the fields of a format by role, under the user's names for them where there are such.

    Parameters
    ----------
    fields: the names that the format has, by role.
    header: the names in the first line of the file. place: that line, for messages.

    Raises UsageError for a role that the format does not have, or a column given by number: the header names them all.
    """
    given = dict(columns or {})
    stray = next((role for role in given if role not in fields), None)
    if stray is not None:
        raise UsageError(f"columns: {unknown('role', stray, fields)}")
    number = next((role for role, name in given.items() if is_number(name) and str(name) not in header), None)
    if number is not None:
        raise UsageError(
            f"columns: the {number} column is given by its number ({given[number]}), but {place} names the columns. "
            f"Give one of these names: {', '.join(header)}."
        )
    return {**fields, **{role: str(name) for role, name in given.items()}}


def is_number(name: str | int) -> bool:
    """Return whether a column is given by its number, not by its name."""
    return isinstance(name, int) or str(name).isdigit()


def known_columns(first: Sequence[str]) -> dict[str, int] | None:
    """Return the columns of a header that names a user and an item in a usual way, else None."""
    names = [cell.lower() for cell in first]
    at = {role: next((names.index(n) for n in usual if n in names), -1) for role, usual in KNOWN.items()}
    at = {role: column for role, column in at.items() if column >= 0}
    return at if "user" in at and "item" in at else None


class Table(NamedTuple):
    """The columns of one file: ids as `Sheet.ids` gives them, ratings and times where they are named."""

    users: Ids
    items: Ids
    ratings: np.ndarray | None
    times: np.ndarray | None

    @classmethod
    def of(cls, sheet: Sheet, roles: Sequence[str], as_text: bool) -> Table:
        """Return the columns of a sheet that stand for `roles`."""
        users = sheet.ids(roles.index("user"), "user id", as_text)
        items = sheet.ids(roles.index("item"), "item id", as_text)
        ratings = sheet.floats(roles.index("rating"), "rating") if "rating" in roles else None
        times = sheet.times(roles.index("time")) if "time" in roles else None
        return cls(users, items, ratings, times)


def _text_notes(ids: np.ndarray, what: str) -> tuple[str, ...]:
    return text_note(ids.tolist(), what) if ids.dtype.kind == "U" else ()


def joined_tables(
    tables: Mapping[str, Table], where: str, notes: Sequence[str], as_text: bool = False
) -> RawInteractions:
    """Return the records of the tables of one data set, by part, on common user and item numbers.

    as_text: whether the user asked for ids as text; else a note says where ids that look like numbers became text.
    """
    user_ids, users = numbered([table.users for table in tables.values()], where)
    item_ids, items = numbered([table.items for table in tables.values()], where)
    parts = {
        part: Records(np.stack([u, i]), table.ratings, table.times)
        for (part, table), u, i in zip(tables.items(), users, items, strict=True)
    }
    found = () if as_text else (*_text_notes(user_ids, "user"), *_text_notes(item_ids, "item"))
    return RawInteractions(len(user_ids), len(item_ids), parts, user_ids, item_ids, notes=(*notes, *found))


def record_files(files: Mapping[str, Path], what: str) -> dict[str, Path]:
    """Return the files that hold records, the undivided one or those of the parts.

    Raises DataError when there is none, or an undivided file and parts at once.
    """
    found = {part: files[part] for part in (ALL, *PARTS) if part in files}
    if not found or (ALL in found and len(found) > 1) or (ALL not in found and "train" not in found):
        raise DataError(
            f"{what}: give one file of all records, or a train part with valid or test; got {sorted(found)}."
        )
    return found


def _column_note(path: Path, first: Sequence[str], columns: Columns) -> str:
    read = ", ".join(
        f"{role} from {first[at]!r}" if columns.header else f"{role} from column {at + 1}"
        for role, at in columns.at.items()
    )
    others = [name for at, name in enumerate(first) if at not in columns.at.values()]
    names = f" ({', '.join(others[:8])})" if columns.header and any(others) else ""
    return f"{path.name}: {read}" + (f"; {len(others)} further column(s) not read{names}" if others else "")


def _refuse_twice(place: str, first: Sequence[str], columns: Columns) -> None:
    """Raise DataError when a column that is read has the name of another."""
    twice = next((first[at] for at in columns.at.values() if first.count(first[at]) > 1), None)
    if columns.header and twice is not None:
        raise DataError(f"{place}: {first.count(twice)} columns are called '{twice}'. Rename all but the one you mean.")


def _first_record(sheet: Sheet, first: Sequence[str], columns: Columns, how: Reading) -> tuple[str, ...]:
    """Return a note on the first line of a file whose columns are named by number; refuses one that is a header."""
    ends = [list(columns.at).index(role) for role in ROLES[:2]]
    above, below = ([sheet.cell(row, column) for column in ends] for row in (0, min(1, sheet.n_rows - 1)))
    words = not any(is_integer(cell) for cell in above)
    numbers = how.ids != "text" and all(is_integer(cell) for cell in below)
    if known_columns(first) is not None or (words and numbers):
        raise DataError(
            f"{sheet.path} line {sheet.lines[0]}: {' and '.join(map(repr, above))} look like a header. Name the "
            f"columns by it, as columns={dict(zip(ROLES[:2], above, strict=True))}."
        )
    return (f"{sheet.path.name}: the first line ({', '.join(above)}) was read as a record",) if words else ()


def _table(path: Path, how: Reading) -> tuple[Table, list[str]]:
    text = Delimited(path, mark_of(path))
    if how.columns is not None:
        columns = chosen_columns(f"{path} line 1", text.first, how.columns)
    else:
        known = known_columns(text.first)
        if known is None:
            raise DataError(
                f"{path} line 1: no header that names a user and an item column; found {', '.join(text.first[:8])}. "
                "Say which they are, as columns={'user': 'userId', 'item': 'movieId'} or, without a header, by number: "
                "{'user': 1, 'item': 2}."
            )
        columns = Columns(known, header=True)
    _refuse_twice(f"{path} line 1", text.first, columns)
    sheet = text.sheet(list(columns.at.values()), columns.header)
    remarks = () if columns.header else _first_record(sheet, text.first, columns, how)
    table = Table.of(sheet, list(columns.at), as_text=how.ids == "text")
    return table, [_column_note(path, text.first, columns), *remarks, *text.notes, *sheet.notes]


class InteractionTable(InteractionFormat):
    """Reader of one record per row."""

    name = "interaction-table"
    heeds: ClassVar[frozenset[str]] = frozenset({"columns", "parts"})
    ids: ClassVar[tuple[str, ...]] = ("text",)

    @classmethod
    def recognises(cls, path: Path) -> bool:
        """Return whether a text table has a header that names a user and an item column."""
        if path.suffix.lower() not in (".csv", ".tsv", ".txt", ".dat"):
            return False
        line, mark = first_line(path), mark_of(path)
        cells = line.split(mark) if mark else line.split()
        return known_columns([cell.strip(QUOTED).decode("utf-8", "replace") for cell in cells]) is not None

    def read(self, files: Mapping[str, Path], how: Reading) -> RawInteractions:
        """Return the records; raises DataError with file, line and column of the first fault."""
        found = {part: _table(existing(path), how) for part, path in record_files(files, "Interaction table").items()}
        where = ", ".join(str(files[part]) for part in found)
        notes = [note for _, remarks in found.values() for note in remarks]
        tables = {part: table for part, (table, _) in found.items()}
        return joined_tables(tables, where, notes, as_text=how.ids == "text")
