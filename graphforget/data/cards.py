"""Dataset cards: what a named data set is, where its files are, and what must be counted in them."""

from __future__ import annotations

import tomllib
from collections.abc import Collection, Mapping
from functools import cache
from pathlib import Path, PurePosixPath
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator

from graphforget._core.errors import DataError, UsageError, unknown
from graphforget._core.resources import datasets_folder

_PROSE = ("licence", "citation", "note")
_HELD = ("all", "train", "valid", "test", "users", "items", "entities", "relations", "triples", "links", "beside")


class _Strict(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class CardFile(_Strict):
    """One file of a data set.

    path: place below the data folder, with forward slashes.
    url: where it was published; None for a file that ships with the package, or that the user must supply.
    sha256: digest of what the url serves, where it is known.
    holds: what an interaction format finds in it: "all" or "train", "valid", "test"; "users", "items", "entities" and
        "relations" (lists of ids), "triples", "links", "modality:<name>"; "beside" for a file that another takes along.
    optional: the set loads without it.
    also: other places below the data folder where the same contents may be, as a zip archive.
    """

    path: str
    url: str | None = None
    sha256: str | None = Field(default=None, pattern="^[0-9a-f]{64}$")
    holds: str = Field(default="", pattern=f"^(|{'|'.join(_HELD)}|modality:[a-z-]+)$")
    optional: bool = False
    also: tuple[str, ...] = ()

    @field_validator("path", "also")
    @classmethod
    def _stays_inside(cls, given: str | tuple[str, ...]) -> str | tuple[str, ...]:
        for path in (given,) if isinstance(given, str) else given:
            if PurePosixPath(path).is_absolute() or ".." in PurePosixPath(path).parts:
                raise ValueError("must lie below the data folder")
        return given

    def below(self, folder: Path) -> Path | None:
        """Return where the file is below a folder, None when it is not there."""
        return next((folder / path for path in (self.path, *self.also) if (folder / path).is_file()), None)


class Counts(_Strict):
    """What the loaded graph must hold; `edges` counts both directions of every edge."""

    nodes: int = Field(gt=0)
    edges: int = Field(ge=0)
    features: int = Field(ge=0)
    classes: int = Field(ge=0)

    def summary(self) -> dict[str, int]:
        """Return the counts for a listing; edges are undirected there."""
        return self.model_dump() | {"edges": self.edges // 2}


class InteractionCounts(_Strict):
    """What interaction files must hold; what is None is not known beforehand and not checked.

    pairs: of all parts together, each pair of a part once; train, valid, test: of each part that the files give.
    entities: items included; triples: each once.
    """

    users: int | None = Field(default=None, gt=0)
    items: int | None = Field(default=None, gt=0)
    pairs: int | None = Field(default=None, gt=0)
    train: int | None = Field(default=None, gt=0)
    valid: int | None = Field(default=None, gt=0)
    test: int | None = Field(default=None, gt=0)
    entities: int | None = Field(default=None, gt=0)
    relations: int | None = Field(default=None, gt=0)
    triples: int | None = Field(default=None, gt=0)

    def summary(self) -> dict[str, int]:
        """Return the counts that are known, for a listing."""
        return self.model_dump(exclude_none=True)


class CardReading(_Strict):
    """How the files of a set are read and divided where `load` is told nothing; see `LoadOptions`."""

    columns: dict[str, str | int] | None = None
    ids: str | None = None
    min_rating: float | None = None
    core: int | None = None
    split: str | None = None
    valid: float | None = None
    test: float | None = None
    seed: int | None = None


class AnyCard(_Strict):
    """What every card has.

    kind: the value `load` returns ("graph" or "interactions").
    format: name of the file format (`graphforget.data.formats`).
    bundled: the files ship with the package, beside the card.
    note: what a user must know, for instance which graph a paper means by this name.
    expected: what must be counted in the files.
    unverified: what was compared neither with the files nor with a publisher's statement: counts of `expected` (files
        that differ are loaded, with a note), or "licence", "citation" or "note".
    source: where files come from that are not downloaded by themselves.
    """

    name: str
    title: str
    format: str
    files: tuple[CardFile, ...] = Field(min_length=1)
    licence: str
    citation: str
    aliases: tuple[str, ...] = ()
    bundled: bool = False
    note: str = ""
    source: str = ""
    unverified: tuple[str, ...] = ()
    expected: Counts | InteractionCounts

    @model_validator(mode="after")
    def _names_what_it_has(self) -> Self:
        known = [*_PROSE, *self.expected.model_dump(exclude_none=True)]
        stray = next((name for name in self.unverified if name not in known), None)
        if stray is not None:
            raise ValueError(f"'unverified' names '{stray}', which the card does not state ({', '.join(known)})")
        return self

    def is_in(self, folder: Path) -> bool:
        """Return whether every file that the set needs is below a folder."""
        return all(file.optional or file.below(folder) is not None for file in self.files)

    def caveats(self) -> tuple[str, ...]:
        """Return a note on what is unverified, for those who load the set."""
        return (f"unverified in the card of {self.name}: {', '.join(self.unverified)}",) if self.unverified else ()

    def compare(self, found: Mapping[str, int], remark: str = "", uncounted: Collection[str] = ()) -> tuple[str, ...]:
        """Return notes on unverified counts that the files do not have; raises DataError for any other that differs.

        found: counts in the files; one that is absent is 0. remark: how to read the counts. uncounted: names that are
        not compared, because an optional file is not there.
        """
        wanted = self.expected.model_dump(exclude_none=True, exclude=set(uncounted))
        differ = {name: count for name, count in wanted.items() if found.get(name, 0) != count}
        told = {name: f"{found.get(name, 0):,} {name} where {count:,} are expected" for name, count in differ.items()}
        wrong = [text for name, text in told.items() if name not in self.unverified]
        if wrong:
            raise DataError(
                f"{self.name}: the files hold {'; '.join(wrong)}{remark}. They are not the published ones; fetch them "
                "again, or load your own by their path."
            )
        return tuple(f"the files hold {text} by an unverified count" for text in told.values())


class Card(AnyCard):
    """One graph.

    binary_features: set every feature above zero to 1, as torch_geometric does when it reads this file.
    """

    kind: Literal["graph"] = "graph"
    expected: Counts
    binary_features: bool = False


class InteractionCard(AnyCard):
    """One set of interactions."""

    kind: Literal["interactions"]
    expected: InteractionCounts = InteractionCounts()
    reading: CardReading = CardReading()


_KINDS: dict[str, type[Card] | type[InteractionCard]] = {"graph": Card, "interactions": InteractionCard}


def _built(name: str, fields: dict[str, Any]) -> Card | InteractionCard:
    kind = _KINDS.get(str(fields.get("kind", "graph")), Card)
    return kind(name=name, **fields)


def read_card(path: Path) -> Card | InteractionCard:
    """Return the card in a TOML file; its name is the file's. Raises DataError when it is no valid card."""
    try:
        return _built(path.stem, tomllib.loads(path.read_text(encoding="utf-8")))
    except ValidationError as error:
        first = min(error.errors(), key=lambda fault: fault["loc"] != ("kind",))  # of an unknown kind all else is wrong
        field = ".".join(str(part) for part in first["loc"])
        raise DataError(f"{path}: field '{field}' of the card is wrong: {first['msg']}. Correct the card.") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError) as error:
        raise DataError(f"{path}: not a dataset card in TOML ({error}). Correct the card.") from None


@cache
def cards() -> dict[str, Card | InteractionCard]:
    """Return every card that ships with the package, by name."""
    found = [read_card(path) for path in sorted(datasets_folder().glob("*.toml"))]
    return {card.name: card for card in found}


def _key(name: str) -> str:
    return name.strip().lower().replace("_", "-")


def _by_name() -> dict[str, Card | InteractionCard]:
    return {alias: card for card in cards().values() for alias in card.aliases} | cards()


def is_card(name: str) -> bool:
    """Return whether `find_card` knows `name`."""
    return _key(name) in _by_name()


def find_card(name: str) -> Card | InteractionCard:
    """Return the card called `name` (case and _ or - do not matter) or having it as an alias.

    Raises UsageError with the nearest name.
    """
    by_name, wanted = _by_name(), _key(name)
    if wanted not in by_name:
        raise UsageError(unknown("data set", name, cards()) + " A file is named by its path, as 'edges.csv'.")
    return by_name[wanted]
