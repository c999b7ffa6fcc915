"""Tables of interactions: columns by name or number, ids of any kind, quotes and blanks."""

from __future__ import annotations

import numpy as np
import pytest

from graphforget.data.formats.delimited import COMMA, TAB, Delimited, mark_of
from graphforget.data.formats.interaction_table import known_columns
from graphforget.data.graph import Graph
from graphforget.data.load import load
from graphforget.data.load_interactions import INTERACTION_FORMATS, recognised

TABLES = {
    "header.csv": ("user,item,rating,timestamp\n9,30,4.5,100\n7,10,2,50\n9,10,5,200\n", {}),
    "named.csv": ("t,who,what,stars\n100,9,30,4.5\n50,7,10,2\n200,9,10,5\n", {"user": "who", "item": "what"}),
    "numbers.csv": ("9,30,4.5,100\n7,10,2,50\n9,10,5,200\n", {"user": 1, "item": 2}),
    "tabs.tsv": ("uid\tiid\tval\n9\t30\t1\n7\t10\t1\n9\t10\t1\n", {}),
    "blanks.txt": ("9  30   1\n7 10 1\n 9 10 1\n", {"user": 1, "item": "2"}),
    "colons.txt": ("9::30::1\n7::10::1\n9::10::1\n", {"user": 1, "item": 2}),
    "windows.csv": ("\ufeffuser_id,item_id\r\n9,30\r\n\r\n7,10\r\n9,10\r\n", {}),
    "quotes.csv": ('user,item,title\n9,30,"Alien, the"\n7,"10","x ""y"""\n9,10,z\n', {}),
}


@pytest.mark.parametrize("name", TABLES)
def test_every_form_gives_the_same_pairs(tmp_path, name):
    text, columns = TABLES[name]
    path = tmp_path / name
    path.write_bytes(text.encode())
    options = {"columns": columns} if columns else {}
    data = load(path, split="user", valid=0, test=0, **options)
    assert data.user_ids.tolist() == [7, 9] and data.item_ids.tolist() == [10, 30]
    assert data.pairs("train").tolist() == [[0, 1, 1], [0, 0, 1]]
    assert data.name == path.stem


def test_what_was_read_is_noted(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("userId,movieId,rating,country\n9,30,4.5,de\n7,10,2,fr\n")
    notes = load(path).notes
    assert notes[0] == "found 2 users, 2 items, 2 records"
    assert (
        "r.csv: user from 'userId', item from 'movieId', rating from 'rating'; 1 further column(s) not read (country)"
        in notes
    )
    assert any("no split was named, and this is the default" in note for note in notes)


def test_text_ids(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text('user,item\n"Smith, A",0553092626\nbøb,B00X\nbøb,7\n', encoding="utf-8")
    data = load(path, split="user", valid=0, test=0)
    assert data.user_ids.tolist() == ["Smith, A", "bøb"]
    assert data.item_ids.tolist() == ["0553092626", "7", "B00X"]


def test_integers_kept_as_text(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("user,item\n10,1\n9,x\n")
    data = load(path, ids="text")
    assert data.user_ids.tolist() == ["10", "9"] and data.item_ids.tolist() == ["1", "x"]


def test_a_plain_csv_stays_a_graph_unless_interactions_are_asked_for(tmp_path):
    path = tmp_path / "pairs.csv"
    path.write_text("1,2\n2,3\n")
    assert isinstance(load(path), Graph)
    assert load(path, columns={"user": 1, "item": 2}).n_users == 2


def test_a_divided_table_shares_its_numbers(tmp_path):
    (tmp_path / "train.csv").write_text("uid,iid,val\n5,1,1\n6,2,1\n")
    (tmp_path / "test.csv").write_text("uid,iid,val\n6,0,1\n")
    data = load(tmp_path / "train.csv", parts={"test": tmp_path / "test.csv"})
    assert data.item_ids is None and data.n_items == 3
    assert data.pairs("train").tolist() == [[0, 1], [1, 2]] and data.pairs("test").tolist() == [[1], [0]]
    assert "divided as the files are" in data.notes


def test_known_headers():
    assert known_columns(["userId", "movieId", "rating", "timestamp"]) == {"user": 0, "item": 1, "rating": 2, "time": 3}
    assert known_columns(["item", "USER"]) == {"user": 1, "item": 0}
    assert known_columns(["user", "weight"]) is None


def test_numbers_of_every_form(tmp_path):
    path = tmp_path / "r.csv"
    path.write_text("a,b\n0.1,1e3\n-2.50,12345678901234567890\n3,.5\n")
    sheet = Delimited(path, COMMA).sheet([0, 1], header=True)
    assert sheet.floats(0, "a").tolist() == [0.1, -2.5, 3.0]
    assert sheet.floats(1, "b").tolist() == [1000.0, 12345678901234567890.0, 0.5]


def test_dates_are_seconds_since_1970(tmp_path):
    path = tmp_path / "r.csv"
    rows = [
        ("1970-01-02", "1970-01-01T02:00:00+02:00"),
        ("1970-01-01 00:00:01.5", "1970-01-01T00:00:01Z"),
        ("1969-12-31T23:59:59", "1969-12-31T23:00:00-01:30"),
    ]
    path.write_text("a,b\n" + "".join(f"{a},{b}\n" for a, b in rows))
    sheet = Delimited(path, COMMA).sheet([0, 1], header=True)
    assert sheet.times(0).tolist() == [86400.0, 1.5, -1.0]
    assert sheet.times(1).tolist() == [0.0, 1.0, 1800.0]


def test_dates_order_the_pairs_of_a_user(tmp_path):
    path = tmp_path / "r.csv"
    rows = [f"u,i{day},2026-11-{day:02d}T09:30:00Z" for day in (12, 3, 27, 9, 1)]
    path.write_text("user,item,time\n" + "\n".join(rows) + "\n")
    data = load(path, split="user-time", valid=0.2, test=0.2)
    assert data.item_ids_of(data.pairs("test")[1]) == ["i27"]
    assert data.item_ids_of(data.pairs("valid")[1]) == ["i12"]


def test_what_stands_between_cells(tmp_path):
    for name, text, mark in (
        ("a.csv", "1;2", COMMA),
        ("a.txt", "1\t2", TAB),
        ("b.txt", "1::2", b"::"),
        ("c.txt", "1 2", b""),
    ):
        (tmp_path / name).write_text(text)
        assert mark_of(tmp_path / name) == mark


def test_every_format_describes_itself():
    assert set(INTERACTION_FORMATS.names()) == {
        *("adjacency-list", "interaction-table", "kgcn", "kgcn-final", "mmrec", "movielens", "pos-dict", "recbole"),
        *("scipy-npz", "scipy-pickle"),
    }
    assert all(cls.__doc__ and isinstance(cls.heeds, frozenset) for cls in INTERACTION_FORMATS.classes())


def test_a_file_is_of_one_format(tmp_path):
    np.savez(tmp_path / "g.npz", adj_data=[1.0], adj_indices=[1], adj_indptr=[0, 1, 1], adj_shape=[2, 2])
    (tmp_path / "edges.csv").write_text("source,target\n1,2\n")
    assert recognised(tmp_path / "g.npz") is None and recognised(tmp_path / "edges.csv") is None
    assert recognised(tmp_path) is None and recognised(tmp_path / "absent.csv") is None
