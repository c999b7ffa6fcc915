"""Influence steps against retraining without the forgotten pairs, where that is exact."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

import graphforget as gf
from graphforget._core.errors import UnsupportedError
from graphforget.data.deletion import Deletion
from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.influence import FixedTriples, chosen_nodes, spread
from graphforget.unlearning.methods.ifru import IFRU
from graphforget.unlearning.methods.l2unrank import L2UnRank, influence, rank_weights
from graphforget.unlearning.methods.scif import SCIF
from graphforget.unlearning.run import unlearn

REG = 0.05


def best_users(model, triples, keep, n: int, labels=None) -> torch.Tensor:
    """Return the users' vectors that minimise the summed loss of the triples `keep`, items fixed, in float64."""
    t, f = triples.triples, model.items.detach().double()
    u = torch.from_numpy(t.users[keep].astype(np.int64))
    x = f[t.items[keep]] - f[t.others[keep]]
    y = torch.ones(len(u)).double() if labels is None else torch.from_numpy(labels[keep])
    e = model.users.detach().double().clone().requires_grad_(True)
    solver = torch.optim.LBFGS(
        [e], max_iter=2000, tolerance_grad=1e-12, tolerance_change=1e-15, line_search_fn="strong_wolfe"
    )

    def loss() -> torch.Tensor:
        solver.zero_grad()
        d = (e[u] * x).sum(dim=1)
        total = (F.softplus(-d) + (1 - y) * d).sum() + REG * 0.5 * e[u].square().sum()
        total.backward()
        return total

    solver.step(loss)
    return e.detach()


@pytest.fixture(scope="module")
def few(task) -> Deletion:
    """One pair of each of the five users who have the most: a small share of what they chose."""
    busy, first = np.argsort(-task.graph.user_degrees, kind="stable")[:5], task.graph.train.indptr
    return Deletion(interactions=task.graph.pairs("train")[:, first[busy] + 1].T.tolist())


@pytest.fixture(scope="module")
def at_optimum(task, trained, few, streams):
    """at_optimum(method) -> (MF whose users are optimal for the method's triples, these triples)."""

    def make(name: str, negatives: int = 1):
        model = trained("mf", reg=REG)
        triples = FixedTriples.of(task, task.resolve(few), negatives, streams(name)("negatives"))
        model.users.data = best_users(model, triples, np.ones(len(triples.triples), bool), len(model.users)).float()
        return model, triples

    return make


def compare(found: torch.Tensor, exact: torch.Tensor) -> tuple[float, float]:
    """Return the cosine of two changes and the quotient of their norms."""
    return float(F.cosine_similarity(found.flatten(), exact.flatten(), dim=0)), float(found.norm() / exact.norm())


@pytest.mark.parametrize("curvature", ["hessian", "gauss_newton"])
def test_ifru_goes_where_retraining_goes_on_a_convex_block(task, few, at_optimum, curvature):
    model, triples = at_optimum("ifru")
    exact = best_users(model, triples, ~triples.forgotten, len(model.users)) - model.users.detach().double()
    method = IFRU(block="users", hops=0, clip=0.0, damping=1e-6, iterations=300, curvature=curvature)
    result = unlearn(model, task, few, method, seed=5)
    cosine, ratio = compare((result.model.users - model.users).detach().double(), exact)
    assert cosine > 0.95 and 0.5 < ratio < 1.1
    assert result.details["residual"] < 1e-4 and not result.details["indefinite"]
    touched = np.unique(result.gone.edges[0])
    others = np.setdiff1d(np.arange(len(model.users)), touched)
    assert result.model.users[others].equal(model.users[others]) and result.model.items.equal(model.items)


def test_scif_lands_near_the_optimum_of_the_exchanged_labels(task, few, at_optimum):
    model, triples = at_optimum("scif")
    labels = np.where(triples.forgotten, 0.5, 1.0)
    exact = (
        best_users(model, triples, np.ones(len(labels), bool), len(model.users), labels) - model.users.detach().double()
    )
    for newton in (True, False):
        method = SCIF(block="users", damping=1e-6, iterations=300, newton=newton)
        result = unlearn(model, task, few, method, seed=5)
        cosine, ratio = compare((result.model.users - model.users).detach().double(), exact)
        assert cosine > 0.95 and 0.6 < ratio < 1.5


def test_forgetting_raises_the_loss_of_the_forgotten(task, trained, some):
    for backbone in ("mf", "lightgcn"):
        model = trained(backbone)
        for method in (IFRU(), SCIF(), L2UnRank(repair_epochs=0, scale=3.0)):
            result = unlearn(model, task, some, method, seed=5)
            items = task.forgotten_items(result.gone)
            before, after = (task.responses(m.embed(result.graph), items).mean() for m in (model, result.model))
            assert after < before, f"{method.name} on {backbone}"


