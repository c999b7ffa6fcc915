"""What a folder or a file of results is read as, and the pictures and facts made of it."""

from __future__ import annotations

import json
import shutil

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget._core.files import read_json, write_json
from graphforget.evaluation.page import page
from graphforget.experiments.figures import map_of, points_of, scaling_of, trajectories_of
from graphforget.experiments.page_facts import facts_of
from graphforget.experiments.plan_again import plan_again
from graphforget.experiments.prepare import prepare
from graphforget.experiments.single import run_plan
from graphforget.experiments.sources import read_source
from graphforget.training.model_folder import load_model

METHOD = "d2dgn:epochs=6,validate_every=2"


@pytest.fixture(scope="module")
def folder(make_plan, tmp_path_factory):
    """A finished comparison; tests that change it take a copy."""
    out = tmp_path_factory.mktemp("comparison") / "run"
    run_plan(make_plan(out=out, methods=(METHOD, "unlink"), seeds=(5, 6)))
    return out


@pytest.fixture
def copied(folder, tmp_path):
    return shutil.copytree(folder, tmp_path / "run")


def test_a_comparison_is_read_with_histories_environment_and_deletions(folder):
    found = read_source(folder)
    assert found.report.seeds == (5, 6) and found.plan == read_json(folder / "plan.json")
    mine = next(one for one in found.histories if (one.row, one.seed) == (METHOD, 5))
    assert [entry["epoch"] for entry in mine.entries] == [2, 4, 6]
    assert (
        list(mine.entries)
        == read_json(folder / "seed-5" / f"method-{METHOD.replace(':', '_').replace(',', '_')}" / "receipt.json")[
            "history"
        ]
    )
    original = next(one for one in found.histories if (one.row, one.seed) == ("Original", 6))
    assert original.kept == load_model(folder / "seed-6/original").provenance.best_epoch
    assert set(found.environment) >= {"python", "torch", "graphforget"}
    assert found.ids()["seed 5"].edges and set(found.deletions) == {"seed 5", "seed 6"}


def test_a_report_alone_has_no_more_than_its_records(folder, tmp_path):
    shutil.copy(folder / "report/report.json", tmp_path / "alone.json")
    for place in (tmp_path / "alone.json", folder / "report"):
        found = read_source(place)
        assert (found.folder, found.plan, found.histories) == (None, None, ())
        assert found.report == read_source(folder).report
        with pytest.raises(DataError, match="holds no history of its runs.*--out FOLDER"):
            trajectories_of(found)
        with pytest.raises(DataError, match="holds no models.*--out FOLDER"):
            map_of(found)
        with pytest.raises(DataError, match="Leave --with-ids out"):
            facts_of(found, with_ids=True)


def test_the_output_of_a_command_with_json_is_a_source(folder, tmp_path):
    whole = {"plan": read_json(folder / "plan.json"), "report": read_json(folder / "report/report.json"), "failed": []}
    write_json(tmp_path / "said.json", whole)
    found = read_source(tmp_path / "said.json")
    assert found.plan == whole["plan"] and found.report == read_source(folder).report


@pytest.mark.parametrize(
    ("name", "text", "phrase"),
    [
        ("a.json", "{", "a.json line 1"),
        ("b.json", "[1]", "b.json: This is not a report of this version"),
        ("c.json", '{"report": {"format": "x"}}', "c.json: This is not a report of this version"),
        ("plan.json", "[]", "plan.json: holds a list where names and values must be"),
        ("plan.json", '{"seeds": [1]}', "plan.json: names no seeds or methods"),
        ("plan.json", '{"seeds": [], "methods": {}}', "the run has not ended. Repeat its command"),
        ("other.txt", "", "no results are in it"),
    ],
)
def test_what_is_no_result_is_refused_with_a_sentence(tmp_path, name, text, phrase):
    (tmp_path / name).write_text(text)
    place = tmp_path / name if name[1:] == ".json" else tmp_path
    with pytest.raises(DataError, match=phrase):
        read_source(place)


def test_the_plan_read_back_prepares_the_same_stages(folder, make_plan):
    plan = plan_again(read_json(folder / "plan.json"))
    mine = prepare(plan, plan.setup.source.load(), 5).digests
    same = make_plan(methods=(METHOD, "unlink"), seeds=(5, 6))
    assert mine == prepare(same, same.setup.source.load(), 5).digests


@pytest.mark.parametrize("key", ["setup", "request", "methods", "seeds"])
def test_a_plan_that_is_not_whole_is_refused(folder, key):
    facts = {name: value for name, value in read_json(folder / "plan.json").items() if name != key}
    with pytest.raises(DataError, match="cannot be made again"):
        plan_again(facts)


