"""Gradients and curvature in embedding rows against autograd on dense operations in float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch
import torch.nn.functional as F

from graphforget._core.errors import UnsupportedError
from graphforget._core.streams import Stream, Streams
from graphforget.data.interactions import Interactions
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.ngcf import NGCF
from graphforget.models.pinsage import PinSage
from graphforget.models.shifted import Shifted
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.tasks.recommend_batches import Triples
from graphforget.unlearning.embedding_rows import EmbeddingRows, RankingLoss, rows_change

PAIRS = np.array([[0, 0, 1, 1, 2, 3, 3, 4], [0, 2, 1, 3, 0, 2, 3, 1]])
NODES = np.array([0, 3, 5, 8])
WEIGHTS, LABELS = torch.linspace(0.5, 2.0, 8), torch.tensor([1, 1, 0.5, 1, 0, 1, 1, 0.5])
COUNTS = torch.tensor([1.0, 3, 1, 1, 2, 7, 1, 1])
REG = 0.07


@pytest.fixture(scope="module")
def task() -> Recommendation:
    return Recommendation(Interactions.build(5, 4, PAIRS, name="five"), holdout=0)


def made(cls, task, **options):
    """Return a model with parameters of everyday size, in float64."""
    model = cls(dim=3, reg=REG, **options).initialised_for(task.graph, Streams(1))
    generator = torch.Generator().manual_seed(4)
    for value in model.parameters():
        value.data = torch.randn(value.shape, generator=generator) * 0.7
    return model.double().frozen()


def items_of(task):
    u, v = task.graph.edges
    return task.paired(u, v, Streams(2)("others"))


class Dense:
    """J of NODES' rows of a model by dense products; `mix` maps the table to final embeddings."""

    def __init__(self, model, task, mix=lambda table: table) -> None:
        self.table = torch.cat([model.users, model.items]).detach()
        both, m = items_of(task).pairs[0], 8
        self.u, self.i, self.j = (
            torch.from_numpy(part.astype(np.int64)) for part in (both.u[:m], both.v[:m], both.v[m:])
        )
        self.mix = mix

    def d(self, delta):
        table = self.table.index_add(0, torch.from_numpy(NODES), delta.view(4, 3))
        z = self.mix(table)
        return (z[self.u] * (z[self.i] - z[self.j])).sum(1), table

    def value(self, delta):
        d, table = self.d(delta)
        losses = LABELS * F.softplus(-d) + (1 - LABELS) * F.softplus(d)
        norms = sum(table[part].square().sum(1) for part in (self.u, self.i, self.j))
        return (COUNTS * (WEIGHTS * losses + REG * 0.5 * norms)).sum()

    def gauss_newton(self):
        zero = torch.zeros(12, dtype=torch.float64)
        jacobian = torch.autograd.functional.jacobian(lambda x: self.d(x)[0], zero)
        p = torch.sigmoid(self.d(zero)[0])
        reg = torch.autograd.functional.hessian(lambda x: self.value(x) - self.ranking(x), zero)
        return jacobian.T @ torch.diag(COUNTS.double() * WEIGHTS.double() * p * (1 - p)) @ jacobian + reg

    def ranking(self, delta):
        d, _ = self.d(delta)
        return (COUNTS * WEIGHTS * (LABELS * F.softplus(-d) + (1 - LABELS) * F.softplus(d))).sum()


def two_hops(task):
    """Return the map of a LightGCN of two layers, dense."""
    a = np.zeros((9, 9))
    a[task.graph.edges[0], task.graph.edges[1]] = a[task.graph.edges[1], task.graph.edges[0]] = 1
    scale = a.sum(1) ** -0.5
    a = torch.from_numpy(scale[:, None] * a * scale)
    return lambda table: (table + a @ table + a @ a @ table) / 3


CASES = [(MF, {}, lambda task: lambda table: table), (LightGCN, {"layers": 2}, two_hops)]


def loss_of(model, task) -> RankingLoss:
    rows = EmbeddingRows(model, NODES, 5)
    return RankingLoss(
        rows, task, task.graph, items_of(task), WEIGHTS.double(), LABELS.double(), counts=COUNTS.double()
    )


def matrix(product) -> torch.Tensor:
    return torch.stack([product(row) for row in torch.eye(12, dtype=torch.float64)])


