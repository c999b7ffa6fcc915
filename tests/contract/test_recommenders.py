"""The contract of every unlearning method on recommenders, over the registry: a new method is tested by existing."""

from __future__ import annotations

import hashlib
from functools import cache
from typing import Any

import numpy as np
import pytest

from graphforget._core.errors import GraphforgetError, UnsupportedError
from graphforget.data.deletion import Deletion
from graphforget.data.interactions import Interactions
from graphforget.data.triples import TripleGraph
from graphforget.models.edited import Edited
from graphforget.models.zoo import make_backbone, save_model
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.training.train import train
from graphforget.unlearning.method import PAIR_KINDS, SIDE_KINDS, Method, Problem, UndeclaredRead
from graphforget.unlearning.run import Result, methods, unlearn

USERS, ITEMS = 24, 16
SMALL = {
    "epochs": 2,
    "validate_every": 1,
    "repair_epochs": 1,
    "fisher_batch": 16,
    "fisher_batches": 2,
    "iterations": 4,
    "batch": 16,
    "shards": 3,
}
LINK_ONLY = {
    ("selection", "val_released"),
    ("objective", "edge_probability"),
    ("destroyer", "negatives"),
    ("scope", "local"),
    ("scope", "operators"),
}
SERVED = [name for name in methods().names() if "recommend" in methods().find(name)[0].tasks]
NAMES = [name for name in SERVED if not LINK_ONLY & set(methods().find(name)[1].items())]
CLASSES = [cls.name for cls in methods().classes() if cls.name in NAMES]
IDLE = {"receraser-random": {"iterations"}}
"""Settings of SMALL that a preset leaves without effect, and refuses."""
NEED_NEIGHBOURS = ["gnndelete-ni"]
"""Names that have nothing to act on where no message passes."""

PAIRS = [(name, kind) for name in NAMES if name not in NEED_NEIGHBOURS for kind in PAIR_KINDS]
SIDES = [(name, kind) for name in CLASSES for kind in SIDE_KINDS if kind in methods().find(name)[0].kinds]
REFUSED = {("receraser", "mgcn"), ("receraser", "kgat")}
BACKBONES: dict[str, dict[str, Any]] = {
    "mf": {"dim": 4},
    "lightgcn": {"dim": 4, "layers": 2},
    "mgcn": {"dim": 4, "layers": 1, "k": 3},
    "kgat": {"dim": 4, "kg_dim": 3, "layers": "4"},
}


def shop() -> Interactions:
    """Two groups of users and items, facts and features of the items, pairs to validate on."""
    rng = np.random.default_rng(2)
    same = (np.arange(USERS) % 2)[:, None] == (np.arange(ITEMS) % 2)
    users, items = np.nonzero(rng.random((USERS, ITEMS)) < np.where(same, 0.6, 0.1))
    held = rng.random(len(users)) < 0.2
    facts = TripleGraph.build(
        ITEMS + 3, 1, np.stack([np.arange(ITEMS), np.zeros(ITEMS, int), ITEMS + np.arange(ITEMS) % 3])
    )
    image = rng.normal(size=(ITEMS, 5)).astype(np.float32)
    pairs = np.stack([users, items])
    return Interactions.build(
        USERS, ITEMS, pairs[:, ~held], pairs[:, held], name="contract", triples=facts, modalities={"image": image}
    )


@cache
def task() -> Recommendation:
    """The task of all tests here."""
    return Recommendation(shop(), seed=3)


@cache
def original(backbone: str) -> Any:
    """A backbone after a few epochs."""
    return train(make_backbone(backbone, **BACKBONES[backbone]), task(), epochs=3, batch=32, lr=0.05, validate_every=3)


def deletion(kind: str) -> Deletion:
    """Return a small deletion of a kind."""
    pairs = task().graph.pairs("train")[:, [3, 11, 20, 41]].T.tolist()
    named: dict[str, Any] = {"users": [2, 5], "items": [1], "interactions": pairs, "triples": [(4, 0, 17)]}
    named["modalities"] = [("image", 3), ("image", 8)]
    return Deletion(**{part: named[part] for part in kind.split("+")})


def short(name: str, **changes: Any) -> Method:
    """Return the method called `name` with few and small steps."""
    cls, _ = methods().find(name)
    known = set(cls.options()) - IDLE.get(name, set())
    return methods().get(name, **{**{key: SMALL[key] for key in SMALL if key in known}, **changes})


@cache
def result(name: str, kind: str, backbone: str = "mf") -> Result:
    """Return what a method made of a deletion."""
    return unlearn(original(backbone), task(), deletion(kind), short(name), seed=5)


