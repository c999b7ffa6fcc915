"""Named sets of interactions: the published counts of every set at hand, and what cards leave to the user."""

from __future__ import annotations

import shutil
import zipfile

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.cards import InteractionCard, cards, find_card, read_card
from graphforget.data.interactions import Interactions
from graphforget.data.load import load
from graphforget.data.load_interactions import INTERACTION_FORMATS, load_card
from graphforget.data.load_options import LoadOptions

CARDS = sorted(name for name, card in cards().items() if card.kind == "interactions")
COUNTS = {
    # users, items, train, valid, test, items without a train pair
    "gowalla": (29_858, 40_981, 810_128, 0, 217_242, 0),
    "yelp2018": (31_668, 38_048, 1_237_259, 0, 324_147, 0),
    "ml-1m": (6_040, 3_706, 720_152, 0, 200_041, 49),
    "amazon-book-kgat": (70_679, 24_915, 652_514, 0, 193_920, None),
    "tiktok": (9_308, 6_710, 59_541, 3_051, 6_130, 465),
    "ml-latest-small": (610, 9_724, 80_592, 10_122, 10_122, None),
    "lastfm-music": (1_872, 3_846, 12_703, 4_235, 4_235, None),
}


@pytest.fixture(scope="module")
def named(data_dir):
    """Load a set once; the test is skipped when it is not in the data folder."""
    loaded: dict[str, Interactions] = {}

    def get(name: str) -> Interactions:
        if not (data_dir / cards()[name].files[0].path).is_file():
            pytest.skip(f"{name} is not in the data folder")
        if name not in loaded:
            loaded[name] = load(name, data_dir=data_dir)
        return loaded[name]

    return get


@pytest.mark.parametrize("name", COUNTS)
def test_published_counts(named, name):
    data = named(name)
    parts = tuple(data.pairs(part).shape[1] for part in ("train", "valid", "test"))
    assert (data.n_users, data.n_items, *parts) == COUNTS[name][:5]
    assert data.name == name
    if COUNTS[name][5] is not None:
        assert int((data.item_degrees == 0).sum()) == COUNTS[name][5]


@pytest.mark.parametrize("name", COUNTS)
def test_parts_are_disjoint_and_nothing_repeats(named, name):
    notes = " ".join(named(name).notes)
    assert "repeat" not in notes and "stand in train and in" not in notes


@pytest.mark.parametrize("name", ["gowalla", "yelp2018"])
def test_no_cold_users_or_items(named, name):
    data = named(name)
    assert data.user_degrees.min() > 0 and data.item_degrees.min() > 0


@pytest.mark.parametrize(
    ("name", "low", "median", "high"),
    [("gowalla", 8, 16, 811), ("yelp2018", 16, 25, 1848), ("ml-1m", 9, 68, 1652), ("amazon-book-kgat", 4, 5, 3582)],
)
def test_degrees(named, name, low, median, high):
    degrees = named(name).user_degrees
    assert (degrees.min(), np.median(degrees), degrees.max()) == (low, median, high)


def test_users_without_test_items(named):
    assert len(np.unique(named("ml-1m").pairs("test")[0])) == 6_034
    book = named("amazon-book-kgat")
    assert book.n_users - len(np.unique(book.pairs("test")[0])) == 88
    assert "test.txt: 88 user(s) without items" in book.notes


def test_items_of_ml_1m_that_occur_in_test_only(named):
    data = named("ml-1m")
    cold = data.item_degrees == 0
    assert len(np.unique(data.pairs("test")[1][cold[data.pairs("test")[1]]])) == 38


def test_tiktok(named):
    data = named("tiktok")
    assert np.bincount(data.pairs("valid")[0]).max() == np.bincount(data.pairs("test")[0]).max() == 1
    cold = (data.item_degrees == 0)[data.pairs("test")[1]]
    assert (int(cold.sum()), len(np.unique(data.pairs("test")[1][cold]))) == (449, 340)
    assert int((data.user_degrees == 0).sum()) == 10
    for values in data.modalities.values():
        assert values.shape == (6_710, 128) and values.dtype == np.float32 and np.isfinite(values).all()
        assert (np.abs(values).sum(axis=1) > 0).all()
    assert list(data.modalities) == ["image", "audio"]
    assert "multimodal/tiktok/text_feat.npy is not in the data folder: no modality text" in data.notes


