"""Recommendation: which items would a user choose?"""

from __future__ import annotations

import copy
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any, ClassVar, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Stream, Streams
from graphforget.data.deletion import Deletion
from graphforget.data.interaction_parts import among, mask_of
from graphforget.data.interactions import Interactions
from graphforget.data.resolve_interactions import resolve_interactions
from graphforget.data.splits import hold_out
from graphforget.kernels.csr import CSR
from graphforget.kernels.item_negatives import sample_items
from graphforget.kernels.pairs import PairIndex, pair_scores
from graphforget.kernels.ranked_metrics import MAP, NDCG
from graphforget.kernels.row_sets import RowSets
from graphforget.tasks.base import (
    NO_NODES,
    Forgotten,
    Items,
    RowsOf,
    Task,
    bernoulli_divergence,
    check_data,
    check_seed,
    check_share,
)
from graphforget.tasks.batches import Batch, near_items
from graphforget.tasks.recommend_batches import NEGATIVES, SAMPLERS, Triples, epoch_triples, negative_weights
from graphforget.tasks.recommend_lists import MASKS, best_items, check_conventions, list_metrics, masked, truth_of

CUTOFFS = (10, 20, 50)
CHOICES = {
    "sampler": SAMPLERS,
    "negatives": NEGATIVES,
    "mask": MASKS,
    "ndcg": NDCG,
    "map_at": MAP,
    "select_on": ("valid", "test"),
}
"""What the options of the task may be."""


