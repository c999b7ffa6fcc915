"""Losses and steps of GSGCF-RU, GFEraser, L2UnRank and IFRU against their equations, written out in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphforget.tasks.recommend import Recommendation
from graphforget.unlearning.embedding_rows import EmbeddingRows
from graphforget.unlearning.influence import FixedTriples, removal_gradient
from graphforget.unlearning.methods.gferaser import GFEraser
from graphforget.unlearning.methods.gsgcf_ru import GSGCFRU
from graphforget.unlearning.methods.l2unrank import L2UnRank
from graphforget.unlearning.pair_batches import pair_batches
from graphforget.unlearning.run import unlearn


def rows(items) -> tuple[np.ndarray, ...]:
    """Return users, items and others of triples."""
    both, m = items.pairs[0], len(items)
    return both.u[:m], both.v[:m], both.v[m:]


def shaken(model, size: float = 0.1) -> dict[str, np.ndarray]:
    """Move the trainable parameters off their start; return them in float64."""
    generator = torch.Generator().manual_seed(5)
    for value in model.parameters():
        if value.requires_grad:
            value.data += size * torch.randn(value.shape, generator=generator)
    return {name: value.detach().double().numpy() for name, value in model.named_parameters() if value.requires_grad}


def within(graph, nodes: np.ndarray, hops: int) -> np.ndarray:
    """Return the mask of the nodes within so many steps of some."""
    reached = np.isin(np.arange(graph.n_nodes), nodes)
    for _ in range(hops):
        ends = graph.edges[:, reached[graph.edges].any(axis=0)]
        reached[ends.ravel()] = True
    return reached


def scores(z: np.ndarray, pairs: np.ndarray) -> np.ndarray:
    return (z[pairs[0]] * z[pairs[1]]).sum(axis=1)


@pytest.mark.parametrize(("alpha", "strength", "hops"), [(0.7, 0.1, 1), (0.2, 2.0, 0)])
def test_the_loss_of_gsgcf_ru(task, trained, spy, monkeypatch, alpha, strength, hops):
    original, rng = trained("lightgcn"), np.random.default_rng(0)
    users, items = rng.integers(0, 36, 6 * 3), 36 + rng.integers(0, 60, 6 * 3)
    monkeypatch.setattr(Recommendation, "non_edges", lambda self, count, stream: np.stack([users, items])[:, :count])
    method = GSGCFRU(alpha=alpha, strength=strength, hops=hops, random_pairs=3, neighbours_per_forget=1000, reg=0.01)
    problem, model, objective, _ = spy(method, original)
    p, retained = shaken(model), problem.retained.graph
    near = within(task.graph, problem.gone.edges, hops)
    before, z = (original.embed(graph).double().numpy() for graph in (task.graph, retained))
    after = z.copy()
    for side, mine in enumerate((np.arange(96) < 36, np.arange(96) >= 36)):
        (w1, w2), (b1, b2) = ([p[f"{kind}.{2 * side + n}"] for n in (0, 1)] for kind in ("weights", "biases"))
        chosen = near & mine
        after[chosen] += strength * (np.maximum(z[chosen] @ w1 + b1, 0) @ w2 + b2)
    target = scores(before, np.stack([users, items])).reshape(6, 3).mean(axis=1)
    neighbours = retained.edges[:, near[retained.edges].all(axis=0)]
    assert 0 < neighbours.shape[1] < retained.n_edges
    forget = ((scores(after, problem.gone.items) - target) ** 2).mean()
    keep = ((scores(after, neighbours) - scores(before, neighbours)) ** 2).mean()
    expected = alpha * forget + (1 - alpha) * keep + 0.01 / 2 * sum((value**2).sum() for value in p.values())
    assert float(objective(0).detach()) == pytest.approx(expected, rel=1e-4)


def softplus(x: np.ndarray) -> np.ndarray:
    return np.logaddexp(0, x)


def softmax(x: np.ndarray) -> np.ndarray:
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def contrast(a: np.ndarray, b: np.ndarray, temperature: float) -> float:
    """InfoNCE: every row of `a` must find its own row of `b` among all of them, by cosines."""
    a, b = (x / np.linalg.norm(x, axis=1, keepdims=True) for x in (a, b))
    return float(-np.log(np.diag(softmax(a @ b.T / temperature))).mean())


def jensen_shannon(a: np.ndarray, b: np.ndarray) -> float:
    p, q = softmax(a), softmax(b)
    m = (p + q) / 2
    return float(0.5 * ((p * np.log(p / m)).sum(axis=1) + (q * np.log(q / m)).sum(axis=1)).mean())


def test_the_loss_of_gferaser(task, trained, spy):
    original, method = trained("lightgcn"), GFEraser(bpr=0.3, contrast=0.6, temperature=0.5, divergence=0.2, batch=100)
    problem, model, (phase,), _ = spy(method, original)
    p, start = shaken(model), original.embed(problem.retained.graph).double().numpy()
    h = e = p["kept"]
    for layer in range(3):
        h = (np.maximum(h, 0) if layer else h) @ p[f"weights.{layer}"] + p[f"biases.{layer}"]
    assert [p[f"weights.{layer}"].shape for layer in range(3)] == [(6, 12), (12, 12), (12, 6)]
    both = np.stack([e, e + h])
    share = softmax((np.tanh(both @ p["mix"]) @ p["query"])[..., 0].T).T
    z = (share[..., None] * both).sum(axis=0)
    ((forgotten, kept),) = pair_batches(problem, "gferaser", 100).both(0)

    def margin(table, items) -> np.ndarray:
        u, i, j = rows(items)
        return (table[u] * (table[i] - table[j])).sum(axis=1)

    near, far = (np.unique(np.concatenate(rows(items)[:2])) for items in (kept, forgotten))
    expected = 0.3 * (softplus(-margin(z, kept)).mean() + softplus(margin(z, forgotten)).mean())
    expected += softplus(-margin(p["negative"], forgotten)).mean()
    expected += 0.6 * contrast(z[near], start[near], 0.5) - 0.2 * jensen_shannon(z[far], p["negative"][far])
    (step,) = phase.steps(0)
    assert float(step().detach()) == pytest.approx(expected, rel=1e-4)


def test_the_negative_model_of_gferaser_starts_from_the_full_graph_and_is_held_in_the_divergence(task, trained, spy):
    original = trained("lightgcn")
    problem, model, (phase,), _ = spy(GFEraser(bpr=0.0, contrast=0.0, divergence=5.0, batch=100), original)
    assert model.negative.equal(original.embed(task.graph)) and model.kept.equal(original.embed(problem.retained.graph))
    shaken(model)
    ((forgotten, _),) = pair_batches(problem, "gferaser", 100).both(0)
    leaf = model.negative.detach().clone().requires_grad_(True)
    F.softplus(-task.responses(leaf, forgotten)).mean().backward()
    (step,) = phase.steps(0)
    found = torch.autograd.grad(step(), [model.negative, model.kept])
    torch.testing.assert_close(found[0], leaf.grad)
    assert found[1].any()


def chain(triples: FixedTriples, model, n_users: int) -> tuple[np.ndarray, np.ndarray]:
    """Return d_k of all triples of a factorisation and its Jacobian in the whole table, (m, n * width)."""
    table = torch.cat([model.users, model.items]).detach().double().numpy()
    t, width = triples.triples, table.shape[1]
    u, i, j = t.users, n_users + t.items, n_users + t.others
    d = (table[u] * (table[i] - table[j])).sum(axis=1)
    jacobian = np.zeros((len(u), *table.shape))
    for k in range(len(u)):
        jacobian[k, u[k]] += table[i[k]] - table[j[k]]
        jacobian[k, i[k]] += table[u[k]]
        jacobian[k, j[k]] -= table[u[k]]
    return d, jacobian.reshape(len(u), table.shape[0] * width)


def test_the_step_of_l2unrank_on_a_factorisation(task, trained, some, streams):
    model, damping, scale, reg = trained("mf", reg=0.02), 0.3, 2.0, 0.02
    gone, n, width = task.resolve(some), task.graph.n_users, 6
    method = L2UnRank(hops=1, clip=0.0, damping=damping, scale=scale, iterations=500, repair_epochs=0)
    result = unlearn(model, task, some, method, seed=5)
    triples = FixedTriples.of(task, gone, 1, streams("l2unrank")("negatives"))
    table = torch.cat([model.users, model.items]).detach().double().numpy()
    d, jacobian = chain(triples, model, n)
    p, f, t = 1 / (1 + np.exp(-d)), triples.forgotten, triples.triples
    nodes = np.stack([t.users, n + t.items, n + t.others])
    ranks = []
    for u, v in zip(nodes[0, f], nodes[1, f], strict=True):
        kept = result.retained.graph.edges[1, result.retained.graph.edges[0] == u]
        free = np.setdiff1d(np.arange(n, n + task.graph.n_items), kept)
        ranks.append(1 + (table[free] @ table[u] > table[v] @ table[u]).sum())
    rho = 1 / np.log2(1 + np.array(ranks))
    rho /= rho.mean()
    times, lost = (np.bincount(ends.ravel(), minlength=96) for ends in (nodes, nodes[:, f]))
    g = -(rho * (1 - p[f])) @ jacobian[f] + reg * (table * lost[:, None]).ravel()
    curvature = (jacobian * (p * (1 - p))[:, None]).T @ jacobian
    curvature += np.diag(np.repeat(reg * times, width) + damping)
    scope = np.flatnonzero(np.repeat(within(task.graph, gone.edges, 1), width))
    step = np.zeros(96 * width)
    step[scope] = np.linalg.solve(curvature[np.ix_(scope, scope)], g[scope])
    degree = np.bincount(task.graph.edges.ravel(), minlength=96) + 1
    w = np.bincount(gone.edges.ravel(), minlength=96) / degree
    adjacency = np.zeros((96, 96))
    adjacency[tuple(task.graph.edges)] = 1
    w = w + (adjacency + adjacency.T) @ w / degree
    m = np.zeros(96)
    for side, ends in zip((np.arange(n), np.arange(n, 96)), gone.edges, strict=True):
        middle = table[np.unique(ends)].mean(axis=0)
        cosine = table[side] @ middle / np.linalg.norm(table[side], axis=1) / np.linalg.norm(middle)
        m[side] = w[side] / w.max() * np.maximum(cosine, 0)
    m[np.unique(gone.edges)] = 1
    expected = scale * m[:, None] * step.reshape(96, width)
    found = torch.cat([result.model.users, result.model.items]).detach().double().numpy() - table
    np.testing.assert_allclose(found, expected, atol=2e-3 * np.abs(expected).max())
    assert np.abs(expected).max() > 0.05


def test_what_leaves_the_loss_with_a_deletion_where_messages_pass(task, trained, problem):
    original = trained("lightgcn", reg=0.0)
    made = problem(original)
    triples = FixedTriples.of(task, made.gone, 2, task.streams("x"))
    found = removal_gradient(made, EmbeddingRows(made.original, np.arange(96), 36), triples)
    expected = 0
    for graph, chosen, sign in (
        (task.graph, triples.forgotten, 1),
        (task.graph, ~triples.forgotten, 1),
        (made.retained.graph, ~triples.forgotten, -1),
    ):
        model = original.clone()
        F.softplus(-task.responses(model(graph), triples.items(chosen))).sum().backward()
        expected = expected + sign * torch.cat([model.users.grad, model.items.grad])
    torch.testing.assert_close(found.view(96, -1), expected, rtol=1e-3, atol=1e-4)
    assert not expected[task.graph.user_degrees.argmax()].allclose(torch.zeros(6))