def test_lastfm_music(named):
    data = named("lastfm-music")
    graph = data.triples
    assert (graph.n_entities, graph.n_relations, graph.n_triples) == (9_366, 60, 15_518)
    assert set(range(3_846)) <= set(graph.triples[0].tolist())
    assert data.n_pairs + data.valid.nnz + data.test.nnz == 21_173
    assert "ratings_final.txt: 21,173 rows with label 0 (sampled negatives) not read" in data.notes
    assert "divided into train, valid and test by 'random' (0.6 / 0.2 / 0.2, seed 0)" in data.notes


def test_all_positives_of_lastfm_music_per_user(named, data_dir):
    named("lastfm-music")
    degrees = load("lastfm-music", data_dir, split="random", valid=0, test=0).user_degrees
    assert (degrees.min(), np.median(degrees), degrees.max()) == (1, 11, 28)


def test_ml_latest_small(named, data_dir):
    data = named("ml-latest-small")
    assert data.n_pairs + data.valid.nnz + data.test.nnz == 100_836
    assert {name: values.shape[1] for name, values in data.modalities.items()} == {"text": 256, "visual": 7}
    assert int((~data.missing["visual"]).sum()) == 4_745 and not data.missing["text"].any()
    with_visual = ~data.missing["visual"]
    rated = sum(int(with_visual[data.pairs(part)[1]].sum()) for part in ("train", "valid", "test"))
    assert rated == 59_011
    np.testing.assert_allclose(
        data.modalities["visual"][~with_visual][0], data.modalities["visual"][with_visual].mean(axis=0), rtol=1e-5
    )
    film = data.index_of_items([89])[0]
    np.testing.assert_allclose(data.modalities["visual"][film][:2], [0.440830224, 0.763504245], rtol=1e-6)


def test_favourable_ratings_alone(named, data_dir):
    named("ml-latest-small")
    data = load("ml-latest-small", data_dir, min_rating=4, core=5)
    assert data.n_users < 610 and data.n_items < 9_724
    pairs = np.concatenate([data.pairs(part) for part in ("train", "valid", "test")], axis=1)
    assert np.bincount(pairs[0]).min() >= 5 and np.bincount(pairs[1]).min() >= 5
    assert data.modalities["text"].shape[0] == data.n_items
    assert any(note.endswith("records rated below 4 left out") for note in data.notes)


def test_a_split_of_the_users_own_takes_the_place_of_the_cards(named, data_dir):
    named("ml-latest-small")
    data = load("ml-latest-small", data_dir, split="leave-one-out")
    assert data.test.nnz == data.valid.nnz == 610


def test_the_same_seed_gives_the_same_bytes(named, data_dir):
    first = named("lastfm-music")
    assert load("lastfm-music", data_dir).digest == first.digest
    assert load("lastfm-music", data_dir, seed=1).digest != first.digest


def test_gowalla_with_the_ids_of_snap(named, data_dir):
    plain, own = named("gowalla"), load("gowalla", data_dir, ids="original")
    assert plain.user_ids is None and own.user_ids[:2].tolist() == [343, 5258]
    assert own.item_ids[:2].tolist() == [8975, 9190]
    np.testing.assert_array_equal(own.pairs("test"), plain.pairs("test"))


def test_given_parts_can_be_divided_anew(named, data_dir):
    data = load("tiktok", data_dir, split="user", valid=0.1, test=0.2, core=5)
    assert "the parts of the files (train, valid, test) were joined, to be divided anew" in data.notes
    assert data.user_degrees.min() >= 3


def test_every_promised_set_has_a_card():
    at_hand = set(COUNTS) | {"sample-shop"}
    supplied = {"last-fm-kgat", "yelp2018-kgat", "amazon-book", "baby", "sports", "clothing", "alibaba-ifashion"}
    supplied |= {"ml-1m-kg", "ml-20m-kg", "ml-100k", "ml-20m", "book-crossing", "amazon-digital-music"}
    assert at_hand | supplied <= set(CARDS)


@pytest.mark.parametrize("name", CARDS)
def test_a_card_is_complete(name):
    card = cards()[name]
    assert isinstance(card, InteractionCard) and card.format in INTERACTION_FORMATS.names()
    assert card.title and card.licence and card.citation and (card.bundled or card.source)
    assert all(file.holds for file in card.files)
    assert all(file.url is None or file.url.startswith("https://") for file in card.files)
    assert all(file.url is not None for file in card.files if file.sha256 is not None)
    LoadOptions(**card.reading.model_dump(exclude_none=True)).check()


@pytest.mark.parametrize("name", CARDS)
def test_an_empty_folder_is_told_which_files_the_set_needs(tmp_path, name):
    card = cards()[name]
    if card.bundled:
        pytest.skip("its files ship with the package")
    needed = [file.path for file in card.files if not file.optional]
    with pytest.raises(DataError, match=f"^{name}: {', '.join(needed)}: not there; .* Source: ") as caught:
        load(name, data_dir=tmp_path)
    assert str(tmp_path) in str(caught.value)


