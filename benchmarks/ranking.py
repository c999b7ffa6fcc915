"""Full ranking: recall and ndcg at 20 of every user over all items, training items masked."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from benchmarks.bench import Answer, Bench, Bound, Part, Peer, Work, per_second, require, require_close
from benchmarks.inputs import WIDTH, gowalla, normal, pairs, part, trained
from benchmarks.limits import TILE
from benchmarks.rows import Row, Target
from graphforget.kernels.csr import CSR, edges_to_csr
from graphforget.kernels.ranked_metrics import ranking_metrics
from graphforget.kernels.topk import top_items

LIBRARIES = ("numba", "numpy")

K = 20

EVERY = 16
"""RecBole evaluates one user in so many."""


def ranked(inputs: Answer) -> Callable[[], Answer]:
    """Rank all items for all users and measure the lists."""
    train, test = part(inputs, "train"), part(inputs, "test")

    def call() -> Answer:
        ids, scores = top_items(inputs["users"], inputs["items"], [train], K)
        found = ranking_metrics(ids, test, (K,), n_items=test.n_cols)
        return {"ids": ids, "scores": scores, "recall": found[f"recall@{K}"], "ndcg": found[f"ndcg@{K}"]}

    return call


def same_lists(inputs: Answer) -> Callable[[Answer, Answer], None]:
    """Return the check that lists agree: the scores at every place, and nearly all items (ties may be in any order)."""

    def scores(ids: np.ndarray) -> np.ndarray:
        return np.einsum("uk,unk->un", inputs["users"], inputs["items"][ids])

    def check(ours: Answer, theirs: Answer) -> None:
        require_close(scores(ours["ids"]), scores(theirs["ids"]), 1e-5, "scores of the best items")
        same = float((ours["ids"] == theirs["ids"]).mean())
        require(same > 0.999, f"only {100 * same:.1f} % of the places hold the same item")

    return check


def same_metric(name: str, tolerance: float) -> Callable[[Answer, Answer], None]:
    """Return the check that a metric agrees."""

    def check(ours: Answer, theirs: Answer) -> None:
        off = abs(float(ours[name]) - float(theirs[name]))
        require(off <= tolerance, f"{name} is {float(ours[name]):.6f} here and {float(theirs[name]):.6f} there")

    return check


def same_recall_of_some(inputs: Answer, every: int) -> Callable[[Answer, Answer], None]:
    """Return the check that a recall over every `every`-th user is that of our lists."""
    test = part(inputs, "test")

    def check(ours: Answer, theirs: Answer) -> None:
        users = np.arange(0, test.n_rows, every)
        some = edges_to_csr(*_pairs_of(test, users), len(users), test.n_cols)
        found = ranking_metrics(ours["ids"][users], some, (K,), n_items=test.n_cols)
        same_metric("recall", 1e-4)({"recall": found[f"recall@{K}"]}, theirs)

    return check


def _pairs_of(csr: CSR, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the entries of some rows as (place of the row in `rows`, column)."""
    found = [csr.indices[csr.indptr[row] : csr.indptr[row + 1]] for row in rows]
    return np.repeat(np.arange(len(rows)), [len(columns) for columns in found]), np.concatenate(found)


def peers(inputs: Answer, threads: int, floor: float) -> dict[str, Peer]:
    """Return the peers; `floor` is the ratio to implicit that is promised."""
    options = {"k": K, "threads": threads}
    promised = Target("ratio", ">=", floor)
    return {
        "implicit ranking_metrics_at_k": Peer(
            Part("benchmarks.peers.implicit:metrics", options, "pyg"), promised, same_metric("ndcg", 1e-6)
        ),
        "implicit recommend": Peer(
            Part("benchmarks.peers.implicit:recommend", options, "pyg"), None, same_lists(inputs), "lists, no metrics"
        ),
        "torch product, mask, topk": Peer(
            Part("benchmarks.peers.torch:ranked", {"k": K, "block": 64}, "pyg"),
            None,
            same_lists(inputs),
            "blocks of 64 users, lists, no metrics",
        ),
        "RecBole full-sort evaluation": Peer(
            Part("benchmarks.peers.recbole:evaluation", {"k": K, "batch": 256, "every": EVERY}, "recbole"),
            None,
            same_recall_of_some(inputs, EVERY),
            f"eval_batch_size of 256 users; every {EVERY}th user alone, whose time is taken {EVERY} times",
            float(EVERY),
            slow=True,
        ),
    }


def run(bench: Bench) -> list[Row]:
    """Measure on random embeddings, which cannot be pruned, and on trained ones."""
    data = gowalla(bench.data_dir)
    z = normal("ranking", data.n_nodes, WIDTH)
    rows = one(bench, "random embeddings", z, 2.5)
    z = trained(data, bench.envs, make=not bench.quick)
    if z is None:
        note = "left out: a run without --quick trains the embeddings"
        return [*rows, Row("ranking", "trained embeddings", "users/s", None, note=note, **bench.provenance({}))]
    return rows + one(bench, "trained embeddings", z, 5.0)


def one(bench: Bench, name: str, z: np.ndarray, floor: float) -> list[Row]:
    """Measure with given embeddings, (n_users + n_items, d)."""
    data = gowalla(bench.data_dir)
    inputs = {**pairs(data), "users": z[: data.n_users], "items": z[data.n_users :]}
    tiles = round(data.n_users * data.n_items / (TILE[0] * TILE[1]))
    bound = Bound("product in float32", Part("benchmarks.limits:gemm", {"tiles": tiles, "depth": z.shape[1]}))
    others = peers(inputs, bench.threads, floor)
    ours, rate = Part("benchmarks.ranking:ranked"), per_second(data.n_users)
    return bench.run("ranking", Work(f"full ranking, {name}", "users/s", ours, rate, others, None, bound), inputs)
