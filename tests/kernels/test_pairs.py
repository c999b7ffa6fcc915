import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError
from graphforget.kernels.pairs import PairIndex, _pair_scores_torch, pair_scores


def batch(n: int, m: int, width: int, seed: int = 0) -> tuple[torch.Tensor, PairIndex]:
    rng = np.random.default_rng(seed)
    z = torch.from_numpy(rng.normal(size=(n, width)).astype(np.float32)).requires_grad_()
    return z, PairIndex.of(rng.integers(0, n, (2, m)), n)


def test_incidence_of_three_pairs_with_a_loop():
    index = PairIndex.of(np.array([[2, 0, 1], [0, 1, 1]]), 4)
    indptr, pair, other = index.incidence
    assert indptr.tolist() == [0, 2, 5, 6, 6]
    assert pair.tolist() == [0, 1, 1, 2, 2, 0]
    assert other.tolist() == [2, 1, 0, 1, 1, 0]
    assert index.incidence is index.incidence
    assert len(index) == 3


@pytest.mark.parametrize("scores", [pair_scores, _pair_scores_torch])
def test_scores_and_gradient_agree_with_dense_autograd(scores):
    z, pairs = batch(12, 60, 5)
    weight = torch.linspace(-1, 2, 60)
    out = scores(z, pairs)
    (out * weight).sum().backward()
    z2 = z.detach().clone().requires_grad_()
    out2 = (z2 @ z2.T)[pairs.u, pairs.v]
    (out2 * weight).sum().backward()
    torch.testing.assert_close(out, out2)
    torch.testing.assert_close(z.grad, z2.grad, atol=1e-5, rtol=1e-5)


def test_a_pair_with_itself_gives_twice_its_row():
    z = torch.tensor([[3.0, -1.0], [7.0, 7.0]], requires_grad=True)
    scores = pair_scores(z, PairIndex.of(np.array([[0], [0]]), 2))
    scores.sum().backward()
    assert scores.tolist() == [10.0]
    assert z.grad.tolist() == [[6.0, -2.0], [0.0, 0.0]]


def test_gradcheck_in_float64():
    _, pairs = batch(5, 9, 3)
    z = torch.randn(5, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(0))
    assert torch.autograd.gradcheck(lambda x: pair_scores(x, pairs), (z,))
    assert torch.autograd.gradcheck(lambda x: pair_scores(x.T.contiguous().T, pairs), (z,))


def test_read_only_pairs():
    z, pairs = batch(5, 9, 3)
    array = np.stack((pairs.u, pairs.v))
    array.flags.writeable = False
    frozen = PairIndex.of(array, 5)
    assert torch.equal(pair_scores(z, frozen), pair_scores(z, pairs))
    pair_scores(z, frozen).sum().backward()
    torch.testing.assert_close(_pair_scores_torch(z, frozen), pair_scores(z, pairs))


def test_no_pairs():
    z, pairs = batch(3, 0, 2)
    pair_scores(z, pairs).sum().backward()
    assert z.grad.tolist() == [[0, 0]] * 3


def test_neither_pass_depends_on_the_threads(same_for_any_threads):
    z, pairs = batch(300, 5000, 64)
    weight = torch.linspace(-1, 1, 5000)

    def compute():
        z.grad = None
        scores = pair_scores(z, pairs)
        scores.backward(weight)
        return np.concatenate((scores.detach().numpy(), z.grad.numpy().ravel()))

    assert same_for_any_threads(compute)


def test_second_derivatives_agree_with_autograd_on_dense_operations():
    _, pairs = batch(6, 11, 3, seed=4)
    loops = PairIndex.of(np.array([[0, 2, 2], [0, 2, 5]]), 6)
    for index in (pairs, loops):
        z = torch.randn(6, 3, dtype=torch.float64, requires_grad=True, generator=torch.Generator().manual_seed(1))
        assert torch.autograd.gradgradcheck(lambda x, index=index: pair_scores(x, index), (z,))
        direction = torch.linspace(-1, 1, 18, dtype=torch.float64).view(6, 3)
        products = []
        for scores in (pair_scores, _pair_scores_torch):
            (first,) = torch.autograd.grad(torch.nn.functional.softplus(scores(z, index)).sum(), z, create_graph=True)
            products.append(torch.autograd.grad(first, z, direction)[0])
        torch.testing.assert_close(*products)


def test_a_third_derivative_is_refused():
    z, pairs = batch(5, 9, 3)
    (first,) = torch.autograd.grad(pair_scores(z, pairs).pow(3).sum(), z, create_graph=True)
    (second,) = torch.autograd.grad(first.pow(2).sum(), z, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        second.sum().backward()


def test_the_second_pass_does_not_depend_on_the_threads(same_for_any_threads):
    z, pairs = batch(300, 5000, 64)

    def compute():
        (first,) = torch.autograd.grad(pair_scores(z, pairs).square().sum(), z, create_graph=True)
        return torch.autograd.grad(first, z, z.detach())[0].numpy()

    assert same_for_any_threads(compute)


@pytest.mark.parametrize("rows", [4, 7, None])
def test_embeddings_of_another_number_of_nodes_are_not_read(rows):
    z, (_, pairs) = torch.ones(5 if rows is None else (rows, 3)), batch(5, 9, 3)
    with pytest.raises(DataError, match=r"shape \(.*\), but the pairs are of 5 nodes, so \(5, width\) is needed"):
        pair_scores(z, pairs)