def content(data: Interactions) -> str:
    """Return a digest of the arrays themselves."""
    parts = (data.train, data.valid)
    arrays = [array for part in parts for array in (part.indptr, part.indices)]
    return hashlib.sha256(
        b"".join(a.tobytes() for a in [*arrays, data.triples.triples, *data.modalities.values()])
    ).hexdigest()


@pytest.mark.parametrize(("name", "kind"), PAIRS)
def test_it_runs_and_leaves_its_inputs_alone(weights, name, kind):
    before = weights(original("mf")), content(task().graph)
    found = result(name, kind)
    assert (weights(original("mf")), content(task().graph)) == before
    assert found.original is original("mf") and found.task is task()
    assert all(np.isfinite(value) for entry in found.history for value in entry.values())
    z = found.model.embed(found.graph)
    assert z.shape[0] == task().graph.n_nodes and bool(z.isfinite().all())
    assert (weights(found.model) != weights(original("mf"))) == ("weights" in found.method.changes)
    assert found.retained.validate(z)["val_recall"] >= 0


@pytest.mark.parametrize(("name", "kind"), SIDES)
def test_what_is_known_of_the_items_can_go(weights, name, kind):
    backbone = "kgat" if kind == "triples" else "mgcn"
    found = result(name, kind, backbone)
    assert bool(found.model.embed(found.graph).isfinite().all())
    before, after = original(backbone).embed(task().graph), original(backbone).embed(found.retained.graph)
    assert not before.equal(after)
    with pytest.raises(UnsupportedError, match=f"mf does not read {kind}, so it has learned nothing from them"):
        unlearn(original("mf"), task(), deletion(kind), short(name))


@pytest.mark.parametrize("name", [name for name in CLASSES if (name, "triples") not in SIDES])
def test_deletions_without_pairs_are_refused_in_a_sentence(name):
    for kind in SIDE_KINDS:
        with pytest.raises(UnsupportedError, match=f"{name} deletes .* deletion of {kind}. .*unlink") as caught:
            unlearn(original("mgcn"), task(), deletion(kind), short(name))
        assert "fine-tune" in str(caught.value) and "reverse-bpr" not in str(caught.value).split("serve it")[1]


@pytest.mark.parametrize("name", NEED_NEIGHBOURS)
def test_what_needs_neighbours_is_refused_where_there_are_none(name):
    with pytest.raises(UnsupportedError, match="neighbour"):
        result(name, "users")


@pytest.mark.parametrize("backbone", [name for name in BACKBONES if name != "mf"])
@pytest.mark.parametrize("name", CLASSES)
def test_other_backbones(name, backbone):
    if (name, backbone) in REFUSED:
        with pytest.raises(UnsupportedError, match=backbone):
            result(name, "interactions", backbone)
        return
    found = result(name, "interactions", backbone)
    assert bool(found.model.embed(found.graph).isfinite().all())


@pytest.mark.parametrize("name", NAMES)
def test_same_seed_same_bytes_on_one_and_two_threads(weights, with_threads, name):
    def once() -> bytes:
        return weights(unlearn(original("lightgcn"), task(), deletion("users+items"), short(name), seed=5).model)

    assert with_threads(1, once) == with_threads(2, once)


@pytest.mark.parametrize("name", CLASSES)
def test_the_result_survives_a_folder(tmp_path, name):
    found = result(name, "interactions", "lightgcn")
    save_model(found.model, tmp_path / "m")
    assert load_model(tmp_path / "m").embed(found.graph).equal(found.model.embed(found.graph))


@pytest.mark.parametrize("name", CLASSES)
@pytest.mark.parametrize("first", ["gnndelete", "gsgcf-ru"])
def test_a_wrapped_model_can_forget_again(tmp_path, name, first):
    once = result(first, "interactions", "lightgcn")
    second = Deletion(interactions=once.retained.graph.pairs("train")[:, [5, 30]].T.tolist())
    twice = unlearn(once.model, once.retained, second, short(name), seed=6)
    assert np.isfinite(twice.parameter_change)
    save_model(twice.model, tmp_path / "m")
    assert load_model(tmp_path / "m").embed(twice.graph).equal(twice.model.embed(twice.graph))
    assert not isinstance(once.model, Edited) or once.model.node_sets()


def problem(reads: set[str]) -> Problem:
    """Return the problem that `unlearn` would give to a method which declares `reads`."""
    full, model = task(), original("lightgcn")
    gone = full.resolve(deletion("interactions"))
    made = Problem(model.frozen(), 5, frozenset(reads), full, full.without(gone), gone)
    made.original.provenance = model.provenance
    return made


