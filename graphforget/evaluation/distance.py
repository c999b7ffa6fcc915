"""How far a model is from gold: its answers, its probabilities, its logits, its parameters."""

from __future__ import annotations

import numpy as np
import torch
from scipy.special import rel_entr

from graphforget._core.threads import one_torch_thread
from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.evaluation.probabilities import answers, distributions, log_distributions
from graphforget.models.base import Model
from graphforget.models.edited import Edited


def agreement(ours: np.ndarray, gold: np.ndarray) -> float:
    """Return the share of items with the same answer: the same side of 0.5 for pairs, the same class for nodes."""
    return float((answers(ours) == answers(gold)).mean())


def score_distance(ours: np.ndarray, gold: np.ndarray) -> float:
    """Return the mean |p - p_gold| of pairs, or the mean L1 distance of the softmax of nodes."""
    gap = np.abs(distributions(ours) - distributions(gold)).sum(axis=1)
    return float(gap.mean() / (2 if ours.ndim == 1 else 1))


def logit_distance(ours: np.ndarray, gold: np.ndarray) -> float:
    """Return the mean L2 distance of the logits."""
    gap = (ours - gold).reshape(len(ours), -1)
    return float(np.linalg.norm(gap, axis=1).mean())


def kl(ours: np.ndarray, gold: np.ndarray) -> float:
    """Return the mean KL(gold || ours) in nats, from the logits, without clamping."""
    gap = log_distributions(gold) - log_distributions(ours)
    return float((distributions(gold) * gap).sum(axis=1).mean())


def js(ours: np.ndarray, gold: np.ndarray) -> float:
    """Return the mean Jensen-Shannon divergence in nats, 0 to ln 2."""
    p, q = distributions(ours), distributions(gold)
    middle = (p + q) / 2
    return float((rel_entr(p, middle) + rel_entr(q, middle)).sum(axis=1).mean() / 2)


DISTANCES = {"agreement": agreement, "score": score_distance, "logit": logit_distance, "kl": kl, "js": js}


def distances(case: Case, subject: Subject, gold: Subject) -> Findings:
    """Return every distance to gold on the forgotten, retained and test part, and of the parameters."""
    values = {
        f"{name}_{part}": measure(subject.responses(case, part), gold.responses(case, part))
        for part in case.parts
        for name, measure in DISTANCES.items()
    }
    found = Findings(values)
    found.add(_parameters(subject.model, gold.model))
    return found


def _parameters(ours: Model, gold: Model) -> Findings:
    distance = parameter_distance(ours, gold)
    if distance is not None:
        return Findings({"parameter_distance": distance})
    why = (
        "its learned operators have no counterpart in gold"
        if isinstance(ours, Edited)
        else "its parameters are not gold's"
    )
    return Findings(notes=[f"no parameter distance: {why}."])


def parameter_distance(ours: Model, gold: Model) -> float | None:
    """Return ||theta - theta_gold|| / ||theta_gold||, or None when the two do not have the same parameters."""
    mine, theirs = (dict(model.named_parameters()) for model in (ours, gold))
    if {k: v.shape for k, v in mine.items()} != {k: v.shape for k, v in theirs.items()}:
        return None
    with torch.no_grad(), one_torch_thread():
        moved = sum(float((mine[key] - theirs[key].to(mine[key].device)).double().square().sum()) for key in mine)
        norm = sum(float(value.double().square().sum()) for value in theirs.values())
    return (moved / norm) ** 0.5 if norm else None
