"""Methods as text become values of the right type."""

from __future__ import annotations

import pytest

from graphforget._core.errors import UsageError
from graphforget.experiments.specs import all_methods, chosen_methods, parse_method
from graphforget.unlearning.methods.d2dgn import D2DGN
from graphforget.unlearning.methods.gnndelete import GNNDelete
from graphforget.unlearning.run import methods


@pytest.mark.parametrize(
    ("text", "method"),
    [
        ("d2dgn", D2DGN()),
        ("d2dgn:alpha=0.9,epochs=400", D2DGN(alpha=0.9, epochs=400)),
        ("d2dgn:alpha=1", D2DGN(alpha=1.0)),
        (" d2dgn: alpha = 0.9 , lr=1e-2 ", D2DGN(alpha=0.9, lr=0.01)),
        ("d2dgn:resample_negatives=false,alpha=none", D2DGN(resample_negatives=False)),
        ("d2dgn:knowledge=feature", D2DGN(knowledge="feature")),
        ("gnndelete:patience=3", GNNDelete(patience=3)),
        ("gnndelete:patience=none", GNNDelete(patience=None)),
        ("gnndelete-ni:lr=0.1", GNNDelete(alpha=0.0, lr=0.1)),
    ],
)
def test_text_becomes_the_method(text, method):
    spec = parse_method(text)
    assert spec.method == method
    assert spec.label == text.strip()
    assert {key: type(value) for key, value in spec.method.config().items()} == {
        key: type(value) for key, value in method.config().items()
    }


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("gnndelet", "Did you mean 'gnndelete'?"),
        ("d2dgn:epoch=4", "Did you mean 'epochs'?"),
        ("d2dgn:epochs=four", "d2dgn: 'epochs' must be an integer; got 'four'."),
        ("d2dgn:resample_negatives=maybe", "must be true or false; got 'maybe'"),
        ("gnndelete:patience=x", "must be an integer or none; got 'x'"),
        ("d2dgn:name=other", "'name' is not an option"),
        ("d2dgn:=4", "'' is not an option"),
    ],
)
def test_wrong_text_becomes_a_sentence(text, sentence):
    with pytest.raises(UsageError) as caught:
        parse_method(text)
    assert sentence in str(caught.value)


@pytest.mark.parametrize("task", ["link", "node"])
@pytest.mark.parametrize("kind", ["edges", "nodes", "features", "classes"])
def test_all_is_every_method_that_serves_but_gold(task, kind):
    found = [spec.label for spec in all_methods(task, kind)]
    served = [cls.name for cls in methods().classes() if task in cls.tasks and kind in cls.kinds]
    assert found == [name for name in served if name != "retrain"]


def test_all_leaves_out_what_only_changes_a_graph_that_stays():
    names = {spec.label for spec in all_methods("node", "classes")}
    assert names - {spec.label for spec in all_methods("node", "classes", same_graph=True)} == {"unlink"}


def test_a_preset_can_stand_beside_all():
    labels = [spec.label for spec in chosen_methods(["gnndelete-ni", "all"], "link", "edges")]
    assert labels[0] == "gnndelete-ni"
    assert "gnndelete" in labels[1:]


@pytest.mark.parametrize(("texts", "sentence"), [([], "No method is named"), (["unlink", "unlink"], "named twice")])
def test_methods_are_named_once(texts, sentence):
    with pytest.raises(UsageError, match=sentence):
        chosen_methods(texts, "link", "edges")
