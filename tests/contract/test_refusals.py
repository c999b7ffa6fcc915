"""Settings that cannot serve a deletion are refused before anything is learned, in a sentence."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.models.gcn import GCN
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.method import Problem
from graphforget.unlearning.methods.d2dgn import D2DGN
from graphforget.unlearning.methods.gnndelete import GNNDelete
from graphforget.unlearning.methods.gradient_ascent import GradientAscent
from graphforget.unlearning.methods.l2unrank import L2UnRank
from graphforget.unlearning.methods.rrl import RRL
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.served import check_supported


@pytest.mark.parametrize(
    ("method", "sentence"),
    [
        (GNNDelete(objective="edge_probability"), "works on link prediction only"),
        (D2DGN(destroyer="negatives"), "works on link prediction only"),
        (D2DGN(scope="local"), "works on link prediction only"),
        (D2DGN(scope="operators"), "works on link prediction only"),
    ],
)
def test_settings_for_edges_are_refused_on_node_tasks_alone(problems, method, sentence):
    _, task, deletion = problems("gcn", "node", "nodes")
    with pytest.raises(UnsupportedError, match=sentence):
        check_supported(method, task, task.resolve(deletion))
    _, task, deletion = problems("gcn", "link", "edges")
    check_supported(method, task, task.resolve(deletion))


def test_the_probabilities_of_pairs_within_two_hops_need_two_layers(problems):
    _, task, deletion = problems("gcn", "link", "edges")
    model = train(GCN(hidden=8, out=4, layers=1), task, epochs=2, validate_every=2)
    words = "compares all pairs within two hops of the deletion, and this model has one layer. Use objective=embedding"
    with pytest.raises(UnsupportedError, match=words):
        unlearn(model, task, deletion, "gnndelete-edgeprob", epochs=2)
    deeper = train(GCN(hidden=8, out=4, layers=3), task, epochs=2, validate_every=2)
    unlearn(deeper, task, deletion, "gnndelete-edgeprob", epochs=2)


@pytest.mark.parametrize(
    ("cls", "wrong", "sentence"),
    [
        (GNNDelete, {"patience": 0}, "'patience' must be an integer of at least 1"),
        (GNNDelete, {"weight_decay": -1.0}, "'weight_decay' must be a number of at least 0"),
        (
            D2DGN,
            {"knowledge": "feature", "temperature": 2.0},
            "d2dgn: 'temperature' has no effect with knowledge=feature",
        ),
        (RRL, {"weight": 0, "fisher_batch": 9}, "rrl: 'fisher_batch' has no effect with weight=0; leave it out"),
        (L2UnRank, {"repair_epochs": 0, "repair_rate": 0.5}, "l2unrank: 'repair_rate' has no effect with"),
        (GradientAscent, {"epochs": True}, "'epochs' must be an integer of at least 1; got True"),
        (GradientAscent, {"lr": float("inf")}, "'lr' must be a number above 0; got inf"),
        (GradientAscent, {"max_grad_norm": -1.0}, "'max_grad_norm' must be a number above 0"),
    ],
)
def test_wrong_hyper_parameters_are_refused_when_the_method_is_made(cls, wrong, sentence):
    with pytest.raises(UsageError, match=sentence):
        cls(**wrong)


def test_targets_of_a_class_deletion_are_not_of_that_class(problems, monkeypatch):
    model, task, deletion = problems("gcn", "node", "classes/label")
    seen = []
    monkeypatch.setattr(
        "graphforget.unlearning.methods.gnndelete.row_errors",
        lambda h, of: [seen.append((rows, target_rows)) for _, rows, _, target_rows in of] and (h * 0).sum(),
    )
    method, gone = GNNDelete(alpha=1.0, epochs=2), task.resolve(deletion)
    problem = Problem(model.frozen(), 0, method.reads, task, task.without(gone), gone)
    method.unlearn(problem)
    drawn = np.concatenate([target_rows.numpy() for _, target_rows in seen])
    assert len(drawn) == sum(len(rows) for rows, _ in seen) > 0
    assert not np.isin(drawn, gone.touched).any()
    assert len(np.unique(drawn)) > 20


def test_a_refusal_names_the_method_the_kind_and_what_to_do_instead(problems):
    model, task, deletion = problems("gcn", "link", "edges")
    with pytest.raises(UnsupportedError, match="rrl serves recommend tasks; this is a link task. .*: d2dgn, .*unlink"):
        unlearn(model, task, deletion, RRL())
    mixed = Deletion(edges=task.graph.edges[:, :1].T.tolist(), nodes=[5])
    with pytest.raises(UnsupportedError, match="deletion of mixed. No method does .* delete one kind after the other"):
        unlearn(model, task, mixed, D2DGN())


def test_what_a_part_of_a_method_refuses_is_said_in_its_name(problems, monkeypatch):
    def refuse(self, problem):
        raise UnsupportedError("there are no rows for a step. Use a method that trains.")

    monkeypatch.setattr(D2DGN, "unlearn", refuse)
    with pytest.raises(UnsupportedError, match="^d2dgn: there are no rows"):
        unlearn(*problems("gcn", "link", "edges"), D2DGN())


def test_classes_that_touch_every_node_leave_none_to_pull_theirs_to():
    rng = np.random.default_rng(0)
    ends = np.stack(np.triu_indices(12, 1))
    graph = Graph.build(12, ends[:, rng.random(ends.shape[1]) < 0.9], rng.random((12, 4)), np.arange(12) % 2)
    task = NodeClassification(graph, seed=1, class_mode="entity")
    model = train(GCN(hidden=4), task, epochs=2, validate_every=2)
    with pytest.raises(UnsupportedError, match="gnndelete: the deletion of these classes touches every node"):
        unlearn(model, task, Deletion(classes=[0]), "gnndelete", epochs=2)


@pytest.mark.parametrize("kind", ["nodes", "features", "edges"])
def test_labels_that_were_never_learned_have_no_loss_to_ascend(problems, kind):
    model, task, _ = problems("gcn", "node", "nodes")
    unseen = np.isin(task.graph.edges, task.train_nodes).sum(axis=0) == 0
    assert unseen.any()
    wanted = task.graph.edges[:, unseen][:, :1].T.tolist() if kind == "edges" else task.test_nodes[:2].tolist()
    deletion = Deletion(**{kind: wanted})
    with pytest.raises(UnsupportedError, match="gradient-ascent: it ascends the loss of forgotten training nodes"):
        unlearn(model, task, deletion, GradientAscent())
    both = Deletion(nodes=[int(task.test_nodes[0]), int(task.train_nodes[0])])
    assert unlearn(model, task, both, GradientAscent()).parameter_change > 0


@pytest.mark.parametrize("method", ["retrain-released", "fine-tune:selection=val_released"])
def test_the_released_criterion_needs_something_that_was_trained_on(problems, method):
    model, task, _ = problems("gcn", "link", "edges")
    held_out = Deletion(edges=task.split.test[:, :1].T.tolist())
    with pytest.raises(UnsupportedError, match="selection=val_released reads the forgotten part, but the deletion"):
        unlearn(model, task, held_out, method)
