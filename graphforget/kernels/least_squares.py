"""Alternating least squares for implicit feedback: every missing entry counts, with a small weight."""

from __future__ import annotations

import numpy as np
from numba import prange

from graphforget._core.compiled import njit


@njit(cache=True, nogil=True)
def _add_outer(lower: np.ndarray, scale: float, rows: np.ndarray, members: np.ndarray) -> None:
    """Add scale * sum of v v^T over the member rows v to the lower triangle, four rows at a time."""
    whole = len(members) // 4 * 4
    for e in range(0, whole, 4):
        v, w, x, y = rows[members[e]], rows[members[e + 1]], rows[members[e + 2]], rows[members[e + 3]]
        for a in range(rows.shape[1]):
            p, q, r, s = scale * v[a], scale * w[a], scale * x[a], scale * y[a]
            for b in range(a + 1):
                lower[a, b] += p * v[b] + q * w[b] + r * x[b] + s * y[b]
    for e in range(whole, len(members)):
        v = rows[members[e]]
        for a in range(rows.shape[1]):
            p = scale * v[a]
            for b in range(a + 1):
                lower[a, b] += p * v[b]


@njit(cache=True, nogil=True)
def _gram(rows: np.ndarray, scale: float, ridge: float) -> np.ndarray:
    """Return scale * rows^T rows + ridge * I; the lower triangle only."""
    d = rows.shape[1]
    out = np.zeros((d, d))
    _add_outer(out, scale, rows, np.arange(len(rows)))
    for a in range(d):
        out[a, a] += ridge
    return out


@njit(cache=True, nogil=True)
def _solve(lower: np.ndarray, x: np.ndarray) -> None:
    """Replace x by A^-1 x; `lower` holds the lower triangle of the positive definite A and is overwritten."""
    d = len(x)
    for j in range(d):
        pivot = np.sqrt(lower[j, j])
        for i in range(j, d):
            lower[i, j] /= pivot
        for i in range(j + 1, d):
            left = lower[i, j]
            for m in range(j + 1, i + 1):
                lower[i, m] -= left * lower[m, j]
    for i in range(d):
        for j in range(i):
            x[i] -= lower[i, j] * x[j]
        x[i] /= lower[i, i]
    for i in range(d - 1, -1, -1):
        x[i] /= lower[i, i]
        for j in range(i):
            x[j] -= lower[i, j] * x[i]


@njit(parallel=True, cache=True, nogil=True)
def _solve_rows(
    indptr: np.ndarray, indices: np.ndarray, fixed: np.ndarray, shared: np.ndarray, weight: float, out: np.ndarray
) -> None:
    d = fixed.shape[1]
    for i in prange(len(out)):
        own, x = shared.copy(), np.zeros(d)
        members = indices[indptr[i] : indptr[i + 1]]
        _add_outer(own, 1.0 - weight, fixed, members)
        for j in members:
            x += fixed[j]
        _solve(own, x)
        out[i] = x


def solve_rows(indptr: np.ndarray, indices: np.ndarray, fixed: np.ndarray, weight: float, ridge: float) -> np.ndarray:
    """Return the rows x_i that minimise, for every row i of a 0/1 matrix given by its ones,

        sum_{j in row i} (1 - x_i . v_j)^2 + weight * sum_{j not in row i} (x_i . v_j)^2 + ridge * |x_i|^2,

    exactly (Hu, Koren and Volinsky 2008, eq. 4): x_i = (w V'V + (1 - w) V_i'V_i + ridge I)^-1 V_i' 1.

    Shapes: indptr (n + 1,), indices (nnz,), fixed float64 (m, d) = V -> float64 (n, d); `ridge` above 0.
    """
    out = np.empty((len(indptr) - 1, fixed.shape[1]))
    _solve_rows(indptr, indices, fixed, _gram(fixed, weight, ridge), weight, out)
    return out