def test_spread_by_hand(task):
    gone = task.resolve(_pair(task, 0))
    u, v = gone.edges[:, 0]
    degree = np.bincount(task.graph.edges.ravel(), minlength=task.graph.n_nodes)
    w = spread(task.graph, gone, 0)
    assert set(np.flatnonzero(w)) == {u, v}
    assert w[u] == pytest.approx(1 / (degree[u] + 1)) and w[v] == pytest.approx(1 / (degree[v] + 1))
    wide = spread(task.graph, gone, 1)
    for node in np.flatnonzero(wide):
        mine = task.graph.edges[:, (task.graph.edges == node).any(axis=0)]
        expected = w[node] + w[np.setdiff1d(mine.ravel(), [node])].sum() / (degree[node] + 1)
        assert wide[node] == pytest.approx(expected)


def _pair(task, position: int):
    return Deletion(interactions=task.graph.pairs("train")[:, [position]].T.tolist())


def test_chosen_nodes():
    w = np.array([0.0, 0.1, 0.2, 0.3, 0.4, 0.0])
    assert chosen_nodes(w, 0.0, "users+items", 3).tolist() == [1, 2, 3, 4]
    assert chosen_nodes(w, 0.5, "users+items", 3).tolist() == [3, 4]
    assert chosen_nodes(w, 0.0, "users", 3).tolist() == [1, 2]
    assert chosen_nodes(w, 0.0, "items", 3).tolist() == [3, 4]


def test_fixed_triples_hold_every_pair_and_mark_the_forgotten(task, some):
    gone = task.resolve(some)
    triples = FixedTriples.of(task, gone, 3, task.streams("x"))
    assert len(triples.triples) == 3 * task.graph.n_edges and triples.forgotten.sum() == 3 * gone.count
    marked = np.stack([triples.triples.users, triples.triples.items + task.graph.n_users])[:, triples.forgotten]
    assert np.array_equal(np.unique(marked, axis=1), gone.edges)
    chosen = set(map(tuple, task.graph.pairs("train").T.tolist()))
    assert not chosen & set(zip(triples.triples.users.tolist(), triples.triples.others.tolist(), strict=True))


@pytest.mark.parametrize("method", [IFRU(), SCIF(), L2UnRank()])
def test_other_items_are_drawn_as_the_task_draws_them(task, trained, some, method):
    """Else the loss, its gradient and its curvature are not those that the model was trained with."""
    popular = Recommendation(task.graph, seed=3, negatives="popularity")
    gone, degrees = task.resolve(some), task.graph.item_degrees
    means = [
        degrees[FixedTriples.of(one, gone, 20, task.streams("x")).triples.others].mean() for one in (task, popular)
    ]
    assert means[0] < 1.05 * degrees.mean() and means[1] > 1.1 * means[0]
    model = trained("mf")
    assert method.revision_on(model, task, gone) == method.revision
    assert method.revision_on(model, popular, gone) == method.revision + 1


def test_rank_weights_by_sorting(task, trained, some):
    gone, z = task.resolve(some), trained("mf").embed(task.graph)
    retained = task.without(gone)
    n, found = task.graph.n_users, []
    for u, v in gone.edges.T:
        scores = (z[n:] @ z[u]).numpy()
        kept = retained.graph.pairs("train")[1, retained.graph.pairs("train")[0] == u]
        free = np.setdiff1d(np.arange(task.graph.n_items), kept)
        rank = 1 + int((scores[free] > scores[v - n]).sum())
        found.append(1 / np.log2(1 + rank))
    np.testing.assert_allclose(rank_weights(retained, z, gone), np.array(found) / np.mean(found))


def test_influence_is_whole_at_the_ends_and_less_elsewhere(task, trained, some):
    gone, z = task.resolve(some), trained("mf").embed(task.graph)
    m = influence(z, spread(task.graph, gone, 1), gone, task.graph.n_users)
    ends = np.unique(gone.edges)
    assert m[ends].eq(1).all()
    others = np.setdiff1d(np.arange(len(z)), ends)
    assert 0 <= float(m[others].min()) and 0 < float(m[others].max()) < 1


def test_the_repair_trains_on_what_is_retained(task, trained, some):
    result = unlearn(trained("mf"), task, some, L2UnRank(repair_epochs=2), seed=5)
    assert [entry["epoch"] for entry in result.history] == [2]
    assert unlearn(trained("mf"), task, some, L2UnRank(repair_epochs=0), seed=5).history == []


def test_a_label_of_one_and_no_newton_step_are_refused(task, trained, some):
    with pytest.raises(UnsupportedError, match="counterfactual"):
        unlearn(trained("mf"), task, some, SCIF(counterfactual=1.0, newton=False))


def test_the_receipt_of_scif_counts_what_rose():
    """With all of its training loss, a step for a single pair may lift it; the influence step alone lowers it."""
    task = Recommendation(gf.load("sample-shop"), seed=0)
    model = gf.train(gf.MF(dim=8), task, epochs=100)
    rose = {True: 0, False: 0}
    for newton in rose:
        for at in range(0, 3000, 500):
            user, item = task.graph.pairs("train")[:, at].tolist()
            ids = task.graph.user_ids_of([user])[0], task.graph.item_ids_of([item])[0]
            found = unlearn(model, task, Deletion(interactions=[ids]), SCIF(newton=newton)).details
            rose[newton] += found["forgotten_that_rose"]
    assert rose[True] > 0 and rose[False] == 0
