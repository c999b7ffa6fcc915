"""What the tests of data-parallel training start: `python worker.py FOLDER NAME`, as one of the processes of a run."""

from __future__ import annotations

import atexit
import json
import sys
import weakref
from pathlib import Path

import torch

from graphforget._core.errors import UsageError
from graphforget.data.load import load
from graphforget.models.base import Model
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.tasks.base import Task
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train, weights_digest
from graphforget.training.workers import Workers

EPOCHS = {"validate_every": 1, "patience": None, "selection": "last", "epochs": 3}
RUNS = {
    "link": (GCN(hidden=8, out=8), LinkPrediction, "sample-citations", 1500, {"neighbours": "4,3", "lr": 0.01}),
    "node": (GCN(hidden=8), NodeClassification, "sample-citations", 101, {"neighbours": "4,3", "max_grad_norm": 0.1}),
    "recommend": (LightGCN(dim=8, layers=2), Recommendation, "sample-shop", 200, {"neighbours": "4,3", "lr": 0.01}),
}
"""Backbone, task, data, batch of a run with one process, and what else its recipe says."""


def parts(name: str) -> tuple[Model, Task, dict]:
    """Return backbone, task and recipe of a run with one process."""
    backbone, make, data, batch, recipe = RUNS[name]
    return backbone, make(load(data), seed=2), {**EPOCHS, **recipe, "batch": batch}


def other_checkpoint(folder: Path, rank: str) -> str:
    """Return what a run says whose second process does not see the checkpoint that the first one goes on from."""
    backbone, task, recipe = parts("node")
    recipe["batch"] = -(-recipe["batch"] // 2)
    try:
        train(backbone, task, checkpoint=folder / ("node.safetensors" if rank == "0" else "none"), **recipe)
    except UsageError as error:
        return str(error)
    return "nothing"


def write_left(group: list[weakref.ref], file: Path) -> None:
    """Write, when Python ends, whether the process group with its threads has ended before."""
    file.write_text(json.dumps([one() is None for one in group]), encoding="utf-8")


def main(folder: Path, rank: str) -> None:
    """Train each run as one of two processes, with half of its batch, and write what came out."""
    found, group = {}, []
    atexit.register(write_left, group, folder / f"{rank}.left.json")  # before the group's own, thus called after it
    for name in RUNS:
        backbone, task, recipe = parts(name)
        recipe["batch"] = -(-recipe["batch"] // 2)
        checkpoint = folder / f"{name}.safetensors"
        model = train(backbone, task, checkpoint=checkpoint, **recipe)
        found[name] = {"history": model.provenance.history, "weights": weights_digest(model)}
    found["metrics"] = Workers.joined(torch.device("cpu")).of_first({"a": int(rank) + 0.1, "b": 1e300}, "cpu")
    group.append(weakref.ref(torch.distributed.group.WORLD))
    found["refused"] = other_checkpoint(folder, rank)
    (folder / f"{rank}.json").write_text(json.dumps(found), encoding="utf-8")


if __name__ == "__main__":
    import os

    main(Path(sys.argv[1]), os.environ["RANK"])
