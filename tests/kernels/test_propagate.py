import numpy as np
import pytest
import torch
from torch_geometric.nn import GCNConv

from graphforget.kernels import propagate as module
from graphforget.kernels.csr import edges_to_csr, gcn_normalise, row_ids
from graphforget.kernels.propagate import Sparse, linear_sparse, propagate, spmm


@pytest.mark.parametrize("width", [1, 7, 64, 128])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_spmm_agrees_with_the_dense_product(width, dtype, random_csr, dense):
    csr = random_csr(60, 41, 500)
    h = np.random.default_rng(1).normal(size=(41, width)).astype(dtype)
    out = spmm(csr, h)
    assert out.dtype == dtype
    np.testing.assert_allclose(out, dense(csr) @ h, atol=2e-5)


def test_empty_rows_give_zeros():
    csr = edges_to_csr(np.array([2]), np.array([0]), 4, 1)
    assert spmm(csr, np.full((1, 3), 2.0, np.float32)).tolist() == [[0] * 3, [0] * 3, [2] * 3, [0] * 3]


def test_a_matrix_without_entries_and_one_without_rows():
    nothing = np.empty(0, np.int64)
    assert spmm(edges_to_csr(nothing, nothing, 3, 2), np.ones((2, 5), np.float32)).tolist() == [[0] * 5] * 3
    assert spmm(edges_to_csr(nothing, nothing, 0, 2), np.ones((2, 5), np.float32)).shape == (0, 5)


def test_read_only_arrays(random_csr):
    csr, h = random_csr(6, 5, 12), np.ones((5, 3), np.float32)
    wanted = spmm(csr, h)
    for part in (*csr[:3], h):
        part.flags.writeable = False
    assert np.array_equal(spmm(csr, h), wanted)
    assert np.array_equal(propagate(Sparse(csr), torch.ones(5, 3)).numpy(), wanted)
    torch.testing.assert_close(module._product_torch(Sparse(csr), torch.ones(5, 3)).numpy(), wanted)
    gcn_normalise(edges_to_csr(csr.indices, csr.indices, 5, 5))


def test_spmm_does_not_depend_on_the_threads(same_for_any_threads, random_graph):
    csr = random_graph(700, 9000)
    h = np.random.default_rng(2).normal(size=(700, 48)).astype(np.float32)
    assert same_for_any_threads(lambda: spmm(csr, h))


@pytest.mark.parametrize("product", [module._product, module._product_torch], ids=["numba", "torch"])
def test_gradient_of_a_rectangular_matrix(product, monkeypatch, random_csr, dense):
    monkeypatch.setattr(module, "_product", product)
    csr = random_csr(20, 13, 80)
    h = torch.randn(13, 6, requires_grad=True, generator=torch.Generator().manual_seed(0))
    target = torch.randn(20, 6, generator=torch.Generator().manual_seed(1))
    out = propagate(Sparse(csr), h)
    (out.sin() * target).sum().backward()
    h2 = h.detach().clone().requires_grad_()
    out2 = torch.tensor(dense(csr), dtype=torch.float32) @ h2
    (out2.sin() * target).sum().backward()
    torch.testing.assert_close(out, out2)
    torch.testing.assert_close(h.grad, h2.grad)


def test_gradcheck_in_float64(random_csr):
    matrix = Sparse(random_csr(6, 5, 12))
    h = torch.randn(5, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: propagate(matrix, x), (h,))


def test_non_contiguous_input_and_gradient(random_csr):
    matrix = Sparse(random_csr(6, 5, 12))
    h = torch.randn(3, 5, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: propagate(matrix, x.T).T, (h,))


def test_symmetric_matrix_is_its_own_transpose_and_the_transpose_is_kept(random_csr, random_graph):
    symmetric = Sparse(random_graph(10, 12), symmetric=True)
    assert symmetric.transpose is symmetric
    other = Sparse(random_csr(4, 6, 9))
    assert other.transpose is other.transpose
    assert other.transpose.transpose is other
    assert (other.shape, other.transpose.shape) == ((4, 6), (6, 4))


def test_two_layers_agree_with_gcnconv(random_graph):
    csr = random_graph(30, 55)
    matrix = Sparse(gcn_normalise(csr), symmetric=True)
    conv = GCNConv(8, 5, bias=False)
    x = torch.randn(30, 8, generator=torch.Generator().manual_seed(0))
    edges = torch.from_numpy(np.stack((row_ids(csr), csr.indices)).astype(np.int64))
    ours = propagate(matrix, x @ conv.lin.weight.T)
    ours.square().sum().backward()
    gradient = conv.lin.weight.grad.clone()
    conv.lin.weight.grad = None
    theirs = conv(x, edges)
    theirs.square().sum().backward()
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-5)
    torch.testing.assert_close(gradient, conv.lin.weight.grad, atol=1e-4, rtol=1e-5)


def test_linear_sparse_is_the_dense_layer(random_csr, dense):
    x = random_csr(25, 12, 60)
    weight = torch.randn(12, 4, requires_grad=True, generator=torch.Generator().manual_seed(0))
    out = linear_sparse(Sparse(x), weight)
    out.square().sum().backward()
    full = torch.tensor(dense(x), dtype=torch.float32)
    torch.testing.assert_close(out, full @ weight)
    torch.testing.assert_close(weight.grad, 2 * full.T @ (full @ weight.detach()))


def test_second_derivatives(random_csr, dense):
    csr = random_csr(6, 5, 12)
    matrix, full = Sparse(csr), torch.tensor(dense(csr), dtype=torch.float64)
    h = torch.randn(5, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradgradcheck(lambda x: propagate(matrix, x).sin(), (h,))
    products = []
    for product in (lambda x: propagate(matrix, x), lambda x: full @ x):
        (first,) = torch.autograd.grad(product(h).pow(3).sum(), h, create_graph=True)
        products.append(torch.autograd.grad(first, h, torch.ones_like(h))[0])
    torch.testing.assert_close(*products)
