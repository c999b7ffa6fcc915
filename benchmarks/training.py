"""Training: a step of LightGCN, an epoch of a GCN for links."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

import graphforget as gf
from benchmarks.bench import Answer, Bench, Bound, Part, Peer, Work, require_close, times
from benchmarks.inputs import WIDTH, gowalla, interactions, matrix, normal, pairs
from benchmarks.peers.torch import lightgcn as peer_step
from benchmarks.rows import Row, Target
from graphforget._core.memory import keep_freed_memory
from graphforget._core.streams import Streams
from graphforget._core.threads import one_torch_thread
from graphforget.kernels.csr import symmetric_normalise
from graphforget.tasks.recommend_batches import Triples, epoch_triples
from graphforget.training.train import start

LIBRARIES = ("torch", "numba", "numpy")

BATCH, LAYERS, RATE, REG = 2048, 3, 1e-3, 1e-4
GRAPHS = {"dblp": 1.0, "coauthor-cs": 1.6}
"""Graphs whose GCN epoch is measured, and the memory in GB promised for it."""


def stepped(model: Any, losses: list[Callable[[], torch.Tensor]], rate: float) -> Callable[[], None]:
    """Return the call of one step of the training loop: loss, gradient, Adam; the losses take turns."""
    keep_freed_memory()
    optimiser, at = torch.optim.Adam(model.parameters(), lr=rate, fused=True), [0]

    def call() -> None:
        with one_torch_thread():
            optimiser.zero_grad(set_to_none=True)
            losses[at[0] % len(losses)]().backward()
            optimiser.step()
        at[0] += 1

    return call


def lightgcn(inputs: Answer, layers: int, reg: float, lr: float) -> Callable[[], Answer]:
    """One step of LightGCN on given batches; the answer is the gradient of the first batch at the given embeddings."""
    task = gf.Recommendation(interactions(inputs), holdout=0)
    model = start(gf.LightGCN(layers=layers, reg=reg), task, Streams(0))
    n_users = task.graph.n_users
    for table, rows in ((model.users, slice(0, n_users)), (model.items, slice(n_users, None))):
        table.data.copy_(torch.from_numpy(inputs["embeddings"][rows]))
    batches = [
        Triples(*(part - first for part, first in zip(nodes, (0, n_users, n_users), strict=True)))
        for nodes in inputs["batches"]
    ]
    losses = [lambda batch=batch: task.batch_loss(model, task.items(batch), 0) for batch in batches]
    with one_torch_thread():
        losses[0]().backward()
    gradient = torch.cat([model.users.grad, model.items.grad]).numpy().copy()
    step = stepped(model, losses, lr)

    def call() -> Answer:
        step()
        return {"gradient": gradient}

    return call


def same_gradient(ours: Answer, theirs: Answer) -> None:
    """Raise WrongAnswer unless gradients agree within 1e-6 of the largest number."""
    require_close(ours["gradient"], theirs["gradient"], 1e-6, "the gradient")


def autograd_in_float64(inputs: Answer, layers: int, reg: float, lr: float) -> Callable[[Answer], None]:
    """Return the check of our gradient against torch's autograd in float64 within 1e-6 of the largest number.

    On Gowalla 1.5e-7 is reached; so does torch in float32.
    """
    exact = {name: array.astype(np.float64) if array.dtype == np.float32 else array for name, array in inputs.items()}

    def check(ours: Answer) -> None:
        same_gradient(ours, peer_step(exact, layers, reg, lr)())

    return check


def batches_of(data: gf.Interactions, sets: Any, count: int) -> np.ndarray:
    """Return `count` batches of (user, item, other item) in node numbers, (count, 3, batch)."""
    drawn = epoch_triples(data, sets, "edges", "uniform", Streams(0), 0, BATCH)
    size = min(BATCH, len(drawn) // count)
    nodes = np.stack([drawn.users, data.n_users + drawn.items, data.n_users + drawn.others])[:, : count * size]
    return nodes.reshape(3, count, size).transpose(1, 0, 2).astype(np.int64)


def step_inputs(data: gf.Interactions, count: int = 8) -> Answer:
    """Return what all sides train on."""
    task = gf.Recommendation(data, holdout=0)
    embeddings = 0.1 * normal("lightgcn", data.n_nodes, WIDTH)
    batches = batches_of(task.graph, task.chosen, count)
    return {**pairs(data), **matrix(symmetric_normalise(data.csr)), "embeddings": embeddings, "batches": batches}


def without_l2(inputs: Answer, reg: float) -> Callable[[Answer, Answer], None]:
    """Return the check that our gradient without its l2 term is a peer's without its own."""
    nodes = inputs["batches"][0].ravel()
    times_used = np.bincount(nodes, minlength=len(inputs["embeddings"]))
    term = (reg / inputs["batches"].shape[2] * times_used)[:, None] * inputs["embeddings"].astype(np.float64)
    return lambda ours, theirs: same_gradient({"gradient": ours["gradient"] - term}, theirs)


