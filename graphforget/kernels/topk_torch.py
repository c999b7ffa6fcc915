"""The best items of every user in torch's own operations, for devices other than the CPU."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from torch import Tensor

from graphforget._core.errors import DivergedError
from graphforget.kernels.csr import CSR

SCORES = 1 << 26
"""Scores that are held at once; a block of users has as many rows as fit, at least one."""


def _keys(scores: Tensor) -> Tensor:
    """Return int64 numbers that all differ within a row and stand in the order of the lists.

    The upper half is the score as an integer of the same order, the lower half the item, counted from the last. Minus
    zero becomes zero, which it is equal to.
    """
    bits = (scores + 0.0).view(torch.int32)
    ordered = torch.where(bits < 0, bits ^ 0x7FFFFFFF, bits).long()
    n_items = scores.shape[1]
    return (ordered << 32) + torch.arange(n_items - 1, -1, -1, device=scores.device)


def _hide(scores: Tensor, mask: Sequence[CSR], first: int) -> None:
    """Set the scores of masked pairs to -inf; row 0 of `scores` is user `first`."""
    last = first + len(scores)
    for part in mask:
        indptr = part.indptr[first : last + 1]
        rows = np.repeat(np.arange(len(scores)), np.diff(indptr))
        columns = part.indices[indptr[0] : indptr[-1]].astype(np.int64)
        at, value = (torch.from_numpy(array).to(scores.device) for array in (rows, columns))
        scores[at, value] = -torch.inf


def top_items_torch(
    users: Tensor, items: Tensor, mask: Sequence[CSR], k: int, candidates: np.ndarray | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Return what `topk.top_items` returns, with scores and selection on the device of the vectors.

    The order is exact for the scores as the device rounds them, which may differ from the CPU's in their last bits:
    equal scores go to the lower item.

    Parameters
    ----------
    users, items : (n_users, d) and (n_items, d) on one device; mask, k, candidates: see `top_items`

    Raises DivergedError for scores that are infinite or NaN.
    """
    users, items = users.float(), items.float()
    ids = np.full((len(users), k), -1, np.int32)
    best = np.full((len(users), k), -np.inf, np.float32)
    barred = None if candidates is None else torch.from_numpy(~candidates).to(items.device)
    rows, width = max(1, SCORES // max(len(items), 1)), min(k, len(items))
    for first in range(0, len(users), rows):
        scores = users[first : first + rows] @ items.T
        if not torch.isfinite(scores).all():
            raise DivergedError(
                "top_items: scores are infinite or NaN. Train with a smaller learning rate, or scale the vectors down."
            )
        _hide(scores, mask, first)
        if barred is not None:
            scores.masked_fill_(barred, -torch.inf)
        chosen = len(items) - 1 - (_keys(scores).topk(width, dim=1).values & 0xFFFFFFFF)
        found = scores.gather(1, chosen)
        at = slice(first, first + len(scores))
        ids[at, :width] = chosen.masked_fill(found == -torch.inf, -1).int().cpu().numpy()
        best[at, :width] = found.cpu().numpy()
    return ids, best
