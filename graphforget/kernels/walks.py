"""Random walks with restart, and the nodes they visit most."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numba import prange

from graphforget._core.compiled import njit
from graphforget._core.errors import UsageError
from graphforget._core.streams import draw_below, draw_u64, draw_unit
from graphforget.kernels.csr import CSR

BLOCK = 64
"""Start nodes of one parallel task."""


class _Plan(NamedTuple):
    """Walks from each start, hops of a walk, steps of a hop, probability of going back to the start."""

    walks: int
    hops: int
    steps: int
    restart: float


@njit(cache=True, nogil=True)
def _walk(csr: CSR, plan: _Plan, start: int, key: np.uint64, first: int, out: np.ndarray) -> None:
    """Write the node after each hop of one walk, -1 once it has ended; uses the draws from number `first` on."""
    node = start
    out[:] = -1
    for hop in range(plan.hops):
        counter = first + hop * (plan.steps + 1)
        if hop > 0 and draw_unit(key, counter + plan.steps) < plan.restart:
            return
        for step in range(plan.steps):
            degree = csr.indptr[node + 1] - csr.indptr[node]
            if degree == 0:
                return
            node = csr.indices[csr.indptr[node] + draw_below(key, counter + step, degree)]
        out[hop] = node


@njit(cache=True, nogil=True)
def _walk_all(csr: CSR, plan: _Plan, start: int, key: np.uint64, out: np.ndarray) -> None:
    """Fill `out` (walks * hops,) for one start; its draws do not depend on the other starts."""
    own, hops = draw_u64(key, start), plan.hops
    for walk in range(plan.walks):
        first = walk * hops * (plan.steps + 1)
        _walk(csr, plan, start, own, first, out[walk * hops : (walk + 1) * hops])


@njit(parallel=True, cache=True, nogil=True)
def _visits(csr: CSR, plan: _Plan, starts: np.ndarray, key: np.uint64, out: np.ndarray) -> None:
    for block in prange((len(starts) + BLOCK - 1) // BLOCK):
        for at in range(block * BLOCK, min(len(starts), (block + 1) * BLOCK)):
            _walk_all(csr, plan, starts[at], key, out[at])


@njit(cache=True, nogil=True)
def _most_frequent(visited: np.ndarray, left_out: int, nodes: np.ndarray, counts: np.ndarray) -> None:
    """Write the most frequent values of ascending `visited`, most first, ties by value; not -1 and not `left_out`."""
    nodes[:], counts[:] = -1, 0
    at = 0
    while at < len(visited):
        node, count = visited[at], 0
        while at < len(visited) and visited[at] == node:
            at, count = at + 1, count + 1
        if node < 0 or node == left_out or count <= counts[-1]:
            continue
        place = len(nodes) - 1
        while place > 0 and counts[place - 1] < count:
            nodes[place], counts[place] = nodes[place - 1], counts[place - 1]
            place -= 1
        nodes[place], counts[place] = node, count


@njit(parallel=True, cache=True, nogil=True)
def _top_visited(
    csr: CSR,
    plan: _Plan,
    starts: np.ndarray,
    key: np.uint64,
    include_start: bool,
    nodes: np.ndarray,
    counts: np.ndarray,
) -> None:
    for block in prange((len(starts) + BLOCK - 1) // BLOCK):
        visited = np.empty(plan.walks * plan.hops, np.int32)
        for at in range(block * BLOCK, min(len(starts), (block + 1) * BLOCK)):
            _walk_all(csr, plan, starts[at], key, visited)
            left_out = -1 if include_start else starts[at]
            _most_frequent(np.sort(visited), left_out, nodes[at], counts[at])


def _checked(csr: CSR, walks: int, hops: int, steps: int, restart: float, top: int = 1) -> _Plan:
    if csr.n_rows != csr.n_cols:
        raise UsageError(f"Random walks need a square matrix; got {csr.n_rows} rows and {csr.n_cols} columns.")
    for name, value in (("walks", walks), ("hops", hops), ("steps", steps), ("top", top)):
        if value < 1:
            raise UsageError(f"Random walks: '{name}' must be at least 1; got {value}.")
    if not 0 <= restart <= 1:
        raise UsageError(f"Random walks: 'restart' must be from 0 to 1; got {restart}.")
    return _Plan(walks, hops, steps, float(restart))


def random_walks(
    csr: CSR, starts: np.ndarray, key: int, *, walks: int, hops: int, restart: float = 0.0, steps: int = 1
) -> np.ndarray:
    """Return the node after every hop of `walks` random walks from each start, int32 (n_starts, walks * hops).

    A hop is `steps` moves to a uniformly drawn neighbour. Before each hop but the first the walk goes back to its start
    with probability `restart`, which ends it; an ended walk, or one at a node without neighbours, leaves -1. The walks
    of a start depend on the key and the start alone.

    Parameters
    ----------
    csr : neighbours of every node (n, n); every entry counts once, whatever its value
    starts : integers (n_starts,), node numbers
    key : stream key, see `Streams`
    walks, hops, steps : at least 1; walks * hops * (steps + 1) < 2^63
    restart : probability, 0 to 1

    Raises
    ------
    UsageError for a parameter out of range.
    """
    plan = _checked(csr, walks, hops, steps, restart)
    out = np.empty((len(starts), walks * hops), np.int32)
    _visits(csr, plan, starts, np.uint64(key), out)
    return out


def top_visited(
    csr: CSR,
    starts: np.ndarray,
    key: int,
    *,
    top: int = 3,
    walks: int = 10,
    hops: int = 2,
    restart: float = 0.5,
    steps: int = 2,
    include_start: bool = False,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the nodes that random walks from each start visit most, the neighbourhood of PinSage.

    Ying et al. 2018, section 3.1; the numbers of walks, hops and neighbours are those of DGL's example. On the graph of
    users and items two steps lead from an item to an item, so with `steps=2` only items are counted. The walks are
    those of `random_walks`.

    Parameters
    ----------
    csr, starts, key, walks, hops, restart, steps : see `random_walks`
    top : neighbours of each start
    include_start : whether the start itself, which walks often come back to, may be one of them

    Returns
    -------
    nodes : int32 (n_starts, top), most visited first, ties to the lower node, -1 where walks saw fewer
    visits : int32 (n_starts, top), 0 there

    Raises
    ------
    UsageError for a parameter out of range.
    """
    plan = _checked(csr, walks, hops, steps, restart, top)
    nodes, visits = np.empty((len(starts), top), np.int32), np.empty((len(starts), top), np.int32)
    _top_visited(csr, plan, starts, np.uint64(key), include_start, nodes, visits)
    return nodes, visits
