"""What every task offers to training, unlearning and evaluation."""

from __future__ import annotations

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Self

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget._core.numeric import is_integer, is_number, plain
from graphforget._core.streams import Stream, Streams
from graphforget._core.words import counted
from graphforget.data.deletion import Deletion
from graphforget.data.deletion_files import RECOMMENDER_KINDS
from graphforget.data.kinds import G
from graphforget.data.resolve import NO_EDGES
from graphforget.kernels.khop import k_hop_nodes
from graphforget.kernels.negatives import sample_non_edges
from graphforget.kernels.pairs import PairIndex
from graphforget.kernels.ranking import auc
from graphforget.kernels.subgraph import edges_among, induced_csr

if TYPE_CHECKING:
    from graphforget.data.graph import Graph
    from graphforget.data.interactions import Interactions
    from graphforget.tasks.batches import Batch

RowsOf = Callable[[Any, np.ndarray], tuple[list[Tensor], Tensor]]
"""(data, ascending nodes) -> these rows of the layers that a backbone's own losses read, and of the readout."""
NO_NODES = np.empty(0, dtype=np.int64)


@dataclass(frozen=True, eq=False)
class Items:
    """What a task scores: pairs of nodes (link tasks) or nodes (node tasks), with the targets of the training loss.

    Attributes
    ----------
    targets: (m,) float32 in [0, 1] for pairs, int64 classes for nodes (-1 where unknown).
    pairs: the pairs, in parts that are concatenated.
    weights: (m,) float32 weight of each item in a mean, or None for equal weights.
    """

    targets: Tensor
    pairs: tuple[PairIndex, ...] = ()
    nodes: Tensor | None = None
    weights: Tensor | None = None

    def __len__(self) -> int:
        return len(self.targets)


@dataclass(frozen=True, eq=False, repr=False)
class Forgotten:
    """A deletion resolved against a task: node numbers and pairs instead of the user's ids.

    Attributes
    ----------
    kind: what is named, as `Deletion.kind` says: one of `data.deletion_files.KINDS`, "users+items" or "mixed".
    edges: (2, k) message-passing edges that leave the graph, u < v; of a recommender, training pairs.
    nodes: nodes that leave (edges, label and features); of a recommender, users and items.
    n_users: how many of these nodes are users.
    features: nodes whose features become zero.
    unlabelled: nodes that leave the training loss only (class deletion with `class_mode="label"`).
    classes: deleted classes.
    held_out: (2, h) named edges that were never trained on; they leave validation and test.
    triples: positions of the facts of a knowledge graph that go.
    modalities: name -> numbers of the items that lose that modality.
    items: what the task counts as forgotten, (2, k) pairs or (k,) nodes.
    digest: digest of the deletion in the user's ids.
    """

    kind: str
    items: np.ndarray
    edges: np.ndarray = field(default_factory=lambda: NO_EDGES)
    nodes: np.ndarray = field(default_factory=lambda: NO_NODES)
    features: np.ndarray = field(default_factory=lambda: NO_NODES)
    unlabelled: np.ndarray = field(default_factory=lambda: NO_NODES)
    classes: np.ndarray = field(default_factory=lambda: NO_NODES)
    held_out: np.ndarray = field(default_factory=lambda: NO_EDGES)
    triples: np.ndarray = field(default_factory=lambda: NO_NODES)
    modalities: Mapping[str, np.ndarray] = field(default_factory=dict)
    digest: str = ""
    n_users: int = 0

    @property
    def touched(self) -> np.ndarray:
        """Sorted numbers of all nodes the deletion names or that lose an edge by it."""
        return np.unique(np.concatenate([self.edges.ravel(), self.nodes, self.features, self.unlabelled]))

    @property
    def count(self) -> int:
        """Number of forgotten items."""
        return self.items.shape[-1]

    def __repr__(self) -> str:
        return f"Forgotten({self.describe()}, digest {self.digest[:12]})"

    def describe(self) -> str:
        """Return one phrase for tables and logs."""
        of_items = self.kind in (*RECOMMENDER_KINDS, "users+items")
        edge, node = ("interaction", "item") if of_items else ("edge", "node")
        whole = (
            (self.edges.shape[1], "", edge),
            (self.n_users, "", "user"),
            (len(self.nodes) - self.n_users, "", node),
            (len(self.features), "features of ", "node"),
            (len(self.unlabelled), "labels of ", "node"),
            (self.held_out.shape[1], "", f"held-out {edge}"),
            (len(self.triples), "", "triple"),
            *((len(items), f"modality {name} of ", "item") for name, items in self.modalities.items()),
        )
        phrases = [f"{of}{counted(number, noun)}" for number, of, noun in whole if number]
        return " and ".join(filter(None, (", ".join(phrases[:-1]), *phrases[-1:])))


