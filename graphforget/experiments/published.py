"""Published tables: one TOML file each, with the settings to run and the values to stand beside."""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import cache
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, ValidationError, model_validator

from graphforget._core.errors import DataError, UsageError, nearest, unknown
from graphforget.data.cards import InteractionCard, find_card, is_card
from graphforget.data.load import DATA_VARIABLE
from graphforget.evaluation.metrics import METRICS
from graphforget.experiments.grid import Grid, Strict, Wanted

FOLDER = Path(__file__).with_name("presets")
PLAIN = Path(os.curdir)
Values = dict[str, float]
PARTS = {"data": "data", "backbone": "backbones", "deletion": "deletions", "method": "methods"}
"""What a part of a table may be named by -> field of its grids."""


class Published(Strict):
    """Values that somebody published for one combination of data, backbone and deletion.

    Parameters
    ----------
    data, backbone, deletion: as a grid names them; data and backbones that no grid has are shown as not run.
    source: who says so: the paper, its authors elsewhere (code, logs), a third party, or only the abstract.
    where: table, log or page.
    rows: our name of the row -> metric -> value. spreads: the same for standard deviations.
    names: our name of the row -> what the source calls it, where that differs.
    """

    data: str
    backbone: str
    deletion: str = ""
    source: Literal["paper", "authors", "third party", "abstract"]
    where: str
    rows: dict[str, Values] = Field(min_length=1)
    spreads: dict[str, Values] = Field(default_factory=dict)
    names: dict[str, str] = Field(default_factory=dict)

    @model_validator(mode="after")
    def _knows_its_metrics(self) -> Published:
        named = [name for rows in (self.rows, self.spreads) for values in rows.values() for name in values]
        stray = next((name for name in named if name not in METRICS), None)
        if stray is not None:
            raise ValueError(unknown("metric", stray, METRICS))
        lost = next((row for row in (*self.spreads, *self.names) if row not in self.rows), None)
        if lost is not None:
            raise ValueError(f"row '{lost}' has a spread or a name, but no value")
        return self


class Preset(Strict):
    """One published table, or a grid of the user's own.

    Parameters
    ----------
    title, paper, table: what is reproduced; empty for a grid of one's own.
    settings: how it is run, in words. ambiguities: what the sources leave open, and what was chosen.
    claims: what is public in words alone.
    grids: what to run. metrics: columns of its table.
    tolerance: metric -> largest difference to the published value that counts as reproduced.
    published: the values to compare with; none where no number is public.
    part: which part of the table this is, in words; empty for all of it.
    """

    name: str
    title: str = ""
    paper: str = ""
    table: str = ""
    settings: str = ""
    ambiguities: tuple[str, ...] = ()
    claims: tuple[str, ...] = ()
    metrics: tuple[str, ...] = ()
    tolerance: Values = Field(default_factory=dict)
    grids: tuple[Grid, ...] = Field(min_length=1)
    published: tuple[Published, ...] = ()
    part: str = ""

    @model_validator(mode="after")
    def _knows_its_metrics(self) -> Preset:
        stray = next((name for name in (*self.metrics, *self.tolerance) if name not in METRICS), None)
        if stray is not None:
            raise ValueError(unknown("metric", stray, METRICS))
        return self

    def narrowed(self, only: Mapping[str, Sequence[str]], seeds: Sequence[int] = ()) -> Preset:
        """Return a part of the preset: the data, backbones, deletions and methods named, and the seeds given.

        only: "data", "backbone", "deletion" or "method" -> names to keep; what is not named is kept whole. A deletion
            that is left out takes its methods along.

        Raises UsageError for a name that the preset does not have.
        """
        for key, names in only.items():
            if key not in PARTS:
                raise UsageError(unknown("part of a table", key, PARTS))
            known = list(dict.fromkeys(name for grid in self.grids for name in grid.names(PARTS[key])))
            stray = next((name for name in names if name not in known), None)
            if stray is not None:
                raise UsageError(f"{self.name}: {unknown(key, stray, known)}")
        wanted = {PARTS[key]: tuple(names) for key, names in only.items()}
        kept = [part for grid in self.grids if (part := grid.part(wanted, tuple(seeds))) is not None]
        if not kept:
            raise UsageError(f"{self.name}: no grid has all that is named together. Name less.")
        chosen = [f"{key}={name}" for key, names in only.items() for name in names]
        told = ", ".join([*chosen, *([f"seeds {','.join(map(str, seeds))}"] if seeds else [])])
        return self.model_copy(update={"grids": tuple(kept), "part": told})

    def at_hand(self, data_dir: str | None = None) -> tuple[tuple[Grid, ...], dict[str, list[str]]]:
        """Return the grids over the data whose files are there, and the others: data -> files that are missing."""
        kept: list[Grid] = []
        absent: dict[str, list[str]] = {}
        for grid in self.grids:
            missing = {name: missing_files(name, data_dir, grid.requires) for name in grid.data}
            absent |= {name: files for name, files in missing.items() if files}
            there = tuple(name for name in grid.data if not missing[name])
            kept += [grid.model_copy(update={"data": there})] if there else []
        return tuple(kept), absent


