"""Two processes that share every batch train as one process with the doubled batch does."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from graphforget._core.errors import UnsupportedError
from graphforget.models.lightgcn import LightGCN
from graphforget.training.sampled import check_divisible
from graphforget.training.train import train
from graphforget.training.workers import ALONE, Workers, nothing

CHILD = Path(__file__).with_name("worker.py")
ROOT = CHILD.parents[2]


@pytest.fixture(scope="module")
def child(module_at):
    """The child's module, to run it here."""
    return module_at(CHILD)


@pytest.fixture(scope="module")
def pair(tmp_path_factory):
    """What two processes on this machine, with the environment that torchrun gives them, have trained."""
    folder = tmp_path_factory.mktemp("workers")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    path = os.pathsep.join([str(ROOT), os.environ.get("PYTHONPATH", "")])
    common = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "WORLD_SIZE": "2", "PYTHONPATH": path}
    threads = {"NUMBA_NUM_THREADS": "1", "OMP_NUM_THREADS": "1", "OMP_WAIT_POLICY": "passive"}
    started = [
        subprocess.Popen(
            [sys.executable, str(CHILD), str(folder)],
            env={**os.environ, **common, **threads, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        told = [process.communicate(timeout=600)[1] for process in started]
    finally:
        for process in started:
            process.kill()
    assert [process.returncode for process in started] == [0, 0], told
    told = [json.loads((folder / f"{rank}.json").read_text(encoding="utf-8")) for rank in range(2)]
    left = [json.loads((folder / f"{rank}.left.json").read_text(encoding="utf-8")) for rank in range(2)]
    return [{**found, "left": gone} for found, gone in zip(told, left, strict=True)]


@pytest.mark.parametrize("name", ["link", "node", "recommend"])
def test_two_processes_are_one_with_the_doubled_batch(child, pair, name):
    backbone, task, recipe = child.parts(name)
    recipe["batch"] += recipe["batch"] % 2  # what two halves, rounded up, make together
    history = train(backbone, task, **recipe).provenance.history
    assert pair[0][name] == pair[1][name]
    found = pair[0][name]["history"]
    assert [entry["loss"] for entry in found] == pytest.approx([entry["loss"] for entry in history], rel=2e-5)
    assert len(found) == 3 and found[-1]["loss"] < found[0]["loss"]
    halved = train(backbone, task, **{**recipe, "batch": recipe["batch"] // 2}).provenance.history
    assert halved[-1]["loss"] != pytest.approx(found[-1]["loss"], rel=2e-5)


def test_all_take_the_metrics_of_the_first(pair):
    assert pair[0]["metrics"] == pair[1]["metrics"] == {"a": 0.1, "b": 1e300}


def test_a_checkpoint_that_not_all_of_them_see_is_refused(pair):
    for told in pair:
        assert "2 processes do not train the same: the checkpoint to go on from differs" in told["refused"]


def test_the_threads_of_the_group_end_before_python_does(pair):
    assert [told["left"] for told in pair] == [[True], [True]]


def test_parts_cover_a_batch_once():
    for size in (0, 1, 2, 7, 100):
        parts = [Workers(rank, 3).part(size) for rank in range(3)]
        assert parts[0][0] == 0 and parts[-1][1] == size
        assert all(left[1] == right[0] for left, right in zip(parts, parts[1:], strict=False))


def test_an_empty_part_has_gradients_of_zero():
    layer = torch.nn.Linear(3, 2)
    loss = nothing(layer.parameters())
    loss.backward()
    assert float(loss.detach()) == 0 and all(not p.grad.any() for p in layer.parameters())


@pytest.mark.parametrize("elsewhere", [False, True])
def test_a_parameter_without_a_gradient_in_any_process_stays_without(monkeypatch, elsewhere):
    layer = torch.nn.Linear(3, 2)
    layer.unused = torch.nn.Parameter(torch.ones(4))
    layer(torch.ones(1, 3)).sum().backward()
    mine = layer.weight.grad.clone()

    def with_the_other(values):
        theirs = values.clone()
        theirs[-3:] = torch.tensor([1.0, 1.0, float(elsewhere)])[order]
        return values + theirs

    order = [["weight", "bias", "unused"].index(name) for name, _ in layer.named_parameters()]
    monkeypatch.setattr("graphforget.training.workers._summed", with_the_other)
    Workers(0, 2).add_gradients(layer)
    assert torch.equal(layer.weight.grad, 2 * mine)
    assert layer.unused.grad.tolist() == [0.0] * 4 if elsewhere else layer.unused.grad is None


@pytest.mark.parametrize("options", [{"reg_form": "norm"}, {"reg_per_batch": False}, {"loss": "softmax"}])
def test_a_loss_that_belongs_to_a_whole_batch_is_not_shared(options):
    with pytest.raises(UnsupportedError, match="2 processes cannot share a batch"):
        check_divisible(LightGCN(**options), Workers(0, 2))
    check_divisible(LightGCN(**options), ALONE)
    check_divisible(LightGCN(), Workers(0, 2))
