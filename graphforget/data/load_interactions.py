"""The half of `load` for recommenders: named sets and the user's own files as `Interactions`."""

from __future__ import annotations

import codecs
import os
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget._core.registry import Registry
from graphforget.data.cards import CardFile, InteractionCard
from graphforget.data.checks import distinct
from graphforget.data.divide import divided, filtered
from graphforget.data.formats.base import existing
from graphforget.data.formats.integer_triples import read_integer_triples
from graphforget.data.formats.named_triples import read_named_triples
from graphforget.data.formats.node_table import NodeTable
from graphforget.data.formats.raw_interactions import ALL, InteractionFormat, RawInteractions, first_line
from graphforget.data.interactions import Interactions
from graphforget.data.item_features import feature_table, with_features
from graphforget.data.load_options import LoadOptions

INTERACTION_FORMATS: Registry[InteractionFormat] = Registry(
    "graphforget.data.formats", InteractionFormat, kind="interaction format"
)
_SIDES = ("modality:", "triples")
MOST_LOOKED_AT = 100
"""Files of a folder whose first lines are looked at for a message."""
_OF_FACTS = ("entities", "relations", "triples")
"""Counts of a card that only a file of facts can have."""


def recognised(path: Path) -> str | None:
    """Return the name of the interaction format of a path, or None when it is of none."""
    found = [cls.name for cls in INTERACTION_FORMATS.classes() if cls.recognises(path)]
    if len(found) > 1:  # ratings.csv of MovieLens has the header of a table, too
        found = [name for name in found if name != "interaction-table"]
    if len(found) > 1:
        raise UsageError(f"{path}: could be {' or '.join(found)}; say which, as format='{found[0]}'.")
    return found[0] if found else None


def _beginning(path: Path) -> str:
    """Return the first line of a text file for a message, with what parts its cells where that is not read."""
    start = first_line(path)[:60]
    if start.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return " (this is UTF-16 text; save it as UTF-8)"
    line = start.decode("utf-8", "replace").strip()
    shown = line.replace("\t", " ")
    if not shown.isprintable() or not shown:
        return ""
    read = {".csv": "a comma", ".tsv": "a tab"}.get(path.suffix.lower(), "a comma, a tab or blanks")
    marks = {"tabs": "\t", "commas": ",", "semicolons": ";", "bars": "|"}
    found = next((name for name, mark in marks.items() if mark in line and name[:-1] not in read), None)
    hint = "" if found is None else f", with {found} between the cells where {read} is read"
    return f" (the first line is '{shown}'{hint})"


def _known_file_in(folder: Path) -> str:
    """Return which file of a folder is of a known format, for a message; one made for a format before plain tables."""
    try:
        known = {file: recognised(file) for file in sorted(folder.iterdir())[:MOST_LOOKED_AT] if file.is_file()}
    except OSError:  # the message is about the folder, whatever keeps its files from being read
        return ""
    ranked = [(name == "interaction-table", "train" not in file.name, file) for file, name in known.items() if name]
    best = min(ranked, default=None)
    return f", as {best[2]} ({known[best[2]]})" if best else ""


def _format_of(path: Path, options: LoadOptions) -> InteractionFormat:
    name = options.format or recognised(path)
    named = options.format is None and options.columns is not None and path.is_file()
    if named and name is not None and "columns" not in INTERACTION_FORMATS.find(name)[0].heeds:
        name = "interaction-table"  # ratings.csv is MovieLens', but who names its columns wants the plain table
    if name is None and (options.columns is not None or options.parts is not None):
        name = "interaction-table"
    if name is None and path.is_dir():
        raise DataError(
            f"{path} is a folder without train.txt (adjacency lists), trnMat.pkl (pickled matrices) and "
            f"item_index2entity_id.txt (KGCN). Name a folder that has one of them, or a file{_known_file_in(path)}."
        )
    if name is None:
        existing(path)
        raise UsageError(
            f"{path}: the format of these interactions is not recognised{_beginning(path)}. Name the columns, as "
            f"columns={{'user': ..., 'item': ...}}, or the format, one of {', '.join(INTERACTION_FORMATS.names())}."
        )
    return INTERACTION_FORMATS.get(name)


def are_interactions(path: Path, options: LoadOptions) -> bool:
    """Return whether a path holds interactions: what it is, how it is called or which options are given says so."""
    suffixes = {suffix for cls in INTERACTION_FORMATS.classes() for suffix in cls.suffixes}
    return bool(options.given()) or path.is_dir() or path.suffix.lower() in suffixes or recognised(path) is not None


