"""Deleted facts: which triples are judged, their energy by hand, operators, and the report."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.evaluation.case import Subject, case_of
from graphforget.evaluation.forgetting import FACTS_ALONE
from graphforget.evaluation.metrics import METRICS
from graphforget.evaluation.report import evaluate
from graphforget.evaluation.triple_plausibility import (
    CORRUPTED,
    NO_PHASE,
    NO_ROOM,
    judged_triples,
    triple_plausibility,
)
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.kgat import KGAT
from graphforget.models.mf import MF
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.run import unlearn

N_USERS, N_ENTITIES = 24, 72
SMALL = {"dim": 8, "kg_dim": 8, "layers": "8", "kg_batch": 64}


@pytest.fixture(scope="module")
def task(shop) -> Recommendation:
    """The shop with facts: each item has one of 12 makers and one of 12 places, both entities behind the items."""
    rng, data = np.random.default_rng(2), shop.graph
    makers, places = rng.integers(60, 72, 60), rng.integers(60, 72, 60)
    items = np.arange(60)
    facts = np.concatenate([[items, 0 * items, makers], [items, 0 * items + 1, places]], axis=1)
    parts = {part: data.pairs(part) for part in ("train", "valid", "test")}
    return Recommendation(Interactions.build(24, 60, **parts, triples=TripleGraph.build(N_ENTITIES, 2, facts)))


@pytest.fixture(scope="module")
def deletion(task) -> Deletion:
    """Twelve of the facts, in the user's ids."""
    return Deletion(triples=[tuple(triple) for triple in task.graph.triples.triples[:, ::10].T.tolist()])


@pytest.fixture(scope="module")
def case(task, deletion):
    """Their deletion."""
    gone = task.resolve(deletion)
    return case_of(task, task.without(gone), gone)


@pytest.fixture(scope="module")
def model(task):
    """A KGAT that has learned the facts."""
    return train(KGAT(**SMALL), task, epochs=40, lr=0.05, batch=64, validate_every=40, selection="last")


def subject(case, model, kind="method") -> Subject:
    """Return a subject on the retained graph."""
    return Subject("one", kind, model, case.retained.graph)


def by_hand(model, table, true, false) -> float:
    """Return the share of pairs (forgotten, corrupted) in which the forgotten triple has less energy."""
    relations, transforms = (getattr(model, key).detach().double().numpy() for key in ("relations", "transforms"))
    table = table.detach().double().numpy()

    def energy(h, r, t) -> float:
        w = transforms[r + 1]
        return float(((table[N_USERS + h] @ w + relations[r + 1] - table[N_USERS + t] @ w) ** 2).sum())

    low, high = ([energy(*triple) for triple in part.T.tolist()] for part in (true, false))
    return float(np.mean([(a < b) + (a == b) / 2 for a in low for b in high]))


def test_corrupted_triples_share_head_and_relation_and_are_no_facts(task, case):
    facts = set(map(tuple, task.graph.triples.triples.T.tolist()))
    true, false = judged_triples(case)
    assert set(map(tuple, true.T.tolist())) == facts - set(map(tuple, case.retained.graph.triples.triples.T.tolist()))
    assert np.array_equal(false[:2], np.repeat(true[:2], CORRUPTED, axis=1))
    assert not set(map(tuple, false.T.tolist())) & facts
    assert len(set(false[2].tolist())) > 40 and false[2].max() < N_ENTITIES
    assert all(np.array_equal(a, b) for a, b in zip(judged_triples(case), (true, false), strict=True))


def test_the_auc_is_that_of_energies_by_hand(case, model):
    found = triple_plausibility(case, subject(case, model)).values
    assert found == {"forgotten_triple_auc": pytest.approx(by_hand(model, model.nodes, *judged_triples(case)))}


def test_operators_count(case, model):
    """Of an edited model the entities are those behind the operator of layer 1."""
    nodes = N_USERS + np.arange(N_ENTITIES)
    edited = Edited(model, {1: identity_operator(nodes, 8)})
    edited.operators["1"].weight.data = torch.randn(8, 8, generator=torch.Generator().manual_seed(0))
    table = model.nodes.detach().clone()
    table[nodes] = table[nodes] @ edited.operators["1"].weight.detach()
    found = triple_plausibility(case, subject(case, edited)).values["forgotten_triple_auc"]
    assert found == pytest.approx(by_hand(model, table, *judged_triples(case)))
    assert found != triple_plausibility(case, subject(case, model)).values["forgotten_triple_auc"]


def test_what_has_no_such_energy_says_so(task, case):
    plain = train(MF(dim=4), task, epochs=1)
    assert triple_plausibility(case, subject(case, plain)).notes == [NO_PHASE]
    gone = task.resolve(Deletion(users=[3]))
    other = case_of(task, task.without(gone), gone)
    found = triple_plausibility(other, subject(other, plain))
    assert not found.values and not found.notes


def test_a_head_that_has_every_entity_is_left_out(task, model):
    facts = np.concatenate([[[0] * N_ENTITIES, [0] * N_ENTITIES, range(N_ENTITIES)], [[1], [1], [60]]], axis=1)
    parts = {part: task.graph.pairs(part) for part in ("train", "valid", "test")}
    full = Recommendation(Interactions.build(24, 60, **parts, triples=TripleGraph.build(N_ENTITIES, 2, facts)))
    gone = full.resolve(Deletion(triples=[(0, 0, 60)]))
    one = case_of(full, full.without(gone), gone)
    assert triple_plausibility(one, subject(one, model)).notes == [NO_ROOM]


def test_before_after_and_gold_stand_in_the_report(task, deletion, model):
    """The original believes what it was taught; gold, which never saw it, believes less."""
    result = unlearn(model, task, deletion, "unlink")
    report = evaluate(result, attack=False)
    found = {record.row: record.values for record in report.records}
    assert found["Original"]["forgotten_triple_auc"] > 0.9
    assert found["Gold"]["forgotten_triple_auc"] < found["Original"]["forgotten_triple_auc"] - 0.03
    assert found["unlink"]["forgotten_triple_auc"] == found["Original"]["forgotten_triple_auc"]
    gap = found["Original"]["forgotten_triple_auc"] - found["Gold"]["forgotten_triple_auc"]
    assert found["unlink"]["forgotten_triple_auc_gap"] == pytest.approx(gap)
    assert "forgotten_triple_auc" not in found["Popularity"] and FACTS_ALONE in " ".join(report.notes)
    assert METRICS["forgotten_triple_auc"].direction == "gold"
    assert "forgotten triple AUC →gold" in str(report)
