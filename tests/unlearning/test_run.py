"""`unlearn` and what it returns and refuses."""

from __future__ import annotations

import json
from dataclasses import dataclass, replace

import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.models.gcn import GCN
from graphforget.models.mgcn import MGCN
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.recommend import Recommendation
from graphforget.training.train import train
from graphforget.unlearning.methods.d2dgn import D2DGN
from graphforget.unlearning.methods.fine_tune import FineTune
from graphforget.unlearning.methods.gnndelete import GNNDelete
from graphforget.unlearning.methods.gradient_ascent import GradientAscent
from graphforget.unlearning.run import methods, unlearn
from graphforget.unlearning.sampling import sample_deletion


@pytest.fixture(scope="module")
def task(random_attributed_graph):
    """A small link task."""
    return LinkPrediction(random_attributed_graph(n=80, n_edges=200), seed=6)


@pytest.fixture(scope="module")
def model(task):
    """A GCN trained on it for a moment."""
    return train(GCN(hidden=8), task, epochs=4, validate_every=2)


@pytest.fixture(scope="module")
def deletion(task):
    """Five of its training edges."""
    return sample_deletion(task, edges=5)


def test_a_checkpoint_may_be_named_by_text(model, task, deletion, tmp_path, weights):
    file = tmp_path / "c"
    told = unlearn(model, task, deletion, "fine-tune:epochs=2", checkpoint=str(file))
    assert file.is_file() and weights(told.model) == weights(unlearn(model, task, deletion, "fine-tune:epochs=2").model)
    train(GCN(hidden=8), task, epochs=2, validate_every=2, checkpoint=str(tmp_path / "d"))
    assert (tmp_path / "d").is_file()
    for verb in (lambda: train(GCN(), task, checkpoint=3), lambda: unlearn(model, task, deletion, checkpoint=3)):
        with pytest.raises(UsageError, match="'checkpoint' must be the path of a file; got 3"):
            verb()


@pytest.mark.parametrize(
    ("name", "options", "words"),
    [
        ("d2dgn", {"destroyer_scale": "x"}, "'destroyer_scale' must be a finite number"),
        ("d2dgn", {"destroyer_scale": float("nan")}, "'destroyer_scale' must be a finite number"),
        ("d2dgn", {"resample_negatives": "no"}, "'resample_negatives' must be True or False"),
        ("d2dgn", {"knowledge": "feature", "resample_negatives": False}, "'resample_negatives' has no effect"),
        ("gnndelete", {"resample_negatives": 1}, "'resample_negatives' must be True or False"),
        ("gnndelete", {"selection": "last", "patience": 1}, "'patience' has no effect with selection=last"),
        ("fine-tune", {"selection": 3}, "'selection' must be the name of a validation metric, or last, or auto"),
        ("retrain", {"selection": ""}, "'selection' must be the name of a validation metric"),
    ],
)
def test_every_field_of_a_method_is_checked(name, options, words):
    with pytest.raises(UsageError, match=words):
        methods().get(name, **options)


def test_a_field_without_a_rule_is_a_defect():
    @dataclass(frozen=True)
    class Careless(FineTune):
        extra: int = 3

    with pytest.raises(TypeError, match="Careless: the field 'extra' has no rule in `check`"):
        Careless()


def test_the_result_holds_both_sides(model, task, deletion):
    result = unlearn(model, task, deletion, "d2dgn", epochs=2, seed=8)
    assert (result.original, result.task, result.deletion) == (model, task, deletion)
    assert result.retained.graph.n_edges == task.graph.n_edges - 5
    assert (result.label, result.seed, result.method.epochs) == ("d2dgn", 8, 2)
    assert result.seconds > 0 and result.parameter_change > 1e-6
    assert result.history[-1]["epoch"] == 2
    assert not any(value.requires_grad for value in result.model.parameters())


def test_the_receipt_is_json_and_names_the_deletion(model, task, deletion):
    result = unlearn(model, task, deletion, "gnndelete-ni", epochs=2)
    receipt = json.loads(json.dumps(result.receipt(), allow_nan=False))
    assert receipt["deletion"]["digest"] == deletion.digest and receipt["edges_removed"] == 5
    assert receipt["method"]["method"] == "gnndelete" and receipt["method"]["alpha"] == 0.0
    assert receipt["seed"] == 6 and receipt["seconds"] > 0


