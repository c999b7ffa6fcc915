"""The ranking in torch's operations beside the numba one; on a GPU it is what `--device cuda` ranks with."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import DivergedError
from graphforget.kernels import topk_torch as module
from graphforget.kernels.csr import edges_to_csr
from graphforget.kernels.topk import top_items
from graphforget.kernels.topk_torch import top_items_torch


def drawn(seed: int):
    """Vectors of whole numbers, whose scores are exact and mostly tie, two masks, candidates and a length."""
    rng = np.random.default_rng(seed)
    n, m, d, k = (int(rng.integers(1, top)) for top in (70, 300, 20, 60))
    users, items = (rng.integers(-3, 4, (rows, d)).astype(np.float32) for rows in (n, m))
    hidden = rng.random((2, n, m)) < rng.choice([0.0, 0.1, 0.95])
    mask = [edges_to_csr(*np.nonzero(part), n, m) for part in hidden]
    return users, items, mask, k, rng.random(m) < 0.7 if seed % 2 else None


@pytest.mark.parametrize("block", [1, 1000, 1 << 26])
@pytest.mark.parametrize("seed", range(8))
def test_it_is_the_list_of_the_numba_kernel_ties_included(seed, block, monkeypatch):
    monkeypatch.setattr(module, "SCORES", block)
    users, items, mask, k, candidates = drawn(seed)
    ids, scores = top_items_torch(torch.from_numpy(users), torch.from_numpy(items), mask, k, candidates)
    wanted = top_items(users, items, mask, k, candidates)
    assert ids.dtype == np.int32 and scores.dtype == np.float32
    assert np.array_equal(ids, wanted[0])
    assert np.array_equal(scores, wanted[1])


def test_both_zeros_are_one_score_and_signs_keep_their_order():
    users = torch.tensor([[1.0], [-1.0]])
    items = torch.tensor([[-0.0], [0.0], [-2.5], [3.5], [-1e-40], [1e30]])
    ids, _ = top_items_torch(users, items, [], 6)
    assert ids.tolist() == [[5, 3, 0, 1, 4, 2], [2, 4, 0, 1, 3, 5]]


@pytest.mark.parametrize("bad", [float("nan"), float("inf"), 1e30])
def test_scores_that_are_not_finite_are_an_error(bad):
    with pytest.raises(DivergedError, match="learning rate"):
        top_items_torch(torch.full((2, 1), bad), torch.full((3, 1), bad), [], 2)
