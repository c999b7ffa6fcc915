"""GNNDelete's losses and gradients against a dense twin written from the equations."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget.data.deletion import Deletion
from graphforget.kernels.row_errors import row_errors
from graphforget.models.gcn import GCN
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.methods.gnndelete import GNNDelete
from graphforget.unlearning.run import unlearn

RANDOM = np.array([[0, 1], [3, 5]])
"""Two random non-edges, 0 - 3 and 1 - 5: one for each direction of the deleted edge."""

S1, S2 = [3, 4, 5], [2, 3, 4, 5]
"""The nodes within one and two steps of the ends of 4 - 5."""

WITHIN_S2 = np.array([[2, 3, 4], [3, 4, 5]])
RETAINED = np.array([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])


@pytest.fixture
def keys(monkeypatch):
    """Make the method draw RANDOM; the list of stream keys it drew with."""
    seen = []

    def draw(csr, count, key):
        assert count == 2 and csr.n_rows == 6
        seen.append(int(key))
        return RANDOM

    monkeypatch.setattr("graphforget.tasks.base.sample_non_edges", draw)
    return seen


def operators(model, seed=0):
    """Give the model's operators random weights; return them as float64 leaves by layer."""
    rng, weights = np.random.default_rng(seed), {}
    for layer in (1, 2):
        weight = model.operators[str(layer)].weight
        weight.data = torch.from_numpy(rng.normal(size=weight.shape).astype(np.float32))
        weights[layer] = weight.detach().double().clone().requires_grad_(True)
    return weights


def edited(weights):
    """Return the hook h'_i = h_i W for the nodes of S^l, h_i elsewhere."""

    def operate(layer, h):
        rows = [h[i] @ weights[layer] if i in (S1, S2)[layer - 1] else h[i] for i in range(6)]
        return torch.stack(rows)

    return operate


def mean_square(pairs):
    """Return the mean of all squared differences of a list of pairs of vectors."""
    return torch.cat([(a - b) ** 2 for a, b in pairs]).mean()


def layer_loss(h, target, alpha, nodes):
    """L^l of the paper for the deleted edge 4 - 5, both directions, and the random pairs."""
    directions = [(4, 5), (5, 4)]
    consistency = mean_square(
        [
            (torch.cat([h[u], h[v]]), torch.cat([target[p], target[q]]))
            for (u, v), (p, q) in zip(directions, RANDOM.T, strict=True)
        ]
    )
    influence = mean_square([(h[w], target[w]) for w in nodes if w not in (4, 5)])
    return alpha * consistency + (1 - alpha) * influence


@pytest.mark.parametrize("alpha", [0.0, 0.3, 1.0])
@pytest.mark.parametrize("targets", ["full", "retained"])
@pytest.mark.parametrize("train_graph", ["sdf", "retained"])
@pytest.mark.parametrize("layer_gradient", ["own", "shared"])
def test_loss_and_gradients(
    six, trained, spy, dense, keys, assert_gradients, alpha, targets, train_graph, layer_gradient
):
    method = GNNDelete(alpha=alpha, targets=targets, train_graph=train_graph, layer_gradient=layer_gradient)
    _, model, objective, _ = spy(method)
    weights, x = operators(model), six.graph.features
    original = dense(trained, six.graph.edges if targets == "full" else RETAINED, x)
    target = [h.detach() for h in original.layers()]
    student = dense(trained, WITHIN_S2 if train_graph == "sdf" else RETAINED, x)
    h1, h2 = student.layers(edited(weights))
    one, two = layer_loss(h1, target[0], alpha, S1), layer_loss(h2, target[1], alpha, S2)
    loss = objective(0)
    assert float(loss.detach()) == pytest.approx(float((one + two).detach()), rel=1e-4)
    first = torch.autograd.grad(one if layer_gradient == "own" else one + two, weights[1], retain_graph=True)[0]
    second = torch.autograd.grad(two, weights[2])[0]
    assert_gradients(model, loss, {"operators.1.weight": first, "operators.2.weight": second})


def test_own_and_shared_differ_in_the_first_operator_only(spy, keys):
    found = []
    for layer_gradient in ("own", "shared"):
        _, model, objective, _ = spy(GNNDelete(layer_gradient=layer_gradient))
        operators(model)
        parameters = [model.operators[str(layer)].weight for layer in (1, 2)]
        found.append(torch.autograd.grad(objective(0), parameters))
    assert not found[0][0].equal(found[1][0]) and found[0][1].equal(found[1][1])


