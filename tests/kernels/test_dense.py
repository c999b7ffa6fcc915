import threading

import numpy as np
import pytest
import torch

from graphforget._core.threads import one_torch_thread
from graphforget.kernels import dense
from graphforget.kernels.dense import plain_product, product


@pytest.fixture
def parts(monkeypatch):
    """Hand out parts of products that are small, and count them."""
    monkeypatch.setattr(dense, "MULTIPLICATIONS", 2**12)
    counted, threads = [], dense._on_threads

    def counting(work, count):
        counted.append(count)
        threads(work, count)

    monkeypatch.setattr(dense, "_on_threads", counting)
    return counted


def tables(n, k, m, dtype=torch.float32):
    generator = torch.Generator().manual_seed(n + k + m)
    return torch.randn(n, k, generator=generator, dtype=dtype), torch.randn(k, m, generator=generator, dtype=dtype)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize(
    ("n", "k", "m"), [(1000, 64, 32), (1001, 33, 7), (40, 64, 999), (7, 5, 3), (0, 4, 4), (65, 0, 9)]
)
def test_values_are_those_of_a_sum_in_double_precision(parts, dtype, n, k, m):
    a, b = tables(n, k, m, dtype)
    found = product(a, b)
    assert found.dtype == dtype
    exact = a.numpy().astype(np.float64) @ b.numpy().astype(np.float64)
    assert np.abs(found.numpy() - exact).max(initial=0) <= (1e-4 if dtype == torch.float32 else 1e-12)
    assert (len(parts) == 1) == (max(n, m) >= 64 and n * k * m >= 2**13)


def test_gradients_are_those_of_torch_twice_over(parts):
    def gradients(multiply):
        a, b = (table.requires_grad_(True) for table in tables(200, 40, 30, torch.float64))
        first = torch.autograd.grad(multiply(a, b).pow(3).sum(), (a, b), create_graph=True)
        second = torch.autograd.grad(sum(part.square().sum() for part in first), (a, b))
        return [*first, *second]

    for ours, theirs in zip(gradients(product), gradients(torch.matmul), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)
    assert len(parts) > 4


def test_only_gradients_that_are_asked_for_are_computed(parts):
    a, b = tables(200, 90, 30)
    weight = b.clone().requires_grad_(True)
    found = product(a, weight)
    before = len(parts)
    found.sum().backward()
    assert len(parts) == before + 1
    assert weight.grad.shape == b.shape


def test_bytes_are_the_same_for_any_number_of_threads(parts, same_for_any_threads):
    a, b = tables(3000, 48, 17)

    def both():
        with one_torch_thread():
            leaf, weight = a.clone().requires_grad_(True), b.clone().requires_grad_(True)
            found = product(leaf, weight)
            found.square().sum().backward()
            return torch.cat([found.detach().ravel(), leaf.grad.ravel(), weight.grad.ravel()]).numpy()

    assert same_for_any_threads(both)
    assert max(parts) > 8


def test_what_fails_on_a_helping_thread_is_raised(monkeypatch):
    monkeypatch.setattr(dense.numba, "get_num_threads", lambda: 2)
    helped, caller = threading.Event(), threading.get_ident()

    def work(part):
        if threading.get_ident() == caller:
            assert helped.wait(30)
        else:
            helped.set()
            raise ValueError("a helper's part")

    with pytest.raises(ValueError, match="a helper's part"):
        dense._on_threads(work, 100)


def test_every_part_is_done_once(monkeypatch):
    monkeypatch.setattr(dense.numba, "get_num_threads", lambda: 4)
    for _ in range(20):
        done = []
        dense._on_threads(done.append, 500)
        assert sorted(done) == list(range(500))


def test_shapes_that_do_not_fit_are_refused_as_by_torch(parts):
    with pytest.raises(RuntimeError, match="mat1 and mat2"):
        plain_product(torch.ones(4, 3), torch.ones(2, 4))
