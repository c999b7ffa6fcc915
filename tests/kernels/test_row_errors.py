import pytest
import torch
import torch.nn.functional as F

from graphforget.kernels.row_errors import row_errors


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 7, 64])
def test_value_and_gradient_are_those_of_torch(dtype, width):
    generator = torch.Generator().manual_seed(width)
    h, target = (torch.randn(n, width, generator=generator, dtype=dtype) for n in (50, 80))
    rows = torch.randint(50, (300,), generator=generator)  # most rows several times
    others = torch.randint(80, (300,), generator=generator)
    found = []
    for of in (row_errors, lambda h, r, t, o: F.mse_loss(h.index_select(0, r), t.index_select(0, o))):
        leaf = h.clone().requires_grad_(True)
        loss = of(leaf, rows, target, others)
        (0.3 * loss).backward()
        found.append((float(loss.detach()), leaf.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert torch.equal(found[0][1], found[1][1])


def test_no_rows_give_no_gradient():
    h, none = torch.ones(3, 2, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    row_errors(h, none, torch.ones(3, 2), none).backward()
    assert torch.equal(h.grad, torch.zeros(3, 2))