class Recommendation(Task[Interactions]):
    """Ranking of items for users, learned from pairs of an item chosen and one that was not (BPR).

    Node numbers: users 0 to n_users - 1, then the items, then the other entities of a triple graph.
    Everything is ranked on raw scores, ties go to the lower item.

    Parameters
    ----------
    data: users, items, interactions, and what else is known of them.
    seed: decides held-out pairs, negatives and, by default, everything trained on the task.
    sampler: how an epoch walks the training pairs: "edges" takes each once, in random order (MMRec, RecBole); "users"
        draws as many users, uniformly with replacement, and one of their items (LightGCN); "each-user" takes every
        user equally often (LightGCN's compiled sampler); "kgat" draws a batch of users without replacement and one of
        their items.
    negatives: items that were not chosen are drawn "uniform" over all items, over those that are "trained" on (MMRec),
        or by "popularity". Deleted items keep their numbers and stand among all of them: gold is trained against holes,
        too, which tells it nothing of them; "trained" leaves them out.
    holdout: share of every user's training pairs held out as validation where the data has none; 0 holds out nothing.
        How many of a user's pairs that is, and which, depends on all of them: forgotten ones decide with which retained
        ones of the same user are trained on, before and after. Data divided beforehand are free of that.
    mask: pairs that are left out of the ranking on test: "train+valid" (RecBole) or "train" (MMRec, LightGCN).
    ndcg, map_at: conventions of these metrics, see `kernels.ranked_metrics`. RecBole's are the defaults; MMRec, DiffMM
        and LightGCN have mask="train" (LightGCN, DiffMM with select_on="test"), KGAT and NGCF ndcg="kgat" besides,
        RecEraser map_at="m", CURE4Rec ndcg="full_truth", Cornac map_at="full" (not with ndcg="kgat": its lists end).
    select_on: "valid", or "test" as the published LightGCN, NGCF and KGAT numbers were selected (nothing is held out).
    """

    name: ClassVar[str] = "recommend"
    selection: ClassVar[str] = "val_recall"
    selections: ClassVar[tuple[str, ...]] = ("val_recall", "val_ndcg")

    def __init__(
        self,
        data: Interactions,
        seed: int = 0,
        *,
        sampler: str = "edges",
        negatives: str = "uniform",
        holdout: float = 0.1,
        mask: str = "train+valid",
        ndcg: str = "standard",
        map_at: str = "min_mk",
        select_on: str = "valid",
    ) -> None:
        check_data("Recommendation", data, Interactions, "holds no users and items; give Interactions.")
        seed = check_seed("Recommendation", seed)
        check_share("Recommendation", "holdout", holdout, 1, none=True)
        self.seed, self.sampler, self.negatives, self.mask = seed, sampler, negatives, mask
        self.ndcg, self.map_at, self.select_on = ndcg, map_at, select_on
        for key, allowed in CHOICES.items():
            if getattr(self, key) not in allowed:
                raise UsageError(
                    f"Recommendation: '{key}' must be one of {', '.join(allowed)}; got {getattr(self, key)!r}."
                )
        check_conventions(ndcg, map_at)
        if select_on == "test" and data.test is None:
            raise DataError(f"Recommendation: '{data.name}' has no test pairs to select on; use select_on='valid'.")
        divided = data.valid is not None or holdout == 0 or select_on == "test"
        self.graph = data if divided else hold_out(data, holdout, self.streams("holdout"))

    @property
    def n_outputs(self) -> int | None:
        """None: the backbone chooses the width of the embeddings."""
        return None

    @property
    def chosen(self) -> RowSets:
        """The training items of every user, for drawing others."""
        return self.graph.memo("row-sets", lambda: RowSets.of(self.graph.train))

    def protocol(self) -> str:
        """Return sampler, mask, metric conventions and what selects, in words."""
        return (
            f"sampler {self.sampler}, {self.negatives} negatives, {self.mask} masked, {self.ndcg} ndcg, "
            f"map over {self.map_at}, selected on {self.select_on}"
        )

    def _resolved(self, deletion: Deletion) -> Forgotten:
        """Return the deletion in node numbers: training pairs that go, users and items, triples, modalities."""
        found = resolve_interactions(deletion, self.graph)
        users, items = self.graph.edges[0], self.graph.edges[1] - self.graph.n_users
        gone = np.isin(users, found.users) | np.isin(items, found.items)
        gone[found.interactions] = True
        edges = self.graph.edges[:, gone]
        return Forgotten(
            kind=deletion.kind,
            edges=edges,
            nodes=np.concatenate([found.users, self.graph.n_users + found.items]),
            n_users=len(found.users),
            held_out=found.held_out,
            triples=found.triples,
            modalities=found.modalities,
            items=edges,
            digest=deletion.digest,
        )

    def _left(self, gone: Forgotten) -> Self:
        """Return the task on the retained data; forgotten users and items leave validation and test as well."""
        users, items = self.parted(gone.nodes)
        retained = copy.copy(self)
        retained.graph = self.graph.without(
            interactions=self._goes(gone),
            users=users,
            items=items,
            triples=gone.triples,
            modalities=gone.modalities,
            held_out=gone.held_out,
        )
        if not retained.graph.n_edges:
            raise DataError("The deletion removes every training interaction; nothing is left to retain. Delete less.")
        return retained

    @property
    def offered(self) -> np.ndarray | None:
        """(n_items,) mask of the candidates on validation and test, all but those that deletions took; None is all."""
        gone = self.parted(self.holes.get("nodes", NO_NODES))[1]
        return ~mask_of(gone, self.graph.n_items) if len(gone) else None

    def _goes(self, gone: Forgotten) -> np.ndarray:
        """Return the mask of the training pairs that a deletion takes."""
        keys, dead = (pairs[0] * np.int64(self.graph.n_nodes) + pairs[1] for pairs in (self.graph.edges, gone.edges))
        return among(keys, np.sort(dead))

    def parted(self, nodes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the users and the items among node numbers, each in its own numbers."""
        n = self.graph.n_users
        return nodes[nodes < n], nodes[nodes >= n] - n

    def steps(self, model: Any, streams: Streams, epoch: int, batch: int | None) -> Sequence[Callable[[], Tensor]]:
        """Return the losses of the batches of an epoch: BPR and what the backbone adds to it."""

        def loss(one: Batch) -> Tensor:
            return self.batch_loss(model, one.draw(0, one.size), epoch)

        return [partial(loss, one) for one in self.batches(streams, epoch, batch)]

    def batches(self, streams: Streams, epoch: int, batch: int | None) -> list[Batch]:
        """Return the batches of triples of an epoch, in the order of the `sampler`; None makes one of them all."""
        drawn = epoch_triples(self.graph, self.chosen, self.sampler, self.negatives, streams, epoch, batch)
        size = len(drawn) if batch is None else batch
        parts = [drawn.part(at, at + size) for at in range(0, len(drawn), size)]

        def draw(part: Triples, first: int, last: int) -> Items:
            return self.items(part.part(first, last))

        return [Batch(len(part), partial(draw, part)) for part in parts]

    def batch_loss(self, model: Any, items: Items, epoch: int, at_rows: RowsOf | None = None) -> Tensor:
        """Return mean BPR of a batch (or the backbone's own ranking loss) and what the backbone adds to it.

        at_rows: how the rows of a batch are computed; None takes the model's own way.
        """
        model.check_data(self.graph)
        if at_rows is not None or model.has_rows():
            rows, items = near_items(items)
            layers, z = (at_rows or model.at_rows)(self.graph, rows)
        else:
            layers = model.layers(self.graph)
            z = model.readout(layers)
        own = model.ranking_loss(self.graph, z, items)
        ranking = self.item_losses(self.responses(z, items), items).mean() if own is None else own
        return ranking + model.extra_loss(self.graph, layers, z, items, epoch)

    def items(self, triples: Triples) -> Items:
        """Return triples (user, item, other item) as items: pairs with the first, then pairs with the other."""
        users = np.concatenate([triples.users, triples.users])
        nodes = self.graph.n_users + np.concatenate([triples.items, triples.others])
        pairs = PairIndex.of(np.stack([users, nodes]).astype(np.int64), self.graph.n_nodes)
        return Items(targets=torch.ones(len(triples)), pairs=(pairs,))

    def training_items(self, stream: Stream, gone: Forgotten | None = None, negatives: int = 2) -> Items:
        """Return every training pair with `negatives` other items each, without the forgotten pairs if given."""
        u, v = self.graph.edges if gone is None else self.graph.edges[:, ~self._goes(gone)]
        return self.paired(np.repeat(u, negatives), np.repeat(v, negatives), stream)

    def forgotten_items(self, gone: Forgotten, stream: Stream | None = None) -> Items:
        """Return each forgotten pair with an item the user never chose; without a stream always the same ones."""
        return self.paired(gone.items[0], gone.items[1], stream or self.streams("forgotten-negatives"))

    def unrelated_items(self, gone: Forgotten, stream: Stream) -> Items:
        """Return as many triples of a user and two items never chosen."""
        users, nodes = self.non_edges(gone.count, stream)
        return self.paired(users, nodes, Stream(stream.key ^ 1))

    def paired(self, users: np.ndarray, nodes: np.ndarray, stream: Stream) -> Items:
        """Return (user, item node) pairs as items, each beside an item outside the user's training items."""
        others = sample_items(self.chosen, users, stream.key, negative_weights(self.graph, self.negatives))
        return self.items(Triples(users, nodes - self.graph.n_users, others))

    def non_edges(self, count: int, stream: Stream) -> np.ndarray:
        """Return (2, count) random pairs of a user and an item, none deleted, that no training pair joins, as nodes."""
        left = np.delete(np.arange(self.graph.n_users), self.parted(self.holes.get("nodes", NO_NODES))[0])
        users = left[stream.integers(len(left), count)]
        items = sample_items(self.chosen, users, stream.key ^ 2, self.offered)
        return np.stack([users, self.graph.n_users + items.astype(np.int64)])

    def responses(self, z: Tensor, items: Items) -> Tensor:
        """Return s(u, i) - s(u, j), the logit of preferring i to j."""
        scores = pair_scores(z, items.pairs[0])
        return scores[: len(items)] - scores[len(items) :]

    def item_losses(self, responses: Tensor, items: Items) -> Tensor:
        """Return softplus(-d), the BPR loss of each triple."""
        del items  # the first item of a triple is always the one chosen
        return F.softplus(-responses)

    def divergence(self, teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
        """Return KL(Bern(teacher) || Bern(student)) of the preference logits."""
        return bernoulli_divergence(teacher, student, temperature)

    @property
    def validates(self) -> bool:
        """Whether there are pairs to select an epoch on; a deletion may have taken the last."""
        part = self.graph.part(self.select_on)
        return part is not None and part.nnz > 0

    def validate(self, z: Tensor, gone: Forgotten | None = None) -> dict[str, float]:
        """Return `val_recall` and `val_ndcg` at 20 on the validation (or, by `select_on`, the test) pairs."""
        del gone  # no criterion here reads the forgotten part
        if not self.validates:
            return {}
        found = self.metrics(z, self.select_on, ks=(20,))
        return {"val_recall": found["recall@20"], "val_ndcg": found["ndcg@20"]}

    def metrics(
        self,
        z: Tensor,
        part: str,
        gone: Forgotten | None = None,
        ks: Sequence[int] = CUTOFFS,
        *,
        ndcg: str | None = None,
        map_at: str | None = None,
    ) -> dict[str, float]:
        """Return the ranking metrics of a part, the mean over users with pairs in it.

        part: see `recommend_lists.truth_of`; on "forgotten" call it on the retained task. Items that a deletion took
        are no candidates on "valid" and "test". `ndcg` and `map_at` go before the task's.

        Raises DataError where no user has pairs in the part, UsageError for a part that there is not.
        """
        pairs = truth_of(self.graph, part, self.mask, gone)
        if not pairs[0].nnz:
            raise DataError(f"'{self.graph.name}': no user has pairs in the {part} part, so nothing can be ranked.")
        offered = self.offered if part in ("valid", "test") else None
        ndcg, map_at = ndcg or self.ndcg, map_at or self.map_at
        return list_metrics(self.graph, z, *pairs, ks, ndcg=ndcg, map_at=map_at, candidates=offered)

    def rank(
        self,
        z: Tensor,
        users: np.ndarray,
        k: int,
        hidden: Sequence[CSR] | None = None,
        candidates: np.ndarray | None = None,
    ) -> tuple[np.ndarray, np.ndarray]:
        """Return the (m, k) best items of each user and their scores, best first; -1 where there are fewer.

        hidden: pairs that are left out; by default what `mask` says. candidates: (n_items,) mask of items to rank.
        """
        hidden = masked(self.graph, self.mask) if hidden is None else hidden
        return best_items(self.graph, z, users, k, hidden, candidates)

    def __repr__(self) -> str:
        def count(part: CSR | None) -> str:
            return "no" if part is None else f"{len(part.indices):,}"

        data = self.graph
        return (
            f"Recommendation({data.name}, seed {self.seed}, {data.n_users:,} users, {data.n_items:,} items, "
            f"{count(data.train)} training / {count(data.valid)} validation / {count(data.test)} test pairs, "
            f"{self.protocol()})"
        )
