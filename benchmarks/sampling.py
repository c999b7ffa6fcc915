"""Negative sampling: items that a user has not chosen, and whole epochs of triples."""

from __future__ import annotations

from collections.abc import Callable

import numba
import numpy as np

from benchmarks.bench import Answer, Bench, Bound, Part, Peer, Work, per_second, require
from benchmarks.inputs import gowalla, interactions, pairs, part, random_rows
from benchmarks.rows import Row, Target
from graphforget._core.streams import Streams
from graphforget.kernels.csr import CSR
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.orders import epoch_order, user_draws
from graphforget.kernels.row_sets import RowSets, member_mask
from graphforget.tasks.recommend_batches import epoch_triples

LIBRARIES = ("numba", "numpy")

BATCH = 2048
DEGREES = ((8, 40_981), (128, 40_981), (2_048, 40_981), (16_384, 40_981), (3_600, 4_000), (3_960, 4_000))
USERS = 64
"""Users of every degree."""

FLOOR = Target("value", ">=", 80.0)
LOOK_UPS = Bound("one look-up per draw", Part("benchmarks.limits:look_ups"))


def negatives(inputs: Answer) -> Callable[[], Answer]:
    """Draw one item outside the row's set for every entry of `rows`, with another key in each call."""
    sets, rows, key = RowSets.of(part(inputs, "train")), inputs["rows"], [0]

    def call() -> Answer:
        key[0] += 1
        return {"negatives": sample_items(sets, rows, key[0])}

    return call


def epoch(inputs: Answer) -> Callable[[], Answer]:
    """Make the triples of an epoch, every training pair once in random order, and cut them into batches."""
    data, number = interactions(inputs), [0]
    sets = RowSets.of(data.train)

    def call() -> Answer:
        number[0] += 1
        drawn = epoch_triples(data, sets, "edges", "uniform", Streams(0), number[0], BATCH)
        batches = [drawn.part(at, at + BATCH) for at in range(0, len(drawn), BATCH)]
        assert sum(len(batch) for batch in batches) == len(drawn)
        return {"users": drawn.users, "items": drawn.items, "negatives": drawn.others}

    return call


def free(train: CSR, rows: np.ndarray) -> Callable[[Answer], None]:
    """Return the check that every negative is an item outside its row's set, of ours or of a peer."""
    sets = RowSets.of(train)

    def check(answer: Answer) -> None:
        drawn = answer["negatives"]
        require(len(drawn) == len(rows), f"{len(drawn):,} negatives for {len(rows):,} rows")
        require(bool((drawn >= 0).all() and (drawn < train.n_cols).all()), "a negative is no item")
        require(not member_mask(sets, rows, drawn.astype(np.int64)).any(), "a negative is an item of its user")
        spread = len(np.unique(drawn)) / min(train.n_cols, len(drawn))
        require(len(np.unique(rows)) < 100 or spread > 0.5, f"only {100 * spread:.0f} % of the items are ever drawn")

    return check


def free_pairs(train: CSR, strict: bool = True) -> Callable[[Answer], None]:
    """Return the check of triples: positives are training pairs, each once where `strict`, and negatives are free."""
    sets = RowSets.of(train)

    def check(answer: Answer) -> None:
        users, items = (answer[key].astype(np.int64) for key in ("users", "items"))
        require(bool(member_mask(sets, users, items).all()), "a positive is no training pair")
        keys = np.unique(users * train.n_cols + items)
        require(not strict or len(keys) == train.nnz == len(users), "not every training pair stands once")
        free(train, users)(answer)

    return check


def same_for_any_threads(inputs: Answer) -> None:
    """Raise WrongAnswer unless one thread draws what all threads draw."""
    many = negatives(inputs)()["negatives"]
    before = numba.get_num_threads()
    numba.set_num_threads(1)
    one = negatives(inputs)()["negatives"]
    numba.set_num_threads(before)
    require(np.array_equal(many, one), "one thread draws other negatives")


