"""torch alone: sparse products, blocked ranking, and LightGCN's step as its authors' PyTorch code computes it.

That code has no package; what is measured is the same computation written anew on `torch.sparse`.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch

LIBRARIES = ("torch",)

Answer = dict[str, np.ndarray]


def _csr(inputs: Answer, index: torch.dtype) -> torch.Tensor:
    n = len(inputs["indptr"]) - 1
    indptr, indices = (torch.from_numpy(inputs[name]).to(index) for name in ("indptr", "indices"))
    values = torch.from_numpy(inputs["values"])
    return torch.sparse_csr_tensor(indptr, indices, values, size=(n, n), check_invariants=False)


def _coo(inputs: Answer) -> torch.Tensor:
    return _csr(inputs, torch.int64).to_sparse_coo().coalesce()


def csr_product(inputs: Answer) -> Callable[[], Answer]:
    """Multiply in CSR with int32 indices."""
    matrix, x = _csr(inputs, torch.int32), torch.from_numpy(inputs["x"])
    return lambda: {"product": (matrix @ x).numpy()}


def coo_product(inputs: Answer) -> Callable[[], Answer]:
    """Multiply in COO."""
    matrix, x = _coo(inputs), torch.from_numpy(inputs["x"])
    return lambda: {"product": torch.sparse.mm(matrix, x).numpy()}


def ranked(inputs: Answer, k: int, block: int) -> Callable[[], Answer]:
    """Score blocks of users against all items, mask and take the best."""
    users, items = torch.from_numpy(inputs["users"]), torch.from_numpy(inputs["items"])
    indptr, indices = inputs["train_indptr"], torch.from_numpy(inputs["train_indices"].astype(np.int64))
    lengths = torch.from_numpy(np.diff(indptr))

    def call() -> Answer:
        found = []
        for first in range(0, len(users), block):
            scores = users[first : first + block] @ items.T
            rows = torch.repeat_interleave(torch.arange(len(scores)), lengths[first : first + block])
            scores[rows, indices[indptr[first] : indptr[min(first + block, len(users))]]] = -torch.inf
            found.append(scores.topk(k, dim=1).indices)
        return {"ids": torch.cat(found).numpy()}

    return call


def lightgcn(inputs: Answer, layers: int, reg: float, lr: float) -> Callable[[], Answer]:
    """One step: COO products, the mean of the layers, BPR and l2 on the batch, backward, Adam as it comes.

    Batches are walked one after the other; each answer is the gradient of the first batch at the given embeddings.
    """
    matrix, start = _coo(inputs), torch.from_numpy(inputs["embeddings"])
    table = torch.nn.Parameter(start.clone())
    optimiser = torch.optim.Adam([table], lr=lr)
    batches = torch.from_numpy(inputs["batches"]).long()

    def loss(batch: torch.Tensor) -> torch.Tensor:
        found = [table]
        for _ in range(layers):
            found.append(torch.sparse.mm(matrix, found[-1]))
        z = torch.stack(found).mean(dim=0)
        user, item, other = (z.index_select(0, nodes) for nodes in batch)
        ranking = torch.nn.functional.softplus((user * other).sum(1) - (user * item).sum(1)).mean()
        return ranking + reg / 2 * sum(table.index_select(0, nodes).square().sum() for nodes in batch) / batch.shape[1]

    return stepping(table, optimiser, batches, loss)


def stepping(
    table: torch.nn.Parameter,
    optimiser: torch.optim.Optimizer,
    batches: torch.Tensor,
    loss: Callable[[torch.Tensor], torch.Tensor],
) -> Callable[[], Answer]:
    """Return the call of a step; its answer is the gradient at the start, from the first call."""
    state = {"step": 0, "gradient": None}

    def call() -> Answer:
        optimiser.zero_grad()
        loss(batches[state["step"] % len(batches)]).backward()
        if state["gradient"] is None:
            state["gradient"] = table.grad.numpy().copy()
        optimiser.step()
        state["step"] += 1
        return {"gradient": state["gradient"]}

    return call
