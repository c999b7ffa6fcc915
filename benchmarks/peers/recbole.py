"""RecBole: its sampler, training dataloader, evaluation, adjacency and LightGCN step."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch
from recbole.config import Config
from recbole.data import create_dataset, data_preparation
from recbole.data.interaction import Interaction
from recbole.model.general_recommender import LightGCN
from recbole.trainer import Trainer

from benchmarks.peers.torch import stepping

LIBRARIES = ("recbole", "torch", "numpy", "scipy")

Answer = dict[str, np.ndarray]

SETTINGS = {
    "USER_ID_FIELD": "user",
    "ITEM_ID_FIELD": "item",
    "load_col": {"inter": ["user", "item"]},
    "benchmark_filename": ["train", "valid", "test"],
    "eval_args": {"split": {"LS": "valid_and_test"}, "order": "RO", "group_by": "user", "mode": "full"},
    "metrics": ["Recall", "NDCG"],
    "valid_metric": "NDCG@20",
    "metric_decimal_place": 8,
    "use_gpu": False,
    "show_progress": False,
    "state": "ERROR",
    "seed": 0,
    "reproducibility": False,
}


class _Data:
    """The data in RecBole's own numbers, its dataloaders, and how the numbers correspond."""

    def __init__(self, inputs: Answer, **settings: Any) -> None:
        folder = Path(tempfile.mkdtemp(prefix="recbole-", dir="."))
        _write(inputs, folder / "bench")
        place = {"data_path": str(folder), "checkpoint_dir": str(folder / "saved")}
        self.config = Config("LightGCN", "bench", config_dict={**SETTINGS, **settings, **place})
        self.dataset = create_dataset(self.config)
        self.train, _, self.test = data_preparation(self.config, self.dataset)
        self.users, self.items = (self._tokens(field) for field in ("user", "item"))

    def _tokens(self, field: str) -> np.ndarray:
        """Return our number of each of RecBole's; its number 0 stands for nothing and becomes -1."""
        return np.array([-1, *(int(token) for token in self.dataset.field2id_token[field][1:])])

    def table(self, rows: np.ndarray, numbers: np.ndarray) -> torch.Tensor:
        """Return embeddings in RecBole's order; nothing has zeros."""
        found = torch.from_numpy(rows[numbers])
        found[0] = 0
        return found


def _write(inputs: Answer, folder: Path) -> None:
    folder.mkdir()
    for name in ("train", "test"):
        _write_part(folder / f"bench.{name}.inter", inputs[f"{name}_indptr"], inputs[f"{name}_indices"])
    # It asks for a validation part: one training pair, which changes nothing.
    _write_part(folder / "bench.valid.inter", np.minimum(inputs["train_indptr"], 1), inputs["train_indices"][:1])


def _write_part(path: Path, indptr: np.ndarray, indices: np.ndarray) -> None:
    users = np.repeat(np.arange(len(indptr) - 1), np.diff(indptr))
    lines = (f"{user}\t{item}" for user, item in zip(users.tolist(), indices.tolist(), strict=True))
    path.write_text("user:token\titem:token\n" + "\n".join(lines) + "\n")


def _backwards(numbers: np.ndarray) -> np.ndarray:
    """Return RecBole's number of each of ours; 0 where it knows none."""
    found = np.zeros(numbers.max() + 1, np.int64)
    found[numbers[1:]] = np.arange(1, len(numbers))
    return found


def negatives(inputs: Answer, count: int) -> Callable[[], Answer]:
    """Draw one item outside the user's set for each of the first `count` entries of `rows`."""
    data = _Data(inputs)
    users = _backwards(data.users)[inputs["rows"][:count]]
    sampler, items = data.train._sampler, np.zeros(len(users), np.int64)
    return lambda: {"negatives": data.items[sampler.sample_by_user_ids(users, items, 1).numpy()]}


def epoch(inputs: Answer, batch: int) -> Callable[[], Answer]:
    """Walk the training dataloader once."""
    data = _Data(inputs, train_batch_size=batch)

    def call() -> Answer:
        found = [torch.stack([part["user"], part["item"], part["neg_item"]]) for part in data.train]
        users, items, others = torch.cat(found, dim=1).numpy()
        return {"users": data.users[users], "items": data.items[items], "negatives": data.items[others]}

    return call


