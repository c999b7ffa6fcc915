"""What tables call a deletion, and what they say of a method before its numbers are read."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv

from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.evaluation.names import amount, caveats, known
from graphforget.evaluation.records import EXACT, HELD_NOTHING, KNOWN_WEIGHTS, OWN_RECIPE
from graphforget.evaluation.report import evaluate
from graphforget.models.adapter import Adapter
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.models.sage import SAGE
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import Provenance, train
from graphforget.unlearning.data_alone import NOTHING_TRAINED
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion


@pytest.mark.parametrize(
    ("named", "words"),
    [
        ({"edges": [(0, 1), (1, 2)]}, "2 edges"),
        ({"features": [4]}, "features of 1 node"),
        ({"classes": ["a", "b"]}, "2 classes"),
        ({"users": range(1200)}, "1,200 users"),
        ({"users": [1], "items": [2, 3]}, "1 user and 2 items"),
        ({"interactions": [(1, 2)]}, "1 interaction"),
        ({"triples": [(1, 0, 2), (1, 0, 3)]}, "2 triples"),
        ({"modalities": [("image", 4), ("image", 5)]}, "modality image of 2 items"),
        ({"modalities": [("text", 4), ("image", 4)]}, "modality image of 1 item and modality text of 1 item"),
        ({"modalities": [("image", "*"), ("text", 4)]}, "modality image of every item and modality text of 1 item"),
        ({"modalities": [("image", "*")]}, "modality image of every item"),
    ],
)
def test_amounts_in_words(named, words):
    assert amount(Deletion(**{kind: list(values) for kind, values in named.items()})) == words


def made(source="a paper", changes=("weights", "graph"), same=True, exact=False, leaks=False, **fields):
    """Return a result as far as caveats read it."""
    retained = SimpleNamespace(graph="retained")
    method = SimpleNamespace(source=source, changes=frozenset(changes), exact=exact, leaks=leaks)
    gone = SimpleNamespace(nodes=np.empty(0, np.int64), features=np.empty(0, np.int64))
    fields = {"preparation_seconds": 0.0, "details": {}, "model": None, "original": None, "gone": gone, **fields}
    fields = {"data_alone": "", "held_nothing": False, **fields}
    return SimpleNamespace(method=method, retained=retained, graph="retained" if same else "whole", **fields)


def test_an_ordinary_method_needs_no_caveat():
    assert caveats(made()) == [] and known(made()) == {}


def test_reconstructions_and_own_designs_say_so():
    assert caveats(made("A 2025, reconstructed"))[0].startswith("reconstructed")
    assert caveats(made("B 2022; unlearning step ours")) == ["in part our own design (B 2022; unlearning step ours)."]


def test_weights_only_and_graph_only_say_so():
    assert caveats(made(same=False))[0].startswith("weights only")
    assert caveats(made(changes=["graph"]))[0].startswith(KNOWN_WEIGHTS)
    alone = f"{NOTHING_TRAINED} (1 held-out edge), so the weights hold nothing of it and were not changed."
    assert caveats(made(changes=["graph"], data_alone=alone)) == [alone], "they hold nothing of the forgotten part"
    assert caveats(made(exact=True))[0].startswith(EXACT)
    assert caveats(made(exact=True, leaks=True)) == [], "its epoch is selected with the deletion in view"


@pytest.mark.parametrize(
    ("method", "words"),
    [
        ("gnndelete", "weights unchanged beneath"),
        ("fine-tune", "weights unchanged for 2 of the deleted users and items"),
        ("mmrecun", None),
    ],
)
def test_weights_that_stay_under_or_beside_what_is_learned_are_said(method, words):
    """Operators stand over the original's tables; fine-tuning never touches the rows of who is gone."""
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(LightGCN(dim=4), task, epochs=1)
    gone = Deletion(users=task.graph.user_ids_of([3, 4]))
    notes = [note for note in caveats(unlearn(model, task, gone, method, epochs=1)) if note.startswith(KNOWN_WEIGHTS)]
    assert (words is None and not notes) or notes[0].startswith(words)


class Own(torch.nn.Module):
    """A linear layer, as wide as there are features, over the neighbours' mean."""

    def __init__(self, width):
        super().__init__()
        self.first = GCNConv(width, width)

    def forward(self, x, edge_index):
        return self.first(x, edge_index)


