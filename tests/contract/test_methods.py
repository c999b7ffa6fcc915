"""The contract of every unlearning method on graphs, over the registries; recommenders are in test_recommenders."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import UnsupportedError
from graphforget.data.deletion_files import GRAPH_KINDS
from graphforget.models.zoo import backbones_for, save_model
from graphforget.training.model_folder import load_model
from graphforget.unlearning.method import KINDS
from graphforget.unlearning.run import methods, unlearn

LINK_ONLY = {
    "selection": ("val_released",),
    "objective": ("edge_probability",),
    "destroyer": ("negatives",),
    "scope": ("local", "operators"),
}
NODE_KINDS = ("edges", "nodes", "features", "classes/label", "classes/entity")


def link_only(name: str) -> bool:
    """Return whether a preset asks for something that only link prediction has."""
    _, preset = methods().find(name)
    return any(preset.get(key) in values for key, values in LINK_ONLY.items())


def served(name: str) -> list[tuple[str, str]]:
    """Return the (task, kind) pairs that a method or preset declares to serve.

    Dropping the labels of a class leaves the graph as it is, so a method that changes the graph alone has nothing to
    do there; the tests of the detector have this case.
    """
    cls, _ = methods().find(name)
    kinds = {"link": [kind for kind in GRAPH_KINDS if kind != "classes"], "node": NODE_KINDS}
    tasks = [task for task in cls.tasks if task == "link" or (task in kinds and not link_only(name))]
    pairs = [(task, kind) for task in tasks for kind in kinds[task] if kind.partition("/")[0] in cls.kinds]
    return [pair for pair in pairs if cls.changes != {"graph"} or pair[1] != "classes/label"]


NAMES = [name for name in methods().names() if served(name)]
CASES = [
    pytest.param(backbone, name, task, kind, id=f"{backbone}-{name}-{task}-{kind.replace('/', '_')}")
    for backbone in backbones_for("link")
    for name in NAMES
    for task, kind in served(name)
]
CLASSES = [cls.name for cls in methods().classes() if served(cls.name)]
PAIRS = [
    pytest.param(backbone, name, *served(name)[position], id=f"{backbone}-{name}-{served(name)[position][0]}{position}")
    for backbone in backbones_for("link")
    for name in (NAMES if backbone == "gcn" else CLASSES)
    for position in (0, -1)
]


def run(problems, short, backbone, name, task, kind):
    """Unlearn with few epochs."""
    return unlearn(*problems(backbone, task, kind), short(name), seed=5)


def test_every_method_preset_and_backbone_is_covered():
    seen = {(case.values[0], case.values[1]) for case in CASES}
    assert seen == {(backbone, name) for backbone in backbones_for("link") for name in NAMES}
    assert {case.values[2] for case in CASES} == {"link", "node"}
    assert {case.values[3] for case in CASES} == {"edges", "nodes", "features", "classes/label", "classes/entity"}


@pytest.mark.parametrize(("backbone", "name", "task", "kind"), CASES)
def test_it_runs_and_leaves_its_inputs_alone(problems, short, weights, content, backbone, name, task, kind):
    model, full, deletion = problems(backbone, task, kind)
    before = weights(model), content(full), deletion.digest
    result = unlearn(model, full, deletion, short(name), seed=5)
    assert (weights(model), content(full), deletion.digest) == before
    assert result.original is model and result.task is full
    assert all(np.isfinite(value) for entry in result.history for value in entry.values())
    z = result.model.embed(result.retained.graph)
    assert z.shape[0] == full.graph.n_nodes and bool(z.isfinite().all())
    changed = weights(result.model) != weights(model)
    assert changed == ("weights" in result.method.changes)


@pytest.mark.parametrize(("backbone", "name", "task", "kind"), PAIRS)
def test_same_seed_same_bytes_on_one_and_two_threads(
    problems, short, weights, with_threads, backbone, name, task, kind
):
    one, two = (
        with_threads(count, lambda: weights(run(problems, short, backbone, name, task, kind).model)) for count in (1, 2)
    )
    assert one == two


@pytest.mark.parametrize(("backbone", "name"), [(b, n) for b in backbones_for("link") for n in CLASSES])
def test_the_result_survives_a_folder(problems, short, tmp_path, backbone, name):
    result = run(problems, short, backbone, name, *served(name)[0])
    save_model(result.model, tmp_path / "m")
    graph = result.retained.graph
    assert load_model(tmp_path / "m").embed(graph).numpy().tobytes() == result.model.embed(graph).numpy().tobytes()


@pytest.mark.parametrize("name", [name for name in methods().names() if link_only(name)])
def test_link_presets_refuse_node_tasks_with_a_sentence(problems, short, name):
    with pytest.raises(UnsupportedError, match="link") as caught:
        unlearn(*problems("gcn", "node", "edges"), short(name))
    assert len(str(caught.value)) > 40


@pytest.mark.parametrize("name", [cls.name for cls in methods().classes()])
def test_a_method_describes_itself(name):
    cls, _ = methods().find(name)
    assert cls.title and cls.source and cls.__doc__
    assert cls.reads <= {"forgotten", "retained"}
    assert cls.changes and cls.changes <= {"weights", "graph"}
    assert cls.kinds and set(cls.kinds) <= set(KINDS)
    assert cls.tasks and set(cls.tasks) <= {"link", "node", "recommend"}
    assert set(cls.search) <= set(cls.options())
    for option, values in cls.search.items():
        for value in values:
            assert getattr(cls(**{option: value}), option) == value
    assert cls() == cls() and repr(cls()).startswith(cls.__name__)
    assert cls().config()["method"] == name
