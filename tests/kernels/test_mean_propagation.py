"""Rows of a mean of propagations against the whole products in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget.kernels.csr import gcn_normalise, transpose_csr
from graphforget.kernels.mean_propagation import (
    _mean_rows_torch,
    mean_propagation,
    product_of_columns,
    rows_of_product,
)
from graphforget.kernels.propagate import Sparse


def whole(matrix: np.ndarray, x: torch.Tensor, layers: int) -> torch.Tensor:
    found, a = [x], torch.from_numpy(matrix)
    for _ in range(layers):
        found.append(a @ found[-1])
    return torch.stack(found).mean(dim=0)


@pytest.mark.parametrize("compute", [mean_propagation, _mean_rows_torch])
@pytest.mark.parametrize("symmetric", [True, False])
@pytest.mark.parametrize("layers", [1, 2, 3, 5])
@pytest.mark.parametrize("rows", [[0], [3, 59, 17], list(range(60))])
def test_values_and_gradients(compute, layers, rows, symmetric, random_graph, random_csr, dense):
    csr = gcn_normalise(random_graph(60, 200)) if symmetric else random_csr(60, 60, 400)
    rng = np.random.default_rng(1)
    x, weights = rng.normal(size=(60, 9)), torch.from_numpy(rng.normal(size=(len(rows), 9)))
    ours, theirs = (torch.tensor(x, requires_grad=True) for _ in range(2))
    found = compute(Sparse(csr, symmetric), ours, np.array(rows), layers)
    wanted = whole(dense(csr), theirs, layers)[rows]
    torch.testing.assert_close(found, wanted)
    (found * weights).sum().backward()
    (wanted * weights).sum().backward()
    torch.testing.assert_close(ours.grad, theirs.grad)


def test_parts_of_products(random_csr, dense):
    csr = random_csr(40, 30, 300)
    rng = np.random.default_rng(2)
    h, chosen = rng.normal(size=(30, 70)).astype(np.float32), np.array([29, 4, 11])
    np.testing.assert_allclose(rows_of_product(csr, chosen, h), (dense(csr) @ h)[chosen], atol=1e-5)
    found = product_of_columns(csr, chosen, h[:3])
    np.testing.assert_allclose(found, dense(csr)[:, chosen] @ h[:3], atol=1e-5)
    assert product_of_columns(csr, chosen[:0], h[:0]).tolist() == np.zeros((40, 70)).tolist()
    assert rows_of_product(transpose_csr(csr), chosen[:0], h[:0]).shape == (0, 70)


def test_the_bytes_do_not_depend_on_the_threads(same_for_any_threads, random_graph):
    csr = gcn_normalise(random_graph(900, 9000))
    x = torch.from_numpy(np.random.default_rng(3).normal(size=(900, 64)).astype(np.float32))
    rows = np.arange(0, 900, 7)

    def compute() -> np.ndarray:
        leaf = x.clone().requires_grad_()
        found = mean_propagation(Sparse(csr, True), leaf, rows, 3)
        found.square().sum().backward()
        return np.concatenate([found.detach().numpy(), leaf.grad.numpy()])

    assert same_for_any_threads(compute)
