"""Every published table parses, names what exists, and holds the values of the sources."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path

import pytest

from graphforget._core.errors import DataError, UnsupportedError, UsageError
from graphforget._core.toml import to_toml
from graphforget.data.cards import find_card
from graphforget.experiments.grid import Grid
from graphforget.experiments.published import find_preset, missing_files, presets, read_preset
from graphforget.experiments.results import read_lines
from graphforget.experiments.units import expand
from graphforget.models.zoo import backbones
from graphforget.training.recipe import Recipe
from graphforget.unlearning.specs import methods, parse_method

NAMES = sorted(presets())
TABLES = Path(__file__).parents[2] / "results" / "tables"
WANTED = {
    *("gnndelete-dblp", "utu-link", "opengu-node", "sgu-computers", "lightgcn-table3", "kgat", "kgat-music"),
    *("mgcn-tiktok", "cure4rec-users", "mmrecun-users", "d2dgn", "lightgcn-deletions", "erase-tiny", "recur-users"),
}
MINIMAL = {"grids": [{"data": ["sample-citations"], "backbones": ["gcn"]}]}


def deleting(*changes: dict) -> dict:
    """Return the minimal grid with these deletions."""
    deletions = [{"name": "some", "kind": "edges", **change} for change in changes]
    return {"grids": [{**MINIMAL["grids"][0], "deletions": deletions}]}


def value(preset: str, metric: str, row: str, source: str, **where) -> list[float]:
    """Return the published values of one cell, in the order of the file."""
    blocks = [p for p in presets()[preset].published if p.source == source]
    blocks = [p for p in blocks if all(getattr(p, key) == wanted for key, wanted in where.items())]
    return [p.rows[row][metric] for p in blocks if metric in p.rows.get(row, {})]


def test_the_named_tables_are_there():
    assert set(NAMES) >= WANTED


@pytest.mark.parametrize("name", NAMES)
def test_a_preset_names_data_backbones_methods_and_options_that_exist(name):
    preset = presets()[name]
    assert preset.title and preset.paper and preset.table and preset.settings and preset.ambiguities and preset.metrics
    for grid in preset.grids:
        assert [find_card(data).name for data in grid.data] == list(grid.data)
        assert all(backbones().find(text.partition(":")[0]) for text in grid.backbones)
        cells = list(grid.cells())
        assert len(cells) == len(grid.data) * len(grid.backbones) * max(1, len(grid.deletions))
        for text in grid.methods:
            method = parse_method(text).method
            assert grid.task in method.tasks
            assert {wanted.kind for wanted in grid.deletions} <= set(method.kinds)


@pytest.mark.parametrize("name", NAMES)
def test_published_values_stand_beside_something_that_is_run_or_say_that_they_do_not(name):
    preset = presets()[name]
    cells = {(c.data, c.backbone, c.deletion) for grid in preset.grids for c in grid.cells()}
    known = {"Original", "Gold", "Popularity", *(text for grid in preset.grids for text in grid.methods)}
    met = {(p.data, p.backbone, p.deletion) in cells for p in preset.published}
    assert True in met or not preset.published
    for block in preset.published:
        assert find_card(block.data)
        registered = {row for row in block.rows if row in methods().names()}
        assert registered <= known, "a published row of a method that we have is run, too"


@pytest.mark.parametrize(
    ("found", "wanted"),
    [
        (("gnndelete-dblp", "test_auc", "Gold", "paper"), [0.965, 0.965, 0.964, 0.964]),
        (("gnndelete-dblp", "forgotten_auc", "Gold", "paper"), [0.783, 0.777, 0.788, 0.506]),
        (("gnndelete-dblp", "test_auc", "gnndelete-identity", "paper"), [0.959, 0.957, 0.956, 0.934]),
        (("gnndelete-dblp", "forgotten_auc", "gnndelete-identity", "paper"), [0.964, 0.892, 0.859, 0.748]),
        (("gnndelete-dblp", "test_auc", "Gold", "third party"), [0.9697, 0.9697, 0.9693, 0.9683]),
        (("gnndelete-dblp", "forgotten_auc", "Gold", "third party"), [0.7880, 0.7825, 0.7898, 0.5028]),
        (("gnndelete-dblp", "test_auc", "gnndelete-identity", "third party"), [0.9595, 0.9423, 0.9347, 0.8954]),
        (("gnndelete-dblp", "forgotten_auc", "gnndelete-identity", "third party"), [0.9833, 0.9226, 0.8790, 0.7407]),
    ],
)
def test_all_cells_of_gnndelete_on_dblp(found, wanted):
    assert value(*found) == wanted


def test_cells_of_other_tables():
    assert value("utu-link", "test_auc", "unlink", "paper", data="pubmed") == [0.969, 0.933, 0.942]
    assert value("utu-link", "mi_attack_auc", "GIF", "paper", data="coauthor-cs", backbone="gin") == [0.497]
    assert value("opengu-node", "test_micro_f1", "d2dgn-opengu", "paper", data="pubmed") == [0.8606]
    assert value("opengu-node", "test_auc", "unlink", "paper", data="dblp") == [0.8595]
    assert value("sgu-computers", "test_micro_f1", "Gold", "paper", data="amazon-computers") == [0.8246, 0.8214]
    gowalla = {"data": "gowalla", "backbone": "lightgcn:layers=3"}
    assert value("lightgcn-table3", "test_recall@20", "Original", "paper", **gowalla) == [0.1823]
    assert value("lightgcn-table3", "test_ndcg@20", "Original", "authors", **gowalla) == [0.1547, 0.15539]
    assert value("kgat", "test_ndcg@20", "Original", "authors", data="amazon-book-kgat") == [0.1016]
    assert value("mgcn-tiktok", "test_recall@20", "Original", "paper", backbone="lightgcn") == [0.0653]


def recipes(preset: str, data: str) -> dict[str, Recipe]:
    """Return how each backbone of a preset is trained on a data set."""
    cells = [cell for grid in presets()[preset].grids for cell in grid.cells() if cell.data == data]
    return {cell.backbone: cell.plan.setup.make_recipe() for cell in cells}


def test_schedules_are_those_of_the_sources():
    mmrec = recipes("mgcn-amazon", "baby")
    assert len(mmrec) == 4
    assert {(one.epochs, one.validate_every, one.patience) for one in mmrec.values()} == {(1000, 1, 20)}
    for data, wanted in (("gowalla", (1e-4, 400)), ("amazon-book", (5e-4, 200))):
        found = recipes("lightgcn-table3", data)
        assert (found["ngcf"].lr, found["ngcf"].epochs) == wanted
        assert (found["lightgcn:layers=3"].epochs, found["lightgcn:layers=3"].selection) == (1000, "last")
    assert [recipes("kgat", data)["kgat"].batch for data in ("amazon-book-kgat", "last-fm-kgat")] == [1024, 10240]


def test_reconstructions_have_no_published_column():
    for name in (
        "mmrecun-users",
        "d2dgn",
        "cure4rec-users",
        "kgat-music",
        "lightgcn-deletions",
        "erase-tiny",
        "recur-users",
    ):
        assert not presets()[name].published
    assert presets()["mmrecun-users"].claims and presets()["d2dgn"].claims


def test_what_is_absent_is_named(tmp_path):
    grids, absent = presets()["gnndelete-dblp"].at_hand(str(tmp_path))
    assert grids == () and absent == {"dblp": ["citation_full/dblp/raw/dblp.npz"]}
    assert missing_files("sample-citations", str(tmp_path)) == []
    assert missing_files(str(tmp_path / "mine.csv"), None) == [str(tmp_path / "mine.csv")]


def test_a_grid_keeps_the_data_that_are_there(data_dir):
    grids, absent = presets()["utu-link"].at_hand(str(data_dir))
    assert {name for grid in grids for name in grid.data} == {"pubmed", "coauthor-cs"}
    assert set(absent) == {"cora-full"}
    grids, absent = presets()["kgat-pytorch"].at_hand(str(data_dir))
    assert [grid.backbones for grid in grids] == [("mf",)]
    assert absent == {"amazon-book-kgat": ["kgrec/amazon-book/kg_final.txt"]}


def test_a_part_of_a_table_is_the_part_that_is_named():
    part = presets()["utu-link"].narrowed({"data": ["pubmed"], "backbone": ["gin"], "method": ["unlink"]}, (7,))
    (grid,) = part.grids
    assert (grid.data, grid.backbones, grid.methods, grid.seeds) == (("pubmed",), ("gin",), ("unlink",), (7,))
    (grid,) = presets()["gnndelete-dblp"].narrowed({"deletion": ["IN 2.5 %", "OUT 5 %"]}).grids
    assert [wanted.name for wanted in grid.deletions] == ["OUT 5 %", "IN 2.5 %"] and len(grid.seeds) == 5
    for only, words in (
        ({"data": ["pubmd"]}, "Did you mean 'pubmed'"),
        ({"dat": ["pubmed"]}, "Did you mean 'data'"),
        ({"backbone": ["GCN"]}, "Unknown backbone 'GCN'"),
    ):
        with pytest.raises(UsageError, match=words):
            presets()["utu-link"].narrowed(only)
    with pytest.raises(UsageError, match="no grid has all"):
        presets()["opengu-node"].narrowed({"backbone": ["sage"], "deletion": ["10 % of the nodes"]})


def test_the_grid_in_the_readme_can_be_run(tmp_path):
    text = (Path(__file__).resolve().parents[2] / "README.md").read_text(encoding="utf-8")
    (tmp_path / "mine.toml").write_text(re.search(r"```toml\n(.*?)```", text, re.DOTALL)[1])
    (grid,) = read_preset(tmp_path / "mine.toml").grids
    assert len(list(grid.cells())) == 2


def test_a_recommender_in_a_grid_without_a_task_is_told_how_to_name_one():
    grid = Grid(data=("sample-shop",), backbones=("lightgcn",))
    with pytest.raises(UnsupportedError, match='this is a link task.*task = "recommend"; without, it is "link"'):
        list(grid.cells())
    assert len(list(grid.model_copy(update={"task": "recommend"}).cells())) == 1


def test_a_grid_of_ones_own_is_read_from_a_path(tmp_path):
    (tmp_path / "mine.toml").write_text(to_toml(MINIMAL))
    assert find_preset(str(tmp_path / "mine.toml")) == read_preset(tmp_path / "mine.toml")
    assert read_preset(tmp_path / "mine.toml").name == "mine"
    with pytest.raises(UsageError, match="Did you mean 'utu-link'"):
        find_preset("utu-lnk")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grids": []}, "field 'grids' is wrong"),
        ({"grids": [{"data": [], "backbones": ["gcn"]}]}, "field 'grids.0.data'"),
        ({"grids": [{"data": ["cora"]}]}, r"bad.toml: field 'grids.0.backbones' is missing. Add it"),
        (
            {"grids": [{"data": ["cora"], "backbones": ["gcn"], "seed": 3}]},
            "unknown field 'grids.0.seed'. Did you mean 'seeds'.* Known here: data, backbones, ",
        ),
        (
            {"grids": [{**MINIMAL["grids"][0], "deletions": [{"name": "a", "kind": "edges", "fracion": 0.1}]}]},
            "unknown field 'grids.0.deletions.0.fracion'. Did you mean 'fraction'.* Known here: .*kind, fraction,",
        ),
        ({"tolerence": {}}, "unknown field 'tolerence'. Did you mean 'tolerance'.* Known here: title, "),
        ({"metrics": ["test_acu"]}, r"bad.toml: Unknown metric 'test_acu'. Did you mean 'test_auc'"),
        (deleting({"count": 3}, {"count": 4}), "field 'grids.0' is wrong: two deletions are called 'some'"),
        (deleting({"count": 3.5}), "field 'grids.0.deletions.0.count'"),
        (deleting({"cont": 3}), "field 'grids.0.deletions.0.cont'"),
        (deleting({}), "bad.toml: a deletion is wrong. What must go is named once"),
        (deleting({"kind": "edgs", "count": 3}), "Unknown kind of deletion 'edgs'. Did you mean 'edges'"),
        (deleting({"classes": ["3"]}), "'classes' belongs to deletions of classes, not of edges"),
        ({"tolerance": {"auc": 0.1}}, "Unknown metric 'auc'"),
        (
            {"published": [{"data": "cora", "backbone": "gcn", "source": "rumour", "where": "", "rows": {"a": {}}}]},
            "source",
        ),
    ],
)
def test_a_faulty_file_is_named_with_its_field(tmp_path, change, words):
    (tmp_path / "bad.toml").write_text(to_toml({**MINIMAL, **change}))
    with pytest.raises(DataError, match=words):
        read_preset(tmp_path / "bad.toml")


def test_a_misspelt_block_is_named_before_what_it_leaves_missing(tmp_path):
    (tmp_path / "bad.toml").write_text(to_toml({"grid": MINIMAL["grids"]}))
    with pytest.raises(DataError, match="unknown field 'grid'. Did you mean 'grids'"):
        read_preset(tmp_path / "bad.toml")


def test_text_that_is_no_toml_is_refused(tmp_path):
    (tmp_path / "bad.toml").write_text("grids = [")
    with pytest.raises(DataError, match="not TOML"):
        read_preset(tmp_path / "bad.toml")
    with pytest.raises(DataError, match="cannot be read"):
        read_preset(tmp_path / "none.toml")


def test_presets_are_plain_toml():
    for name in NAMES:
        preset = presets()[name]
        assert tomllib.loads(to_toml({"grids": [grid.as_table() for grid in preset.grids]}))["grids"]


@pytest.mark.parametrize("name", sorted(path.stem for path in TABLES.glob("*.csv")))
def test_the_committed_tables_name_the_runs_of_today(data_dir, name):
    """What decides the bytes of a result has not changed unnoticed: `verify` finds the cells of these tables."""
    committed = read_lines(TABLES / f"{name}.csv")
    place = {key: committed[0].field(key) for key in ("data", "backbone", "deletion")}
    here = [line for line in committed if {key: line.field(key) for key in place} == place]
    same = {line.run for line in here if line.seed == here[0].seed}
    wanted = {key: [value] for key, value in place.items() if value}
    part = presets()[name].narrowed(wanted, (here[0].seed,))
    assert same <= {unit.id for unit in expand(part.at_hand(str(data_dir))[0], str(data_dir))}
