"""The softmax of many users' own items among others that all users share, in three products."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphforget.kernels.dense import plain_product

NEVER = -1e9
"""A logit that adds nothing to a softmax, and no NaN to its gradient where there is no other."""


class _SharedSoftmax(torch.autograd.Function):
    """The (m, c) matrix of logits is made once, turned into its exponentials in place, and kept for the gradient."""

    @staticmethod
    def forward(ctx: Any, user: Tensor, own: Tensor, others: Tensor, itself: bool) -> Tensor:
        logits = plain_product(user, others.T)
        if itself:
            logits.fill_diagonal_(NEVER)
        top = torch.maximum(logits.amax(dim=1), own)
        shares = logits.sub_(top[:, None]).exp_()
        chosen = (own - top).exp()
        total = shares.sum(dim=1) + chosen
        ctx.save_for_backward(user, others, shares, chosen, total)
        return total.log() + top - own

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, Tensor, Tensor, None]:
        user, others, shares, chosen, total = ctx.saved_tensors
        weight = (grads[0] / total)[:, None]
        of_user = plain_product(shares, others) * weight
        of_others = plain_product(shares.T, user * weight)
        return of_user, grads[0] * (chosen / total - 1), of_others, None


def shared_softmax(user: Tensor, own: Tensor, others: Tensor, *, itself: bool = False) -> Tensor:
    """Return -log( e^own / (e^own + sum_j e^(user . others_j)) ) of each row, (m,).

    Parameters
    ----------
    user: (m, width) vectors.
    own: (m,) logits of what each row chose.
    others: (c, width) vectors that every row is compared with.
    itself: row k's own choice is others[k], which is then left out of its others.
    """
    return _SharedSoftmax.apply(user, own, others, itself)
