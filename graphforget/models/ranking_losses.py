"""Losses of a batch that a recommender can be trained with in place of BPR."""

from __future__ import annotations

import torch
from torch import Tensor

from graphforget.models.recommender import triple_rows
from graphforget.tasks.base import Items


def sampled_softmax(z: Tensor, items: Items, temperature: float, candidates: int) -> Tensor:
    """Return the mean of -log softmax(s(u, i) / t) over i and the other items of the batch's first triples.

    The sampled softmax of Wu et al. 2022 (arXiv 2201.02327) on raw scores, without their cosine and without a
    correction for how others are drawn. One triple's other item serves all users of the batch, so now and then it is
    one that a user chose; the share of such cases is that of the training pairs among all.

    Parameters
    ----------
    z: (n_nodes, width) final embeddings.
    items: m triples (user, item, other item).
    temperature: t, what scores are divided by.
    candidates: how many others each item is compared with, at most m.
    """
    users, chosen, others = (rows.to(z.device) for rows in triple_rows(items))
    user = z.index_select(0, users)
    own = (user * z.index_select(0, chosen)).sum(dim=1) / temperature
    other = user @ z.index_select(0, others[:candidates]).T / temperature
    return (torch.logaddexp(own, other.logsumexp(dim=1)) - own).mean()
