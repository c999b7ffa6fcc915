"""Losses of a batch that a recommender can be trained with in place of BPR."""

from __future__ import annotations

from torch import Tensor
from torch.nn import functional as F

from graphforget.kernels.shared_softmax import shared_softmax
from graphforget.models.recommender import triple_rows
from graphforget.tasks.base import Items


def sampled_softmax(z: Tensor, items: Items, temperature: float, candidates: int) -> Tensor:
    """Return the mean of -log softmax(s(u, i) / t) over i and the other items of the batch's first triples.

    The softmax of inner products over items drawn uniformly (ours; `cosine_softmax` is the published form), without a
    correction for how others are drawn. One triple's other item serves all users of the batch, so now and then it is
    one that a user chose; the share of such cases is that of the training pairs among all.

    Parameters
    ----------
    z: (n, width) final embeddings, of all nodes or of the rows of a batch alone.
    items: m triples (user, item, other item), which number rows of z.
    temperature: t, what scores are divided by.
    candidates: how many others each item is compared with, at most m.
    """
    users, chosen, others = triple_rows(items, z.device)
    user = z.index_select(0, users) / temperature
    own = (user * z.index_select(0, chosen)).sum(dim=1)
    return shared_softmax(user, own, z.index_select(0, others[:candidates])).mean()


def cosine_softmax(z: Tensor, items: Items, temperature: float, candidates: int) -> Tensor:
    """Return the mean of -log softmax(cos(u, i) / t) over i and the items that the batch's first users chose.

    SSM of Wu et al. 2022 (arXiv 2201.02327): others come from the batch itself, so the popular ones come often, and
    the cosine stands in training alone; ranking is by the inner product, whose lengths carry popularity. Deviation: a
    batch may be larger than the number of others.

    Parameters
    ----------
    z: (n_nodes, width) final embeddings.
    items: m triples (user, item, other item); the other items are not looked at.
    temperature: t, what cosines are divided by.
    candidates: how many items of the batch each item is compared with, at most m.
    """
    users, chosen, _ = triple_rows(items, z.device)
    user = F.normalize(z.index_select(0, users)) / temperature
    item = F.normalize(z.index_select(0, chosen))
    return shared_softmax(user, (user * item).sum(dim=1), item[:candidates], itself=True).mean()


def scaled_rows(z: Tensor, temperature: float) -> Tensor:
    """Return rows whose inner products `sampled_softmax` compares: s(u, i) / t."""
    return z / temperature**0.5


def cosine_rows(z: Tensor, temperature: float) -> Tensor:
    """Return rows whose inner products `cosine_softmax` compares: cos(u, i) / t."""
    return F.normalize(z) / temperature**0.5
