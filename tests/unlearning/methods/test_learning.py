"""Fisher information, NegGrad+, and the methods that learn on embeddings."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphforget._core.errors import UnsupportedError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.models.shifted import Shifted
from graphforget.tasks.link import LinkPrediction
from graphforget.training.train import train
from graphforget.unlearning.fisher import diagonal_fisher, training_batches
from graphforget.unlearning.methods.gferaser import GFEraser, js_divergence
from graphforget.unlearning.methods.gnndelete import random_ends
from graphforget.unlearning.methods.gsgcf_ru import GSGCFRU
from graphforget.unlearning.methods.neg_grad import NegGradPlus
from graphforget.unlearning.methods.recur import ReCUR
from graphforget.unlearning.methods.rrl import RRL
from graphforget.unlearning.pair_batches import pair_batches
from graphforget.unlearning.run import unlearn


def rows(items) -> tuple[np.ndarray, ...]:
    both, m = items.pairs[0], len(items)
    return both.u[:m], both.v[:m], both.v[m:]


def batch_gradient(model, task, items) -> dict[str, np.ndarray]:
    """Return the gradient of mean BPR of a batch, by the formula."""
    e, f = (value.detach().double().numpy() for value in (model.users, model.items))
    found = {"users": np.zeros_like(e), "items": np.zeros_like(f)}
    n = task.graph.n_users
    for u, i, j in zip(*rows(items), strict=True):
        slope = -1 / (1 + np.exp(e[u] @ (f[i - n] - f[j - n]))) / len(items)
        found["users"][u] += slope * (f[i - n] - f[j - n])
        found["items"][i - n] += slope * e[u]
        found["items"][j - n] -= slope * e[u]
    return found


def test_fisher_is_the_mean_of_squared_batch_gradients(task, trained):
    model = trained("mf").clone()
    batches = list(training_batches(task, Streams(1), 40, None))
    assert sum(map(len, batches)) == task.graph.n_edges and len(batches) > 2
    gradients = [batch_gradient(model, task, items) for items in batches]
    found = diagonal_fisher(model, task, task.graph, batches)
    for name in ("users", "items"):
        squares = np.mean([g[name] ** 2 for g in gradients], axis=0)
        np.testing.assert_allclose(found[name].numpy(), squares, rtol=2e-3, atol=1e-10)
        square = np.mean([g[name] for g in gradients], axis=0) ** 2
        assert squares.sum() > 1.5 * square.sum(), "the square of the mean is something else"


def test_a_short_last_batch_does_not_outweigh_the_others(task, trained):
    """The mean gradient of one triple is many times that of a full batch."""
    model, n = trained("mf").clone(), task.graph.n_edges
    total = {}
    for batch in (40, n - 1):
        batches = list(training_batches(task, Streams(1), batch, None))
        by_size = diagonal_fisher(model, task, task.graph, batches, by_size=True)
        expected = [len(items) * batch_gradient(model, task, items)["users"] ** 2 for items in batches]
        np.testing.assert_allclose(by_size["users"].numpy(), np.mean(expected, axis=0), rtol=2e-3, atol=1e-9)
        total[batch] = float(by_size["users"].sum())
    assert len(batches) == 2 and len(batches[1]) == 1, "the last batch is one triple"
    assert total[n - 1] < 10 * total[40]


def test_batches_of_fisher_can_be_limited(task):
    assert len(list(training_batches(task, Streams(1), 40, 2))) == 2


def test_rrl_is_reverse_bpr_held_back(task, trained, spy):
    problem, model, (phase,), _ = spy(RRL(weight=3.0, batch=100, min_steps=1, fisher_batch=50), trained("mf"))
    (forgotten,) = pair_batches(problem, "rrl", 100).forgotten(0)
    streams = problem.streams.child("rrl-fisher")
    drawn = training_batches(problem.retained, streams, 50, None)
    fisher = diagonal_fisher(problem.original.clone(), task, task.graph, drawn, by_size=True)
    scale = problem.retained.graph.n_edges / problem.gone.count
    with torch.no_grad():
        model.users += 0.1
        d = task.responses(model(task.graph), forgotten)
    expected = F.softplus(d).mean() + 1.5 * scale * fisher["users"].sum() * 0.01
    (step,) = phase.steps(0)
    assert float(step().detach()) == pytest.approx(float(expected), rel=1e-3)


def test_a_heavier_fisher_term_holds_the_model_nearer(task, trained, some):
    changes = [
        unlearn(trained("mf"), task, some, RRL(weight=w, lr=0.02, validate_every=20, min_steps=1)).parameter_change
        for w in (0.0, 10.0, 1000.0)
    ]
    assert changes[0] > changes[1] > changes[2]


@pytest.mark.parametrize("beta", [0.5, 0.95])
def test_neg_grad_plus_on_a_recommender(task, trained, spy, beta):
    problem, model, (phase,), _ = spy(NegGradPlus(beta=beta, batch=100), trained("lightgcn"))
    ((forgotten, kept),) = pair_batches(problem, "neg-grad-plus", 100).both(0)
    with torch.no_grad():
        keep = problem.retained.batch_loss(model, kept, 0)
        lose = F.softplus(-task.responses(model(task.graph), forgotten)).mean()
    (step,) = phase.steps(0)
    assert float(step().detach()) == pytest.approx(float(beta * keep - (1 - beta) * lose), rel=1e-5)


def test_neg_grad_plus_on_links(random_attributed_graph):
    from graphforget.models.gcn import GCN

    task = LinkPrediction(random_attributed_graph(n=60, n_edges=120), seed=3, holdout=0.1)
    model = train(GCN(hidden=8), task, epochs=30, lr=0.01, validate_every=10)
    gone = Deletion(edges=task.graph.edges[:, [3, 8, 40]].T.tolist())
    result = unlearn(model, task, gone, NegGradPlus(beta=0.8, epochs=15, lr=0.01))
    before, after = (task.scores(m.embed(task.graph), result.gone.items).mean() for m in (model, result.model))
    assert after < before
    with pytest.raises(UnsupportedError, match="batch"):
        unlearn(model, task, gone, NegGradPlus(batch=4))


def test_residual_networks_move_the_neighbourhood_alone(task, trained):
    model = trained("lightgcn")
    gone = Deletion(interactions=task.graph.pairs("train")[:, [0]].T.tolist())
    result = unlearn(model, task, gone, GSGCFRU(hops=1, epochs=5, validate_every=5))
    near = task.affected(result.gone, 1)
    assert isinstance(result.model, Shifted) and 0 < near.sum() < len(near)
    moved = result.model.shift.detach().abs().sum(dim=1).numpy() > 0
    assert np.array_equal(moved, near)
    z = model.embed(result.graph) + result.model.shift
    torch.testing.assert_close(result.model.embed(result.graph), z.detach())


def test_residual_networks_pull_forgotten_scores_down(task, trained, some):
    model = trained("mf")
    result = unlearn(model, task, some, GSGCFRU(strength=1.0, lr=0.01, epochs=150, validate_every=150))

    def scores(m, pairs) -> np.ndarray:
        z = m.embed(result.graph).numpy()
        return (z[pairs[0]] * z[pairs[1]]).sum(axis=1)

    lost, kept = result.gone.edges, result.retained.graph.edges
    assert scores(result.model, lost).mean() < scores(model, lost).mean() - 1
    drop = scores(model, kept) - scores(result.model, kept)
    assert abs(drop.mean()) < (scores(model, lost) - scores(result.model, lost)).mean() / 3


def test_js_divergence():
    generator = torch.Generator().manual_seed(0)
    a, b = (torch.randn(7, 5, generator=generator) * 3 for _ in range(2))
    p, q = a.double().softmax(dim=1), b.double().softmax(dim=1)
    m = (p + q) / 2
    expected = 0.5 * ((p * (p / m).log()).sum(1) + (q * (q / m).log()).sum(1)).mean()
    assert float(js_divergence(a, b)) == pytest.approx(float(expected), rel=1e-5)
    assert float(js_divergence(a, a)) == pytest.approx(0.0, abs=1e-6)
    far = torch.eye(5)[:2] * 200
    assert float(js_divergence(far, far.flip(0))) == pytest.approx(math.log(2), rel=1e-5)


def test_gferaser_leaves_the_model_underneath(task, trained, some, weights):
    model = trained("lightgcn")
    before = weights(model)
    result = unlearn(model, task, some, GFEraser(epochs=3, bpr=1.0, lr=0.01))
    assert weights(model) == before and isinstance(result.model, Shifted)
    assert result.model.base.users.equal(model.users)


def test_recur_step_by_hand(task, trained, spy):
    problem, model, (phase,), _ = spy(ReCUR(batch=100, min_steps=1, bpr=0.7, temperature=0.5), trained("lightgcn"))
    (kept,) = pair_batches(problem, "recur", 100).kept(0)
    with torch.no_grad():
        model.users += 0.2
        before = problem.original.embed(task.graph)
        z, dead = model(problem.retained.graph), model(task.graph.with_edges(problem.gone.edges))
        rank = F.softplus(-task.responses(z, kept)).mean()
    ends = np.unique(problem.gone.edges)
    near = np.setdiff1d(np.flatnonzero(task.affected(problem.gone, 1)), ends)

    def closeness(rows, nodes) -> float:
        cosines = [float(rows[v] @ before[v] / rows[v].norm() / before[v].norm()) for v in nodes]
        return float(np.mean(np.exp(np.array(cosines) / 0.5)))

    stay, lead = closeness(z, near), closeness(dead, ends)
    (step,) = phase.steps(0)
    expected = 0.7 * float(rank) - 0.3 * math.log(stay / (stay + lead))
    assert float(step().detach()) == pytest.approx(expected, rel=1e-4)


def test_recur_turns_the_ends_of_forgotten_pairs_away(task, trained, some):
    model = trained("lightgcn")
    result = unlearn(model, task, some, ReCUR(epochs=5, lr=0.02))
    dead, ends = task.graph.with_edges(result.gone.edges), np.unique(result.gone.edges)
    before = model.embed(task.graph)
    cosines = [F.cosine_similarity(m.embed(dead)[ends], before[ends]).mean() for m in (model, result.model)]
    assert cosines[1] < cosines[0] - 0.3


def test_gnndelete_compares_users_with_users_and_items_with_items(task, random_attributed_graph):
    """Ends are those of the pairs, then of the pairs turned round; on a plain graph any node serves."""
    pairs = task.graph.edges[:, :7]
    ends = np.concatenate([pairs, pairs[::-1]], axis=1).ravel()
    found = random_ends(task, 7, Streams(3)("random-pairs"))
    assert found.shape == ends.shape and np.array_equal(found < task.graph.n_users, ends < task.graph.n_users)
    first, second = found.reshape(2, 14)
    partners = {tuple(sorted(pair)) for pair in task.graph.edges.T.tolist()}
    assert not partners & {tuple(sorted(pair)) for pair in np.stack([first, second]).T.tolist()}
    links = LinkPrediction(random_attributed_graph(n=60, n_edges=150), seed=1)
    stream = Streams(3)("random-pairs")
    assert np.array_equal(random_ends(links, 7, stream), links.non_edges(14, stream).ravel())
