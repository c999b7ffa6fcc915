"""Lists of the ids behind numbers: KGAT's `org_id remap_id`, and MMRec's tables of an own id and a number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from graphforget._core.errors import DataError
from graphforget.data.formats.base import existing, text_ids
from graphforget.data.formats.delimited import COMMA, TAB, Delimited
from graphforget.data.formats.numbers import read_text
from graphforget.data.formats.raw_interactions import Reading, first_line
from graphforget.data.formats.table import is_integer

_ONE = {"users": "user", "items": "item", "entities": "entity", "relations": "relation"}


def _in_order(path: Path, ids: Sequence[str], numbers: Sequence[int]) -> np.ndarray:
    """Return ids in the order of their numbers; raises DataError unless those are 0 .. n - 1, each once."""
    order = np.argsort(np.array(numbers, dtype=object), kind="stable")
    off = next((row for row, at in enumerate(order) if numbers[at] != row), None)
    if off is not None or not ids:
        raise DataError(
            f"{path}: the numbers must be 0 to {len(ids) - 1}, each once; {off or 0} is missing or repeated."
        )
    if all(is_integer(key) for key in ids):
        return np.array([int(ids[at]) for at in order], dtype=np.int64)
    return text_ids([ids[at] for at in order], str(path))


def _original(path: Path, row: int, words: list[str]) -> tuple[str, int]:
    """Return the own id and the number in a line of a list; row counts from 0 below the header.

    KGAT's Yelp list writes `org_id remap_id` and a repetition of `org_id` without the blank between the last two.
    """
    glued = len(words) == 2 and words[1] == f"{row}{words[0]}"
    number = str(row) if glued else words[1] if len(words) in (2, 3) else ""
    if not is_integer(number) or int(number) < 0:
        raise DataError(
            f"{path} line {row + 2}: '{' '.join(words)[:60]}' is not an own id and its number ('org_id remap_id'). "
            "Fix the line."
        )
    return words[0], int(number)


def read_id_list(path: Path) -> np.ndarray:
    """Return the own ids in the order of their numbers: int64 when all are integers, else text.

    Raises DataError when a line does not hold an id and its number, or numbers are not 0 .. n - 1, each once.
    """
    try:
        lines = [line.split() for line in read_text(path).tobytes().decode("utf-8").splitlines() if line.strip()]
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: byte {error.start} is not UTF-8 text. Save the list as UTF-8.") from None
    if not lines or lines[0][:2] != ["org_id", "remap_id"]:
        found = " ".join(lines[0])[:60] if lines else ""
        raise DataError(f"{path} line 1: the header must be 'org_id remap_id'; found '{found}'.")
    entries = [_original(path, *row) for row in enumerate(lines[1:])]
    return _in_order(path, [key for key, _ in entries], [number for _, number in entries])


def read_id_table(path: Path, column: str) -> np.ndarray:
    """Return the own ids of a table of two columns, of which `column` has the numbers, in the order of the numbers.

    The cells are separated by tabs, as MMRec writes them under the ending .csv, or by commas.

    Raises DataError when the columns are others, or numbers are not 0 .. n - 1, each once.
    """
    text = Delimited(existing(path), TAB if b"\t" in first_line(path) else COMMA)
    if len(text.first) != 2 or column not in text.first:
        raise DataError(
            f"{path} line 1: the columns must be an own id and '{column}', separated by a tab; found "
            f"{', '.join(text.first[:8])}."
        )
    at = text.first.index(column)
    sheet = text.sheet([at, 1 - at], header=True)
    numbers = sheet.integers(0, f"number in '{column}'").tolist()
    try:
        return _in_order(path, [word.decode("utf-8") for word in sheet.words(1)], numbers)
    except UnicodeDecodeError as error:
        raise DataError(f"{path}: the id {error.object!r} is not UTF-8 text. Save the file as UTF-8.") from None


def enough(path: Path, ids: np.ndarray, what: str, count: int) -> np.ndarray:
    """Return the ids of users, items, entities or relations if there is one for each of `count` numbers."""
    if len(ids) < count:
        raise DataError(f"{path}: {len(ids):,} ids, but the files name {_ONE[what]} number {count - 1:,}.")
    return ids


def own_ids(files: Mapping[str, Path], how: Reading, what: str, count: int) -> np.ndarray | None:
    """Return the own ids of users, items, entities or relations if they are asked for and their list is there."""
    if how.ids is None or what not in files:
        return None
    return enough(files[what], read_id_list(files[what]), what, count)
