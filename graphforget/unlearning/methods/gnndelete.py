"""GNNDelete: learned operators after each layer, acting on the neighbourhood of the deletion."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any, ClassVar

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import UnsupportedError
from graphforget._core.streams import Stream
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.kernels.khop import k_hop_nodes
from graphforget.kernels.pairs import PairIndex
from graphforget.kernels.row_errors import check_tables, row_errors
from graphforget.models.base import Model
from graphforget.models.edited import Edited, identity_operator, ones_operator, operators_on, under_operators
from graphforget.tasks.base import Forgotten, Task, as_index
from graphforget.training.loop import Validate
from graphforget.unlearning.block_pairs import sigmoid_pairs_mse
from graphforget.unlearning.known_layers import opened
from graphforget.unlearning.method import (
    Method,
    Problem,
    count,
    count_or_none,
    flag,
    metric_name,
    not_negative,
    positive,
    share,
)
from graphforget.unlearning.region import Region

_Loss = Callable[[list[Tensor], int], Tensor]
"""(layers, epoch) -> the loss."""


@dataclass(frozen=True)
class GNNDelete(Method[Task]):
    """GNNDelete (Cheng et al. 2023, arXiv 2302.13406, eqs. 3 to 6) on any backbone, through the hook between layers.

    After layer l, the nodes S^l within l hops of the deletion pass through a matrix W^l; all else is frozen. For each
    layer, deleted edge consistency pulls the ends of deleted edges to the ends of random non-edges and neighbourhood
    influence keeps the rest of S^l where the original has it:

        L^l = alpha * MSE(h'[ends of deleted], h[ends of random pairs]) + (1 - alpha) * MSE(h'[rest], h[rest]),
        rest = S^l without the ends of deleted edges

    Deviations of the default from the released code: identity instead of 1/1000 as the start of W (the released start
    has rank 1); targets from the full graph; fresh random pairs in every epoch; each W sees its own layer's loss only;
    the epoch is chosen on validation edges alone. The presets restore the released and the UtU settings. The paper
    deletes no classes; here the ends of random pairs are then single nodes that the deletion does not touch: no
    training nodes of the deleted classes, but their validation and test nodes may be drawn. The first layer of a
    recommender is the learned table, which no message has passed: there S^l is l - 1 hops wide.
    `gnndelete-fast` takes larger steps in a fifth of the epochs and gets where the default gets (validation AUC on DBLP
    within .0002); `gnndelete-local` validates nothing besides, so that with known layers its cost grows with the
    neighbourhood of the deletion alone.

    Parameters
    ----------
    alpha: weight of deleted edge consistency; 0 leaves neighbourhood influence alone ("GNNDelete-NI").
    objective: "embedding" is the loss above; "edge_probability" is the released second trainer: half the squared
        error between scores of deleted edges and random pairs, half that between the probabilities of all pairs
        within S^2 but the deleted edges and the original's, on the last layer. It needs two layers; S^2 stays S^2
        where there are more.
    init: start of W, "identity" or "ones_1000" (1/1000 everywhere).
    targets: original embeddings from the "full" or the "retained" graph.
    resample_negatives: draw new random pairs in every epoch.
    layer_gradient: "own" trains each W on its layer's loss; "shared" lets later losses reach earlier W. The loss of
        "edge_probability" is on the last layer alone, so "own" there leaves all other W at their start.
    train_graph: messages while learning pass over "sdf", the edges within 2 hops of the deletion, deleted ones
        included, or over the "retained" graph. At inference it is always the retained graph.
    epochs, lr, weight_decay, validate_every, selection, patience: see `Recipe`.
    hop: how S^l is walked, "directed_compat" or "undirected"; None takes the task's way.
    """

    name: ClassVar[str] = "gnndelete"
    title: ClassVar[str] = "GNNDelete"
    source: ClassVar[str] = "Cheng et al. 2023, arXiv 2302.13406"
    reads: ClassVar[frozenset[str]] = frozenset({"forgotten", "retained"})
    presets: ClassVar[dict[str, dict[str, Any]]] = {
        "gnndelete-identity": {
            "targets": "retained",
            "resample_negatives": False,
            "layer_gradient": "shared",
            "selection": "val_released",
        },
        "gnndelete-utu": {
            "init": "ones_1000",
            "weight_decay": 5e-7,
            "layer_gradient": "shared",
            "selection": "val_released",
            "patience": 30,
        },
        "gnndelete-ni": {"alpha": 0.0},
        "gnndelete-fast": {"epochs": 300, "lr": 3e-3},
        "gnndelete-local": {"epochs": 300, "lr": 3e-3, "selection": "last"},
        "gnndelete-edgeprob": {
            "objective": "edge_probability",
            "init": "ones_1000",
            "resample_negatives": False,
            "layer_gradient": "shared",
            "selection": "val_released",
            "epochs": 2000,
        },
    }
    search: ClassVar[dict[str, tuple[Any, ...]]] = {
        "alpha": (0.25, 0.5, 0.75),
        "lr": (1e-3, 3e-3),
        "epochs": (500, 1500),
    }

    alpha: float = 0.5
    objective: str = "embedding"
    init: str = "identity"
    targets: str = "full"
    resample_negatives: bool = True
    layer_gradient: str = "own"
    train_graph: str = "sdf"
    epochs: int = 1500
    lr: float = 1e-3
    weight_decay: float = 0.0
    validate_every: int = 100
    selection: str = "auto"
    patience: int | None = None
    hop: str | None = None

    def __post_init__(self) -> None:
        self.check(
            alpha=share,
            objective=("embedding", "edge_probability"),
            init=("identity", "ones_1000"),
            targets=("full", "retained"),
            layer_gradient=("own", "shared"),
            train_graph=("sdf", "retained"),
            epochs=count,
            lr=positive,
            weight_decay=not_negative,
            validate_every=count,
            selection=metric_name,
            resample_negatives=flag,
            patience=count_or_none,
            hop=(None, "directed_compat", "undirected"),
        )
        if self.selection == "last":
            self.refuse_idle("with selection=last, where every epoch counts as better", "patience")

    def refusal(self, task: Task, gone: Forgotten) -> str | None:
        """Return why the edge probability objective is not for this task."""
        del gone
        if self.objective == "embedding" or task.name == "link":
            return None
        return (
            "objective 'edge_probability' compares probabilities of edges and works on link prediction only; use "
            "objective=embedding for other tasks."
        )

    def revision_on(self, model: Model, task: Task, gone: Forgotten) -> int:
        """Return the latest revision: one more where nodes without an edge go beside others, which kept them once."""
        pairs = consistency_pairs(task, gone)
        beside = (pairs[0] == pairs[1]).any() and not (pairs[0] == pairs[1]).all()
        return super().revision_on(model, task, gone) + int(beside)

    def unlearn(self, problem: Problem[Task]) -> Model:
        """Return the original with learned operators after its layers."""
        task, gone = problem.full, problem.gone
        targets = problem.layers_before() if self.targets == "full" else _no_grad_layers(problem)
        first_hops = 0 if task.name == "recommend" else 1
        hops = range(first_hops, first_hops + len(targets))
        sets = [np.flatnonzero(task.affected(gone, count, self.hop)) for count in hops]
        make = identity_operator if self.init == "identity" else ones_operator
        model = Edited(problem.original, operators_on(sets, targets, make))
        region, first = self._region(problem, sets)
        learn = self._embedding_loss if self.objective == "embedding" else self._probability_loss
        loss = learn(problem, targets, sets, region)
        learner = model.within(region.at)
        more = {"weight_decay": self.weight_decay, "patience": self.patience}
        recipe = problem.recipe_for(self, self.validate_every, **more)
        validate = self._validation(problem, model, targets[-1], problem.selection_deletion(recipe))
        objective = lambda epoch: loss(self._layers(learner, region.graph, first), epoch)  # noqa: E731
        problem.fit(model, objective, recipe, self, validate=validate)
        return model

    def _validation(
        self, problem: Problem[Task], model: Edited, target: Tensor, leaked: Forgotten | None
    ) -> Validate | None:
        """Return the validation that computes again what operators change alone; None where the model is not local.

        Nothing is validated where no epoch is selected.
        """
        if self.selection == "last":
            return dict
        if not problem.original.local:
            return None
        graph, last = problem.retained.graph, len(model.operators)
        reach = [k_hop_nodes(graph.csr, nodes, last - layer) for layer, nodes in model.node_sets().items()]
        reach.append(k_hop_nodes(problem.full.graph.csr, problem.gone.touched, last))  # further off, targets are as new
        z, rows = target.clone(), np.flatnonzero(np.any(reach, axis=0))
        region = Region.around(rows, graph, problem.original, last)
        learner = model.within(region.at)
        there, here = as_index(rows, z.device), as_index(region.at(rows), z.device)

        def validate() -> dict[str, float]:
            z.index_copy_(0, there, learner.embed(region.graph).index_select(0, here))
            return problem.retained.validate(z, leaked)

        return validate

    def _region(self, problem: Problem[Task], sets: list[np.ndarray]) -> tuple[Region, Tensor]:
        """Return the part of the training graph that the losses read, S^l and the ends of the pairs, and layer 1 there.

        The edges within 2 hops of the deletion are a graph of their own: nothing else of the graph is looked at.
        """
        task, gone, original = problem.full, problem.gone, problem.original
        rows = np.unique(np.concatenate([*sets, consistency_pairs(task, gone).ravel()]))
        if self.train_graph == "retained":
            return opened(rows, problem.retained.graph, original, len(sets), problem.known)
        edges = task.affected_edges(gone, 2, self.hop)
        region = Region.of_edges(edges, rows, task.graph, original)
        with torch.no_grad():
            return region, under_operators(original).layers(region.graph)[0]

    def _layers(self, model: Edited, graph: Graph | Interactions, first: Tensor) -> list[Tensor]:
        """Return the embeddings after each operator; the next layer sees them detached when gradients are "own"."""
        if self.layer_gradient == "shared":
            return model.layers(graph, first=first)
        seen: list[Tensor] = []

        def keep(layer: int, h: Tensor) -> Tensor:
            del layer  # the order is known
            seen.append(h)
            return h.detach()

        model.layers(graph, keep, first)
        return seen

    def _embedding_loss(
        self, problem: Problem[Task], targets: list[Tensor], sets: list[np.ndarray], region: Region
    ) -> _Loss:
        task, gone, streams, device = problem.full, problem.gone, problem.streams, problem.original.device
        pairs = consistency_pairs(task, gone)
        ends = as_index(region.at(np.concatenate([pairs, pairs[::-1]], axis=1).ravel()), device)
        others = [np.setdiff1d(nodes, pairs) for nodes in sets]
        rest = [(as_index(region.at(nodes), device), as_index(nodes, device)) for nodes in others]
        if self.alpha == 0 and not any(len(nodes) for nodes in others):
            raise UnsupportedError(
                "alpha is 0, which leaves neighbourhood influence alone, and no layer of this backbone "
                "reaches a neighbour of the deletion. Use an alpha above 0."
            )
        others_only = np.setdiff1d(np.arange(task.graph.n_nodes), gone.touched) if len(gone.classes) else None
        if others_only is not None and not len(others_only):
            raise UnsupportedError(
                "the deletion of these classes touches every node, so that none is left to pull theirs to. Delete "
                "fewer classes, or use retrain."
            )
        check_tables(targets, task.graph.n_nodes)

        def loss(layers: list[Tensor], epoch: int) -> Tensor:
            check_tables(layers, region.n_nodes)
            stream = streams("random-pairs", epoch=epoch if self.resample_negatives else 0)
            if others_only is None:
                random = as_index(random_ends(task, pairs.shape[1], stream), device)
            else:
                random = as_index(others_only[stream.integers(len(others_only), len(ends))], device)
            total = torch.zeros(())
            for h, target, (here, nodes) in zip(layers, targets, rest, strict=True):
                both = ((self.alpha, ends, target, random), (1 - self.alpha, here, target, nodes))
                total = total + row_errors(h, [part for part in both if part[0] > 0 and len(part[1])])
            return total

        return loss

    def _probability_loss(
        self, problem: Problem[Task], targets: list[Tensor], sets: list[np.ndarray], region: Region
    ) -> _Loss:
        task, gone, streams = problem.full, problem.gone, problem.streams
        if len(sets) < 2:
            raise UnsupportedError(
                "objective 'edge_probability' compares all pairs within two hops of the deletion, and this model has "
                "one layer. Use objective=embedding, or a model of two layers."
            )
        forgotten, target, n_pairs = task.forgotten_items(gone), targets[-1], float(len(sets[1])) ** 2
        inside, whole = (as_index(nodes, target.device) for nodes in (region.at(sets[1]), sets[1]))
        before = target.index_select(0, whole)
        theirs = torch.sigmoid(task.responses(target, forgotten))
        here = replace(forgotten, pairs=(PairIndex.of(region.at(gone.items), region.n_nodes),))

        def loss(layers: list[Tensor], epoch: int) -> Tensor:
            stream = streams("random-pairs", epoch=epoch if self.resample_negatives else 0)
            random = task.responses(target, task.unrelated_items(gone, stream))
            deleted = F.mse_loss(task.responses(layers[-1], here), random)
            every = sigmoid_pairs_mse(layers[-1].index_select(0, inside), before)
            ours = torch.sigmoid(task.responses(layers[-1], here))
            kept = (every * n_pairs - 2 * (ours - theirs).square().sum()) / (n_pairs - 2 * gone.count)
            return self.alpha * deleted + (1 - self.alpha) * kept

        return loss


def random_ends(task: Task, count: int, stream: Stream) -> np.ndarray:
    """Return ends of random pairs for those of `count` pairs in both directions, (4 count,).

    A user stands where the pairs have a user and an item where they have an item: what tells the two apart must not be
    unlearned.
    """
    found = task.non_edges(2 * count, stream)
    if task.name == "recommend":
        found[:, count:] = found[::-1, count:].copy()
    return found.ravel()


def consistency_pairs(task: Task, gone: Forgotten) -> np.ndarray:
    """Return the (2, k) pairs that deleted edge consistency separates.

    These are the deleted edges; when features or labels go, the edges at their nodes; and each node without any edge
    with itself (not of a recommender beside others: a user would be pulled to an item).
    """
    pairs = gone.edges
    if not pairs.shape[1]:
        pairs = task.graph.edges[:, np.isin(task.graph.edges, gone.touched).any(axis=0)]
    alone = np.setdiff1d(gone.touched, pairs)
    if pairs.shape[1] and (task.name == "recommend" or not len(alone)):
        return pairs
    return np.concatenate([pairs, np.stack([alone, alone])], axis=1)


def _no_grad_layers(problem: Problem[Task]) -> list[Tensor]:
    with torch.no_grad():
        return problem.original.layers(problem.retained.graph)
