"""Membership inference: does the model still answer as if it had been trained on the forgotten part?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
import torch
from safetensors import SafetensorError
from safetensors.torch import load, save

from graphforget._core.errors import DataError
from graphforget._core.streams import Streams
from graphforget._core.threads import one_torch_thread
from graphforget.evaluation.attack_network import AttackNetwork, train_attack
from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.evaluation.probabilities import distributions
from graphforget.evaluation.shadow import ShadowAnswers, shadow_answers
from graphforget.kernels.ranking import auc, mean_auc_draws
from graphforget.models.base import Model
from graphforget.tasks.base import Task
from graphforget.tasks.node import NodeClassification
from graphforget.training.loop import Progress

CLAMP = 1e-6
DRAWS = 500
HELD_OUT = 5
"""One in five of the shadow's answers judges the attacker and does not train it."""


def features(logits: np.ndarray) -> torch.Tensor:
    """Return what the attacker sees: [1 - p, p] of pairs, the softmax from large to small for nodes; float32."""
    p = distributions(logits)
    return torch.from_numpy((p if logits.ndim == 1 else -np.sort(-p, axis=1)).astype(np.float32))


@dataclass(frozen=True, eq=False)
class Attacker:
    """A membership attacker, shared by all rows and methods of one task and seed.

    Attributes
    ----------
    network: the trained attack network.
    quality: AUC on shadow answers it was not trained on; near 0.5 it sees nothing and its other numbers mean little.
    """

    network: AttackNetwork
    quality: float

    def membership(self, logits: np.ndarray) -> np.ndarray:
        """Return P(member) of items, given a model's logits for them: (m,) float64."""
        with one_torch_thread():
            found = self.network(features(logits)).double()
            return torch.softmax(found, dim=1)[:, 1].numpy()

    def to_bytes(self) -> bytes:
        """Return the attacker as safetensors, for a file of its own."""
        quality = torch.tensor(self.quality, dtype=torch.float64)
        return save({**self.network.state_dict(), "quality": quality})

    @classmethod
    def from_bytes(cls, data: bytes, source: str) -> Self:
        """Return the attacker that `to_bytes` wrote; raises DataError, in the name of `source`, for anything else."""
        try:
            tensors = load(data)
            quality = float(tensors.pop("quality"))
            network = AttackNetwork(len(tensors["first"]), Streams(0))
            network.load_state_dict(tensors)
        except (SafetensorError, RuntimeError, LookupError, TypeError, ValueError) as error:
            raise DataError(f"{source}: not an attacker ({error}). Delete its folder to fit it anew.") from error
        return cls(network.requires_grad_(False).eval(), quality)


def fit_attacker(
    task: Task, model: Model, *, epochs: int | None = None, seed: int | None = None, progress: Progress | None = None
) -> Attacker:
    """Return the attacker for models like `model` on `task`: it depends on the task and the recipe alone.

    Source: GNNDelete's attack (Cheng et al. 2023; the released code cannot run as published). A shadow model of the
    same architecture and recipe learns the test edges as its graph; the attacker learns to tell its test edges and
    negatives (members) from the validation edges and negatives ("sub"), with 50 epochs of cross-entropy on [1-p, p].
    Node tasks, our own version: the shadow learns the labels of the test nodes on the same graph, and the attacker
    tells test from validation nodes by their sorted softmax.

    Parameters
    ----------
    task: the original's, with the forgotten part; only its held-out part is learned from.
    model: gives the architecture and, if it was trained here, the recipe.
    epochs: caps the epochs of the shadow; by default the recipe's. A shadow epoch costs nearly as much as one of the
        original: all nodes take part, because its negatives come from all of them.
    seed: of shadow and attacker; by default the task's.
    """
    streams = Streams(task.seed if seed is None else seed).child("membership")
    return attacker_from(shadow_answers(task, model, streams, epochs, progress), streams)


