"""How much every parameter of a recommender matters for what is retained."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor

from graphforget._core.streams import Streams
from graphforget.data.interactions import Interactions
from graphforget.models.base import Model
from graphforget.tasks.base import Items
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import epoch_triples


def diagonal_fisher(
    model: Model, task: Recommendation, data: Interactions, batches: Iterable[Items], by_size: bool = False
) -> dict[str, Tensor]:
    """Return the diagonal empirical Fisher information of BPR: the mean of the squared gradients of the batches.

    (The square of the mean gradient, which is near zero for a trained model, would be something else.)

    Parameters
    ----------
    model: parameters that require gradients; left as it is. data: what messages pass over.
    batches: triples, one gradient for each batch, that of its mean loss; at least one.
    by_size: each square counts times the triples of its batch. Squares of mean gradients fall as these grow, and a last
        batch of a few triples would outweigh all others. The mean is then about the information of one triple.

    Returns name -> a tensor of the parameter's shape.
    """
    parameters = {name: value for name, value in model.named_parameters() if value.requires_grad}
    sums, count = {name: torch.zeros_like(value) for name, value in parameters.items()}, 0
    model.eval()
    for items in batches:
        loss = task.item_losses(task.responses(model(data), items), items).mean()
        gradients = torch.autograd.grad(loss, list(parameters.values()), allow_unused=True)
        for total, gradient in zip(sums.values(), gradients, strict=True):
            if gradient is not None:
                total.addcmul_(gradient, gradient, value=len(items) if by_size else 1)
        count += 1
    return {name: total / count for name, total in sums.items()}


def training_batches(task: Recommendation, streams: Streams, batch: int, limit: int | None) -> Iterable[Items]:
    """Yield the triples of one epoch of the task in batches, the first `limit` of them."""
    drawn = epoch_triples(task.graph, task.chosen, task.sampler, task.negatives, streams, 0, batch)
    starts = range(0, len(drawn), batch)[:limit]
    return (task.items(drawn.part(at, at + batch)) for at in starts)