def test_a_name_with_changes_equals_the_object(model, task, deletion, weights):
    one = unlearn(model, task, deletion, "fine-tune", epochs=2, lr=0.01)
    two = unlearn(model, task, deletion, FineTune(epochs=2, lr=0.01))
    assert one.method == two.method and weights(one.model) == weights(two.model)


def test_the_seed_is_the_tasks_unless_given(model, task, deletion, weights):
    runs = [unlearn(model, task, deletion, "d2dgn", epochs=2, seed=seed) for seed in (None, 6, 7)]
    assert weights(runs[0].model) == weights(runs[1].model) != weights(runs[2].model)


def test_gold_is_the_model_trained_on_the_retained_task(model, task, deletion, weights):
    gold = unlearn(model, task, deletion, "retrain")
    again = train(GCN(hidden=8), gold.retained, epochs=4, validate_every=2)
    assert weights(gold.model) == weights(again)


def test_unlink_keeps_the_weights_and_drops_the_edges(model, task, deletion, weights):
    result = unlearn(model, task, deletion, "unlink")
    assert weights(result.model) == weights(model) and result.parameter_change == 0.0
    before, after = (result.model.embed(each.graph) for each in (task, result.retained))
    assert not before.equal(after)


def test_unknown_names_are_suggested(model, task, deletion):
    with pytest.raises(UsageError, match="Unknown method 'd2dg'. Did you mean 'd2dgn'"):
        unlearn(model, task, deletion, "d2dg")
    with pytest.raises(UsageError, match="'epoch' is not an option.*Did you mean 'epochs'"):
        unlearn(model, task, deletion, "d2dgn", epoch=3)
    with pytest.raises(UsageError, match="not both"):
        unlearn(model, task, deletion, D2DGN(), epochs=3)
    with pytest.raises(UsageError, match="inside d2dgn:epochs=3 or as keywords, not both"):
        unlearn(model, task, deletion, "d2dgn:epochs=3", epochs=4)


def test_a_method_may_be_given_as_text_with_its_hyper_parameters(model, task, deletion, weights):
    text, words = (
        unlearn(model, task, deletion, "fine-tune:epochs=2,lr=0.02"),
        unlearn(model, task, deletion, "fine-tune", epochs=2, lr=0.02),
    )
    assert text.method == words.method and weights(text.model) == weights(words.model)
    assert text.label == "fine-tune:epochs=2,lr=0.02"
    with pytest.raises(UsageError, match="'epoch' is not an option.*Did you mean 'epochs'"):
        unlearn(model, task, deletion, "fine-tune:epoch=2")


def test_unsupported_requests_are_refused_before_any_work(model, task, deletion):
    def never(*_):
        raise AssertionError("work was done")

    u, v = task.graph.edges[:, 0].tolist()
    with pytest.raises(UnsupportedError, match="mixed"):
        unlearn(model, task, Deletion(edges=[(u, v)], nodes=[5]), "d2dgn", progress=never)
    with pytest.raises(UnsupportedError, match="'selection' is val_accuracy.*val_auc"):
        unlearn(model, task, deletion, "d2dgn", selection="val_accuracy", progress=never)
    with pytest.raises(DataError, match="no node with id 999"):
        unlearn(model, task, Deletion(nodes=[999]), "d2dgn", progress=never)


def test_what_is_no_method_and_no_resolved_deletion_is_a_sentence(model, task, deletion):
    for method in (None, ["unlink"], D2DGN):
        with pytest.raises(UsageError, match="unlearn: 'method' must be the name of a method"):
            unlearn(model, task, deletion, method)
    with pytest.raises(UsageError, match=r"without: .* is not resolved; give task.resolve\(deletion\)"):
        task.without(deletion)


