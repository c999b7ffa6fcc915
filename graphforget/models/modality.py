"""Item features as recommenders read them: which modalities, how wide, as tensors, and who is near whom."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphforget._core.errors import DataError, UsageError, unknown
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR, edges_to_csr, row_ids, symmetric_normalise
from graphforget.kernels.propagate import Sparse
from graphforget.kernels.topk import top_items


def check_names(owner: str, names: str | None) -> None:
    """Raise UsageError unless `names` is None or lists modalities, each once, as "image,text"."""
    if names is None:
        return
    parts = names.split(",") if isinstance(names, str) else []
    if not parts or not all(parts) or len(set(parts)) < len(parts):
        raise UsageError(f"{owner}: 'modalities' must list names once each, as image,text; got {names!r}.")


def modality_widths(owner: str, names: str | None, data: Interactions) -> dict[str, int]:
    """Return the width of every modality a model reads, those named or all, in alphabetical order.

    Raises DataError when the data has none, or not the one named.
    """
    if not data.modalities:
        raise DataError(
            f"{owner} reads item features, and '{data.name}' has none. Load the data with modalities, or use a "
            "backbone without them, as lightgcn."
        )
    chosen = sorted(data.modalities if names is None else names.split(","))
    stray = next((name for name in chosen if name not in data.modalities), None)
    if stray is not None:
        raise DataError(f"{owner}: '{data.name}': {unknown('modality', stray, data.modalities)}")
    return {name: data.modalities[name].shape[1] for name in chosen}


def features(data: Interactions, name: str, like: Tensor) -> Tensor:
    """Return the (n_items, d) features of a modality on the device and in the type of `like`, kept with the data."""
    key = f"modality/{like.device}/{like.dtype}/{name}"
    return data.memo(key, lambda: torch.from_numpy(np.array(data.modalities[name])).to(like.device, like.dtype))


def standard_features(data: Interactions, name: str, like: Tensor) -> Tensor:
    """Return the features less the mean of every column, over the root mean square of the rows that are there.

    Rows that are missing are the mean, so 0; they take no part in the scale, which a deletion must not change for the
    others. Kept with the data.

    Where all items share a large mean, raw features tell them apart slowly: what cancels in a comparison of two items
    is then most of what a learning rate must cope with.
    """

    def build() -> Tensor:
        raw = data.modalities[name].astype(np.float64)
        centred = raw - raw.mean(axis=0)
        there = centred[~data.missing[name]]
        size = np.sqrt(np.square(there).mean()) if there.size else 0.0
        return torch.from_numpy(centred / (size if size > 0 else 1.0)).to(like.device, like.dtype)

    return data.memo(f"modality-standard/{like.device}/{like.dtype}/{name}", build)


def unit_features(data: Interactions, name: str, like: Tensor) -> Tensor:
    """Return `standard_features` over the root of their number: a row's squared norm is 1 on average. Kept with data.

    A step of a linear map moves what it makes of a row by as much as the row is long, and it is then as fast as the
    vectors that are learned beside it.
    """
    key = f"modality-unit/{like.device}/{like.dtype}/{name}"
    return data.memo(key, lambda: standard_features(data, name, like) / data.modalities[name].shape[1] ** 0.5)


def unit_rows(values: np.ndarray) -> np.ndarray:
    """Return the rows divided by their norm, float32; a row of zeros stays."""
    norms = np.linalg.norm(values.astype(np.float64), axis=1, keepdims=True)
    return (values / np.where(norms > 0, norms, 1.0)).astype(np.float32)


def nearest_items(values: np.ndarray, k: int) -> CSR:
    """Return the k rows of highest cosine similarity to every row, itself included, with the similarities as values.

    Directed; equal similarities go to the lower item. A row of zeros is similar to nothing (0).
    """
    unit = unit_rows(values)
    ids, scores = top_items(unit, unit, [], min(k, len(unit)))
    rows = np.repeat(np.arange(len(unit)), ids.shape[1])
    return edges_to_csr(rows, ids.ravel().astype(np.int64), len(unit), len(unit), scores.ravel())


def item_graph(data: Interactions, name: str, k: int) -> Sparse:
    """Return the normalised graph of nearest items of a modality, kept with the data value and built anew for another.

    S = D^-1/2 W D^-1/2, W the kept similarities and D their row sums; rows and columns whose sum is not positive
    vanish. So do those of items whose features are missing, as those of deleted items are: the mean that stands for
    them would be near to very many.
    """
    return data.memo(f"modality-items/{k}/{name}", lambda: Sparse(symmetric_normalise(_near_known(data, name, k))))


def _near_known(data: Interactions, name: str, k: int) -> CSR:
    """Return the k nearest items of every item, among those whose features are there, by similarity."""
    known = np.flatnonzero(~data.missing[name])
    if not len(known):
        return edges_to_csr(known, known, data.n_items, data.n_items)
    near = nearest_items(data.modalities[name][known], k)
    if len(known) == data.n_items:
        return near
    return edges_to_csr(known[row_ids(near)], known[near.indices], data.n_items, data.n_items, near.values)