@pytest.mark.parametrize(("cls", "options", "mix"), CASES)
def test_value_gradient_hessian_and_gauss_newton(task, cls, options, mix):
    model = made(cls, task, **options)
    ours, dense = loss_of(model, task), Dense(model, task, mix(task))
    zero = torch.zeros(12, dtype=torch.float64)
    torch.testing.assert_close(ours.value().detach(), dense.value(zero))
    torch.testing.assert_close(ours.gradient(), torch.autograd.functional.jacobian(dense.value, zero))
    torch.testing.assert_close(matrix(ours.hessian()), torch.autograd.functional.hessian(dense.value, zero))
    g = matrix(ours.gauss_newton())
    torch.testing.assert_close(g, dense.gauss_newton())
    assert float(torch.linalg.eigvalsh(g)[0]) > 0 > float(torch.linalg.eigvalsh(matrix(ours.hessian()))[0])


def test_the_hessian_of_a_backbone_with_weights_is_the_derivative_of_its_gradient(task):
    model = made(NGCF, task, layers="3,2", dropout=0.1)
    ours, step = loss_of(model, task), 1e-6
    direction = torch.linspace(-1, 1, 12, dtype=torch.float64)
    sides = []
    for sign in (1, -1):
        moved = EmbeddingRows(model, NODES, 5).write(sign * step * direction).frozen()
        sides.append(loss_of(moved, task).gradient())
    torch.testing.assert_close(ours.hessian()(direction), (sides[0] - sides[1]) / (2 * step), rtol=1e-5, atol=1e-6)


def test_gradient_along(task):
    model = made(MF, task)
    dense, slopes = Dense(model, task), torch.linspace(-1, 1, 8, dtype=torch.float64)
    expected = torch.autograd.functional.jacobian(lambda x: (slopes * dense.d(x)[0]).sum(), torch.zeros(12).double())
    torch.testing.assert_close(loss_of(model, task).gradient_along(slopes), expected)


def test_rows_are_written_where_they_belong(task):
    model = made(MF, task)
    rows = EmbeddingRows(model, NODES, 5)
    assert rows.shapes == {"users": (2, 3), "items": (2, 3)} and rows.size == 12
    after = rows.write(torch.arange(12, dtype=torch.float64))
    change = torch.cat([after.users, after.items]) - torch.cat([model.users, model.items])
    torch.testing.assert_close(change[NODES].detach(), torch.arange(12, dtype=torch.float64).view(4, 3))
    assert not change[[1, 2, 4, 6, 7]].any() and not model.users.equal(after.users)
    per_node = torch.arange(9.0)
    assert rows.spread_over(per_node).tolist() == [n for n in NODES.tolist() for _ in range(3)]


@pytest.mark.parametrize(
    "wrap", [lambda m: Shifted(m, torch.ones(9, 3)), lambda m: Edited(m, {1: identity_operator(np.array([3]), 3)})]
)
def test_rows_of_a_wrapped_model(task, wrap):
    model = wrap(made(MF, task).float())
    rows = EmbeddingRows(model, NODES, 5)
    assert set(rows.shapes) == {"base.users", "base.items"}
    assert not rows.write(torch.ones(12)).base.users.equal(model.base.users)


def test_a_model_without_tables_is_refused(random_attributed_graph):
    from graphforget.models.gcn import GCN

    model = GCN(hidden=4).initialised(10, None, Streams(0))
    with pytest.raises(UnsupportedError, match="tables"):
        EmbeddingRows(model, NODES, 5)


def test_a_regulariser_not_divided_by_the_batch_counts_as_in_batches(task):
    whole, parts = (made(MF, task, reg_per_batch=flag) for flag in (True, False))
    rows = [EmbeddingRows(model, NODES, 5) for model in (whole, parts)]
    items = items_of(task)
    one = RankingLoss(rows[0], task, task.graph, items)
    two = RankingLoss(rows[1], task, task.graph, items, batch=2)
    torch.testing.assert_close(two.penalty, 2 * one.penalty)