def evaluation(inputs: Answer, k: int, batch: int, every: int) -> Callable[[], Answer]:
    """Evaluate given embeddings on every `every`-th user: full sort, training items masked, `batch` users at a time."""
    n_users, n_items = (int(size) for size in inputs["sizes"])
    data = _Data({**inputs, **_every(inputs, every)}, topk=[k], eval_batch_size=batch * n_items)
    if len(data.items) <= n_items or len(data.users) <= n_users:
        raise ValueError("users or items that stand in no training pair are unknown to RecBole; leave them out")
    model = LightGCN(data.config, data.train.dataset)
    trainer = Trainer(data.config, model)
    model.restore_user_e = data.table(inputs["users"], data.users)
    model.restore_item_e = data.table(inputs["items"], data.items)

    def call() -> Answer:
        found = trainer.evaluate(data.test, load_best_model=False)
        return {"recall": np.array(found[f"recall@{k}"]), "ndcg": np.array(found[f"ndcg@{k}"])}

    return call


def _every(inputs: Answer, every: int) -> Answer:
    """Return the test part of every `every`-th user."""
    lengths = np.diff(inputs["test_indptr"])
    kept = np.arange(len(lengths)) % every == 0
    indptr = np.concatenate(([0], np.cumsum(np.where(kept, lengths, 0))))
    return {"test_indptr": indptr, "test_indices": inputs["test_indices"][np.repeat(kept, lengths)]}


def adjacency(inputs: Answer) -> Callable[[], Answer]:
    """Make the normalised adjacency as its LightGCN does."""
    n_users, n_items = (int(size) for size in inputs["sizes"])
    order = np.lexsort((inputs["v"], inputs["u"]))
    users, items = inputs["u"][order], (inputs["v"][order] - n_users).astype(np.int32)
    indptr = np.searchsorted(users, np.arange(n_users + 1))
    parts = {"train_indptr": indptr, "train_indices": items, "test_indptr": indptr, "test_indices": items}
    data = _Data({"sizes": inputs["sizes"], **parts})
    model = LightGCN(data.config, data.train.dataset)
    return lambda: {"entries": np.array(model.get_norm_adj_mat()._nnz())}


def lightgcn(inputs: Answer, layers: int, reg: float, lr: float) -> Callable[[], Answer]:
    """One step of its LightGCN with Adam; its regulariser is the un-squared norm.

    Our embeddings are one table, its are two. The answer is the gradient of the first batch at the given embeddings
    without the regulariser, in our order.
    """
    data = _Data(inputs, embedding_size=inputs["embeddings"].shape[1], n_layers=layers, reg_weight=reg)
    model = LightGCN(data.config, data.train.dataset)
    n_users = int(inputs["sizes"][0])
    tables = inputs["embeddings"][:n_users], inputs["embeddings"][n_users:]
    model.user_embedding.weight.data.copy_(data.table(tables[0], data.users))
    model.item_embedding.weight.data.copy_(data.table(tables[1], data.items))
    optimiser = torch.optim.Adam(model.parameters(), lr=lr)
    to_user, to_item = (torch.from_numpy(_backwards(numbers)) for numbers in (data.users, data.items))
    batches = torch.from_numpy(inputs["batches"]).long()
    both = _BothTables(model, data, n_users, len(inputs["embeddings"]))

    def loss(batch: torch.Tensor) -> torch.Tensor:
        users, items, others = batch
        found = {"user": to_user[users], "item": to_item[items - n_users], "neg_item": to_item[others - n_users]}
        return model.calculate_loss(Interaction(found))

    step = stepping(both, optimiser, batches, loss)
    weight, model.reg_weight = model.reg_weight, 0.0
    loss(batches[0]).backward()
    gradient, model.reg_weight = both.grad.numpy(), weight

    def call() -> Answer:
        step()
        return {"gradient": gradient}

    return call


class _BothTables:
    """The gradients of both tables as one array in our order."""

    def __init__(self, model: LightGCN, data: _Data, n_users: int, n_nodes: int) -> None:
        self.model, self.data, self.n_users, self.n_nodes = model, data, n_users, n_nodes

    @property
    def grad(self) -> torch.Tensor:
        """(n_nodes, d)."""
        users, items = (part.weight.grad for part in (self.model.user_embedding, self.model.item_embedding))
        found = torch.zeros(self.n_nodes, users.shape[1])
        found[torch.from_numpy(self.data.users[1:])] = users[1:]
        found[torch.from_numpy(self.n_users + self.data.items[1:])] = items[1:]
        return found
