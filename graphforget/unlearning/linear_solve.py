"""Conjugate gradients for influence steps."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from graphforget._core.errors import DivergedError


@dataclass(frozen=True, eq=False)
class Solution:
    """What `conjugate_gradients` found.

    Attributes
    ----------
    x: (n,) float64. iterations: products used. residual: ||b - A x|| / ||b||.
    indefinite: the solver met a direction of negative curvature and stopped there.
    """

    x: Tensor
    iterations: int
    residual: float
    indefinite: bool = False

    def record(self) -> dict[str, Any]:
        """Return iterations, residual and whether the matrix was indefinite, for a receipt."""
        return {"iterations": self.iterations, "residual": self.residual, "indefinite": self.indefinite}


def conjugate_gradients(
    product: Callable[[Tensor], Tensor], b: Tensor, iterations: int, tolerance: float = 1e-6
) -> Solution:
    """Solve A x = b for a symmetric A given by its products, in float64.

    Where A turns out not to be positive definite, the solver stops before the first direction of negative curvature
    (the truncated Newton method: Nocedal and Wright 2006, algorithm 7.1). What it has then still solves A x = b on the
    directions taken so far.

    Parameters
    ----------
    product: v (n,) float64 -> A v.
    b: (n,) right-hand side.
    iterations: products at most.
    tolerance: relative residual at which to stop.

    Raises DivergedError when a product is not finite, or the very first direction has negative curvature.
    """
    b = b.double()
    x, r = torch.zeros_like(b), b.clone()
    p, rr, scale = r.clone(), float(r @ r), float(b @ b) ** 0.5
    if scale == 0.0:
        return Solution(x, 0, 0.0)
    for done in range(iterations):
        if rr**0.5 <= tolerance * scale:
            return Solution(x, done, rr**0.5 / scale)
        ap = product(p).double()
        curvature = float(p @ ap)
        if not torch.isfinite(ap).all():
            raise DivergedError("The Hessian's product is not finite. Check that the model is trained and finite.")
        if curvature <= 0.0:
            if done == 0:
                raise DivergedError(
                    "The Hessian has negative curvature along the gradient of the forgotten part, so there is no "
                    "influence step. Raise 'damping', or use curvature=gauss_newton."
                )
            return Solution(x, done, rr**0.5 / scale, indefinite=True)
        step = rr / curvature
        x, r = x + step * p, r - step * ap
        before, rr = rr, float(r @ r)
        p = r + (rr / before) * p
    return Solution(x, iterations, rr**0.5 / scale)