class Task(ABC, Generic[G]):
    """Data, split, training objective, scores and metrics of one problem.

    A task never changes; `without` gives the retained task. Everything that an unlearning method needs to know about
    the problem comes through these functions, so that a method is written once for every task.
    """

    name: ClassVar[str]
    selection: ClassVar[str]
    selections: ClassVar[tuple[str, ...]]
    graph: G
    seed: int
    holes: Mapping[str, np.ndarray] = MappingProxyType({})
    """What earlier deletions took whole, ascending: "nodes" (users and items), nodes that lost their "features", and
    "classes"."""
    given: str = ""
    """Digest of a split that was given; empty where data, options and seed decide the split."""
    whole: bool = True
    """Whether no deletion has taken anything: the model never knew what is not in data that are whole."""
    log: tuple[dict[str, Any], ...] = ()
    """What a model was made to forget to come here, the first deletion first: digest, kind, amount and method."""

    @property
    def streams(self) -> Streams:
        """Random streams of the task's seed."""
        return Streams(self.seed)

    def key(self) -> tuple[str, ...]:
        """Return what decides a run beside the data: options and sizes in words, and a split that was given."""
        return (repr(self), self.given) if self.given else (repr(self),)

    @property
    @abstractmethod
    def n_outputs(self) -> int | None:
        """Width the last layer must have, or None when the backbone may choose."""

    @abstractmethod
    def protocol(self) -> str:
        """Return the options that decide split, pools and negatives, in words for a table's heading."""

    def resolve(self, deletion: Deletion) -> Forgotten:
        """Return the deletion in node numbers; raises DataError when it names what is not there, or no longer is."""
        gone = self._resolved(deletion)
        earlier, lost = self.holes.get("nodes", NO_NODES), self.holes.get("features", NO_NODES)
        again = len(np.intersect1d(gone.nodes, earlier)) + len(np.intersect1d(gone.features, np.union1d(earlier, lost)))
        if again:
            raise DataError(
                f"{again:,} of the {gone.kind} named have been forgotten already, by an earlier deletion from these "
                "data. Take them off the list."
            )
        return gone

    @abstractmethod
    def _resolved(self, deletion: Deletion) -> Forgotten:
        """Return the deletion in node numbers: what goes, and what goes with it."""

    def without(self, gone: Forgotten) -> Self:
        """Return the retained task: nothing in it is derived from the forgotten part but which numbers are holes."""
        check_data("without", gone, Forgotten, "is not resolved; give task.resolve(deletion).")
        retained = self._left(gone)
        retained.whole = False
        new = {"nodes": gone.nodes, "features": gone.features, "classes": gone.classes}
        holes = {name: np.union1d(self.holes.get(name, NO_NODES), new[name]) for name in new}
        retained.holes = {name: numbers for name, numbers in holes.items() if len(numbers)}
        return retained

    @abstractmethod
    def _left(self, gone: Forgotten) -> Self:
        """Return a copy on the retained data; raises DataError when nothing is left to train on."""

    @abstractmethod
    def training_items(self, stream: Stream, gone: Forgotten | None = None, negatives: int = 2) -> Items:
        """Return the items of the training loss without those of `gone`; negatives are drawn from `stream`.

        `negatives` is how many are drawn for each positive; together they weigh as much as all positives.
        """

    @abstractmethod
    def forgotten_items(self, gone: Forgotten) -> Items:
        """Return the forgotten part as items, with the targets the original was trained on."""

    @abstractmethod
    def unrelated_items(self, gone: Forgotten, stream: Stream) -> Items:
        """Return as many items as forgotten ones that the model never saw: random non-edges, or random nodes."""

    @abstractmethod
    def responses(self, z: Tensor, items: Items) -> Tensor:
        """Return logits of the items: (m,) Bernoulli for pairs, (m, classes) softmax for nodes."""

    @abstractmethod
    def item_losses(self, responses: Tensor, items: Items) -> Tensor:
        """Return the (m,) training losses of the items."""

    @abstractmethod
    def divergence(self, teacher: Tensor, student: Tensor, temperature: float = 1.0) -> Tensor:
        """Return the (m,) KL divergences from the teacher's distributions to the student's, given logits."""

    def ignorant(self, responses: Tensor, gone: Forgotten) -> Tensor:
        """Return the responses of a model that has never heard of classes deleted now or earlier."""
        del gone  # only tasks with classes have something to hide
        return responses

    @property
    def validates(self) -> bool:
        """Whether there is anything to validate on, so that an epoch can be selected."""
        return True

    @abstractmethod
    def validate(self, z: Tensor, gone: Forgotten | None = None) -> dict[str, float]:
        """Return the validation metrics that model selection may use; larger is better for every one of them."""

    def objective(self, z: Tensor, stream: Stream) -> Tensor:
        """Return the training loss of one epoch: the (weighted) mean of the item losses."""
        items = self.training_items(stream)
        return weighted_mean(self.item_losses(self.responses(z, items), items), items.weights)

    def steps(
        self, model: Callable[[G], Tensor], streams: Streams, epoch: int, batch: int | None
    ) -> Sequence[Callable[[], Tensor]]:
        """Return the losses of an epoch, one step of the optimiser each; here one, over everything.

        Raises UsageError for a batch size, which full-batch tasks do not have.
        """
        if batch is not None:
            raise UsageError(
                f"'batch' is {batch}, but a {self.name} task trains on full batches; leave it out, or draw neighbours "
                "(neighbours='15,10')."
            )
        return (lambda: self.objective(model(self.graph), streams("negatives", epoch=epoch)),)

    @abstractmethod
    def batches(self, streams: Streams, epoch: int, batch: int) -> Sequence[Batch]:
        """Return the batches of an epoch, `batch` training edges, nodes or triples each."""

    def batch_loss(self, model: Any, items: Items, epoch: int, at_rows: RowsOf) -> Tensor:
        """Return the (weighted) mean of the losses of a batch's items; `at_rows` gives the rows of its nodes."""
        from graphforget.tasks.batches import near_items

        del model, epoch  # recommenders add losses of their own
        rows, near = near_items(items)
        z = at_rows(self.graph, rows)[1]
        return weighted_mean(self.item_losses(self.responses(z, near), near), near.weights)

    def non_edges(self, count: int, stream: Stream) -> np.ndarray:
        """Return (2, count) random pairs of nodes that no training edge joins; none of nodes that were deleted."""
        return sample_among(self.graph, self.holes.get("nodes", NO_NODES), count, stream.key)

    def affected(self, gone: Forgotten, hops: int, hop: str | None = None) -> np.ndarray:
        """Return the (n_nodes,) mask of nodes within `hops` hops of what the deletion touches.

        `hop` is how edges are walked; None takes the task's way. Raises UnsupportedError for one it does not have.
        """
        if hop not in (None, "undirected"):
            raise UnsupportedError(
                f"hop '{hop}' numbers the edges of link tasks; a {self.name} task walks 'undirected'."
            )
        seeds = np.zeros(self.graph.n_nodes, dtype=bool)
        seeds[gone.touched] = True
        return k_hop_nodes(self.graph.csr, seeds, hops)

    def affected_edges(self, gone: Forgotten, hops: int, hop: str | None = None) -> np.ndarray:
        """Return the (2, k) edges among the nodes within `hops` hops of what the deletion touches."""
        return edges_among(self.graph.csr, self.affected(gone, hops, hop))


