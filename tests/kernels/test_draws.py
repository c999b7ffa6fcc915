"""Which draws of its stream every sampler takes, in plain Python: another choice is as uniform, and other numbers."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.streams import Stream
from graphforget.kernels.alias import AliasTable
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.item_negatives import sample_items, sample_within
from graphforget.kernels.negatives import sample_non_edges
from graphforget.kernels.neighbours import sample_neighbours
from graphforget.kernels.orders import epoch_order, pick_items, user_draws, users_without_replacement
from graphforget.kernels.row_sets import RowSets
from graphforget.kernels.walks import random_walks

KEY = 2**63 + 12345
TRIES = 63


def bits(key: int, number: int) -> int:
    """Return a draw of a stream."""
    return int(Stream(int(key)).at(np.array([number]))[0])


def below(key: int, number: int, n: int) -> int:
    """Return a draw as a number below n, by its upper half."""
    return (bits(key, number) >> 32) * n >> 32


def row_of(csr: CSR, row: int) -> list[int]:
    """Return the columns of a row."""
    return csr.indices[csr.indptr[row] : csr.indptr[row + 1]].tolist()


def rows_with(sizes: list[int], n_cols: int, seed: int = 0) -> CSR:
    """Return rows of so many random columns."""
    rng = np.random.default_rng(seed)
    rows, columns = np.repeat(np.arange(len(sizes)), sizes), [rng.permutation(n_cols)[:size] for size in sizes]
    return edges_to_csr(rows, np.concatenate(columns), len(sizes), n_cols)


def first_free(slot: int, taken: set[int], free: list[int], column_at, tries: bool) -> int:
    """Return the first free column of draws 64 slot .. 64 slot + 62, else the one whose rank draw 63 is."""
    for attempt in range(TRIES if tries else 0):
        column = column_at(64 * slot + attempt)
        if column not in taken:
            return column
    return free[below(KEY, 64 * slot + TRIES, len(free))]


@pytest.mark.parametrize("n_edges", [30, 150, 189])
def test_pairs_without_an_edge(n_edges, random_graph, dense):
    csr = random_graph(20, n_edges)
    free = np.argwhere((dense(csr) == 0) & ~np.eye(20, dtype=bool)).tolist()
    expected = []
    for slot in range(40):
        found = None
        for attempt in range(TRIES if 2 * len(free) >= 400 else 0):
            draw = bits(KEY, 64 * slot + attempt)
            pair = [(draw >> 32) * 20 >> 32, (draw & 0xFFFFFFFF) * 20 >> 32]
            if pair in free:
                found = pair
                break
        expected.append(found or free[bits(KEY, 64 * slot + TRIES) % len(free)])
    assert sample_non_edges(csr, 40, KEY).T.tolist() == expected


def test_items_outside_a_row_of_every_kind():
    """Rows with a filter, with a bitmap of half of all columns, and with a list of what is free."""
    csr = rows_with([4, 150, 140, 250, 299], 300)
    rows = np.concatenate([np.tile(np.arange(5), 30), np.full(1500, 1)])  # some of these miss many times
    expected = []
    for slot, row in enumerate(rows):
        taken = set(row_of(csr, row))
        free = sorted(set(range(300)) - taken)
        expected.append(first_free(slot, taken, free, lambda n: below(KEY, n, 300), 2 * len(taken) <= 300))
    assert sample_items(RowSets.of(csr), rows, KEY).tolist() == expected


def test_items_by_weight():
    """Draws of the table while what is free weighs half of all or more; else the item at a place of the free weight."""
    weights, csr = np.array([8.0, 1, 1, 2, 2, 1, 1, 0]), edges_to_csr(np.array([0, 1, 1]), np.array([2, 0, 5]), 2, 8)
    alias, rows, expected = AliasTable.of(weights), np.tile([0, 1], 60), []
    units = np.diff(alias.before)

    def weighted(number: int) -> int:
        draw = bits(KEY, number)
        column = (draw >> 32) * 8 >> 32
        entry = int(alias.table[column])
        return column if draw & 0xFFFFFFFF < entry >> 32 else entry & 0xFFFFFFFF

    for slot, row in enumerate(rows):
        free = [item for item in range(8) if item not in row_of(csr, row)]
        total = int(units[free].sum())
        if 2 * total >= alias.before[-1]:
            expected.append(first_free(slot, set(row_of(csr, row)), free, weighted, True))
        else:
            place = int(float(bits(KEY, 64 * slot + TRIES) >> 11) / 2.0**53 * total)
            expected.append(free[int(np.searchsorted(np.cumsum(units[free]), place, side="right"))])
    assert sample_items(RowSets.of(csr), rows, KEY, weights).tolist() == expected


def test_items_of_a_pool():
    csr, pools = rows_with([3, 12, 6], 40), rows_with([12, 20], 40, seed=1)
    rows, which = np.tile([0, 1, 2], 20), np.tile([0, 1], 30)
    expected = []
    for slot, (row, number) in enumerate(zip(rows, which, strict=True)):
        pool, taken = row_of(pools, number), set(row_of(csr, row))
        free = [column for column in pool if column not in taken]
        tries = 2 * len(taken) <= len(pool)
        expected.append(first_free(slot, taken, free, lambda n, own=pool: own[below(KEY, n, len(own))], tries))
    assert sample_within(RowSets.of(csr), rows, pools, which, KEY).tolist() == expected


@pytest.mark.parametrize("n", [7, 9000])
def test_the_order_of_an_epoch(n):
    """Numbers are dealt to buckets of about 4,096, each of which Fisher and Yates shuffle by a stream of its own."""
    deal, swaps = Stream(KEY).bits(2)
    buckets = [[] for _ in range(n // 4096 + 1)]
    for number, bucket in enumerate(Stream(int(deal)).integers(len(buckets), n)):
        buckets[bucket].append(number)
    for bucket, part in enumerate(buckets):
        draws = Stream(bits(swaps, bucket)).at(np.arange(len(part)))
        for last in range(len(part) - 1, 0, -1):
            other = (int(draws[last]) >> 32) * (last + 1) >> 32
            part[last], part[other] = part[other], part[last]
    assert epoch_order(n, KEY).tolist() == sum(buckets, [])


def test_items_of_drawn_users():
    csr = rows_with([3, 0, 5, 1, 2], 9)
    which, items = (int(key) for key in Stream(KEY).bits(2))
    known = [0, 2, 3, 4]

    def picked(users: list[int]) -> list[int]:
        return [row_of(csr, u)[below(items, slot, len(row_of(csr, u)))] for slot, u in enumerate(users)]

    users = [known[below(which, slot, 4)] for slot in range(12)]
    assert [part.tolist() for part in user_draws(csr, 12, KEY)] == [users, picked(users)]
    users = []
    for batch in range(5):
        order = known.copy()
        for j in range(3):
            other = j + below(which, batch * 3 + j, 4 - j)
            order[j], order[other] = order[other], order[j]
        users += order[:3]
    assert [part.tolist() for part in users_without_replacement(csr, 3, 5, KEY)] == [users, picked(users)]
    assert pick_items(csr, np.array(users), items).tolist() == picked(users)


@pytest.mark.parametrize("replace", [False, True])
def test_neighbours_of_a_row(replace, random_graph):
    csr = random_graph(20, 90)
    rows = np.array([3, 4, 11])
    found = sample_neighbours(csr, rows, 3, KEY, replace=replace)
    for k, row in enumerate(rows):
        own, near = bits(KEY, row), row_of(csr, row)
        chosen: list[int] = []
        for number in range(3):
            last = len(near) - 1 if replace else len(near) - 3 + number
            place = below(own, number, last + 1)
            chosen.append(last if place in chosen and not replace else place)
        assert row_of(found, k) == [near[place] for place in sorted(chosen)]


def test_walks_of_a_start(random_graph):
    """A hop of a walk has a draw for every step and one for going back, before each hop but the first."""
    csr, walks, hops, steps, restart = random_graph(20, 60), 4, 3, 2, 0.4
    found = random_walks(csr, np.array([5, 2]), KEY, walks=walks, hops=hops, steps=steps, restart=restart)
    for k, start in enumerate((5, 2)):
        own, expected = bits(KEY, start), []
        for walk in range(walks):
            node, visited = start, []
            for hop in range(hops):
                first = (walk * hops + hop) * (steps + 1)
                if hop and (bits(own, first + steps) >> 11) / 2.0**53 < restart:
                    break
                for step in range(steps):
                    node = row_of(csr, node)[below(own, first + step, len(row_of(csr, node)))]
                visited.append(node)
            expected += visited + [-1] * (hops - len(visited))
        assert found[k].tolist() == expected
