"""`train`, `unlearn` and `recommend` on own ratings, in the user's own ids."""

from __future__ import annotations

import json

import pytest

from graphforget.data.load import load
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model

FAST = ["--epochs", "4", "--validate-every", "2", "--dim", "8"]
OPTIONS = {"columns": {"user": "person", "item": "thing", "rating": "stars", "time": "when"}, "min_rating": 4.0}


@pytest.fixture(scope="module")
def trained(tmp_path_factory, shop):
    """Return the folder of a LightGCN trained on the ratings."""
    from graphforget.cli.main import main

    out = tmp_path_factory.mktemp("trained") / "model"
    columns = "user=person,item=thing,rating=stars,time=when"
    words = ["train", str(shop / "ratings.csv"), "lightgcn:layers=2", "--columns", columns, "--min-rating", "4"]
    assert main([*words, *FAST, "--seed", "7", "--mask", "train", "--out", str(out)]) == 0
    return out


@pytest.fixture(scope="module")
def unlearned(tmp_path_factory, trained, shop):
    """Return the folder of the model that forgot the thing t5, its deletion kept."""
    from graphforget.cli.main import main

    out = tmp_path_factory.mktemp("unlearned") / "model"
    words = ["unlearn", "--model", str(trained), "--delete", str(shop / "things.csv"), "--out", str(out)]
    assert main([*words, "--method", "mmrecun:epochs=2", "--keep-deletion"]) == 0
    return out


@pytest.fixture
def task(shop) -> Recommendation:
    """Return the task of the trained model."""
    return Recommendation(load(shop / "ratings.csv", **OPTIONS), 7, mask="train")


def answers(done) -> dict:
    """Return user -> items of a `recommend --json`."""
    assert done.code == 0, done.err
    return {entry["user"]: entry["items"] for entry in json.loads(done.out)}


def test_the_folder_says_what_it_was_made_for(trained, task):
    made = json.loads((trained / "model.json").read_text())["made_for"]
    assert made["task"] == "recommend" and made["data_digest"] == load(made["source"]["data"], **OPTIONS).digest
    assert made["task_options"]["mask"] == "train"
    assert load_model(trained).sizes == {"n_users": 50, "n_items": 30}


def test_items_are_those_the_model_itself_recommends(run, trained, task):
    found = answers(run("recommend", "--model", trained, "--users", "p3, p48", "-k", 4, "--json"))
    ids, _ = load_model(trained).recommend(task, users=["p3", "p48"], k=4)
    assert found == dict(zip(["p3", "p48"], ids, strict=True))
    pairs = {(f"p{u}", f"t{i}") for u, i in _pairs(task)}
    assert not {(user, item) for user, items in found.items() for item in items} & pairs


def _pairs(task) -> list[tuple[int, int]]:
    """Return the training pairs by the numbers in their ids."""
    data = task.graph
    users, items = (data.user_ids_of(data.pairs()[0]), data.item_ids_of(data.pairs()[1]))
    return [(int(u[1:]), int(i[1:])) for u, i in zip(users, items, strict=True)]


def test_the_table_names_the_users(run, trained):
    done = run("recommend", "--model", trained, "--users", "p3", "-k", 2)
    assert done.code == 0 and "user p3" in done.out
    assert [line.split()[0] for line in done.out.splitlines() if line.strip()[:1].isdigit()] == ["1", "2"]


def test_a_forgotten_item_is_never_offered(run, trained, unlearned, shop):
    users = ",".join(f"p{n}" for n in range(1, 50, 2))
    before = answers(run("recommend", "--model", trained, "--users", users, "-k", 30, "--json"))
    after = answers(run("recommend", "--model", unlearned, "--users", users, "-k", 30, "--json"))
    assert any("t5" in items for items in before.values())
    assert not any("t5" in items for items in after.values())


