"""Dataset cards: what a named data set is, where its files are, and what must be counted in them."""

from __future__ import annotations

import tomllib
from functools import cache
from pathlib import Path, PurePosixPath

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator

from graphforget._core.errors import DataError, UsageError, unknown
from graphforget._core.resources import datasets_folder


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CardFile(_Strict):
    """One file of a data set.

    path: place below the data folder, with forward slashes.
    url: where it was published; None for a file that ships with the package.
    sha256: digest of what the url serves, where it is known.
    """

    path: str
    url: str | None = None
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")

    @field_validator("path")
    @classmethod
    def _stays_inside(cls, path: str) -> str:
        if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
            raise ValueError("must lie below the data folder")
        return path


class Counts(_Strict):
    """What the loaded graph must hold; `edges` counts both directions of every edge."""

    nodes: int = Field(gt=0)
    edges: int = Field(ge=0)
    features: int = Field(ge=0)
    classes: int = Field(ge=0)


class Card(_Strict):
    """One data set.

    kind: the value `load` returns ("graph").
    format: name of the file format (`graphforget.data.formats`).
    binary_features: set every feature above zero to 1, as torch_geometric does when it reads this file.
    bundled: the files ship with the package, beside the card.
    note: what a user must know, for instance which graph a paper means by this name.
    """

    name: str
    title: str
    kind: str = "graph"
    format: str
    files: tuple[CardFile, ...] = Field(min_length=1)
    expected: Counts
    licence: str
    citation: str
    aliases: tuple[str, ...] = ()
    binary_features: bool = False
    bundled: bool = False
    note: str = ""


def read_card(path: Path) -> Card:
    """Return the card in a TOML file; its name is the file's. Raises DataError when it is no valid card."""
    try:
        return Card(name=path.stem, **tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = error.errors()[0]
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: field '{field}' of the card is wrong: {first['msg']}. Correct the card.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise DataError(f"{path}: not a dataset card in TOML ({error}). Correct the card.") from None


@cache
def cards() -> dict[str, Card]:
    """Return every card that ships with the package, by name."""
    found = [read_card(path) for path in sorted(datasets_folder().glob("*.toml"))]
    return {card.name: card for card in found}


def _key(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _by_name() -> dict[str, Card]:
    return {alias: card for card in cards().values() for alias in card.aliases} | cards()


def is_card(name: str) -> bool:
    """Return whether `find_card` knows `name`."""
    return _key(name) in _by_name()


def find_card(name: str) -> Card:
    """Return the card called `name` (case and _ or - do not matter) or having it as an alias.

    Raises UsageError with the nearest name.
    """
    by_name, wanted = _by_name(), _key(name)
    if wanted not in by_name:
        raise UsageError(unknown("data set", name, cards()) + " A file is named by its path, as 'edges.csv'.")
    return by_name[wanted]
