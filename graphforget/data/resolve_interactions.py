"""A deletion in the user's ids, found in interactions: numbers, or a sentence about what is not there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np

from graphforget._core.errors import DataError, UnsupportedError, nearest
from graphforget.data.checks import distinct
from graphforget.data.deletion_files import GRAPH_KINDS
from graphforget.data.divide import left_out
from graphforget.data.interaction_parts import among, keys_of, mask_of, retained
from graphforget.data.interactions import Interactions
from graphforget.data.resolve import once, refuse_everything
from graphforget.data.triples import TripleGraph
from graphforget.kernels.csr import CSR

if TYPE_CHECKING:
    from graphforget.data.deletion import Deletion

EVERY_ITEM = "*"
_NONE = np.zeros(0, dtype=np.int64)


@dataclass(frozen=True)
class ResolvedInteractions:
    """A deletion as numbers of one interactions value; every array is int64, ascending and without repeats.

    Attributes
    ----------
    users, items: the named ones.
    interactions: positions into `data.edges` of the named train pairs.
    triples: positions into the facts of the named ones.
    modalities: the named items by modality.
    pairs: positions into `data.edges` of all train pairs that go: named, or of a named user or item.
    held_out: (2, h) pairs that leave valid and test, named or of a named user or item, as nodes (u, n_users + i).
    facts: positions of all facts that go: named, or with a named item as head or tail.
    notes: what was listed twice, and what is worth knowing.
    """

    users: np.ndarray
    items: np.ndarray
    interactions: np.ndarray
    triples: np.ndarray
    modalities: Mapping[str, np.ndarray]
    pairs: np.ndarray
    held_out: np.ndarray
    facts: np.ndarray
    notes: tuple[str, ...] = ()

    def removed_from(self, data: Interactions) -> Interactions:
        """Return the data without all of this."""
        return data.without(
            interactions=self.interactions,
            users=self.users,
            items=self.items,
            triples=self.triples,
            modalities=self.modalities,
            held_out=self.held_out,
        )


def _only_what_is_there(deletion: Deletion, data: Interactions) -> None:
    """Raise UnsupportedError for parts that interactions do not have, and for a mixture."""
    strange = next((kind for kind in GRAPH_KINDS if getattr(deletion, kind)), None)
    if strange is not None:
        hint = " Give pairs as `interactions` (in a CSV, under the header user,item)." if strange == "edges" else ""
        raise UnsupportedError(
            f"The deletion names {strange}, but '{data.name}' holds users, items, interactions, triples and modalities."
            f"{hint or ' Name some of those.'}"
        )
    if deletion.kind == "mixed":
        raise UnsupportedError(
            "The deletion names several kinds of things; only users and items may go together. Delete the kinds one "
            "after the other, each from the model that forgot the one before."
        )


def _numbers(ids: Sequence[Any], data: Interactions, what: str) -> np.ndarray:
    find = data.index_of_users if what == "user" else data.index_of_items
    try:
        return find(ids) if len(ids) else _NONE
    except DataError as error:
        raise DataError(f"{error}{left_out(data.notes)}") from None


def _interactions(data: Interactions, pairs: Sequence[tuple[Any, Any]]) -> np.ndarray:
    """Return user * n_items + item of every named pair; raises DataError for one that is in no part."""
    users = _numbers([user for user, _ in pairs], data, "user")
    items = _numbers([item for _, item in pairs], data, "item")
    keys = users * np.int64(data.n_items) + items
    parts = [keys_of(part) for part in (data.train, data.valid, data.test) if part is not None]
    absent = np.flatnonzero(~np.any([among(keys, known) for known in parts], axis=0))
    if len(absent):
        user, item = pairs[absent[0]]
        raise DataError(
            f"Interactions '{data.name}': user '{user}' has no interaction with item '{item}' ({len(absent):,} of "
            f"{len(pairs):,} listed are not there). Take them off the list, or load the data that have them."
            f"{left_out(data.notes)}"
        )
    return keys


def _knowledge_graph(data: Interactions) -> TripleGraph:
    if data.triples is None:
        raise DataError(f"Interactions '{data.name}' have no knowledge graph, so no triple can be deleted. Load one.")
    return data.triples


def _triples(data: Interactions, named: Sequence[tuple[Any, Any, Any]]) -> np.ndarray:
    """Return the positions of the named facts; raises DataError for an unknown head, relation, tail or fact."""
    if not len(named):
        return _NONE
    graph = _knowledge_graph(data)
    heads, relations, tails = ([fact[side] for fact in named] for side in range(3))
    wanted = [
        _side(graph.index_of_entities, heads, "head"),
        _side(graph.index_of_relations, relations, "relation"),
        _side(graph.index_of_entities, tails, "tail"),
    ]
    found = graph.find(np.stack(wanted))
    absent = np.flatnonzero(found < 0)
    if len(absent):
        head, relation, tail = named[absent[0]]
        raise DataError(
            f"Knowledge graph '{graph.name}' has no triple ('{head}', '{relation}', '{tail}') ({len(absent):,} of "
            f"{len(named):,} listed are not there). Take them off the list; inverses are not listed, they go along."
        )
    return found


def _side(find: Any, ids: Sequence[Any], side: str) -> np.ndarray:
    try:
        return find(ids)
    except DataError as error:
        raise DataError(f"The {side} of a triple: {error}") from None


def _modalities(data: Interactions, named: Sequence[tuple[Any, Any]], notes: list[str]) -> dict[str, np.ndarray]:
    """Return the named items by modality; "*" stands for every item."""
    if not len(named):
        return {}
    if not data.modalities:
        raise DataError(f"Interactions '{data.name}' have no modalities, so none can be deleted. Load item features.")
    stray = next((modality for modality, _ in named if modality not in data.modalities), None)
    if stray is not None:
        raise DataError(
            f"Interactions '{data.name}' have no modality '{stray}'.{nearest(stray, data.modalities)} Known: "
            f"{', '.join(data.modalities)}."
        )
    found = {}
    for modality in dict.fromkeys(modality for modality, _ in named):
        items = [item for name, item in named if name == modality]
        rows = [_numbers([item for item in items if item != EVERY_ITEM], data, "item")]
        rows += [np.arange(data.n_items, dtype=np.int64)] if EVERY_ITEM in items else []
        found[modality] = once(np.concatenate(rows), f"items of modality '{modality}'", notes)
    return found


def _without_features(data: Interactions, modalities: Mapping[str, np.ndarray], notes: list[str]) -> None:
    """Note items that have no features of their own; raises DataError when all of the named are such."""
    counts = [int(data.missing[key][items].sum()) for key, items in modalities.items()]
    if sum(counts) and sum(counts) == sum(map(len, modalities.values())):
        raise DataError(
            f"Interactions '{data.name}': none of the named items has features of its own in {', '.join(modalities)}; "
            "there is nothing to forget. Name others."
        )
    notes += [
        f"{count:,} of the named items have no '{key}' features of their own"
        for key, count in zip(modalities, counts, strict=True)
        if count
    ]


def _leaving(part: CSR, users: np.ndarray, items: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the mask of the pairs that are of named users or items, or named themselves."""
    leaving = ~retained(part, mask_of(users, part.n_rows), mask_of(items, part.n_cols))
    return leaving | among(keys_of(part), keys)


