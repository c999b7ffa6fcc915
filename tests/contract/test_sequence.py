"""One deletion after another: what a method returns can be unlearned again by every method."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.models.edited import Edited
from graphforget.models.zoo import save_model
from graphforget.training.model_folder import load_model
from graphforget.unlearning.run import methods, unlearn

CLASSES = [cls.name for cls in methods().classes() if "link" in cls.tasks]


@pytest.fixture(scope="module")
def once(problems, short):
    """A model edited by GNNDelete, with its retained task."""
    result = unlearn(*problems("gcn", "link", "edges"), short("gnndelete"))
    assert isinstance(result.model, Edited)
    return result


@pytest.fixture(scope="module")
def request_two(once):
    """A second deletion, of edges that are still there."""
    return Deletion(edges=once.retained.graph.edges[:, [7, 60]].T.tolist())


@pytest.mark.parametrize("name", CLASSES)
def test_an_edited_model_can_forget_again(once, request_two, short, weights, tmp_path, name):
    before = weights(once.model)
    result = unlearn(once.model, once.retained, request_two, short(name), seed=6)
    assert weights(once.model) == before
    assert np.isfinite(result.parameter_change)
    assert result.retained.graph.n_edges == once.task.graph.n_edges - 6
    save_model(result.model, tmp_path / "m")
    graph = result.retained.graph
    assert load_model(tmp_path / "m").embed(graph).equal(result.model.embed(graph))


def test_operators_stack_in_order(once, request_two, short):
    twice = unlearn(once.model, once.retained, request_two, short("gnndelete"), seed=6).model
    graph = once.retained.graph
    inner, outer = once.model.operators, twice.operators
    h1, _ = once.model.base.layers(graph, lambda layer, h: outer[str(layer)](inner[str(layer)](h)))
    assert twice.layers(graph)[0].equal(h1)


def test_retraining_starts_from_a_model_without_operators(once, request_two, short):
    model = unlearn(once.model, once.retained, request_two, short("retrain"), seed=6).model
    assert not isinstance(model, Edited)
