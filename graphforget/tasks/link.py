"""Link prediction: is there an edge between two nodes?"""

from __future__ import annotations

import copy
from typing import ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import DataError, UsageError
from graphforget._core.streams import Stream, Streams
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.splits import parts_digest
from graphforget.kernels.pairs import PairIndex, pair_scores
from graphforget.kernels.ranking import mean_auc_draws
from graphforget.tasks.base import (
    NO_NODES,
    Forgotten,
    Items,
    Task,
    auc_above,
    bernoulli_divergence,
    check_data,
    check_seed,
    check_share,
    sample_among,
)
from graphforget.tasks.batches import Batch, edge_batches
from graphforget.tasks.link_pools import Hop, pool, reached
from graphforget.tasks.link_split import LinkSplit, divided, edge_keys, split_without, trained_on

Negatives = Literal["released", "strict"]
FORGOTTEN_DRAWS = 500


def _choose(name: str, value: str | None, default: str, allowed: tuple[str, ...]) -> str:
    chosen = default if value is None else value
    if chosen not in allowed:
        raise UsageError(f"LinkPrediction: '{name}' must be one of {', '.join(allowed)}; got '{value}'.")
    return chosen


class LinkPrediction(Task[Graph]):
    """Link prediction with held-out edges, the protocol of GNNDelete (Cheng et al. 2023).

    One permutation of the undirected edges gives test, validation and training edges; messages pass over the
    training edges alone. Validation and test negatives are drawn once; training negatives are fresh in every epoch.

    Parameters
    ----------
    graph: the whole graph; features are row-normalised unless `normalise` is False.
    seed: decides the split, the negatives and, by default, everything trained on the task.
    parts: held-out edges of the graph and their negatives, where they are known already; nothing is drawn then.
    hop: how the neighbourhood of test nodes (deletion pools) and of deleted edges is walked.
        "directed_compat" walks the training edges from the higher to the lower node number only, as the released
        GNNDelete code does, and so depends on the node numbering; "undirected" is the true 2-hop ball.
        Default: "directed_compat" for data sets with a card (the published protocol), else "undirected".
    negatives: "released" excludes only the split's own positives from its stored negatives, as the released code
        does; "strict" excludes every edge of the graph. Default as for `hop`. They are drawn once and stay after a
        deletion: that a forgotten edge was not among them is all that gold's choice of the epoch knows of it.
    pool_anchor: deletion pools are drawn around the "test" (GNNDelete) or "val" (UtU) edges.
    holdout: share of the edges in validation and in test, each.

    Example
    -------
    >>> import graphforget as gf
    >>> task = gf.LinkPrediction(gf.load("sample-citations"), seed=0)
    >>> task.hop
    'directed_compat'
    """

    name: ClassVar[str] = "link"
    selection: ClassVar[str] = "val_auc"
    selections: ClassVar[tuple[str, ...]] = ("val_auc", "val_loss_released", "val_released")

    def __init__(
        self,
        graph: Graph,
        seed: int = 0,
        parts: LinkSplit | None = None,
        *,
        hop: Hop | None = None,
        negatives: Negatives | None = None,
        pool_anchor: Literal["test", "val"] = "test",
        holdout: float = 0.05,
        normalise: bool = True,
    ) -> None:
        check_data("LinkPrediction", graph, Graph, "is no graph of nodes and edges; give a Graph.")
        seed = check_seed("LinkPrediction", seed)
        check_share("LinkPrediction", "holdout", holdout, 0.5)
        self.seed = seed
        self.hop = _choose(
            "hop", hop, "directed_compat" if graph.benchmark else "undirected", ("directed_compat", "undirected")
        )
        self.negatives = _choose(
            "negatives", negatives, "released" if graph.benchmark else "strict", ("released", "strict")
        )
        self.pool_anchor = _choose("pool_anchor", pool_anchor, "test", ("test", "val"))
        if graph.features is None:
            raise DataError(
                f"LinkPrediction: graph '{graph.name}' has no node features. Give a file or an array with "
                "features=, or features='one-hot' for one feature per node."
            )
        prepared = graph.row_normalised() if normalise else graph
        self.split = self._drawn(prepared, holdout) if parts is None else parts
        self.given = (
            "" if parts is None else parts_digest([parts.val, parts.val_negatives, parts.test, parts.test_negatives])
        )
        self.graph = prepared.with_edges(trained_on(prepared, self.split))

    def _drawn(self, graph: Graph, holdout: float) -> LinkSplit:
        val, test = divided(graph, holdout, self.seed)
        negatives = [self._held_out_negatives(graph, part, name) for part, name in ((val, "val"), (test, "test"))]
        return LinkSplit(val, negatives[0], test, negatives[1])

    def _held_out_negatives(self, graph: Graph, positives: np.ndarray, name: str) -> np.ndarray:
        strict, count = self.negatives == "strict", positives.shape[1]
        excluded = graph if strict else graph.with_edges(positives)
        return sample_among(excluded, NO_NODES, count, self.streams(f"{name}-negatives").key)

    @property
    def n_outputs(self) -> int | None:
        """None: the backbone chooses the width of the embeddings."""
        return None

    @property
    def positives(self) -> PairIndex:
        """The training edges, one direction of each."""
        return self.graph.memo("positives", lambda: PairIndex.of(self.graph.edges, self.graph.n_nodes))

    def protocol(self) -> str:
        """Return hop, negatives and pool anchor."""
        return f"hop {self.hop}, {self.negatives} negatives, pools around {self.pool_anchor} edges"

    def _left(self, gone: Forgotten) -> Self:
        """Return the task on the retained training edges; named held-out edges leave validation and test."""
        retained = copy.copy(self)
        graph = self.graph.without_edges(gone.edges)
        if graph.n_edges == 0:
            raise DataError("The deletion removes every training edge; nothing is left to retain. Delete less.")
        more = len(gone.nodes) or len(gone.features)
        retained.graph = graph.without(nodes=gone.nodes, features=gone.features) if more else graph
        retained.split = split_without(self.split, gone, self.graph.n_nodes)
        return retained

    def scrambled(self, stream: Stream) -> Self:
        """Return the task on a graph of random non-edges, as many as there are edges (repeats merged)."""
        pairs = self.non_edges(self.graph.n_edges, stream)
        keys = np.unique(edge_keys(pairs, self.graph.n_nodes))
        other = copy.copy(self)
        other.graph = self.graph.with_edges(np.stack([keys // self.graph.n_nodes, keys % self.graph.n_nodes]))
        return other

    def _resolved(self, deletion: Deletion) -> Forgotten:
        """Return the deletion in node numbers: edges, incident edges of nodes, or nodes that lose their features."""
        if len(deletion.classes):
            raise UsageError("LinkPrediction has no classes to delete; use NodeClassification for class deletion.")
        trained, held = self.graph.edges, self.split.held_out
        found = deletion.resolve(self.graph, held)
        named = found.edges
        if len(found.nodes):
            incident = [np.isin(part, found.nodes).any(axis=0) for part in (trained, held)]
            named = np.union1d(named, np.flatnonzero(np.concatenate(incident)))
        edges = trained[:, named[named < trained.shape[1]]]
        untrained = held[:, named[named >= trained.shape[1]] - trained.shape[1]]
        return Forgotten(
            kind=deletion.kind,
            edges=edges,
            nodes=found.nodes,
            features=found.features,
            held_out=untrained[:, np.argsort(edge_keys(untrained, self.graph.n_nodes))],
            items=self._with_incident(edges, found.features),
            digest=deletion.digest,
        )

    def _with_incident(self, edges: np.ndarray, nodes: np.ndarray) -> np.ndarray:
        """Return `edges` and the training edges at `nodes`: what a deletion of features concerns in a link task."""
        if not len(nodes):
            return edges
        mine = np.isin(self.graph.edges, nodes).any(axis=0)
        keys = np.unique(edge_keys(np.concatenate([edges, self.graph.edges[:, mine]], axis=1), self.graph.n_nodes))
        return np.stack([keys // self.graph.n_nodes, keys % self.graph.n_nodes])

    def training_items(self, stream: Stream, gone: Forgotten | None = None, negatives: int = 2) -> Items:
        """Return all training edges (target 1) and fresh negatives (target 0), without the forgotten pairs if given.

        The protocol counts both directions of each edge and as many negatives. A pair scores the same in both
        directions, so each edge stands here once with twice the weight; see `Task.training_items`.
        """
        positives = self.positives if gone is None else self._retained_positives(gone)
        m = len(positives)
        holes = self.holes.get("nodes", NO_NODES)
        if gone is not None and len(gone.nodes):
            holes = np.union1d(holes, gone.nodes)
        drawn = PairIndex.of(sample_among(self.graph, holes, negatives * m, stream.key), self.graph.n_nodes)
        targets = torch.zeros((1 + negatives) * m)
        targets[:m] = 1.0
        weights = torch.full_like(targets, (1 + negatives) / (2 * negatives))
        weights[:m] = (1 + negatives) / 2
        return Items(targets=targets, pairs=(positives, drawn), weights=weights)

    def batches(self, streams: Streams, epoch: int, batch: int) -> list[Batch]:
        """Return every training edge once, each with two fresh negatives."""
        draw = lambda count, key: self.non_edges(count, Stream(key))  # noqa: E731
        return edge_batches(self.graph.edges, draw, self.graph.n_nodes, streams, epoch, batch)

    def _retained_positives(self, gone: Forgotten) -> PairIndex:
        keep = self._is_retained(gone)
        if keep.all():
            return self.positives
        return self.graph.memo(
            f"positives-without-{gone.digest}", lambda: PairIndex.of(self.graph.edges[:, keep], self.graph.n_nodes)
        )

    def _is_retained(self, gone: Forgotten) -> np.ndarray:
        """Return the mask of training edges that are no forgotten items."""
        n = self.graph.n_nodes
        return ~np.isin(edge_keys(self.graph.edges, n), edge_keys(gone.items, n))

    def forgotten_items(self, gone: Forgotten) -> Items:
        """Return the forgotten pairs with target 1."""
        return Items(targets=torch.ones(gone.count), pairs=(PairIndex.of(gone.items, self.graph.n_nodes),))

    def unrelated_items(self, gone: Forgotten, stream: Stream) -> Items:
        """Return as many random non-edges as forgotten pairs, with target 0."""
        pairs = self.non_edges(gone.count, stream)
        return Items(targets=torch.zeros(gone.count), pairs=(PairIndex.of(pairs, self.graph.n_nodes),))

    def responses(self, z: Tensor, items: Items) -> Tensor:
        """Return <z_u, z_v>, the logit of an edge between u and v."""
        return torch.cat([pair_scores(z, pairs) for pairs in items.pairs])

    def item_losses(self, responses: Tensor, items: Items) -> Tensor:
        """Return binary cross-entropy with logits."""
        return F.binary_cross_entropy_with_logits(responses, items.targets.to(responses.device), reduction="none")

    def divergence(self, teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
        """Return KL(Bern(teacher) || Bern(student)) of the logits."""
        return bernoulli_divergence(teacher, student, temperature)

    def validate(self, z: Tensor, gone: Forgotten | None = None) -> dict[str, float]:
        """Return `val_auc`; `val_loss_released` (negated); with a deletion `val_released`, AUC plus forgotten AUC.

        `val_loss_released` is the released checkpoint criterion: binary cross-entropy with logits applied to scores
        that are probabilities already. `val_released` reads the very deletion that is reported (selection leakage);
        both exist to reproduce published rows.
        """
        positive, negative = self.scores(z, self.split.val), self.scores(z, self.split.val_negatives)
        found = {"val_auc": auc_above(positive, negative)}
        both = torch.sigmoid(torch.from_numpy(np.concatenate([positive, negative])).double())
        targets = torch.cat([torch.ones(len(positive)), torch.zeros(len(negative))]).double()
        found["val_loss_released"] = -float(F.binary_cross_entropy_with_logits(both, targets))
        if gone is not None and gone.count:
            found["val_released"] = found["val_auc"] + self.forgotten_auc(z, gone)
        return found

    def scores(self, z: Tensor, pairs: np.ndarray) -> np.ndarray:
        """Return the (m,) float32 scores <z_u, z_v> of (2, m) pairs."""
        return pair_scores(z.detach(), PairIndex.of(pairs, self.graph.n_nodes)).cpu().numpy()

    def test_auc(self, z: Tensor) -> float:
        """Return ROC-AUC of the test edges against the stored test negatives."""
        return auc_above(self.scores(z, self.split.test), self.scores(z, self.split.test_negatives))

    def forgotten_auc(self, z: Tensor, gone: Forgotten) -> float:
        """Return how surely retained edges score above forgotten ones: mean AUC over 500 draws.

        Forgotten edges have label 0; each draw takes as many retained training edges (label 1). The draws depend on
        the task's seed and the deletion alone. Call it on the retained task.
        """
        pool = self.scores(z, self.graph.edges[:, self._is_retained(gone)])
        if len(pool) < gone.count:
            raise DataError(
                f"The forgotten part ({gone.count:,} pairs) is larger than the retained part ({len(pool):,} pairs); "
                "the forgotten AUC draws as many retained as forgotten pairs. Delete less."
            )
        return mean_auc_draws(self.scores(z, gone.items), pool, FORGOTTEN_DRAWS, self.streams("forgotten-auc").key)

    def pool(self, where: Literal["in", "out", "any"]) -> np.ndarray:
        """Return positions of the training edges inside or outside the 2-hop neighbourhood of the anchor edges."""
        anchor = self.split.test if self.pool_anchor == "test" else self.split.val
        return pool(self.graph, anchor, where, self.hop)

    def affected(self, gone: Forgotten, hops: int, hop: str | None = None) -> np.ndarray:
        """Return the mask of nodes within `hops` hops of the deletion.

        Unless `hop` is given, deletions of edges are walked as the task's `hop` says, all others undirected.
        """
        usual = self.hop if gone.kind == "edges" else "undirected"
        return reached(self.graph, gone.touched, hops, usual if hop is None else hop)

    def __repr__(self) -> str:
        return (
            f"LinkPrediction({self.graph.name}, seed {self.seed}, {self.graph.n_edges:,} training / "
            f"{self.split.val.shape[1]:,} validation / {self.split.test.shape[1]:,} test edges, hop {self.hop}, "
            f"{self.negatives} negatives)"
        )
