"""Which rows of a column are best, where a paired test over seeds can tell."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from typing import Any

import numpy as np

LEVEL = 0.05
EXACT = 15
"""Most seeds whose sign flips are counted one by one."""

ROUNDING = 1e-9
"""Share of the largest difference by which two may differ and still count as equal."""


def wilcoxon(differences: np.ndarray) -> float:
    """Return the two-sided p of Wilcoxon's signed-rank test (1945), exact up to 15 differences that are not zero.

    Zeros are left out, equal sizes share their mean rank; the exact p counts all sign flips, ties included. Above that,
    scipy's normal approximation is taken.

    Example
    -------
    >>> wilcoxon(np.array([1.0, 2.0, 3.0, 4.0, 5.0]))
    0.0625
    """
    from scipy import stats

    found, ranks = _ranked(differences)
    if not len(found):
        return 1.0
    if len(found) > EXACT:
        return float(stats.wilcoxon(found, method="approx").pvalue)
    signs = np.array(list(product((-1.0, 1.0), repeat=len(found))))
    sums = np.abs(signs @ ranks)
    return float((sums >= abs(ranks @ np.sign(found)) - 1e-9).mean())


def _ranked(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the differences that are not zero, and the ranks of their sizes."""
    from scipy import stats

    found = differences[differences != 0]
    return found, stats.rankdata(np.abs(found))


def signed_ranks(differences: np.ndarray) -> float:
    """Return Wilcoxon's statistic, the sum of the signed ranks: below 0 where most and larger differences are.

    Example
    -------
    >>> signed_ranks(np.array([-9.0, 1.0, 2.0, 3.0]))
    2.0
    """
    found, ranks = _ranked(differences)
    return float(ranks @ np.sign(found))


def paired_t(differences: np.ndarray) -> float:
    """Return the two-sided p of the paired t-test; where differences are equal, that of their signs alone, 2^(1 - n).

    Equal differences have no spread for a t-test to go by, and accuracies over few items are often equally far apart.
    Differences are equal when they differ by rounding alone; where all are zero, p is 1.
    """
    from scipy import stats

    if np.ptp(differences) <= ROUNDING * np.abs(differences).max():
        return 2.0 ** (1 - len(differences)) if differences[0] else 1.0
    return float(stats.ttest_1samp(differences, 0.0).pvalue)


TESTS: dict[str, Callable[[np.ndarray], float]] = {"wilcoxon": wilcoxon, "t": paired_t}
SIDES: dict[str, Callable[[np.ndarray], float]] = {"wilcoxon": signed_ranks, "t": np.mean}
"""What says, by its sign, on which side of 0 a test finds the differences."""


def holm(values: Sequence[float]) -> list[float]:
    """Return p values adjusted for their number by Holm's step-down method (1979).

    Example
    -------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    adjusted, highest = [0.0] * len(values), 0.0
    for place, number in enumerate(sorted(range(len(values)), key=lambda n: values[n])):
        highest = max(highest, min(1.0, values[number] * (len(values) - place)))
        adjusted[number] = highest
    return adjusted


def best_two(losses: Mapping[Any, Mapping[int, float]], test: str) -> list[Any]:
    """Return the best row and the second best, as far as they differ significantly from all rows behind them.

    Pairs are the seeds that all rows have; at least two are needed. A row counts when Holm's method rejects, at 5 %,
    that it equals any of the rows behind it; the second best is looked for only behind a best that counts. Rows stand
    in the order of their means, and where the test finds the difference on the other side, it tells nothing for the
    row: one seed can carry a mean against all others.

    Parameters
    ----------
    losses: row -> seed -> value, the smaller the better.
    test: "wilcoxon" or "t".
    """
    seeds = sorted(set.intersection(*(set(values) for values in losses.values()))) if losses else []
    table = {row: np.array([values[seed] for seed in seeds]) for row, values in losses.items()}
    order = sorted(table, key=lambda row: table[row].mean()) if len(seeds) > 1 else []
    found: list[Any] = []
    for place, row in enumerate(order[:2]):
        behind = order[place + 1 :]
        values = holm([_ahead(table[row] - table[other], test) for other in behind])
        if not behind or max(values) > LEVEL:
            break
        found.append(row)
    return found


def _ahead(differences: np.ndarray, test: str) -> float:
    """Return the two-sided p of losses minus those of a row behind; 1 where the test does not find them smaller."""
    return TESTS[test](differences) if SIDES[test](differences) < 0 else 1.0


def least_p(seeds: int, test: str) -> float:
    """Return the smallest p that a test can give with so many seeds."""
    return 2.0 ** (1 - seeds) if test == "wilcoxon" else 0.0
