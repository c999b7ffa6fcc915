"""From the records of files to train, valid and test pairs: threshold, repeats, k-core, split; each step noted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.formats.raw_interactions import ALL, RawInteractions, Records
from graphforget.data.load_options import SEED, SPLIT, TEST, VALID, LoadOptions
from graphforget.data.splits import RATIOS, Events, first_events, in_core, parts_of, rated_at_least, split
from graphforget.data.triples import TripleGraph

RATED, CORE, LEFT_OUT = "records rated below", "records outside the", " left out"
"""What the notes on records that a threshold or a k-core leaves out are made of."""


def _events(records: Records) -> Events:
    return Events(records.pairs[0], records.pairs[1], records.ratings, records.times)


def _records(events: Events) -> Records:
    return Records(np.stack([events.users, events.items]), events.ratings, events.times)


def _column(sides: list[np.ndarray | None]) -> np.ndarray | None:
    there = [side for side in sides if side is not None]
    return np.concatenate(there) if len(there) == len(sides) else None


def _joined(raw: RawInteractions) -> RawInteractions:
    """Return the records of all parts as one log; ratings and times stay where every part has them."""
    parts = list(raw.parts.values())
    ratings, times = _column([part.ratings for part in parts]), _column([part.times for part in parts])
    whole = Records(np.concatenate([part.pairs for part in parts], axis=1), ratings, times)
    note = f"the parts of the files ({', '.join(raw.parts)}) were joined, to be divided anew"
    return replace(raw, parts={ALL: whole}, notes=(*raw.notes, note))


def _at_least(events: Events, least: float, part: str) -> np.ndarray:
    """Return the mask of the events rated `least` or more; an error names the part, where there are several."""
    try:
        return rated_at_least(events, least)
    except (UsageError, DataError) as error:
        raise error if part == ALL else type(error)(f"The {part} part: {error}") from None


def _rated(raw: RawInteractions, least: float) -> RawInteractions:
    """Return the records rated `least` or more."""
    events = {part: _events(records) for part, records in raw.parts.items()}
    kept = {part: log.take(_at_least(log, least, part)) for part, log in events.items()}
    dropped = sum(len(log) for log in events.values()) - sum(len(log) for log in kept.values())
    note = f"{dropped:,} {RATED} {least:g}{LEFT_OUT}"
    return replace(raw, parts={part: _records(log) for part, log in kept.items()}, notes=(*raw.notes, note))


def _once(raw: RawInteractions) -> RawInteractions:
    """Return the log with the first record of each pair."""
    events = _events(raw.parts[ALL])
    first = first_events(events)
    again = len(events) - len(first)
    notes = (f"{again:,} records repeat a pair of user and item; the first of each counts",) if again else ()
    return replace(raw, parts={ALL: _records(events.take(first))}, notes=(*raw.notes, *notes))


def _core(raw: RawInteractions, least: int | tuple[int, int]) -> RawInteractions:
    events = _events(raw.parts[ALL])
    keep = in_core(events, least)
    note = f"{int((~keep).sum()):,} {CORE} {least}-core{LEFT_OUT}"
    return replace(raw, parts={ALL: _records(events.take(keep))}, notes=(*raw.notes, note))


def left_out(notes: Sequence[str]) -> str:
    """Return what a message on something that is not in the data adds: the records that loading them left out.

    Empty where the notes tell of none.

    Example
    -------
    >>> left_out(["found 3 users", "50 records rated below 4 left out"])
    ' (Loading the data left out 50 records rated below 4; the model has learned nothing from those.)'
    """
    found = [note.removesuffix(LEFT_OUT) for note in notes if RATED in note or CORE in note]
    told = [note for note in found if not note.startswith("0 ")]
    if not told:
        return ""
    return f" (Loading the data left out {' and '.join(told)}; the model has learned nothing from those.)"


def _ids(ids: np.ndarray | None, kept: np.ndarray) -> np.ndarray:
    return kept if ids is None else ids[kept]


def _renumbered_triples(triples: TripleGraph, kept: np.ndarray) -> TripleGraph:
    """Return the facts when only the items `kept` are items: they come first, the others are further entities."""
    others = np.setdiff1d(np.arange(triples.n_entities), kept, assume_unique=True)
    order = np.concatenate([kept, others])
    place = np.empty(triples.n_entities, dtype=np.int64)
    place[order] = np.arange(triples.n_entities)
    heads, kinds, tails = triples.triples
    ids = _ids(triples.entity_ids, order)
    facts = np.stack([place[heads], kinds, place[tails]])
    return TripleGraph.build(
        triples.n_entities, triples.n_relations, facts, ids, triples.relation_ids, triples.name, triples.notes
    )


def _present(raw: RawInteractions) -> tuple[RawInteractions, np.ndarray]:
    """Return the data on the users and items that still have a record, and the items' old numbers."""
    pairs = np.concatenate([records.pairs for records in raw.parts.values()], axis=1)
    (users, user_of), (items, item_of) = (np.unique(side, return_inverse=True) for side in pairs)
    sizes = np.cumsum([records.pairs.shape[1] for records in raw.parts.values()])[:-1]
    new = np.split(np.stack([user_of, item_of]).astype(np.int64), sizes, axis=1)
    parts = {part: replace(old, pairs=at) for (part, old), at in zip(raw.parts.items(), new, strict=True)}
    gone = [(raw.n_users - len(users), "user(s)"), (raw.n_items - len(items), "item(s)")]
    note = " and ".join(f"{count:,} {what}" for count, what in gone if count)
    left = replace(
        raw,
        n_users=len(users),
        n_items=len(items),
        parts=parts,
        user_ids=_ids(raw.user_ids, users),
        item_ids=_ids(raw.item_ids, items),
        triples=None if raw.triples is None else _renumbered_triples(raw.triples, items),
        notes=(*raw.notes, *((f"{note} without a record left out",) if note else ())),
    )
    return left, items


