"""Training models on tasks: the published recipe, seeds, and runs that go on where they stopped."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from graphforget._core.errors import DataError
from graphforget.models.gat import GAT
from graphforget.models.gcn import GCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training import checkpoint
from graphforget.training.recipe import LINK, NODE, Recipe
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion

FEW = {"epochs": 9, "validate_every": 2}


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """100 nodes."""
    return random_attributed_graph(n=100, n_edges=300)


@pytest.fixture(scope="module")
def tasks(graph):
    """A link and a node task."""
    return {"link": LinkPrediction(graph, seed=3), "node": NodeClassification(graph, seed=3)}


class Stop(Exception):
    """What a test raises inside a run."""


def stop_at(epoch: int):
    """Return a progress function that raises in the given epoch."""

    def progress(now, epochs, metrics):
        if now == epoch:
            raise Stop

    return progress


def test_the_published_recipe():
    """Section 3: Adam 1e-3 without weight decay, 2,000 epochs."""
    assert (LINK.epochs, LINK.lr, LINK.weight_decay, LINK.selection) == (2000, 1e-3, 0.0, "val_auc")
    assert NODE.selection == "val_accuracy"


@pytest.mark.parametrize("name", ["link", "node"])
def test_the_seed_decides_every_byte(tasks, weights, name):
    backbone = GCN(hidden=8)
    one, two = train(backbone, tasks[name], **FEW), train(backbone, tasks[name], **FEW)
    assert weights(one) == weights(two) != weights(train(backbone, tasks[name], seed=4, **FEW))
    assert weights(one) == weights(train(backbone, tasks[name], seed=3, **FEW))
    assert backbone.n_features is None and not list(backbone.parameters())


@pytest.mark.parametrize("name", ["link", "node"])
def test_it_learns(tasks, name):
    task = tasks[name]
    model = train(GCN(hidden=16), task, epochs=120, lr=0.02, validate_every=10)
    history = model.provenance.history
    assert history[-1]["loss"] < 0.97 * history[0]["loss"]
    assert max(entry[task.selection] for entry in history) > 0.6


def test_provenance_records_what_decided_the_run(tasks):
    model = train(GCN(hidden=8), tasks["link"], seed=11, **FEW)
    made = model.provenance
    assert made.recipe == replace(LINK, **FEW) and (made.seed, made.task) == (11, "link")
    best = max(made.history, key=lambda entry: entry["val_auc"])
    assert made.best_epoch == best["epoch"] and [entry["epoch"] for entry in made.history] == [2, 4, 6, 8, 9]


def test_the_last_layer_fits_the_task(tasks):
    assert train(GCN(hidden=8), tasks["node"], epochs=1).embed(tasks["node"].graph).shape == (100, 3)
    assert train(GCN(hidden=8), tasks["link"], epochs=1).embed(tasks["link"].graph).shape == (100, 64)
    assert train(GCN(hidden=8, out=5), tasks["link"], epochs=1).embed(tasks["link"].graph).shape == (100, 5)


@pytest.mark.parametrize("name", ["link", "node"])
@pytest.mark.parametrize("epoch", [1, 2, 3, 6, 8, 9])
def test_a_run_stopped_anywhere_resumes_to_the_same_bytes(tasks, weights, tmp_path, name, epoch):
    whole = train(GCN(hidden=8), tasks[name], **FEW)
    path = tmp_path / "run.safetensors"
    with pytest.raises(Stop):
        train(GCN(hidden=8), tasks[name], checkpoint=path, progress=stop_at(epoch), **FEW)
    assert path.exists() == (epoch > 1)
    seen = []
    resumed = train(GCN(hidden=8), tasks[name], checkpoint=path, progress=lambda now, *rest: seen.append(now), **FEW)
    assert weights(resumed) == weights(whole) and resumed.provenance == whole.provenance
    last_saved = epoch if epoch == 9 else epoch - epoch % 2
    assert seen == list(range(last_saved + 1, 10))


def test_stopping_again_and_again_changes_nothing(tasks, weights, tmp_path):
    task, path = tasks["link"], tmp_path / "run.safetensors"
    for epoch in (2, 3, 5, 6, 7, 8):
        with pytest.raises(Stop):
            train(GCN(hidden=8), task, checkpoint=path, progress=stop_at(epoch), **FEW)
    whole = train(GCN(hidden=8), task, **FEW)
    assert weights(train(GCN(hidden=8), task, checkpoint=path, **FEW)) == weights(whole)
    assert weights(train(GCN(hidden=8), task, checkpoint=path, **FEW)) == weights(whole)  # finished: read only


def test_patience_survives_a_stop(tasks, weights, tmp_path):
    recipe = Recipe(epochs=40, validate_every=1, patience=2, selection="val_accuracy", lr=0.05)
    whole = train(GCN(hidden=8), tasks["node"], recipe=recipe)
    stopped = whole.provenance.history[-1]["epoch"]
    assert stopped < 40
    path = tmp_path / "run.safetensors"
    with pytest.raises(Stop):
        train(GCN(hidden=8), tasks["node"], recipe=recipe, checkpoint=path, progress=stop_at(stopped - 1))
    resumed = train(GCN(hidden=8), tasks["node"], recipe=recipe, checkpoint=path)
    assert resumed.provenance == whole.provenance and weights(resumed) == weights(whole)


@pytest.mark.parametrize("method", ["d2dgn", "gnndelete", "fine-tune", "gradient-ascent", "retrain"])
@pytest.mark.parametrize("epoch", [1, 2, 5])
def test_a_stopped_unlearning_resumes_to_the_same_bytes(tasks, weights, tmp_path, method, epoch):
    task = tasks["link"]
    model = train(GCN(hidden=8), task, epochs=6, validate_every=2)
    deletion, path = sample_deletion(task, edges=5), tmp_path / "run.safetensors"
    few = {"epochs": 6, "validate_every": 2} if method != "retrain" else {}
    few = {"epochs": 6} if method == "gradient-ascent" else few
    whole = unlearn(model, task, deletion, method, **few)
    with pytest.raises(Stop):
        unlearn(model, task, deletion, method, checkpoint=path, progress=stop_at(epoch), **few)
    resumed = unlearn(model, task, deletion, method, checkpoint=path, **few)
    assert weights(resumed.model) == weights(whole.model)
    assert resumed.history == whole.history and resumed.parameter_change == whole.parameter_change


def other_runs(graph, task):
    """Return calls that differ from train(GCN(hidden=8), task, seed 3) in one thing each."""
    shifted = LinkPrediction(graph.without(edges=[0]), seed=3)
    return {
        "seed": (GCN(hidden=8), task, {"seed": 4}),
        "epochs": (GCN(hidden=8), task, {"epochs": 10}),
        "lr": (GCN(hidden=8), task, {"lr": 0.5}),
        "data": (GCN(hidden=8), shifted, {}),
        "width": (GCN(hidden=9), task, {}),
        "layers": (GCN(hidden=8, layers=3), task, {}),
        "backbone": (GAT(hidden=8), task, {}),
    }


@pytest.mark.parametrize("what", ["seed", "epochs", "lr", "data", "width", "layers", "backbone"])
def test_the_checkpoint_of_another_run_is_refused(graph, tasks, tmp_path, what):
    path = tmp_path / "run.safetensors"
    train(GCN(hidden=8), tasks["link"], checkpoint=path, **FEW)
    backbone, task, changes = other_runs(graph, tasks["link"])[what]
    with pytest.raises(DataError, match="belongs to a run with other data, settings or seed") as caught:
        train(backbone, task, checkpoint=path, **{**FEW, **changes})
    assert str(path) in str(caught.value) and "delete it" in str(caught.value)


def given_splits(graph):
    """Return pairs of tasks that differ in a split that was given, and in nothing that their words or data tell."""
    link = LinkPrediction(graph, seed=3)
    turned = replace(link.split, val=link.split.test, test=link.split.val)
    rows = np.arange(graph.n_nodes)
    parts = {"train": rows[:80], "val": rows[80:90], "test": rows[90:]}
    other = {"train": rows[20:], "val": rows[10:20], "test": rows[:10]}
    masks = [replace(graph, masks={name: np.isin(rows, part) for name, part in one.items()}) for one in (parts, other)]
    return {
        "link": [LinkPrediction(graph, seed=3, parts=one) for one in (link.split, turned)],
        "node": [NodeClassification(graph, seed=3, parts=one) for one in (parts, other)],
        "public": [NodeClassification(one, seed=3, split="public") for one in masks],
    }


@pytest.mark.parametrize("what", ["link", "node", "public"])
def test_the_checkpoint_of_another_given_split_is_refused(graph, tmp_path, what):
    (task, other), paths = given_splits(graph)[what], [tmp_path / name for name in ("train", "unlearn")]
    assert repr(task) == repr(other) and task.graph.digest == other.graph.digest
    model, deletion = train(GCN(hidden=8), task, checkpoint=paths[0], **FEW), sample_deletion(task, edges=5)
    unlearn(model, task, deletion, "fine-tune", epochs=2, checkpoint=paths[1])
    with pytest.raises(DataError, match="belongs to a run with other data"):
        train(GCN(hidden=8), other, checkpoint=paths[0], **FEW)
    with pytest.raises(DataError, match="belongs to a run with other data"):
        unlearn(model, other, deletion, "fine-tune", epochs=2, checkpoint=paths[1])


def test_the_checkpoint_of_another_original_deletion_or_method_is_refused(tasks, tmp_path):
    task, path = tasks["link"], tmp_path / "run.safetensors"
    model, twin = (train(GCN(hidden=8), task, seed=seed, epochs=2) for seed in (1, 2))
    deletion, other = sample_deletion(task, edges=5), sample_deletion(task, edges=6)
    unlearn(model, task, deletion, "d2dgn", epochs=2, checkpoint=path)
    for start, gone, changes in (
        (twin, deletion, {}),
        (model, other, {}),
        (model, deletion, {"alpha": 0.3}),
        (model, deletion, {"seed": 8}),
    ):
        with pytest.raises(DataError, match="belongs to a run"):
            unlearn(start, task, gone, "d2dgn", epochs=2, checkpoint=path, **changes)
    with pytest.raises(DataError, match="belongs to a run"):
        unlearn(model, task, deletion, "fine-tune", epochs=2, checkpoint=path)


def test_the_checkpoint_of_other_libraries_is_refused(tasks, tmp_path, monkeypatch):
    path = tmp_path / "run.safetensors"
    train(GCN(hidden=8), tasks["link"], checkpoint=path, **FEW)
    monkeypatch.setattr(checkpoint, "version", lambda name: "9.9")
    with pytest.raises(DataError, match=r"made with torch 2\..*; with torch 9.9, numpy 9.9, numba 9.9 the run would"):
        train(GCN(hidden=8), tasks["link"], checkpoint=path, **FEW)


def test_the_checkpoint_of_older_code_is_refused(tasks, tmp_path, monkeypatch):
    task, paths = tasks["link"], [tmp_path / name for name in ("train.safetensors", "unlearn.safetensors")]
    model = train(GCN(hidden=8), task, checkpoint=paths[0], **FEW)
    deletion = sample_deletion(task, edges=5)
    unlearn(model, task, deletion, "d2dgn", epochs=2, checkpoint=paths[1])
    monkeypatch.setattr("graphforget.training.train.REVISION", 99)
    monkeypatch.setattr("graphforget.unlearning.methods.d2dgn.D2DGN.revision_on", lambda *_: 99)
    with pytest.raises(DataError, match="or of another version of this package"):
        train(GCN(hidden=8), task, checkpoint=paths[0], **FEW)
    with pytest.raises(DataError, match="or of another version of this package"):
        unlearn(model, task, deletion, "d2dgn", epochs=2, checkpoint=paths[1])


@pytest.mark.parametrize("damage", [b"", b"not a checkpoint", None])
def test_a_damaged_checkpoint_is_a_sentence(tasks, tmp_path, damage):
    path = tmp_path / "run.safetensors"
    train(GCN(hidden=8), tasks["link"], checkpoint=path, **FEW)
    path.write_bytes(path.read_bytes()[:-20] if damage is None else damage)
    with pytest.raises(DataError, match="not a readable checkpoint.*Delete it to start anew"):
        train(GCN(hidden=8), tasks["link"], checkpoint=path, **FEW)
    path.unlink()
    path.mkdir()
    with pytest.raises(DataError, match="not a readable checkpoint"):
        train(GCN(hidden=8), tasks["link"], checkpoint=path, **FEW)
