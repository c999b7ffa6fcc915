"""implicit: lists and metrics from given factors."""

from __future__ import annotations

from collections.abc import Callable

import implicit
import numpy as np
import scipy.sparse
from implicit.cpu.als import AlternatingLeastSquares
from implicit.evaluation import ranking_metrics_at_k

LIBRARIES = ("implicit", "scipy")

Answer = dict[str, np.ndarray]

assert implicit.__name__ == "implicit"


def _part(inputs: Answer, name: str) -> scipy.sparse.csr_matrix:
    indices, indptr = inputs[f"{name}_indices"], inputs[f"{name}_indptr"].astype(np.int32)
    ones = np.ones(len(indices), np.float32)
    return scipy.sparse.csr_matrix((ones, indices, indptr), shape=tuple(inputs["sizes"]))


def _model(inputs: Answer, threads: int) -> AlternatingLeastSquares:
    model = AlternatingLeastSquares(factors=inputs["users"].shape[1], num_threads=threads)
    model.user_factors, model.item_factors = inputs["users"], inputs["items"]
    return model


def metrics(inputs: Answer, k: int, threads: int) -> Callable[[], Answer]:
    """Measure the lists of all users."""
    model, train, test = _model(inputs, threads), _part(inputs, "train"), _part(inputs, "test")

    def call() -> Answer:
        found = ranking_metrics_at_k(model, train, test, K=k, show_progress=False, num_threads=threads)
        return {name: np.array(value) for name, value in found.items()}

    return call


def recommend(inputs: Answer, k: int, threads: int) -> Callable[[], Answer]:
    """Make the lists of all users."""
    model, train = _model(inputs, threads), _part(inputs, "train")
    users = np.arange(train.shape[0])
    return lambda: {"ids": model.recommend(users, train, N=k, filter_already_liked_items=True)[0]}