def missing_files(data: str, data_dir: str | None, requires: tuple[str, ...] = ()) -> list[str]:
    """Return the files of a data set that are missing: below the data folder, or, without one, those with no download.

    requires: contents that count as needed, although the card calls them optional.
    """
    if not is_card(data):
        return [] if Path(data).expanduser().exists() else [data]
    card = find_card(data)
    if card.bundled:
        return []
    place = data_dir or os.environ.get(DATA_VARIABLE)
    needed = [file for file in card.files if not file.optional or file.holds in requires]
    if place is None:
        return [file.path for file in needed if file.url is None]
    folder = Path(place).expanduser()
    also = isinstance(card, InteractionCard)
    return [f.path for f in needed if not ((folder / f.path).is_file() or (also and f.below(folder) is not None))]


BLOCKS = {
    "": [name for name in Preset.model_fields if name != "name"],
    "grids": list(Grid.model_fields),
    "deletions": [field.name for field in fields(Wanted)],
    "published": list(Published.model_fields),
}
"""What may stand in a table, by the field that holds it; the empty name is the file itself (its path names it)."""
STRAY = ("extra_forbidden", "unexpected_keyword_argument")
"""What pydantic calls an unknown field: of a model and of a dataclass."""


def read_preset(path: Path) -> Preset:
    """Return the preset or grid in a TOML file, named as the file is; raises DataError when it is none."""
    try:
        return preset_from({"name": path.stem, **tomllib.loads(path.read_text(encoding="utf-8"))}, str(path))
    except OSError as error:
        raise DataError(f"{path}: cannot be read ({error.strerror or error}). Check the path.") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DataError(f"{path}: not TOML ({error}). Correct that place.") from error


def preset_from(table: Mapping[str, Any], source: str) -> Preset:
    """Return the preset that a table describes; raises DataError, in the name of its source, for a faulty one."""
    try:
        return Preset(**table)
    except ValidationError as error:
        raise DataError(f"{source}: {_sentence(error.errors())}") from None
    except UsageError as error:  # a deletion that cannot be
        raise DataError(f"{source}: a deletion is wrong. {error}") from None


def _sentence(faults: Sequence[Any]) -> str:
    """Return what is wrong with a table: first an unknown field, which often is the misspelt name of a missing one."""
    fault = next((one for one in faults if one["type"] in STRAY), faults[0])
    *above, last = fault["loc"] or ("",)
    field = ".".join(str(part) for part in fault["loc"])
    if fault["type"] in STRAY:
        known = BLOCKS[next((part for part in reversed(above) if part in BLOCKS), "")]
        return f"unknown field '{field}'.{nearest(last, known)} Known here: {', '.join(known)}."
    if fault["type"] == "missing":
        return f"field '{field}' is missing. Add it."
    reason = fault["msg"].removeprefix("Value error, ").removesuffix(".")
    return f"field '{field}' is wrong: {reason}. Correct it." if field else f"{reason}."


@cache
def presets() -> dict[str, Preset]:
    """Return every published table that ships with the package, by name."""
    return {path.stem: read_preset(path) for path in sorted(FOLDER.glob("*.toml"))}


def find_preset(name: str) -> Preset:
    """Return the preset of a name, or the one in a TOML file; raises UsageError with the nearest name."""
    if name in presets():
        return presets()[name]
    path = Path(name).expanduser()
    if path.suffix == ".toml" or path.parent != PLAIN:
        return read_preset(path)
    raise UsageError(
        unknown("published table", name, presets()) + " A grid of your own is named by its path, as 'my.toml'."
    )
