"""One step of gradient ascent and of fine-tuning by hand; the blocked loss of all pairs by its definition."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphforget.data.deletion import Deletion
from graphforget.tasks import base
from graphforget.unlearning.block_pairs import sigmoid_pairs_mse
from graphforget.unlearning.run import unlearn

DELETED = Deletion(edges=[(4, 5)])
RETAINED = np.array([[0, 0, 1, 2, 3], [1, 2, 2, 3, 4]])
NEGATIVES = np.array([[0, 1, 5, 3, 0, 2, 5, 4, 1, 3], [3, 4, 0, 1, 5, 5, 2, 0, 5, 0]])


def test_nothing_is_near_zero(six, trained):
    for h in trained.layers(six.graph):
        assert float(h.std(dim=0).min()) > 0.05
    assert float(trained.layers(six.graph)[0].relu().count_nonzero()) > 8


def assert_one_adam_step(twin, loss, after, lr):
    """Assert that `after` is one Adam step of `loss` from the twin's parameters: theta - lr * g / (|g| + eps)."""
    gradients = torch.autograd.grad(loss, list(twin.parameters.values()))
    for (key, value), g in zip(twin.parameters.items(), gradients, strict=True):
        expected = value.detach() - lr * g / (g.abs() + 1e-8)
        torch.testing.assert_close(after[key].double(), expected, rtol=0, atol=lr * 2e-3, msg=key)


def test_gradient_ascent_one_step(six, trained, dense):
    twin = dense(trained, six.graph.edges, six.graph.features)
    z = twin.layers()[-1]
    loss = torch.log(torch.sigmoid(z[4] @ z[5]))  # maximises -log sigmoid of the deleted edge
    after = unlearn(trained, six, DELETED, "gradient-ascent", epochs=1, lr=0.01).model.state_dict()
    assert_one_adam_step(twin, loss, after, 0.01)


def test_gradient_ascent_lowers_the_score_of_the_deleted_edge(six, trained):
    before = trained.embed(six.graph)
    result = unlearn(trained, six, DELETED, "gradient-ascent", epochs=20, lr=0.01)
    after = result.model.embed(six.graph)
    assert float(after[4] @ after[5]) < float(before[4] @ before[5])


def test_fine_tune_one_epoch(six, trained, dense, monkeypatch):
    monkeypatch.setattr(base, "sample_non_edges", lambda csr, count, key: NEGATIVES[:, :count])
    twin = dense(trained, RETAINED, six.graph.features)
    z = twin.layers()[-1]
    both = np.concatenate([RETAINED, RETAINED[::-1], NEGATIVES], axis=1)
    scores = (z[both[0]] * z[both[1]]).sum(1)
    targets = torch.cat([torch.ones(10), torch.zeros(10)]).double()
    loss = F.binary_cross_entropy_with_logits(scores, targets)
    result = unlearn(trained, six, DELETED, "fine-tune", epochs=1, lr=0.01)
    assert result.history[-1]["loss"] == pytest.approx(float(loss.detach()), rel=1e-5)
    assert_one_adam_step(twin, loss, result.model.state_dict(), 0.01)


@pytest.mark.parametrize("m", [1, 7, 512, 700])
def test_sigmoid_pairs_mse(m):
    generator = torch.Generator().manual_seed(m)
    z = (torch.randn(m, 5, generator=generator) * 0.7).requires_grad_(True)
    target = torch.randn(m, 5, generator=generator)
    slow = z.detach().double().requires_grad_(True)
    expected = F.mse_loss(torch.sigmoid(slow @ slow.T), torch.sigmoid(target.double() @ target.double().T))
    loss = sigmoid_pairs_mse(z, target)
    assert float(loss.detach()) == pytest.approx(float(expected.detach()), rel=1e-5)
    (3.0 * loss).backward()
    (3.0 * expected).backward()
    torch.testing.assert_close(z.grad.double(), slow.grad, rtol=1e-4, atol=1e-8)


def test_sigmoid_pairs_mse_of_equal_inputs_is_zero():
    z = torch.randn(600, 4, generator=torch.Generator().manual_seed(0)).requires_grad_(True)
    loss = sigmoid_pairs_mse(z, z.detach())
    loss.backward()
    assert float(loss.detach()) == 0.0 and not z.grad.any()
