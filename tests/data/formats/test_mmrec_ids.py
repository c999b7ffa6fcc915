"""The tables of own ids beside an MMRec file."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.load import load

USERS = "user_id\tuserID\nann\t1\nbob\t0\n"
ITEMS = "asin\titemID\nB9\t0\n0042\t1\nB7\t2\n"


@pytest.fixture
def folder(tmp_path):
    """An MMRec file with features and tables of ids: bob chose B9 and 0042, ann B9."""
    (tmp_path / "x.inter").write_text("userID\titemID\tx_label\n0\t0\t0\n0\t1\t2\n1\t0\t0\n")
    (tmp_path / "u_id_mapping.csv").write_text(USERS)
    (tmp_path / "i_id_mapping.csv").write_text(ITEMS)
    np.save(tmp_path / "image_feat.npy", np.array([[7.0], [8.0], [9.0]]))
    return tmp_path


def test_own_ids_are_taken_when_asked_for(folder):
    plain, own = load(folder / "x.inter"), load(folder / "x.inter", ids="original")
    assert plain.user_ids is None and plain.item_ids is None
    assert own.user_ids.tolist() == ["bob", "ann"] and own.item_ids.tolist() == ["B9", "0042", "B7"]
    assert own.pairs("train").tolist() == plain.pairs("train").tolist() == [[0, 1], [0, 0]]
    assert own.modalities["image"].tolist() == [[7.0], [8.0], [9.0]]
    assert own.index_of_items(["0042"]).tolist() == [1] and own.n_items == 3


def test_one_table_alone_and_commas(folder):
    (folder / "u_id_mapping.csv").unlink()
    (folder / "i_id_mapping.csv").write_text(ITEMS.replace("\t", ","))
    data = load(folder / "x.inter", ids="original")
    assert data.user_ids is None and data.item_ids.tolist() == ["B9", "0042", "B7"]


WRONG = {
    "other columns": ("asin\tid\nB9\t0\nB8\t1\n", "line 1: .* own id and 'itemID', .* found asin, id"),
    "three columns": ("a\tb\titemID\n1\t2\t0\n", "line 1: .* found a, b, itemID"),
    "text as number": ("asin\titemID\nB9\tzero\n", "line 2: number in 'itemID' 'zero' is not an integer"),
    "a number twice": ("asin\titemID\nB9\t0\nB8\t0\n", "0 to 1, each once"),
    "too few": ("asin\titemID\nB9\t0\n", "1 ids, but the files name item number 1"),
    "an id twice": ("asin\titemID\nB9\t0\nB9\t1\nB7\t2\n", "item id 'B9' stands 2 times"),
    "another encoding": (b"asin\titemID\nm\xfc\t0\nB8\t1\nB7\t2\n", "not UTF-8 text"),
    "nothing": ("", "the file is empty"),
}


@pytest.mark.parametrize("case", WRONG)
def test_broken_tables_are_refused(folder, case):
    contents, words = WRONG[case]
    (folder / "i_id_mapping.csv").write_bytes(contents if isinstance(contents, bytes) else contents.encode())
    with pytest.raises(DataError, match=words):
        load(folder / "x.inter", ids="original")
    assert load(folder / "x.inter").n_items == 3


def test_ids_that_an_mmrec_file_does_not_have(folder):
    with pytest.raises(UsageError, match="ids='text' means nothing .* 'mmrec'.*or give ids='original'"):
        load(folder / "x.inter", ids="text")
    for name in ("u_id_mapping.csv", "i_id_mapping.csv"):
        (folder / name).unlink()
    with pytest.raises(DataError, match="u_id_mapping.csv and i_id_mapping.csv are not beside the file"):
        load(folder / "x.inter", ids="original")