def peers(train: CSR, rows: np.ndarray, share: int = 1, users: int | None = None) -> dict[str, Peer]:
    """Return the peers that draw a negative for each of given users, or for each training pair.

    RecBole draws for the first of `share` equal parts of the rows, PyG for the pairs of the first users; all of them
    where None.
    """
    some = rows[: len(rows) // share]
    n_pairs = int(train.indptr[train.n_rows if users is None else users])
    check, floor = free(train, some), free_pairs(train, strict=False)
    few = f", {n_pairs:,} of them" if users is not None else ""
    return {
        "RecBole Sampler": Peer(
            Part("benchmarks.peers.recbole:negatives", {"count": len(some)}, "recbole"),
            Target("ratio", ">=", 10.0),
            lambda ours, theirs: check(theirs),
            f"{len(some):,} of {len(rows):,} negatives" if share > 1 else "",
            len(rows) / len(some),
        ),
        "PyG structured_negative_sampling": Peer(
            Part("benchmarks.peers.pyg:structured_negatives", {"users": users}, "pyg"),
            Target("ratio", ">=", 80.0),
            lambda ours, theirs: floor(theirs),
            f"a negative for each training pair{few}",
            len(rows) / n_pairs,
        ),
    }


def pair_peer(train: CSR, count: int) -> Peer:
    """Return PyG's sampler of pairs without a positive, `count` of ours for each pair of the training part."""
    return Peer(
        Part("benchmarks.peers.pyg:negative_pairs", environment="pyg"),
        Target("ratio", ">=", 80.0),
        lambda ours, theirs: require(not member_mask(RowSets.of(train), *theirs["pairs"]).any(), "not free"),
        "pairs without a positive",
        count / train.nnz,
    )


def run(bench: Bench) -> list[Row]:
    """Measure."""
    data = gowalla(bench.data_dir)
    train, arrays = data.train, pairs(data)
    rate = per_second(data.n_edges / 1e6)
    uniform = user_draws(train, data.n_edges, 1)[0]
    ordered = data.edges[0].astype(np.int32)
    same_for_any_threads({**arrays, "rows": uniform})
    ours = Part("benchmarks.sampling:negatives")
    others = {**peers(train, uniform), "PyG negative_sampling": pair_peer(train, len(uniform))}
    work = Work("negatives, uniform users", "M/s", ours, rate, others, FLOOR, LOOK_UPS, check=free(train, uniform))
    rows = bench.run("sampling", work, {**arrays, "rows": uniform})
    work = Work("negatives, pairs in order", "M/s", ours, rate, {}, FLOOR, LOOK_UPS, check=free(train, ordered))
    rows += bench.run("sampling", work, {**arrays, "rows": ordered})
    for degree, n_items in DEGREES:
        rows += at_degree(bench, degree, n_items)
    loader = Peer(
        Part("benchmarks.peers.recbole:epoch", {"batch": BATCH}, "recbole"),
        check=lambda ours, theirs: free_pairs(train)(theirs),
    )
    return rows + bench.run(
        "sampling",
        Work(
            f"epoch: order, triples, batches of {BATCH:,}",
            "M/s",
            Part("benchmarks.sampling:epoch"),
            rate,
            {"RecBole train dataloader": loader},
            Target("value", ">=", 40.0),
            Bound("look-ups, and a random write per pair", Part("benchmarks.limits:look_ups", {"shuffle": True})),
            check=free_pairs(train),
        ),
        {**arrays, "rows": ordered[epoch_order(len(ordered), 1)]},
    )


def at_degree(bench: Bench, degree: int, n_items: int) -> list[Row]:
    """Measure users who all have `degree` of the items."""
    train = random_rows(USERS, n_items, degree)
    rows = np.repeat(np.arange(USERS, dtype=np.int32), 8192)
    dense = 2 * degree > n_items
    share = f" ({100 * degree // n_items} %)" if dense else ""
    others = peers(train, rows, 64 if dense else 8, 4 if dense else None)
    work = Work(
        f"users with {degree:,} of {n_items:,} items{share}",
        "M/s",
        Part("benchmarks.sampling:negatives"),
        per_second(len(rows) / 1e6),
        others,
        FLOOR,
        LOOK_UPS,
        check=free(train, rows),
        slow=(degree, n_items) != DEGREES[-1],
    )
    return bench.run("sampling", work, {**known_items(train), "rows": rows})


def known_items(train: CSR) -> Answer:
    """Return a training part as `pairs` gives it, and two last users whose test parts hold half of the items each.

    RecBole knows no items but those it reads, and refuses a user who has all of them.
    """
    n_users, n_items = train.n_rows + 2, train.n_cols
    return {
        "sizes": np.array([n_users, n_items]),
        "train_indptr": np.append(train.indptr, [train.nnz] * 2),
        "train_indices": train.indices,
        "test_indptr": np.append(np.zeros(n_users - 1, np.int64), [n_items // 2, n_items]),
        "test_indices": np.arange(n_items, dtype=np.int32),
    }
