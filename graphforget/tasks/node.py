"""Node classification: which class does a node have?"""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import ClassVar, Literal, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import DataError, UsageError
from graphforget._core.numeric import is_number
from graphforget._core.streams import Stream, Streams
from graphforget._core.words import counted
from graphforget.data.deletion import Deletion
from graphforget.data.graph import Graph
from graphforget.data.splits import parts_digest, whole_share
from graphforget.tasks.base import NO_NODES, Forgotten, Items, Task, as_index, check_data, check_seed
from graphforget.tasks.batches import Batch, node_batches

ClassMode = Literal["label", "entity"]
PARTS = ("train", "val", "test")
TRAIN, VAL = 0.8, 0.1
"""Shares of the random split, unless others are asked for."""


class NodeClassification(Task[Graph]):
    """Classification of nodes in one graph, transductive: the graph holds all nodes, the loss the training nodes.

    Parameters
    ----------
    graph: graph with features and labels; features are row-normalised unless `normalise` is False.
    seed: decides the random split and, by default, everything trained on the task.
    parts: nodes of "train", "val" and "test" where they are known already; nothing is drawn then.
    split: "public" takes the graph's published masks; "random" draws `train` and `val` shares of the labelled nodes
        and tests on the rest. Default: "random" (published splits train on 20 nodes a class, too few to delete 100).
    train, val: shares of the random split; the public split takes none.
    class_mode: what deleting a class means. "label" drops its training nodes from the loss and keeps their edges and
        features; "entity" removes its training nodes from the graph.
    """

    name: ClassVar[str] = "node"
    selection: ClassVar[str] = "val_accuracy"
    selections: ClassVar[tuple[str, ...]] = ("val_accuracy", "val_loss_negated")

    def __init__(
        self,
        graph: Graph,
        seed: int = 0,
        parts: Mapping[str, np.ndarray] | None = None,
        *,
        split: Literal["public", "random"] = "random",
        train: float = TRAIN,
        val: float = VAL,
        class_mode: ClassMode = "label",
        normalise: bool = True,
    ) -> None:
        check_data("NodeClassification", graph, Graph, "has no nodes to classify; give a Graph.")
        seed = check_seed("NodeClassification", seed)
        self.seed = seed
        self.class_mode = class_mode
        self.split_name = split
        _check_options(graph, split, train, val, class_mode)
        self.graph = graph.row_normalised() if normalise else graph
        self.classes = graph.n_classes
        if parts is not None:
            found = [parts[name] for name in PARTS]
        elif split == "public":
            _refuse_shares(train, val)
            found = _public_split(graph)
        else:
            found = _random_split(graph, seed, train, val)
        self.given = "" if parts is None and split == "random" else parts_digest(found)
        self.train_nodes, self.val_nodes, self.test_nodes = found

    @property
    def tested(self) -> np.ndarray:
        """Test nodes without those of classes that earlier deletions took: to know them is no merit any more."""
        return self.test_nodes[~np.isin(self.labels[self.test_nodes], self.holes.get("classes", NO_NODES))]

    @property
    def n_outputs(self) -> int | None:
        """The number of classes."""
        return self.classes

    @property
    def labels(self) -> np.ndarray:
        """(n_nodes,) int64 labels of the retained nodes, -1 elsewhere."""
        assert self.graph.labels is not None
        return self.graph.labels

    def protocol(self) -> str:
        """Return split and class mode."""
        return f"{self.split_name} split, class mode {self.class_mode}"

    def _resolved(self, deletion: Deletion) -> Forgotten:
        """Return the deletion in node numbers; see `Forgotten`. Deleted classes become nodes here."""
        found = deletion.resolve(self.graph)
        edges = [self.graph.edges[:, found.edges]]
        members = self.train_nodes[np.isin(self.labels[self.train_nodes], found.classes)]
        if len(found.classes) and not len(members):
            names = self.graph.class_names or tuple(map(str, range(self.graph.n_classes)))
            absent = ", ".join(f"'{names[one]}'" for one in found.classes)
            raise DataError(f"No training node has class {absent}; there is nothing to forget.")
        nodes = np.union1d(found.nodes, members) if self.class_mode == "entity" else found.nodes
        edges.append(self.graph.edges[:, np.isin(self.graph.edges, nodes).any(axis=0)])
        unlabelled = members if self.class_mode == "label" else members[:0]
        removed = np.unique(np.concatenate(edges, axis=1), axis=1)
        named = np.unique(np.concatenate([nodes, found.features, unlabelled]))
        return Forgotten(
            kind=deletion.kind,
            edges=removed,
            nodes=nodes,
            features=found.features,
            unlabelled=unlabelled,
            classes=found.classes,
            items=named if len(named) else np.unique(removed),
            digest=deletion.digest,
        )

    def _left(self, gone: Forgotten) -> Self:
        """Return the task without the deleted parts; deleted nodes and classes leave training and validation."""
        retained = copy.copy(self)
        graph = self.graph.without_edges(gone.edges)
        if len(gone.nodes) or len(gone.features) or len(gone.unlabelled):
            graph = graph.without(nodes=gone.nodes, features=gone.features, labels=gone.unlabelled)
        retained.graph = graph
        left = np.concatenate([gone.nodes, gone.unlabelled])
        retained.train_nodes = np.setdiff1d(self.train_nodes, left)
        keep = ~np.isin(self.val_nodes, left) & ~np.isin(self.labels[self.val_nodes], gone.classes)
        retained.val_nodes = self.val_nodes[keep]
        retained.test_nodes = np.setdiff1d(self.test_nodes, gone.nodes)
        for part, what in ((retained.train_nodes, "training"), (retained.val_nodes, "validation")):
            if not len(part):
                raise DataError(f"The deletion removes every {what} node; nothing is left to retain. Delete less.")
        return retained

    def training_items(self, stream: Stream, gone: Forgotten | None = None, negatives: int = 2) -> Items:
        """Return the training nodes, without the forgotten ones if a deletion is given."""
        del stream, negatives  # nothing is sampled
        nodes = self.train_nodes if gone is None else np.setdiff1d(self.train_nodes, gone.items)
        return self._items(nodes)

    def batches(self, streams: Streams, epoch: int, batch: int) -> list[Batch]:
        """Return every training node once."""
        return node_batches(self.train_nodes, self._items, streams, epoch, batch)

    def forgotten_items(self, gone: Forgotten) -> Items:
        """Return the forgotten nodes; for a deletion of edges, their endpoints.

        Only training nodes carry a label here: the original never saw the others'.
        """
        items = self._items(gone.items)
        unseen = torch.from_numpy(~np.isin(gone.items, self.train_nodes))
        return Items(targets=items.targets.masked_fill(unseen, -1), nodes=items.nodes)

    def unrelated_items(self, gone: Forgotten, stream: Stream) -> Items:
        """Return as many nodes drawn at random from the whole graph."""
        return self._items(stream.integers(self.graph.n_nodes, gone.count))

    def _items(self, nodes: np.ndarray) -> Items:
        return Items(targets=as_index(self.labels[nodes]), nodes=as_index(nodes))

    def responses(self, z: Tensor, items: Items) -> Tensor:
        """Return the class logits of the nodes; raises UsageError for a model with fewer outputs than classes."""
        assert items.nodes is not None
        if z.shape[-1] < self.classes:
            raise UsageError(
                f"NodeClassification: the model returns {counted(z.shape[-1], 'value')} a node, but the task has "
                f"{counted(self.classes, 'class')}; make its output {self.classes} wide."
            )
        return z.index_select(0, items.nodes.to(z.device))

    def item_losses(self, responses: Tensor, items: Items) -> Tensor:
        """Return cross-entropy; 0 for nodes without a label."""
        return F.cross_entropy(responses, items.targets.to(responses.device), reduction="none", ignore_index=-1)

    def divergence(self, teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
        """Return KL(softmax(teacher) || softmax(student))."""
        log_p = F.log_softmax(teacher / temperature, dim=1)
        log_q = F.log_softmax(student / temperature, dim=1)
        return (log_p.exp() * (log_p - log_q)).sum(dim=1)

    def ignorant(self, responses: Tensor, gone: Forgotten) -> Tensor:
        """Return the logits; those of classes deleted now or earlier get probability 0 in float32."""
        hidden = torch.zeros(responses.shape[1], dtype=torch.bool, device=responses.device)
        deleted = np.union1d(gone.classes, self.holes.get("classes", NO_NODES))
        hidden[as_index(deleted, responses.device)] = True
        return responses.masked_fill(hidden, float(responses.min()) - 100.0)

    def validate(self, z: Tensor, gone: Forgotten | None = None) -> dict[str, float]:
        """Return `val_accuracy` and the negated validation cross-entropy `val_loss_negated`."""
        del gone  # no criterion here reads the forgotten part
        items = self._items(self.val_nodes)
        responses = self.responses(z.detach(), items)
        return {
            "val_accuracy": self.accuracy(z, self.val_nodes, self.labels[self.val_nodes]),
            "val_loss_negated": -float(self.item_losses(responses.double(), items).mean()),
        }

    def accuracy(self, z: Tensor, nodes: np.ndarray, labels: np.ndarray) -> float:
        """Return the share of `nodes` whose largest logit (lowest class on ties) is their label; NaN without nodes."""
        if not len(nodes):
            return float("nan")
        return float((self.predictions(z)[nodes] == labels).mean())

    def predictions(self, z: Tensor) -> np.ndarray:
        """Return the (n_nodes,) class with the largest logit."""
        return z.detach().cpu().numpy().argmax(axis=1)

    def __repr__(self) -> str:
        return (
            f"NodeClassification({self.graph.name}, seed {self.seed}, {self.split_name} split, "
            f"{len(self.train_nodes):,} training / {len(self.val_nodes):,} validation / "
            f"{len(self.test_nodes):,} test nodes, {counted(self.classes, 'class')}, class_mode {self.class_mode})"
        )


def _check_options(graph: Graph, split: str, train: float, val: float, class_mode: str) -> None:
    if graph.features is None or graph.labels is None:
        missing = "features" if graph.features is None else "labels"
        raise DataError(f"NodeClassification: graph '{graph.name}' has no {missing}. Give some with {missing}=.")
    if class_mode not in ("label", "entity"):
        raise UsageError(f"NodeClassification: 'class_mode' must be label or entity; got '{class_mode}'.")
    if split not in ("public", "random"):
        raise UsageError(f"NodeClassification: 'split' must be public or random; got '{split}'.")
    if not (is_number(train) and is_number(val)) or not (train > 0 and val > 0 and train + val < 1):
        raise UsageError(
            f"NodeClassification: 'train' and 'val' must be shares above 0 that sum below 1; got {train!r}, {val!r}."
        )


def _refuse_shares(train: float, val: float) -> None:
    """Raise UsageError for shares that a public split would not heed."""
    if (train, val) != (TRAIN, VAL):
        raise UsageError(
            f"NodeClassification: 'train' and 'val' are {train!r} and {val!r}, but the public split says itself which "
            "nodes are for training and validation. Leave them out, or use split='random'."
        )


def _public_split(graph: Graph) -> list[np.ndarray]:
    missing = [name for name in PARTS if name not in graph.masks]
    if missing:
        raise UsageError(f"Graph '{graph.name}' has no published split; use split='random'.")
    twice = int(np.count_nonzero(np.sum([graph.masks[name] for name in PARTS], axis=0) > 1))
    if twice:
        raise DataError(
            f"Graph '{graph.name}': {counted(twice, 'node')} stand in two of {', '.join(PARTS)}, so "
            "that test would not be unseen. Give masks that share no node, or use split='random'."
        )
    return [np.flatnonzero(graph.masks[name]) for name in PARTS]


def _random_split(graph: Graph, seed: int, train: float, val: float) -> list[np.ndarray]:
    assert graph.labels is not None
    labelled = np.flatnonzero(graph.labels >= 0)
    order = torch.randperm(len(labelled), generator=torch.Generator().manual_seed(seed)).numpy()
    cuts = [int(whole_share(len(labelled), share)) for share in (train, train + val)]
    if cuts[0] < 1 or cuts[1] == cuts[0] or cuts[1] == len(labelled):
        raise DataError(f"Graph '{graph.name}' has {len(labelled)} labelled nodes, too few for a {train}/{val} split.")
    return [np.sort(labelled[part]) for part in np.split(order, cuts)]
