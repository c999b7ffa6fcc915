"""`graphforget tune`: what it prints, what it refuses, and that each kind of deletion has it."""

from __future__ import annotations

import json
import shlex
import sys

import pytest

from graphforget.cli.main import main
from graphforget.cli.tuning import SUBJECTS

SMALL = ["--hidden", "8", "--epochs", "4"]


def test_a_search_ends_in_a_table_and_a_line_to_paste(run, uniform_trials, own, data, tmp_path):
    words = ["tune", "edges", own / "edges.csv", "gcn", *data, *SMALL, "--delete", own / "delete_edges.csv"]
    words += ["--method", "d2dgn:epochs=3", "--trials", 2, "--range", "lr=0.001,0.01", "--out", tmp_path / "t"]
    done = run(*words)
    assert done.code == 0 and "seed 42: trial 2 done" in done.err
    for phrase in (
        "val_auc ↑",
        "forgotten AUC →gold",
        "as it is",
        "Gold",
        "Original",
        "Nothing was measured on the test",
    ):
        assert phrase in done.out
    assert "test_auc" not in done.out
    found = json.loads(run(*words, "--json").out)
    best = max(found["trials"], key=lambda one: one["score"])
    assert found["best"] == best["label"] and f"--method {shlex.quote(best['label'])}\n" in done.out
    again = next(line.strip() for line in done.out.splitlines() if line.startswith("  graphforget edges"))
    assert main([*shlex.split(again)[1:], "--dry-run"]) == 0


@pytest.mark.parametrize(
    ("command", "words", "phrases"),
    [
        (
            "edges",
            "sample-citations gcn",
            ["alpha", "0.5 to 0.998, logarithmic in the distance to 1", "deletion 54 edges"],
        ),
        ("nodes", "sample-citations gcn --count 4", ["4 nodes"]),
        ("features", "sample-citations gcn --task link --method gnndelete", ["gnndelete", "epochs"]),
        ("node-class", "sample-citations gcn --class 1", ["labels of"]),
        ("users", "sample-shop lightgcn --trials 7", ["mmrecun", "retain_per_forget", "users"]),
        ("items", "sample-shop lightgcn", ["items"]),
        ("users+items", "sample-shop lightgcn", ["users"]),
        ("interactions", "sample-shop lightgcn --method scif", ["damping", "counterfactual"]),
        ("triples", "sample-shop kgat", ["fine-tune", "triples"]),
        ("modality", "sample-shop vbpr --modality image", ["modality image"]),
    ],
)
def test_each_kind_of_deletion_can_be_tuned_for(run, uniform_trials, monkeypatch, tmp_path, command, words, phrases):
    assert command in SUBJECTS
    monkeypatch.chdir(tmp_path)
    done = run("tune", command, *words.split(), "--dry-run")
    assert done.code == 0, done.err
    assert all(phrase in " ".join(done.out.split()) for phrase in phrases), done.out
    assert "objective" in done.out and "nothing was written" in done.out and not list(tmp_path.iterdir())


@pytest.mark.parametrize("command", SUBJECTS)
def test_each_command_says_what_is_made_large(run, command):
    done = run("tune", command, "--help")
    text = " ".join(done.out.split())
    assert "utility - weight * gap" in text and "Nothing is measured on the test part" in text
    assert ("--class" in text) == (command == "node-class") and ("2.5 % are drawn" in text) == (command != "node-class")


@pytest.mark.parametrize(
    ("words", "code", "phrase"),
    [
        ("users sample-shop lightgcn --select-on test", 2, "tuning must not see it"),
        (
            "users {shop}/ratings.csv lightgcn {ratings} --method scif --selection last --valid-share 0 --holdout 0",
            2,
            "no validation part",
        ),
        ("edges sample-citations gcn --method unlink", 4, "unlink has nothing to tune"),
        ("edges sample-citations gcn --method retrain", 4, "retrain has nothing to tune"),
        ("edges sample-citations gcn --trials 0", 2, "--trials must be at least 1"),
        ("edges sample-citations gcn --range alpha", 2, "--range alpha=0.9,0.999"),
        ("edges sample-citations gcn --range alpha=2", 2, "two different numbers"),
        ("node-class sample-citations gcn", 2, "--class or --delete FILE"),
        ("modality sample-shop vbpr", 2, "--modality is missing"),
    ],
)
def test_what_cannot_be_tuned_ends_in_a_sentence_and_writes_nothing(
    run, uniform_trials, monkeypatch, tmp_path, shop, ratings, words, code, phrase
):
    monkeypatch.chdir(tmp_path)
    done = run("tune", *words.format(shop=shop, ratings=" ".join(ratings)).split())
    assert (done.code, done.out) == (code, ""), done.err
    assert phrase in done.err and "Traceback" not in done.err and not list(tmp_path.iterdir())


def test_without_optuna_the_extra_is_named(run, monkeypatch, tmp_path):
    monkeypatch.setitem(sys.modules, "optuna", None)
    done = run("tune", "edges", "sample-citations", "gcn", "--out", tmp_path / "t")
    assert done.code == 2 and "pip install 'graphforget[tune]'" in done.err and not (tmp_path / "t").exists()