@pytest.mark.parametrize("name", CLASSES)
def test_it_reads_what_it_declares_and_nothing_else(name):
    method = short(name)
    assert method.unlearn(problem(set(method.reads))) is not None
    for part in method.reads:
        with pytest.raises(UndeclaredRead, match=part):
            method.unlearn(problem(set(method.reads - {part})))


@pytest.mark.parametrize("name", [name for name in CLASSES if "checkpoint" not in name])
def test_a_stopped_run_goes_on_and_ends_in_the_same_bytes(weights, tmp_path, name):
    class Stop(GraphforgetError):
        """The run is stopped from outside."""

    def stop(epoch: int, epochs: int, metrics: dict[str, float]) -> None:
        if epoch == 1 and epochs > 1:
            raise Stop

    whole = result(name, "interactions", "lightgcn")
    arguments = original("lightgcn"), task(), deletion("interactions"), short(name)
    file = tmp_path / "run.safetensors"
    try:
        unlearn(*arguments, seed=5, checkpoint=file, progress=stop)
    except Stop:
        assert weights(unlearn(*arguments, seed=5, checkpoint=file).model) == weights(whole.model)


OTHER: dict[str, Any] = {
    "graph": "full",
    "knowledge": "feature",
    "student_init": "scratch",
    "destroyer_scale": 3.0,
    "init": "ones_1000",
    "targets": "retained",
    "layer_gradient": "shared",
    "train_graph": "retained",
    "block": "users",
    "curvature": "hessian",
    "fisher_scale": "none",
    "fisher_batch": 8,
    "votes": "all",
    "selection": "val_ndcg",
    "sisa.partition": "interaction",
    "receraser.partition": "ubp",
    "stop": "never",
    "mmrecun.keep": "last",
    "weight_decay": 0.1,
    "receraser.weight": 1.0,
    "ultrare.iterations": 1,
    "alpha": 0.3,
    "temperature": 2.0,
    "lr": 0.03,
    "patience": 1,
    "max_grad_norm": 1e-3,
    "scif.retain_per_forget": 2,
    "mmrecun.retain_per_forget": 2,
    "batch": 3,
    "hops": 0,
    "clip": 0.9,
    "slack": 1.0,
    "eps": 5.0,
    "rounds": 1,
    "neighbours_per_forget": 1,
}
"""Another value of a field (or of `method.field`); of all others a number is changed a little, a flag is turned."""

GRAPH_ONLY = {"objective", "destroyer", "hop", "scope", "sample"}
"""Fields with one value on recommenders; `test_refusals`, `test_d2dgn_local` and the oracles have the others."""

TWENTY = {("mmrecun", key) for key in ("alpha", "others", "tolerance", "gold_recall")}
"""Fields of a rule about the first 20 items, of which this shop has 16; `test_mmrecun` has them."""

BESIDE: dict[tuple[str, str], dict[str, Any]] = {("mmrecun", "batch"): {"retain_per_forget": 1}}
"""What another field must be for one to have an effect where nothing is left to push."""

FIELDS = [
    (name, key)
    for name in CLASSES
    for key in methods().find(name)[0].options()
    if key not in GRAPH_ONLY and (name, key) not in TWENTY
]


def another(name: str, key: str) -> Any:
    """Return a value of a field that is not the one `short` gives it."""
    value = getattr(short(name), key)
    for known in (f"{name}.{key}", key):
        if known in OTHER and OTHER[known] != value:
            return OTHER[known]
    if isinstance(value, bool):
        return not value
    return value + 1 if isinstance(value, int) else value / 2


@pytest.mark.parametrize(("name", "key"), FIELDS)
def test_every_field_has_an_effect(weights, monkeypatch, name, key):
    """On the result, on what is measured along the way, or on the recipe that the training loop is given."""

    def evidence(method: Method) -> tuple:
        recipes: list[Any] = []
        fit = Problem.fit

        def seen(self, model, work, recipe, *rest, **options):
            recipes.append((recipe, options.get("enough") is None))
            return fit(self, model, work, recipe, *rest, **options)

        with monkeypatch.context() as patch:
            patch.setattr(Problem, "fit", seen)
            found = unlearn(original(backbone), task(), deletion("items"), method, seed=5)
        z = found.model.embed(found.graph).numpy().tobytes()
        return weights(found.model), z, found.history, recipes, getattr(found.model, "provenance", None)

    backbone = "mgcn" if key == "clear_features" else "lightgcn"
    beside = BESIDE.get((name, key), {})
    changed = short(name, **{key: another(name, key)}, **beside)
    assert evidence(short(name, **beside)) != evidence(changed), f"{key} has no effect"