def test_without_a_folder_what_cannot_be_downloaded_is_named(monkeypatch):
    monkeypatch.delenv("GRAPHFORGET_DATA", raising=False)
    with pytest.raises(
        DataError, match="baby: mmrec/baby/baby.inter.*no download is known.*data_dir or .GRAPHFORGET_DATA"
    ):
        load("baby")


@pytest.fixture
def small_card(tmp_path):
    """A card of two lists and optional, perhaps zipped, facts, in a folder of its own."""
    (tmp_path / "mini.toml").write_text(
        """title = "t"\nkind = "interactions"\nformat = "adjacency-list"\nlicence = "l"\ncitation = "c"
expected = {users = 2, items = 3, pairs = 4, train = 3, test = 1, entities = 5, relations = 1, triples = 2}
files = [{path = "train.txt", holds = "train"}, {path = "test.txt", holds = "test"},
         {path = "kg_final.txt", holds = "triples", also = ["kg_final.txt.zip"], optional = true}]\n"""
    )
    (tmp_path / "train.txt").write_text("0 0 1 1\n1 2\n")
    (tmp_path / "test.txt").write_text("0 2\n")
    return read_card(tmp_path / "mini.toml"), tmp_path


def test_counts_are_those_of_distinct_pairs_and_facts_are_optional(small_card):
    card, folder = small_card
    data = load_card(card, folder, LoadOptions())
    assert data.triples is None and "kg_final.txt is not in the data folder: no triples" in data.notes
    with zipfile.ZipFile(folder / "kg_final.txt.zip", "w") as archive:
        archive.writestr("kg_final.txt", "0 0 4\n1 0 3\n")
    assert load_card(card, folder, LoadOptions()).triples.n_triples == 2


def test_wrong_counts_are_refused_each_named(small_card):
    card, folder = small_card
    (folder / "train.txt").write_text("0 0 1\n2 2\n")
    (folder / "kg_final.txt").write_text("0 0 4\n")
    with pytest.raises(
        DataError, match="mini: the files hold 3 users where 2 are expected; 1 triples where 2"
    ) as caught:
        load_card(card, folder, LoadOptions())
    assert "fetch them again" in str(caught.value)


def test_features_of_the_users_own_join_those_of_a_card(small_card):
    card, folder = small_card
    data = load_card(card, folder, LoadOptions(modalities={"image": np.eye(3)}))
    np.testing.assert_array_equal(data.modalities["image"], np.eye(3))


def test_names_and_aliases_find_interactions():
    assert find_card("MovieLens-1M").name == "ml-1m" and find_card("amazon_book").name == "amazon-book"


def test_the_folder_of_the_environment_is_used(monkeypatch, data_dir):
    if not (data_dir / "kgrec/music/kg_final.txt").is_file():
        pytest.skip("kgrec/music is not in the data folder")
    monkeypatch.setenv("GRAPHFORGET_DATA", str(data_dir))
    assert load("lastfm-music").n_users == 1_872


def test_files_and_folders_without_a_separator_in_their_name(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/train.txt").write_text("0 1\n")
    (tmp_path / "u.data").write_text("1\t2\t3\t4\n")
    assert load("mine").n_items == 2 and load("u.data").n_items == 1


def test_a_card_of_another_kind_is_refused(small_card, tmp_path):
    path = tmp_path / "mini.toml"
    path.write_text(path.read_text().replace('"interactions"', '"hypergraph"'))
    with pytest.raises(DataError, match="field 'kind'"):
        read_card(path)
    path.write_text(path.read_text().replace('"hypergraph"', '"interactions"').replace("users = 2", "users = 0"))
    with pytest.raises(DataError, match="field 'expected.users'"):
        read_card(path)


@pytest.mark.parametrize("options", [{"parts": {"test": "x"}}, {"format": "mmrec"}])
def test_what_a_card_says_is_not_to_be_said_again(data_dir, options):
    with pytest.raises(UsageError, match="has a card that says it"):
        load("sample-shop", **options)


def test_a_copy_of_a_set_loads_by_its_path(data_dir, tmp_path):
    folder = data_dir / "multimodal/tiktok"
    if not (folder / "train.txt").is_file():
        pytest.skip("tiktok is not in the data folder")
    for name in ("train.txt", "valid.txt", "test.txt", "image_feat.npy", "audio_feat.npy"):
        shutil.copy(folder / name, tmp_path / name)
    assert load(tmp_path).digest == load("tiktok", data_dir, modalities=None).digest
