"""Recommenders as folders: read back to the byte, and hostile ones refused with a sentence."""

from __future__ import annotations

import json

import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget._core.streams import Streams
from graphforget.models.mf import MF
from graphforget.models.zoo import (
    backbone_options,
    backbones,
    backbones_for,
    check_serves,
    make_backbone,
    save_model,
)
from graphforget.training.model_folder import load_model


@pytest.mark.parametrize("name", backbones_for("recommend"))
def test_a_round_trip_keeps_every_byte(shop, weights, tmp_path, name):
    model = make_backbone(name, dim=4).initialised_for(shop, Streams(3)).eval()
    save_model(model, tmp_path / "one")
    loaded = load_model(tmp_path / "one")
    assert type(loaded) is type(model) and weights(loaded) == weights(model)
    assert loaded.config() == model.config() and loaded.sizes == json.loads(json.dumps(model.sizes))
    assert loaded.embed(shop).equal(model.embed(shop))
    save_model(loaded, tmp_path / "two")
    for file in ("model.json", "model.safetensors"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


def test_every_backbone_says_what_it_serves():
    assert {"mf", "lightgcn", "ngcf", "kgat", "vbpr", "mgcn", "pinsage"} <= set(backbones_for("recommend"))
    assert backbones_for("link") == backbones_for("node") == ["gat", "gcn", "gin", "sage"]
    assert sorted([*backbones_for("recommend"), *backbones_for("link")]) == [c.name for c in backbones().classes()]


def test_options_and_unknown_ones():
    assert backbone_options("lightgcn")["layers"] == 3
    assert make_backbone("lightgcn", layers=1, std=0.5).config()["std"] == 0.5
    with pytest.raises(UsageError, match="'layer' is not an option of this backbone. Did you mean 'layers'"):
        make_backbone("lightgcn", layer=1)
    with pytest.raises(UnsupportedError, match="gat serves link and node tasks"):
        check_serves(backbones().find("gat")[0], "recommend")


def test_a_model_without_parameters_is_not_saved(tmp_path):
    with pytest.raises(UsageError, match="mf has no parameters yet; train it first"):
        save_model(MF(), tmp_path / "m")
    assert not (tmp_path / "m").exists()


def edit(folder, **changes):
    """Change fields of model.json."""
    text = json.loads((folder / "model.json").read_text())
    (folder / "model.json").write_text(json.dumps({**text, **changes}))


@pytest.mark.parametrize(
    "changes",
    [
        {"sizes": None},
        {"sizes": [7, 6]},
        {"sizes": {}},
        {"sizes": {"n_users": 8, "n_items": 6}},
        {"sizes": {"n_users": "7", "n_items": 6}},
        {"sizes": {"n_users": -7, "n_items": 6}},
        {"sizes": {"n_users": 10**15, "n_items": 6}},
        {"arguments": {"dim": 5}},
        {"arguments": {"dims": 4}},
        {"arguments": {"dim": 0}},
        {"backbone": "mg"},
    ],
    ids=lambda changes: json.dumps(changes)[:40],
)
def test_a_hostile_folder_is_a_sentence(shop, tmp_path, changes):
    save_model(MF(dim=4).initialised_for(shop, Streams(3)), tmp_path / "m")
    edit(tmp_path / "m", **changes)
    with pytest.raises(DataError) as caught:
        load_model(tmp_path / "m")
    text = str(caught.value)
    assert str(tmp_path / "m") in text and len(text) < 1500
