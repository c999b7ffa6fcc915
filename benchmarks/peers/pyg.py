"""PyG: negative sampling, attention, LightGCN's step, and a GCN for links."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits, leaky_relu
from torch_geometric.nn import GCNConv
from torch_geometric.nn.conv.gcn_conv import gcn_norm
from torch_geometric.nn.models import LightGCN
from torch_geometric.utils import negative_sampling, scatter, softmax, structured_negative_sampling

from benchmarks.peers.torch import _csr, stepping

LIBRARIES = ("torch-geometric", "torch")

Answer = dict[str, np.ndarray]


def _pairs(inputs: Answer, users: int | None = None) -> torch.Tensor:
    indptr = inputs["train_indptr"][: None if users is None else users + 1]
    rows = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    return torch.from_numpy(np.stack([rows, inputs["train_indices"][: indptr[-1]]]).astype(np.int64))


def structured_negatives(inputs: Answer, users: int | None = None) -> Callable[[], Answer]:
    """Draw an item outside the user's set for every training pair, of the first `users` users where they are given."""
    pairs, n_items = _pairs(inputs, users), int(inputs["sizes"][1])

    def call() -> Answer:
        users, items, others = structured_negative_sampling(pairs, num_nodes=n_items)
        return {"users": users.numpy(), "items": items.numpy(), "negatives": others.numpy()}

    return call


def negative_pairs(inputs: Answer) -> Callable[[], Answer]:
    """Draw as many pairs without a training pair."""
    pairs, sizes = _pairs(inputs), tuple(int(size) for size in inputs["sizes"])
    return lambda: {"pairs": negative_sampling(pairs, sizes, pairs.shape[1]).numpy()}


def _edges(inputs: Answer) -> torch.Tensor:
    """Return the entries of the matrix as (source, target): row i of the matrix is what node i receives."""
    targets = np.repeat(np.arange(len(inputs["indptr"]) - 1), np.diff(inputs["indptr"]))
    return torch.from_numpy(np.stack([inputs["indices"], targets]).astype(np.int64))


def attention(inputs: Answer) -> Callable[[], Answer]:
    """Attend over the edges, forward and backward."""
    source, target = _edges(inputs)
    x, left, right = (torch.from_numpy(inputs[name]).requires_grad_() for name in ("x", "left", "right"))
    upstream, n = torch.from_numpy(inputs["upstream"]), len(inputs["x"])

    def call() -> Answer:
        logits = leaky_relu(left[target] + right[source], 0.2)
        weights = softmax(logits, target, num_nodes=n)
        out = scatter(weights.unsqueeze(1) * x[source], target, dim=0, dim_size=n, reduce="sum")
        grads = torch.autograd.grad(out, (x, left, right), upstream)
        found = zip(("d_x", "d_left", "d_right"), grads, strict=True)
        return {"out": out.detach().numpy(), **{name: grad.numpy() for name, grad in found}}

    return call


def lightgcn(inputs: Answer, layers: int, reg: float, lr: float, sparse: bool) -> Callable[[], Answer]:
    """One step of PyG's LightGCN with Adam, by edge_index or by a torch.sparse CSR adjacency.

    Its convolutions would normalise in every forward pass; here they are given the normalised values.
    """
    n, width = inputs["embeddings"].shape
    model = LightGCN(n, width, layers, normalize=False)
    start = torch.from_numpy(inputs["embeddings"])
    model.embedding.weight.data.copy_(start)
    adjacency, weights = _csr(inputs, torch.int64) if sparse else _edges(inputs), None
    if not sparse:
        weights = torch.from_numpy(inputs["values"])
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    batches = torch.from_numpy(inputs["batches"]).long()

    def loss(batch: torch.Tensor) -> torch.Tensor:
        users, items, others = batch
        labels = torch.stack([torch.cat([users, users]), torch.cat([items, others])])
        positive, negative = model(adjacency, labels, edge_weight=weights).chunk(2)
        # Its regulariser is lambda times the squared norm over the batch; ours, as the authors', takes half of it.
        return model.recommendation_loss(positive, negative, node_id=batch.reshape(-1), lambda_reg=reg / 2)

    return stepping(model.embedding.weight, optimiser, batches, loss)


class _LinkGCN(torch.nn.Module):
    def __init__(self, inputs: Answer, normalize: bool) -> None:
        super().__init__()
        (n_in, hidden), out = inputs["weight1"].shape, inputs["weight2"].shape[1]
        self.first, self.second = GCNConv(n_in, hidden, normalize=normalize), GCNConv(hidden, out, normalize=normalize)
        for layer, name in ((self.first, "weight1"), (self.second, "weight2")):
            layer.lin.weight.data.copy_(torch.from_numpy(inputs[name]).T)

    def forward(self, x: torch.Tensor, adjacency: torch.Tensor) -> torch.Tensor:
        return self.second(self.first(x, adjacency).relu(), adjacency)


def _features(inputs: Answer) -> torch.Tensor:
    """Return the node features as a coalesced sparse matrix."""
    at = torch.from_numpy(np.stack([inputs["feature_rows"], inputs["feature_columns"]]).astype(np.int64))
    shape = tuple(int(size) for size in inputs["shape"])
    values = torch.from_numpy(inputs["feature_values"])
    return torch.sparse_coo_tensor(at, values, shape, check_invariants=False).coalesce()


def _normalised(edges: torch.Tensor, n: int) -> torch.Tensor:
    """Return the adjacency that GCNConv makes of the edges in every forward pass, as torch.sparse CSR."""
    (source, target), values = gcn_norm(edges, None, n)
    found = torch.sparse_coo_tensor(torch.stack([target, source]), values, (n, n), check_invariants=False)
    return found.coalesce().to_sparse_csr()


def link_epoch(inputs: Answer, lr: float, sparse: bool = False) -> Callable[[], Answer]:
    """One full-batch epoch of link prediction: two GCNConv, fresh negatives, Adam.

    The features are dense and edges given by edge_index; or all is `sparse`, and the adjacency normalised once. The
    answer is the embeddings at the given weights, from before the first step.
    """
    model, edges, x = _LinkGCN(inputs, normalize=not sparse), _edges(inputs), _features(inputs)
    adjacency = _normalised(edges, len(x)) if sparse else edges
    x = x.to_sparse_csr() if sparse else x.to_dense()
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    with torch.no_grad():
        start = model(x, adjacency).numpy()

    def call() -> Answer:
        optimiser.zero_grad()
        z = model(x, adjacency)
        drawn = negative_sampling(edges, len(x), edges.shape[1])
        pairs = torch.cat([edges, drawn], dim=1)
        scores = (z[pairs[0]] * z[pairs[1]]).sum(dim=1)
        targets = torch.cat([torch.ones(edges.shape[1]), torch.zeros(drawn.shape[1])])
        binary_cross_entropy_with_logits(scores, targets).backward()
        optimiser.step()
        return {"z": start}

    return call
