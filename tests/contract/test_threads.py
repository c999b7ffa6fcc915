"""One and two threads give the same bytes on graphs large enough to be shared among threads."""

from __future__ import annotations

import numba
import pytest

from graphforget.data.load import load
from graphforget.models.zoo import backbones, backbones_for
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.training.train import train
from graphforget.unlearning.run import methods, unlearn
from graphforget.unlearning.sampling import sample_deletion

pytestmark = pytest.mark.skipif(numba.config.NUMBA_NUM_THREADS < 2, reason="this machine has one core")


def everything(backbone: str, task, names: list[str], weights) -> list[bytes]:
    """Train, unlearn by each method, and return all weights and embeddings as bytes."""
    model = train(backbones().get(backbone), task, epochs=3, validate_every=2)
    deletion = sample_deletion(task, edges=0.05)
    found = [weights(model)]
    for name in names:
        cls, _ = methods().find(name)
        few = {key: value for key, value in {"epochs": 3, "validate_every": 2}.items() if key in cls.options()}
        result = unlearn(model, task, deletion, name, **few)
        found += [weights(result.model), result.model.embed(result.retained.graph).numpy().tobytes()]
        found.append(repr(result.history).encode())
    return found


@pytest.mark.parametrize("backbone", backbones_for("link"))
def test_training_and_unlearning_links(weights, with_threads, backbone):
    names = [cls.name for cls in methods().classes() if "link" in cls.tasks] if backbone == "gcn" else ["d2dgn"]
    task = LinkPrediction(load("sample-citations"), seed=1)
    one, two = (with_threads(count, lambda: everything(backbone, task, names, weights)) for count in (1, 2))
    assert one == two


def test_training_and_unlearning_nodes(weights, with_threads):
    task = NodeClassification(load("sample-citations"), seed=1)
    one, two = (
        with_threads(count, lambda: everything("gcn", task, ["d2dgn", "gnndelete"], weights)) for count in (1, 2)
    )
    assert one == two


@pytest.mark.slow
def test_a_published_graph(data_dir, weights, with_threads):
    def once() -> list[bytes]:
        task = LinkPrediction(load("dblp", data_dir=data_dir), seed=42)
        return everything("gcn", task, ["d2dgn", "gnndelete", "retrain", "gradient-ascent"], weights)

    assert with_threads(1, once) == with_threads(2, once)
