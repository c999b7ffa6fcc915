"""The commands that delete from recommenders, end to end on small data."""

from __future__ import annotations

import json
import re

import pytest

from graphforget.experiments import specs
from graphforget.unlearning.run import methods
from graphforget.unlearning.specs import parse_method

FAST = ["--epochs", "2", "--validate-every", "1", "--dim", "8", "--no-attack"]
METHOD = ["--method", "fine-tune:epochs=1"]
ROWS = ["Original", "Gold", "Noise floor", "Popularity", "fine-tune:epochs=1"]


def rows(report: dict) -> list[str]:
    """Return the names of the rows of a report in JSON."""
    return list(dict.fromkeys(record["row"] for record in report["records"]))


@pytest.mark.parametrize(
    ("words", "kind"),
    [
        ("users sample-shop lightgcn --fraction 0.05 --sampling core --layers 2", "users"),
        ("items sample-shop mf --count 4 --sampling low-degree --mask train", "items"),
        ("users+items sample-shop mf --count 3 --ndcg full_truth --map-at m", "users+items"),
        ("interactions sample-shop ngcf --fraction 0.02 --layers 8,8 --sampler users", "interactions"),
        ("interactions sample-shop mf --count 20 --sampling label-flipped --negatives popularity", "interactions"),
        ("triples sample-shop kgat --fraction 0.1 --layers 8 --batch 512", "triples"),
        ("modality sample-shop vbpr --modality image --count 5 --lr-decay 0.9", "modalities"),
        ("users sample-shop mf-mmrec --count 5 --select-on test --reg 0.01", "users"),
    ],
    ids=lambda words: words.replace(" ", "_")[:40],
)
def test_each_kind_of_deletion_gives_a_table(run, words, kind):
    done = run(*words.split(), *FAST, *METHOD, "--json")
    assert (done.code, done.err) == (0, ""), done.err
    found = json.loads(done.out)
    assert rows(found["report"]) == ROWS
    assert found["plan"]["request"]["kind"] == kind and found["failed"] == []
    share = {"triples": "deleted_triple_share", "modalities": "deleted_feature_share"}.get(kind, "deleted_share")
    shares = {name: value for name, value in found["report"]["records"][0]["values"].items() if name.endswith("_share")}
    assert list(shares) == [share] and 0 < shares[share] < 0.3


@pytest.mark.parametrize(
    ("command", "file", "phrase"),
    [
        ("users", "people.csv", "2 users forgotten"),
        ("items", "things.csv", "1 item forgotten"),
        ("interactions", "pairs.csv", "4 interactions forgotten: 2 trained on ("),
    ],
)
def test_own_ratings_and_deletions_with_own_columns(run, shop, ratings, command, file, phrase):
    words = [command, shop / "ratings.csv", "lightgcn", "--delete", shop / file, *ratings, "--core", 2]
    done = run(*words, *FAST, *METHOD)
    assert done.code == 0, done.err
    assert "Recommendation on ratings" in done.out and phrase in done.out
    assert re.search(r"% of the interactions( trained on\) and 2 held out|\)), seed", done.out)
    assert "ratings: 50 records rated below 4 left out" in done.err
    assert "of the interactions go" in done.err


def test_lists_of_users_and_items_go_together(run, shop, ratings):
    lists = ["--users", shop / "people.csv", "--items", shop / "things.csv"]
    done = run("users+items", shop / "ratings.csv", "mf", *lists, *ratings, "--split", "leave-one-out", "--dry-run")
    assert done.code == 0, done.err
    assert "2 users, 1 item" in done.out and "3 users" not in done.out
    assert "the users in" in done.out and "'leave-one-out'" in done.out


def test_a_modality_file_of_ones_own(run, shop, ratings, tmp_path):
    lines = ["id,a,b", *(f"t{n},{n % 2},{(n + 1) % 2}" for n in range(30))]
    (tmp_path / "colour.csv").write_text("\n".join(lines) + "\n")
    (tmp_path / "facts.tsv").write_text("".join(f"t{n}\tof kind\tkind {n % 2}\n" for n in range(30)))
    more = ["--modality-file", f"colour={tmp_path / 'colour.csv'}", "--triples-file", tmp_path / "facts.tsv"]
    named = ["--modality", "colour", "--items", shop / "things.csv"]
    done = run("modality", shop / "ratings.csv", "vbpr", *named, *ratings, *more, "--dry-run")
    assert done.code == 0, done.err
    assert "modality colour of the items in" in done.out and "30 triples" in done.out
    assert "modality colour of 1 item" in done.out


