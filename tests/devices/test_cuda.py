"""The same on a real GPU; skipped, with the reason, where torch finds none."""

from __future__ import annotations

import numpy as np
import pytest
import torch

import graphforget as gf
from graphforget.kernels.csr import edges_to_csr, gcn_normalise, symmetric_csr
from graphforget.kernels.edge_softmax import attention
from graphforget.kernels.mean_propagation import mean_propagation
from graphforget.kernels.pairs import PairIndex, pair_scores
from graphforget.kernels.propagate import Sparse, linear_sparse, propagate
from graphforget.kernels.shared_softmax import shared_softmax
from graphforget.kernels.topk import top_items
from graphforget.kernels.topk_torch import top_items_torch
from graphforget.models.zoo import backbone_options, backbones, make_backbone
from graphforget.training.train import train
from graphforget.unlearning.run import methods, unlearn

pytestmark = pytest.mark.skipif(not torch.cuda.is_available(), reason="torch finds no CUDA device here")

N = 300
ROWS = np.arange(0, N, 7)
SMALL = {"hidden": 16, "dim": 8}
FEW = {"epochs": 2, "validate_every": 1, "repair_epochs": 1, "iterations": 3, "shards": 2}


def graph() -> Sparse:
    """A normalised random graph."""
    u, v = np.triu_indices(N, 1)
    chosen = np.random.default_rng(0).choice(len(u), 4000, replace=False)
    return Sparse(gcn_normalise(symmetric_csr(u[chosen], v[chosen], N)), symmetric=True)


def pairs() -> PairIndex:
    """Random pairs, loops and repeats among them."""
    return PairIndex.of(np.random.default_rng(1).integers(0, N, (2, 5000)), N)


KERNELS = {
    "propagate": lambda x, y: propagate(graph(), x),
    "linear_sparse": lambda x, y: linear_sparse(graph(), x @ y[:32]),
    "mean_propagation": lambda x, y: mean_propagation(graph(), x, ROWS, 3),
    "pair_scores": lambda x, y: pair_scores(x, pairs()),
    "attention": lambda x, y: attention(graph(), x.view(N, 2, 16), y[:, :2], y[:, 2:4]),
    "shared_softmax": lambda x, y: shared_softmax(x[:50], y[:50, 0], y[50:, :32]),
}


def value_and_gradients(name: str, device: str) -> list[torch.Tensor]:
    """Return what a kernel gives on a device, and the gradients of a weighted sum of it, on the CPU."""
    draw = torch.Generator().manual_seed(2)
    inputs = [torch.randn(N, 32, generator=draw).to(device).requires_grad_() for _ in range(2)]
    out = KERNELS[name](*inputs)
    assert out.device.type == device
    (out * torch.linspace(-1, 2, out.numel(), device=device).view(out.shape)).sum().backward()
    return [part.detach().cpu() for part in (out, *(x.grad for x in inputs if x.grad is not None))]


@pytest.mark.parametrize("name", list(KERNELS))
def test_a_kernel_gives_what_numba_gives(name):
    for ours, wanted in zip(value_and_gradients(name, "cuda"), value_and_gradients(name, "cpu"), strict=True):
        torch.testing.assert_close(ours, wanted, atol=1e-4, rtol=1e-3)


@pytest.mark.parametrize("seed", range(5))
def test_lists_are_the_same_ties_included(seed):
    rng = np.random.default_rng(seed)
    users, items = (rng.integers(-3, 4, (rows, 9)).astype(np.float32) for rows in (80, 400))
    mask = [edges_to_csr(*np.nonzero(rng.random((80, 400)) < 0.1), 80, 400)]
    ours = top_items_torch(*(torch.from_numpy(table).to("cuda") for table in (users, items)), mask, 25)
    for found, wanted in zip(ours, top_items(users, items, mask, 25), strict=True):
        assert np.array_equal(found, wanted)


def task_of(name: str):
    """The task of a kind on the sample data."""
    if name == "recommend":
        return gf.Recommendation(gf.load("sample-shop"), seed=0)
    kind = gf.LinkPrediction if name == "link" else gf.NodeClassification
    return kind(gf.load("sample-citations"), seed=0)


def trained(backbone: str, task: str, device: str):
    """Return a backbone after a few epochs, without dropout: both kinds of devices draw their own."""
    quiet = {**SMALL, "dropout": 0.0}
    made = make_backbone(backbone, **{key: quiet[key] for key in quiet if key in backbone_options(backbone)})
    recipe = {"epochs": 3, "lr": 1e-3, "selection": "last", "batch": 512 if task == "recommend" else None}
    return train(made, task_of(task), seed=3, validate_every=1, device=device, **recipe)


@pytest.mark.parametrize(("backbone", "task"), [(c.name, t) for c in backbones().classes() for t in c.tasks])
def test_every_backbone_trains_to_what_the_cpu_gives(backbone, task):
    here, there = (trained(backbone, task, device) for device in ("cpu", "cuda"))
    assert there.device.type == "cuda"
    z, wanted = (model.embed(task_of(task).graph).cpu() for model in (there, here))
    assert (z - wanted).norm() < 0.02 * wanted.norm()


@pytest.mark.parametrize("name", [cls.name for cls in methods().classes() if "recommend" in cls.tasks])
def test_every_method_forgets_as_on_the_cpu(name):
    original, full = trained("lightgcn", "recommend", "cpu"), task_of("recommend")
    known = methods().find(name)[0].options()
    method = methods().get(name, **{key: FEW[key] for key in FEW if key in known})
    gone = gf.sample_deletion(full, users=0.05, seed=1)
    here, there = (unlearn(original, full, gone, method, device=device) for device in ("cpu", "cuda"))
    assert there.model.device.type == "cuda" and there.receipt()["device"] == "cuda"
    assert there.parameter_change == pytest.approx(here.parameter_change, rel=0.05)


def test_a_run_is_repeatable_when_torch_is_told_to(monkeypatch):
    monkeypatch.setenv("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
    torch.use_deterministic_algorithms(True)
    try:
        one, two = (trained("gcn", "link", "cuda").state_dict() for _ in range(2))
    finally:
        torch.use_deterministic_algorithms(False)
    assert all(torch.equal(value, two[name]) for name, value in one.items())
