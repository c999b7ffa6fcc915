"""The data that the sides get, as plain arrays by name."""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path

import numpy as np

import graphforget as gf
from graphforget._core.files import atomic_write
from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.kernels.csr import CSR, edges_to_csr

WIDTH = 64
EPOCHS = 12
TRAINING = {"epochs": EPOCHS, "validate_every": EPOCHS, "selection": "last", "batch": 8192, "lr": 4e-3}
"""How the embeddings that stand for trained ones are made, by LightGCN's published recipe but for the batch, which is
four times as large, and the rate: that takes about a minute."""


@cache
def gowalla(data_dir: Path | None) -> Interactions:
    """Return Gowalla in LightGCN's split."""
    return gf.load("gowalla", data_dir=data_dir)


def pairs(data: Interactions) -> dict[str, np.ndarray]:
    """Return training and test pairs as rows of columns."""
    sizes = np.array([data.n_users, data.n_items])
    return {"sizes": sizes, **_rows("train", data.train), **_rows("test", data.test)}


def _rows(name: str, csr: CSR) -> dict[str, np.ndarray]:
    return {f"{name}_indptr": csr.indptr, f"{name}_indices": csr.indices}


def part(inputs: dict[str, np.ndarray], name: str) -> CSR:
    """Return "train" or "test" from the arrays of `pairs`."""
    indptr, indices = inputs[f"{name}_indptr"], inputs[f"{name}_indices"]
    return CSR(indptr, indices, np.ones(len(indices), np.float32), int(inputs["sizes"][1]))


def interactions(inputs: dict[str, np.ndarray]) -> Interactions:
    """Return the data from the arrays of `pairs`."""
    n_users, n_items = (int(size) for size in inputs["sizes"])
    parts = (part(inputs, name) for name in ("train", "test"))
    train, test = (np.stack([np.repeat(np.arange(n_users), np.diff(p.indptr)), p.indices]) for p in parts)
    return Interactions.build(n_users, n_items, train, test=test, name="bench")


def matrix(csr: CSR) -> dict[str, np.ndarray]:
    """Return a sparse matrix as arrays."""
    return {"indptr": csr.indptr, "indices": csr.indices, "values": csr.values}


def normal(name: str, *shape: int) -> np.ndarray:
    """Return float32 numbers from N(0, 1), always the same for a name."""
    return Streams(0)(f"bench-{name}").numpy().standard_normal(shape, np.float32)


def power_law(n_users: int, n_items: int, count: int, seed: int = 0) -> Interactions:
    """Return synthetic interactions: items by a Zipf law (exponent 0.8), users log-normal, as Gowalla's look.

    `count` pairs are drawn; repeats are merged, so that a few per cent fewer are left.
    """
    rng = Streams(seed)("bench-power-law").numpy()
    weights = np.cumsum(1.0 / np.arange(1, n_items + 1) ** 0.8)
    active = np.cumsum(rng.lognormal(0.0, 1.0, n_users))
    users = np.searchsorted(active, rng.random(count) * active[-1])
    items = np.searchsorted(weights, rng.random(count) * weights[-1])
    keys = np.unique(users * np.int64(n_items) + rng.permutation(n_items)[items])
    train = np.stack([keys // n_items, keys % n_items])
    every = np.arange(len(keys)) % 10 == 0
    return Interactions.build(n_users, n_items, train[:, ~every], test=train[:, every], name=f"power law, {count:,}")


def random_rows(n_rows: int, n_cols: int, degree: int) -> CSR:
    """Return a matrix whose rows hold `degree` random columns each."""
    rng = Streams(degree)("bench-rows").numpy()
    columns = np.concatenate([np.sort(rng.choice(n_cols, degree, replace=False)) for _ in range(n_rows)])
    return edges_to_csr(np.repeat(np.arange(n_rows), degree), columns, n_rows, n_cols)


def trained(data: Interactions, cache_folder: Path, make: bool) -> np.ndarray | None:
    """Return LightGCN's (n_nodes, 64) embeddings of Gowalla after `TRAINING`, kept in a folder between runs.

    Without `make` only kept ones are returned, else None.
    """
    words = "-".join(f"{name}-{value}" for name, value in TRAINING.items())
    path = cache_folder / f"lightgcn-{words}-{data.digest[:12]}.npy"
    if not path.exists() and make:
        task = gf.Recommendation(data, select_on="test", sampler="users")
        print(f"training embeddings of {data.name}, kept in {path} (a minute or two the first time)", file=sys.stderr)
        z = gf.train(gf.LightGCN(), task, seed=0, **TRAINING).embed(task.graph).numpy()
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, _npy(z))
    return np.load(path) if path.exists() else None


def _npy(array: np.ndarray) -> bytes:
    from io import BytesIO

    buffer = BytesIO()
    np.save(buffer, array)
    return buffer.getvalue()
