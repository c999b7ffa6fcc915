"""Training, unlearning, evaluating and asking on another device, beside the CPU."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest

import graphforget as gf
from graphforget.evaluation.records import RUN_DEPENDENT
from graphforget.evaluation.report import evaluate
from graphforget.models.base import Model
from graphforget.models.zoo import backbone_options, backbones, make_backbone, save_model
from graphforget.tasks.base import Task
from graphforget.training.model_folder import load_model
from graphforget.training.train import train
from graphforget.unlearning.run import methods, unlearn

RECIPE = {"link": {"epochs": 3}, "node": {"epochs": 3}, "recommend": {"epochs": 2, "batch": 512, "lr": 0.01}}
SMALL = {"hidden": 8, "dim": 4}
CASES = [(cls.name, task) for cls in backbones().classes() for task in cls.tasks]
FEW = {
    "epochs": 2,
    "validate_every": 1,
    "repair_epochs": 1,
    "fisher_batches": 2,
    "iterations": 3,
    "shards": 2,
    "sample": 50,
}
IDLE = {("d2dgn", "sample")}
TASKS = {"recommend": ("lightgcn",), "link": ("gcn",), "node": ("gat",)}
METHODS = [(cls.name, task) for cls in methods().classes() for task in cls.tasks if task in TASKS]


@cache
def task_of(name: str) -> Task:
    """The task of a kind on the sample data."""
    if name == "recommend":
        return gf.Recommendation(gf.load("sample-shop"), seed=0)
    kind = gf.LinkPrediction if name == "link" else gf.NodeClassification
    return kind(gf.load("sample-citations"), seed=0)


def trained(backbone: str, task: str, device: str) -> Model:
    """Return a backbone after a few epochs on a device."""
    options = {key: value for key, value in SMALL.items() if key in backbone_options(backbone)}
    made = make_backbone(backbone, **options)
    return train(made, task_of(task), seed=3, validate_every=1, selection="last", device=device, **RECIPE[task])


def state(model: Model) -> dict[str, np.ndarray]:
    """Return all weights and buffers as arrays of the CPU."""
    return {name: value.detach().cpu().numpy() for name, value in model.state_dict().items()}


def other_than_on_the_cpu(far, original: Model, full: Task, gone: gf.Deletion, method) -> list[str]:
    """Return what a method does otherwise on another device than on the CPU; doing nothing is wrong, too."""
    here, there = (unlearn(original, full, gone, method, device=device) for device in ("cpu", far))
    elsewhere = {value.device.type for value in there.model.state_dict().values()} - {far}
    faults = [f"{method.name}: tensors on {place}" for place in elsewhere]
    faults += [] if here.parameter_change > 1e-4 else [f"{method.name}: the model did not change"]
    return faults + differing(there.model, here.model)


def differing(ours: Model, theirs: Model, rtol: float = 1e-3, atol: float = 1e-4) -> list[str]:
    """Return the names of the weights in which two models differ by more than rounding, or that one has alone."""
    mine, other = state(ours), state(theirs)
    shared = [name for name in mine if name in other]
    apart = [name for name in shared if not np.allclose(mine[name], other[name], rtol, atol, equal_nan=True)]
    return sorted(set(mine) ^ set(other)) + apart


@pytest.mark.parametrize(("backbone", "task"), CASES)
def test_every_backbone_trains_to_what_the_cpu_gives(backbone, task, far):
    here = trained(backbone, task, "cpu")
    there = trained(backbone, task, far)
    assert {value.device.type for value in there.parameters()} == {far}
    assert differing(there, here) == []
    graph = task_of(task).graph
    assert there.embed(graph).device.type == far
    np.testing.assert_allclose(there.embed(graph).cpu(), here.embed(graph), 1e-3, 1e-4)
    found, wanted = there.provenance.history[-1], here.provenance.history[-1]
    assert found == pytest.approx(wanted, abs=0.02)


def short(name: str):
    """Return a method with few steps."""
    known = methods().find(name)[0].options()
    return methods().get(name, **{key: FEW[key] for key in FEW if key in known and (name, key) not in IDLE})


@pytest.mark.parametrize(("name", "task"), METHODS)
def test_every_method_forgets_as_on_the_cpu(name, task, far):
    original, full = trained(TASKS[task][0], task, "cpu"), task_of(task)
    gone = gf.sample_deletion(full, **({"users": 0.05} if task == "recommend" else {"edges": 0.02}), seed=1)
    before = {key: value.tobytes() for key, value in state(original).items()}
    here = unlearn(original, full, gone, short(name), device="cpu")
    there = unlearn(original, full, gone, short(name), device=far)
    assert {value.device.type for value in there.model.state_dict().values()} == {far}
    assert {key: value.tobytes() for key, value in state(original).items()} == before
    assert differing(there.model, here.model) == []
    assert there.parameter_change == pytest.approx(here.parameter_change, rel=1e-2)
    assert there.receipt()["device"] == far and "device" not in here.receipt()


def test_the_edge_probability_objective(far):
    original, full = trained("gcn", "link", "cpu"), task_of("link")
    gone = gf.sample_deletion(full, edges=0.01, seed=1)
    method = methods().get("gnndelete", epochs=2, objective="edge_probability")
    assert other_than_on_the_cpu(far, original, full, gone, method) == []


WAYS = [{"scope": "local", "sample": 50}, {"scope": "operators"}, {"knowledge": "feature"}]


@pytest.mark.parametrize("settings", WAYS)
def test_other_ways_to_distil(settings, far):
    original, full = trained("gcn", "link", "cpu"), task_of("link")
    gone = gf.sample_deletion(full, edges=0.01, seed=1)
    assert other_than_on_the_cpu(far, original, full, gone, methods().get("d2dgn", epochs=2, **settings)) == []


@pytest.mark.parametrize("method", ["unlink", "gnndelete-local:epochs=2", "d2dgn-operators:epochs=2"])
def test_layers_known_on_one_device_serve_the_other(method, far):
    original, full = trained("gcn", "link", "cpu"), task_of("link")
    gone = gf.sample_deletion(full, edges=2, seed=1)
    here, there = (gf.KnownLayers.of(original, full) for _ in range(2))
    results = [unlearn(original, full, gone, method, known=k, device=d) for k, d in ((here, "cpu"), (there, far))]
    assert np.array_equal(*(known.renew(result) for known, result in zip((here, there), results, strict=True)))
    assert results[1].model.device.type == far and differing(results[1].model, results[0].model) == []
    for ours, theirs in zip(there.layers, here.layers, strict=True):
        assert ours.device.type == "cpu"
        np.testing.assert_allclose(ours, theirs, 1e-3, 1e-4)


def test_classes_are_forgotten_as_on_the_cpu(far):
    original, full = trained("gat", "node", "cpu"), task_of("node")
    gone = gf.Deletion(classes=[0])
    for method in (methods().get("d2dgn", epochs=2), methods().get("gnndelete", epochs=2)):
        assert other_than_on_the_cpu(far, original, full, gone, method) == []


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
def test_a_stopped_run_goes_on_to_the_same_weights(far, tmp_path):
    class Stop(Exception):
        pass

    def stop(epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        if epoch == 2:
            raise Stop

    def run(**more) -> Model:
        made = make_backbone("lightgcn", dim=4)
        return train(made, task_of("recommend"), seed=3, epochs=3, batch=512, validate_every=1, device=far, **more)

    whole, file = run(), tmp_path / "run"
    with pytest.raises(Stop):
        run(checkpoint=file, progress=stop)
    assert {key: value.tobytes() for key, value in state(run(checkpoint=file)).items()} == {
        key: value.tobytes() for key, value in state(whole).items()
    }


def test_a_checkpoint_of_one_kind_of_device_is_refused_on_another(far, tmp_path):
    made, task = make_backbone("mf", dim=4), task_of("recommend")
    train(made, task, epochs=1, validate_every=1, checkpoint=tmp_path / "run", device=far)
    with pytest.raises(gf.DataError, match="belongs to a run with other"):
        train(made, task, epochs=1, validate_every=1, checkpoint=tmp_path / "run", device="cpu")


def test_a_report_is_that_of_the_cpu(far):
    for task, gone in (("recommend", {"users": 0.05}), ("link", {"edges": 0.02})):
        backbone, full = TASKS[task][0], task_of(task)
        original, deletion = trained(backbone, task, "cpu"), gf.sample_deletion(full, **gone, seed=1)
        reports = [
            evaluate(unlearn(original, full, deletion, "fine-tune:epochs=1", device=place), attack=False)
            for place in ("cpu", far)
        ]
        for mine, other in zip(*(report.records for report in reversed(reports)), strict=True):
            shared = {key: value for key, value in other.values.items() if key not in RUN_DEPENDENT}
            assert {key: mine.values[key] for key in shared} == pytest.approx(shared, rel=0.05, abs=0.02, nan_ok=True)


@pytest.mark.filterwarnings("ignore:.*copying from a non-meta parameter:UserWarning")
def test_a_folder_is_read_onto_a_device_and_asked_there(far, tmp_path):
    task, here = task_of("recommend"), trained("lightgcn", "recommend", "cpu")
    save_model(trained("lightgcn", "recommend", far), tmp_path / "m")
    there = load_model(tmp_path / "m", far)
    assert there.device.type == far and load_model(tmp_path / "m", "cpu").device.type == "cpu"
    users = task.graph.user_ids_of(np.arange(5))
    ids, scores = there.recommend(task, users, k=3)
    wanted, expected = here.recommend(task, users, k=3)
    assert ids == wanted
    np.testing.assert_allclose(scores, expected, 1e-3, 1e-4)
