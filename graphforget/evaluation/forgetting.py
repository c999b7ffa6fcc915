"""Whether the forgotten part looks as if it had never been trained on: no less and no more."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from graphforget.evaluation.case import Case, Findings, Subject, without_pairs
from graphforget.evaluation.probabilities import distributions, right_answers
from graphforget.evaluation.ranking import forgotten_ranking
from graphforget.evaluation.records import HOLES, LABELS_KEPT
from graphforget.tasks.base import auc_above
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation

GAPS = (
    "forgotten_auc",
    "forgotten_accuracy",
    "forgotten_recall@20",
    "forgotten_ndcg@20",
    "test_recall@20",
    "pair_mi_auc",
    "forgotten_triple_auc",
)
"""Scores whose distance to gold's is a number of the report."""
FLOOR_GAPS = ("test_auc", "test_accuracy", "other_test_accuracy", "class_test_accuracy", "mi_attack_auc")
"""Scores whose distance to gold's is a number of the noise floor's row alone, where several runs give it."""
OF_HOLES = (
    f"{HOLES}, without features and edges, to a membership attack, too: this shows little of what the weights hold."
)
OF_LABELLED = f"{LABELS_KEPT}: what is forgotten is edges or features of theirs, of which their accuracy shows little."
NOTHING = "nothing that was trained on is forgotten, so no forgetting is measured."
FACTS_ALONE = "no interaction is forgotten, so forgetting is measured on the triples alone, of models that learn them."
FEATURES_ALONE = "no interaction is forgotten, only features of items, so forgetting shows in distances to gold alone."


def forgetting(case: Case, subject: Subject, original: Subject) -> Findings:
    """Return the forgotten AUC (link tasks) or ranking (recommenders), and the update-detection AUC.

    Source: Ed of GNNDelete (Cheng et al. 2023); its target is gold's value, a larger one is over-forgetting.
    """
    if "forgotten" not in case.parts:
        features = any(len(rows) for rows in case.gone.modalities.values())
        return Findings(notes=[FACTS_ALONE if len(case.gone.triples) else FEATURES_ALONE if features else NOTHING])
    recommends = isinstance(case.retained, Recommendation)
    found = forgotten_ranking(case, subject) if recommends else _forgotten_auc(case, subject)
    if subject.kind not in ("original", "baseline") and "test" in case.parts:
        found.values["update_auc"] = update_auc(case, subject, original)
    if subject.kind != "original" and not recommends and len(case.gone.nodes):
        found.notes.append(OF_HOLES)
    if isinstance(case.task, NodeClassification) and case.gone.kind in ("edges", "features"):
        found.notes.append(OF_LABELLED)
    return found


def _forgotten_auc(case: Case, subject: Subject) -> Findings:
    if not isinstance(case.retained, LinkPrediction):
        return Findings()
    kept = without_pairs(case.retained.graph.edges, case.gone.items, case.retained.graph.n_nodes).shape[1]
    if kept < case.gone.count:
        return Findings(
            notes=[f"no forgotten AUC: fewer edges are retained ({kept:,}) than forgotten ({case.gone.count:,})."]
        )
    return Findings({"forgotten_auc": case.retained.forgotten_auc(subject.z, case.gone)})


def update_auc(case: Case, subject: Subject, original: Subject) -> float:
    """Return the AUC of ||p_original - p_unlearned||, forgotten items (label 1) against test items (label 0).

    Source: GraphEraser, MEGU and OpenGU call it a membership attack; it detects the update, and a method that does
    nothing scores 0.5. Deviation: all test items count instead of a draw of equally many (link tasks: all test
    edges, no negatives), which leaves the expected value as it is. What a recommender answers to a pair is the
    probability that it is preferred to a fixed other item.
    """
    changes = []
    for part in ("forgotten", "test"):
        before, after = (distributions(s.responses(case, part)) for s in (original, subject))
        change = np.linalg.norm(before - after, axis=1)
        edges_only = part == "test" and case.task.name == "link"
        changes.append(change[case.parts[part].targets.numpy() > 0] if edges_only else change)
    return auc_above(*changes)


def delta_p(case: Case, subject: Subject, gold: Subject) -> Findings:
    """Return the mean over retained items of p(right answer) minus gold's; below 0 is over-forgetting.

    Source: UtU (Tan et al. 2024) for edges, where the right answer is the edge. Deviation: at most 10,000 retained
    edges, a fixed sample; for nodes the right answer is the label.
    """
    if "retained" not in case.parts:
        return Findings()
    targets = case.parts["retained"].targets.numpy()
    ours, reference = (right_answers(s.responses(case, "retained"), targets) for s in (subject, gold))
    return Findings({"delta_p": float((ours - reference).mean())})


def gaps(values: Mapping[str, float], gold: Mapping[str, float], names: Sequence[str] = GAPS) -> Findings:
    """Return |value - gold's| of the scores of these names."""
    return Findings(
        {f"{name}_gap": abs(values[name] - gold[name]) for name in names if name in values and name in gold}
    )
