"""Dataset cards: complete, unique and without surprises."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.cards import cards, find_card, read_card
from graphforget.data.load import FORMATS, load
from graphforget.data.load_interactions import load_card
from graphforget.data.load_options import LoadOptions

WANTED = {
    *("cora", "citeseer", "pubmed", "cora-full", "dblp", "cora-ml", "citeseer-full"),
    *("coauthor-cs", "coauthor-physics", "amazon-computers", "amazon-photo", "sample-citations"),
}


def test_all_promised_sets_have_a_card():
    assert WANTED <= set(cards())


@pytest.mark.parametrize("name", sorted(WANTED))
def test_a_card_is_complete(name):
    card = cards()[name]
    assert card.format in FORMATS.names()
    assert card.licence and card.citation and card.title
    assert all(file.url is not None or card.bundled for file in card.files)
    assert all(file.url is None or file.url.startswith("https://") for file in card.files)


def test_names_and_aliases_are_unique():
    names = [*cards(), *(alias for card in cards().values() for alias in card.aliases)]
    assert len(names) == len(set(names))


def test_the_cora_of_gnndelete_is_cora_full():
    assert "cora-full" in find_card("cora").note
    assert "GNNDelete" in find_card("cora-full").note
    assert find_card("cora-full").expected.nodes == 19_793


def test_an_alias_finds_its_card():
    assert find_card("Physics").name == "coauthor-physics"


def test_an_unknown_name_lists_the_known_ones():
    with pytest.raises(UsageError, match="Did you mean 'citeseer'.*amazon-photo.*path"):
        find_card("citesser")


GOOD = """title = "t"\nformat = "npz"\nlicence = "l"\ncitation = "c"
expected = {nodes = 1, edges = 0, features = 0, classes = 0}\nfiles = [{path = "a.npz"}]\n"""


def test_a_good_card(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    assert read_card(path).name == "mine"


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ('title = "t"', "", "title"),
        ('path = "a.npz"', 'path = "../a.npz"', "below the data folder"),
        ('path = "a.npz"', 'path = "/a.npz"', "below the data folder"),
        ('path = "a.npz"', 'path = "a.npz", sha256 = "12"', "sha256"),
        ("nodes = 1", "nodes = 0", "expected.nodes"),
        ('licence = "l"', 'licence = "l"\nlicense = "l"', "license"),
        ('title = "t"', "title = ", "TOML"),
        ('title = "t"', 'title = "t"\nname = "u"', "TOML"),
        ('title = "t"', 'title = "t"\nunverified = ["edge"]', "'unverified' names 'edge', .* note, nodes, edges"),
    ],
)
def test_a_wrong_card_is_refused_with_its_field(tmp_path, old, new, says):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=says):
        read_card(path)


def test_an_unverified_count_that_differs_is_told_and_any_other_refused(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace('title = "t"', 'title = "t"\nunverified = ["edges", "licence"]'))
    card = read_card(path)
    assert card.caveats() == ("unverified in the card of mine: edges, licence",)
    assert card.compare({"nodes": 1}) == card.compare({"nodes": 1, "edges": 0}) == ()
    assert card.compare({"nodes": 1, "edges": 8}) == (
        "the files hold 8 edges where 0 are expected by an unverified count",
    )
    with pytest.raises(DataError, match="mine: the files hold 2 nodes where 1 are expected\\. They are not the publ"):
        card.compare({"nodes": 2, "edges": 8})


def test_a_set_of_unverified_counts_says_so_when_it_is_loaded(tmp_path):
    folder = tmp_path / "mmrec/clothing"
    folder.mkdir(parents=True)
    (folder / "clothing.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n1\t1\t2\n")
    for name in ("image", "text"):
        np.save(folder / f"{name}_feat.npy", np.ones((2, 3)))
    notes = load("clothing", data_dir=tmp_path).notes
    assert "unverified in the card of clothing: users, items, pairs" in notes
    assert "the files hold 2 users where 39,387 are expected by an unverified count" in notes
    (tmp_path / "mmrec/baby").mkdir()
    for file in folder.iterdir():
        file.rename(tmp_path / "mmrec/baby" / file.name.replace("clothing", "baby"))
    with pytest.raises(DataError, match="baby: the files hold 2 users where 19,445 are expected"):
        load("baby", data_dir=tmp_path)


def test_what_is_not_there_is_not_taken_for_equal(tmp_path):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD)
    with pytest.raises(DataError, match="mine: the files hold 0 nodes where 1 are expected"):
        read_card(path).compare({"edges": 0})
    assert read_card(path).compare({}, uncounted=["nodes"]) == ()


def test_a_set_without_a_part_or_its_facts_is_not_the_published_one(tmp_path):
    text = GOOD.replace("expected = {nodes = 1, edges = 0, features = 0, classes = 0}\n", "").replace(
        'files = [{path = "a.npz"}]',
        'files = [{path = "t.txt", holds = "train"}, {path = "kg.txt", holds = "triples", optional = OPTIONAL}]',
    )
    text += 'kind = "interactions"\nexpected = {users = 2, items = 2, pairs = 2, triples = 7}\n'
    (tmp_path / "t.txt").write_text("0 0\n1 1\n")
    for optional in ("true", "false"):
        path = tmp_path / f"{optional}.toml"
        path.write_text(text.replace("npz", "adjacency-list").replace("OPTIONAL", optional))
    assert load_card(read_card(tmp_path / "true.toml"), tmp_path, LoadOptions()).n_pairs == 2
    with pytest.raises(DataError, match="false: the files hold 0 triples where 7 are expected"):
        load_card(read_card(tmp_path / "false.toml"), tmp_path, LoadOptions())
    (tmp_path / "true.toml").write_text((tmp_path / "true.toml").read_text().replace("triples = 7", "valid = 7"))
    with pytest.raises(DataError, match="true: the files hold 0 valid where 7 are expected"):
        load_card(read_card(tmp_path / "true.toml"), tmp_path, LoadOptions())