def sample_among(graph: Graph | Interactions, holes: np.ndarray, count: int, key: int) -> np.ndarray:
    """Return (2, count) random pairs of nodes outside the ascending `holes` that no edge joins.

    Deleted nodes keep their numbers, without an edge. A model trained on a graph without them never meets them. Raises
    DataError where every pair of the other nodes is an edge.
    """
    csr, left = graph.csr, np.arange(graph.n_nodes)
    if len(holes):
        left = np.delete(left, holes)
        kept = f"without-nodes/{hashlib.sha256(holes.tobytes()).hexdigest()}"
        csr = graph.memo(kept, lambda: induced_csr(graph.csr, left))
    if len(left) * (len(left) - 1) - len(csr.indices) <= 0:
        raise DataError(f"Graph '{graph.name}' is complete: every pair of nodes is an edge, so no negatives exist.")
    found = sample_non_edges(csr, count, key)
    return left[found] if len(holes) else found


def check_data(owner: str, data: object, kind: type, need: str) -> None:
    """Raise UsageError unless `data` is of the kind a task works on; `need` says what is missing otherwise."""
    if not isinstance(data, kind):
        raise UsageError(f"{owner}: '{getattr(data, 'name', data)}' (type {type(data).__name__}) {need}")


def check_seed(owner: str, seed: Any) -> int:
    """Return the seed, plain; raises UsageError unless it is an integer."""
    if not is_integer(seed):
        raise UsageError(f"{owner}: 'seed' must be an integer; got {seed!r}.")
    return plain(seed)


def check_share(owner: str, key: str, value: Any, below: float, none: bool = False) -> None:
    """Raise UsageError unless `value` is a number above 0 (or, where `none` may be held out, 0) and below `below`."""
    if not is_number(value) or not 0 <= value < below or (value == 0 and not none):
        low = "at least 0" if none else "above 0"
        raise UsageError(f"{owner}: '{key}' must be {low} and below {below:g}; got {value!r}.")


def weighted_mean(values: Tensor, weights: Tensor | None) -> Tensor:
    """Return the mean, or the mean with the given weights (which sum to the number of items)."""
    return (values if weights is None else values * weights.to(values.device)).mean()


def bernoulli_divergence(teacher: Tensor, student: Tensor, temperature: float) -> Tensor:
    """Return KL(Bern(teacher) || Bern(student)) of the logits; however sure the student is, it gets a gradient."""
    p, q = teacher / temperature, student / temperature
    yes, no = F.logsigmoid(p) - F.logsigmoid(q), F.logsigmoid(-p) - F.logsigmoid(-q)
    return torch.sigmoid(p) * yes + torch.sigmoid(-p) * no


def auc_above(above: np.ndarray, below: np.ndarray) -> float:
    """Return the AUC of the scores `above` (label 1) over the scores `below` (label 0)."""
    labels = np.zeros(len(above) + len(below), dtype=bool)
    labels[: len(above)] = True
    return auc(labels, np.concatenate([above, below]))


def as_index(array: np.ndarray, device: torch.device | None = None) -> Tensor:
    """Return an int64 tensor of node numbers, on the CPU or on `device`."""
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.int64).copy()).to(device or "cpu")
