"""MovieLens in its three forms, and the text features of its movies."""

from __future__ import annotations

import hashlib
import math

import numpy as np
import pytest

from graphforget.data.formats.movie_text import WIDTH, read_movie_text
from graphforget.data.load import load

RATINGS = [(1, 31, 2.5, 1260759144), (1, 10, 4.0, 1260759179), (7, 31, 5.0, 851868750)]
FORMS = {
    "u.data": "".join(f"{u}\t{i}\t{r:g}\t{t}\n" for u, i, r, t in RATINGS),
    "ratings.dat": "".join(f"{u}::{i}::{r:g}::{t}\n" for u, i, r, t in RATINGS),
    "ratings.csv": "userId,movieId,rating,timestamp\r\n" + "".join(f"{u},{i},{r},{t}\r\n" for u, i, r, t in RATINGS),
}


@pytest.mark.parametrize("name", FORMS)
def test_the_three_forms_hold_the_same(tmp_path, name):
    path = tmp_path / name
    path.write_bytes(FORMS[name].encode())
    data = load(path, split="user-time", valid=0, test=0.5)
    assert data.user_ids.tolist() == [1, 7] and data.item_ids.tolist() == [10, 31]
    assert data.pairs("train").tolist() == [[0, 1], [1, 1]] and data.pairs("test").tolist() == [[0], [0]]
    assert load(path, min_rating=4, split="user", valid=0, test=0).pairs("train").tolist() == [[0, 1], [0, 1]]


def test_published_parts_of_ml_100k(tmp_path):
    (tmp_path / "u1.base").write_text("1\t10\t3\t5\n2\t11\t3\t5\n")
    (tmp_path / "u1.test").write_text("2\t10\t3\t9\n")
    data = load(tmp_path / "u1.base", parts={"test": tmp_path / "u1.test"})
    assert data.pairs("test").tolist() == [[1], [0]]


MOVIES = 'movieId,title,genres\n1,"Alien, The (1979)",Horror|Sci-Fi\n2,Toy Story (1995),(no genres listed)\n'


def test_text_features_are_the_documented_ones(tmp_path):
    (tmp_path / "movies.csv").write_text(MOVIES)
    (tmp_path / "tags.csv").write_text("userId,movieId,tag,timestamp\n5,2,Toy fun,1\n6,2,fun,2\n6,99,lost,3\n")
    table, notes = read_movie_text(tmp_path / "movies.csv")
    words = [
        {"alien": 1, "the": 1, "1979": 1, "genre:horror": 1, "genre:sci-fi": 1},
        {"toy": 2, "story": 1, "1995": 1, "fun": 2},
    ]
    expected = np.zeros((2, WIDTH))
    for row, counts in enumerate(words):
        for word, count in counts.items():
            code = int.from_bytes(hashlib.blake2b(word.encode(), digest_size=8).digest(), "little")
            weight = (1 + math.log(count)) * (1 + math.log(3 / 2))  # every word is in one of two movies
            expected[row, (code >> 1) % WIDTH] += weight if code & 1 else -weight
    expected /= np.linalg.norm(expected, axis=1, keepdims=True)
    np.testing.assert_allclose(table.values, expected, atol=1e-6)
    assert table.ids == ["1", "2"] and table.values.dtype == np.float32
    assert "3 tags" not in notes[0] and "2 tags of tags.csv" in notes[0] and "2 users" in notes[1]


def test_text_features_without_tags(tmp_path):
    (tmp_path / "movies.csv").write_text(MOVIES)
    table, notes = read_movie_text(tmp_path / "movies.csv")
    assert len(notes) == 1 and np.allclose(np.linalg.norm(table.values, axis=1), 1, atol=1e-6)


def test_a_common_word_weighs_less_than_a_rare_one(tmp_path):
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n1,red sun,A\n2,blue sun,A\n3,green sun,A\n")
    table, _ = read_movie_text(tmp_path / "movies.csv")
    assert abs(table.values[0] @ table.values[1]) < 0.6


def test_movies_as_a_modality_of_own_ratings(tmp_path):
    (tmp_path / "ratings.csv").write_bytes(FORMS["ratings.csv"].encode())
    (tmp_path / "movies.csv").write_text("movieId,title,genres\n31,Heat,Action\n50,Babe,Comedy\n")
    data = load(tmp_path / "ratings.csv", modalities={"text": tmp_path / "movies.csv"})
    assert data.modalities["text"].shape == (2, WIDTH)
    assert data.missing["text"].tolist() == [True, False]
    np.testing.assert_array_equal(data.modalities["text"][0], data.modalities["text"][1])
    assert "movies.csv: 1 row(s) of 'text' belong to no item" in data.notes
