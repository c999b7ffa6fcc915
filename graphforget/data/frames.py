"""Interactions from a pandas DataFrame with one record per row."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget.data.formats.delimited import Ids, change_of_unit
from graphforget.data.formats.interaction_table import ROLES, Table, joined_tables, known_columns, named_columns
from graphforget.data.formats.raw_interactions import ALL
from graphforget.data.interactions import Interactions
from graphforget.data.load_interactions import built
from graphforget.data.load_options import load_options

if TYPE_CHECKING:
    from pandas import DataFrame, Series

_FILES_ALONE = ("format", "n_users", "parts")


def _fault(name: str, row: int, column: str, wrong: str) -> DataError:
    return DataError(f"{name}, row {row} (from 0), column '{column}': {wrong}. Fix it, or take the row out.")


def _ids(series: Series, name: str, as_text: bool) -> Ids:
    """Return a column of ids: int64, or words when it holds text or numbers beyond it; spaces around them go.

    A missing id or a fraction is refused.
    """
    missing = np.flatnonzero(series.isna())
    if len(missing):
        raise _fault(name, int(missing[0]), str(series.name), "the id is missing")
    fits = series.dtype.kind == "i" or (series.dtype.kind == "u" and int(series.max()) <= np.iinfo(np.int64).max)
    if fits and not as_text:
        return series.to_numpy(dtype=np.int64)
    if series.dtype.kind == "f":
        raise DataError(
            f"{name}: the ids in column '{series.name}' are decimal numbers; turn them into integers or text, as "
            f"frame['{series.name}'].astype(int)."
        )
    keys = series.tolist()
    for row, key in enumerate(keys):
        wrong = _wrong(key)
        if wrong:
            raise _fault(name, row, str(series.name), wrong)
    return [str(key).strip().encode() for key in keys]


def _wrong(key: object) -> str:
    """Return what is wrong with an id that is no plain number; empty if nothing is."""
    if isinstance(key, bytes | bytearray):
        return "the id is bytes, not text; decode it"
    word = str(key)
    if not word.strip():
        return "the id is empty"
    if "\0" in word:
        return "the id holds a NUL character"
    if not word.isascii() and any("\ud800" <= letter <= "\udfff" for letter in word):
        return "the id holds half of a character (a surrogate), which no file can hold"
    return ""


def _merged_note(series: Series, ids: Ids) -> tuple[str, ...]:
    """Return a note where ids that differ in the frame, in type or in spaces around them, are the same text."""
    merged = 0 if isinstance(ids, np.ndarray) else series.nunique() - len(set(ids))
    if merged <= 0:
        return ()
    what = "differ from another in type or surrounding spaces alone; read as that one"
    return (f"'{series.name}': {merged:,} ids {what}",)


def _numbers(series: Series, name: str) -> np.ndarray:
    """Return ratings or times as float64; dates become seconds since 1970."""
    if series.dtype.kind == "M":
        unit = series.dt.unit  # of its own: the year 9999, which often stands for no end, wraps around in nanoseconds
        moments = series.to_numpy(dtype=f"datetime64[{unit}]").astype(np.int64)
        values = moments / (np.timedelta64(1, "s") / np.timedelta64(1, unit))
        values[series.isna().to_numpy()] = np.nan
    elif series.dtype.kind in "iufb":
        values = series.to_numpy(dtype=np.float64)
    else:
        raise DataError(
            f"{name}: column '{series.name}' holds {series.dtype}, but numbers or dates are due. Dates in words become "
            "such by pandas.to_datetime."
        )
    bad = np.flatnonzero(~np.isfinite(values))
    if len(bad):
        raise _fault(name, int(bad[0]), str(series.name), "the value is missing or infinite")
    return values


def _times(series: Series, name: str) -> np.ndarray:
    """Return times as float64; raises DataError where numbers change their unit on the way."""
    times = _numbers(series, name)
    row, begun = change_of_unit(times)
    if begun and series.dtype.kind != "M":
        raise _fault(name, row, str(series.name), f"the time {times[row]:.0f} {begun}; bring all times to one unit")
    return times


def from_pandas(
    frame: DataFrame, columns: Mapping[str, str] | None = None, name: str = "frame", **options: Any
) -> Interactions:
    """Return the interactions in a DataFrame, filtered and divided as `load` does with a table.

    Parameters
    ----------
    frame: one record per row; the index is not read.
    columns: names of the user, item, rating and time columns by role; None when they have usual names ("user",
        "item_id", "rating", "timestamp", ...).
    name: what tables and messages call it.
    options: ids, min_rating, core, split, valid, test, seed, modalities, triples; see `LoadOptions`.

    Raises UsageError for options that do not exist or fit; DataError for a column that is not there, a missing or
    fractional id, or a rating or time that is no number.
    """
    chosen = load_options(options)
    stray = next((key for key in _FILES_ALONE if key in options), None)
    if stray is not None:
        raise UsageError(f"'{stray}' is for files; a frame has none. Leave it out.")
    if chosen.ids == "original":
        raise UsageError("ids='original' takes ids from lists beside files; a frame has its own. Leave it out.")
    names = [str(column) for column in frame.columns]
    at = known_columns(names) if columns is None else named_columns(name, names, columns)
    if at is None:
        raise DataError(
            f"{name}: no user and item columns in {', '.join(names[:8])}. Name them, as columns={{'user': ...}}."
        )
    twice = next((names[position] for position in at.values() if names.count(names[position]) > 1), None)
    if twice is not None:
        raise DataError(f"{name}: {names.count(twice)} columns are called '{twice}'. Rename all but the one you mean.")
    if not len(frame):
        raise DataError(f"{name}: the frame has no rows. Give one record per row.")
    series = {role: frame.iloc[:, position] for role, position in at.items()}
    users, items = (_ids(series[role], name, chosen.ids == "text") for role in ROLES[:2])
    notes = (*_merged_note(series["user"], users), *_merged_note(series["item"], items))
    ratings = _numbers(series["rating"], name) if "rating" in series else None
    times = _times(series["time"], name) if "time" in series else None
    table = Table(users, items, ratings, times)
    return built(joined_tables({ALL: table}, name, notes), chosen, name)
