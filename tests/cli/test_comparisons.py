"""The commands that delete, end to end on small data."""

from __future__ import annotations

import json

import pytest

FAST = ["--epochs", "6", "--validate-every", "3", "--hidden", "8", "--no-attack"]
METHOD = ["--method", "d2dgn:epochs=4,lr=0.01,temperature=4"]
ROWS = ["Original", "Gold", "Noise floor", "d2dgn:epochs=4,lr=0.01,temperature=4"]


def rows(report: dict) -> list[str]:
    """Return the names of the rows of a report in JSON."""
    return list(dict.fromkeys(record["row"] for record in report["records"]))


@pytest.mark.parametrize(
    "command",
    [
        ["edges", "{}", "gcn", "--count", "9", "--where", "any"],
        ["edges", "{}", "gcn", "--delete", "{}/delete_edges.csv"],
        ["edges", "{}", "sage", "--fraction", "0.05", "--task", "node"],
        ["nodes", "{}", "gat", "--count", "4"],
        ["nodes", "{}", "gcn", "--delete", "{}/delete_nodes.csv", "--task", "link"],
        ["features", "{}", "gcn", "--fraction", "0.1"],
        ["features", "{}", "gin", "--count", "5", "--task", "link", "--pool", "all"],
        ["node-class", "{}", "gcn", "--class", "red"],
        ["node-class", "{}", "gcn", "--class", "red", "--class", "green", "--class-mode", "entity"],
    ],
    ids=lambda words: "-".join(words[0:1] + [w for w in words[3:] if not w.startswith("{")]).replace("--", ""),
)
def test_each_kind_of_deletion_gives_a_table(run, own, data, command):
    words = [word.format(own / "edges.csv" if word == "{}" else own) for word in command]
    done = run(*words, *data, *FAST, *METHOD, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert rows(found["report"]) == ROWS
    assert found["failed"] == []
    assert found["plan"]["request"]["kind"] == {"node-class": "classes"}.get(words[0], words[0])


def test_the_table_shows_every_method_beside_gold_on_bundled_data(run):
    done = run("edges", "sample-citations", "gcn", "--fraction", "0.01", "--where", "in", *FAST, "--method", "unlink")
    assert done.code == 0
    assert "Link prediction on sample-citations (hop directed_compat, released negatives" in done.out
    assert "gcn, 21 edges forgotten, seed 42" in done.out
    assert all(f"| {row}" in done.out for row in ("Original", "Gold", "Noise floor", "unlink"))
    assert "seed 42: gold-2 done" in done.err


def test_one_gold_run_leaves_the_noise_floor_unknown(run, own, data):
    done = run("edges", own / "edges.csv", "gcn", "--count", 9, *data, *FAST, *METHOD, "--gold-runs", 1)
    assert done.code == 0
    assert "Noise floor: not known, because one gold run was given." in done.out


def test_all_names_every_method_that_serves_and_no_preset(run, own, data):
    done = run("edges", own / "edges.csv", "gcn", "--count", 9, *data, "--method", "all", "--dry-run", "--json")
    methods = set(json.loads(done.out)["plan"]["methods"])
    assert {"d2dgn", "gnndelete", "gradient-ascent", "fine-tune", "unlink"} <= methods
    assert not methods & {"retrain", "gnndelete-ni", "d2dgn-feature"}


def test_a_dry_run_says_what_would_be_run_and_writes_nothing(run, own, data, tmp_path):
    out = tmp_path / "out"
    done = run(
        "edges", own / "edges.csv", "gcn", "--count", 9, *data, *METHOD, "--seeds", "1,2", "--out", out, "--dry-run"
    )
    assert done.code == 0
    assert not out.exists()
    for phrase in ("60 nodes, 180 undirected edges", "162 training", "pool in", "pool out", "9 edges", "gold runs"):
        assert phrase in done.out
    assert "nothing was written" in done.out


def test_the_membership_attack_can_be_left_out(run, own, data):
    words = ["nodes", own / "edges.csv", "gcn", "--count", 4, *data, *METHOD, "--epochs", 6, "--hidden", 8, "--json"]
    names = [
        set(json.loads(run(*words, *more).out)["report"]["records"][1]["values"]) for more in ([], ["--no-attack"])
    ]
    assert names[0] - names[1] >= {"mi_ratio", "mi_attack_auc"}


def test_a_method_that_fails_is_named_and_the_others_are_shown(run, own, data):
    huge = "gradient-ascent:lr=1e-12,epochs=1"
    done = run("edges", own / "edges.csv", "gcn", "--count", 9, *data, *FAST, *METHOD, "--method", huge)
    assert done.code == 5
    assert "| d2dgn:epochs=4,lr=0.01,temperature=4" in done.out
    assert "| gradient-ascent" not in done.out
    assert f"{huge} gave no model with seed 42: " in done.err


def test_when_every_method_fails_there_is_a_sentence_and_no_table(run, own, data):
    huge = "gradient-ascent:lr=1e-12,epochs=1"
    done = run("edges", own / "edges.csv", "gcn", "--count", 9, *data, *FAST, "--method", huge)
    assert (done.code, done.out) == (5, "")
    assert "Train longer or with a larger learning rate." in done.err


def test_a_graph_model_trains_on_drawn_neighbours(run, own, data):
    drawn = ["--neighbours", "3,2", "--batch", 40]
    done = run("edges", own / "edges.csv", "gcn", "--count", 9, *data, *FAST, *METHOD, *drawn, "--json")
    assert (done.code, done.err) == (0, "")
    found = json.loads(done.out)
    assert rows(found["report"]) == ROWS
    assert found["plan"]["setup"]["recipe"]["neighbours"] == "3,2"
    refused = run("edges", own / "edges.csv", "gcn", "--count", 9, *data, "--neighbours", "3", "--batch", 40)
    assert refused.code == 2 and "names 1 hops, but the gcn has 2 layers" in refused.err