@pytest.mark.parametrize(
    ("cls", "changes", "words"),
    [
        (D2DGN, {"knowledge": "both"}, "d2dgn: 'knowledge' must be one of response, feature; got 'both'"),
        (D2DGN, {"alpha": 1.2}, r"d2dgn: 'alpha' must be a number in \[0, 1\].*got 1.2"),
        (D2DGN, {"temperature": 0}, "d2dgn: 'temperature' must be a number above 0, or left out; got 0"),
        (GNNDelete, {"init": "zeros"}, "gnndelete: 'init' must be one of identity, ones_1000; got 'zeros'"),
        (GNNDelete, {"alpha": "half"}, "gnndelete: 'alpha' must be a number"),
        (GNNDelete, {"epochs": 0}, "gnndelete: 'epochs' must be an integer of at least 1; got 0"),
        (GradientAscent, {"lr": -1.0}, "gradient-ascent: 'lr' must be a number above 0; got -1.0"),
        (FineTune, {"validate_every": 2.5}, "fine-tune: 'validate_every' must be an integer"),
    ],
)
def test_a_wrong_hyper_parameter_is_a_sentence(cls, changes, words):
    with pytest.raises(UsageError, match=words):
        cls(**changes)


def test_the_released_gold_selects_on_the_reported_deletion(model, task, deletion):
    result = unlearn(model, task, deletion, "retrain-released")
    assert "val_released" in result.model.provenance.history[-1]
    best = max(result.model.provenance.history, key=lambda entry: entry["val_released"])
    assert result.model.provenance.best_epoch == best["epoch"]


@pytest.mark.parametrize("method", ["retrain", "d2dgn:epochs=2", "fine-tune:epochs=2", "gnndelete:epochs=2"])
def test_what_follows_a_released_gold_selects_as_the_task_does(model, task, deletion, method):
    """Its own criterion reads a deletion that is gone by then, and which no exact method may read."""
    first = unlearn(model, task, deletion, "retrain-released")
    next_one = sample_deletion(first.retained, edges=2, seed=3)
    second = unlearn(first.model, first.retained, next_one, method)
    assert not any("val_released" in entry for entry in second.history)
    if method == "retrain":
        made = second.model.provenance
        assert made.recipe == replace(first.model.provenance.recipe, selection="val_auc")
        assert "val_released" not in made.history[-1]


def test_every_method_of_the_folder_is_listed():
    names = {cls.name for cls in methods().classes()}
    assert {"retrain", "unlink", "fine-tune", "gradient-ascent", "gnndelete", "d2dgn"} <= names


@pytest.mark.parametrize("method", ["fine-tune", "reverse-bpr", "unlink"])
def test_methods_start_without_what_was_learned_about_deleted_features(method):
    """At this learning rate hardly anything moves; unlink keeps the weights, by definition."""
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(MGCN(dim=4, k=3), task, epochs=2, lr=0.05)
    row = 5 if method == "reverse-bpr" else 3
    (item,) = task.graph.item_ids_of([row])
    gone = Deletion(items=[item]) if method == "reverse-bpr" else Deletion(modalities=[("image", item)])
    changes = {} if method == "unlink" else {"epochs": 1, "lr": 1e-5}
    result = unlearn(model, task, gone, method, **changes)
    before, after = model.learned[0].detach(), result.model.learned[0].detach()
    rest = [other for other in range(len(before)) if other != row]
    assert before[row].abs().max() > 1e-3
    assert after[row].abs().max() < 1e-3 or (method == "unlink" and after[row].equal(before[row]))
    assert (after[rest] - before[rest]).abs().max() < 1e-3
    assert result.parameter_change < 1e-2, "clearing is no learning, and is not counted as such"


def test_a_recommender_is_not_asked_on_the_task_it_forgot_a_part_of():
    task = Recommendation(load("sample-shop"), seed=0)
    model = train(MGCN(dim=4, k=3), task, epochs=1)
    first, second = (Deletion(users=task.graph.user_ids_of([row])) for row in (3, 4))
    once = unlearn(model, task, first, "unlink")
    with pytest.raises(UsageError, match="would learn it again. Give the task that was left, result.retained"):
        unlearn(once.model, task, second, "fine-tune", epochs=1)
    assert unlearn(once.model, once.retained, second, "fine-tune", epochs=1).parameter_change > 0


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"deletion": [12]}, "is no deletion"),
        ({"task": {}}, "is no task"),
        ({"seed": "a"}, "'seed' must be an integer"),
    ],
)
def test_wrong_arguments_are_sentences(model, task, deletion, change, sentence):
    given = {"task": task, "deletion": deletion, "method": "unlink", **change}
    with pytest.raises(UsageError, match=sentence):
        unlearn(model, **given)
