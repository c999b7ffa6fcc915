import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch_geometric.nn import GATConv

from graphforget.kernels import edge_softmax_torch
from graphforget.kernels.csr import edges_to_csr, row_ids, with_self_loops
from graphforget.kernels.edge_softmax import attention
from graphforget.kernels.edge_softmax_torch import attention_torch
from graphforget.kernels.propagate import Sparse


def inputs(n_rows, n_cols, heads, width, dtype=torch.float32):
    draw = torch.Generator().manual_seed(0)
    shapes = ((n_cols, heads, width), (n_rows, heads), (n_cols, heads))
    return [torch.randn(shape, generator=draw, dtype=dtype).requires_grad_() for shape in shapes]


def dense_attention(mask, x, left, right, slope):
    logits = F.leaky_relu(left.unsqueeze(1) + right.unsqueeze(0), slope)
    weights = logits.masked_fill(~mask.unsqueeze(-1), -torch.inf).softmax(dim=1)
    return torch.einsum("ijh,jhd->ihd", weights.nan_to_num(0.0), x)


def gradients(out, tensors):
    return torch.autograd.grad((out * torch.linspace(-1, 2, out.numel()).view(out.shape)).sum(), tensors)


@pytest.mark.parametrize("heads", [1, 3])
@pytest.mark.parametrize("compute", [attention, attention_torch])
def test_rectangular_attention_is_the_dense_softmax(compute, heads, random_csr, dense):
    csr = random_csr(14, 9, 50)
    tensors = inputs(14, 9, heads, 5)
    mask = torch.from_numpy(dense(csr) != 0)
    assert mask.any(dim=1).all()
    ours, oracle = compute(Sparse(csr), *tensors, slope=0.3), dense_attention(mask, *tensors, slope=0.3)
    torch.testing.assert_close(ours, oracle, atol=1e-5, rtol=1e-5)
    for got, wanted in zip(gradients(ours, tensors), gradients(oracle, tensors), strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("heads", [1, 2])
def test_agrees_with_gatconv(heads, random_graph):
    csr = with_self_loops(random_graph(40, 90))
    conv = GATConv(7, 6, heads=heads, bias=False)
    x = torch.randn(40, 7, generator=torch.Generator().manual_seed(1))
    edges = torch.from_numpy(np.stack((csr.indices, row_ids(csr))).astype(np.int64))
    h = (x @ conv.lin.weight.T).view(40, heads, 6)
    left, right = (h * conv.att_dst).sum(-1), (h * conv.att_src).sum(-1)
    ours, theirs = attention(csr, h, left, right).flatten(1), conv(x, edges)
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    weights = [conv.lin.weight, conv.att_src, conv.att_dst]
    for got, wanted in zip(gradients(ours, weights), gradients(theirs, weights), strict=True):
        torch.testing.assert_close(got, wanted, atol=1e-5, rtol=1e-4)


BOTH = pytest.mark.parametrize("compute", [attention, attention_torch])


@BOTH
def test_equal_logits_give_the_mean_and_an_empty_row_zeros(compute):
    csr = edges_to_csr(np.array([0, 0, 2]), np.array([0, 1, 1]), 3, 2)
    x = torch.tensor([[[2.0, 4.0]], [[6.0, -4.0]]], requires_grad=True)
    out = compute(Sparse(csr), x, torch.zeros(3, 1), torch.zeros(2, 1), slope=0.2)
    assert out[:, 0].tolist() == [[4.0, 0.0], [0.0, 0.0], [6.0, -4.0]]
    out.sum().backward()
    assert x.grad[:, 0].tolist() == [[0.5, 0.5], [1.5, 1.5]]


@BOTH
def test_huge_logits_do_not_overflow(compute):
    csr = edges_to_csr(np.array([0, 0]), np.array([0, 1]), 1, 2)
    x = torch.tensor([[[1.0]], [[5.0]]])
    out = compute(Sparse(csr), x, torch.zeros(1, 1), torch.tensor([[3e4], [-3e4]]), slope=0.2)
    assert out.item() == 1.0


@BOTH
def test_nan_stays_nan(compute):
    csr = edges_to_csr(np.array([0, 0]), np.array([0, 1]), 1, 2)
    left, right = torch.zeros(1, 1), torch.tensor([[float("nan")], [0.0]])
    assert compute(Sparse(csr), torch.ones(2, 1, 1), left, right, slope=0.2).isnan().all()


@BOTH
def test_gradcheck_in_float64_and_another_slope(compute, random_csr):
    matrix = Sparse(random_csr(6, 5, 14))
    tensors = inputs(6, 5, 2, 3, torch.float64)
    assert torch.autograd.gradcheck(lambda *t: compute(matrix, *t, slope=0.05), tensors)


def test_the_torch_path_is_the_same_in_blocks_of_entries(random_csr, monkeypatch):
    matrix, tensors = Sparse(random_csr(14, 9, 50)), inputs(14, 9, 2, 5)
    whole = gradients(attention_torch(matrix, *tensors, slope=0.2), tensors)
    monkeypatch.setattr(edge_softmax_torch, "ENTRIES", 7)
    for got, wanted in zip(gradients(attention_torch(matrix, *tensors, slope=0.2), tensors), whole, strict=True):
        assert torch.equal(got, wanted)


def test_no_pass_depends_on_the_threads(same_for_any_threads, random_graph):
    matrix = Sparse(random_graph(400, 3000))
    tensors = inputs(400, 400, 2, 32)

    def compute():
        out = attention(matrix, *tensors)
        parts = (out.detach(), *gradients(out, tensors))
        return np.concatenate([part.numpy().ravel() for part in parts])

    assert same_for_any_threads(compute)
