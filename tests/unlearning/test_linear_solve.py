"""Conjugate gradients against a direct solver."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DivergedError
from graphforget.unlearning.linear_solve import conjugate_gradients


def system(n: int = 12, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    rng = np.random.default_rng(seed)
    root = rng.normal(size=(n, n))
    return torch.from_numpy(root @ root.T + 0.1 * np.eye(n)), torch.from_numpy(rng.normal(size=n))


def test_a_positive_definite_system():
    a, b = system()
    found = conjugate_gradients(lambda v: a @ v, b, 200, tolerance=1e-10)
    torch.testing.assert_close(found.x, torch.linalg.solve(a, b), rtol=1e-5, atol=1e-7)
    assert found.residual <= 1e-10 and not found.indefinite
    assert found.residual == pytest.approx(float((b - a @ found.x).norm() / b.norm()), abs=1e-9)


def test_iterations_are_a_cap():
    a, b = system()
    found = conjugate_gradients(lambda v: a @ v, b, 3)
    assert found.iterations == 3 and found.residual > 1e-6


def test_nothing_to_solve():
    a, _ = system()
    assert not conjugate_gradients(lambda v: a @ v, torch.zeros(12), 5).x.any()


def test_it_stops_before_negative_curvature():
    a = torch.diag(torch.tensor([3.0, 2.0, 1.0, -0.5], dtype=torch.float64))
    b = torch.tensor([1.0, 1.0, 1.0, 0.2], dtype=torch.float64)
    found = conjugate_gradients(lambda v: a @ v, b, 50)
    assert found.indefinite and 0 < found.iterations < 4
    assert float(found.x @ b) > 0, "still a direction of ascent for b"


def test_negative_curvature_at_once_is_an_error():
    with pytest.raises(DivergedError, match="damping"):
        conjugate_gradients(lambda v: -v, torch.ones(3), 5)


def test_a_product_that_is_not_finite_is_an_error():
    with pytest.raises(DivergedError, match="finite"):
        conjugate_gradients(lambda v: v * float("nan"), torch.ones(3), 5)