def test_the_map_shows_the_embeddings_of_the_kept_models(folder):
    found = read_source(folder)
    figure = map_of(found, METHOD, 6)
    plan = plan_again(found.plan, (METHOD,))
    prepared = prepare(plan, plan.setup.source.load(), 6)
    z = load_model(folder / "seed-6/original").embed(prepared.task.graph).numpy()
    forgotten = np.unique(prepared.gone.edges)
    marked = next(line for line in figure.axes[0].get_lines() if line.get_label() == "forgotten").get_xydata()
    centred = z - z.mean(axis=0)
    axes = np.linalg.svd(centred, full_matrices=False)[2][:2]
    np.testing.assert_allclose(np.abs(marked), np.abs(centred[forgotten] @ axes.T), atol=1e-4)
    assert [ax.get_title(loc="left").replace("\n", " ") for ax in figure.axes][::2] == [
        "before (original)",
        "gold (trained without)",
    ]


def test_the_map_refuses_what_is_not_there(copied):
    found = read_source(copied)
    with pytest.raises(UsageError, match="--method 'retrain'.*holds d2dgn:epochs=6,validate_every=2, unlink"):
        map_of(found, "retrain")
    with pytest.raises(UsageError, match="--seed 7: .* holds the seeds 5, 6"):
        map_of(found, seed=7)
    shutil.rmtree(copied / "seed-5/gold-1")
    with pytest.raises(DataError, match="the model 'gold-1' of seed 5 is not there"):
        map_of(found, "unlink", 5)


def test_reports_of_one_experiment_share_a_panel_and_others_have_their_own(folder, tmp_path):
    found = read_source(folder)
    body = read_json(folder / "report/report.json")
    paths = []
    for number, seed in enumerate((5, 6, 6)):
        records = [record for record in body["records"] if record["seed"] == seed]
        title = body["title"] if number < 2 else "another experiment"
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_text(json.dumps({**body, "title": title, "records": records}))
    axes = points_of([read_source(path) for path in paths], "utility", "forgetting").axes
    (whole,) = points_of([found], "utility", "forgetting").axes
    places = [{line.get_label(): tuple(line.get_xydata()[0]) for line in ax.get_lines()} for ax in (axes[0], whole)]
    assert len(axes) == 2 and places[0] == places[1]


def test_a_page_of_a_comparison_says_what_was_asked_and_no_id(folder):
    found = read_source(folder)
    text = page(found.report, facts_of(found, "graphforget edges", "a note"))
    shown = page(found.report, facts_of(found, with_ids=True))
    for phrase in (
        "drawn at random",
        "training of original and gold",
        "Along the way",
        "Where the forgotten part lies",
    ):
        assert phrase in text
    assert "graphforget edges" in text and "a note" in text and found.environment["torch"] in text
    u, v = found.ids()["seed 5"].edges[0]
    assert f"edges: {u} – {v}" in shown and f"{u} – {v}" not in text
    assert text == page(found.report, facts_of(found, "graphforget edges", "a note"))


def test_a_page_without_its_data_stands_and_says_what_is_missing(copied):
    plan = read_json(copied / "plan.json")
    plan["setup"]["source"]["data"] += ".gone"
    write_json(copied / "plan.json", plan)
    facts = facts_of(read_source(copied))
    assert [one.heading for one in facts.pictures] == ["Along the way"]
    assert facts.absent[0].startswith("No map of the embeddings: ") and "edges.csv.gone" in facts.absent[0]


def test_cost_against_size_comes_from_the_columns(tmp_path):
    (tmp_path / "a.csv").write_text("who,n,s\nx,10,1\nx,100,\ny,10,5\n")
    (ax,) = scaling_of([tmp_path / "a.csv"], "n", "s", "who").axes
    found = {line.get_label(): line.get_xydata().tolist() for line in ax.get_lines()}
    assert (found["points x"], found["points y"]) == ([[10, 1]], [[10, 5]])
    with pytest.raises(DataError, match="a.csv: has no column 'm'. Its columns: who, n, s"):
        scaling_of([tmp_path / "a.csv"], "m", "s", None)


def test_the_name_of_a_grid_is_told_from_a_folder_that_is_not_there(tmp_path):
    (tmp_path / "grids").mkdir()
    (tmp_path / "grids" / "mine-0a1b2c3d.json").write_text("{}")
    with pytest.raises(DataError, match=f"names a whole grid of runs.*Name {tmp_path} for every table in it"):
        read_source(tmp_path / "mine-0a1b2c3d")
    with pytest.raises(DataError, match="there is no such file or folder"):
        read_source(tmp_path / "mine-ffffffff")
