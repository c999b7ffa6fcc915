"""The stand-in device fails where a GPU would, and computes what the CPU computes."""

from __future__ import annotations

import pytest
import torch


def test_it_computes_and_differentiates(far):
    layer = torch.nn.Linear(2, 3).to(far)
    x = torch.arange(8.0).view(4, 2).to(far)
    loss = layer(x).square().sum()
    loss.backward()
    assert {value.device.type for value in (layer.weight, loss, layer.weight.grad, torch.ones(2, device=far))} == {far}
    here = torch.nn.Linear(2, 3)
    here.load_state_dict({name: value.cpu() for name, value in layer.state_dict().items()})
    here(x.cpu()).square().sum().backward()
    assert torch.equal(layer.weight.grad.cpu(), here.weight.grad)


def test_two_devices_do_not_mix(far):
    x = torch.ones(3, 2).to(far)
    for wrong in (
        lambda: x + torch.ones(3, 2),
        lambda: x[torch.tensor([0, 1])],
        lambda: x.index_select(0, torch.tensor([0])),
        lambda: torch.cat([x, torch.ones(1, 2)]),
        lambda: x.numpy(),
    ):
        with pytest.raises(RuntimeError):
            wrong()
    assert (x * torch.tensor(2.0)).sum().item() == 12.0
