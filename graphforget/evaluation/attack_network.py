"""The attacker's network: from a model's answer to the probability that the item was trained on."""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from graphforget._core.streams import Streams
from graphforget.models.base import fan_in

HIDDEN = 32
EPOCHS = 50
BATCH = 256
LEARNING_RATE = 1e-2


class AttackNetwork(nn.Module):
    """One hidden layer with ReLU: (m, width) features to (m, 2) logits of non-member and member."""

    def __init__(self, width: int, streams: Streams) -> None:
        super().__init__()
        generator = streams("attack-init").torch()
        self.first = fan_in(width, (width, HIDDEN), generator)
        self.first_bias = fan_in(width, (HIDDEN,), generator)
        self.second = fan_in(HIDDEN, (HIDDEN, 2), generator)
        self.second_bias = fan_in(HIDDEN, (2,), generator)

    def forward(self, features: Tensor) -> Tensor:
        """Return the logits."""
        hidden = torch.relu(features @ self.first + self.first_bias)
        return hidden @ self.second + self.second_bias


def train_attack(features: Tensor, members: Tensor, streams: Streams, epochs: int = EPOCHS) -> AttackNetwork:
    """Return a network trained with cross-entropy on (m, width) float32 features and (m,) int64 membership.

    Adam 1e-2 on shuffled batches of 256; both classes weigh the same, whatever their sizes.
    """
    network = AttackNetwork(features.shape[1], streams)
    optimiser = torch.optim.Adam(network.parameters(), lr=LEARNING_RATE, fused=True)
    sizes = torch.bincount(members, minlength=2).float()
    weights = len(members) / (2 * sizes)
    for epoch in range(epochs):
        order = torch.randperm(len(members), generator=streams("attack-order", epoch=epoch).torch())
        for batch in order.split(BATCH):
            optimiser.zero_grad(set_to_none=True)
            F.cross_entropy(network(features[batch]), members[batch], weight=weights).backward()
            optimiser.step()
    return network.requires_grad_(False).eval()
