"""A logistic regression that is the same wherever it is fitted."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_expit

RIDGE = 1e-3


@dataclass(frozen=True, eq=False)
class Logistic:
    """log odds = weights . (x - mean) / scale + bias."""

    mean: np.ndarray
    scale: np.ndarray
    weights: np.ndarray
    bias: float

    def log_odds(self, x: np.ndarray) -> np.ndarray:
        """Return the log odds of label 1: (m, width) -> (m,)."""
        return (x - self.mean) / self.scale @ self.weights + self.bias


def fit_logistic(x: np.ndarray, labels: np.ndarray, ridge: float = RIDGE) -> Logistic:
    """Return the regression of boolean labels (m,), both present, on features (m, width).

    Minimises the mean log loss, both labels weighing the same whatever their numbers, plus ridge / 2 times the squared
    weights of the standardised features; it starts from zero and draws nothing at random.

    Example
    -------
    >>> found = fit_logistic(np.array([[0.0], [1.0], [2.0], [3.0]]), np.array([False, False, True, True]))
    >>> (found.log_odds(np.array([[0.0], [1.5], [3.0]])).round(6) + 0.0 > 0).tolist(), bool(found.weights[0] > 0)
    ([False, False, True], True)
    """
    mean, scale = x.mean(axis=0), x.std(axis=0)
    scale = np.where(scale > 0, scale, 1.0)
    inputs, signs = (x - mean) / scale, np.where(labels, 1.0, -1.0)
    share = np.where(labels, 0.5 / labels.sum(), 0.5 / (~labels).sum())

    def loss(point: np.ndarray) -> tuple[float, np.ndarray]:
        margin = signs * (inputs @ point[:-1] + point[-1])
        slope = -share * signs * expit(-margin)
        weights = point[:-1]
        value = -(share * log_expit(margin)).sum() + ridge / 2 * (weights @ weights)
        return float(value), np.append(slope @ inputs + ridge * weights, slope.sum())

    found = minimize(loss, np.zeros(x.shape[1] + 1), jac=True, method="L-BFGS-B", options={"maxiter": 500})
    return Logistic(mean, scale, found.x[:-1], float(found.x[-1]))
