"""A plan for a recommender: what is known before, and one run with every stage kept."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget.experiments.plan import Plan, Request
from graphforget.experiments.prepare import outline, prepare
from graphforget.experiments.setup import Setup, Source
from graphforget.experiments.single import run_plan
from graphforget.experiments.specs import default_method
from graphforget.models.edited import under_operators
from graphforget.training.model_folder import load_model
from graphforget.unlearning.run import methods

RECIPE = {"epochs": 2, "validate_every": 1, "batch": 512}


READS = {"triples": "kgat:dim=8", "modalities": "vbpr:dim=8"}


def plan(request: Request, backbone: str = "mf:dim=8", method: str = "fine-tune:epochs=1", **fields) -> Plan:
    """Return a plan on the bundled shop."""
    options = fields.pop("task_options", {})
    recipe = {**RECIPE, **fields.pop("recipe", {})}
    setup = Setup(Source("sample-shop"), backbone, "recommend", options, recipe=recipe)
    return Plan(setup, request, (method,), seeds=(5,), attack=False, **fields)


@pytest.fixture(scope="module")
def shop():
    """The bundled shop."""
    return Source("sample-shop").load()


def test_a_share_of_users_is_said_as_a_share_of_interactions(shop):
    prepared = prepare(plan(Request("users", fraction=0.05, sampling="core")), shop, 5)
    facts = outline(prepared)
    gone = np.isin(shop.pairs()[0], shop.index_of_users(prepared.deletion.users))
    assert len(prepared.deletion.users) == 10 and gone.sum() == facts["items"]
    assert facts["deleted_share"] == pytest.approx(gone.mean()) and facts["deleted_share"] > 0.05
    assert facts["notes"][0] == f"{100 * gone.mean():.3g} % of the interactions go"
    assert facts["deletion"].startswith(f"{gone.sum()} interactions, 10 users and ")


def test_every_kind_of_request_is_resolved(shop, tmp_path):
    (tmp_path / "users.csv").write_text("user\n3\n4\n")
    (tmp_path / "items.csv").write_text("item\n7\n")
    lists = {"users_file": str(tmp_path / "users.csv"), "items_file": str(tmp_path / "items.csv")}
    found = {
        request: prepare(plan(request, READS.get(request.kind, "mf:dim=8")), shop, 5).gone
        for request in (
            Request("users+items", count=2),
            Request("users+items", **lists),
            Request("modalities", modality="image"),
            Request("modalities", modality="text", items_file=lists["items_file"]),
            Request("modalities", modality="text", fraction=0.1, sampling="core"),
            Request("triples", fraction=0.1),
            Request("interactions", count=9, sampling="low-degree"),
        )
    }
    assert [gone.describe().split(" and ")[-1] for gone in found.values()][2:6] == [
        "modality image of 120 items",
        "modality text of 1 item",
        "modality text of 12 items",
        "48 triples",
    ]
    both, listed, *_, pairs = found.values()
    assert ", 2 users, 1 item" in listed.describe() and ", 2 users, 2 items" in both.describe()
    assert both.kind == listed.kind == "users+items" and len(both.nodes) == 4
    assert listed.nodes.tolist() == [3, 4, 200 + 7]
    assert pairs.count == 9


def test_facts_and_features_are_shares_of_what_they_are(shop):
    found = [
        outline(prepare(plan(request, READS[request.kind]), shop, 5))
        for request in (Request("triples", fraction=0.1), Request("modalities", modality="text", fraction=0.1))
    ]
    assert found[0]["deleted_triple_share"] == pytest.approx(48 / shop.triples.n_triples)
    assert found[1]["deleted_feature_share"] == pytest.approx(12 / (2 * shop.n_items))
    assert [facts["notes"][0] for facts in found] == ["10 % of the triples go", "5 % of the feature rows of items go"]
    assert all("deleted_share" not in facts and "training_edges" not in facts for facts in found)
    assert found[0]["training_interactions"] == found[0]["retained_interactions"] == shop.n_pairs


def test_data_without_a_validation_part_say_what_selects_no_epoch(shop):
    whole = replace(shop, valid=None)
    last = plan(Request("users", count=2), task_options={"holdout": 0.0}, recipe={"selection": "last"})
    assert prepare(last, whole, 5).task.graph.valid is None
    with pytest.raises(UsageError, match=r"has no validation part.*\(val_recall\).*--holdout.*--selection last"):
        prepare(plan(Request("users", count=2), task_options={"holdout": 0.0}), whole, 5)


def test_a_request_says_what_is_asked():
    assert Request("users+items", fraction=0.05).amount() == "0.05 of the users and of the items"
    assert Request("users", count=3, sampling="edge").amount() == "3 users (edge)"
    assert Request("modalities", modality="image").amount() == "modality image of every item"
    assert Request("modalities", modality="image", count=3).amount() == "modality image of 3 items"


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({"kind": "modalities"}, "--modality .with --items FILE.*none of them is"),
        ({"kind": "modalities", "modality": "image", "file": "x.csv"}, "more than one is"),
        ({"kind": "modalities", "modality": "image", "count": 2, "items_file": "x.csv"}, "more than one is"),
        ({"kind": "users+items", "users_file": "x.csv"}, "--users and --items go together"),
        ({"kind": "users", "file": "x.csv", "sampling": "core"}, "--sampling belongs to a deletion drawn at random"),
        ({"kind": "modalities", "modality": "image", "sampling": "core"}, "--sampling belongs to"),
    ],
)
def test_a_request_names_what_must_go_once(fields, words):
    with pytest.raises(UsageError, match=words):
        Request(**fields)


def test_flipped_labels_are_in_the_original_and_not_in_gold(shop):
    flipped = prepare(plan(Request("interactions", count=30, sampling="label-flipped")), shop, 5)
    assert flipped.task.graph.n_edges == shop.n_edges + 30
    assert flipped.retained.graph.digest == shop.digest
    plain = prepare(plan(Request("interactions", count=30)), shop, 5)
    assert not set(flipped.digests.values()) & set(plain.digests.values())


def test_digests_follow_the_task_and_the_backbone(shop):
    def digests(**fields):
        return prepare(plan(Request("users", count=3), **fields), shop, 5).digests["original"]

    assert digests() == digests() == digests(task_options={"mask": "train+valid"}, method="unlink")
    others = [digests(task_options={"sampler": "users"}), digests(backbone="mf:dim=9"), digests(recipe={"batch": 99})]
    assert len({digests(), *others}) == 4


@pytest.mark.parametrize(
    ("fields", "error", "words"),
    [
        ({"recipe": {"selection": "val_auc"}}, UsageError, "--selection must be one of last, val_recall, val_ndcg"),
        ({"method": "mmrecun", "request": Request("triples", count=3)}, UnsupportedError, "mmrecun deletes users"),
        ({"request": Request("users", count=400)}, DataError, "400 are wanted"),
        ({"backbone": "vbpr:modalities=sound"}, (DataError, UsageError), "sound"),
    ],
)
def test_what_cannot_be_is_said_before_training(shop, fields, error, words):
    request = fields.pop("request", Request("users", count=3))
    with pytest.raises(error, match=words):
        prepare(plan(request, **fields), shop, 5)


def test_the_default_method_serves_its_kind():
    for task, kinds in {
        "link": ("edges", "nodes", "features"),
        "node": ("edges", "nodes", "features", "classes"),
        "recommend": ("users", "items", "users+items", "interactions", "triples", "modalities"),
    }.items():
        for kind in kinds:
            cls, _ = methods().find(default_method(task, kind))
            assert task in cls.tasks and kind in cls.kinds


def test_a_run_keeps_its_stages_and_is_resumed(tmp_path):
    asked = plan(Request("users", count=9), "lightgcn:dim=8,layers=2", out=tmp_path / "out")
    report = run_plan(asked).report
    assert [row.name for row in report.rows][:4] == ["Original", "Gold", "Noise floor", "Popularity"]
    original = load_model(tmp_path / "out/seed-5/original")
    assert under_operators(original).config()["layers"] == 2 and original.provenance.recipe.batch == 512
    told = []
    again = run_plan(replace(asked, gold_runs=2), told.append).report
    assert {e.state for e in told if e.stage in ("original", "gold-1", "gold-2", asked.methods[0])} == {"reused"}
    assert [r.values.get("test_recall@20") for r in again.records] == [
        r.values.get("test_recall@20") for r in report.records
    ]
    deletion = json.loads((tmp_path / "out/seed-5/deletion.json").read_text())
    assert list(deletion) == ["users"] and len(deletion["users"]) == 9
    notes = [(e.stage, e.note) for e in told if e.state == "told"]
    assert ("sample-shop", "found 200 users, 120 items, 3,143 train + 396 valid + 396 test") in notes
    assert any(stage == "seed 5: deletion" and "of the interactions go" in note for stage, note in notes)
