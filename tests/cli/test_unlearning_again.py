"""A model that has forgotten forgets more: its retained part is the data of the next deletion."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from graphforget.cli.main import main
from graphforget.data.deletion import Deletion
from graphforget.data.load import load
from graphforget.models.edited import Edited
from graphforget.tasks.link import LinkPrediction
from graphforget.tasks.node import NodeClassification
from graphforget.tasks.recommend import Recommendation
from graphforget.training.model_folder import load_model
from graphforget.unlearning.run import unlearn

FAST = ["--epochs", "6", "--validate-every", "3"]
COLUMNS = {"user": "person", "item": "thing", "rating": "stars", "time": "when"}


def forget(model: Path, gone: Path, out: Path, method: str, *more: object) -> None:
    """Make the model in a folder forget what a file names."""
    words = ["unlearn", "--model", model, "--delete", gone, "--method", method, "--out", out, *more]
    assert main([str(word) for word in words]) == 0


def receipt(folder: Path) -> dict:
    """Return the receipt of a model folder."""
    return json.loads((folder / "receipt.json").read_text())


@pytest.fixture(scope="module")
def files(tmp_path_factory, own, shop) -> Path:
    """Return a folder with second deletions, a GCN of each task and an MF, each also after a first deletion."""
    folder = tmp_path_factory.mktemp("again")
    (folder / "edges.csv").write_text("source,target\nu20,u22\nu40,u41\n")
    (folder / "red.csv").write_text("class\nred\n")
    (folder / "blue.csv").write_text("class\nblue\n")
    data = [own / "edges.csv", "gcn", "--features", own / "features.csv", "--labels", own / "labels.csv"]
    ratings = [shop / "ratings.csv", "mf", "--columns", ",".join(f"{k}={v}" for k, v in COLUMNS.items()), "--dim", 8]
    made = {"link": [*data, "--hidden", 8], "node": [*data, "--hidden", 8, "--task", "node"], "mf": ratings}
    for name, words in made.items():
        assert main([str(word) for word in ["train", *words, *FAST, "--seed", 7, "--out", folder / name]]) == 0
    forget(folder / "link", own / "delete_edges.csv", folder / "link-1", "fine-tune:epochs=2", "--keep-deletion")
    forget(folder / "node", folder / "red.csv", folder / "node-1", "fine-tune:epochs=2", "--keep-deletion")
    forget(folder / "mf", shop / "things.csv", folder / "mf-1", "fine-tune:epochs=1", "--keep-deletion")
    return folder


def task_of(name: str, own: Path, shop: Path):
    """Return the task that the model `name` was trained on."""
    if name == "mf":
        return Recommendation(load(shop / "ratings.csv", columns=COLUMNS), 7)
    graph = load(own / "edges.csv", features=own / "features.csv", labels=own / "labels.csv")
    return LinkPrediction(graph, 7) if name == "link" else NodeClassification(graph, 7)


@pytest.mark.parametrize(
    ("name", "first", "second", "method"),
    [
        ("link", "own/delete_edges.csv", "edges.csv", "d2dgn:epochs=3"),
        ("link", "own/delete_edges.csv", "own/delete_nodes.csv", "retrain"),
        ("node", "red.csv", "blue.csv", "neg-grad-plus:epochs=2"),
        ("mf", "shop/things.csv", "shop/people.csv", "mmrecun:epochs=2"),
    ],
)
def test_the_second_deletion_goes_from_what_the_first_retained(files, own, shop, tmp_path, name, first, second, method):
    places = {"own": own, "shop": shop}
    first, second = (places.get(file.split("/")[0], files) / file.split("/")[-1] for file in (first, second))
    forget(files / f"{name}-1", second, tmp_path / "m", method)
    task, columns = task_of(name, own, shop), COLUMNS if name == "mf" else None
    gone, more = (Deletion.read(file, columns=columns) for file in (first, second))
    retained = task.without(task.resolve(gone))
    result = unlearn(load_model(files / f"{name}-1"), retained, more, method)
    mine, theirs = load_model(tmp_path / "m").state_dict(), result.model.state_dict()
    assert list(mine) == list(theirs) and all(mine[key].equal(theirs[key]) for key in mine)
    done, before = receipt(tmp_path / "m"), receipt(files / f"{name}-1")
    assert done["deletion"]["digest"] == more.digest
    assert [one["deletion"] for one in done["earlier"]] == [gone.digest]
    assert done["earlier"][0]["what"] == before["deletion"]["what"] and before["earlier"] == []
    assert done["data"]["before"] == before["data"]["after"] != done["data"]["after"]


def test_the_deletions_that_are_not_kept_are_given(files, own, tmp_path, capsys):
    forget(files / "link-1", files / "edges.csv", tmp_path / "two", "unlink")
    assert [path.name for path in (tmp_path / "two").glob("deletion*")] == []
    ask = ["unlearn", "--model", tmp_path / "two", "--delete", own / "delete_nodes.csv", "--method", "unlink"]
    one, other = ["--forgotten", files / "edges.csv"], ["--forgotten", own / "delete_edges.csv"]
    for more, words in (
        ([], "Give the deletion with --forgotten FILE (one for each)"),
        (one, "has forgotten 2 deletions, and 1 of them is not given"),
        (["--forgotten", own / "delete_nodes.csv"], "not the deletion that the model in"),
    ):
        capsys.readouterr()
        assert main([str(word) for word in [*ask, *more, "--out", tmp_path / "three"]]) == 3
        assert words in capsys.readouterr().err
        assert not (tmp_path / "three").exists()
    assert main([str(word) for word in [*ask, *one, *other, "--keep-deletion", "--out", tmp_path / "three"]]) == 0
    assert "The deletions are in deletion.json, deletion-2.json, deletion-3.json beside" in capsys.readouterr().out
    kept = [Deletion.read(tmp_path / "three" / name) for name in ("deletion.json", "deletion-2.json")]
    assert [one.digest for one in kept] == [one["deletion"] for one in receipt(tmp_path / "three")["earlier"]]


@pytest.mark.parametrize(
    ("model", "gone", "words"),
    [
        ("link-1", "own/delete_edges.csv", "has no edge between"),
        ("node-1", "red.csv", "1 of the classes named have been forgotten already"),
        ("mf-1", "shop/things.csv", "have been forgotten already"),
    ],
)
def test_what_was_forgotten_is_not_forgotten_again(files, own, shop, run, tmp_path, model, gone, words):
    file = {"own": own, "shop": shop}.get(gone.split("/")[0], files) / gone.split("/")[-1]
    done = run("unlearn", "--model", files / model, "--delete", file, "--out", tmp_path / "m")
    assert done.code == 3 and words in done.err, done.err
    assert not (tmp_path / "m").exists()


def test_learned_operators_stack_and_keep_the_recipe_of_the_model_under_them(files, own, tmp_path):
    forget(files / "link", own / "delete_edges.csv", tmp_path / "one", "gnndelete:epochs=2", "--keep-deletion")
    forget(tmp_path / "one", files / "edges.csv", tmp_path / "two", "gnndelete:epochs=2", "--gold", "--no-attack")
    model = load_model(tmp_path / "two")
    assert isinstance(model, Edited) and isinstance(model.base, Edited)
    assert model.provenance.recipe == load_model(files / "link").provenance.recipe
    assert model.provenance.recipe.epochs == 6


def test_shards_are_not_trained_from_the_start_again(files, shop, tmp_path):
    forget(files / "mf", shop / "things.csv", tmp_path / "one", "sisa:shards=3", "--keep-deletion")
    (tmp_path / "one-user.csv").write_text("user\np7\n")
    forget(tmp_path / "one", tmp_path / "one-user.csv", tmp_path / "two", "sisa:shards=3")
    first, second = receipt(tmp_path / "one"), receipt(tmp_path / "two")
    assert first["preparation_seconds"] > 0 == second["preparation_seconds"]
    assert second["details"]["shards_touched"] == 1


def test_nothing_forgotten_is_offered(files, shop, run, tmp_path):
    forget(files / "mf-1", shop / "people.csv", tmp_path / "m", "fine-tune:epochs=1", "--keep-deletion")
    done = run("recommend", "--model", tmp_path / "m", "--users", "p3,p8", "-k", 30, "--json")
    assert done.code == 0, done.err
    found = {entry["user"]: entry for entry in json.loads(done.out)}
    assert found["p3"]["note"].startswith("deleted by fine-tune: what the model still holds")
    assert found["p8"]["note"] == ""
    assert "t5" not in found["p3"]["items"] + found["p8"]["items"]
    assert len(found["p3"]["items"]) == 29


def test_a_record_that_is_no_record_is_refused(files, own, run, tmp_path):
    forget(files / "link", own / "delete_edges.csv", tmp_path / "m", "unlink", "--keep-deletion")
    description = json.loads((tmp_path / "m/model.json").read_text())
    for record, words in (
        ({"deletion": "x"}, "'unlearned' does not say"),
        ([{**description["unlearned"][0], "data_digest": "0"}], "not those that the folder speaks of"),
        ([{**description["unlearned"][0], "deletion": "0"}], "not the deletion that the model has forgotten"),
    ):
        (tmp_path / "m/model.json").write_text(json.dumps({**description, "unlearned": record}))
        done = run("unlearn", "--model", tmp_path / "m", "--delete", files / "edges.csv", "--out", tmp_path / "n")
        assert done.code == 3 and words in done.err, done.err
