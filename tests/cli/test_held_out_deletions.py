"""Requests that name held-out data alone: the data forget, the weights have nothing to forget, and both is said."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from graphforget.cli.main import main
from graphforget.data.load import load
from graphforget.experiments.retained_data import read_retained
from graphforget.tasks.link import LinkPrediction

FAST = ["--epochs", 4, "--validate-every", 2]
HINT = "Use unlink, which takes them out of the data; the weights never saw them."
SAID = "so the weights hold nothing of it and were not changed."


def call(*words: object) -> None:
    """Run a command that must work."""
    assert main([str(word) for word in words]) == 0


def wrote(path: Path, *lines: str) -> Path:
    """Return a file of the given lines."""
    path.write_text("\n".join(lines) + "\n")
    return path


@pytest.fixture(scope="module")
def files(tmp_path_factory, own) -> Path:
    """Return a folder with models trained on own ratings and edges, and deletions of what these hold out.

    The user pers-anna and the item thing-xi stand in validation and test alone.
    """
    folder = tmp_path_factory.mktemp("held")
    head = "user,item"
    train = [f"u{user},i{item}" for user in range(20) for item in range(12) if (user + item) % 3 == 0]
    wrote(folder / "train.csv", head, *train)
    wrote(folder / "valid.csv", head, "pers-anna,i3", "u0,thing-xi", "u4,i3", "u9,i2")
    wrote(folder / "test.csv", head, "pers-anna,i4", "u1,thing-xi", "u5,i3", "u8,i2")
    wrote(folder / "pairs.csv", head, "u4,i3", "u5,i3")
    wrote(folder / "mixed.csv", head, "u4,i3", "u5,i3", *train[:3])
    wrote(folder / "person.csv", "user", "pers-anna")
    wrote(folder / "thing.csv", "item", "thing-xi")
    parts = ["--valid-file", folder / "valid.csv", "--test-file", folder / "test.csv"]
    call("train", folder / "train.csv", "lightgcn", *parts, "--dim", 8, *FAST, "--out", folder / "shop")
    task = LinkPrediction(load(own / "edges.csv", features=own / "features.csv"), seed=42)
    ends = [task.graph.user_ids(end[:2]) for end in task.split.test]
    wrote(folder / "edges.csv", "source,target", *(f"{a},{b}" for a, b in zip(*ends, strict=True)))
    call("train", own / "edges.csv", "gcn", "--features", own / "features.csv", *FAST, "--out", folder / "link")
    return folder


def unlearned(run, files: Path, model: str, gone: str, method: str, out: Path):
    """Return what `unlearn` with --keep-data gave."""
    words = ["--delete", files / f"{gone}.csv", "--method", method, "--out", out, "--keep-data"]
    return run("unlearn", "--model", files / model, *words)


@pytest.mark.parametrize("method", ["unlink", "retrain"])
@pytest.mark.parametrize(
    ("gone", "what", "n_held"),
    [
        ("pairs", "2 held-out interactions", 6),
        ("person", "1 user and 2 held-out interactions", 6),
        ("thing", "1 item and 2 held-out interactions", 6),
    ],
)
def test_held_out_pairs_users_and_items_leave_the_data(files, run, tmp_path, gone, what, n_held, method):
    done = unlearned(run, files, "shop", gone, method, tmp_path / "m")
    assert done.code == 0, done.err
    assert f"nothing that the model was trained on is named ({what}), so the weights hold nothing of it" in done.out
    assert "The parameters moved by 0 % of their norm." in done.out and "(give --gold)" not in done.out
    assert json.loads((tmp_path / "m/receipt.json").read_text())["weights"].endswith("and were not changed.")
    weights = [(folder / "model.safetensors").read_bytes() for folder in (tmp_path / "m", files / "shop")]
    assert weights[0] == weights[1]
    kept = read_retained(tmp_path / "m")
    assert kept["valid"].shape[1] + kept["test"].shape[1] == n_held
    ids = set(kept["user_ids"].tolist()) | set(kept["item_ids"].tolist())
    assert ("pers-anna" in ids, "thing-xi" in ids) == (gone != "person", gone != "thing")


def test_a_deleted_user_and_item_are_gone_from_the_lists(files, run, tmp_path):
    assert unlearned(run, files, "shop", "person", "unlink", tmp_path / "m").code == 0
    refused = run("recommend", "--model", tmp_path / "m", "--users", "pers-anna")
    assert refused.code == 3 and "no user with id 'pers-anna'" in refused.err
    again = run("unlearn", "--model", tmp_path / "m", "--delete", files / "person.csv", "--out", tmp_path / "n")
    assert again.code == 3 and "no user with id 'pers-anna'" in again.err
    assert unlearned(run, files, "shop", "thing", "unlink", tmp_path / "i").code == 0
    for model, there in ((files / "shop", True), (tmp_path / "i", False)):
        lists = run("recommend", "--model", model, "--users", "u2", "-k", 13, "--json")
        assert ("thing-xi" in json.loads(lists.out)[0]["items"]) == there


@pytest.mark.parametrize("method", ["unlink", "retrain"])
def test_held_out_edges_leave_the_data(files, run, tmp_path, method):
    done = unlearned(run, files, "link", "edges", method, tmp_path / "m")
    assert done.code == 0, done.err
    assert f"(2 held-out edges), {SAID}" in done.out and "2 edges forgotten: 0 trained on and 2 held out" in done.out
    kept, ids = read_retained(tmp_path / "m"), read_retained(tmp_path / "m")["ids"].tolist()
    for line in (files / "edges.csv").read_text().splitlines()[1:]:
        pair = sorted(ids.index(end) for end in line.split(","))
        assert not (np.sort(kept["edges"], axis=0) == np.array(pair)[:, None]).all(axis=0).any()


@pytest.mark.parametrize(
    ("model", "gone", "method"), [("shop", "pairs", "mmrecun"), ("shop", "person", "sisa"), ("link", "edges", "d2dgn")]
)
def test_other_methods_name_the_one_that_serves(files, run, tmp_path, model, gone, method):
    refused = unlearned(run, files, model, gone, method, tmp_path / "m")
    assert refused.code == 4 and refused.err.strip().endswith(HINT) and not (tmp_path / "m").exists()


def test_the_heading_counts_what_the_share_is_of(files, run, tmp_path):
    done = unlearned(run, files, "shop", "mixed", "unlink", tmp_path / "m")
    heading = "5 interactions forgotten: 3 trained on (3.75 % of the interactions trained on) and 2 held out, seed 42"
    assert done.code == 0 and heading in done.out and heading in (tmp_path / "m/report/report.md").read_text()
    assert "nothing that the model was trained on" not in done.out
    page = tmp_path / "m.html"
    call("report", tmp_path / "m", "--out", page)
    assert heading in page.read_text()