def _held_out(data: Interactions, users: np.ndarray, items: np.ndarray, keys: np.ndarray) -> np.ndarray:
    """Return the pairs of valid and test that go, (2, h) as nodes."""
    parts = [part for part in (data.valid, data.test) if part is not None]
    gone = [keys_of(part)[_leaving(part, users, items, keys)] for part in parts]
    leaving = distinct(np.concatenate([_NONE, *gone]))
    return np.stack([leaving // data.n_items, leaving % data.n_items + data.n_users])


def _refuse_everything(data: Interactions, found: ResolvedInteractions) -> None:
    n_triples = 0 if data.triples is None or not len(found.triples) else data.triples.n_triples
    refuse_everything(
        f"Interactions '{data.name}'",
        "takes",
        ("user", len(found.users), data.n_users),
        ("item", len(found.items), data.n_items),
        ("train interaction", len(found.pairs), data.n_pairs),
        ("triple", len(found.facts), n_triples),
    )


def _refuse_nothing(data: Interactions, found: ResolvedInteractions) -> None:
    """Raise DataError when users are named of whom the data hold nothing."""
    if len(found.users) and not (len(found.items) or len(found.pairs) or found.held_out.size):
        raise DataError(
            f"Interactions '{data.name}': none of the {len(found.users):,} named users has an interaction, so there is "
            "nothing to take out. Name others. (If an earlier deletion took their last ones, the model may hold what "
            "it learned of them until it is trained anew; mmrecun draws such rows anew, retrain starts afresh.)"
        )


def _remarks(data: Interactions, found: ResolvedInteractions, named_held_out: int) -> list[str]:
    """Return notes on what the deletion does beside what it names."""
    mine = np.bincount(data.pairs("train")[0, found.pairs], minlength=data.n_users)
    emptied = np.flatnonzero((mine > 0) & (mine == data.user_degrees))
    others = len(np.setdiff1d(emptied, found.users, assume_unique=True))
    notes = [f"{others:,} users that are not named lose all their train pairs"] if others else []
    unused = int((data.user_degrees[found.users] == 0).sum() + (data.item_degrees[found.items] == 0).sum())
    notes += [f"{unused:,} of the named users and items have no train pair"] if unused else []
    notes += [f"{named_held_out:,} of the listed interactions stand in valid or test only"] if named_held_out else []
    return notes


def resolve_interactions(deletion: Deletion, data: Interactions) -> ResolvedInteractions:
    """Return the deletion as numbers and positions of `data`.

    The item "*" of a modality stands for every item. What is listed twice counts once and becomes a note, and so do
    interactions that stand in valid or test only (they leave those parts) and users who are left without train pairs.
    All items of a user may go; users and items may go together.

    Raises
    ------
    UnsupportedError: the deletion names parts of a graph, or several kinds of things at once.
    DataError: an id, interaction, triple or modality is not there (a near id may be suggested), everything would go,
        or nothing at all.
    """
    _only_what_is_there(deletion, data)
    notes: list[str] = []
    users = once(_numbers(deletion.users, data, "user"), "users", notes)
    items = once(_numbers(deletion.items, data, "item"), "items", notes)
    keys = once(_interactions(data, deletion.interactions), "interactions", notes)
    triples = once(_triples(data, deletion.triples), "triples", notes)
    modalities = _modalities(data, deletion.modalities, notes)
    _without_features(data, modalities, notes)
    trained = np.flatnonzero(among(keys_of(data.train), keys))
    found = ResolvedInteractions(
        users=users,
        items=items,
        interactions=trained,
        triples=triples,
        modalities=modalities,
        pairs=np.flatnonzero(_leaving(data.train, users, items, keys)),
        held_out=_held_out(data, users, items, keys),
        facts=triples if data.triples is None else np.union1d(triples, data.triples.touching(items)),
        notes=tuple(notes),
    )
    _refuse_everything(data, found)
    _refuse_nothing(data, found)
    remarks = _remarks(data, found, len(keys) - len(trained))
    return replace(found, notes=(*notes, *remarks))
