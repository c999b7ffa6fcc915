"""The command that a page names makes the same plan again."""

from __future__ import annotations

import json

import pytest
import torch

from graphforget.cli.command import words_of
from graphforget.experiments.plan_again import plan_again

OWN = "edges {own}/edges.csv gcn --features {own}/features.csv --labels {own}/labels.csv"
COMMANDS = [
    "edges sample-citations gcn --fraction 0.05 --where in --method all --seeds 42,21 --epochs 7 --no-attack",
    f"{OWN} --count 9 --where any --on-small-pool cap --gold-runs 3 --hop undirected --lr 0.003 --hidden 16 --layers 3",
    f"{OWN} --delete {{own}}/delete_edges.csv --method d2dgn:alpha=0.9,epochs=4 --no-normalise --max-grad-norm 1.5",
    f"{OWN} --fraction 0.05 --task node --split random --selection last --patience 3",
    "nodes sample-citations gat --count 4 --pool all --task link --out-width 8",
    "features sample-citations gcn --count 4",
    "node-class sample-citations gcn --class 3 --class 1 --class-mode entity",
    "users sample-shop lightgcn --fraction 0.05 --sampling core --method mmrecun --method unlink --dim 8 --batch 64",
    "interactions sample-shop lightgcn:loss=ssm,temperature=0.1 --count 9 --sampling label-flipped --reg 0.001",
    "users+items {shop}/ratings.csv mf --delete {shop}/both.json --columns user=person,item=thing,rating=stars "
    "--min-rating 4 --split user --valid-share 0.2 --split-seed 3 --core 2,1",
    "items sample-shop ngcf --fraction 0.1 --layers 8,4 --ndcg kgat --mask train",
    "modality sample-shop mgcn --modality image --epochs 3",
]


@pytest.fixture
def places(own, shop) -> dict:
    (shop / "both.json").write_text('{"users": ["p3"], "items": ["t5"]}')
    return {"own": own, "shop": shop}


def plan_of(run, words: list[str]) -> dict:
    done = run(*words, "--dry-run", "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)["plan"]


@pytest.mark.parametrize("line", COMMANDS, ids=[line.split(" --")[0].replace("/", "-") for line in COMMANDS])
def test_the_command_made_from_a_plan_makes_that_plan(run, places, line):
    plan = plan_of(run, line.format(**places).split())
    again = plan_of(run, words_of(plan_again(plan)))
    for one in (plan, again):
        one["setup"]["backbone"] = one["setup"]["backbone"].partition(":")[0]  # its options stand in the architecture
    assert again == plan


def test_the_device_is_named_where_another_would_be_taken(run, monkeypatch):
    plan = plan_again(plan_of(run, "edges sample-citations gcn --count 4 --device cpu".split()))
    monkeypatch.delenv("GRAPHFORGET_DEVICE", raising=False)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert "--device" not in words_of(plan)
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    words = words_of(plan)
    assert words[words.index("--device") + 1] == "cpu"
