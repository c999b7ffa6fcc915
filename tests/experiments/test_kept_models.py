"""The models that a store of runs keeps, found again from a run, and the map of their embeddings."""

from __future__ import annotations

import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import read_json, write_json
from graphforget._core.toml import to_toml
from graphforget.cli.main import main
from graphforget.experiments import grid as grids
from graphforget.experiments.events import silent
from graphforget.experiments.farm import work_through
from graphforget.experiments.figures import map_of
from graphforget.experiments.kept_models import chosen, kept_models
from graphforget.experiments.page_facts import facts_of
from graphforget.experiments.published import find_preset
from graphforget.experiments.reproduce import prepare_reproduction, record_of
from graphforget.experiments.run_folder import read_run, run_folders
from graphforget.experiments.sources import read_one_source, read_source
from graphforget.training.model_folder import load_model

TUNED = "fine-tune:epochs=2,lr=0.01"
GRID = {
    "data": ["sample-citations"],
    "backbones": ["gcn"],
    "methods": ["unlink", TUNED],
    "seeds": [1, 2],
    "gold_runs": 1,
    "attack": False,
    "recipe": {"epochs": 6, "validate_every": 3},
    "architecture": {"hidden": 8},
    "deletions": [{"name": "9 edges", "kind": "edges", "count": 9}, {"name": "7 nodes", "kind": "nodes", "count": 7}],
}


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    """A store in which a grid of two deletions is finished."""
    folder = tmp_path_factory.mktemp("kept")
    (folder / "mine.toml").write_text(to_toml({"grids": [GRID]}))
    plan = prepare_reproduction(find_preset(str(folder / "mine.toml")), folder / "runs")
    write_json(plan.record, record_of(plan))
    work_through(plan.units, plan.root, silent)
    return plan.root


def run_of(root: Path, unit: str, deletion: str = "9 edges", seed: int = 2, method: str = TUNED) -> Path:
    """Return the folder of a run."""
    wanted = {"seed": seed} if unit == "original" else {"deletion": deletion, "seed": seed}
    wanted |= {"method": method} if unit == "method" else {}
    runs = [(folder, read_run(folder)) for folder in run_folders(root)]
    return next(f for f, run in runs if run.unit == unit and all(run.fields[k] == v for k, v in wanted.items()))


def test_a_run_leads_to_its_own_models_and_another_to_the_closest(root):
    mine = run_of(root, "method")
    found = read_source(mine)
    assert chosen(found, None, None) == (TUNED, 2) and chosen(found, "unlink", None) == ("unlink", 2)
    assert chosen(found, None, 1) == (TUNED, 1)
    trio = kept_models(found, TUNED, 2)
    for model, folder in (
        (trio.original, run_of(root, "original")),
        (trio.gold.model, run_of(root, "gold")),
        (trio.result.model, mine),
    ):
        z, same = (one.embed(trio.prepared.retained.graph).numpy() for one in (model, load_model(folder)))
        assert z.tobytes() == same.tobytes()
    assert trio.prepared.gone.digest == json.loads((mine / "receipt.json").read_text())["deletion"]["digest"]
    gold = read_source(run_of(root, "gold"))
    assert gold.named is None and chosen(gold, None, None)[0] in ("unlink", TUNED) and chosen(gold, None, None)[1] == 1


@pytest.mark.parametrize("deletion", ["9 edges", "7 nodes"])
def test_the_map_of_a_run_marks_what_was_forgotten(root, deletion):
    mine = run_of(root, "method", deletion)
    figure = map_of(read_source(mine))
    gone = kept_models(read_source(mine), TUNED, 2).prepared.gone
    forgotten = np.unique(gone.edges) if deletion == "9 edges" else gone.nodes
    marked = [line.get_xydata() for ax in figure.axes for line in ax.get_lines() if line.get_label() == "forgotten"]
    assert [len(places) for places in marked] == [len(forgotten)] * 3
    titles = [ax.get_title(loc="left").replace("\n", " ") for ax in figure.axes]
    assert titles == ["before (original)", f"after ({TUNED})", "gold (trained without)"]


def test_a_page_of_a_run_shows_the_map(root):
    facts = facts_of(read_source(run_of(root, "method")))
    assert "Where the forgotten part lies" in [one.heading for one in facts.pictures] and not facts.absent


def test_a_store_of_several_tables_names_a_run_of_each(root):
    with pytest.raises(
        UsageError, match=r"holds 2 tables, and one is drawn. Name one run of it, as .*7 nodes.*; .*9 edges"
    ):
        read_one_source(root)
    assert read_one_source(run_of(root, "references")).report.heading()


def test_the_command_draws_the_map_of_a_run(root, tmp_path, capsys):
    words = ["plot", str(run_of(root, "method")), "--kind", "map", "--out"]
    assert main([*words, str(tmp_path / "a.png")]) == main([*words, str(tmp_path / "b.png"), "--method", TUNED]) == 0
    assert (tmp_path / "a.png").read_bytes() == (tmp_path / "b.png").read_bytes()
    assert main(["plot", str(root), "--kind", "map", "--out", str(tmp_path / "c.png")]) == 2
    assert "holds 2 tables" in capsys.readouterr().err and not (tmp_path / "c.png").exists()


def test_the_data_are_looked_for_where_the_store_had_them(root, tmp_path, monkeypatch):
    copy = shutil.copytree(root, tmp_path / "runs")
    (record,) = (copy / "grids").glob("*.json")
    write_json(record, {**read_json(record), "data_dir": str(tmp_path / "there")})
    asked = []
    whole = grids.Grid.source
    monkeypatch.setattr(grids.Grid, "source", lambda self, data, place: asked.append(place) or whole(self, data, None))
    kept_models(read_source(run_of(copy, "method")), TUNED, 2)
    assert asked == [str(tmp_path / "there")]


def test_what_is_not_there_is_refused_with_a_sentence(root, tmp_path):
    copy = shutil.copytree(root, tmp_path / "runs")
    mine = run_of(copy, "method")
    found = read_source(mine)
    with pytest.raises(UsageError, match=re.escape("--method 'retrain'") + ".*holds"):
        map_of(found, "retrain")
    with pytest.raises(UsageError, match="--seed 3: .* holds the seeds 1, 2"):
        map_of(found, TUNED, 3)
    with pytest.raises(DataError, match="holds no models.*a folder of runs in which a method is finished"):
        map_of(read_source(run_of(copy, "original")))
    text = (mine / "config.toml").read_text()
    (mine / "config.toml").write_text(text.replace("epochs = 6", "epochs = 7"))
    with pytest.raises(DataError, match="made from other data, or by another version"):
        map_of(found)
    (mine / "config.toml").write_text(text)
    shutil.rmtree(run_of(copy, "gold"))
    with pytest.raises(DataError, match="the model 'gold-1' of seed 2 is not there"):
        map_of(found)