def attacker_from(answers: ShadowAnswers, streams: Streams) -> Attacker:
    """Return the attacker trained on a shadow's answers, every fifth of them held out to judge it."""
    seen = torch.cat([features(answers.members), features(answers.others)])
    members = torch.zeros(len(seen), dtype=torch.int64)
    members[: len(answers.members)] = 1
    held = np.zeros(len(seen), dtype=bool)
    held[streams("held-out").numpy().permutation(len(seen))[: max(len(seen) // HELD_OUT, 1)]] = True
    rest = torch.from_numpy(~held)
    with one_torch_thread():
        network = train_attack(seen[rest], members[rest], streams)
        scores = torch.softmax(network(seen[~rest]).double(), dim=1)[:, 1].numpy()
    labels = members[~rest].numpy() > 0
    both = labels.any() and not labels.all()
    return Attacker(network, auc(labels, scores) if both else 0.5)


def mi_ratio(before: np.ndarray, after: np.ndarray) -> tuple[float, float]:
    """Return the mean over items of P_before / P_after, and the share of items whose P_after was clamped at 1e-6.

    Source: the wording of GNNDelete and ScaleGUN (the released code computes the inverse).

    Example
    -------
    >>> ratio, clamped = mi_ratio(np.array([0.8, 0.3]), np.array([0.2, 0.3]))
    >>> round(ratio, 12), clamped
    (2.5, 0.0)
    """
    return float((before / np.maximum(after, CLAMP)).mean()), float((after < CLAMP).mean())


def attackable(node_task: bool, kind: str) -> bool:
    """Return whether a deletion of a kind takes training items of a node or a link task, as the attack needs."""
    return kind in ("edges", "nodes", "classes") and not (node_task and kind == "edges")


def refusal(case: Case) -> str | None:
    """Return why there is no membership attack on the forgotten part of this case, or None where there is one."""
    if not attackable(isinstance(case.task, NodeClassification), case.gone.kind):
        return "no membership attack: the forgotten items remain training items of the retained task."
    if "forgotten" not in case.parts or not _trained(case).any():
        return "no membership attack: nothing that was trained on is forgotten."
    return None


def membership(case: Case, subject: Subject, original: Subject, attacker: Attacker | None) -> Findings:
    """Return the MI ratio and the attack AUC on the forgotten part.

    `mi_attack_auc` is our reading of UtU's column (Tan et al. 2024, which does not spell it out): the AUC of P(member)
    with retained training items as label 1 and forgotten items as label 0; edges as the mean of 500 draws of as many
    retained as forgotten ones. The target is gold's value: a model that cannot tell them apart scores 0.5, one whose
    forgotten items stand out more than gold's has over-forgotten.
    """
    why = refusal(case)
    if why is not None or attacker is None:
        return Findings(notes=[why] if why else [])
    trained = _trained(case)
    after = attacker.membership(subject.responses(case, "forgotten")[trained])
    values: dict[str, float] = {}
    if subject.kind != "original":
        before = attacker.membership(original.responses(case, "forgotten")[trained])
        values["mi_ratio"], values["mi_clamped"] = mi_ratio(before, after)
    if "retained" in case.parts:
        values["mi_attack_auc"] = attack_auc(case, after, attacker.membership(subject.responses(case, "retained")))
    return Findings(values)


def _trained(case: Case) -> np.ndarray:
    """Return the mask of forgotten items that the original was trained on: all edges, training nodes."""
    if not isinstance(case.task, NodeClassification):
        return np.ones(case.gone.count, dtype=bool)
    return np.isin(case.gone.items, case.task.train_nodes)


def attack_auc(case: Case, forgotten: np.ndarray, retained: np.ndarray) -> float:
    """Return the AUC of P(member), retained items above forgotten ones."""
    if len(retained) >= len(forgotten):
        return mean_auc_draws(forgotten, retained, DRAWS, case.task.streams("attack-auc").key)
    labels = np.zeros(len(forgotten) + len(retained), dtype=bool)
    labels[len(forgotten) :] = True
    return auc(labels, np.concatenate([forgotten, retained]))
