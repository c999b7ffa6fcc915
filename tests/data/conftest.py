"""Small values and files for the data tests, and the script that writes the samples."""

from __future__ import annotations

import importlib.machinery
import importlib.util
import pickle
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse as sp

from graphforget.data.graph import Graph

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def generator():
    """The script that writes the samples, as a module."""
    loader = importlib.machinery.SourceFileLoader("make_sample", str(ROOT / "scripts" / "make_sample"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("make_sample", loader))
    loader.exec_module(module)
    return module


@pytest.fixture
def four() -> Graph:
    """A path a - b - c and d - b, with features, labels, ids and a split: every part is filled."""
    return Graph.build(
        n_nodes=4,
        edges=np.array([[0, 1, 3], [1, 2, 1]]),
        features=np.array([[1, 0, 2], [0, 0, 0], [0.5, 0, 0], [0, 3, 0]], dtype=np.float32),
        labels=np.array([0, 1, 1, -1]),
        ids=np.array([10, 20, 30, 40]),
        masks={"train": np.array([1, 1, 0, 0]), "test": np.array([0, 0, 1, 0])},
        name="four",
    )


@pytest.fixture
def planetoid_files(tmp_path):
    """Write Planetoid files: 510 nodes (3 to train on), test nodes 510, 513, 511 (512 is skipped), 5 words."""

    def write(name: str = "citeseer", protocol: int = 2) -> list[Path]:
        folder = tmp_path / "raw"
        folder.mkdir(exist_ok=True)
        rng = np.random.default_rng(3)
        words = (rng.random((513, 5)) < 0.5).astype(np.float32)
        onehot = np.eye(3, dtype=np.int32)[rng.integers(0, 3, 513)]
        near = {0: [1, 2, 2], 1: [0], 2: [0, 0, 3], 3: [2, 3], 4: [513], 5: [], 510: [511], 511: [510], 513: [4]}
        near = defaultdict(list, near)
        parts = {"x": words[:3], "allx": words[:510], "tx": words[510:]}
        parts = {key: sp.csr_matrix(value) for key, value in parts.items()}
        parts |= {"y": onehot[:3], "ally": onehot[:510], "ty": onehot[510:], "graph": near}
        for key, value in parts.items():
            (folder / f"ind.{name}.{key}").write_bytes(pickle.dumps(value, protocol=protocol))
        (folder / f"ind.{name}.test.index").write_text("510\n513\n511\n")
        return sorted(folder.iterdir())

    return write