@pytest.mark.parametrize(
    ("made_of", "kind", "method", "words"),
    [
        ("gcn", "nodes", "fine-tune", "weights unchanged for 3 of the input features that no retained node has"),
        ("sage", "nodes", "fine-tune", "weights unchanged for 3 of the input features"),
        ("gcn", "features", "d2dgn", "weights unchanged for 3 of the input features"),
        ("own", "nodes", "fine-tune", "weights unchanged for 3 of the input features"),
        ("gcn", "edges", "fine-tune", None),
        ("gcn", "nodes", "gnndelete", "weights unchanged beneath"),
        ("gcn", "nodes", "retrain", None),
    ],
)
@pytest.mark.parametrize("task", [LinkPrediction, NodeClassification])
def test_weights_of_features_that_only_deleted_nodes_had_are_said(task, made_of, kind, method, words):
    """With one-hot features every node has a row of the first layer for itself, which nothing retained can change."""
    problem = task(load("sample-citations", features="one-hot"), seed=0)
    own = Adapter(Own(problem.graph.n_features)) if made_of == "own" else None
    model = train(own or {"gcn": GCN, "sage": SAGE}[made_of](hidden=8), problem, epochs=1)
    nodes = problem.train_nodes[:3] if task is NodeClassification else np.arange(3)
    named = problem.graph.edges[:, :3].T.tolist() if kind == "edges" else nodes.tolist()
    short = {} if method == "retrain" else {"epochs": 1}
    result = unlearn(model, problem, Deletion(**{kind: named}), method, **short)
    notes = [note for note in caveats(result) if note.startswith(KNOWN_WEIGHTS)]
    assert (words is None and not notes) or notes[0].startswith(words)


def test_features_that_a_retained_node_has_too_need_no_word():
    """Words are shared among papers: nothing is left that only the deleted ones had."""
    problem = LinkPrediction(load("sample-citations"), seed=0)
    model = train(GCN(hidden=8), problem, epochs=1)
    assert caveats(unlearn(model, problem, Deletion(nodes=[0, 1]), "fine-tune", epochs=1)) == []


@pytest.mark.parametrize("method", ["retrain", "sisa"])
def test_what_was_trained_again_without_the_forgotten_part_is_exact(method):
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(LightGCN(dim=4), task, epochs=1)
    options = {"shards": 4} if method == "sisa" else {}
    result = unlearn(model, task, Deletion(users=task.graph.user_ids_of([3])), method, **options)
    assert any(note.startswith(EXACT) for note in caveats(result))


def test_shards_say_how_many_were_trained_anew():
    some = made(details={"shards": 10, "shards_touched": 4}, preparation_seconds=12.5)
    assert known(some) == {"preparation": 12.5, "shards_touched": 0.4} and caveats(some) == []
    every = made(details={"shards": 10, "shards_touched": 10})
    assert caveats(every) == ["every shard lost data and was trained anew, so shards save no time here."]


def test_gold_says_so_where_it_cannot_know_the_recipe_of_the_original():
    shop = Recommendation(load("sample-shop"), seed=0)
    model = train(LightGCN(dim=4, layers=1), shop, epochs=1)
    gone = Deletion(users=[12])

    def said_of_gold() -> str:
        gold = [unlearn(model, shop, gone, "retrain", seed=seed) for seed in (0, 1)]
        report = evaluate(unlearn(model, shop, gone, "fine-tune:epochs=1"), gold=gold, attack=False)
        return next(record.note for record in report.records if record.kind == "gold")

    assert OWN_RECIPE not in said_of_gold()
    made = model.provenance
    model.provenance = Provenance(replace(made.recipe, epochs=2), seed=0, task="recommend", best_epoch=2)
    assert OWN_RECIPE not in said_of_gold()
    model.provenance = None
    assert f"{OWN_RECIPE} (epochs=200, lr=0.001)" in said_of_gold()


def test_gold_that_is_the_original_is_no_error_and_says_that_there_was_nothing_to_forget():
    """Without any feature a GCN's outputs are its biases: no edge can be in the weights."""
    ends = np.random.default_rng(0).integers(0, 40, (2, 120))
    graph = Graph.build(40, ends[:, ends[0] != ends[1]], features=np.zeros((40, 3)), labels=np.arange(40) % 3)
    task = NodeClassification(graph, seed=0)
    model = train(GCN(hidden=4), task, epochs=5)
    gone = sample_deletion(task, edges=5)
    assert unlearn(model, task, gone, "retrain").parameter_change == 0
    report = evaluate(unlearn(model, task, gone, "unlink"))
    notes = {record.kind: record.note for record in report.records}
    assert HELD_NOTHING in notes["gold"] and HELD_NOTHING not in notes["method"]
    assert HELD_NOTHING in caveats(unlearn(model, task, gone, "retrain"))
    other = unlearn(model, task, gone, "retrain", seed=1)
    assert other.parameter_change > 0 and HELD_NOTHING not in caveats(other)
    assert "nan" not in str(report).lower() and report.to_html()
