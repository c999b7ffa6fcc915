import pytest
import torch
import torch.nn.functional as F

from graphforget._core.errors import DataError
from graphforget.kernels.row_errors import check_tables, row_errors


def one_error(h, rows, target, others, weight=0.3):
    return row_errors(h, [(weight, rows, target, others)])


def error_of_torch(h, rows, target, others, weight=0.3):
    return weight * F.mse_loss(h.index_select(0, rows), target.index_select(0, others))


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("width", [1, 7, 64])
def test_value_and_gradient_are_those_of_torch(dtype, width):
    generator = torch.Generator().manual_seed(width)
    h, target = (torch.randn(n, width, generator=generator, dtype=dtype) for n in (50, 80))
    rows = torch.randint(50, (300,), generator=generator)  # most rows several times
    others = torch.randint(80, (300,), generator=generator)
    found = []
    for of in (one_error, error_of_torch):
        leaf = h.clone().requires_grad_(True)
        loss = of(leaf, rows, target, others)
        loss.backward()
        found.append((float(loss.detach()), leaf.grad))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-6)
    assert torch.equal(found[0][1], found[1][1])


def test_a_gradient_from_above_scales_each_time_it_comes():
    h, rows = torch.tensor([[1.0, 2.0], [5.0, 5.0]], requires_grad=True), torch.tensor([0])
    loss = 3 * one_error(h, rows, torch.zeros(1, 2), rows, weight=0.5)
    loss.backward(retain_graph=True)
    assert h.grad.tolist() == [[1.5, 3.0], [0.0, 0.0]]
    loss.backward()
    assert h.grad.tolist() == [[3.0, 6.0], [0.0, 0.0]]


def test_no_rows_give_no_gradient():
    h, none = torch.ones(3, 2, requires_grad=True), torch.zeros(0, dtype=torch.int64)
    one_error(h, none, torch.ones(3, 2), none).backward()
    assert torch.equal(h.grad, torch.zeros(3, 2))
    assert float(row_errors(h.detach(), [])) == 0


@pytest.mark.parametrize("width", [3, 64, 128])
def test_errors_of_several_parts_are_those_of_each_for_any_number_of_threads(same_for_any_threads, width):
    generator = torch.Generator().manual_seed(width)
    h, target = torch.randn(500, width, generator=generator), torch.randn(90, width, generator=generator)
    beside = torch.randint(90, (800,), generator=generator)
    low = torch.randint(200, (800,), generator=generator)  # most rows several times; none of them in the other part
    high = 200 + torch.randperm(300, generator=generator)
    parts = [(0.3, low, target, beside), (0.7, high, target, beside[:300])]

    def found(of):
        leaf = h.clone().requires_grad_(True)
        total = of(leaf, parts)
        total.backward()
        return torch.cat([total.detach()[None], leaf.grad.ravel()]).numpy()

    assert same_for_any_threads(lambda: found(row_errors))
    ours = found(row_errors)
    theirs = found(lambda h, of: sum(error_of_torch(h, *one, weight) for weight, *one in of))
    assert ours[0] == pytest.approx(theirs[0], rel=1e-6)
    assert ours[0] == float(row_errors(h, parts))
    assert ours[1:].tobytes() == theirs[1:].tobytes()


def test_a_layer_without_a_row_for_every_node_is_refused():
    whole = torch.ones(5, 2)
    check_tables([whole, torch.ones(6, 3)], 5)
    for short in (whole[:4], whole[:, 0]):
        with pytest.raises(DataError, match=r"Layer 2 of the model has the shape .*5 nodes, so \(5, width\) is needed"):
            check_tables([whole, short], 5)
