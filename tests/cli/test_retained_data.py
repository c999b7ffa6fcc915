"""A folder that keeps the data that are left: the owner erases the deleted rows and goes on from the folder alone."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest

from graphforget.cli.main import main
from graphforget.experiments.retained_data import RETAINED, read_retained, write_retained

FAST = ["--epochs", 4, "--validate-every", 2]
COLUMNS = "user=person,item=thing,rating=stars,time=when"
DELETIONS = {
    "person": ("user", "pers-anna"),
    "thing": ("item", "thing-xi"),
    "second": ("user", "p8", "p9"),
    "node": ("node", "node-eve"),
    "pairs": ("source,target", "u20,u22", "u40,u41"),
}


def call(*words: object) -> None:
    """Run a command that must work."""
    assert main([str(word) for word in words]) == 0


def wrote(path: Path, *lines: str) -> Path:
    """Return a file of the given lines."""
    path.write_text("\n".join(lines) + "\n")
    return path


def erase(path: Path, *ids: str) -> None:
    """Take the lines that name an id off a table."""
    lines = path.read_text().splitlines()
    wrote(path, *(line for line in lines if not set(line.split(",")) & set(ids)))


def held(folder: Path, name: str) -> list[Path]:
    """Return the files below a folder that hold a text, whatever its encoding there."""
    forms = [name.encode(code) for code in ("utf-8", "utf-16-le", "utf-32-le", "utf-32-be")]
    return [f for f in folder.rglob("*") if f.is_file() and any(form in f.read_bytes() for form in forms)]


@pytest.fixture(scope="module")
def files(tmp_path_factory, shop, own) -> Path:
    """Return a folder with own data in which the things to go have ids like no others, and models trained on them."""
    folder = tmp_path_factory.mktemp("kept")
    renamed = [("p3,", "pers-anna,"), ("t5,", "thing-xi,")]
    text = (shop / "ratings.csv").read_text()
    for old, new in renamed:
        text = text.replace(f"\n{old}", f"\n{new}").replace(f",{old}", f",{new}")
    (folder / "ratings.csv").write_text(text)
    things = [*(f"t{n}" for n in range(30) if n != 5), "thing-xi"]
    wrote(folder / "image.csv", "id,a,b", *(f"{t},{n % 7 / 7},{n % 5 / 5}" for n, t in enumerate(things)))
    facts = [f"{t}\tmade_by\tmaker-{n % 4}" for n, t in enumerate(things[:-1])] + ["thing-xi\tmade_by\tmaker-lone"]
    wrote(folder / "facts.tsv", "head\trelation\ttail", *facts)
    for name in ("edges.csv", "features.csv", "labels.csv"):
        (folder / name).write_text((own / name).read_text().replace("u5,", "node-eve,").replace(",u5\n", ",node-eve\n"))
    for name, lines in DELETIONS.items():
        wrote(folder / f"{name}.csv", *lines)
    side = ["--modality-file", f"image={folder / 'image.csv'}", "--triples-file", folder / "facts.tsv"]
    read = ["--columns", COLUMNS, "--min-rating", 4, "--dim", 8, "--batch", 128, *FAST, "--seed", 3]
    graph = ["--features", folder / "features.csv", "--labels", folder / "labels.csv", "--hidden", 8, *FAST]
    call("train", folder / "ratings.csv", "vbpr", *read, *side, "--out", folder / "shop-0")
    call("train", folder / "edges.csv", "gcn", *graph, "--out", folder / "link-0")
    call("train", folder / "edges.csv", "gcn", *graph, "--task", "node", "--out", folder / "node-0")
    return folder


def unlearned(files: Path, model: str, gone: str, out: Path, *more: object, method: str = "fine-tune:epochs=1") -> Path:
    """Return the folder of a model after one more deletion."""
    call("unlearn", "--model", files / model, "--delete", files / gone, "--method", method, "--out", out, *more)
    return out


def answers(run, folder: Path, *more: object) -> dict:
    """Return user -> (items, scores) of `recommend --json`."""
    done = run("recommend", "--model", folder, "--users", "p1,p2,p8,p40", "-k", 30, "--json", *more)
    assert done.code == 0, done.err
    return {entry["user"]: (entry["items"], entry["scores"], entry["note"]) for entry in json.loads(done.out)}


def same_weights(one: Path, other: Path) -> bool:
    """Return whether two folders hold the same model, byte for byte."""
    return (one / "model.safetensors").read_bytes() == (other / "model.safetensors").read_bytes()


@pytest.fixture(scope="module")
def once(files, tmp_path_factory) -> Path:
    """Return a folder with the recommender after a thing is forgotten: the data kept, and the deletion kept."""
    folder = tmp_path_factory.mktemp("once")
    unlearned(files, "shop-0", "thing.csv", folder / "kept", "--keep-data")
    unlearned(files, "shop-0", "thing.csv", folder / "full", "--keep-deletion")
    return folder


@contextmanager
def changed(files: Path, *names: str, erased: tuple[str, ...] = ()) -> Iterator[None]:
    """Take the lines that name an id off files, or the files away, for a while."""
    before = {name: (files / name).read_bytes() for name in names}
    try:
        for name in names:
            erase(files / name, *erased) if erased else (files / name).unlink()
        yield
    finally:
        for name, content in before.items():
            (files / name).write_bytes(content)


def test_the_page_says_the_command_that_keeps_the_data(once, run, tmp_path):
    for name, words in (("kept", "--keep-data --out FOLDER"), ("full", " --out FOLDER")):
        assert run("report", once / name, "--out", tmp_path / f"{name}.html").code == 0
        page = (tmp_path / f"{name}.html").read_text(encoding="utf-8")
        assert words in page and ("--keep-data --out" in page) == (name == "kept")


def test_features_are_not_forgotten_twice(files, run, tmp_path):
    """Data that a folder keeps do not name who lost features; rows without any say so."""
    wrote(files / "pixels.csv", "feature_of", "node-eve")
    unlearned(files, "link-0", "pixels.csv", tmp_path / "kept", "--keep-data")
    again = run("unlearn", "--model", tmp_path / "kept", "--delete", files / "pixels.csv", "--out", tmp_path / "more")
    assert (
        again.code == 3 and "1 of the nodes named have no features in the data that the model folder keeps" in again.err
    )


def test_a_recommender_goes_on_from_its_folder_alone(files, once, run, tmp_path):
    kept, full = once / "kept", once / "full"
    assert same_weights(kept, full) and answers(run, kept) == answers(run, full)
    full_2 = unlearned(once, "full", files / "person.csv", tmp_path / "full-2", "--keep-deletion")
    expected = answers(run, full_2)
    with changed(files, "ratings.csv", erased=("thing-xi", "pers-anna")), changed(files, "image.csv", "facts.tsv"):
        kept_2 = unlearned(once, "kept", files / "person.csv", tmp_path / "kept-2")
        assert same_weights(kept_2, full_2) and answers(run, kept_2) == expected
        third = unlearned(tmp_path, "kept-2", files / "second.csv", tmp_path / "kept-3")
        unknown = run("recommend", "--model", third, "--users", "p1,p8")
        again = run("unlearn", "--model", third, "--delete", files / "second.csv", "--out", tmp_path / "kept-4")
    for refused in (unknown, again):
        assert refused.code == 3 and "no user with id 'p8'" in refused.err
        assert "what the model has forgotten before is not in them, nor are its ids" in refused.err
        assert "(forgotten " not in refused.err
    nobody = next(key for key in read_retained(third)["user_ids"].tolist() if key.startswith("(forgotten "))
    refused = run("recommend", "--model", third, "--users", nobody)
    assert refused.code == 3 and "it stands for one who is forgotten" in refused.err
    assert all(items and "thing-xi" not in items for items, _, _ in expected.values())
    assert not [name for name in ("thing-xi", "pers-anna", "maker-lone") if held(kept_2, name)]
    assert held(kept, "pers-anna") == [kept / RETAINED] and held(full, "thing-xi")
    receipts = [json.loads((folder / "receipt.json").read_text()) for folder in (kept, kept_2, third)]
    assert [len(one["earlier"]) for one in receipts] == [0, 1, 2]
    counts, facts = receipts[0]["counts"], (files / "facts.tsv").read_text().splitlines()
    assert counts["triples"] == sum("thing-xi" in line.split("\t") for line in facts) > 0
    assert counts["modalities"] == {"image": 1} and not receipts[1]["counts"]["modalities"]
    assert all(a["data"]["kept"] == b["data"]["before"] for a, b in pairwise(receipts))


def test_a_user_whose_every_pair_is_deleted_leaves_no_id(files, once, tmp_path):
    lines = [line.split(",") for line in (files / "ratings.csv").read_text().splitlines()[1:]]
    ratings = [(person, thing) for person, thing, stars, _ in lines if stars >= "4" and thing != "thing-xi"]
    mine = wrote(tmp_path / "all.csv", "user,item", *(f"{p},{t}" for p, t in ratings if p == "p8"))
    kept = unlearned(once, "kept", mine, tmp_path / "m", method="unlink")
    users = [set(read_retained(folder)["user_ids"].tolist()) for folder in (once / "kept", kept)]
    (nameless,) = users[1] - users[0]
    assert users[0] - users[1] == {"p8"} and nameless.startswith("(forgotten ")
    assert held(kept, "pers-anna") and not held(kept, "thing-xi")


@pytest.mark.parametrize("task", ["link", "node"])
def test_a_graph_model_goes_on_from_its_folder_alone(files, tmp_path, task):
    kept = unlearned(files, f"{task}-0", "node.csv", tmp_path / "kept-1", "--keep-data", method="retrain")
    unlearned(files, f"{task}-0", "node.csv", tmp_path / "full-1", "--keep-deletion", method="retrain")
    full = unlearned(tmp_path, "full-1", files / "pairs.csv", tmp_path / "full-2", method="retrain")
    with changed(files, "edges.csv", "features.csv", "labels.csv", erased=("node-eve",)):
        second = unlearned(tmp_path, "kept-1", files / "pairs.csv", tmp_path / "kept-2", method="retrain")
    assert same_weights(second, full) and not held(kept, "node-eve") and not held(second, "node-eve")
    edges, ids = read_retained(second)["edges"], read_retained(second)["ids"].tolist()
    assert not ((edges == ids.index("u20")).any(0) & (edges == ids.index("u22")).any(0)).any()


def test_without_kept_data_erased_rows_are_refused_and_whole_files_may_still_be_named(files, once, run, tmp_path):
    copy = tmp_path / "ratings.csv"
    copy.write_bytes((files / "ratings.csv").read_bytes())
    erase(copy, "thing-xi")
    done = run("recommend", "--model", once / "full", "--data", copy, "--users", "p1")
    assert done.code == 3 and "not the data that the model" in done.err
    whole = ["--data", files / "ratings.csv"]
    asked = run("recommend", "--model", once / "kept", "--users", "p1", *whole)
    assert asked.code == 3 and "--keep-data" in asked.err and "--forgotten FILE" in asked.err
    given = answers(run, once / "kept", *whole, "--forgotten", files / "thing.csv")
    assert given == answers(run, once / "kept")


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (["--min-rating", 4], "--min-rating means nothing"),
        (["--valid-share", 0.2], "--valid-share means nothing"),
        (["--forgotten", "thing.csv"], "--forgotten means nothing"),
    ],
)
def test_what_says_how_to_read_files_is_refused_where_none_is_read(once, run, options, words):
    done = run("recommend", "--model", once / "kept", "--users", "p1", *options)
    assert done.code == 2 and words in done.err and "retained.npz" in done.err
    assert run("recommend", "--model", once / "kept", "--users", "p1", "--columns", COLUMNS).code == 0


def test_damaged_or_foreign_kept_data_are_refused(once, run, tmp_path):
    kept = shutil.copytree(once / "kept", tmp_path / "kept")
    whole, arrays = (kept / RETAINED).read_bytes(), read_retained(kept)
    for content, words in (
        (whole[: len(whole) // 2], "not a readable .npz archive"),
        ({**arrays, "train": arrays["train"][:, 1:]}, "not the data that the folder speaks of"),
        ({key: value for key, value in arrays.items() if key != "train"}, "not whole"),
        ({**arrays, "format": np.array("other/1")}, "its format is not"),
        (None, "retained.npz is not there"),
    ):
        (kept / RETAINED).unlink()
        if isinstance(content, bytes):
            (kept / RETAINED).write_bytes(content)
        elif content is not None:
            write_retained(kept, content)
        done = run("recommend", "--model", kept, "--users", "p1")
        assert done.code == 3 and words in done.err, done.err


def test_the_deletion_is_not_kept_beside_data_that_hold_nothing_of_it(files, once, run, tmp_path):
    for folder, more, words in (
        (files / "shop-0", ["--keep-data"], "a folder has one of them"),
        (once / "kept", [], "Leave --keep-deletion out"),
    ):
        ask = ["unlearn", "--model", folder, "--delete", files / "person.csv", "--method", "unlink", "--keep-deletion"]
        done = run(*ask, *more, "--out", tmp_path / "m")
        assert done.code == 2 and words in done.err and not (tmp_path / "m").exists()
