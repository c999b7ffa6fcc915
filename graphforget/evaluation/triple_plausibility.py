"""Whether a model still believes deleted facts of its knowledge graph: forgotten triples against corrupted ones."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from graphforget.data.interactions import Interactions
from graphforget.evaluation.case import Case, Findings, Subject
from graphforget.kernels.item_negatives import sample_items, tail_sets
from graphforget.models.edited import under_operators
from graphforget.models.kgat import KGAT
from graphforget.models.kgat_graph import forward_of
from graphforget.models.kgat_transr import energies
from graphforget.tasks.base import auc_above

TRIPLES = 5_000
"""Forgotten triples that are judged, at most: a fixed sample."""
CORRUPTED = 10
"""Corrupted triples beside each of them."""
NO_PHASE = "no plausibility of forgotten triples: this model learns no TransR energy."
NO_ROOM = "no plausibility of forgotten triples: their heads and relations have every entity as a tail."


def triple_plausibility(case: Case, subject: Subject) -> Findings:
    """Return the AUC of the energy -g(h, r, t) of forgotten triples above that of corrupted ones (h, r, t').

    g is TransR's (KGAT, Wang et al. 2019, equation 1), of the tables that the model answers with, operators included;
    relations in their own direction. Corrupted tails are uniform over the entities that were no tail of (h, r) before
    the deletion, drawn once by the task's seed, so that every model judges the same triples. 1 is full belief in the
    forgotten facts, 0.5 none; the target is gold's value, for what is retained can make a deleted fact plausible.
    """
    if not len(case.gone.triples):
        return Findings()
    if not isinstance(under_operators(subject.model), KGAT):
        return Findings(notes=[NO_PHASE])
    assert isinstance(case.task.graph, Interactions)
    true, false = judged_triples(case)
    if not true.shape[1]:
        return Findings(notes=[NO_ROOM])
    believed, doubted = (-_energies(subject, case.task.graph.n_users, triples) for triples in (true, false))
    return Findings({"forgotten_triple_auc": auc_above(believed, doubted)})


def judged_triples(case: Case) -> tuple[np.ndarray, np.ndarray]:
    """Return forgotten triples (3, m) and corrupted ones (3, 10 m), in the numbers of entities and raw relations."""
    facts = case.task.graph.triples
    assert facts is not None
    sets, rows, _ = tail_sets(facts.triples, facts.n_relations, facts.n_entities)
    room = np.diff(sets.indptr)[rows[case.gone.triples]] < facts.n_entities
    chosen = case.gone.triples[room]
    if len(chosen) > TRIPLES:
        chosen = np.sort(case.task.streams("judged-triples").numpy().choice(chosen, TRIPLES, replace=False))
    repeated = np.repeat(chosen, CORRUPTED)
    tails = sample_items(sets, rows[repeated], case.task.streams("corrupted-tails").key)
    return facts.triples[:, chosen], np.stack([*facts.triples[:2, repeated], tails.astype(np.int64)])


def _energies(subject: Subject, n_users: int, triples: np.ndarray) -> np.ndarray:
    model = under_operators(subject.model)
    assert isinstance(model, KGAT)
    nodes = np.stack([triples[0] + n_users, forward_of(triples[1]), triples[2] + n_users])
    return energies(_first_table(subject), model.relations, model.transforms, nodes)


def _first_table(subject: Subject) -> Tensor:
    """Return the learned table as the model answers with it: (n_nodes, d)."""
    with torch.no_grad():
        return subject.model.frozen().layers(subject.graph)[0]
