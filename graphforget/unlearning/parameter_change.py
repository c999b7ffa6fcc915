"""How far unlearning moved the parameters of a model."""

from __future__ import annotations

import torch

from graphforget._core.threads import one_torch_thread
from graphforget.models.base import Model
from graphforget.models.edited import Edited, under_operators
from graphforget.models.shifted import Shifted


def _edits(model: Model) -> int:
    """Return how many times operators or a shift were put around the model."""
    return 1 + _edits(model.base) if isinstance(model, Edited | Shifted) else 0


@one_torch_thread()
def parameter_change(before: Model, after: Model) -> float:
    """Return the relative parameter change; for learned operators, their mean distance to the identity.

    For a shift of the embeddings it is the norm of the shift over that of the original's parameters.

    Operators are no parameters of the original: without them its layers would pass through identities, so the
    change is ||W - I|| / ||I|| over the operators that act on some node. A model retrained from an edited one has
    none of its operators and is compared with the model under them. A parameter without a counterpart (a model of one
    shard, after retraining as a whole) counts as set to zero.
    """
    if _edits(after) > _edits(before) and isinstance(after, Shifted):
        return after.size() / max(_norm(before), 1e-30)
    if _edits(after) > _edits(before):
        assert isinstance(after, Edited)
        acting = [o.weight for o in after.operators.values() if len(o.nodes)]
        moved = sum(float((w - torch.eye(len(w), device=w.device)).double().square().sum()) for w in acting)
        return (moved / max(sum(len(w) for w in acting), 1)) ** 0.5
    if _edits(after) < _edits(before):
        before, after = under_operators(before), under_operators(after)
    old, new = dict(before.named_parameters()), dict(after.named_parameters())
    moved = 0.0
    for key, value in old.items():
        other = new[key].detach() if key in new and new[key].shape == value.shape else torch.zeros_like(value)
        other = other.to(value.device)
        if not torch.equal(other, value):  # a comparison reads a large table once, a norm makes three of it
            moved += float((other - value.detach()).double().square().sum())
    if not moved:
        return 0.0
    norm = _norm(before)
    return moved**0.5 / norm if norm else float("inf")


def _norm(model: Model) -> float:
    """Return the norm of all parameters."""
    return sum(float(value.detach().double().square().sum()) for value in model.parameters()) ** 0.5
