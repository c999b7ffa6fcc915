"""Training on drawn neighbours: bytes, resuming, what it learns, what it refuses, and unlearning afterwards."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.load import load
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.zoo import backbones, backbones_for, save_model
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.recipe import LINK, Recipe
from graphforget.training.sampled import sampled_steps
from graphforget.training.train import start, train
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion

FEW = {"epochs": 4, "validate_every": 2}
DRAWN = {"neighbours": "4,3", "batch": 60}


@pytest.fixture(scope="module")
def tasks(random_attributed_graph):
    """A link and a node task on 100 nodes, and a recommendation."""
    graph = random_attributed_graph(n=100, n_edges=300)
    found = {"link": LinkPrediction(graph, seed=3), "node": NodeClassification(graph, seed=3)}
    return {**found, "recommend": Recommendation(load("sample-shop"), seed=3)}


def backbone(name: str):
    return LightGCN(dim=8, layers=2) if name == "recommend" else GCN(hidden=8)


@pytest.mark.parametrize("name", ["link", "node", "recommend"])
def test_the_seed_decides_every_byte_on_any_number_of_threads(tasks, weights, with_threads, name):
    one, two = (with_threads(n, lambda: train(backbone(name), tasks[name], **FEW, **DRAWN)) for n in (1, 2))
    assert weights(one) == weights(two) != weights(train(backbone(name), tasks[name], seed=4, **FEW, **DRAWN))
    assert weights(one) != weights(train(backbone(name), tasks[name], **FEW, **{**DRAWN, "neighbours": "5,3"}))


class Stop(Exception):
    """What a test raises inside a run."""


def stop(now: int, epochs: int, metrics: dict[str, float]) -> None:
    if now == 3:
        raise Stop


@pytest.mark.parametrize("name", ["link", "recommend"])
def test_a_stopped_run_resumes_to_the_same_bytes(tasks, weights, tmp_path, name):
    args, path = (backbone(name), tasks[name]), tmp_path / "run.safetensors"
    with pytest.raises(Stop):
        train(*args, checkpoint=path, progress=stop, **FEW, **DRAWN)
    resumed = train(*args, checkpoint=path, **FEW, **DRAWN)
    assert weights(resumed) == weights(train(*args, **FEW, **DRAWN))


def loss_of_epoch(model, task, neighbours: str, batch: int, epoch: int = 0) -> list[float]:
    recipe = replace(LINK, neighbours=neighbours, batch=batch)
    return [float(step().detach()) for step in sampled_steps(model, task, recipe, Streams(7), epoch)]


@pytest.mark.parametrize("name", ["link", "node", "recommend"])
def test_one_batch_with_all_neighbours_is_the_loss_of_the_full_batch(tasks, name):
    task = tasks[name]
    model = start(backbone(name), task, Streams(1))
    drawn = next(iter(task.batches(Streams(7), 0, 10**6)))
    items = drawn.draw(0, drawn.size)
    if name == "recommend":
        wanted = task.batch_loss(model, items, 0)
    else:
        losses = task.item_losses(task.responses(model(task.graph), items), items)
        wanted = (losses if items.weights is None else losses * items.weights).mean()
    found = loss_of_epoch(model, task, "1000000,1000000", 10**6)
    assert found == pytest.approx([float(wanted.detach())], rel=1e-5)


@pytest.mark.parametrize("name", ["link", "node", "recommend"])
def test_an_epoch_takes_everything_once_in_another_order_each_time(tasks, name):
    task = tasks[name]

    def walked(epoch: int) -> list[tuple]:
        batches = task.batches(Streams(7), epoch, 60)
        assert all(batch.size == 60 for batch in batches[:-1]) and 0 < batches[-1].size <= 60
        items = [batch.draw(0, batch.size) for batch in batches]
        if name == "node":
            return [(int(node),) for part in items for node in part.nodes]
        firsts = [(part.pairs[0], batch.size) for part, batch in zip(items, batches, strict=True)]
        return [pair for ends, size in firsts for pair in zip(ends.u[:size], ends.v[:size], strict=True)]

    wanted = [(node,) for node in task.train_nodes] if name == "node" else list(zip(*task.graph.edges, strict=True))
    assert sorted(walked(0)) == sorted(walked(1)) == sorted(wanted) and walked(0) != walked(1)


@pytest.mark.parametrize("name", ["link", "node", "recommend"])
def test_a_cut_batch_has_the_items_of_the_whole(tasks, name):
    batch = tasks[name].batches(Streams(7), 0, 60)[0]
    whole, parts = batch.draw(0, 60), [batch.draw(0, 25), batch.draw(25, 60)]

    def members(items) -> list[tuple]:
        if items.nodes is not None:
            return list(zip(items.nodes.tolist(), items.targets.tolist(), strict=True))
        pairs = np.concatenate([np.stack([part.u, part.v]) for part in items.pairs], axis=1)
        targets = items.targets if name == "link" else torch.arange(2).repeat_interleave(len(items))
        return list(zip(*pairs.tolist(), targets.tolist(), strict=True))

    assert sorted(members(whole)) == sorted(members(parts[0]) + members(parts[1]))


@pytest.mark.parametrize("name", backbones_for("link"))
def test_every_graph_backbone_learns_as_it_does_on_full_batches(name):
    task = NodeClassification(load("sample-citations"), seed=0)
    options = {"epochs": 25, "lr": 0.01, "validate_every": 5}
    make = lambda: backbones().get(name, hidden=16)  # noqa: E731
    drawn = train(make(), task, neighbours="10,5", batch=256, **options)
    full = train(make(), task, **{**options, "epochs": 100, "validate_every": 20})
    scores = [task.validate(model.embed(task.graph))["val_accuracy"] for model in (drawn, full)]
    assert scores[0] > scores[1] - 0.03 and scores[0] > 0.5


@pytest.mark.parametrize(
    ("made", "changes", "error", "words"),
    [
        (GCN(hidden=8), {"neighbours": "4"}, UsageError, "names 1 hops, but the gcn has 2 layers"),
        (GCN(hidden=8), {"batch": None}, UsageError, r"give their size \('batch'\), too"),
        (GCN(hidden=8), {"neighbours": "4,0"}, UsageError, "'neighbours' must be the number of neighbours"),
        (GCN(hidden=8), {"neighbours": "4,"}, UsageError, "'neighbours' must be the number of neighbours"),
        (GCN(hidden=8), {"neighbours": 4}, UsageError, "'neighbours' must be the number of neighbours"),
        (GCN(hidden=8), {"neighbours": None}, UsageError, "trains on full batches; leave it out, or draw neighbours"),
        (MF(dim=8), {}, UnsupportedError, "mf models are not computed from drawn neighbours; gcn, sage, gat, gin and"),
    ],
)
def test_what_cannot_be_drawn_is_refused(tasks, made, changes, error, words):
    task = tasks["recommend" if isinstance(made, MF) else "link"]
    with pytest.raises(error, match=words):
        train(made, task, **FEW, **{**DRAWN, **changes})


def test_the_recipe_is_kept_and_read_again(tasks, tmp_path):
    model = train(GCN(hidden=8), tasks["node"], **FEW, **DRAWN)
    save_model(model, tmp_path / "model")
    assert model.provenance.recipe.fanouts == (4, 3)
    assert torch.equal(load_model(tmp_path / "model").embed(tasks["node"].graph), model.embed(tasks["node"].graph))
    assert "neighbours" not in Recipe().as_dict() and Recipe(neighbours="4,3").as_dict()["neighbours"] == "4,3"


@pytest.mark.parametrize(
    "method", ["retrain", "unlink", "gnndelete:epochs=4", "d2dgn:epochs=4,scope=local", "d2dgn:epochs=4", "fine-tune"]
)
def test_a_model_trained_by_sampling_unlearns(tasks, weights, method):
    task = tasks["link"]
    original = train(GCN(hidden=8), task, **FEW, **DRAWN)
    result = unlearn(original, task, sample_deletion(task, edges=12), method)
    if method == "retrain":
        assert weights(result.model) == weights(train(GCN(hidden=8), result.retained, **FEW, **DRAWN))
        assert result.model.provenance.recipe.neighbours == "4,3"
    assert result.retained.graph.n_edges == task.graph.n_edges - 12
    assert (result.parameter_change == 0) == (method == "unlink")


def test_operators_are_not_tuned_on_drawn_neighbours(tasks):
    task = tasks["link"]
    original = train(GCN(hidden=8), task, **FEW, **DRAWN)
    first = unlearn(original, task, sample_deletion(task, edges=12), "gnndelete:epochs=4")
    second = sample_deletion(first.retained, edges=12, seed=4)
    with pytest.raises(
        UnsupportedError, match="fine-tune: the original was trained on drawn neighbours .*neg-grad-plus"
    ):
        unlearn(first.model, first.retained, second, "fine-tune:epochs=2")
    assert unlearn(first.model, first.retained, second, "neg-grad-plus:epochs=2").parameter_change > 0


def test_a_recommender_trained_by_sampling_unlearns(tasks, weights):
    task = tasks["recommend"]
    original = train(LightGCN(dim=8, layers=2), task, **FEW, **DRAWN)
    gone = sample_deletion(task, interactions=20)
    for method in ("retrain", "fine-tune:epochs=2"):
        result = unlearn(original, task, gone, method)
        assert result.parameter_change > 0
    gold = unlearn(original, task, gone, "retrain")
    assert weights(gold.model) == weights(train(LightGCN(dim=8, layers=2), gold.retained, **FEW, **DRAWN))
