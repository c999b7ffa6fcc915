"""`load`: a named data set or the user's own files, as a `Graph` or as `Interactions`."""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

from graphforget._core.errors import DataError, UsageError
from graphforget._core.registry import Registry
from graphforget._core.resources import datasets_folder
from graphforget._core.words import counted
from graphforget.data.cards import Card, InteractionCard, find_card, is_card
from graphforget.data.download import cached
from graphforget.data.formats.base import GraphFormat, RawGraph, existing
from graphforget.data.formats.node_table import (
    NodeTable,
    array_table,
    checked_features,
    checked_labels,
    read_features,
    read_labels,
)
from graphforget.data.formats.raw_interactions import InteractionFormat
from graphforget.data.frames import from_pandas
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.data.join import joined
from graphforget.data.load_interactions import (
    INTERACTION_FORMATS,
    are_interactions,
    check_there,
    load_card,
    load_path,
    place_of,
)
from graphforget.data.load_options import LoadOptions, load_options

if TYPE_CHECKING:
    from pandas import DataFrame

DATA_VARIABLE = "GRAPHFORGET_DATA"
FORMATS: Registry[GraphFormat] = Registry("graphforget.data.formats", GraphFormat, kind="file format")


def _binary(raw: RawGraph) -> RawGraph:
    """Return the graph with every feature above zero set to 1."""
    if raw.features is None:
        return raw
    features = sp.csr_array(raw.features, copy=True)
    if (features.data == 1).all():
        return raw
    features.data = (features.data > 0).astype(np.float32)
    note = "features above zero were set to 1, as torch_geometric does for this file"
    return replace(raw, features=features, notes=(*raw.notes, note))


def _counts(graph: Graph) -> dict[str, int]:
    """Return what a graph holds, by the names that cards use; `edges` counts both directions."""
    edges = 2 * graph.n_edges
    return {"nodes": graph.n_nodes, "edges": edges, "features": graph.n_features, "classes": graph.n_classes}


def _built(raw: RawGraph, name: str, benchmark: bool) -> Graph:
    return Graph.build(**vars(raw), name=name, benchmark=benchmark)


def _read_card(card: Card, folder: Path, given_here: bool) -> tuple[RawGraph, Graph]:
    """Return the arrays of a card's files below `folder` and their graph, after counting what is in it."""
    files = [folder / file.path for file in card.files]
    missing = next((path for path in files if not path.is_file()), None)
    if missing is not None and given_here:
        raise DataError(
            f"{card.name}: {missing} is not there. The data folder must be laid out as the card says; name another by "
            f"data_dir, or leave data_dir out and unset ${DATA_VARIABLE} to download the set."
        )
    raw = FORMATS.get(card.format).read(files)
    raw = _binary(raw) if card.binary_features else raw
    graph = _built(raw, card.name, benchmark=True)
    told = card.compare(_counts(graph), " (edges count both directions)")
    return raw, replace(graph, notes=(*graph.notes, *card.caveats(), *told))


def _named(card: Card, data_dir: str | Path | None) -> tuple[RawGraph, Graph]:
    """Return the arrays of a named graph and the graph."""
    place = datasets_folder() if card.bundled else data_dir or os.environ.get(DATA_VARIABLE)
    if place:
        return _read_card(card, Path(place).expanduser(), given_here=True)
    return cached(card, lambda folder: _read_card(card, folder, given_here=False))


def _looks_like_path(text: str | Path) -> bool:
    """Return whether a path is meant; the name of a data set is one only with a folder in front or an ending."""
    classes: list[type[GraphFormat | InteractionFormat]] = [*FORMATS.classes(), *INTERACTION_FORMATS.classes()]
    suffixes = {suffix for cls in classes for suffix in cls.suffixes}
    plain = str(text)
    if isinstance(text, Path) or os.sep in plain or Path(plain).suffix.lower() in suffixes:
        return True
    return bool(plain) and not is_card(plain) and Path(plain).exists()


def _from_path(path: Path) -> RawGraph:
    suffix = path.suffix.lower()
    by_suffix = {ending: cls for cls in FORMATS.classes() for ending in cls.suffixes}
    existing(path)
    if suffix not in by_suffix:
        raise UsageError(f"{path}: graphs are read from {', '.join(sorted(by_suffix))}; found the ending '{suffix}'.")
    return by_suffix[suffix]().read([path])


def _features(given: Any) -> NodeTable | None:
    if given is None or isinstance(given, str | os.PathLike):
        return None if given is None else read_features(Path(given).expanduser())
    return checked_features(array_table("features", given))


def _labels(given: Any) -> NodeTable | None:
    if given is None or isinstance(given, str | os.PathLike):
        return None if given is None else read_labels(Path(given).expanduser())
    return checked_labels(array_table("labels", given))


ONE_HOT = "one-hot"
"""No other feature is made up from the graph: a degree, say, would still count the edges that were deleted."""


