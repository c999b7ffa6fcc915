"""DGL: attention over edges."""

from __future__ import annotations

import os
from collections.abc import Callable

import numpy as np
import torch

os.environ.setdefault("DGLBACKEND", "pytorch")

import dgl  # noqa: E402  (reads the variable above when imported)
from dgl import function as fn  # noqa: E402
from dgl.nn.functional import edge_softmax  # noqa: E402

LIBRARIES = ("dgl", "torch")

Answer = dict[str, np.ndarray]


def attention(inputs: Answer) -> Callable[[], Answer]:
    """Attend over the edges, forward and backward."""
    n = len(inputs["x"])
    target = np.repeat(np.arange(n), np.diff(inputs["indptr"]))
    graph = dgl.graph((torch.from_numpy(inputs["indices"]).long(), torch.from_numpy(target)), num_nodes=n)
    graph.create_formats_()
    x, left, right = (torch.from_numpy(inputs[name]).requires_grad_() for name in ("x", "left", "right"))
    upstream = torch.from_numpy(inputs["upstream"])

    def call() -> Answer:
        with graph.local_scope():
            graph.ndata.update(x=x, left=left.unsqueeze(1), right=right.unsqueeze(1))
            graph.apply_edges(fn.v_add_u("left", "right", "logit"))
            logits = torch.nn.functional.leaky_relu(graph.edata["logit"], 0.2)
            graph.edata["a"] = edge_softmax(graph, logits)
            graph.update_all(fn.u_mul_e("x", "a", "m"), fn.sum("m", "out"))
            out = graph.ndata["out"]
        grads = torch.autograd.grad(out, (x, left, right), upstream)
        found = zip(("d_x", "d_left", "d_right"), grads, strict=True)
        return {"out": out.detach().numpy(), **{name: grad.numpy() for name, grad in found}}

    return call
