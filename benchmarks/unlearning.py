"""Unlearning: what a deletion costs beside gold, the same code retrained without what is deleted."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

import graphforget as gf
from benchmarks.bench import Answer, Bench, Part, Peer, Work, require, times
from benchmarks.rows import Row, Target
from benchmarks.training import link_task

LIBRARIES = ("torch", "numba", "numpy")

GOLD_EPOCHS = 2000
"""Epochs of the published recipe for links. Gold is timed over some of them, and its seconds are extrapolated."""

SAMPLE = 100
"""Epochs of gold that are timed: one round of validation among them."""

SHARES = {
    0.025: {"d2dgn": None, "d2dgn-fast": 10.0, "gnndelete": None, "gnndelete-fast": 4.0},
    0.005: {"d2dgn": None, "d2dgn-fast": 10.0, "gnndelete": None, "gnndelete-fast": 10.0},
}
"""Share of the edges deleted -> method -> how many times faster than gold is promised.

The promises are for reaching the acceptance bands: `d2dgn-fast` has test AUC and MI ratio above GNNDelete's and
forgotten AUC above gold's; `gnndelete-fast` has the AUCs of the default, in a fifth of the epochs.
"""

QUICK_SHARE = 0.025
"""The share that a quick run measures."""

EPOCHS = {"d2dgn": 250, "d2dgn-fast": 150, "gnndelete": 1500, "gnndelete-fast": 300}
"""Epochs of the methods' defaults."""


def deletion(
    inputs: Answer, graph: str, data_dir: str | None, share: float, method: str, epochs: int
) -> Callable[[], Answer]:
    """Unlearn a share of the edges near the test edges with a method, from a model that has not been trained long.

    Time does not depend on the weights; quality does, and is not measured here.
    """
    del inputs
    return deletion_on(link_task(graph, data_dir), share, method, epochs)


def deletion_on(task: gf.LinkPrediction, share: float, method: str, epochs: int) -> Callable[[], Answer]:
    """The same on a task."""
    model = gf.train(gf.GCN(hidden=128, out=64), task, seed=0, epochs=5, validate_every=5)
    gone = gf.sample_deletion(task, edges=share, where="in", seed=0)

    def call() -> Answer:
        result = gf.unlearn(model, task, gone, method=method, epochs=epochs)
        left = np.array(result.retained.graph.n_edges)
        return {"left": left, "gone": np.array(result.gone.count), "change": np.array(result.parameter_change)}

    return call


def gold(inputs: Answer, graph: str, data_dir: str | None, share: float, epochs: int) -> Callable[[], Answer]:
    """Retrain without a share of the edges, for some epochs."""
    del inputs
    return gold_on(link_task(graph, data_dir), share, epochs)


def gold_on(task: gf.LinkPrediction, share: float, epochs: int) -> Callable[[], Answer]:
    """The same on a task.

    The retained data are made beforehand: set-up would be counted with every sample of epochs.
    """
    retained = task.without(task.resolve(gf.sample_deletion(task, edges=share, where="in", seed=0)))

    def call() -> Answer:
        gf.train(gf.GCN(hidden=128, out=64), retained, seed=0, epochs=epochs)
        return {"left": np.array(retained.graph.n_edges)}

    return call


def forgot(answer: Answer) -> None:
    """Raise WrongAnswer unless something was deleted and the model moved."""
    require(int(answer["gone"]) > 0, "nothing was deleted")
    require(float(answer["change"]) > 1e-6, "the model did not move")


def same_retained(ours: Answer, theirs: Answer) -> None:
    """Raise WrongAnswer unless both retain the same number of edges."""
    require(int(ours["left"]) == int(theirs["left"]), f"{ours['left']} edges are retained here, {theirs['left']} there")


def beside_gold(bench: Bench, graph: str, share: float, method: str, floor: float | None) -> list[Row]:
    """Measure a method's whole deletion beside gold's whole training, which is extrapolated from some of its epochs.

    A quick run extrapolates the method as well, its set-up included.
    """
    data_dir = None if bench.data_dir is None else str(bench.data_dir)
    options = {"graph": graph, "data_dir": data_dir, "share": share}
    sample = SAMPLE // 5 if bench.quick else SAMPLE
    epochs = sample if bench.quick else EPOCHS[method]
    many, gold_many = EPOCHS[method] / epochs, GOLD_EPOCHS / sample
    extrapolated = f", extrapolated from {epochs} epochs" if many > 1 else ""
    note = f"{sample} of {GOLD_EPOCHS:,} epochs are timed, without set-up; quality is not compared here"
    other = Peer(
        Part("benchmarks.unlearning:gold", {**options, "epochs": sample}),
        None if floor is None else Target("ratio", ">=", floor),
        same_retained,
        note,
        gold_many / many,
    )
    work = Work(
        f"{method}, {graph}, {100 * share:g} % of the edges, in{extrapolated}",
        "s",
        Part("benchmarks.unlearning:deletion", {**options, "method": method, "epochs": epochs}),
        times(many),
        {f"gold, same code, extrapolated from {sample} epochs": other},
        check=forgot,
        slow=share != QUICK_SHARE,
    )
    return bench.run("unlearning", work)


def per_epoch(bench: Bench, graph: str) -> list[Row]:
    """Measure GNNDelete's set-up, and its epochs with the set-up: at most 12 ms each and .2 s."""
    data_dir = None if bench.data_dir is None else str(bench.data_dir)
    options = {"graph": graph, "data_dir": data_dir, "share": 0.025, "method": "gnndelete"}
    rows = []
    for name, epochs, most in (
        ("set-up and first epoch", 1, 0.2),
        (f"set-up and {SAMPLE} epochs", SAMPLE, 0.2 + 0.012 * SAMPLE),
    ):
        part = Part("benchmarks.unlearning:deletion", {**options, "epochs": epochs})
        target = Target("value", "<=", most)
        work = Work(f"gnndelete, {graph}, 2.5 % in: {name}", "s", part, times(1.0), {}, target, check=forgot)
        rows += bench.run("unlearning", work)
    return rows


def run(bench: Bench) -> list[Row]:
    """Measure."""
    rows = per_epoch(bench, "dblp")
    for share, methods in SHARES.items():
        for method, floor in methods.items():
            rows += beside_gold(bench, "dblp", share, method, floor)
    return rows
