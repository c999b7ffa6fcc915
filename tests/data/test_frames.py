"""Interactions from pandas: the same value as from a file, and every odd column refused."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from graphforget._core.errors import DataError, UsageError
from graphforget.data.frames import from_pandas
from graphforget.data.interactions import Interactions
from graphforget.data.load import load


@pytest.fixture
def frame() -> pd.DataFrame:
    """Four ratings with times."""
    return pd.DataFrame(
        {
            "who": [9, 7, 9, 7],
            "what": ["b", "a", "a", "c"],
            "stars": [5, 1, 4.5, 4],
            "at": pd.to_datetime(["2020-01-02", "2020-01-01", "2020-01-03", "2020-01-05"]),
        }
    )


COLUMNS = {"user": "who", "item": "what", "rating": "stars", "time": "at"}


def test_a_frame_equals_its_file(tmp_path, frame):
    seconds = frame.assign(at=frame["at"].astype("datetime64[s]").astype(np.int64))
    (tmp_path / "frame.csv").write_text(seconds.to_csv(index=False))
    options = {"split": "leave-one-out", "min_rating": 4}
    data = from_pandas(frame, COLUMNS, **options)
    assert data.digest == load(tmp_path / "frame.csv", columns=COLUMNS, **options).digest
    assert data.item_ids.tolist() == ["a", "b", "c"] and data.name == "frame"
    assert load(frame, columns=COLUMNS, **options).digest == data.digest
    assert data.pairs("test").tolist() == [[1], [0]]


def test_usual_names_and_any_index(frame):
    usual = frame.rename(columns={"who": "user_id", "what": "itemId"}).set_index("at")
    data = from_pandas(usual, split="user", valid=0, test=0)
    assert data.user_ids.tolist() == [7, 9] and data.n_pairs == 4


def test_numbered_columns_are_named_by_their_number(frame):
    numbered = frame[["who", "what"]].set_axis([0, 1], axis=1)
    assert from_pandas(numbered, {"user": "0", "item": "1"}).n_users == 2


def test_the_frame_is_not_changed(frame):
    before = frame.copy()
    from_pandas(frame, COLUMNS)
    pd.testing.assert_frame_equal(frame, before)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"who": [9, None, 9, 7]}, "row 1 .from 0., column 'who': the id is missing"),
        ({"who": [9, 1.5, 9, 7]}, "column 'who' are decimal numbers.*astype"),
        ({"what": ["b", " ", "a", "c"]}, "row 1 .*column 'what': the id is empty"),
        ({"what": ["b", None, "a", "c"]}, "row 1 .*column 'what': the id is missing"),
        ({"stars": [5, np.nan, 1, 2]}, "row 1 .*column 'stars': the value is missing or infinite"),
        ({"stars": ["a", "b", "c", "d"]}, "column 'stars' holds .*numbers or dates are due"),
        ({"at": pd.to_datetime(["2020-01-02", None, "2020-01-03", "2020-01-05"])}, "column 'at': the value is missing"),
        (
            {"at": [1.6e9, 1.6e9, 1.6e12, 1.6e9]},
            "row 2 .*the time 1600000000000 is milliseconds by its size, after sec",
        ),
    ],
)
def test_odd_columns_are_refused(frame, change, words):
    with pytest.raises(DataError, match=words):
        from_pandas(frame.assign(**change), COLUMNS, name="orders")


@pytest.mark.parametrize("unit", ["s", "us"])
def test_dates_beyond_those_of_nanoseconds_stay_the_latest(unit):
    dates = np.array(["2020-01-01", "9999-12-31", "2021-01-01", "1965-01-01"], dtype=f"datetime64[{unit}]")
    data = from_pandas(pd.DataFrame({"user": 1, "item": [0, 1, 2, 3], "time": dates}), split="leave-one-out")
    assert data.pairs("test")[1].tolist() == [1] and data.pairs("valid")[1].tolist() == [2]


def test_load_takes_no_features_of_nodes_beside_a_frame_and_nothing_that_is_no_frame(frame):
    with pytest.raises(UsageError, match="belong to the nodes of a graph"):
        load(frame, labels=[1, 2], columns=COLUMNS)
    with pytest.raises(UsageError, match="'data_dir' is the folder of named sets, and a DataFrame has none"):
        load(frame, "somewhere", columns=COLUMNS)
    for other in (None, 5, [1, 2], frame["who"]):
        with pytest.raises(UsageError, match="a path or a DataFrame of interactions is expected; got"):
            load(other)


def test_what_is_not_there_is_named(frame):
    with pytest.raises(DataError, match="orders: there is no column 'whom'.*Did you mean 'who'"):
        from_pandas(frame, COLUMNS | {"user": "whom"}, name="orders")
    with pytest.raises(DataError, match="no user and item columns in who, what, stars, at"):
        from_pandas(frame)
    with pytest.raises(DataError, match="no rows"):
        from_pandas(frame.iloc[:0], COLUMNS)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"ids": "original"}, "a frame has its own"),
        ({"parts": {"test": "x"}}, "'parts' is for files"),
        ({"cores": 2}, "Did you mean 'core'"),
    ],
)
def test_options_of_files_are_refused(frame, options, words):
    with pytest.raises(UsageError, match=words):
        from_pandas(frame, COLUMNS, **options)


def test_hashes_beyond_int64_are_kept_as_text_and_spaces_go():
    """As in a file: 2^64 - 1 must not become -1, and 'u7 ' is u7."""
    users = np.array([2**64 - 1, 2**63, 5], dtype=np.uint64)
    made = from_pandas(pd.DataFrame({"user": users, "item": ["a", "a ", " b"]}), split="random", valid=0, test=0)
    assert sorted(made.user_ids_of(range(made.n_users))) == sorted(map(str, users.tolist()))
    assert made.item_ids_of(range(made.n_items)) == ["a", "b"]
    built = Interactions.build(3, 1, [[0, 1, 2], [0, 0, 0]], user_ids=users)
    assert built.index_of_users([2**64 - 1]).tolist() == [0]
    small = Interactions.build(2, 1, [[0, 1], [0, 0]], user_ids=np.array([7, 9], dtype=np.uint64))
    assert small.user_ids.dtype == np.int64


def test_ids_that_differ_in_type_or_spaces_alone_are_one_and_said():
    frame = pd.DataFrame({"user": [7, "7", " 7", "b"], "item": ["x", "y", "z", "z "]})
    data = from_pandas(frame, split="random")
    assert data.user_ids.tolist() == ["7", "b"] and data.item_ids.tolist() == ["x", "y", "z"]
    assert [note for note in data.notes if "read as that one" in note] == [
        f"'{column}': {merged} ids differ from another in type or surrounding spaces alone; read as that one"
        for column, merged in (("user", 2), ("item", 1))
    ]
    apart = from_pandas(pd.DataFrame({"user": [7, 7.0, "b"], "item": list("xyz")}, dtype=object), split="random")
    assert apart.user_ids.tolist() == ["7", "7.0", "b"] and not [
        note for note in apart.notes if "read as that one" in note
    ]


@pytest.mark.parametrize(
    ("ids", "words"),
    [
        ([b"9", b"7", b"9", b"7"], r"row 0 .*column 'who': the id is bytes, not text; decode it"),
        (["9", "7\x00", "9", "7"], "row 1 .*the id holds a NUL character"),
        (["9", "7", "\ud800", "7"], "row 2 .*half of a character"),
    ],
)
def test_ids_that_would_become_others_are_refused(frame, ids, words):
    with pytest.raises(DataError, match=words):
        from_pandas(frame.assign(who=pd.Series(ids, dtype=object)), COLUMNS)


def test_a_column_that_stands_twice_is_refused(frame):
    other = frame.rename(columns={"who": "user", "what": "item"})
    twice = pd.concat([other, other[["user"]]], axis=1)
    with pytest.raises(DataError, match="2 columns are called 'user'. Rename all but the one you mean"):
        from_pandas(twice)
    assert from_pandas(pd.concat([other, other[["stars"]]], axis=1)[["user", "item", "stars"]].iloc[:, :2]).n_users == 2