def _check_heeded(reader: InteractionFormat, options: LoadOptions) -> None:
    """Refuse an option that the format would pass over."""
    given = options.given().keys() & {"columns", "n_users", "parts"}
    stray = next(iter(sorted(given - reader.heeds)), None)
    if stray is not None:
        raise UsageError(f"'{stray}' means nothing for files of the format '{reader.name}'. Leave it out.")
    if options.ids is not None and options.ids not in reader.ids:
        choice = " or ".join(f"ids='{known}'" for known in reader.ids)
        raise UsageError(
            f"ids='{options.ids}' means nothing for files of the format '{reader.name}'. Leave it out"
            + (f", or give {choice}." if choice else ".")
        )


def _with_parts(files: dict[str, Path], options: LoadOptions) -> dict[str, Path]:
    """Return the files with the parts that the user names; the undivided file then is the train part."""
    if options.parts is None:
        return files
    named = {part: existing(Path(path).expanduser()) for part, path in options.parts.items()}
    taken = next((part for part in named if part in files), None)
    if taken is not None:
        raise UsageError(
            f"parts: the {taken} part was found at {files[taken]} already. Leave it out, or name one file."
        )
    return {"train" if key == ALL else key: path for key, path in files.items()} | named


def _with_triples(raw: RawInteractions, options: LoadOptions) -> RawInteractions:
    if options.triples is None:
        return raw
    path = Path(options.triples).expanduser()
    if raw.triples is not None:
        raise UsageError(f"triples: the files have facts of their own ({raw.triples.name}). Leave {path.name} out.")
    if raw.item_ids is None:
        return replace(raw, triples=read_integer_triples(path, raw.n_items))
    graph, notes = read_named_triples(path, raw.item_ids)
    return replace(raw, triples=graph, notes=(*raw.notes, *notes))


def _tables(raw: RawInteractions, given: Mapping[str, Any]) -> tuple[RawInteractions, dict[str, NodeTable]]:
    """Return the feature tables of the files and of the user by modality."""
    taken = next((name for name in given if name in raw.modalities), None)
    if taken is not None:
        raise UsageError(f"modalities: '{taken}' was found at {raw.modalities[taken].source} already. Leave it out.")
    read = {name: feature_table(source, name) for name, source in given.items()}
    notes = tuple(note for _, found in read.values() for note in found)
    return replace(raw, notes=(*raw.notes, *notes)), {
        **raw.modalities,
        **{name: table for name, (table, _) in read.items()},
    }


def _found(raw: RawInteractions) -> str:
    counts = [f"{records.pairs.shape[1]:,} {'records' if part == ALL else part}" for part, records in raw.parts.items()]
    return f"found {raw.n_users:,} users, {raw.n_items:,} items, {' + '.join(counts)}"


def built(raw: RawInteractions, options: LoadOptions, name: str) -> Interactions:
    """Return the value of what was read: features joined, records filtered and divided, every step in the notes.

    Raises UsageError for options that do not fit it, DataError for features or facts that do not.
    """
    raw = replace(raw, notes=(_found(raw), *raw.notes))
    raw, tables = _tables(_with_triples(raw, options), options.modalities or {})
    raw, features = with_features(raw, tables, numbered=options.ids == "original")
    raw, items = filtered(raw, options)
    features = features if items is None else {key: values[items] for key, values in features.items()}
    parts, notes = divided(raw, options)
    return Interactions.build(
        n_users=raw.n_users,
        n_items=raw.n_items,
        **parts,
        user_ids=raw.user_ids,
        item_ids=raw.item_ids,
        name=name,
        notes=(*raw.notes, *notes),
        triples=raw.triples,
        modalities=features,
    )


def load_path(path: Path, options: LoadOptions) -> Interactions:
    """Return the interactions in the user's own files.

    Raises UsageError for options that do not fit the files, DataError for the first fault in them.
    """
    reader = _format_of(path, options)
    _check_heeded(reader, options)
    files = _with_parts(reader.locate(path), options)
    return built(reader.read(files, options.reading), options, path.stem if path.is_file() else path.name)


