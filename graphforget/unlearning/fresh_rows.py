"""Rows of embedding tables that nothing retained speaks of go back to where training started."""

from __future__ import annotations

import numpy as np
import torch

from graphforget._core.errors import UnsupportedError
from graphforget._core.streams import Streams
from graphforget.models.base import Model
from graphforget.models.edited import under_operators
from graphforget.models.recommender import Recommender
from graphforget.tasks.base import Forgotten, Task
from graphforget.unlearning.embedding_rows import EmbeddingRows


def loose_nodes(retained: Task, gone: Forgotten) -> np.ndarray:
    """Return the users and items of forgotten pairs that no retained training pair names, sorted."""
    return np.setdiff1d(gone.items, retained.graph.edges)


def renew_rows(model: Model, nodes: np.ndarray, n_users: int, streams: Streams) -> None:
    """Draw, in place, the embedding rows of some nodes anew, as the streams started them.

    With the original's seed these are the rows that gold starts from and, where no loss ever names them, ends with.

    Raises UnsupportedError for a model that is no recommender of the zoo.
    """
    if not len(nodes):
        return
    base = under_operators(model)
    if not isinstance(base, Recommender):
        raise UnsupportedError(
            f"A {type(base).__name__} has no embedding rows of its own to draw anew. Use reset=false, or the method "
            "on a single recommender."
        )
    tables, fresh = dict(base.named_parameters()), dict(base.fresh(streams).named_parameters())
    with torch.no_grad():
        for name, rows in EmbeddingRows(base, nodes, n_users).rows.items():
            tables[name][rows] = fresh[name][rows].to(tables[name])
