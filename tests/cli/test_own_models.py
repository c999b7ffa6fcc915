"""`train` makes a model folder, `unlearn` makes the model in it forget and leaves a receipt."""

from __future__ import annotations

import json

import numpy as np
import pytest

from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.training.model_folder import load_model

FAST = ["--epochs", "6", "--validate-every", "3", "--hidden", "8"]


@pytest.fixture
def model(run, own, data, tmp_path):
    """Return the folder of a trained model."""
    done = run("train", own / "edges.csv", "gcn", *data, *FAST, "--seed", 7, "--out", tmp_path / "model")
    assert done.code == 0
    return tmp_path / "model"


def unlearn(run, own, data, model, *more):
    """Run `unlearn` on the own data."""
    words = ["unlearn", "--model", model, "--data", own / "edges.csv", "--delete", own / "delete_edges.csv"]
    return run(*words, *data, "--method", "d2dgn:epochs=4,lr=0.01", *more)


def test_train_prints_metrics_and_writes_a_whole_model_folder(run, own, data, tmp_path):
    out = tmp_path / "model"
    done = run("train", own / "edges.csv", "gat", *data, *FAST, "--task", "node", "--out", out, "--json")
    assert (done.code, done.err) == (0, "")
    assert {"val_accuracy", "test_accuracy", "seconds"} <= set(json.loads(done.out))
    assert sorted(path.name for path in out.iterdir()) == ["model.json", "model.safetensors", "receipt.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == ["model"]
    assert load_model(out).widths[-1][1] == 3


def test_unlearn_writes_another_model_and_a_receipt_with_digests(run, own, data, model, tmp_path):
    done = unlearn(run, own, data, model, "--out", tmp_path / "unlearned")
    assert done.code == 0
    assert "| Original" in done.out
    assert "no gold model was trained" in done.out
    before, after = load_model(model), load_model(tmp_path / "unlearned")
    moved = [
        not np.array_equal(a.numpy(), b.numpy()) for a, b in zip(before.parameters(), after.parameters(), strict=True)
    ]
    assert any(moved)
    receipt = json.loads((tmp_path / "unlearned/receipt.json").read_text())
    graph = load(own / "edges.csv", features=own / "features.csv", labels=own / "labels.csv")
    deletion = Deletion.read(own / "delete_edges.csv")
    gone = deletion.resolve(graph).edges
    assert receipt["deletion"]["digest"] == deletion.digest
    assert receipt["data"]["before"] == graph.digest
    assert receipt["data"]["after"] == graph.without(edges=gone).digest
    assert receipt["data"]["edges_after"] == graph.n_edges - 3
    assert receipt["counts"]["training_edges"] + receipt["counts"]["held_out_edges"] == 3
    assert receipt["method"]["epochs"] == 4
    assert receipt["parameter_change"] > 1e-6
    assert receipt["seconds"] > 0


def test_the_receipt_names_nothing_that_was_deleted(run, own, data, model, tmp_path):
    unlearn(run, own, data, model, "--out", tmp_path / "unlearned")
    texts = [(tmp_path / "unlearned" / name).read_text() for name in ("receipt.json", "model.json")]
    assert not any(f'"u{number}"' in text for text in texts for number in range(60))


def test_gold_adds_the_evidence(run, own, data, model, tmp_path):
    done = unlearn(run, own, data, model, "--gold", "--no-attack", "--json", "--out", tmp_path / "unlearned")
    assert (done.code, done.err) == (0, "")
    names = [record["row"] for record in json.loads(done.out)["report"]["records"]]
    assert names == ["Original", "Gold", "Noise floor", "d2dgn:epochs=4,lr=0.01"]
    assert run("report", tmp_path / "unlearned", "--out", tmp_path / "page.html").code == 0
    again = "unlearn --model MODEL --delete DELETION --method d2dgn:epochs=4,lr=0.01 --out FOLDER --gold</pre>"
    assert again in (tmp_path / "page.html").read_text()


def test_unlearn_on_a_dry_run_writes_nothing(run, own, data, model, tmp_path):
    before = sorted(tmp_path.rglob("*"))
    done = unlearn(run, own, data, model, "--dry-run", "--out", tmp_path / "unlearned")
    assert done.code == 0
    assert "deletion" in done.out
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_model_unlearned_twice_has_the_same_bytes(run, own, data, model, tmp_path):
    for name in ("one", "two"):
        unlearn(run, own, data, model, "--out", tmp_path / name)
    for file in ("model.safetensors", "model.json"):
        assert (tmp_path / "one" / file).read_bytes() == (tmp_path / "two" / file).read_bytes()


@pytest.mark.parametrize("file", ["edges.csv", "features.csv"])
def test_other_data_than_the_models_are_refused(run, own, data, model, tmp_path, file):
    lines = (own / file).read_text().splitlines()
    (tmp_path / file).write_text(
        "\n".join(lines[:-1] + [lines[-1].replace("u59,u2", "u59,u7").replace("u59,0", "u59,9")])
    )
    place = {name: own / name for name in ("edges.csv", "features.csv")} | {file: tmp_path / file}
    options = ["--features", place["features.csv"], "--labels", own / "labels.csv", "--out", tmp_path / "unlearned"]
    done = run(
        "unlearn", "--model", model, "--data", place["edges.csv"], "--delete", own / "delete_edges.csv", *options
    )
    assert done.code == 3
    assert "not the data that the model in" in done.err
    assert not (tmp_path / "unlearned").exists()


def test_the_folder_that_one_stands_in_is_filled(run, own, data, tmp_path, monkeypatch):
    (tmp_path / "model").mkdir()
    monkeypatch.chdir(tmp_path / "model")
    assert run("train", own / "edges.csv", "gcn", *data, *FAST, "--out", ".").code == 0
    assert (tmp_path / "model/model.safetensors").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


def test_a_folder_is_used_from_another_working_directory_and_says_when_its_data_moved(run, own, tmp_path, monkeypatch):
    for name in ("edges.csv", "features.csv"):
        (tmp_path / name).write_bytes((own / name).read_bytes())
    monkeypatch.chdir(tmp_path)
    assert run("train", "edges.csv", "gcn", "--features", "features.csv", *FAST, "--out", "m").code == 0
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    ask = ["unlearn", "--model", tmp_path / "m", "--delete", own / "delete_edges.csv", "--method", "unlink"]
    assert run(*ask, "--out", "here").code == 0
    source = json.loads((tmp_path / "elsewhere/here/model.json").read_text())["made_for"]["source"]
    assert source["data"] == str(tmp_path / "edges.csv") and source["features"] == str(tmp_path / "features.csv")
    (tmp_path / "features.csv").rename(tmp_path / "elsewhere/moved.csv")
    done = run(*ask, "--out", "there")
    assert done.code == 3 and "Say where it is now, with --features FILE." in done.err
    assert run(*ask, "--features", "moved.csv", "--out", "there").code == 0
    (tmp_path / "edges.csv").unlink()
    assert "with --data FILE." in run(*ask, "--features", "moved.csv", "--out", "third").err


@pytest.mark.parametrize("command", ["unlearn --delete x.csv", "recommend --users 3"])
def test_a_trained_model_is_offered_no_division_of_nodes(run, command, tmp_path):
    help_text = run(*command.split()[:1], "--help").out
    assert "public" not in help_text and "leave-one-out" in help_text
    assert ("--features" in help_text) == command.startswith("unlearn")
    done = run(*command.split(), "--model", tmp_path, "--split", "public")
    assert done.code == 2 and '"public" for --split' in done.err
    assert "public" in run("train", "--help").out


def test_what_making_the_model_has_told_stands_in_the_report_without_gold(run, shop, ratings, tmp_path):
    words = ["train", shop / "ratings.csv", "mf", *ratings, "--dim", 8, "--epochs", 2, "--out", tmp_path / "m"]
    assert run(*words).code == 0
    words = ["unlearn", "--model", tmp_path / "m", "--delete", shop / "people.csv", "--method", "sisa:shards=3"]
    done = run(*words, "--json", "--out", tmp_path / "n")
    assert done.code == 0, done.err
    original, unlearned = (record["values"] for record in json.loads(done.out)["report"]["records"])
    assert unlearned["preparation"] > 0 and 0 < unlearned["shards_touched"] <= 1 and unlearned["peak_memory"] > 0
    assert "preparation" not in original and original["deleted_share"] > 0
    assert json.loads(done.out)["receipt"]["counts"]["training_interactions"] > 0


def test_a_model_folder_that_does_not_say_its_task_is_refused(run, own, data, model, tmp_path):
    description = json.loads((model / "model.json").read_text())
    del description["made_for"]
    (model / "model.json").write_text(json.dumps(description))
    done = unlearn(run, own, data, model, "--out", tmp_path / "unlearned")
    assert done.code == 3
    assert "does not say which data and split" in done.err


def test_a_split_that_comes_out_differently_is_refused(run, own, data, model, tmp_path):
    description = json.loads((model / "model.json").read_text())
    description["made_for"]["task_digest"] = "0" * 64
    (model / "model.json").write_text(json.dumps(description))
    done = unlearn(run, own, data, model, "--out", tmp_path / "unlearned")
    assert done.code == 3
    assert "its split comes out differently" in done.err
