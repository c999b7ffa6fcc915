"""MMRecUn: the loss by hand, the rule by which it stops, and what it achieves."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.data.deletion import Deletion
from graphforget.models.lightgcn import LightGCN
from graphforget.models.mf import MF
from graphforget.models.mgcn import MGCN
from graphforget.models.pinsage import PinSage
from graphforget.models.ranking_losses import cosine_softmax, sampled_softmax
from graphforget.models.zoo import make_backbone
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.methods.mmrecun import MMRecUn
from graphforget.unlearning.pair_batches import pair_batches
from graphforget.unlearning.run import methods, unlearn

USERS, ITEMS = 36, 60


def rows(items) -> tuple[np.ndarray, ...]:
    both, m = items.pairs[0], len(items)
    return both.u[:m], both.v[:m], both.v[m:]


def dense_lightgcn(model, task, graph) -> torch.Tensor:
    """Return (E0 + A E0 + A^2 E0) / 3 in float64 on a dense adjacency."""
    n = task.graph.n_nodes
    a = np.zeros((n, n))
    a[graph.edges[0], graph.edges[1]] = a[graph.edges[1], graph.edges[0]] = 1
    scale = np.where(a.sum(1) > 0, np.maximum(a.sum(1), 1) ** -0.5, 0)
    a = torch.from_numpy(scale[:, None] * a * scale)
    e = torch.cat([model.users, model.items]).detach().double()
    return (e + a @ e + a @ a @ e) / 3


@pytest.mark.parametrize("graph", ["retained", "full"])
@pytest.mark.parametrize(("alpha", "ratio"), [(0.5, 1), (0.9, 2), (0.0, 1), (1.0, 3)])
def test_the_loss_of_a_step(task, trained, spy, graph, alpha, ratio):
    original = trained("lightgcn", layers=2, reg=0.03)
    method = MMRecUn(alpha=alpha, retain_per_forget=ratio, batch=4, min_steps=1, graph=graph, stop="never")
    problem, model, (phase,), _ = spy(method, original)
    z = dense_lightgcn(model, task, (task if graph == "full" else problem.retained).graph)
    table = torch.cat([model.users, model.items]).detach().double()
    batches = list(pair_batches(problem, "mmrecun", 4, ratio, others="popularity").both(2))
    for step, (forgotten, kept) in zip(phase.steps(2), batches, strict=True):
        losses, omega = [], 0.0
        for (u, i, j), sign in ((rows(kept), 1), (rows(forgotten), -1)):
            d = (z[u] * (z[i] - z[j])).sum(dim=1)
            losses.append(torch.log1p(torch.exp(-sign * d)).mean())
            omega = omega + 0.03 * 0.5 * sum(table[part].square().sum() for part in (u, i, j)) / len(u)
        expected = (1 - alpha) * losses[0] + alpha * losses[1] + omega
        assert float(step().detach()) == pytest.approx(float(expected), rel=1e-4)


@pytest.mark.parametrize("loss", ["ssm", "softmax"])
def test_both_parts_are_in_the_terms_of_the_ranking_loss_that_the_backbone_was_trained_with(trained, spy, loss):
    original = trained("mf", loss=loss, candidates=3, temperature=0.5)
    problem, model, (phase,), _ = spy(MMRecUn(batch=4, min_steps=1, retain_per_forget=2, stop="never"), original)
    table = torch.cat([model.users, model.items]).detach()
    lengths = {"ssm": table.norm(dim=1), "softmax": torch.ones(len(table))}[loss]
    batches = list(pair_batches(problem, "mmrecun", 4, 2, others="popularity").both(0))
    for step, (forgotten, kept) in zip(phase.steps(0), batches, strict=True):
        u, i, j = rows(forgotten)
        found = [(table[u] * table[at]).sum(dim=1) / (0.5 * lengths[u] * lengths[at]) for at in (i, j)]
        lost = torch.log1p(torch.exp(found[0] - found[1])).mean()
        omega = sum(
            model.reg * 0.5 * sum(table[part].square().sum() for part in rows(items)) / len(rows(items)[0])
            for items in (forgotten, kept)
        )
        kept_loss = {"ssm": cosine_softmax, "softmax": sampled_softmax}[loss](table, kept, 0.5, 3)
        assert float(step().detach()) == pytest.approx(float(0.9 * kept_loss + 0.1 * lost + omega), rel=1e-4)


@pytest.mark.parametrize(("loss", "lr", "used"), [("bpr", None, 1.0), ("ssm", None, 0.5), ("ssm", 0.003, None)])
def test_the_learning_rate_is_the_originals_or_half_of_it_after_a_softmax(trained, spy, loss, lr, used):
    problem, _, _, recipe = spy(MMRecUn(lr=lr), trained("mf", loss=loss))
    assert recipe.lr == (lr if used is None else used * problem.recipe.lr)


def test_stored_results_of_backbones_that_learn_by_bpr_are_still_those_of_today(task, some):
    method, older = MMRecUn(), {MF(): 6, MGCN(): 6, PinSage(): 6, MF(loss="ssm"): 7, LightGCN(loss="softmax"): 7}
    gone = task.resolve(some)
    assert {model: method.revision_on(model, task, gone) for model in older} == older
    assert MMRecUn.revision == 7


def test_a_step_learns_from_as_many_retained_pairs_as_training_did(trained, spy, monkeypatch):
    sizes = {}
    for name, method in {"own": MMRecUn(batch=4), "double": MMRecUn(batch=4, retain_per_forget=2)}.items():
        problem, model, (phase,), _ = spy(method, trained("mf"))
        seen: list[int] = []

        def own(data, layers, z, items, epoch, seen=seen):
            seen.append(len(items))
            return 0.0

        monkeypatch.setattr(model, "extra_loss", own)
        phase.steps(0)[0]()
        sizes[name] = seen
    assert problem.recipe.batch == 64 and sizes == {"own": [64], "double": [8]}
    made = pair_batches(problem, "x", 4, retain=10**6)
    assert {len(kept) for kept in made.kept(0)} == {problem.retained.graph.n_edges}, "no more than there are"


def test_losses_of_the_backbone_are_on_the_retained_batch_only(trained, spy, monkeypatch):
    problem, model, (phase,), _ = spy(MMRecUn(batch=4, min_steps=1, stop="never"), trained("mf"))
    seen = []
    monkeypatch.setattr(model, "extra_loss", lambda data, layers, z, items, epoch: seen.append(items) or z.sum() * 0)
    for step in phase.steps(0):
        step()
    kept = set(problem.retained.graph.edges[0] * 1000 + problem.retained.graph.edges[1])
    assert len(seen) == 2
    assert all(set((rows(items)[0] * 1000 + rows(items)[1]).tolist()) <= kept for items in seen)


def test_it_forgets_and_keeps(task, trained, some):
    model = trained("lightgcn", layers=2)
    result = unlearn(model, task, some, MMRecUn(epochs=6, lr=0.02, keep="last", stop="never"))

    def recall(m, part):
        return result.retained.metrics(m.embed(result.graph), part, result.gone, ks=(8,))["recall@8"]

    assert recall(result.model, "forgotten") < recall(model, "forgotten") - 0.3
    assert recall(result.model, "valid") > recall(model, "valid") - 0.1


def test_it_stops_once_forgotten_and_keeps_the_best_margin(task, trained, some):
    method = MMRecUn(epochs=50, lr=0.05, gold_recall=1.0, tolerance=0.0)
    result = unlearn(trained("mf"), task, some, method)
    assert len(result.history) == 1, "everything is enough, so one epoch is"
    whole = unlearn(trained("mf"), task, some, MMRecUn(epochs=12, lr=0.05, patience=None, stop="never"))
    assert len(whole.history) == 12
    best = max(whole.history, key=lambda entry: entry["margin"])
    z = whole.model.embed(whole.graph)
    assert whole.retained.validate(z)["val_recall"] == best["val_recall"]


def test_rows_without_retained_pairs_are_drawn_anew_but_not_as_gold_starts(task, trained, spy):
    original = trained("lightgcn")
    start = original.fresh(Streams(original.provenance.seed))
    problem, model, _, _ = spy(MMRecUn(), original, Deletion(users=[3, 4]))
    assert problem.details == {"rows_renewed": 2, "pairs_pushed": 0}
    for user in (3, 4):
        assert not model.users[user].equal(original.users[user]) and not model.users[user].equal(start.users[user])
    limit = (6 / (USERS + 6)) ** 0.5
    assert model.users[[3, 4]].abs().max() < limit < original.users[[3, 4]].abs().max(), "Xavier, as training starts"
    rest = [u for u in range(task.graph.n_users) if u not in (3, 4)]
    assert model.users[rest].equal(original.users[rest]) and model.items.equal(original.items)
    _, kept, _, _ = spy(MMRecUn(reset=False), original, Deletion(users=[3, 4]))
    assert kept.users.equal(original.users)


def test_pairs_of_rows_drawn_anew_are_not_pushed(task, trained, spy):
    pairs = task.graph.pairs("train")
    lonely, item = 5, int(pairs[1][pairs[0] == 9][0])
    both = [(lonely, int(i)) for u, i in pairs.T if u == lonely] + [(9, item)]
    pushed = {}
    more = {"gold": {"gold_recall": 0.0}, "never": {"stop": "never"}, "weights": {"graph": "full"}}
    for name, options in {"rule": {}, **more}.items():
        method = MMRecUn(min_steps=1, **options)
        problem, model, (phase,), _ = spy(method, trained("mf"), Deletion(interactions=both))
        users = set()
        plain = problem.full.responses

        def seen(z, items, users=users, plain=plain):
            users |= set(rows(items)[0].tolist())
            return plain(z, items)

        problem.full.responses = seen
        try:
            phase.steps(0)[0]()
        finally:
            del problem.full.responses
        pushed[name] = (problem.details["pairs_pushed"], lonely in users)
    assert pushed == {"rule": (1, False), **dict.fromkeys(more, (len(both), True))}


@pytest.mark.parametrize("kind", ["users", "items"])
def test_pinsage_forgets_users_it_has_no_rows_of_and_items_with_their_biases(task, trained, spy, kind):
    original = trained("pinsage")
    problem, model, _, _ = spy(MMRecUn(), original, Deletion(**{kind: [3, 4]}))
    moved = [
        name for name, value in model.named_parameters() if not value.equal(dict(original.named_parameters())[name])
    ]
    assert moved == ([] if kind == "users" else ["items", "item_bias"])
    if kind == "items":
        assert original.item_bias[[3, 4]].abs().min() > 0 == model.item_bias[[3, 4]].abs().max()
        assert model.item_bias[5:].equal(original.item_bias[5:])
    result = unlearn(original, task, Deletion(**{kind: [3, 4]}), MMRecUn(epochs=1, min_steps=1))
    assert result.parameter_change > 0


def test_rows_of_a_model_that_starts_from_mf_are_drawn_as_the_mf_starts(task, trained, spy):
    original = trained("kgat", layers="4", kg_dim=4, pretrained="mf-mmrec")
    _, model, _, _ = spy(MMRecUn(), original, Deletion(items=[3, 4]))
    streams = Streams(5).child("mmrecun").child("fresh-rows").child("pretraining")
    first = MF(dim=6, init="xavier_normal").with_sizes({"n_users": USERS, "n_items": ITEMS}, streams)
    assert model.nodes[[USERS + 3, USERS + 4]].equal(first.items[[3, 4]])
    assert not original.nodes[USERS + 3].equal(first.items[3]) and model.nodes[0].equal(original.nodes[0])


def test_rows_of_a_model_that_started_from_a_file_are_refused(task, trained, tmp_path):
    path = tmp_path / "vectors.npz"
    values = {"user_embed": (USERS, 6), "item_embed": (ITEMS, 6)}
    np.savez(path, **{key: np.full(shape, 0.1, dtype=np.float32) for key, shape in values.items()})
    backbone = make_backbone("kgat", dim=6, layers="4", kg_dim=4, pretrained=path)
    model = train(backbone, task, epochs=1, batch=64, validate_every=1)
    with pytest.raises(UnsupportedError, match="mmrecun: .*use reset=false.*file of pre-trained vectors"):
        unlearn(model, task, Deletion(users=[3]), MMRecUn())
    assert unlearn(model, task, Deletion(users=[3]), MMRecUn(reset=False, epochs=1)).parameter_change > 0


def test_what_is_low_enough_is_not_pushed_further(trained, spy):
    problem, model, (phase,), _ = spy(
        MMRecUn(gold_recall=1.0, batch=4, min_steps=1, retain_per_forget=1), trained("mf")
    )
    batches = list(pair_batches(problem, "mmrecun", 4, min_steps=1).kept(0))
    table = torch.cat([model.users, model.items]).detach().double()
    for step, kept in zip(phase.steps(0), batches, strict=True):
        u, i, j = rows(kept)
        d = (table[u] * (table[i] - table[j])).sum(dim=1)
        omega = model.reg * 0.5 * sum(table[part].square().sum() for part in (u, i, j)) / len(u)
        assert float(step().detach()) == pytest.approx(float(torch.log1p(torch.exp(-d)).mean() + omega), rel=1e-5)


def test_patience_ends_a_run_without_progress(task, trained, some):
    result = unlearn(trained("mf"), task, some, MMRecUn(epochs=50, lr=1e-5, patience=2, stop="never"))
    assert len(result.history) == 3


def test_weights_only_answers_from_the_graph_before(task, trained, some):
    method = methods().get("mmrecun-weights-only", epochs=2, lr=0.02)
    result = unlearn(trained("lightgcn"), task, some, method)
    assert result.graph is task.graph and result.label == "mmrecun"
    assert unlearn(trained("lightgcn"), task, some, MMRecUn(epochs=2, lr=0.02)).graph.n_edges == task.graph.n_edges - 6


def test_it_needs_validation_pairs(task, some):
    from dataclasses import replace

    bare = Recommendation(replace(task.graph, valid=None), seed=3, holdout=0)
    model = train(MF(dim=4), bare, epochs=1, selection="last", validate_every=1, batch=64)
    with pytest.raises(UnsupportedError, match="holdout=0.1"):
        unlearn(model, bare, some, MMRecUn())


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ({"alpha": 1.5}, "'alpha' must be a number in"),
        ({"retain_per_forget": 0}, "'retain_per_forget' must be an integer of at least 1"),
        ({"graph": "half"}, "'graph' must be one of retained, full"),
        ({"keep": "best"}, "'keep' must be one of margin, last"),
        ({"gold_recall": 2.0}, "'gold_recall' must be a number in"),
        ({"stop": "never", "tolerance": 0.9}, "'tolerance' has no effect with stop=never"),
        ({"keep": "last", "patience": 3}, "'patience' has no effect with keep=last"),
        ({"keep": "last", "stop": "never", "gold_recall": 0.1}, "'gold_recall' has no effect with stop=never and"),
    ],
)
def test_wrong_settings_are_refused(wrong, sentence):
    with pytest.raises(UsageError, match=sentence):
        MMRecUn(**wrong)


def test_learned_features_of_forgotten_items_are_cleared():
    from graphforget.data.interactions import Interactions
    from graphforget.models.mgcn import MGCN
    from graphforget.unlearning.pair_batches import clear_features

    rng = np.random.default_rng(0)
    pairs = np.stack(np.nonzero(rng.random((9, 6)) < 0.5))
    features = rng.normal(size=(6, 4)).astype(np.float32)
    features[5] = np.nan
    data = Interactions.build(9, 6, pairs, modalities={"image": features})
    task = Recommendation(data, holdout=0)
    model = train(MGCN(dim=3, k=2), task, epochs=2, selection="last", validate_every=2, batch=8, lr=0.1)
    with torch.no_grad():
        model.learned[0].add_(1.0)
    before = model.learned[0].detach().clone()
    clear_features(model, task, task.resolve(Deletion(items=[1, 5])))
    after = model.learned[0].detach()
    assert after[[1, 5]].abs().sum() == 0, "item 5 never had features: what was learned in their place goes, too"
    assert after[[0, 2, 3, 4]].equal(before[[0, 2, 3, 4]]) and before.abs().sum(dim=1).min() > 0
    clear_features(model, task, task.resolve(Deletion(modalities=[("image", 3)])))
    assert model.learned[0][3].abs().sum() == 0 and model.learned[0][[0, 2, 4]].equal(before[[0, 2, 4]])
