"""Several processes that train one model: each computes its part of every batch, and gradients are added up."""

from __future__ import annotations

import atexit
import os
from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from graphforget._core.errors import UsageError


@dataclass(frozen=True)
class Workers:
    """The processes of a run, and which one this is.

    The batch of a step is `count` times the recipe's; worker `rank` computes its part of it, losses and gradients are
    added up, and every process takes the same step. Weights, metrics and the epoch kept are therefore the same in all
    of them, bit by bit, and equal to those of one process with the larger batch but for the order of additions.

    Attributes
    ----------
    rank: number of this process, from 0. count: number of processes.
    """

    rank: int = 0
    count: int = 1

    @classmethod
    def joined(cls, device: torch.device) -> Workers:
        """Return the workers that `torchrun` started, or this process alone.

        The process group is made here unless it exists: gloo for models on the CPU, nccl on GPUs. One made here is left
        before Python ends: a thread of it that still runs then can abort the process.
        """
        import torch.distributed as dist

        if not dist.is_available() or not (dist.is_initialized() or int(os.environ.get("WORLD_SIZE", "1")) > 1):
            return ALONE
        if not dist.is_initialized():
            # What an optimiser imports later would keep the group as a default argument, and its threads could not end.
            from torch.distributed.nn import functional  # noqa: F401

            dist.init_process_group("gloo" if device.type == "cpu" else "nccl")
            atexit.register(_leave_group)
        return cls(dist.get_rank(), dist.get_world_size())

    def part(self, size: int) -> tuple[int, int]:
        """Return the first and the end of this worker's part of `size` things."""
        return size * self.rank // self.count, size * (self.rank + 1) // self.count

    def total(self, value: float, like: Tensor) -> float:
        """Return the sum of the workers' values, alike in all of them; `like` says on which device it is computed."""
        if self.count == 1:
            return value
        return float(_summed(torch.tensor([value], dtype=torch.float64, device=like.device)))

    def add_gradients(self, model: nn.Module) -> None:
        """Replace, in place, the gradients of a model by the sums over the workers.

        A parameter without a gradient in all of them stays without one: an optimiser leaves it alone.
        """
        if self.count == 1:
            return
        learned = [parameter for parameter in model.parameters() if parameter.requires_grad]
        grads = [torch.zeros_like(p) if p.grad is None else p.grad for p in learned]
        had = grads[0].new_tensor([parameter.grad is not None for parameter in learned])
        sums, holders = _summed(torch.cat([*(grad.reshape(-1) for grad in grads), had])).tensor_split([-len(learned)])
        parts = sums.split([parameter.numel() for parameter in learned])
        for parameter, grad, some in zip(learned, parts, holders.tolist(), strict=True):
            parameter.grad = grad.view_as(parameter) if some else None

    def of_first(self, metrics: dict[str, float], device: torch.device) -> dict[str, float]:
        """Return the metrics of the first worker, alike in all of them; on GPUs their own differ in the last bits."""
        if self.count == 1 or not metrics:
            return metrics
        mine = list(metrics.values()) if self.rank == 0 else [0.0] * len(metrics)
        return dict(zip(metrics, _summed(torch.tensor(mine, dtype=torch.float64, device=device)).tolist(), strict=True))

    def check_agree(self, digest: str, device: torch.device, what: str = "data, model, recipe or seed") -> None:
        """Raise UsageError unless all workers have the same digest, a hex number, of `what` they train."""
        if self.count == 1:
            return
        mine = torch.tensor([float(int(digest[:8], 16))], dtype=torch.float64, device=device)
        if float(_summed(mine)) != self.count * float(int(digest[:8], 16)):
            raise UsageError(
                f"Training: the {self.count} processes do not train the same: {what} differs. Run the same script with "
                "the same arguments and files in each of them."
            )


ALONE = Workers()
"""One process."""


def _leave_group() -> None:
    import torch.distributed as dist

    if dist.is_initialized():  # unless its user has left it already
        dist.destroy_process_group()


def _summed(values: Tensor) -> Tensor:
    import torch.distributed as dist

    dist.all_reduce(values)
    return values


def nothing(parameters: Iterable[nn.Parameter]) -> Tensor:
    """Return the loss of an empty part of a batch: 0, with gradients of 0."""
    return sum((parameter.sum() * 0.0 for parameter in parameters), torch.zeros(()))