@pytest.mark.parametrize("divided", [True, False])
def test_an_unsquared_norm_counts_as_in_batches(divided):
    """400 triples in batches of 20: the sum over random batches, and each triple's part of its gradient."""
    rng = np.random.default_rng(4)
    pairs = np.stack(np.nonzero(rng.random((40, 30)) < 0.4))[:, :400]
    task = Recommendation(Interactions.build(40, 30, pairs), seed=0, holdout=0)
    model = MF(dim=3, reg=0.2, reg_form="norm", reg_per_batch=divided).initialised_for(task.graph, Streams(1)).double()
    rows = EmbeddingRows(model, np.arange(70), 40)
    order = rng.permutation(task.graph.n_edges)
    everything = task.paired(*task.graph.edges[:, order], Stream(2))
    both, m = everything.pairs[0], len(everything)

    def some(chosen):
        return task.items(Triples(both.u[:m][chosen], both.v[:m][chosen] - 40, both.v[m:][chosen] - 40))

    loss = RankingLoss(rows, task, task.graph, everything, batch=20)
    batches = [some(np.arange(at, at + 20)) for at in range(0, m, 20)]
    table = torch.cat([model.users, model.items])
    summed = sum(20 * float(model.penalty(table, items).detach()) for items in batches)
    assert float(loss.penalty.detach()) == pytest.approx(summed, rel=0.02)
    parts = [RankingLoss(rows, task, task.graph, some(np.arange(at, m, 4)), batch=20) for at in range(4)]
    slopes = [torch.autograd.grad(part.penalty, part.delta)[0] for part in (loss, *parts)]
    assert (slopes[0] - sum(slopes[1:])).norm() < 0.05 * slopes[0].norm(), "what goes and what stays add up"


def test_a_weight_counts_its_triple_as_often_regulariser_included(task):
    """Three triples, the last one counted five times, are as good as all seven."""
    model, (u, v) = made(MF, task), task.graph.edges[:, :3]
    once = task.paired(u, v, Streams(2)("others"))
    both = once.pairs[0]
    numbers = np.array([0, 1, 2, 2, 2, 2, 2])
    users, items, others = both.u[:3][numbers], both.v[:3][numbers] - 5, both.v[3:][numbers] - 5
    often = task.items(Triples(users, items, others))
    rows = EmbeddingRows(model, NODES, 5)
    weighted = RankingLoss(rows, task, task.graph, once, counts=torch.tensor([1.0, 1.0, 5.0]))
    repeated = RankingLoss(rows, task, task.graph, often)
    torch.testing.assert_close(weighted.value(), repeated.value())
    torch.testing.assert_close(weighted.gradient(), repeated.gradient())
    torch.testing.assert_close(matrix(weighted.gauss_newton()), matrix(repeated.gauss_newton()))


@pytest.mark.parametrize("backbone", ["pinsage", "mf:softmax", "lightgcn:ssm"])
def test_a_loss_of_its_own_is_refused(task, backbone):
    """The step would be that of a loss the model was never trained with."""
    name, _, loss = backbone.partition(":")
    made = make_backbone(name, dim=3, **({"loss": loss} if loss else {}))
    model = made.initialised_for(task.graph, Streams(1))
    items = task.paired(*task.graph.edges[:, :3], Stream(1))
    with pytest.raises(UnsupportedError, match=f"another \\({loss or 'hinge'}\\)"):
        RankingLoss(EmbeddingRows(model, NODES, 5), task, task.graph, items)


def test_a_step_on_users_without_rows_is_refused_with_the_tables_it_looks_for(task):
    model = PinSage(dim=3).initialised_for(task.graph, Streams(1))
    with pytest.raises(UnsupportedError, match="A PinSage has no embedding row .*users, nodes, items, entities"):
        EmbeddingRows(model, np.array([0, 1]), 5)
    assert set(EmbeddingRows(model, NODES, 5).shapes) == {"items"}


def test_how_far_rows_moved_is_told_of_those_rows_alone(task):
    before, after = made(MF, task), made(MF, task)
    assert rows_change(before, after, NODES, 5) == 0
    with torch.no_grad():
        after.users[[0, 3]] *= 1.5
        after.items[[0, 3]] *= 1.5
        after.users[1] = 9.0
    assert rows_change(before, after, NODES, 5) == pytest.approx(0.5)
    assert rows_change(before, after, np.array([1]), 5) > 1 and rows_change(before, after, np.array([2]), 5) == 0
    assert rows_change(before, Shifted(after, torch.ones(9, 3).double()), NODES, 5) == pytest.approx(0.5)
    assert rows_change(before, after, np.empty(0, np.int64), 5) is None
