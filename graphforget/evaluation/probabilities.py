"""Logits to distributions, in float64: (m,) logits are Bernoulli, (m, classes) logits are softmax."""

from __future__ import annotations

import numpy as np
from scipy.special import expit, log_expit, log_softmax


def distributions(logits: np.ndarray) -> np.ndarray:
    """Return (m, 2) of [1 - p, p] for (m,) logits, (m, classes) softmax otherwise."""
    if logits.ndim == 1:
        return np.stack([expit(-logits), expit(logits)], axis=1)
    return np.exp(log_softmax(logits, axis=1))


def log_distributions(logits: np.ndarray) -> np.ndarray:
    """Return the logarithm of `distributions`, finite for finite logits."""
    if logits.ndim == 1:
        return np.stack([log_expit(-logits), log_expit(logits)], axis=1)
    return log_softmax(logits, axis=1)


def answers(logits: np.ndarray) -> np.ndarray:
    """Return the (m,) answers: 1 where p > 0.5 for pairs, the largest class (lowest on ties) for nodes."""
    return (logits > 0).astype(np.int64) if logits.ndim == 1 else logits.argmax(axis=1)


def right_answers(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Return the probability of each target: class number, or 0/1 for pairs."""
    return distributions(logits)[np.arange(len(logits)), targets.astype(np.int64)]