def _refuse_node_tables(features: Any, labels: Any) -> None:
    if features is not None or labels is not None:
        raise UsageError(
            "'features' and 'labels' belong to the nodes of a graph. Features of items are modalities, as "
            "modalities={'image': 'image_feat.npy'}."
        )


def _interactions(card: InteractionCard, data_dir: str | Path | None, options: LoadOptions) -> Interactions:
    """Return the named interactions."""
    place = datasets_folder() if card.bundled else place_of(data_dir, DATA_VARIABLE)
    check_there(card, place, DATA_VARIABLE)
    if place is not None:
        return load_card(card, place, options)
    return cached(card, lambda folder: load_card(card, folder, options))


def _found(raw: RawGraph) -> tuple[str, ...]:
    """Return notes on what the user's files hold, before anything is merged."""
    joined_nodes = np.zeros(raw.n_nodes, dtype=bool)
    joined_nodes[raw.edges] = True
    alone = raw.n_nodes - int(joined_nodes.sum())
    found = f"found {counted(raw.n_nodes, 'node')} and {counted(raw.edges.shape[1], 'listed edge')}"
    return (found, *((f"{counted(alone, 'node')} without an edge",) if alone else ()))


def _graph(card: Card | Path, data_dir: str | Path | None, features: Any, labels: Any) -> Graph:
    """Return the graph of a card or a path, with features and labels in place of its own."""
    if isinstance(card, Path):
        read = _from_path(card)
        read = replace(read, notes=(*_found(read), *read.notes))
        return _built(joined(read, _features(features), _labels(labels)), card.stem, benchmark=False)
    raw, graph = _named(card, data_dir)
    if features is None and labels is None:
        return graph
    return _built(joined(raw, _features(features), _labels(labels)), graph.name, benchmark=False)


def load(
    name_or_path: str | Path | DataFrame,
    data_dir: str | Path | None = None,
    features: Any = None,
    labels: Any = None,
    **interactions: Any,
) -> Any:
    """Return a `Graph` or `Interactions`: a named data set, the user's own files, or a frame.

    Which of both is for the name or the files to say, so type checkers take it for any.

    A path is read as interactions when it is a folder of adjacency lists, an atomic, MMRec or MovieLens file, a table
    whose header names a user and an item, or when one of the options of interactions is given; else as a graph.
    Features of nodes stay as the files have them (a task normalises rows); in the sets that torch_geometric reads from
    .npz, features above zero become 1 as there. What was found, lost on the way (self-loops, repeats) and chosen
    (columns, split) is in the `notes` of the value.

    Parameters
    ----------
    name_or_path: a name ("cora", "gowalla", "sample-citations", ...), or a path: .csv, .tsv, .txt edge list or .npz; a
        file or folder of interactions. Or a pandas DataFrame with an interaction on each row.
    data_dir: folder that holds named sets, laid out as their cards say; else $GRAPHFORGET_DATA, else the set
        is downloaded once into the user's cache and verified: counted, and by sha256 where its card has one.
    features: path (.npy, .npz, CSV with an id column) or (n, F) array, in place of the file's own features, or
        "one-hot" where there are none: one feature for each node.
    labels: path (.npy, CSV `id,label`) or (n,) integers, -1 unknown, in place of the file's own labels.
    interactions: columns, ids, min_rating, core, split, valid, test, seed, modalities, triples, parts, n_users, format;
        see `LoadOptions`.

    Raises
    ------
    UsageError: the name is unknown (the nearest is suggested), a path has an unknown ending, or an option does not
        exist or does not fit.
    DataError: a file is missing, damaged, or does not hold what its card or its neighbours say.

    Example
    -------
    >>> load("sample-citations").n_classes
    5
    >>> load("sample-shop").n_items
    120
    """
    if hasattr(name_or_path, "iloc") and hasattr(name_or_path, "columns"):
        _refuse_node_tables(features, labels)
        if data_dir is not None:
            raise UsageError("load: 'data_dir' is the folder of named sets, and a DataFrame has none. Leave it out.")
        return from_pandas(name_or_path, **interactions)
    if not isinstance(name_or_path, str | Path):
        raise UsageError(
            "load: the name of a data set, a path or a DataFrame of interactions is expected; got "
            f"{type(name_or_path).__name__}."
        )
    options = load_options(interactions)
    if _looks_like_path(name_or_path):
        path = Path(name_or_path).expanduser()
        if are_interactions(path, options):
            _refuse_node_tables(features, labels)
            return load_path(path, options)
        source: Card | Path = path
    else:
        card = find_card(str(name_or_path))
        if isinstance(card, InteractionCard):
            _refuse_node_tables(features, labels)
            return _interactions(card, data_dir, options)
        source = card
    if options.given():
        raise UsageError(
            f"'{next(iter(options.given()))}' is for interactions, but {source.name} is a graph. Leave it out."
        )
    one_hot = isinstance(features, str | Path) and str(features) == ONE_HOT
    graph = _graph(source, data_dir, None if one_hot else features, labels)
    return graph.with_features(sp.eye_array(graph.n_nodes, dtype=np.float32, format="csr")) if one_hot else graph