def step_peers(inputs: Answer, reg: float = REG) -> dict[str, Peer]:
    """Return the peers of a step; RecBole's regulariser differs, so gradients are compared without one."""
    options = {"layers": LAYERS, "reg": reg, "lr": RATE}
    return {
        "torch.sparse COO": Peer(
            Part("benchmarks.peers.torch:lightgcn", options, "pyg"),
            None,
            same_gradient,
            "what LightGCN-PyTorch computes; that code has no package",
        ),
        "PyG LightGCN, torch.sparse_csr": Peer(
            Part("benchmarks.peers.pyg:lightgcn", {**options, "sparse": True}, "pyg"),
            Target("ratio", ">=", 4.0),
            same_gradient,
            "its fastest way without torch-sparse, which has no wheel for this torch",
        ),
        "PyG LightGCN, edge_index": Peer(
            Part("benchmarks.peers.pyg:lightgcn", {**options, "sparse": False}, "pyg"), None, same_gradient, slow=True
        ),
        "RecBole LightGCN": Peer(
            Part("benchmarks.peers.recbole:lightgcn", options, "recbole"),
            Target("ratio", ">=", 10.0),
            without_l2(inputs, reg),
            "its l2 term is the un-squared norm; gradients are compared without it",
        ),
    }


def gather_calls(layers: int) -> float:
    """Return how many whole products a step needs: L - 1 forward, L - 1 back, the ends on the batch's rows alone."""
    return 2.0 * (layers - 1)


def run(bench: Bench) -> list[Row]:
    """Measure."""
    data = gowalla(bench.data_dir)
    inputs = step_inputs(data)
    work = Work(
        f"LightGCN step, {LAYERS} layers, batch {BATCH:,}, Adam",
        "ms",
        Part("benchmarks.training:lightgcn", {"layers": LAYERS, "reg": REG, "lr": RATE}),
        times(1e3),
        step_peers(inputs),
        None,
        Bound("4 x the same cache lines", Part("benchmarks.limits:gather", {"width": WIDTH}), gather_calls(LAYERS)),
        check=None if bench.quick else autograd_in_float64(inputs, LAYERS, REG, RATE),
        note="" if bench.quick else "gradients are those of autograd in float64 within 1e-6 of the largest number",
    )
    rows = bench.run("training", work, inputs)
    for name in GRAPHS:
        rows += link_rows(bench, name, slow=name != "dblp")
    return rows


def link_task(name: str, data_dir: str | None) -> gf.LinkPrediction:
    """Return link prediction on a named graph."""
    return gf.LinkPrediction(gf.load(name, data_dir=data_dir), seed=0)


def link_epoch(inputs: Answer, name: str, data_dir: str | None, lr: float) -> Callable[[], Answer]:
    """One epoch of a GCN for links; the answer is the embeddings at the given weights."""
    return link_epoch_on(link_task(name, data_dir), inputs, lr)


def link_epoch_on(task: gf.LinkPrediction, inputs: Answer, lr: float) -> Callable[[], Answer]:
    """The same on a task."""
    model = start(gf.GCN(hidden=inputs["weight1"].shape[1], out=inputs["weight2"].shape[1]), task, Streams(0))
    for weight in ("weight1", "weight2"):
        _weight_like(model, inputs[weight].shape).data.copy_(torch.from_numpy(inputs[weight]))
    z, at = model.embed(task.graph).numpy().copy(), [0]

    def loss() -> torch.Tensor:
        at[0] += 1
        return task.steps(model, Streams(0), at[0], None)[0]()

    step = stepped(model, [loss], lr)

    def call() -> Answer:
        step()
        return {"z": z}

    return call


def _weight_like(model: torch.nn.Module, shape: tuple[int, ...]) -> torch.nn.Parameter:
    return next(value for value in model.parameters() if tuple(value.shape) == shape)


def link_inputs(task: gf.LinkPrediction, hidden: int = 128, out: int = 64) -> Answer:
    """Return what both sides train on: training edges both ways, sparse features, first weights."""
    graph = task.graph
    features = graph.feature_matrix.csr
    rows = np.repeat(np.arange(features.n_rows), np.diff(features.indptr))
    return {
        **matrix(graph.csr),
        "shape": np.array([graph.n_nodes, graph.n_features]),
        "feature_rows": rows,
        "feature_columns": features.indices,
        "feature_values": features.values,
        "weight1": 0.05 * normal("link-1", graph.n_features, hidden),
        "weight2": 0.05 * normal("link-2", hidden, out),
    }


def same_embeddings(ours: Answer, theirs: Answer) -> None:
    """Raise WrongAnswer unless the embeddings at equal weights agree."""
    require_close(ours["z"], theirs["z"], 1e-5, "the embeddings")


def link_peers() -> dict[str, Peer]:
    """Return PyG's GCN as it is used, and in its fastest way."""
    return {
        "PyG GCN, dense features": Peer(
            Part("benchmarks.peers.pyg:link_epoch", {"lr": RATE}, "pyg"),
            Target("ratio", ">=", 8.0),
            same_embeddings,
            "GCNConv on dense features, the same two layers, loss and number of negatives",
        ),
        "PyG GCN, sparse features, torch.sparse_csr": Peer(
            Part("benchmarks.peers.pyg:link_epoch", {"lr": RATE, "sparse": True}, "pyg"),
            None,
            same_embeddings,
            "the same on sparse features and an adjacency that is normalised once",
            slow=True,
        ),
    }


def link_rows(bench: Bench, name: str, slow: bool = False) -> list[Row]:
    """Measure the epoch of a graph."""
    inputs = None if bench.quick and slow else link_inputs(link_task(name, _text(bench.data_dir)))
    work = Work(
        f"GCN link-prediction epoch, {name}",
        "ms",
        Part("benchmarks.training:link_epoch", {"name": name, "data_dir": _text(bench.data_dir), "lr": RATE}),
        times(1e3),
        link_peers(),
        memory=Target("value", "<=", GRAPHS[name]),
        slow=slow,
    )
    return bench.run("training", work, inputs)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path)
