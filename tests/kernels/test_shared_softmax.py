"""The softmax of own items among shared others: value and gradients against autograd."""

from __future__ import annotations

import pytest
import torch

from graphforget.kernels.shared_softmax import shared_softmax


def plain(user, own, others, itself):
    logits = user @ others.T
    if itself:
        rows = min(logits.shape)
        hidden = torch.zeros_like(logits, dtype=torch.bool)
        hidden[range(rows), range(rows)] = True
        logits = logits.masked_fill(hidden, float("-inf"))
    return torch.cat([own[:, None], logits], dim=1).logsumexp(dim=1) - own


def inputs(m, c, scale):
    generator = torch.Generator().manual_seed(m + c)
    shapes = ((m, 3), (m,), (c, 3))
    return [(scale * torch.randn(*s, generator=generator, dtype=torch.float64)).requires_grad_() for s in shapes]


@pytest.mark.parametrize(
    ("m", "c", "itself"), [(7, 5, False), (7, 5, True), (4, 9, False), (6, 6, True), (1, 1, False)]
)
@pytest.mark.parametrize("scale", [0.3, 40.0])
def test_values_and_gradients_equal_autograds(m, c, itself, scale):
    weight = torch.linspace(0.5, 2, m, dtype=torch.float64)
    found = []
    for loss in (plain, lambda *given: shared_softmax(*given[:3], itself=given[3])):
        parts = inputs(m, c, scale)
        value = loss(*parts, itself)
        (value * weight).sum().backward()
        found.append([value.detach(), *(part.grad for part in parts)])
    for theirs, ours in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-12)


def test_a_row_whose_only_other_is_itself_costs_nothing():
    user, own, others = inputs(1, 1, 1.0)
    loss = shared_softmax(user, own, others, itself=True)
    loss.sum().backward()
    assert loss.item() == 0.0 and not any(part.grad.any() for part in (user, own, others))


def test_gradients_equal_differences():
    assert torch.autograd.gradcheck(lambda *parts: shared_softmax(*parts, itself=True), inputs(5, 4, 1.0))
