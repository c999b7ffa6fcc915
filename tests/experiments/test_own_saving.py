"""What Python leaves in a folder: another process, and the commands, go on from it."""

from __future__ import annotations

import json

import numpy as np
import pytest

import graphforget as gf
from graphforget.cli.main import main

RNG = np.random.default_rng(3)


@pytest.fixture(scope="module")
def shop() -> gf.Interactions:
    pairs = np.unique(RNG.integers(0, (20, 14), (150, 2)), axis=0)
    users, items = ([f"{word}-{n:02}" for n in range(count)] for word, count in (("client", 20), ("thing", 14)))
    return gf.Interactions.build(20, 14, pairs.T, user_ids=np.array(users), item_ids=np.array(items), name="own")


@pytest.fixture(scope="module")
def recommender(shop) -> tuple[gf.MF, gf.Recommendation]:
    """An own factorisation and the task that it was trained on somewhere else."""
    task = gf.Recommendation(shop, seed=2, ndcg="kgat")
    model = gf.MF.from_tables(RNG.normal(size=(20, 4)), RNG.normal(size=(14, 4)))
    recipe = gf.Recipe(epochs=5, lr=0.01, selection="last")
    model.provenance = gf.Provenance(recipe, seed=2, task="recommend", best_epoch=5)
    return model, task


def split(task) -> list[np.ndarray]:
    if isinstance(task, gf.LinkPrediction):
        return [task.graph.edges, *(getattr(task.split, part) for part in ("val", "val_negatives", "test"))]
    if isinstance(task, gf.NodeClassification):
        return [task.graph.edges, task.train_nodes, task.val_nodes, task.test_nodes, task.labels]
    return [task.graph.pairs(part) for part in ("train", "valid")]


def same_numbers(one, other) -> bool:
    return all(np.array_equal(a, b) for a, b in zip(split(one), split(other), strict=True))


@pytest.mark.parametrize("kind", ["nodes", "edges"])
@pytest.mark.parametrize("made", [gf.LinkPrediction, gf.NodeClassification])
def test_a_graph_goes_on_where_it_stood(random_attributed_graph, tmp_path, made, kind):
    task = made(random_attributed_graph(n=60, n_edges=200, n_classes=3), seed=4)
    model = gf.train(gf.GCN(hidden=8, **({"out": 4} if task.name == "link" else {})), task, epochs=5, validate_every=5)
    first = {"nodes": [3, 8]} if kind == "nodes" else {"edges": task.graph.edges[:, :2].T.tolist()}
    result = gf.unlearn(model, task, gf.Deletion(**first), "fine-tune:epochs=2")
    gf.save_model(result.model, tmp_path / "kept", task=result.retained)
    again, read = gf.load_task(tmp_path / "kept"), gf.load_model(tmp_path / "kept")
    assert repr(again) == repr(result.retained) and same_numbers(again, result.retained)
    np.testing.assert_allclose(read.embed(again.graph), result.model.embed(result.retained.graph), atol=1e-6)
    second = gf.unlearn(read, again, gf.Deletion(edges=again.graph.edges[:, 5:7].T.tolist()), "unlink")
    assert [one["deletion"] for one in second.retained.log] == [result.gone.digest, second.gone.digest]
    if kind == "nodes":
        with pytest.raises(gf.DataError, match="forgotten already"):
            gf.unlearn(read, again, gf.Deletion(nodes=[3]), "unlink")


def test_the_folder_of_a_recommender_tells_nothing_of_who_went(recommender, tmp_path):
    model, task = recommender
    result = gf.unlearn(model, task, gf.Deletion(users=["client-04"], items=["thing-09"]), "mmrecun")
    gf.save_model(result.model, tmp_path / "kept", task=result.retained)
    again = gf.load_task(tmp_path / "kept")
    assert repr(again) == repr(result.retained) and same_numbers(again, result.retained)
    held = [path.read_bytes() for path in sorted((tmp_path / "kept").iterdir())]
    with np.load(tmp_path / "kept" / "retained.npz") as arrays:
        words = " ".join(str(arrays[name].tolist()) for name in arrays)
    assert "client-05" in words and "client-04" not in words and "thing-09" not in words
    assert not any(name in content for content in held for name in (b"client-04", b"thing-09"))
    (record,) = json.loads((tmp_path / "kept" / "model.json").read_text())["unlearned"]
    assert record["deletion"] == result.gone.digest and record["method"]["method"] == "mmrecun"


def test_commands_take_a_model_that_was_trained_elsewhere(recommender, tmp_path, capsys):
    model, task = recommender
    gf.save_model(model, tmp_path / "own", task=task)
    (tmp_path / "gone.csv").write_text("user\nclient-07\n")
    words = ["unlearn", "--model", tmp_path / "own", "--delete", tmp_path / "gone.csv", "--method", "mmrecun"]
    assert main([*map(str, words), "--out", str(tmp_path / "left")]) == 0
    capsys.readouterr()
    assert main(["recommend", "--model", str(tmp_path / "left"), "--users", "client-03", "-k", "2", "--json"]) == 0
    wanted = gf.load_model(tmp_path / "left").recommend(gf.load_task(tmp_path / "left"), ["client-03"], k=2)
    assert str(wanted[0][0][0]) in capsys.readouterr().out
    result = gf.unlearn(model, task, gf.Deletion(users=["client-07"]), "mmrecun")
    ours, theirs = result.model.state_dict(), gf.load_model(tmp_path / "left").state_dict()
    assert all(ours[name].equal(theirs[name]) for name in ours)


def test_what_would_keep_the_forgotten_or_write_over_is_refused(recommender, tmp_path):
    model, task = recommender
    result = gf.unlearn(model, task, gf.Deletion(users=["client-04"]), "mmrecun")
    with pytest.raises(gf.UsageError, match=r"still holds what the model has forgotten.*result\.retained"):
        gf.save_model(result.model, tmp_path / "kept", task=task)
    gf.save_model(result.model, tmp_path / "kept", task=result.retained)
    with pytest.raises(gf.UsageError, match="is there already"):
        gf.save_model(result.model, tmp_path / "kept", task=result.retained)
    gf.save_model(model, tmp_path / "alone")
    with pytest.raises(gf.DataError, match="does not say which data"):
        gf.load_task(tmp_path / "alone")


def test_a_model_that_does_not_fit_the_task_is_refused(recommender, random_attributed_graph, tmp_path):
    _, task = recommender
    other = gf.MF.from_tables(np.zeros((5, 4)), np.zeros((14, 4)))
    graph = gf.NodeClassification(random_attributed_graph(n=60, n_edges=200, n_classes=3), seed=4)
    for given, error, words in (
        (task, gf.DataError, "was made for 5 users"),
        (graph, gf.UnsupportedError, "this is a node task"),
        ("own", gf.UsageError, "is no task"),
    ):
        with pytest.raises(error, match=words):
            gf.save_model(other, tmp_path / "kept", task=given)
    assert not (tmp_path / "kept").exists()


def test_a_published_split_keeps_its_name(random_attributed_graph, tmp_path):
    masks = {part: np.arange(60) // 20 == place for place, part in enumerate(("train", "val", "test"))}
    task = gf.NodeClassification(random_attributed_graph(n=60, n_edges=200, n_classes=3, masks=masks), split="public")
    model = gf.train(gf.GCN(hidden=8), task, epochs=2, validate_every=2)
    gf.save_model(model, tmp_path / "kept", task=task)
    assert repr(gf.load_task(tmp_path / "kept")) == repr(task) and "public split" in repr(task)