def _counts(raw: RawInteractions) -> dict[str, int]:
    """Return what the files hold, by the names that cards use."""
    parts = {part: _distinct(records.pairs, raw.n_items) for part, records in raw.parts.items()}
    found = {"users": raw.n_users, "items": raw.n_items, "pairs": sum(parts.values())} | parts
    if raw.triples is not None:
        facts = raw.triples
        found |= {"entities": facts.n_entities, "relations": facts.n_relations, "triples": facts.n_triples}
    return found


def _distinct(pairs: np.ndarray, n_items: int) -> int:
    keys = pairs[0] * np.int64(n_items) + pairs[1]
    return len(distinct(keys))


def missing_files(card: InteractionCard, folder: Path) -> list[str]:
    """Return the places of the files that a card needs and that are not below a folder."""
    return [file.path for file in card.files if not file.optional and file.below(folder) is None]


def check_there(card: InteractionCard, folder: Path | None, variable: str) -> None:
    """Check that every needed file is in the folder that was named, or can be downloaded when none was.

    Raises DataError that lists what is missing and says where it comes from.
    """
    if folder is None:
        missing = [file.path for file in card.files if not file.optional and file.url is None]
        where = f"no download is known; put what is named below a folder and name it by data_dir or ${variable}"
    else:
        missing = missing_files(card, folder)
        where = f"not there; put what is named below {folder}, or name another folder by data_dir"
    if missing:
        source = f" Source: {card.source}" if card.source else ""
        raise DataError(f"{card.name}: {', '.join(missing)}: {where}.{source}")


def _card_files(card: InteractionCard, folder: Path, options: LoadOptions) -> tuple[dict[str, Path], dict[str, Path]]:
    """Return the files that the format reads, and the features, by what they hold; absent optional ones left out."""
    there = {file.holds: path for file in card.files if (path := file.below(folder)) is not None}
    given = options.modalities or {}
    features = {key.partition(":")[2]: path for key, path in there.items() if key.startswith("modality:")}
    files = {key: path for key, path in there.items() if not key.startswith("modality:")}
    return files, {name: path for name, path in features.items() if name not in given}


def _absent(card: InteractionCard, folder: Path) -> list[CardFile]:
    """Return the optional files that are not there."""
    return [file for file in card.files if file.optional and file.below(folder) is None]


def _absent_notes(card: InteractionCard, folder: Path) -> tuple[str, ...]:
    """Return notes on side information that is not there."""
    return tuple(
        f"{file.path} is not in the data folder: no {file.holds.replace('modality:', 'modality ')}"
        for file in _absent(card, folder)
        if file.holds.startswith(_SIDES)
    )


def _uncounted(card: InteractionCard, folder: Path) -> tuple[str, ...]:
    """Return the counts of a card that cannot be compared, because the optional facts are not there."""
    return _OF_FACTS if any(file.holds == "triples" for file in _absent(card, folder)) else ()


def _defaults(card: InteractionCard, options: LoadOptions) -> dict[str, Any]:
    """Return what the card says where the user says nothing; a split of the user's own takes the place of all of it."""
    reading = card.reading.model_dump(exclude_none=True)
    left = {"split", "valid", "test", "seed"} if options.split is not None else set()
    return {key: value for key, value in reading.items() if key not in left}


def load_card(card: InteractionCard, folder: Path, options: LoadOptions) -> Interactions:
    """Return a named set whose files lie below `folder`, after counting what is in them.

    Raises UsageError for an option that the set leaves no choice in, DataError when a file is damaged or not the
    published one.
    """
    stray = next((key for key in ("format", "parts") if key in options.given()), None)
    if stray is not None:
        raise UsageError(f"'{stray}' is for files of your own; {card.name} has a card that says it. Leave it out.")
    options = options.over(_defaults(card, options)).check()
    reader = INTERACTION_FORMATS.get(card.format)
    _check_heeded(reader, options)
    files, features = _card_files(card, folder, options)
    raw = reader.read(files, options.reading)
    told = card.compare(_counts(raw), uncounted=_uncounted(card, folder))
    raw = replace(raw, notes=(*_absent_notes(card, folder), *card.caveats(), *told, *raw.notes))
    return built(raw, replace(options, modalities={**features, **(options.modalities or {})}), card.name)


def place_of(data_dir: str | os.PathLike[str] | None, variable: str) -> Path | None:
    """Return the folder of named sets: the one given, else the one of the environment, else None."""
    place = data_dir or os.environ.get(variable)
    return Path(place).expanduser() if place else None
