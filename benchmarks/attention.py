"""Attention over edges: a softmax per node, fused with the weighted sum; forward and backward."""

from __future__ import annotations

from collections.abc import Callable

import torch

from benchmarks.bench import Answer, Bench, Bound, Part, Peer, Work, require_close, times
from benchmarks.inputs import WIDTH, gowalla, matrix, normal
from benchmarks.propagation import csr_of
from benchmarks.rows import Row, Target
from graphforget.kernels.edge_softmax import attention
from graphforget.kernels.propagate import Sparse

LIBRARIES = ("numba", "numpy", "torch")

NAMES = ("x", "left", "right")


def fused(inputs: Answer) -> Callable[[], Answer]:
    """Attend once, forward and backward."""
    structure = Sparse(csr_of(inputs))
    x, left, right = (torch.from_numpy(inputs[name]).requires_grad_() for name in NAMES)
    upstream = torch.from_numpy(inputs["upstream"])

    def call() -> Answer:
        out = attention(structure, x.unsqueeze(1), left.unsqueeze(1), right.unsqueeze(1)).squeeze(1)
        grads = torch.autograd.grad(out, (x, left, right), upstream)
        found = zip(NAMES, grads, strict=True)
        return {"out": out.detach().numpy(), **{f"d_{name}": grad.numpy() for name, grad in found}}

    return call


def same_gradients(ours: Answer, theirs: Answer) -> None:
    """Raise WrongAnswer unless outputs and gradients agree to float32."""
    for name in ("out", *(f"d_{name}" for name in NAMES)):
        require_close(ours[name], theirs[name], 1e-4, name)


def peers() -> dict[str, Peer]:
    """Return those that attend over edges."""
    return {
        "PyG softmax and scatter": Peer(
            Part("benchmarks.peers.pyg:attention", {}, "pyg"), Target("ratio", ">=", 20.0), same_gradients
        ),
        "DGL edge_softmax and update_all": Peer(
            Part("benchmarks.peers.dgl:attention", {}, "dgl"), None, same_gradients
        ),
    }


def inputs_of(csr: object) -> Answer:
    """Return what all sides attend over: a structure, one head of 64, and what comes from above."""
    n = csr.n_rows
    shapes = {"x": (n, WIDTH), "left": (n,), "right": (n,), "upstream": (n, WIDTH)}
    return {**matrix(csr), **{name: normal(f"attention-{name}", *shape) for name, shape in shapes.items()}}


def run(bench: Bench) -> list[Row]:
    """Measure."""
    data = gowalla(bench.data_dir)
    work = Work(
        "edge softmax, forward and backward",
        "ms",
        Part("benchmarks.attention:fused"),
        times(1e3),
        peers(),
        None,
        Bound("3 x the same cache lines", Part("benchmarks.limits:gather", {"width": WIDTH}), 3.0),
    )
    return bench.run("attention", work, inputs_of(data.csr))
