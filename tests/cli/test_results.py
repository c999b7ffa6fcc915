"""The commands `plot` and `report`, end to end."""

from __future__ import annotations

import pytest

DONE, USAGE, DATA = 0, 2, 3


@pytest.fixture(scope="module")
def made(own, tmp_path_factory):
    """The folder of a comparison, and the folders of an own model before and after."""
    from graphforget.cli.main import main

    folder = tmp_path_factory.mktemp("made")
    given = ["--features", own / "features.csv", "--labels", own / "labels.csv", "--hidden", "8", "--epochs", "4"]
    runs = [
        ["edges", own / "edges.csv", "gcn", *given, "--delete", own / "delete_edges.csv", "--method",
         "d2dgn:epochs=4,lr=0.01,validate_every=2", "--no-attack", "--out", folder / "run"],
        ["train", own / "edges.csv", "gcn", *given, "--out", folder / "before"],
        ["unlearn", "--model", folder / "before", "--delete", own / "delete_nodes.csv", "--method",
         "gnndelete:epochs=3,lr=0.02", "--keep-deletion", "--out", folder / "after"],
    ]  # fmt: skip
    assert [main([str(word) for word in words]) for words in runs] == [0, 0, 0]
    return folder


@pytest.mark.parametrize(
    "options",
    [
        [],
        ["--x", "seconds", "--y", "gold_distance"],
        ["--kind", "trajectory", "--metric", "val_auc"],
        ["--kind", "map"],
    ],
    ids=["default", "front", "trajectory", "map"],
)
@pytest.mark.parametrize("ending", ["png", "svg"])
def test_each_kind_of_plot_is_written(run, made, tmp_path, options, ending):
    out = tmp_path / f"picture.{ending}"
    done = run("plot", made / "run", *options, "--out", out)
    assert (done.code, done.err) == (DONE, "") and str(out) in done.out
    start = {"png": b"\x89PNG", "svg": b"<?xml"}[ending]
    first = out.read_bytes()
    assert first.startswith(start) and len(first) > 5000
    assert run("plot", made / "run", *options, "--out", out).code == DONE and out.read_bytes() == first


def test_cost_against_size_is_written(run, tmp_path):
    (tmp_path / "b.csv").write_text("n_edges,seconds\n10,1\n100,12\n")
    done = run(
        "plot", tmp_path / "b.csv", "--kind", "size", "--x", "n_edges", "--y", "seconds", "--out", tmp_path / "p.svg"
    )
    assert done.code == DONE and (tmp_path / "p.svg").exists()


def test_a_page_of_a_comparison_names_its_command(run, made, own, tmp_path):
    assert run("report", made / "run", "--out", tmp_path / "r.html").code == DONE
    text = (tmp_path / "r.html").read_text()
    assert f"graphforget edges {own / 'edges.csv'} gcn:hidden=8 --delete" in text
    assert "u10" not in text.replace("u100", "")


def test_a_page_of_an_unlearned_model_shows_digests_and_ids_only_when_asked(run, made, tmp_path):
    for name, options in (("plain", []), ("ids", ["--with-ids"])):
        assert run("report", made / "after", "--out", tmp_path / f"{name}.html", *options).code == DONE
    plain, ids = ((tmp_path / f"{name}.html").read_text() for name in ("plain", "ids"))
    assert "digest of the request" in plain and "nodes: u5" not in plain and "nodes: u5, nodes: u6" in ids
    assert "--method gnndelete:epochs=3,lr=0.02 --out FOLDER" in plain
    assert "No model was trained again without the forgotten part" in plain
    assert "parameters moved by" in plain and "torch" in plain


@pytest.mark.parametrize(
    ("line", "code", "phrases"),
    [
        ("plot --out p.png", USAGE, ("no source is named",)),
        ("plot {m}/run --out p.pdf", USAGE, ("found the ending '.pdf'", ".png or .svg")),
        ("plot {m}/nowhere --out p.png", DATA, ("nowhere: there is no such file or folder", "Check the path")),
        ("plot {m} --out p.png", DATA, ("no results are in it", "--out")),
        ("plot {m}/run --x tset_auc --out p.png", USAGE, ("'tset_auc'", "Did you mean 'test_auc'?")),
        ("plot {m}/run --by method --out p.png", USAGE, ("--by does not belong to --kind points", "Leave it out")),
        ("plot {m}/run --kind map --x seconds --out p.png", USAGE, ("--x does not belong to --kind map", "--seed")),
        ("plot {m}/run {m}/run --kind map --out p.png", USAGE, ("draws one source; 2 are named",)),
        ("plot {m}/run --kind map --method unlink --out p.png", USAGE, ("--method 'unlink'", "Name one of them")),
        ("plot {m}/run --kind size --x a --out p.png", USAGE, ("needs --x and --y",)),
        ("plot {m}/after --kind trajectory --out p.png", DATA, ("holds no history", "--out FOLDER")),
        ("plot {m}/after --x seconds --y gold_distance --out p.png", USAGE, ("no distance to gold", "--gold")),
        ("plot {m}/run/plan.json --out p.png", DATA, ("plan.json: This is not a report",)),
        ("plot {m}/run/plan.json --kind size --x a --y b --out p.png", DATA, ("plan.json",)),
        ("report {m}/run --out p.pdf", USAGE, ("a page ends in .html",)),
        ("report {m}/before --out p.html", DATA, ("no results are in it",)),
        ("report {m}/run/report/report.json --with-ids --out p.html", DATA, ("no id can be shown", "--keep-deletion")),
    ],
)
def test_what_cannot_be_shown_ends_in_a_sentence_and_writes_nothing(
    run, made, tmp_path, monkeypatch, line, code, phrases
):
    monkeypatch.chdir(tmp_path)
    done = run(*line.format(m=made).split())
    assert (done.code, done.out) == (code, ""), done.err
    assert all(phrase in done.err for phrase in phrases) and done.err.count("\n") == 1
    assert list(tmp_path.iterdir()) == []
