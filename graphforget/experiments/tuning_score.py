"""The number that tuning makes large, of the validation part and the deletion; the test part has no share in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from graphforget._core.errors import DataError, UsageError
from graphforget.data.graph import Graph
from graphforget.data.interactions import Interactions
from graphforget.evaluation.case import Subject, logits, without_pairs
from graphforget.experiments.prepare import Prepared
from graphforget.models.base import Model
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.method import SIDE_KINDS
from graphforget.unlearning.run import Result

REVISION = 1
"""Raised when the number of the same model becomes another one."""
K = 20
UTILITY = {"link": "val_auc", "node": "val_accuracy", "recommend": "val_recall"}
FORGOTTEN = {"link": "forgotten AUC", "node": "forgotten accuracy", "recommend": f"forgotten recall@{K}"}


@dataclass(frozen=True)
class Score:
    """What a model is worth on the validation part.

    Attributes
    ----------
    utility: val_auc, val_accuracy or val_recall of the retained task.
    forgotten: forgotten AUC of links, accuracy on forgotten training nodes, recall@20 of forgotten interactions; None
        where only side information is forgotten.
    gap: distance of `forgotten` to gold's; for side information, mean distance of the probabilities that a user prefers
        a validation item to a fixed other one to gold's.
    total: utility - weight * gap.
    """

    utility: float
    forgotten: float | None
    gap: float
    total: float


def check_scorable(prepared: Prepared) -> None:
    """Raise UsageError where there is no validation part to tune on, DataError where no forgetting can be measured."""
    task, gone = prepared.task, prepared.gone
    if not task.validates:
        raise UsageError(
            f"'{task.graph.name}' has no validation part, and tuning looks at no other. Hold some out (--holdout, or "
            "--valid-share where the data are divided)."
        )
    if isinstance(task, Recommendation) and task.select_on != "valid":
        raise UsageError(
            "--select-on test makes the test part choose, and tuning must not see it. Leave it out, or give "
            "--select-on valid."
        )
    assert gone is not None
    if gone.kind in SIDE_KINDS:
        return
    if not _seen(prepared):
        raise DataError(
            f"The deletion ({gone.describe()}) holds nothing that is trained on, so no forgetting can be measured. "
            "Delete something else."
        )
    if isinstance(task, LinkPrediction):
        kept = without_pairs(prepared.retained.graph.edges, gone.items, task.graph.n_nodes).shape[1]
        if kept < gone.count:
            raise DataError(
                f"The forgotten AUC draws as many retained as forgotten edges, but {kept:,} are retained and "
                f"{gone.count:,} forgotten. Delete less."
            )


def _seen(prepared: Prepared) -> int:
    assert prepared.gone is not None
    return len(_trained(prepared)) if isinstance(prepared.task, NodeClassification) else prepared.gone.count


def _trained(prepared: Prepared) -> np.ndarray:
    """Return the forgotten nodes that the original was trained on; others may be held out."""
    assert isinstance(prepared.task, NodeClassification) and prepared.gone is not None
    return np.intersect1d(prepared.gone.items, prepared.task.train_nodes)


class Scorer:
    """Scores models of one seed beside its gold model.

    Parameters
    ----------
    prepared: task and deletion. gold: the model trained without the forgotten part.
    weight: of the distance to gold; 0 asks for utility alone.
    """

    def __init__(self, prepared: Prepared, gold: Result, weight: float) -> None:
        self.prepared = prepared
        self.weight = weight
        self.gold = self._answers(self._embeddings(gold.model, gold.graph, "Gold"))

    def score(self, model: Model, graph: Graph | Interactions, label: str) -> Score:
        """Return the score of a model that answers from a graph; DivergedError for embeddings that are not finite."""
        z = self._embeddings(model, graph, label)
        utility = self.prepared.retained.validate(z)[UTILITY[self.prepared.task.name]]
        answers = self._answers(z)
        gap = float(np.abs(answers - self.gold).mean())
        side = self.prepared.gone is not None and self.prepared.gone.kind in SIDE_KINDS
        return Score(utility, None if side else float(answers[0]), gap, utility - self.weight * gap)

    def _embeddings(self, model: Model, graph: Graph | Interactions, label: str) -> Tensor:
        return Subject(label, "method", model, graph).z

    def _answers(self, z: Tensor) -> np.ndarray:
        """Return what is compared with gold's: one number, or one for each validation pair."""
        task, retained, gone = self.prepared.task, self.prepared.retained, self.prepared.gone
        assert gone is not None
        if isinstance(retained, LinkPrediction):
            return np.array([retained.forgotten_auc(z, gone)])
        if isinstance(task, NodeClassification):
            nodes = _trained(self.prepared)
            return np.array([task.accuracy(z, nodes, task.labels[nodes])])
        assert isinstance(retained, Recommendation)
        if gone.kind not in SIDE_KINDS:
            return np.array([retained.metrics(z, "forgotten", gone, ks=(K,))[f"recall@{K}"]])
        users, items = retained.graph.pairs("valid")
        pairs = retained.paired(users, retained.graph.n_users + items, retained.streams("tuning-others"))
        return torch.sigmoid(torch.from_numpy(logits(retained, z, pairs))).numpy()
