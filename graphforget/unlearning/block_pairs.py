"""Squared error between the probabilities of all pairs within a node set, in blocks."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from graphforget.kernels.dense import plain_product

BLOCK = 512
"""Rows of one block; memory is BLOCK times the size of the set."""


class _SigmoidPairsMSE(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, z: Tensor, target: Tensor) -> Tensor:
        """One pass gives loss and gradient: with P = sigmoid(z z^T), dL/dz = (4 / m^2) ((P - T) P (1 - P)) z.

        P and T are symmetric: of each block row only the part from the diagonal on is computed.
        """
        z, grad, total = z.detach(), torch.zeros_like(z), z.new_zeros((), dtype=torch.float64)
        for start in range(0, len(z), BLOCK):
            stop = min(start + BLOCK, len(z))
            p = torch.sigmoid(plain_product(z[start:stop], z[start:].T))
            difference = p - torch.sigmoid(plain_product(target[start:stop], target[start:].T))
            squares = difference.square().sum(dim=0).double()
            total += squares[: stop - start].sum() + 2 * squares[stop - start :].sum()
            slope = difference.mul_(p).mul_(1 - p)
            grad[start:stop] += plain_product(slope, z[start:])
            grad[stop:] += plain_product(slope[:, stop - start :].T, z[start:stop])
        ctx.save_for_backward(grad)
        return (total / len(z) ** 2).to(z.dtype)

    @staticmethod
    def backward(ctx: Any, upstream: Tensor) -> tuple[Tensor, None]:
        (grad,) = ctx.saved_tensors
        return upstream * grad * (4.0 / len(grad) ** 2), None


def sigmoid_pairs_mse(z: Tensor, target: Tensor) -> Tensor:
    """Return mean over all i, j of (sigmoid(z_i . z_j) - sigmoid(t_i . t_j))^2, differentiable in z.

    Never holds an m by m matrix: memory is 512 times m. Shapes: z, target (m, d) -> scalar.
    """
    return _SigmoidPairsMSE.apply(z, target)
