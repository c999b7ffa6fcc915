"""Backbones as text become names and options of the right type."""

from __future__ import annotations

import pytest

from graphforget._core.errors import UnsupportedError, UsageError
from graphforget.experiments.architecture import read_backbone
from graphforget.experiments.setup import Setup, Source


@pytest.mark.parametrize(
    ("text", "given", "options"),
    [
        ("gcn", {}, {}),
        ("gcn:out=7,layers=3", {"hidden": 8}, {"hidden": 8, "out": 7, "layers": 3}),
        ("lightgcn", {"layers": "2", "reg": 0.5}, {"layers": 2, "reg": 0.5}),
        (" lightgcn: std = 0.01 , reg_per_batch=no", {}, {"std": 0.01, "reg_per_batch": False}),
        ("lightgcn:reg=1", {}, {"reg": 1.0}),
        ("ngcf:layers=64,32,dropout=0", {}, {"layers": "64,32", "dropout": 0.0}),
        ("mgcn:modalities=image,text,k=5", {}, {"modalities": "image,text", "k": 5}),
        ("kgat:kg_heads=4", {}, {"kg_heads": 4}),
        ("kgat:kg_heads=none,pretrained=mf.npz", {}, {"kg_heads": None, "pretrained": "mf.npz"}),
    ],
)
def test_text_becomes_options(text, given, options):
    name, found = read_backbone(text, given)
    assert name == text.partition(":")[0].strip() and found == options
    assert {key: type(value) for key, value in found.items()} == {key: type(value) for key, value in options.items()}


@pytest.mark.parametrize(
    ("text", "given", "words"),
    [
        ("lightgnc", {}, "Did you mean 'lightgcn'"),
        ("lightgcn:layer=2", {}, "'layer' is not an option of this backbone. Did you mean 'layers'"),
        ("lightgcn:layers=two", {}, "'layers' must be an integer; got 'two'"),
        ("lightgcn:reg_per_batch=perhaps", {}, "must be true or false"),
        ("lightgcn:2", {}, "'2' is no option=value. Write it as lightgcn:layers=2"),
        ("lightgcn:reg=1,reg=2", {}, "'reg' is given twice"),
        ("lightgcn:reg=1", {"reg": 2}, "'reg' is given as an option of its own, too"),
        ("gcn", {"dim": 4}, "'dim' is not an option of this backbone"),
    ],
)
def test_wrong_text_is_a_sentence(text, given, words):
    with pytest.raises(UsageError, match=words):
        read_backbone(text, given)


def test_a_setup_refuses_a_backbone_of_another_task():
    with pytest.raises(UnsupportedError, match="lightgcn serves recommend tasks; this is a node task. Use one of gat"):
        Setup(Source("cora"), "lightgcn:layers=2", "node")
    with pytest.raises(UnsupportedError, match="gcn serves link and node tasks; this is a recommend task"):
        Setup(Source("gowalla"), "gcn", "recommend")


def test_a_setup_makes_tasks_of_its_own_data_only():
    shop, graph = Source("sample-shop").load(), Source("sample-citations").load()
    with pytest.raises(UsageError, match="'sample-shop' holds users and items, so this is no link task"):
        Setup(Source("sample-shop"), "gcn").make_task(shop, 0)
    with pytest.raises(UsageError, match="'sample-citations' is a graph without users and items"):
        Setup(Source("sample-citations"), "mf", "recommend").make_task(graph, 0)


def test_a_source_survives_json():
    source = Source("ratings.csv", options={"columns": {"user": "u"}, "core": (5, 10), "min_rating": 4.0})
    from dataclasses import asdict
    from json import dumps, loads

    assert Source.from_dict(loads(dumps(asdict(source)))) == source
