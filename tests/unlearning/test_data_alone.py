"""Deletions of held-out data alone: the data forget, the weights have nothing to forget."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.evaluation.report import evaluate
from graphforget.models.gcn import GCN
from graphforget.models.lightgcn import LightGCN
from graphforget.models.vbpr import VBPR
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.data_alone import NOTHING_TRAINED, takes_data_alone
from graphforget.unlearning.run import unlearn
from graphforget.unlearning.sampling import sample_deletion

ALONE = {
    "pairs": Deletion(interactions=[(19, 3), (0, 14)]),
    "user": Deletion(users=[19]),
    "item": Deletion(items=[14]),
    "both": Deletion(users=[19], items=[14]),
}


def shop(**more) -> Interactions:
    """Return 20 users and 15 items; user 19 and item 14 have held-out pairs alone."""
    pairs = [(user, item) for user in range(19) for item in range(14) if (user + item) % 3 == 0]
    held = {"valid": [[19, 0, 2], [3, 14, 2]], "test": [[19, 1, 3, 5], [4, 14, 1, 5]]}
    return Interactions.build(20, 15, np.array(pairs).T, **held, **more)


@pytest.fixture(scope="module")
def task() -> Recommendation:
    """The task on these interactions."""
    return Recommendation(shop(), seed=1)


@pytest.fixture(scope="module")
def model(task):
    """A LightGCN trained on them for a moment."""
    return train(LightGCN(dim=4), task, epochs=4, validate_every=2)


@pytest.mark.parametrize("method", ["unlink", "retrain"])
@pytest.mark.parametrize("gone", ALONE.values(), ids=ALONE)
def test_the_data_forget_and_the_weights_stay(task, model, weights, gone, method):
    result = unlearn(model, task, gone, method)
    assert weights(result.model) == weights(model) and result.parameter_change == 0.0
    said = result.receipt()["weights"]
    assert said.startswith(f"{NOTHING_TRAINED} (") and said.endswith("and were not changed.")
    assert ("but that no user chose the items" in said) == bool(gone.items)
    left = result.retained.graph
    assert left.n_pairs == task.graph.n_pairs
    for user, item in [*gone.interactions, *((user, 4) for user in gone.users), *((1, item) for item in gone.items)]:
        assert not any(((left.pairs(part) == [[user], [item]]).all(axis=0)).any() for part in ("valid", "test"))


def test_a_deleted_item_is_offered_to_nobody(task, model):
    everybody = list(range(19))
    result = unlearn(model, task, ALONE["item"], "unlink")
    assert any(14 in items for items in model.recommend(task, users=everybody, k=14)[0])
    assert not any(14 in items for items in result.model.recommend(result.retained, users=everybody, k=14)[0])


def test_methods_that_learn_from_the_forgotten_part_name_the_one_that_serves(task, model):
    hint = r"Use unlink, which takes them out of the data; the weights never saw them\.$"
    for method in ("mmrecun", "sisa", "gradient-ascent"):
        with pytest.raises(UnsupportedError, match=rf"2 held-out interactions\) holds nothing that .*{hint}"):
            unlearn(model, task, ALONE["pairs"], method)


def test_a_method_that_changes_the_weights_says_that_they_held_nothing(task, model):
    result = unlearn(model, task, ALONE["user"], "fine-tune", epochs=1)
    assert result.data_alone.endswith("so the weights held nothing of it before this method changed them.")


def test_gold_may_be_the_original(task, model):
    report = evaluate(unlearn(model, task, ALONE["user"], "unlink"))
    rows = {row.name: row for row in report.rows}
    assert rows["unlink"].notes[-1].startswith(NOTHING_TRAINED) and rows["Gold"].mean("test_recall@20") is not None


def test_after_earlier_deletions_the_weights_may_hold_more(task, model):
    """The pairs of user 3 went one deletion before; unlink left in the weights what was learned from them."""
    mine = [(3, item) for item in task.graph.pairs()[1, task.graph.pairs()[0] == 3].tolist()]
    first = unlearn(model, task, Deletion(interactions=mine), "unlink")
    assert first.data_alone == "" and "weights" not in first.receipt()
    second = unlearn(first.model, first.retained, Deletion(users=[3]), "unlink")
    assert second.data_alone.endswith("; what earlier deletions left in them depends on the methods of those.")
    with pytest.raises(UnsupportedError, match=r"takes them out of the data\.$"):
        unlearn(first.model, first.retained, Deletion(users=[3]), "mmrecun")


def test_what_takes_anything_from_the_graph_is_not_data_alone(task):
    drawn = [sample_deletion(task, users=1), sample_deletion(task, items=1), sample_deletion(task, interactions=1)]
    named = [Deletion(interactions=[(0, 0), (19, 3)]), Deletion(users=[0, 19])]
    assert not any(takes_data_alone(task, task.resolve(gone)) for gone in (*drawn, *named))
    facts = TripleGraph.build(16, 1, [[14, 0], [0, 0], [15, 15]])
    known = Recommendation(shop(triples=facts, modalities={"image": np.eye(15, dtype=np.float32)}), seed=1)
    for gone in (ALONE["item"], Deletion(triples=[(14, 0, 15)]), Deletion(modalities=[("image", 14)])):
        assert not takes_data_alone(known, known.resolve(gone))
    assert takes_data_alone(known, known.resolve(ALONE["user"]))


def test_held_out_edges_go_from_the_split(random_attributed_graph, weights):
    task = LinkPrediction(random_attributed_graph(n=80, n_edges=200), seed=6)
    model = train(GCN(hidden=8), task, epochs=4, validate_every=2)
    gone = Deletion(edges=[tuple(part[:, 0].tolist()) for part in (task.split.val, task.split.test)])
    result = unlearn(model, task, gone, "unlink")
    assert weights(result.model) == weights(model) and "(2 held-out edges)" in result.receipt()["weights"]
    left = result.retained.split
    assert left.held_out.shape[1] == task.split.held_out.shape[1] - 2
    trained = Deletion(edges=[tuple(task.graph.edges[:, 0].tolist())])
    assert "weights" not in unlearn(model, task, trained, "unlink").receipt()


LAST = {"pairs": Deletion(interactions=[(19, 3), (0, 14), (2, 2)]), "users": Deletion(users=[0, 2, 19])}
"""What takes all validation pairs, without and with training pairs."""


@pytest.mark.parametrize("gone", LAST.values(), ids=LAST)
@pytest.mark.parametrize("name", ["fine-tune:epochs=2,validate_every=1", "retrain:selection=last"])
def test_where_the_last_validation_pair_goes_the_last_epoch_serves(task, model, gone, name):
    result = unlearn(model, task, gone, name)
    assert not result.retained.validates
    assert all(set(entry) == {"epoch", "loss"} for entry in result.history)


@pytest.mark.parametrize("name", ["gnndelete:epochs=2", "retrain"])
def test_no_other_epoch_can_be_chosen_there(task, model, name):
    with pytest.raises(
        UsageError, match="selection 'val_recall' needs a validation part, and this one is empty.*or use last"
    ):
        unlearn(model, task, LAST["users"], name)


def test_what_cannot_do_without_validation_says_so_before_it_starts(task, model):
    with pytest.raises(UnsupportedError, match="mmrecun: it looks .* no validation pair is left.*reverse-bpr"):
        unlearn(model, task, LAST["users"], "mmrecun")
    result = unlearn(model, task, LAST["users"], "reverse-bpr:epochs=2")
    gold = [unlearn(model, task, LAST["users"], "retrain:selection=last", seed=seed) for seed in (1, 2)]
    assert len(result.history) == 2 and "test_recall@20" in evaluate(result, gold=gold, attack=False).to_frame()


def test_a_model_that_does_not_read_what_goes_is_named():
    """Gold would be the original to the last byte, and "train longer" no advice."""
    facts = TripleGraph.build(16, 1, [[14, 0], [0, 0], [15, 15]])
    features = {"image": np.eye(15, dtype=np.float32), "text": np.eye(15, 4, dtype=np.float32)}
    task = Recommendation(shop(triples=facts, modalities=features), seed=1)
    plain = train(LightGCN(dim=4), task, epochs=2, validate_every=2)
    visual = train(VBPR(dim=4, modalities="image"), task, epochs=2, validate_every=2)
    for method in ("unlink", "retrain", "fine-tune"):
        with pytest.raises(UnsupportedError, match="^lightgcn does not read triples, .* Use one of kgat"):
            unlearn(plain, task, Deletion(triples=[(14, 0, 15)]), method)
        with pytest.raises(UnsupportedError, match="^vbpr does not read triples, so it has learned nothing from them"):
            unlearn(visual, task, Deletion(triples=[(14, 0, 15)]), method)
        with pytest.raises(UnsupportedError, match="reads of the modalities image alone, not text, so it has learned"):
            unlearn(visual, task, Deletion(modalities=[("text", 3)]), method)
    both = Deletion(modalities=[("text", 3), ("image", 3)])
    assert unlearn(visual, task, both, "retrain").parameter_change > 0
