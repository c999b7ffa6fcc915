"""D2DGN's losses and gradients against dense twins written from the reconstruction."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.streams import Streams
from graphforget.models.gcn import GCN
from graphforget.tasks import base
from graphforget.unlearning.methods.d2dgn import D2DGN
from graphforget.unlearning.run import methods

NEGATIVES = np.array([[0, 1, 5, 3, 0], [3, 4, 0, 1, 5]])
"""Five non-edges: as many as there are retained edges."""

RETAINED = np.array([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])


@pytest.fixture
def negatives(monkeypatch):
    """Make the task draw NEGATIVES; the list of stream keys it drew with."""
    seen = []

    def draw(csr, count, key):
        assert count == NEGATIVES.shape[1]
        seen.append(int(key))
        return NEGATIVES

    monkeypatch.setattr(base, "sample_non_edges", draw)
    return seen


@pytest.fixture
def destroyer():
    """A model with weights large enough to be told from the original's."""
    return GCN(hidden=4, out=2).initialised(3, None, Streams(77)).frozen()


def probability(z, u, v, temperature):
    """p = sigmoid(<z_u, z_v> / T)."""
    return torch.sigmoid(z[u] @ z[v] / temperature)


def kl(p, q):
    """KL(Bern(p) || Bern(q))."""
    return p * torch.log(p / q) + (1 - p) * torch.log((1 - p) / (1 - q))


def response_loss(student, preserver, destroyer, alpha, temperature):
    """alpha * Loss_r + (1 - alpha) * Loss_f with as many negatives as retained edges."""
    pairs = [*RETAINED.T, *NEGATIVES.T]

    def mean(teacher, over):
        terms = [kl(probability(teacher, u, v, temperature), probability(student, u, v, temperature)) for u, v in over]
        return temperature**2 * sum(terms) / len(terms)

    return alpha * mean(preserver, pairs) + (1 - alpha) * mean(destroyer, [(4, 5)])


def feature_loss(student, preserver, destroyer, alpha):
    """Squared errors after each layer: ends of the deleted edge to the destroyer, all others to the preserver."""
    keep = sum(((s[:4] - p[:4]) ** 2).mean() for s, p in zip(student, preserver, strict=True))
    lose = sum(((s[4:] - d[4:]) ** 2).mean() for s, d in zip(student, destroyer, strict=True))
    return alpha * keep + (1 - alpha) * lose


def shaken(model, dense, edges, features):
    """Move the student off its start; return its dense twin."""
    generator = torch.Generator().manual_seed(5)
    for value in model.parameters():
        value.data += 0.2 * torch.randn(value.shape, generator=generator)
    return dense(model, edges, features)


@pytest.mark.parametrize("knowledge", ["response", "feature"])
@pytest.mark.parametrize("graph", ["retained", "full"])
@pytest.mark.parametrize(("alpha", "temperature", "scale"), [(0.5, 1.0, 1.0), (0.9, 2.0, 3.0)])
def test_loss_and_gradients(
    six, trained, spy, dense, negatives, destroyer, assert_gradients, knowledge, graph, alpha, temperature, scale
):
    given = None if knowledge == "feature" else temperature
    method = D2DGN(knowledge=knowledge, graph=graph, alpha=alpha, temperature=given, destroyer_scale=scale)
    _, model, objective, _ = spy(method, prepare=lambda p: setattr(p.original, "fresh", lambda streams: destroyer))
    x, full = six.graph.features, six.graph.edges
    student = shaken(model, dense, RETAINED if graph == "retained" else full, x)
    keep = [h.detach() for h in dense(trained, full, x).layers()]
    lose = [h.detach() * scale for h in dense(destroyer, full, x).layers()]
    z = student.layers()
    if knowledge == "response":
        expected = response_loss(z[-1], keep[-1], lose[-1], alpha, temperature)
    else:
        expected = feature_loss(z, keep, lose, alpha)
    loss = objective(0)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-4)
    gradients = torch.autograd.grad(expected, list(student.parameters.values()))
    assert_gradients(model, loss, dict(zip(student.parameters, gradients, strict=True)))


def test_the_student_starts_as_the_original_or_afresh(trained, spy, negatives, weights):
    _, copy, _, _ = spy(D2DGN())
    assert weights(copy) == weights(trained)
    assert all(value.requires_grad for value in copy.parameters())
    _, scratch, _, _ = spy(D2DGN(student_init="scratch"))
    assert weights(scratch) != weights(trained)


def test_negatives_are_drawn_in_every_epoch_or_once(spy, negatives):
    for resample, distinct in ((True, 3), (False, 1)):
        negatives.clear()
        _, _, objective, _ = spy(D2DGN(resample_negatives=resample))
        for epoch in range(3):
            objective(epoch)
        assert len(set(negatives)) == distinct


def test_an_unchanged_student_of_a_perfect_preserver_loses_on_the_deleted_edge_only(spy, negatives, six, trained):
    method = D2DGN(graph="full", destroyer_scale=0.0, alpha=0.5, temperature=1.0)
    _, _, objective, _ = spy(method)
    score = trained.embed(six.graph)[4] @ trained.embed(six.graph)[5]
    q = torch.sigmoid(score)
    half = torch.tensor(0.5)
    assert float(objective(0).detach()) == pytest.approx(0.5 * float(kl(half, q)), rel=1e-4)


def test_a_trained_destroyer_knows_non_edges_only(spy, six, monkeypatch):
    from graphforget.unlearning.methods import d2dgn as module

    seen = []
    train = module.run_training
    monkeypatch.setattr(
        module, "run_training", lambda model, task, *rest: seen.append(task) or train(model, task, *rest)
    )
    spy(D2DGN(destroyer="negatives"))
    edges = set(map(tuple, seen[0].graph.edges.T.tolist()))
    assert edges and not edges & set(map(tuple, six.graph.edges.T.tolist()))


def test_the_reconstruction_and_its_presets():
    """Section 5.2: Adam 1e-3, at most 1,500 epochs, validated every 50, alpha 1/2, T = 1, trained student."""
    spec = methods().get("d2dgn-spec")
    assert (spec.lr, spec.epochs, spec.validate_every, spec.alpha, spec.temperature) == (1e-3, 1500, 50, 0.5, 1.0)
    assert (spec.knowledge, spec.destroyer, spec.student_init, spec.graph) == (
        "response",
        "random",
        "trained",
        "retained",
    )
    assert methods().get("d2dgn-feature").knowledge == "feature"
    trained = methods().get("d2dgn-feature-trained-destroyer")
    assert (trained.knowledge, trained.destroyer) == ("feature", "negatives")
    opengu = methods().get("d2dgn-opengu")
    assert (opengu.student_init, opengu.graph, opengu.resample_negatives) == ("scratch", "full", False)
    assert (opengu.lr, opengu.epochs) == (None, 100)  # a tenth of the recipe's for edges, the recipe's for nodes