def test_operators_act_on_the_neighbourhoods_and_nothing_else_learns(spy, keys):
    _, model, _, recipe = spy(GNNDelete())
    assert {layer: nodes.tolist() for layer, nodes in model.node_sets().items()} == {1: S1, 2: S2}
    learning = [key for key, value in model.named_parameters() if value.requires_grad]
    assert learning == ["operators.1.weight", "operators.2.weight"]
    assert (recipe.epochs, recipe.lr, recipe.validate_every, recipe.weight_decay) == (1500, 1e-3, 100, 0.0)


@pytest.mark.parametrize(
    ("init", "start"), [("identity", torch.eye), ("ones_1000", lambda d: torch.full((d, d), 1e-3))]
)
def test_init(spy, keys, init, start):
    _, model, _, _ = spy(GNNDelete(init=init))
    assert [o.weight.shape for o in model.operators.values()] == [(4, 4), (2, 2)]
    assert all(o.weight.equal(start(len(o.weight))) for o in model.operators.values())


def test_random_pairs_are_drawn_in_every_epoch_or_once(spy, keys):
    for resample, distinct in ((True, 3), (False, 1)):
        keys.clear()
        _, _, objective, _ = spy(GNNDelete(resample_negatives=resample))
        for epoch in range(3):
            objective(epoch)
        assert len(set(keys)) == distinct


def test_targets_are_random_pairs_of_the_full_graph(six, spy, monkeypatch):
    drawn = []
    monkeypatch.setattr("graphforget.tasks.base.sample_non_edges", lambda csr, count, key: drawn.append(csr) or RANDOM)
    _, _, objective, _ = spy(GNNDelete())
    objective(0)
    assert drawn[0].values.sum() == 2 * six.graph.n_edges  # a deleted edge is no random pair


def test_edge_probability_objective(six, trained, spy, dense, assert_gradients, monkeypatch):
    monkeypatch.setattr("graphforget.tasks.base.sample_non_edges", lambda csr, count, key: RANDOM[:, :count])
    method = GNNDelete(objective="edge_probability", layer_gradient="shared")
    _, model, objective, _ = spy(method)
    weights, x = operators(model), six.graph.features
    target = dense(trained, six.graph.edges, x).layers()[1].detach()
    z = dense(trained, WITHIN_S2, x).layers(edited(weights))[1]
    p, q = RANDOM[:, 0]
    deleted = (z[4] @ z[5] - target[p] @ target[q]) ** 2
    pairs = [(i, j) for i in S2 for j in S2 if (i, j) not in ((4, 5), (5, 4))]
    kept = sum((torch.sigmoid(z[i] @ z[j]) - torch.sigmoid(target[i] @ target[j])) ** 2 for i, j in pairs) / len(pairs)
    expected, loss = 0.5 * deleted + 0.5 * kept, objective(0)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    first, second = torch.autograd.grad(expected, [weights[1], weights[2]])
    assert_gradients(model, loss, {"operators.1.weight": first, "operators.2.weight": second})


PRESETS = {
    "gnndelete": {"init": "identity", "targets": "full", "resample_negatives": True, "layer_gradient": "own"},
    "gnndelete-identity": {
        "init": "identity",
        "targets": "retained",
        "resample_negatives": False,
        "layer_gradient": "shared",
        "selection": "val_released",
    },
    "gnndelete-utu": {
        "init": "ones_1000",
        "targets": "full",
        "resample_negatives": True,
        "weight_decay": 5e-7,
        "layer_gradient": "shared",
        "selection": "val_released",
        "patience": 30,
    },
    "gnndelete-ni": {"init": "identity", "targets": "full", "alpha": 0.0, "layer_gradient": "own"},
    "gnndelete-edgeprob": {
        "objective": "edge_probability",
        "init": "ones_1000",
        "targets": "full",
        "resample_negatives": False,
        "selection": "val_released",
    },
}


@pytest.mark.parametrize("name", PRESETS)
def test_presets_are_the_published_settings(name):
    from graphforget.unlearning.run import methods

    method = methods().get(name)
    assert {key: getattr(method, key) for key in PRESETS[name]} == PRESETS[name]
    assert method.train_graph == "sdf" and method.lr == 1e-3


def test_ends_of_random_pairs_for_a_class_are_nodes_the_deletion_does_not_touch(random_attributed_graph, monkeypatch):
    """Its training nodes are none of them, its other nodes may be."""
    task = NodeClassification(random_attributed_graph(n=80, n_edges=200), seed=0)
    deletion, drawn = Deletion(classes=[1]), set()
    gone = task.resolve(deletion)

    def errors(h, parts):
        drawn.update(parts[0][3].tolist())
        return row_errors(h, parts)

    monkeypatch.setattr("graphforget.unlearning.methods.gnndelete.row_errors", errors)
    unlearn(train(GCN(hidden=8), task, epochs=2, validate_every=2), task, deletion, GNNDelete(epochs=3))
    assert not drawn & set(gone.touched.tolist())
    assert 1 in task.labels[sorted(drawn)]
