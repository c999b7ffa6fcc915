"""Model folders: written whole, read back to the byte, and hostile ones refused with a sentence."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
import torch

from graphforget._core.errors import DataError
from graphforget.models.edited import Edited, identity_operator
from graphforget.models.gcn import GCN
from graphforget.models.zoo import backbones, backbones_for, save_model
from graphforget.tasks.link import LinkPrediction
from graphforget.training.model_folder import load_model
from graphforget.training.train import train


@pytest.fixture(scope="module")
def graph(random_attributed_graph):
    """40 nodes."""
    return random_attributed_graph()


@pytest.fixture
def folder(graph, made, tmp_path):
    """A saved GCN."""
    save_model(made(GCN, graph.n_features, hidden=4, out=3), tmp_path / "m")
    return tmp_path / "m"


def contents(folder) -> dict[str, bytes]:
    """Return the files of a folder."""
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.parametrize("name", backbones_for("link"))
def test_a_round_trip_keeps_every_byte(graph, made, weights, tmp_path, name):
    cls, _ = backbones().find(name)
    model = made(cls, graph.n_features, hidden=4, out=3, layers=3)
    save_model(model, tmp_path / "one")
    loaded = load_model(tmp_path / "one")
    assert type(loaded) is cls and weights(loaded) == weights(model)
    assert loaded.embed(graph).equal(model.embed(graph))
    assert not any(value.requires_grad for value in loaded.parameters())
    save_model(loaded, tmp_path / "two")
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert set(contents(tmp_path / "one")) == {"model.json", "model.safetensors"}


def test_operators_and_what_they_act_on_survive(graph, made, weights, tmp_path):
    base = made(GCN, graph.n_features, hidden=4, out=3)
    model = Edited(base, {1: identity_operator(np.array([2, 5]), 4), 2: identity_operator(np.arange(9), 3)})
    model.operators["1"].weight.data += 0.25
    twice = Edited(model, {2: identity_operator(np.array([7]), 3)})
    twice.operators["2"].weight.data *= 3
    for number, each in enumerate((model, twice)):
        save_model(each, tmp_path / str(number))
        loaded = load_model(tmp_path / str(number))
        assert weights(loaded) == weights(each) and loaded.embed(graph).equal(each.embed(graph))
        assert [nodes.tolist() for nodes in loaded.node_sets().values()] == [
            n.tolist() for n in each.node_sets().values()
        ]


def test_provenance_and_extras_are_written_beside_the_weights(graph, tmp_path):
    model = train(GCN(hidden=4), LinkPrediction(graph, seed=4), epochs=2)
    save_model(model, tmp_path / "m", {"note": "ours"})
    text = json.loads((tmp_path / "m" / "model.json").read_text())
    assert text["note"] == "ours" and text["provenance"]["seed"] == 4
    assert text["provenance"]["recipe"]["epochs"] == 2
    assert weightless(load_model(tmp_path / "m"))


def weightless(model) -> bool:
    """Return whether nothing of the model takes gradients."""
    return not any(value.requires_grad for value in model.parameters())


def test_saving_again_replaces_the_folder_whole(folder, graph, made):
    (folder / "stray").write_text("left over")
    save_model(made(GCN, graph.n_features, hidden=5), folder)
    assert set(contents(folder)) == {"model.json", "model.safetensors"}
    assert load_model(folder).hidden == 5


def edit_json(folder, **changes):
    """Change fields of model.json."""
    text = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**text, **changes}))


def edit_weights(folder, change):
    """Rewrite the weights through `change(name, tensor)`."""
    from safetensors.torch import load, save

    tensors = load((folder / "model.safetensors").read_bytes())
    changed = {key: change(key, value) for key, value in tensors.items()}
    (folder / "model.safetensors").write_bytes(save({k: v.contiguous() for k, v in changed.items() if v is not None}))


HOSTILE = {
    "no weights": lambda f: (f / "model.safetensors").unlink(),
    "no description": lambda f: (f / "model.json").unlink(),
    "truncated weights": lambda f: (f / "model.safetensors").write_bytes((f / "model.safetensors").read_bytes()[:-9]),
    "empty weights": lambda f: (f / "model.safetensors").write_bytes(b""),
    "a header that claims too much": lambda f: (f / "model.safetensors").write_bytes(
        struct.pack("<Q", 1 << 60) + b"{}"
    ),
    "a pickle": lambda f: (f / "model.safetensors").write_bytes(b"\x80\x04cos\nsystem\n(S'true'\ntR."),
    "not json": lambda f: (f / "model.json").write_text("{'a': 1"),
    "a list": lambda f: (f / "model.json").write_text("[1, 2]"),
    "another format": lambda f: edit_json(f, format="graphforget-model/99"),
    "no format": lambda f: edit_json(f, format=None),
    "unknown backbone": lambda f: edit_json(f, backbone="transformer"),
    "a backbone that is no text": lambda f: edit_json(f, backbone=["gcn"]),
    "unknown argument": lambda f: edit_json(f, arguments={"heads": 4}),
    "wrong argument": lambda f: edit_json(f, arguments={"hidden": -3}),
    "arguments that are no object": lambda f: edit_json(f, arguments=[1]),
    "other widths": lambda f: edit_json(f, arguments={"hidden": 5, "out": 3, "layers": 2}),
    "more layers": lambda f: edit_json(f, arguments={"hidden": 4, "out": 3, "layers": 3}),
    "huge widths": lambda f: edit_json(f, n_features=10**15),
    "widths that a large machine has": lambda f: edit_json(f, n_features=10**9),
    "thousands of millions of shards": lambda f: edit_json(
        f, ensemble="mean", arguments={}, plan={"n_shards": 10**10}, shard=json.loads((f / "model.json").read_text())
    ),
    "no features": lambda f: edit_json(f, n_features=None),
    "operators without weights": lambda f: edit_json(f, operators=[1], base={}),
    "NaN": lambda f: edit_weights(f, lambda key, value: value * float("nan")),
    "infinity": lambda f: edit_weights(f, lambda key, value: value + float("inf") if key.endswith("bias") else value),
    "a missing tensor": lambda f: edit_weights(f, lambda key, value: None if key.endswith("0.bias") else value),
    "another shape": lambda f: edit_weights(f, lambda key, value: value[:1]),
}


@pytest.mark.parametrize("damage", HOSTILE)
def test_a_hostile_folder_is_a_sentence(folder, damage):
    HOSTILE[damage](folder)
    with pytest.raises(DataError) as caught:
        load_model(folder)
    text = str(caught.value)
    assert str(folder) in text and len(text) < 1500 and text.rstrip().endswith((".", ")", "?"))


def test_a_folder_that_is_none_is_a_sentence(tmp_path):
    for path in (tmp_path, tmp_path / "nothing", __file__):
        with pytest.raises(DataError, match="not a model folder"):
            load_model(path)


@pytest.mark.parametrize("bad", [torch.tensor([-1]), torch.tensor([0.5]), torch.tensor([[1]])])
def test_operators_on_impossible_nodes_are_refused(graph, made, tmp_path, bad):
    model = Edited(made(GCN, graph.n_features, hidden=4), {1: identity_operator(np.array([2]), 4)})
    save_model(model, tmp_path / "m")
    edit_weights(tmp_path / "m", lambda key, value: bad if key.endswith("nodes") else value)
    with pytest.raises(DataError, match="node numbers"):
        load_model(tmp_path / "m")


def test_names_are_suggested(folder):
    edit_json(folder, backbone="gnc")
    with pytest.raises(DataError, match="gcn"):
        load_model(folder)