def filtered(raw: RawInteractions, options: LoadOptions) -> tuple[RawInteractions, np.ndarray | None]:
    """Return the data after joining, threshold, repeats and k-core, and the old numbers of the items that stay.

    The second is None when no item left. Raises UsageError for an option that the data cannot serve.
    """
    divided = ALL not in raw.parts
    if divided and options.core is not None and options.split is None:
        raise UsageError("'core' would change the parts that the files give. Say how to divide anew, as split='user'.")
    raw = _joined(raw) if divided and options.split is not None else raw
    raw = raw if options.min_rating is None else _rated(raw, options.min_rating)
    raw = _once(raw) if ALL in raw.parts else raw
    raw = raw if options.core is None else _core(raw, options.core)
    if options.min_rating is None and options.core is None:
        return raw, None
    return _present(raw)


def _split_note(rule: str, shares: tuple[float, float], seed: int, chosen: bool) -> str:
    how = [f"{1 - sum(shares):.4g} / {shares[0]:g} / {shares[1]:g}"] if rule in RATIOS else []
    how += [f"seed {seed}"] if any(shares) or rule not in RATIOS else []
    default = "" if chosen else "; no split was named, and this is the default"
    return f"divided into train, valid and test by '{rule}'" + f" ({', '.join(how)})" + default


def divided(raw: RawInteractions, options: LoadOptions) -> tuple[dict[str, np.ndarray | None], tuple[str, ...]]:
    """Return the pairs of train, valid and test, and a note on how they were divided.

    Raises UsageError for an option of a split when the files are divided already, or an unknown rule or share.
    """
    if ALL not in raw.parts:
        stray = next((key for key in ("valid", "test", "seed") if getattr(options, key) is not None), None)
        if stray is not None:
            raise UsageError(
                f"'{stray}' is for records that are divided here; these files give their parts. Add split=..."
            )
        parts: dict[str, np.ndarray | None] = {part: records.pairs for part, records in raw.parts.items()}
        return parts, ("divided as the files are",)
    events = _events(raw.parts[ALL])
    rule = options.split or SPLIT
    shares = (VALID if options.valid is None else options.valid, TEST if options.test is None else options.test)
    _refuse_unheeded(rule, options, shares)
    seed = SEED if options.seed is None else options.seed
    labels = split(events, rule, Streams(seed)("split"), *shares, n_items=raw.n_items)
    return parts_of(events, labels), (_split_note(rule, shares, seed, options.split is not None),)


def _refuse_unheeded(rule: str, options: LoadOptions, shares: tuple[float, float]) -> None:
    """Raise UsageError for a share that the rule does not have, or a seed where nothing is drawn.

    Every rule draws: those by time, too, order events of equal times by it. Only two shares of 0 leave nothing to draw.
    """
    for key in ("valid", "test"):
        if getattr(options, key) is not None and rule not in RATIOS:
            raise UsageError(
                f"'{key}' is a share, but the split '{rule}' has none. Leave it out, or use {', '.join(RATIOS)}."
            )
    if options.seed is not None and rule in RATIOS and not any(shares):
        raise UsageError(
            f"'seed' is {options.seed}, but the split '{rule}' holds nothing out (shares of 0), so nothing is drawn. "
            "Leave it out, or give a share."
        )
