"""What is known of a run before it starts: digests follow everything that decides a model, and nothing else."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from graphforget._core.errors import UsageError
from graphforget.experiments.plan import Request
from graphforget.experiments.prepare import outline, prepare


@pytest.fixture
def digests(make_plan):
    """Return the stage digests of a changed plan."""
    base = make_plan()
    graph = base.setup.source.load()

    def of(seed: int = 5, **changes):
        setup = {
            key: changes.pop(key)
            for key in ("recipe", "architecture", "task_options", "backbone", "device")
            if key in changes
        }
        return prepare(replace(base, setup=replace(base.setup, **setup), **changes), graph, seed).digests

    return of


def test_the_same_plan_has_the_same_digests(digests):
    assert digests() == digests()
    assert set(digests()) == {"original", "gold-1", "gold-2", "method-d2dgn_epochs=6_validate_every=2"}


@pytest.mark.parametrize(
    "changes",
    [
        {"seed": 6},
        {"recipe": {"epochs": 9}},
        {"architecture": {"hidden": 17}},
        {"task_options": {"hop": "directed_compat"}},
        {"task_options": {"negatives": "released"}},
        {"backbone": "gin"},
    ],
)
def test_what_decides_the_original_changes_every_digest(digests, changes):
    before, after = digests(), digests(**changes)
    assert not set(before.values()) & set(after.values())


def test_no_stage_of_a_gpu_is_taken_for_one_of_the_cpu(digests, make_plan, monkeypatch):
    here = digests()
    monkeypatch.delenv("GRAPHFORGET_DEVICE")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 2)
    first, second = digests(device="cuda"), digests(device="cuda:1")
    assert not set(first.values()) & set(here.values())
    assert first == second == digests(device="auto") and digests(device="cpu") == here
    setup = make_plan().setup
    assert "device" not in setup.as_dict()
    assert replace(setup, device="auto").as_dict()["device"] == "cuda:0"


def test_a_default_that_is_written_out_changes_nothing(digests):
    assert digests(task_options={"hop": "undirected", "holdout": 0.05}) == digests()


def test_the_deletion_changes_all_but_the_original(digests):
    before, after = digests(), digests(request=Request("edges", count=8))
    assert [stage for stage in before if before[stage] == after[stage]] == ["original"]


def test_another_setting_of_a_method_changes_its_own_digest_alone(digests):
    before = digests()
    after = digests(methods=("d2dgn:epochs=7,validate_every=2",))
    assert {stage: after[stage] for stage in ("original", "gold-1", "gold-2")}.items() <= before.items()
    assert not set(after.values()) <= set(before.values())


def test_the_outline_tells_sizes_and_pools(make_plan):
    plan = make_plan()
    facts = outline(prepare(plan, plan.setup.source.load(), 5))
    assert facts["training_edges"] == 136  # 150 edges, twice floor(7.5) held out
    assert facts["retained_edges"] == 129
    assert facts["pool_in"] + facts["pool_out"] == 136
    assert facts["deletion"] == "7 edges"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        ({"kind": "edgs", "count": 3}, "Unknown kind of deletion 'edgs'. Did you mean 'edges'?"),
        ({"classes": ("3",)}, "'classes' belongs to deletions of classes, not of edges"),
        ({"count": 3, "modality": "image"}, "'modality' belongs to deletions of modalities, not of edges"),
        ({}, "none of them is given"),
        ({"fraction": 0.1, "file": "x.csv"}, "more than one is given"),
        ({"fraction": 1.0}, "5 % is 0.05"),
        ({"file": "x.csv", "on_small_pool": "cap"}, "--on-small-pool belongs to"),
    ],
)
def test_a_request_names_what_must_go_once(fields, sentence):
    with pytest.raises(UsageError) as caught:
        Request(**{"kind": "edges", **fields})
    assert sentence in str(caught.value)


def test_an_unknown_field_of_the_recipe_is_named_with_the_nearest(make_plan):
    with pytest.raises(UsageError, match="'epoch'. Did you mean 'epochs'"):
        replace(make_plan().setup, recipe={"epoch": 3})
