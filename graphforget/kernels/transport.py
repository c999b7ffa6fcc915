"""Entropic optimal transport between points and a few groups, in the log domain."""

from __future__ import annotations

import math

import numpy as np
from numba import prange

from graphforget._core.compiled import njit


@njit(parallel=True, cache=True, nogil=True)
def _potentials(scaled: np.ndarray, other: np.ndarray, log_mass: float, out: np.ndarray) -> None:
    """Set `out` so that every row of exp(out + other - scaled) sums to exp(log_mass)."""
    for i in prange(len(scaled)):
        top = -np.inf
        for s in range(len(other)):
            top = max(top, other[s] - scaled[i, s])
        total = 0.0
        for s in range(len(other)):
            total += math.exp(other[s] - scaled[i, s] - top)
        out[i] = log_mass - top - math.log(total)


def log_plan(cost: np.ndarray, eps: float, iterations: int) -> np.ndarray:
    """Return log P, float64 (n, k), of the plan that minimises <P, cost> - eps * entropy(P) with uniform marginals.

    Sinkhorn's iterations (Cuturi 2013) on log potentials, so that a small `eps` neither under- nor overflows:
    P_is = exp(f_i + g_s - cost_is / eps), where f and g in turn make all rows sum to 1/n and all columns to 1/k.
    The columns are scaled last.

    Parameters
    ----------
    cost: (n, k), finite. eps: above 0, in units of the cost. iterations: number of scalings of rows and columns.
    """
    scaled = cost.astype(np.float64) / eps
    columns = np.ascontiguousarray(scaled.T)
    f, g = np.zeros(len(scaled)), np.zeros(scaled.shape[1])
    rows_mass, columns_mass = -math.log(len(f)), -math.log(len(g))
    for _ in range(iterations):
        _potentials(scaled, g, rows_mass, f)
        _potentials(columns, f, columns_mass, g)
    return f[:, None] + g[None, :] - scaled