def test_an_unlearned_model_needs_the_deletion_it_forgot(run, trained, shop, tmp_path):
    words = ["unlearn", "--model", trained, "--delete", shop / "people.csv", "--method", "unlink"]
    done = run(*words, "--out", tmp_path / "m")
    assert done.code == 0 and "The deletion itself is not kept (--keep-deletion keeps it, --keep-data" in done.out
    assert "The parameters moved by 0 % of their norm." in done.out
    assert "The embedding rows of the deleted users and items moved by 0 % of their norm (0 %: they are the" in done.out
    assert json.loads((tmp_path / "m/receipt.json").read_text())["forgotten_rows_change"] == 0
    assert run("report", tmp_path / "m", "--out", tmp_path / "page.html").code == 0
    assert "embedding rows of the deleted users and items moved by" in (tmp_path / "page.html").read_text()
    assert not (tmp_path / "m/deletion.json").exists()
    ask = ["recommend", "--model", tmp_path / "m", "--users", "p3,p8", "-k", 2]
    refused = run(*ask)
    assert refused.code == 3 and "Give the deletion with --forgotten FILE" in refused.err
    other = run(*ask, "--forgotten", shop / "things.csv")
    assert other.code == 3 and "not the deletion that the model in" in other.err
    done = run(*ask, "--delete", shop / "people.csv", "--json")
    notes = {entry["user"]: entry["note"] for entry in json.loads(done.out)}
    note = "deleted by unlink: what the model still holds of this user depends on that method"
    assert notes == {"p3": note, "p8": ""}
    table = run(*ask, "--delete", shop / "people.csv").out
    assert f"user p3 ({note})" in table.splitlines()


def test_the_deletion_is_kept_on_request_and_a_report_always(unlearned):
    assert json.loads((unlearned / "deletion.json").read_text()) == {"items": ["t5"]}
    assert sorted(path.name for path in (unlearned / "report").iterdir()) == [
        "report.csv",
        "report.json",
        "report.md",
        "report.tex",
    ]
    receipt = json.loads((unlearned / "receipt.json").read_text())
    assert receipt["counts"]["items"] == 1 and receipt["counts"]["users"] == 0 and not receipt["counts"]["triples"]
    assert 0 < receipt["counts"]["share_of_interactions"] < 0.1 and receipt["forgotten_rows_change"] > 0.5
    for name in ("receipt.json", "model.json"):
        assert '"t5"' not in (unlearned / name).read_text()


def test_gold_stands_in_the_kept_report(run, trained, shop, tmp_path):
    words = ["unlearn", "--model", trained, "--delete", shop / "pairs.csv", "--method", "fine-tune:epochs=1"]
    done = run(*words, "--gold", "--no-attack", "--out", tmp_path / "m")
    assert done.code == 0, done.err
    rows = {record["row"] for record in json.loads((tmp_path / "m/report/report.json").read_text())["records"]}
    assert {"Original", "Gold", "Noise floor", "Popularity", "fine-tune:epochs=1"} == rows


def test_other_data_are_refused(run, trained, shop, tmp_path):
    lines = (shop / "ratings.csv").read_text().splitlines()
    (tmp_path / "ratings.csv").write_text("\n".join(lines[:-60]) + "\n")
    done = run("recommend", "--model", trained, "--data", tmp_path / "ratings.csv", "--users", "p3")
    assert done.code == 3 and "not the data that the model in" in done.err
    assert "Give the same files, --columns and the split too, and with what must be forgotten" in done.err
    moved = tmp_path / "moved.csv"
    moved.write_text((shop / "ratings.csv").read_text())
    assert run("recommend", "--model", trained, "--data", moved, "--users", "p3", "-k", 1).code == 0


def test_train_takes_options_of_every_task(run, own, data, tmp_path):
    words = ["train", own / "edges.csv", "gcn", *data, "--task", "node", "--epochs", 2, "--hidden", 8]
    done = run(*words, "--class-mode", "entity", "--no-normalise", "--split", "random", "--out", tmp_path / "m")
    assert done.code == 0, done.err
    options = json.loads((tmp_path / "m/model.json").read_text())["made_for"]["task_options"]
    assert options["class_mode"] == "entity" and options["normalise"] is False and options["split"] == "random"
    assert run("train", "sample-shop", "mf", "--epochs", 1, "--out", tmp_path / "r").code == 0
    assert json.loads((tmp_path / "r/model.json").read_text())["made_for"]["task"] == "recommend"
