"""Dataset cards: complete, unique and without surprises."""

from __future__ import annotations

import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.cards import cards, find_card, read_card
from graphforget.data.load import FORMATS

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
    ],
)
def test_a_wrong_card_is_refused_with_its_field(tmp_path, old, new, says):
    path = tmp_path / "mine.toml"
    path.write_text(GOOD.replace(old, new))
    with pytest.raises(DataError, match=says):
        read_card(path)
