"""What tests of several folders share: small graphs, trained models, byte comparisons, the public data."""

from __future__ import annotations

import hashlib
import importlib.util
import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType
from typing import Any

import numba
import numpy as np
import pytest
import scipy.sparse as sp
import torch

from graphforget.data.graph import Graph
from graphforget.models.base import Model
from graphforget.tasks.base import Forgotten, Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification

os.environ["GRAPHFORGET_DEVICE"] = "cpu"  # bytes are compared: a GPU takes part where a test names it alone
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    # Of a shell that started the tests in the background; the commands they interrupt would ignore it, too.
    signal.signal(signal.SIGINT, signal.default_int_handler)
ROOT = Path(__file__).resolve().parents[1]


def _random_edges(n: int, count: int, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return `count` edges, three quarters of them within a class as far as there are such pairs."""
    u, v = np.triu_indices(n, 1)
    order = np.lexsort((rng.random(len(u)), rng.random(len(u)) < 0.25, labels[u] != labels[v]))
    within = order[: min(3 * count // 4, int((labels[u] == labels[v]).sum()))]
    others = rng.choice(np.setdiff1d(np.arange(len(u)), within), count - len(within), replace=False)
    chosen = np.concatenate([within, others])
    return np.stack([u[chosen], v[chosen]])


def _random_graph(
    n: int = 40,
    n_edges: int = 130,
    n_features: int = 10,
    n_classes: int = 3,
    seed: int = 0,
    dense: bool = False,
    **fields: Any,
) -> Graph:
    rng = np.random.default_rng(seed)
    labels = rng.integers(0, n_classes, n)
    features = rng.random((n, n_features)).astype(np.float32)
    features[np.arange(n), labels] += 1.0
    if not dense:
        features *= rng.random(features.shape) < 0.2
        features[np.arange(n), labels] = 1.0
    values = features if dense else sp.csr_array(features)
    return Graph.build(n, _random_edges(n, n_edges, labels, rng), values, labels, name="random", **fields)


def _weights(model: torch.nn.Module) -> bytes:
    return b"".join(
        key.encode() + value.detach().cpu().contiguous().numpy().tobytes() for key, value in model.state_dict().items()
    )


def _sha(*arrays: Any) -> str:
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(b"-" if array is None else np.ascontiguousarray(array).tobytes())
    return sha.hexdigest()


def _graph_bytes(graph: Graph) -> str:
    x = graph.features
    parts = [x] if x is None or isinstance(x, np.ndarray) else [x.indptr, x.indices, x.data]
    return _sha(graph.edges, graph.labels, *parts)


def _task_bytes(task: Task) -> tuple[str, str]:
    if isinstance(task, LinkPrediction):
        split = task.split
        return _graph_bytes(task.graph), _sha(split.val, split.val_negatives, split.test, split.test_negatives)
    assert isinstance(task, NodeClassification)
    return _graph_bytes(task.graph), _sha(task.train_nodes, task.val_nodes, task.test_nodes)


def _gone_bytes(gone: Forgotten) -> str:
    return _sha(*(value for value in vars(gone).values() if isinstance(value, np.ndarray)))


def _with_threads(count: int, compute: Callable[[], Any]) -> Any:
    before, torch_before = numba.get_num_threads(), torch.get_num_threads()
    numba.set_num_threads(count)
    torch.set_num_threads(count)
    try:
        return compute()
    finally:
        numba.set_num_threads(before)
        torch.set_num_threads(torch_before)


@pytest.fixture(scope="session", autouse=True)
def one_thread() -> None:
    """Small arrays are fastest on one thread; tests about threads set their number themselves."""
    numba.set_num_threads(1)


@pytest.fixture(scope="session")
def random_attributed_graph() -> Callable[..., Graph]:
    """Build a small graph (n, n_edges, n_features, n_classes, seed, dense, fields of Graph.build)."""
    return _random_graph


@pytest.fixture(scope="session")
def weights() -> Callable[[Model], bytes]:
    """All parameters and buffers of a model as bytes, names included."""
    return _weights


@pytest.fixture(scope="session")
def content() -> Callable[[Any], Any]:
    """A digest of everything a graph, a task or a resolved deletion holds, read anew from its arrays."""

    def digest(value: Any) -> Any:
        if isinstance(value, Graph):
            return _graph_bytes(value)
        return _gone_bytes(value) if isinstance(value, Forgotten) else _task_bytes(value)

    return digest


@pytest.fixture(scope="session")
def with_threads() -> Callable[[int, Callable[[], Any]], Any]:
    """Call a function with so many numba and torch threads."""
    if numba.config.NUMBA_NUM_THREADS < 2:
        pytest.skip("numba has one thread here ($NUMBA_NUM_THREADS): two cannot be compared with one")
    return _with_threads


@pytest.fixture(scope="session")
def data_dir() -> Path:
    """The folder of public data sets; the test is skipped without one."""
    named = os.environ.get("GRAPHFORGET_DATA")
    folder = Path(named) if named else ROOT.parent / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"no public data: neither $GRAPHFORGET_DATA nor {folder} is a folder")
    return folder


def _module_at(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"tests_{path.parent.name}_{path.stem}", path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def module_at() -> Callable[[Path], ModuleType]:
    """`module_at(path)`: a file beside the tests as a module, to run here what others start as a process."""
    return _module_at


@pytest.fixture
def uniform_trials(monkeypatch) -> None:
    """Draw what `tune` tries uniformly, without optuna; `test_tuning_sampler` has optuna's."""

    def draw(axes, told, stream):
        del told
        return {axis.name: axis.value(float(u)) for axis, u in zip(axes, stream.uniform(len(axes)), strict=True)}

    monkeypatch.setattr("graphforget.experiments.tuning.suggested", draw)
    monkeypatch.setattr("graphforget.experiments.tuning.optuna", lambda: None)