def test_a_dry_run_says_what_share_goes_and_writes_nothing(run, tmp_path):
    words = ["users", "sample-shop", "lightgcn:layers=2", "--count", 20, "--sampling", "core", "--out", tmp_path / "x"]
    done = run(*words, "--dry-run", "--json")
    facts = json.loads(done.out)["runs"][0]
    assert done.code == 0 and not (tmp_path / "x").exists()
    assert facts["deleted_share"] == pytest.approx(facts["items"] / facts["training_interactions"])
    assert facts["notes"][0].endswith("% of the interactions go")


def test_all_names_every_method_that_serves_and_no_other(run):
    for kind, backbone in (("users", "mf"), ("triples", "kgat")):
        done = run(kind, "sample-shop", backbone, "--count", 3, "--method", "all", "--dry-run", "--json")
        served = {c.name for c in methods().classes() if "recommend" in c.tasks and kind in c.kinds} - {"retrain"}
        assert set(json.loads(done.out)["plan"]["methods"]) == served


@pytest.mark.parametrize(
    ("words", "method"),
    [
        ("users sample-shop mf --count 3", "mmrecun"),
        ("triples sample-shop kgat --count 3", "fine-tune"),
        ("modality sample-shop vbpr --modality text", "fine-tune"),
    ],
)
def test_each_kind_has_a_default_method(run, words, method):
    done = run(*words.split(), "--dry-run", "--json")
    assert list(json.loads(done.out)["plan"]["methods"]) == [method]


def test_several_seeds_share_one_split_and_draw_their_own_deletion(run, tmp_path):
    words = ["users", "sample-shop", "mf", "--count", 6, *FAST, *METHOD, "--seeds", "1,2", "--out", tmp_path / "out"]
    done = run(*words)
    assert done.code == 0, done.err
    drawn = [json.loads((tmp_path / f"out/seed-{seed}/deletion.json").read_text())["users"] for seed in (1, 2)]
    assert drawn[0] != drawn[1] and {len(users) for users in drawn} == {6}
    assert "seeds 1, 2" in done.out and "±" in done.out


def test_the_published_recipe_is_printed_before_a_run_and_can_be_changed(run):
    for words in ("users sample-shop kgat --count 3", "train sample-shop kgat"):
        done = run(*words.split(), "--lr", 0.5, "--dry-run")
        assert done.code == 0, done.err
        assert "lr=0.5" in done.out and "batch=1024" in done.out and "sampler kgat" in done.out
    changed = run(
        "users", "sample-shop", "kgat", "--count", 3, "--sampler", "users", "--batch", 64, "--dry-run", "--json"
    )
    setup = json.loads(changed.out)["plan"]["setup"]
    assert setup["task_options"] == {"sampler": "users"}
    assert (setup["recipe"]["batch"], setup["recipe"]["lr"]) == (64, 1e-4)


@pytest.mark.parametrize("command", ["users", "items", "users+items", "interactions", "triples", "modality"])
def test_every_field_of_the_recipe_is_an_option_of_every_command(run, command):
    named = ["--modality", "image"] if command == "modality" else ["--count", 2]
    given = {
        **{"epochs": 3, "lr": 0.25, "lr_decay": 0.5, "weight_decay": 0.125, "max_grad_norm": 2.0, "batch": 7},
        **{"validate_every": 2, "selection": "val_ndcg", "patience": 4},
    }
    words = [word for key, value in given.items() for word in (f"--{key.replace('_', '-')}", value)]
    backbone = {"triples": "kgat", "modality": "vbpr"}.get(command, "mf")
    done = run(command, "sample-shop", backbone, *named, *words, "--dry-run", "--json")
    assert done.code == 0, done.err
    assert json.loads(done.out)["plan"]["setup"]["recipe"] == given


def test_what_all_names_but_does_not_serve_is_left_out_and_what_is_named_has_failed(run, monkeypatch):
    monkeypatch.setattr(specs, "all_methods", lambda *_: [parse_method("receraser"), parse_method("unlink")])
    words = ["items", "sample-shop", "mgcn", "--count", "4", "--gold-runs", "1", *FAST]
    done = run(*words, "--method", "all")
    assert done.code == 0 and "| unlink" in done.out and "| receraser" not in done.out
    assert "receraser is left out of 'all' with seed 42: receraser: attention joins tables of user" in done.err
    found = json.loads(run(*words, "--method", "all", "--json").out)
    assert [one["method"] for one in found["left_out"]] == ["receraser"] and found["failed"] == []
    done = run(*words, "--method", "receraser", "--method", "unlink")
    assert done.code == 4 and "receraser gave no model with seed 42: " in done.err
