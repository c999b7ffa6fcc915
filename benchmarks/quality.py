"""Quality: how long a recommender takes to a published one, and unlearning beside gold. Minutes, measured once."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import replace

import numpy as np

import graphforget as gf
from benchmarks.bench import Answer, Bench, Part
from benchmarks.client import SideFailed
from benchmarks.rows import Row, Target
from graphforget.models.base import Model
from graphforget.unlearning.run import unlearn

LIBRARIES = ("torch", "numba", "numpy")

RECALL = 0.180
"""recall@20 on Gowalla's test part that is to be reached."""

MODEL = {"loss": "ssm", "temperature": 0.1, "candidates": 2048, "reg": 1e-7}
RECIPE = {"lr": 0.01, "batch": 8192, "selection": "last"}
"""LightGCN with a sampled softmax: chosen on a validation part, as README, "Results", says."""

MOST, EPOCHS = 60, 24
"""Epochs after which the search for `RECALL` is given up, and epochs of the models that unlearning starts from."""

SHARE, FASTER = 0.05, Target("ratio", ">=", 10.0)
METHODS = ("mmrecun", "fine-tune:epochs=2")
"""What is timed. Fine-tuning keeps ten epochs by itself, over a third of gold's; two have its recall, too."""
LONGEST = 3600.0


class _Reached(Exception):
    """The quality is reached; training may end."""


def time_to(inputs: Answer, data_dir: str | None, recall: float, epochs: int) -> Callable[[], Answer]:
    """Train on all training pairs until recall@20 on test, looked at every third epoch, is `recall`."""
    del inputs
    task = gf.Recommendation(gf.load("gowalla", data_dir=data_dir), mask="train", select_on="test")
    return time_to_on(task, recall, epochs)


def time_to_on(task: gf.Recommendation, recall: float, epochs: int) -> Callable[[], Answer]:
    """The same on a task that selects epochs on test."""
    answer: Answer = {}
    begin = time.perf_counter()

    def progress(epoch: int, of: int, metrics: dict[str, float]) -> None:
        del of
        if "val_recall" in metrics:
            found = {"seconds": time.perf_counter() - begin, "epoch": epoch, "recall": metrics["val_recall"]}
            answer.update({name: np.array(value) for name, value in found.items()})
            if metrics["val_recall"] >= recall:
                raise _Reached

    with suppress(_Reached):
        gf.train(gf.LightGCN(**MODEL), task, seed=2020, epochs=epochs, validate_every=3, progress=progress, **RECIPE)
    return lambda: answer


def beside_gold(inputs: Answer, data_dir: str | None, share: float, epochs: int) -> Callable[[], Answer]:
    """Forget a share of the users with each method, and retrain without them: seconds and recall@20 of each."""
    del inputs
    task = gf.Recommendation(gf.load("gowalla", data_dir=data_dir), seed=0)
    model = gf.train(gf.LightGCN(**MODEL), task, seed=0, epochs=epochs, validate_every=epochs, **RECIPE)
    return beside_gold_on(model, task, share)


def beside_gold_on(model: Model, task: gf.Recommendation, share: float) -> Callable[[], Answer]:
    """The same of a model that is trained already."""
    gone = gf.sample_deletion(task, users=share, seed=0)
    answer: Answer = {}
    for method in (*METHODS, "retrain"):
        result = unlearn(model, task, gone, method)
        z = result.model.embed(result.graph)
        answer[f"{method}-seconds"] = np.array(result.seconds)
        for part in ("test", "forgotten"):
            gone_too = result.gone if part == "forgotten" else None
            found = result.retained.metrics(z, part, gone_too, ks=(20,))
            answer[f"{method}-{part}"] = np.array(found["recall@20"])
    return lambda: answer


def once(bench: Bench, part: Part) -> tuple[Answer | None, str, str]:
    """Run a side that measures itself; return its answer, versions, and why there is none."""
    if bench.quick:
        return None, "", "not measured (it takes minutes)"
    with ExitStack() as stack:
        try:
            side = replace(bench, start=LONGEST).side(part, None, stack, bench.scratch / "once.npz")
        except SideFailed as error:
            return None, "", f"not measured ({error})"
        return bench.read("once"), bench.provenance(side.versions)["versions"], ""


def run(bench: Bench) -> list[Row]:
    """Measure."""
    data_dir = None if bench.data_dir is None else str(bench.data_dir)
    reached = Part("benchmarks.quality:time_to", {"data_dir": data_dir, "recall": RECALL, "epochs": MOST})
    forgot = Part("benchmarks.quality:beside_gold", {"data_dir": data_dir, "share": SHARE, "epochs": EPOCHS})
    return [time_row(bench, *once(bench, reached)), *gold_rows(bench, *once(bench, forgot))]


def time_row(bench: Bench, found: Answer | None, versions: str, why: str) -> Row:
    """Return the row of the time to the published quality."""
    like = _row(bench, f"LightGCN, Gowalla: recall@20 of {RECALL} on test", "min", versions, why)
    if found is not None:
        minutes = float(found["seconds"]) / 60 if found["recall"] >= RECALL else None
        note = f"one run: recall@20 {found['recall']:.4f} on test after epoch {found['epoch']}"
        like = replace(like, ours=minutes, rounds=1, note=note)
    return like.promised(Target("value", "<=", 40.0))


def gold_rows(bench: Bench, found: Answer | None, versions: str, why: str) -> list[Row]:
    """Return the rows of unlearning beside gold."""
    rows = []
    for method in METHODS:
        like = _row(bench, f"{method}, LightGCN, Gowalla, {100 * SHARE:g} % of the users", "s", versions, why)
        if found is not None:
            ours, theirs = (float(found[f"{one}-seconds"]) for one in (method, "retrain"))
            recall, gold = (
                f"{found[f'{one}-test']:.4f} and {found[f'{one}-forgotten']:.4f}" for one in (method, "retrain")
            )
            ratio = dict.fromkeys(("ratio", "low", "high"), theirs / ours)
            note = f"one run: recall@20 on test and of what was forgotten {recall}, gold's {gold}"
            like = replace(like, ours=ours, theirs=theirs, **ratio, rounds=1, note=note)
        rows.append(replace(like, peer="gold, same code").promised(FASTER))
    return rows


def _row(bench: Bench, work: str, unit: str, versions: str, why: str) -> Row:
    """Return a row without figures."""
    return Row("quality", work, unit, None, note=why, **{**bench.provenance({}), "versions": versions})
